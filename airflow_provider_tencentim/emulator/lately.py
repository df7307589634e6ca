"""What was sent lately: within five minutes for duplicates, within one for the limit of batchsendmsg."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Any

DUPLICATE_SECONDS = 300


class Duplicates:
    """Remembers for five minutes what was sent, so that a repeat can be dropped."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}
        self._times: deque[tuple[float, Hashable]] = deque()

    def find(self, key: Hashable, now: float) -> Any:
        """Return what was answered to the first of the same, None when there was none."""
        while self._times and self._times[0][0] < now - DUPLICATE_SECONDS:
            self._answers.pop(self._times.popleft()[1], None)
        return self._answers.get(key)

    def add(self, key: Hashable, now: float, answer: object) -> None:
        """Remember an answer."""
        self._answers[key] = answer
        self._times.append((now, key))


class MinuteCount:
    """Counts what happened within the last minute."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()

    def total(self, now: float) -> int:
        """Return how many there were in the minute before ``now``, by a clock that may be moved back."""
        while self._counts and not now - 60 < self._counts[0][0] <= now:
            self._counts.popleft()
        return sum(count for _, count in self._counts)

    def add(self, now: float, count: int) -> None:
        """Count some more."""
        self._counts.append((now, count))
