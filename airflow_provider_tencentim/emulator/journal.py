"""What happened: calls, peaks, refusals, signatures, and the last requests."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import Any

_REMEMBERED = 1000
_LONGEST_BODY = 65_536


class SlidingSecond:
    """Counts what happened within the last second."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def count(self, now: float) -> int:
        """Return how many there were in the second before ``now``."""
        times = self._times
        while times and times[0] <= now - 1:
            times.popleft()
        return len(times)

    def add(self, now: float) -> None:
        """Count one more."""
        self._times.append(now)


@dataclass(slots=True)
class Entry:
    """One request. The UserSig is not part of it."""

    time: float
    command: str
    raw: bytes
    identifier: str
    random: str
    code: int | None = None
    fault: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the request for people to read; ErrorCode is null when a fault ate the call."""
        return {
            "time": self.time,
            "command": self.command,
            "body": _readable(self.raw),
            "ErrorCode": self.code,
            "identifier": self.identifier,
            "random": self.random,
            "fault": self.fault,
        }


def _readable(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


class Journal:
    """Statistics since the start or the last reset."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self._calls: Counter[str] = Counter()
        self._peaks: Counter[str] = Counter()
        self._errors: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._seconds: defaultdict[str, SlidingSecond] = defaultdict(SlidingSecond)
        self._entries: deque[Entry] = deque(maxlen=_REMEMBERED)
        self.signatures: set[str] = set()

    def arrive(self, entry: Entry, now: float) -> None:
        """Count a request, whatever will become of it.

        :param entry: the request.
        :param now: a monotonic time.
        """
        entry.raw = entry.raw[:_LONGEST_BODY]
        self._entries.append(entry)
        self._calls[entry.command] += 1
        second = self._seconds[entry.command]
        second.add(now)
        self._peaks[entry.command] = max(self._peaks[entry.command], second.count(now))

    def finish(self, entry: Entry, code: int) -> None:
        """Note the ErrorCode that was answered."""
        entry.code = code
        if code:
            self._errors[entry.command][code] += 1

    def stats(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "calls": dict(self._calls),
            "peak_per_second": dict(self._peaks),
            "errors": {command: dict(codes) for command, codes in self._errors.items()},
            "signatures": len(self.signatures),
        }

    def requests(self, command: str | None = None) -> list[dict[str, Any]]:
        """Return the last requests, oldest first.

        :param command: only those of this command.
        """
        return [entry.as_dict() for entry in self._entries if command in (None, entry.command)]
