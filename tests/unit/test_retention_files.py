"""Whole files: the old one or the new one, and never a part."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_tencentim.retention import files
from airflow_provider_tencentim.retention.files import Parts, from_json, read_file, to_json, write_file


class Killed(BaseException):
    """What nobody catches."""


def test_a_file_is_written_into_folders_that_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file"

    write_file(path, b"one")
    assert path.read_bytes() == b"one"
    write_file(path, b"")
    assert path.read_bytes() == b""
    assert [name.name for name in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [OSError("disk full"), Killed()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_when_writing_fails_the_old_file_is_there_and_nothing_else(tmp_path, monkeypatch, step, error):
    path = tmp_path / "file"
    write_file(path, b"old")

    def fail(*_):
        raise error

    if step == "fsync":
        monkeypatch.setattr(files.os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(type(error)):
        write_file(path, b"new" * 1000)

    assert path.read_bytes() == b"old"
    assert [name.name for name in tmp_path.iterdir()] == ["file"]


def test_a_reader_never_sees_a_part_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_file(path, b"old")
    seen = []
    real = os.fsync

    def fsync(descriptor):
        seen.append(path.read_bytes())
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    write_file(path, b"new" * 100_000)

    assert seen == [b"old"]
    assert path.read_bytes() == b"new" * 100_000


def test_a_draft_that_a_kill_left_does_no_harm(tmp_path):
    (tmp_path / "file.new").write_bytes(b"half a f")

    write_file(tmp_path / "file", b"whole")

    assert (tmp_path / "file").read_bytes() == b"whole"
    assert not (tmp_path / "file.new").exists()


def test_what_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        write_file(tmp_path / "file" / "below", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_file(tmp_path / "folder", b"x")


# --- reading ---


def test_a_file_is_read_up_to_the_length_that_is_allowed(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"12345")

    assert read_file(path, 5) == read_file(path, 1000) == b"12345"
    with pytest.raises(ValueError, match=r"file\.json is longer than 4 bytes"):
        read_file(path, 4)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none", 4)


class Trickle:
    """A path whose file gives a byte at a time, as a network may."""

    name = "slow"

    def __init__(self, content):
        self.content = content

    def open(self, mode):
        assert mode == "rb"
        self.left = self.content
        return self

    def read(self, size):
        assert size >= 0
        drop, self.left = self.left[:1], self.left[1:]
        return drop

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_file_that_comes_in_drops_is_read_to_its_end():
    assert read_file(Trickle(b"whole"), 100) == b"whole"
    assert read_file(Trickle(b"whole"), 5) == b"whole"
    with pytest.raises(ValueError, match="slow is longer than 4 bytes"):
        read_file(Trickle(b"whole"), 4)


@pytest.mark.parametrize(("length", "most"), [(10_000_000, 4), (10_000_000, 600_000), (300_000, 600_000)])
def test_of_a_file_that_is_too_long_no_more_is_read_than_tells_that_it_is(length, most):
    class Counted(io.BytesIO):
        name = "long"

        def open(self, mode):
            return self

        def read(self, size=-1):
            assert 0 <= size <= 256 * 1024
            return super().read(size)

    file = Counted(b"x" * length)
    file.close = lambda: None
    if length > most:
        with pytest.raises(ValueError, match="long is longer"):
            read_file(file, most)
    else:
        assert len(read_file(file, most)) == length
    assert file.tell() == min(length, most + 1)


def test_a_small_file_is_read_in_little_memory_however_long_it_may_be(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    content = read_file(path, 512 * 1024 * 1024)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(content) == 1000
    assert peak < 4 * 1024 * 1024


# --- JSON ---

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_json_comes_back_in_one_line_of_utf_8(value):
    content = to_json(value)

    assert from_json("it", content) == value
    assert b"\n" not in content
    assert json.loads(content.decode()) == value
    assert to_json(value) == content


def test_half_a_surrogate_pair_comes_back_as_it_was():
    value = {"text": "cut \ud83d", "\udc00": "猫👪"}

    assert from_json("it", to_json(value)) == value
    to_json(value).decode()


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b"null", b"{", b"\xff{}", b"{}{}", b"[" * 100_000])
def test_what_is_no_json_object_is_named_and_not_shown(content):
    with pytest.raises(ValueError, match=r"^the state is not a JSON object$"):
        from_json("the state", content)


# --- parts ---


def test_rows_are_written_part_by_part(tmp_path):
    parts = Parts(tmp_path / "report", "report")
    parts.flush()
    assert not (tmp_path / "report").exists()

    parts.add({"a": 1})
    parts.add({"b": "é"})
    parts.flush()
    parts.flush()
    parts.add({"c": 3})
    parts.flush()

    assert parts.written == 2
    assert (tmp_path / "report" / "report-00000.jsonl").read_text(encoding="utf-8") == '{"a":1}\n{"b":"é"}\n'
    assert (tmp_path / "report" / "report-00001.jsonl").read_text(encoding="utf-8") == '{"c":3}\n'


def test_parts_go_on_behind_those_that_are_there(tmp_path):
    for number in (0, 1, 2):
        write_file(tmp_path / f"report-{number:05}.jsonl", b"old\n")
    parts = Parts(tmp_path, "report", written=1)
    parts.add({"new": 1})
    parts.flush()

    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert contents == {
        "report-00000.jsonl": b"old\n",
        "report-00001.jsonl": b'{"new":1}\n',
        "report-00002.jsonl": b"old\n",
    }


def test_parts_of_an_earlier_try_are_taken_away_and_others_are_not(tmp_path):
    for name in ("report-00000", "report-00001", "report-00002", "report-failed-00002", "report-00004"):
        write_file(tmp_path / f"{name}.jsonl", b"old\n")
    Parts(tmp_path, "report", written=1).drop_beyond()

    left = sorted(path.stem for path in tmp_path.iterdir())
    assert left == ["report-00000", "report-00004", "report-failed-00002"]


# --- on object storage


class Stored:
    """A path on object storage, or one that only looks like it and is on this machine."""

    def __init__(self, path, protocol, objects):
        self.path, self.protocol, self.objects = path, protocol, objects

    @property
    def parent(self):
        return Stored(self.path.rpartition("/")[0], self.protocol, self.objects)

    def mkdir(self, parents, exist_ok):
        assert parents is exist_ok is True

    def open(self, mode):
        assert mode == "wb"
        self.objects.append(file := io.BytesIO())
        file.close = lambda: None
        return file


def test_an_object_store_puts_a_whole_object(tmp_path):
    objects = []
    write_file(Stored(f"{tmp_path}/a/b", "s3", objects), b"content")

    assert [file.getvalue() for file in objects] == [b"content"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", ["", "file", "local"])
def test_a_path_of_a_store_that_is_this_machine_is_written_as_a_file(tmp_path, protocol):
    write_file(Stored(f"{tmp_path}/b", protocol, []), b"content")

    assert (tmp_path / "b").read_bytes() == b"content"


def test_what_has_no_protocol_and_is_no_path_is_opened(tmp_path):
    class Bare(Stored):
        def __init__(self, path, objects):
            self.path, self.objects = path, objects

        @property
        def parent(self):
            return self

    objects = []
    write_file(Bare(f"{tmp_path}/b", objects), b"content")
    assert [file.getvalue() for file in objects] == [b"content"]


def test_an_error_is_not_hidden_by_a_draft_that_is_not_there(tmp_path, monkeypatch):
    def replaced_by_another(*_):
        (tmp_path / "b.new").unlink()
        raise PermissionError("no")

    monkeypatch.setattr(Path, "replace", replaced_by_another)
    with pytest.raises(PermissionError):
        write_file(tmp_path / "b", b"content")


def test_a_folder_in_the_place_of_a_draft_is_an_error(tmp_path):
    (tmp_path / "b.new").mkdir()
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "b", b"content")


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"\ud800": float("inf")}])
def test_no_number_that_json_does_not_have_is_written(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json(value)


def test_json_is_compact_whatever_it_holds():
    assert to_json({"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()
    assert to_json({"a": [1, "\ud800"]}) == b'{"a":[1,"\\ud800"]}'
