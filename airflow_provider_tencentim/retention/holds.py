"""The file of holds: what no retention may touch, one id or glob a line."""

from __future__ import annotations

import re
from typing import IO, Any, Protocol

from airflow_provider_tencentim.client.arguments import LONGEST_TOPIC_ID

from .patterns import Patterns, is_glob

LARGEST_FILE = 64 * 1_048_576
# Every id is compared with every glob; no id is longer than a tenth of this.
_MOST_GLOBS = 10_000
_LONGEST_GLOB = 1024
# An id is printable ASCII. A line that holds anything else would hold nothing back, and nobody would notice.
_STRANGE = re.compile(r"[^\x20-\x7e\r\n]")


class _Openable(Protocol):
    def open(self, mode: str = ..., /) -> IO[Any]: ...


def read_holds(path: _Openable) -> Patterns:
    """Return the ids and globs of a file: UTF-8, one a line, blank lines do not count, no line is a comment.

    :param path: of the file: a ``pathlib.Path``, or what opens like one.
    :raises ValueError: naming the path, when it cannot be read, holds no line, or holds one that can be no id.
    """
    try:
        with path.open("rb") as file:
            data: bytes = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"the holds in {path} cannot be read ({type(error).__name__})") from error
    if len(data) > LARGEST_FILE:
        raise ValueError(f"the holds in {path} are more than {LARGEST_FILE} bytes long")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"the holds in {path} are not text in UTF-8") from None
    try:
        holds = Patterns(_lines(text))
    except ValueError as error:
        raise ValueError(f"the holds in {path}: {error}") from None
    if not holds:
        raise ValueError(f"the holds in {path}: there is not a single line; leave out the file to hold nothing back")
    return holds


def _lines(text: str) -> dict[str, None]:
    strange = _STRANGE.search(text)
    if strange:
        number = len(text[: strange.end()].splitlines())
        raise ValueError(f"line {number} holds characters other than printable ASCII")
    held: dict[str, None] = {}
    globs = 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if is_glob(bare):
            globs += 1
            if len(bare) > _LONGEST_GLOB or globs > _MOST_GLOBS:
                raise ValueError(
                    f"line {number}: more than {_MOST_GLOBS} globs, or one of more than {_LONGEST_GLOB} bytes"
                )
        elif len(bare) > LONGEST_TOPIC_ID:
            raise ValueError(f"line {number} is longer than any id: write one id or glob a line")
        if bare:
            # A blank at an end may belong to an id or not: rather too much is held than too little.
            held[bare] = held[line] = None
    return held
