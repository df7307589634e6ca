"""One pace for all processes of this machine that run as the same user.

The next free moment of each app and command stands in a small file of its own, in a folder of the user under the
system's folder for temporary files. It is a moment of the monotonic clock, which all processes of a machine
share. Whoever reads and moves it holds the file's lock, which ends with the process that holds it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from .pacing import FURTHEST_SECONDS, PaceStoreError

# A lock is held for microseconds, unless the process that holds it is stopped.
_PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.0005

_MOMENT = struct.Struct("<d")


class MachinePacer:
    """Keeps the pace in files.

    :param folder: where; None for the one that all processes of this user share.
    :param clock: one that all processes share.
    """

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._pid = 0
        self._lock = threading.Lock()

    def reserve(self, key: str, rate: float) -> float:
        return self._advance(key, 0.0, 1.0 / rate)

    def slow_down(self, key: str, seconds: float) -> None:
        self._advance(key, seconds, 0.0)

    def _advance(self, key: str, least: float, step: float) -> float:
        """Take the next moment that is at least so far away, and let the one after it be a step later."""
        folder = self._folder
        try:
            folder = folder or Path(tempfile.gettempdir()) / f"airflow-provider-tencentim-{os.getuid()}"
            with self._opened(folder, key) as file:
                now = self._clock()
                moment = max(now + least, _kept(file, now))
                os.pwrite(file, _MOMENT.pack(moment + step), 0)
            return moment - now
        except OSError as error:
            why = error.strerror or type(error).__name__
        raise PaceStoreError(f"the pace of this machine cannot be kept in {folder or 'its temporary files'}: {why}")

    @contextmanager
    def _opened(self, folder: Path, key: str) -> Iterator[int]:
        """Open the file of a key, locked; anew each time, because a descriptor would be shared with forks."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        _check_folder(folder)
        threads = self._lock_of_threads()
        if not threads.acquire(timeout=_PATIENCE_SECONDS):
            raise _stuck()
        try:
            file = os.open(folder / _name(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _lock(file, deadline)
                yield file
            finally:
                # Closing is not enough when another thread has forked meanwhile: the child has it open too.
                fcntl.flock(file, fcntl.LOCK_UN)
                os.close(file)
        finally:
            threads.release()

    def _lock_of_threads(self) -> threading.Lock:
        """The lock of this process: in one that was forked, nobody may be left to release its parent's."""
        if self._pid != os.getpid():
            self._lock, self._pid = threading.Lock(), os.getpid()
        return self._lock


def _lock(file: int, deadline: float) -> None:
    while True:
        with suppress(BlockingIOError):
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.monotonic() > deadline:
            raise _stuck()
        time.sleep(_POLL_SECONDS)


def _stuck() -> TimeoutError:
    return TimeoutError(0, "who holds its lock does not go on")


def _kept(file: int, now: float) -> float:
    """Return the moment that a file holds, or now where it holds none: it is new, cut short, or of another clock."""
    content = os.pread(file, _MOMENT.size + 1, 0)
    moment: float = _MOMENT.unpack(content)[0] if len(content) == _MOMENT.size else now
    return moment if now <= moment <= now + FURTHEST_SECONDS else now


def _check_folder(folder: Path) -> None:
    """See to it that the folder is there and nobody else's: in a shared place, anybody may have made it first."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        folder.mkdir(0o700, exist_ok=True)
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(0, "it must be a folder that belongs to this user and is open to nobody else")


@cache
def _name(key: str) -> str:
    """Name a key's file: also by the start of the machine, since its clock then begins anew."""
    return hashlib.sha256(f"{_boot_id()} {key}".encode()).hexdigest()[:32]


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""  # not Linux: what a clock before the restart has left is told by its distance alone


#: Shared by every client of this machine that is not given another.
MACHINE_PACER = MachinePacer()
