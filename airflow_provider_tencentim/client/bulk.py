"""Many calls side by side, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from .wire import POOL_SIZE

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough for 190 calls per second over a line of 80 ms.
_USUAL = 16
_FIRST = 4
# A call over a new connection arrives later than one over a connection that stands, by two or three round trips.
# Many of them at once would arrive together with those that were sent after them.
STEP_SECONDS = 0.05
# In order, so many times as many items are taken as may be under way, while one keeps the others waiting.
_AHEAD = 4


class Spread(Protocol):
    """A way to apply a function to many items: :func:`side_by_side` or :func:`in_turn`."""

    def __call__(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        interrupt: Callable[[], None],
        /,
        *,
        size: Callable[[], int] = ...,
    ) -> Iterator[Result]: ...


def in_turn(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    interrupt: Callable[[], None],
    *,
    size: Callable[[], int] = lambda: 1,
) -> Iterator[Result]:
    """Apply a function to one item after the other, in the caller's thread.

    :param function: what it raises ends the run.
    :param items: taken from one by one.
    :param interrupt: not needed here: nothing is under way when the caller's thread is stopped.
    :param size: not needed here: it is always one.
    """
    return map(function, items)


def side_by_side(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    interrupt: Callable[[], None],
    workers: int = POOL_SIZE,
    *,
    size: Callable[[], int] = lambda: _USUAL,
    ordered: bool = False,
) -> Iterator[Result]:
    """Apply a function to items of any number and yield the results as they come.

    Items are taken no faster than results are. When the function or the items raise, nothing more is begun; the
    results of what was begun besides are yielded, and then that is raised; in order, only those of the items before
    it are, so that no item is passed over. When the caller stops taking results, or is stopped from outside, nothing
    more is begun, and what was begun is waited for.

    :param function: called in threads of its own.
    :param items: taken from one by one, in the caller's thread.
    :param interrupt: makes what was begun end soon; called when the caller's thread is stopped from outside.
    :param workers: at most so many at once, whatever the size.
    :param size: how many at once; asked again and again, and followed upwards step by step.
    :param ordered: whether the results come in the order of their items.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tencentim")
    try:
        yield from _Run(pool, function, items, _Width(size, workers), ordered).results()
    except (Exception, GeneratorExit):
        raise
    except BaseException:  # Airflow's time-out, a kill, Ctrl-C
        interrupt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def runs(items: Iterable[Item], is_long: Callable[[Item], bool], most: int = 200) -> Iterator[list[Item]]:
    """Put items that take no time together with the next one that takes some.

    One by one, they would fill the queue behind the one that all wait for, so that nothing was under way besides it.

    :param items: of any number.
    :param is_long: whether an item takes time; then it is the last of its run.
    :param most: so many make a run, whatever they are.
    """
    run: list[Item] = []
    for item in items:
        run.append(item)
        if is_long(item) or len(run) == most:
            yield run
            run = []
    if run:
        yield run


class _Width:
    """How many may be under way at once: as many as are wanted, reached step by step.

    :param wanted: how many.
    :param most: and never more than these.
    """

    def __init__(self, wanted: Callable[[], int], most: int) -> None:
        self._wanted = wanted
        self._most = most
        self._reached = _FIRST
        self._stepped_at = time.monotonic()
        self.grows = False

    def now(self) -> int:
        wanted = min(max(self._wanted(), 1), self._most)
        self.grows = self._reached < wanted
        if self.grows and time.monotonic() - self._stepped_at >= STEP_SECONDS:
            self._reached += 1
            self._stepped_at = time.monotonic()
        return min(self._reached, wanted)


class _Run(Generic[Item, Result]):
    """One run over items, in the caller's thread but for the function.

    :param pool: where the function is called.
    :param function: what is called.
    :param items: with each of these.
    :param width: how many may be under way.
    :param ordered: whether the results come in the order of their items.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        width: _Width,
        ordered: bool,
    ) -> None:
        self._pool = pool
        self._function = function
        self._items = iter(items)
        self._width = width
        self._ordered = ordered
        self._more = True
        self._under_way = 0
        self._queue: deque[Future[Result]] = deque()  # what is yielded in this order
        self._finished: SimpleQueue[Future[Result]] = SimpleQueue()
        self._failure: BaseException | None = None

    def results(self) -> Iterator[Result]:
        self._begin()
        while self._under_way:
            self._await_one()
            while self._queue and self._queue[0].done():
                future = self._queue.popleft()
                if (error := future.exception()) is None:
                    yield future.result()
                elif self._ordered:
                    raise error
                else:
                    self._fail(error)
            self._begin()
        if self._failure is not None:
            raise self._failure

    def _begin(self) -> None:
        """Begin as many as there is room for."""
        while self._more and self._under_way < (room := self._width.now()) and len(self._queue) < _AHEAD * room:
            try:
                item = next(self._items)
            except StopIteration:
                self._more = False
            except Exception as error:
                self._fail(error)
            else:
                future = self._pool.submit(self._function, item)
                self._under_way += 1
                if self._ordered:
                    self._queue.append(future)
                future.add_done_callback(self._finished.put)

    def _await_one(self) -> None:
        """Wait until one is finished, or until there may be room for one more."""
        try:
            future = self._finished.get(timeout=STEP_SECONDS if self._more and self._width.grows else None)
        except Empty:
            return
        self._under_way -= 1
        if not self._ordered:
            self._queue.append(future)

    def _fail(self, error: BaseException) -> None:
        self._more = False
        self._failure = self._failure or error
