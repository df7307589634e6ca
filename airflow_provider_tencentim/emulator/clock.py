"""The emulator's time: the machine's, moved forward at will."""

from __future__ import annotations

import math
import time


class Clock:
    """Tells the time that signatures and messages are judged by."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Return the emulator's time in Unix seconds."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Move on, or back with a negative number.

        :param seconds: how far.
        """
        if not math.isfinite(seconds):
            raise ValueError("advance must be a finite number of seconds")
        self.offset += seconds

    def reset(self) -> None:
        """Return to the machine's time."""
        self.offset = 0.0
