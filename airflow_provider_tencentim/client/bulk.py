"""Many calls side by side, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough for 190 calls per second over a line of 80 ms.
WORKERS = 16
# How many times as many items may be under way as there are workers, so that a slow one does not stop the others.
_AHEAD = 4


class Spread(Protocol):
    """A way to apply a function to many items."""

    def __call__(
        self, function: Callable[[Item], Result], items: Iterable[Item], interrupt: Callable[[], None], /
    ) -> Iterator[Result]: ...


def in_turn(
    function: Callable[[Item], Result], items: Iterable[Item], interrupt: Callable[[], None]
) -> Iterator[Result]:
    """Apply a function to one item after the other, in the caller's thread.

    :param function: what it raises ends the run.
    :param items: taken from one by one.
    :param interrupt: not needed here: nothing is under way when the caller's thread is stopped.
    """
    return map(function, items)


def side_by_side(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    interrupt: Callable[[], None],
    workers: int = WORKERS,
    *,
    ordered: bool = False,
) -> Iterator[Result]:
    """Apply a function to items of any number and yield the results as they come.

    Items are taken no faster than results are. When the caller stops taking results, or anything raises,
    nothing more is begun, and what was begun is waited for.

    :param function: called in a thread of its own; what it raises ends the run.
    :param items: taken from one by one, in the caller's thread.
    :param interrupt: makes what was begun end soon; called when the caller's thread is stopped from outside.
    :param workers: at most so many at once.
    :param ordered: yield the results in the order of the items.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tencentim")
    results = _in_order if ordered else _as_they_come
    try:
        yield from results(lambda item: pool.submit(function, item), iter(items), workers)
    except (Exception, GeneratorExit):
        raise
    except BaseException:  # Airflow's time-out, a kill, Ctrl-C
        interrupt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _as_they_come(
    submit: Callable[[Item], Future[Result]], items: Iterator[Item], workers: int
) -> Iterator[Result]:
    pending = {submit(item) for item in islice(items, workers)}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        pending.update(submit(item) for item in islice(items, len(done)))
        for future in done:
            yield future.result()


def _in_order(submit: Callable[[Item], Future[Result]], items: Iterator[Item], workers: int) -> Iterator[Result]:
    pending = deque(submit(item) for item in islice(items, workers * _AHEAD))
    while pending:
        result = pending.popleft().result()
        pending.extend(submit(item) for item in islice(items, 1))
        yield result
