"""Many calls side by side, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough for 190 calls per second over a line of 80 ms.
WORKERS = 16


def side_by_side(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    interrupt: Callable[[], None],
    workers: int = WORKERS,
) -> Iterator[Result]:
    """Apply a function to items of any number and yield the results as they come.

    Items are taken no faster than results are. When the caller stops taking results, or anything raises,
    nothing more is begun, and what was begun is waited for.

    :param function: called in a thread of its own; what it raises ends the run.
    :param items: taken from one by one, in the caller's thread.
    :param interrupt: makes what was begun end soon; called when the caller's thread is stopped from outside.
    :param workers: at most so many at once.
    """
    rest = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tencentim")
    try:
        pending: set[Future[Result]] = {pool.submit(function, item) for item in islice(rest, workers)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending.update(pool.submit(function, item) for item in islice(rest, len(done)))
            for future in done:
                yield future.result()
    except (Exception, GeneratorExit):
        raise
    except BaseException:  # Airflow's time-out, a kill, Ctrl-C
        interrupt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
