"""The hourly message file: how ``open_msg_svc/get_history`` lays it out, written and read.

The first line is a header that leaves its ``MsgList`` open, then comes a message a line with a comma behind it, and
``]}`` is the last line. The comma behind the last message keeps the whole from being JSON: it is read line by line.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypedDict

#: Longer lines are refused: a message has 12 KB, and a reader must not be made to hold more.
LONGEST_LINE = 1_048_576

# So much may follow the last line, for whom editors and transfers add line ends; a few bytes unpack to any number.
_MOST_BLANK_LINES = 100

_GZIP = b"\x1f\x8b"
_END = b"]}"


class HistoryHeader(TypedDict):
    """What the first line says of the file."""

    SdkAppId: int
    ChatType: str
    MsgTime: str


class _Writable(Protocol):
    def write(self, content: bytes, /) -> int: ...


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


def write_history_file(file: _Writable, header: HistoryHeader, messages: Iterable[dict[str, Any]]) -> None:
    """Write a file of messages, uncompressed.

    :param file: where to.
    :param header: its first line.
    :param messages: its messages, in this order.
    """
    file.write(_json(header)[:-1] + b',"MsgList":[\n')
    for message in messages:
        file.write(_json(message) + b",\n")
    file.write(_END + b"\n")


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: text that was cut within an emoji, say
        return json.dumps(value, separators=(",", ":")).encode()


def read_history_file(path_or_file: str | Path | _Readable) -> Iterator[tuple[HistoryHeader, dict[str, Any]]]:
    """Yield the header with each message, in bounded memory.

    :param path_or_file: a path, or an open binary file, which stays open; plain or compressed with gzip.
    :raises ValueError: naming the line that is not as it should be, and never what it says.
    """
    if isinstance(path_or_file, str | Path):
        with Path(path_or_file).open("rb") as file:
            yield from _read(file)
    else:
        yield from _read(path_or_file)


def _read(file: _Readable) -> Iterator[tuple[HistoryHeader, dict[str, Any]]]:
    lines = _lines(file)
    number, first = next(lines, (1, b""))
    header = _header(first)
    for number, line in lines:
        if line == _END:
            break
        yield header, _object(number, line.removesuffix(b","))
    else:
        raise ValueError(f"line {number}: the file ends before its last line")
    end = number
    for number, line in lines:
        if line or number > end + _MOST_BLANK_LINES:
            raise ValueError(f"line {number}: something follows the last line")


def _lines(file: _Readable) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers, without what surrounds them."""
    stream = _unpacked(file)
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(LONGEST_LINE + 1)
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise  # the disk's or the network's
            raise ValueError(f"line {number}: the compression is broken") from None
        if len(line) > LONGEST_LINE:
            raise ValueError(f"line {number}: longer than {LONGEST_LINE} bytes")
        if not line:
            return
        yield number, line.strip()


def _unpacked(file: _Readable) -> io.BufferedIOBase:
    start = file.read(len(_GZIP))
    stream = io.BufferedReader(_Rejoined(start, file))
    return gzip.GzipFile(fileobj=stream, mode="rb") if start == _GZIP else stream


class _Rejoined(io.RawIOBase):
    """A file from its start, although its first bytes were read already."""

    def __init__(self, start: bytes, file: _Readable) -> None:
        self._start = start
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._start or self._file.read(len(buffer))
        self._start = b""
        buffer[: len(part)] = part
        return len(part)


def _header(line: bytes) -> HistoryHeader:
    values = _object(1, line + _END)
    app, kind, time = (values.get(name) for name in ("SdkAppId", "ChatType", "MsgTime"))
    if type(app) is not int or not isinstance(kind, str) or not isinstance(time, str) or values.get("MsgList") != []:
        raise ValueError("line 1: not the header of a message file")
    return HistoryHeader(SdkAppId=app, ChatType=kind, MsgTime=time)


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):  # whose texts quote the line
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"line {number}: not a JSON object")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    """Read a number; one that is too large, 1e400 say, is none that can be written again."""
    value = float(text)
    if math.isinf(value):
        raise ValueError
    return value
