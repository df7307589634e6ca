"""What a campaign counts: calls, faults as they were injected and as they were seen, outcomes, violations."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

#: The four promises, and a fifth: what fails must fail because of a fault that was injected.
VIOLATIONS = (
    "should be gone and is not",
    "is gone and should not be",
    "reported as a success that was none",
    "reported as a failure without a reason",
    "failed with a reason that nothing injected explains",
)
_COUNTERS = ("counts", "injected", "seen", "outcomes", "calls_by_command", "violations")
_EXAMPLES = 20


class Tally:
    """Counts, from as many threads as there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.calls_by_command: Counter[str] = Counter()
        self.violations: Counter[str] = Counter(dict.fromkeys(VIOLATIONS, 0))
        self.examples: list[str] = []

    @property
    def calls(self) -> int:
        return self.counts["calls"]

    def add(self, counter: str, name: str, number: int = 1) -> None:
        """Count something.

        :param counter: one of the counters above.
        :param name: what.
        :param number: how often.
        """
        with self._lock:
            getattr(self, counter)[name] += number

    def violation(self, kind: str, example: str) -> None:
        """Count a broken promise, and keep the first few in words.

        :param kind: one of VIOLATIONS.
        :param example: what it was.
        """
        if kind not in VIOLATIONS:
            raise ValueError(kind)
        with self._lock:
            self.violations[kind] += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(f"{kind}: {example}")

    def to_dict(self) -> dict[str, Any]:
        return {name: dict(getattr(self, name)) for name in _COUNTERS} | {"examples": self.examples}

    def merge(self, told: Mapping[str, Any]) -> None:
        """Add what another process counted.

        :param told: its ``to_dict()``.
        """
        for name in _COUNTERS:
            getattr(self, name).update(told[name])
        self.examples = [*self.examples, *told["examples"]][:_EXAMPLES]
