"""The hourly message file: its layout to the byte, and what is said of one that is broken."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_tencentim.client.history_file import LONGEST_LINE, read_history_file, write_history_file

HEADER = {"SdkAppId": 1, "ChatType": "C2C", "MsgTime": "2024031511"}
FIRST = b'{"SdkAppId":1,"ChatType":"C2C","MsgTime":"2024031511","MsgList":[\n'


def read(content: bytes) -> list[dict[str, Any]]:
    return [message for _, message in read_history_file(io.BytesIO(content))]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_what_is_written_is_read(tmp_path, pack, count):
    written = [{"MsgSeq": number, "Text": "猫\n\u2028" * number} for number in range(count)]
    buffer = io.BytesIO()
    write_history_file(buffer, HEADER, iter(written))
    assert buffer.getvalue().count("猫".encode()) == sum(range(count))
    path = tmp_path / "file"
    path.write_bytes(pack(buffer.getvalue()))
    for source in (path, str(path), path.open("rb"), path.open("rb", buffering=0)):
        found = list(read_history_file(source))
        assert [message for _, message in found] == written
        assert all(header == HEADER for header, _ in found)
        if not isinstance(source, str | Path):
            assert not source.closed
            source.close()


LAYOUTS = [
    FIRST + b'{"n":1},\n{"n":2},\n]}\n',
    FIRST + b'{"n":1},\n{"n":2}\n]}',
    FIRST.replace(b"\n", b"\r\n") + b'{"n":1},\r\n  {"n":2},\r\n]}\r\n\r\n',
    b'{ "SdkAppId": 1, "MsgTime": "2024031511", "ChatType": "C2C", "MsgList": [ \n{"n":1} ,\n{"n":2},\n]}',
    gzip.compress(FIRST + b'{"n":1},\n') + gzip.compress(b'{"n":2},\n]}\n'),
]


@pytest.mark.parametrize("content", LAYOUTS)
def test_the_layout_may_vary_a_little(content):
    assert read(content) == [{"n": 1}, {"n": 2}]


def test_a_file_is_read_as_a_stream():
    class Endless(io.RawIOBase):
        """A file without an end: FIRST, and the same message for ever."""

        def __init__(self) -> None:
            self.waiting = FIRST
            self.given = 0

        def read(self, size: int = -1) -> bytes:
            self.waiting = self.waiting or b'{"n":1},\n'
            part, self.waiting = self.waiting[:size], self.waiting[size:]
            self.given += len(part)
            return part

    file = Endless()
    stream = read_history_file(file)
    assert [next(stream)[1] for _ in range(3)] == [{"n": 1}] * 3
    assert file.given < 1000


SECRET = b'{"Text":"PRIVATE-WORDS"'
BROKEN = [
    ("an empty file", b"", "line 1: not a JSON object"),
    ("no header", SECRET + b"},\n]}\n", "line 1: not a JSON object"),
    ("another header", b'{"Text":[\n]}', "line 1: not the header of a message file"),
    ("a text for the app", FIRST.replace(b":1,", b':"1",') + b"]}", "line 1: not the header of a message file"),
    ("a truth value for the app", FIRST.replace(b":1,", b":true,") + b"]}", "line 1: not the header of a message file"),
    ("a number for the type", FIRST.replace(b'"C2C"', b"1") + b"]}", "line 1: not the header of a message file"),
    (
        "a number for the hour",
        FIRST.replace(b'"2024031511"', b"2024031511") + b"]}",
        "line 1: not the header of a message file",
    ),
    (
        "no list",
        b'{"SdkAppId":1,"ChatType":"C2C","MsgTime":"2","Other":[\n]}',
        "line 1: not the header of a message file",
    ),
    ("only a header", FIRST, "line 1: the file ends before its last line"),
    ("no end", FIRST + b'{"n":1},\n{"n":2},\n', "line 3: the file ends before its last line"),
    ("a cut message", FIRST + b'{"n":1},\n' + SECRET, "line 3: not a JSON object"),
    ("two commas", FIRST + SECRET + b"},,\n]}", "line 2: not a JSON object"),
    ("one bracket too many", FIRST + b'{"n":1},\n]}]}\n', "line 3: not a JSON object"),
    ("two messages in a line", FIRST + SECRET + b"}," + SECRET + b"},\n]}", "line 2: not a JSON object"),
    ("an empty line", FIRST + b'{"n":1},\n\n]}', "line 3: not a JSON object"),
    ("an array", FIRST + b'["PRIVATE-WORDS"],\n]}', "line 2: not a JSON object"),
    ("NaN", FIRST + b'{"PRIVATE-WORDS":NaN},\n]}', "line 2: not a JSON object"),
    ("no UTF-8", FIRST + b'{"PRIVATE-WORDS":"\xff"},\n]}', "line 2: not a JSON object"),
    ("too deep", FIRST + b'{"n":' + b"[" * 100_000 + b"]" * 100_000 + b"},\n]}", "line 2: not a JSON object"),
    ("more behind the end", FIRST + b"]}\n\n" + SECRET + b"}", "line 4: something follows the last line"),
    ("a long header", b" " * LONGEST_LINE + FIRST, f"line 1: longer than {LONGEST_LINE} bytes"),
    ("a long message", FIRST + b" " * LONGEST_LINE + b'{"n":1},\n]}', f"line 2: longer than {LONGEST_LINE} bytes"),
    ("cut compression", gzip.compress(FIRST + b"]}")[:-9], "line 2: the compression is broken"),
    ("a wrong checksum", gzip.compress(FIRST + b"]}")[:-8] + b"12345678", "the compression is broken"),
    ("broken compression", gzip.compress(FIRST + b"]}" * 99)[:12] + b"\xff" * 40, "the compression is broken"),
]


@pytest.mark.parametrize(("content", "complaint"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_an_error_names_the_line_and_never_what_it_says(content, complaint):
    with pytest.raises(ValueError, match=r"^line [0-9]+: ") as caught:
        read(content)
    assert str(caught.value).endswith(complaint)
    error: BaseException | None = caught.value
    while error is not None:
        assert "PRIVATE" not in str(error)
        assert error.__cause__ is None
        error = error.__context__ if not error.__suppress_context__ else None


def test_a_line_of_just_the_limit_is_read():
    message = b'{"n":"' + b"x" * (LONGEST_LINE - len(b'{"n":""},\n')) + b'"},\n'
    assert len(message) == LONGEST_LINE
    assert len(read(FIRST + message + b"]}")) == 1
    with pytest.raises(ValueError, match="line 2: longer"):
        read(FIRST + b" " + message + b"]}")


def test_of_a_line_without_end_little_more_than_the_limit_is_read():
    class Endless(io.RawIOBase):
        """A header, and a line that never ends."""

        waiting, given = FIRST, 0

        def read(self, size: int = -1) -> bytes:
            self.waiting = self.waiting or b"x" * 65536
            part, self.waiting = self.waiting[:size], self.waiting[size:]
            self.given += len(part)
            assert self.given < 2 * LONGEST_LINE, "far too much is read"
            return part

    with pytest.raises(ValueError, match=rf"^line 2: longer than {LONGEST_LINE} bytes$"):
        list(read_history_file(Endless()))


def test_an_error_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_history_file(tmp_path / "nothing"))

    class Broken(io.RawIOBase):
        """A file of which only the first line can be read."""

        waiting = FIRST

        def read(self, size: int = -1) -> bytes:
            if not self.waiting:
                raise PermissionError("no")
            part, self.waiting = self.waiting[:size], self.waiting[size:]
            return part

    with pytest.raises(PermissionError):
        list(read_history_file(Broken()))


# --- the bytes themselves ---


def written(*messages):
    buffer = io.BytesIO()
    write_history_file(buffer, HEADER, messages)
    return buffer.getvalue()


def test_a_file_is_a_header_a_message_a_line_and_an_end():
    assert written() == FIRST + b"]}\n"
    assert written({"n": 1, "x": [1.5, None]}, {"\u732b": "\u732b"}) == (
        FIRST + b'{"n":1,"x":[1.5,null]},\n' + '{"\u732b":"\u732b"},\n]}\n'.encode()
    )


def test_half_a_surrogate_pair_is_written_as_an_escape_and_read_again():
    message = {"Text": "\u732b \ud83d", "n": [1, 2]}

    content = written(message, {"n": 1})
    assert content == FIRST + b'{"Text":"\\u732b \\ud83d","n":[1,2]},\n{"n":1},\n]}\n'
    assert read(content) == [message, {"n": 1}]


@pytest.mark.parametrize(("blank", "refused"), [(b"\n" * 101, False), (b"\n" * 102, True), (b" \t\r\n" * 100, False)])
def test_a_hundred_blank_lines_may_follow_the_last(blank, refused):
    content = FIRST + b'{"n":1},\n]}' + blank
    if refused:
        with pytest.raises(ValueError, match=r"^line 104: something follows the last line$"):
            read(content)
    else:
        assert read(content) == [{"n": 1}]


@pytest.mark.parametrize(("number", "value"), [("1e308", 1e308), ("-2.5", -2.5), ("0.0", 0.0), ("1", 1)])
def test_a_number_that_can_be_written_again_is_read(number, value):
    assert read(FIRST + b'{"x":' + number.encode() + b"},\n]}\n") == [{"x": value}]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity"])
def test_a_number_that_cannot_be_written_again_is_no_json(number):
    with pytest.raises(ValueError, match=r"^line 2: not a JSON object$"):
        read(FIRST + b'{"x":' + number.encode() + b"},\n]}\n")


def test_a_header_has_its_three_fields_and_no_other():
    content = b'{"SdkAppId":7,"ChatType":"Group","More":"x","MsgTime":"2024031511","MsgList":[\n{"n":1},\n]}\n'

    assert list(read_history_file(io.BytesIO(content))) == [
        ({"SdkAppId": 7, "ChatType": "Group", "MsgTime": "2024031511"}, {"n": 1})
    ]


@pytest.mark.parametrize("content", [b"\x1f", b"\x1f\x00" + FIRST, FIRST[1:]])
def test_what_only_begins_like_something_else_is_no_header(content):
    with pytest.raises(ValueError, match=r"^line 1: not a JSON object$"):
        read(content)


def test_a_packed_file_whose_first_line_is_broken_is_one_of_line_1():
    with pytest.raises(ValueError, match=r"^line 1: the compression is broken$"):
        read(b"\x1f\x8bxxxxxxxxxxxxxx")


def test_a_path_is_closed_again(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(written({"n": 1}))
    before = {*Path("/dev/fd").iterdir()}

    assert len(list(read_history_file(path))) == 1
    assert {*Path("/dev/fd").iterdir()} == before
