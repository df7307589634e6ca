"""A disk that fails now and then: a file cannot be made, is cut in the middle, or cannot be put in place."""

from __future__ import annotations

import errno
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

#: In every error of this disk's.
INJECTED = "injected: no space left on device"


def is_of_bad_disk(error: BaseException) -> bool:
    """Tell whether an error was made here, or tells of one that was."""
    return INJECTED in str(error)


@contextmanager
def bad_disk(folder: Path, dice: random.Random, share: float, count: Callable[[str], None]) -> Iterator[None]:
    """Have writing below a folder fail now and then, of bytes, as retention writes all it writes.

    :param folder: below which.
    :param dice: says when.
    :param share: of the files.
    :param count: is told what failed.
    """
    real_open, real_replace, lock = Path.open, Path.replace, threading.Lock()

    def fails(path: Path) -> str | None:
        if not path.is_relative_to(folder):
            return None
        with lock:
            if dice.random() >= share:
                return None
            kind = dice.choice(("disk: no file", "disk: half a file", "disk: not put in place"))
        count(kind)
        return kind

    doomed: set[Path] = set()

    def open_(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        kind = fails(self) if mode == "wb" else None
        if kind == "disk: no file":
            raise _error(self)
        file = real_open(self, mode, *arguments, **options)
        if kind == "disk: not put in place" and self.suffix == ".new":
            doomed.add(self)
        elif kind is not None:
            return _Half(self, file)
        return file

    def replace(self: Path, target: Path) -> Path:
        if self in doomed:
            doomed.discard(self)
            raise _error(self)
        return real_replace(self, target)

    with mock.patch.object(Path, "open", open_), mock.patch.object(Path, "replace", replace):
        yield


def _error(path: Path) -> OSError:
    return OSError(errno.ENOSPC, INJECTED, str(path))


class _Half:
    """An open file that takes half of the first bytes it is given, and no more."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path = path
        self._file = file

    def write(self, content: bytes) -> int:
        self._file.write(content[: len(content) // 2])
        raise _error(self._path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Half:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()
