"""Calls per second: evenly spaced, for each app and command.

The documented limit counts calls in a second, wherever they come from. Evenly spaced calls stay under it
whatever second the server counts; bursts do not, once the network has shifted them.

Who shares a pace is a matter of where its next free moment is kept: in this process (here), on this machine
(``pacing_machine``) or in a Redis (``pacing_redis``).
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from .commands import DOCUMENTED_CALLS_PER_SECOND, Command

DEFAULT_CALLS_PER_SECOND = 190

# The same distance from the limit for the commands whose limit is lower.
_SHARE = DEFAULT_CALLS_PER_SECOND / DOCUMENTED_CALLS_PER_SECOND


# A moment that lies further ahead was kept by another clock, or is no moment at all: so many do not wait.
FURTHEST_SECONDS = 3600.0


class PaceStoreError(Exception):
    """The place where a pace is kept cannot be used, so that nothing may be sent; the text names the place."""


class Pacer(Protocol):
    """Hands out the moments at which calls may be sent."""

    def reserve(self, key: str, rate: float) -> float:
        """Take the next free moment and return how many seconds away it is.

        :param key: the app and command that share the rate.
        :param rate: calls per second.
        :raises PaceStoreError: when the pace is kept somewhere else, and that cannot be used.
        """

    def slow_down(self, key: str, seconds: float) -> None:
        """Let nobody who shares the key send anything for a while.

        :param key: the app and command that were called too often.
        :param seconds: for how long.
        :raises PaceStoreError: when the pace is kept somewhere else, and that cannot be used.
        """


class ProcessPacer:
    """One pace for all threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def reserve(self, key: str, rate: float) -> float:
        with self._lock:
            now = time.monotonic()
            moment = max(now, self._next.get(key, 0.0))
            self._next[key] = moment + 1.0 / rate
        return moment - now

    def slow_down(self, key: str, seconds: float) -> None:
        with self._lock:
            self._next[key] = max(self._next.get(key, 0.0), time.monotonic() + seconds)


#: For the clients of this process that share their pace with no other.
PROCESS_PACER = ProcessPacer()


def rate_of(command: Command, calls_per_second: float) -> float:
    """Return the pace of a command: the connection's, unless the command's own limit is lower."""
    if command.calls_per_second < DOCUMENTED_CALLS_PER_SECOND:
        return min(calls_per_second, command.calls_per_second * _SHARE)
    return calls_per_second
