"""Files of a plan, a report, a state: whole ones, small enough to hold, on whatever looks like a path."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol, Self

_PIECE = 256 * 1024


class Folder(Protocol):
    """What is needed of a path: ``pathlib.Path`` and Airflow's ObjectStoragePath have it."""

    @property
    def name(self) -> str: ...
    def __truediv__(self, name: str, /) -> Self: ...
    def open(self, mode: str = ..., /) -> Any: ...
    def mkdir(self, mode: int = ..., parents: bool = ..., exist_ok: bool = ...) -> None: ...
    def exists(self) -> bool: ...
    def unlink(self, missing_ok: bool = ...) -> None: ...


def write_file(path: Folder, content: bytes) -> None:
    """Write a whole file: whoever reads it meanwhile, or after a kill, finds the old one or the new one.

    :param path: where to; its folder is made.
    :param content: all of it.
    :raises OSError: when it cannot be written.
    """
    folder: Any = path.parent  # type: ignore[attr-defined]  # typing cannot say "another of my kind" of a property
    folder.mkdir(parents=True, exist_ok=True)
    local = _local(path)
    if local is None:  # an object store puts a whole object, or none
        with path.open("wb") as file:
            file.write(content)
        return
    draft = local.with_name(local.name + ".new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(local)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_file(path: Folder, most: int) -> bytes:
    """Read a whole file.

    :param path: the file.
    :param most: bytes that it may have.
    :raises FileNotFoundError: when it is not there.
    :raises ValueError: when it is longer.
    """
    with path.open("rb") as file:
        content = bytearray()
        # What is asked for is allocated at once, however short the file is.
        while part := file.read(min(_PIECE, most + 1 - len(content))):
            content += part
    if len(content) > most:
        raise ValueError(f"{path.name} is longer than {most} bytes")
    return bytes(content)


def to_json(value: object) -> bytes:
    """Return compact JSON in UTF-8, the same for the same value."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: text that was cut within an emoji, say
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def from_json(name: str, content: bytes) -> dict[str, Any]:
    """Read a JSON object.

    :param name: what it is, for the error.
    :param content: JSON in UTF-8.
    :raises ValueError: when it is something else; its message does not show what.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a JSON object")
    return value


class Parts:
    """Rows of JSON in numbered files, each written whole.

    :param folder: where they are.
    :param prefix: how their names begin.
    :param written: how many there are already; the next one takes the number behind them.
    """

    def __init__(self, folder: Folder, prefix: str, written: int = 0) -> None:
        self.folder = folder
        self.written = written
        self._prefix = prefix
        self._lines: list[bytes] = []

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row for the next file.

        :param row: of JSON values.
        """
        self._lines.append(to_json(row) + b"\n")

    def flush(self) -> None:
        """Write what was kept, if anything, into the next file.

        :raises OSError: when it cannot be written.
        """
        if self._lines:
            write_file(self._path(self.written), b"".join(self._lines))
            self.written += 1
            self._lines = []

    def drop_beyond(self) -> None:
        """Take away the files behind those that were written: an earlier try had more of them.

        :raises OSError: when one cannot be taken away.
        """
        number = self.written
        while (path := self._path(number)).exists():
            path.unlink()
            number += 1

    def _path(self, number: int) -> Folder:
        return self.folder / f"{self._prefix}-{number:05}.jsonl"


def _local(path: Folder) -> Path | None:
    """Return the path on this machine, for which a file can be put in place as a whole."""
    # An ObjectStoragePath, which retention does not know, is a Path too in Airflow 2.11, on any storage.
    protocol = getattr(path, "protocol", None)
    if protocol is None:
        return path if isinstance(path, Path) else None
    return Path(path.path) if protocol in ("", "file", "local") else None  # type: ignore[attr-defined]
