"""The file of holds: whatever it says holds, and what it cannot mean is an error."""

from __future__ import annotations

import io

import pytest

from airflow_provider_tencentim.retention import holds
from airflow_provider_tencentim.retention.holds import read_holds


@pytest.fixture
def held(tmp_path):
    def read(data: bytes):
        path = tmp_path / "holds.txt"
        path.write_bytes(data)
        return read_holds(path)

    return read


@pytest.mark.parametrize("data", [b"g1\ng2\n", b"g1\r\ng2", b"g1\rg2\r", b"\n g1\n\n  \ng2 \n", b"\xef\xbb\xbfg1\ng2"])
def test_every_line_that_is_not_blank_holds(held, data):
    found = held(data)

    assert found.matches("g1")
    assert found.matches("g2")
    assert not found.matches("g3")
    assert not found.matches("")


def test_a_line_may_be_a_glob(held):
    assert held(b"@TGS#*\n").matches("@TGS#_1")


def test_no_line_is_a_comment_since_an_id_may_begin_with_any_character(held):
    assert held(b"#1\n").matches("#1")


def test_a_line_with_blanks_at_its_ends_holds_both_that_id_and_the_one_without_them(held):
    found = held(b" g1\n")

    assert found.matches("g1")
    assert found.matches(" g1")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a single line"),
        (b"\r\n  \n", "not a single line"),
        (b"\xff\xfeg\x001\x00", "not text in UTF-8"),
        (b"g1\ng\x002\x00", "line 2 holds characters other than printable ASCII"),
        (b"g1\r\ng2\r\ng\t3", "line 3 holds characters"),
        ("g1\n\n\u00a0g2".encode(), "line 3 holds characters"),
        ("g1\u2028g2".encode(), "line 1 holds characters"),
        (b"g1\n" + b",".join([b"group-%d" % number for number in range(20)]), "line 2 is longer than any id"),
    ],
)
def test_a_file_that_holds_less_than_it_seems_to_is_an_error_that_names_it(held, data, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        held(data)

    assert "holds.txt" in str(raised.value)
    assert "g2" not in str(raised.value)
    assert "group-1" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.txt cannot be read \(FileNotFoundError\)"):
        read_holds(tmp_path / "missing.txt")
    with pytest.raises(ValueError, match="cannot be read"):
        read_holds(tmp_path)


def test_a_file_that_is_too_large_is_an_error(held, monkeypatch):
    monkeypatch.setattr(holds, "LARGEST_FILE", 5)

    assert held(b"g1\ng2").matches("g2")
    with pytest.raises(ValueError, match="more than 5 bytes"):
        held(b"g1\ng23")


def test_no_more_of_a_file_is_read_than_tells_that_it_is_too_large():
    class Endless(io.BytesIO):
        def open(self, mode):
            return self

        def read(self, size=-1):
            assert size == holds.LARGEST_FILE + 1
            return b"g1"

    assert list(read_holds(Endless())) == ["g1"]


def test_the_longest_id_holds_and_a_longer_line_is_an_error(held):
    assert held(b"a" * 96).matches("a" * 96)
    assert held(b"*" + b"a" * 96).matches("a" * 97)
    with pytest.raises(ValueError, match="line 1 is longer than any id"):
        held(b"a" * 97)


def test_globs_beyond_what_can_be_compared_are_an_error_that_names_the_line(held, monkeypatch):
    monkeypatch.setattr(holds, "_MOST_GLOBS", 2)
    assert held(b"a*\ng1\n\nb?\ng2\n").matches("bx")
    with pytest.raises(ValueError, match=r"holds\.txt: line 4: more than 2 globs"):
        held(b"a*\ng1\nb?\n[c]\n")


def test_a_glob_may_be_longer_than_an_id_but_not_without_end(held):
    long = b"a" * 1023
    assert held(long + b"*").matches("a" * 1024)
    with pytest.raises(ValueError, match=r"line 2: .* one of more than 1024 bytes"):
        held(b"g1\n" + long + b"a*")
