"""A time-out of Airflow as it reaches the code: the main thread is interrupted wherever it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """What the time-out raises."""


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Yield what stops the main thread; any thread may call it."""

    def stop(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGUSR1, stop)
    main = threading.main_thread().ident
    assert main is not None
    try:
        yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
