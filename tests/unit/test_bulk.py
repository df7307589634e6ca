"""Many calls side by side: how many, in which order, in how much memory, and how it ends."""

from __future__ import annotations

import signal
import threading
import time
from itertools import count, islice

import pytest

from airflow_provider_tencentim.client import bulk
from airflow_provider_tencentim.client.bulk import in_turn, runs, side_by_side


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tencentim")]


@pytest.fixture(autouse=True)
def quick_steps(monkeypatch):
    monkeypatch.setattr(bulk, "STEP_SECONDS", 0.001)


class Work:
    """A function that remembers what it was called with, and how many at once.

    :param seconds: how long it takes.
    :param until: what it waits for.
    """

    def __init__(self, seconds=0.0, until=None):
        self.seconds, self.until = seconds, until
        self.begun, self.at_once, self.most = [], 0, 0
        self._lock = threading.Lock()

    def __call__(self, item):
        with self._lock:
            self.begun.append(item)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        if self.until:
            self.until.wait(20)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        return item * 10


class Items:
    """Numbers without an end, that know how many were taken."""

    def __init__(self):
        self.taken = 0

    def __iter__(self):
        for number in count():
            self.taken += 1
            yield number


def never():
    raise AssertionError("nothing was stopped from outside")


def test_every_item_has_its_result():
    assert sorted(side_by_side(Work(), range(500), never)) == [number * 10 for number in range(500)]


@pytest.mark.parametrize("ordered", [False, True])
def test_no_items_are_no_results(ordered):
    assert list(side_by_side(Work(), [], never, ordered=ordered)) == []


def test_results_come_as_they_are_ready():
    first = threading.Event()

    def work(item):
        if item == 0:
            first.wait(20)
        return item

    results = side_by_side(work, range(100), never)
    early = list(islice(results, 99))
    first.set()

    assert 0 not in early
    assert list(results) == [0]


def test_results_come_in_order_when_asked_for():
    def work(item):
        time.sleep(0.002 if item % 3 else 0)
        return item

    assert list(side_by_side(work, range(300), never, ordered=True)) == list(range(300))


def test_in_order_one_that_keeps_the_others_waiting_bounds_what_is_taken():
    first, items = threading.Event(), Items()

    def work(item):
        if item == 0:
            first.wait(20)
        return item

    threading.Timer(0.3, first.set).start()
    results = side_by_side(work, items, never, size=lambda: 8, ordered=True)
    assert next(results) == 0
    taken = items.taken

    assert 8 < taken <= 4 * 8
    results.close()


@pytest.mark.parametrize("ordered", [False, True])
def test_items_are_taken_no_faster_than_results(ordered):
    items = Items()
    results = side_by_side(Work(), items, never, size=lambda: 8, ordered=ordered)
    for number in range(1, 200):
        next(results)
        assert items.taken <= number + 4 * 8
    time.sleep(0.05)

    assert items.taken <= 199 + 4 * 8
    results.close()


def test_in_turn_each_result_comes_before_the_next_item_is_taken():
    work, items = Work(), Items()
    results = in_turn(work, items, never, size=lambda: 100)

    assert (work.begun, items.taken) == ([], 0)
    for number in range(5):
        assert next(results) == number * 10
        assert (work.begun[-1], items.taken, work.most) == (number, number + 1, 1)


def test_in_turn_everything_happens_in_the_callers_thread():
    assert {*in_turn(lambda _: threading.current_thread(), range(5), never)} == {threading.current_thread()}


def test_side_by_side_everything_happens_in_threads_of_that_name():
    names = {*side_by_side(lambda _: threading.current_thread().name, range(50), never)}

    assert all(name.startswith("tencentim") for name in names)


# --- how many at once ---


class Clock:
    """A clock that goes when told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(bulk, "time", clock)
    return clock


def test_the_width_begins_at_four_and_grows_by_one_a_step(clock, monkeypatch):
    monkeypatch.setattr(bulk, "STEP_SECONDS", 0.5)
    width = bulk._Width(lambda: 7, 128)
    assert (width.grows, width.now(), width.grows) == (False, 4, True)

    for seconds, now in ((0.25, 4), (0.25, 5), (0.25, 5), (0.25, 6), (10.0, 7), (10.0, 7)):
        clock.now += seconds
        assert width.now() == now
    assert not width.grows


@pytest.mark.parametrize(("wanted", "most", "now"), [(2, 128, 2), (0, 128, 1), (-3, 128, 1), (100, 3, 3), (100, 1, 1)])
def test_the_width_is_never_more_than_wanted_or_than_there_are_and_never_none(clock, wanted, most, now):
    width = bulk._Width(lambda: wanted, most)

    assert (width.now(), width.grows) == (now, False)


def test_a_width_that_was_reached_is_not_lost_while_less_is_wanted(clock, monkeypatch):
    monkeypatch.setattr(bulk, "STEP_SECONDS", 0.5)
    wanted = [6]
    width = bulk._Width(lambda: wanted[0], 128)
    for _ in range(2):
        clock.now += 1
        width.now()
    assert width.now() == 6

    wanted[0] = 2
    assert width.now() == 2
    wanted[0] = 6
    assert width.now() == 6


def test_sixteen_are_under_way_unless_something_else_is_wanted():
    work = Work(0.003)
    list(side_by_side(work, range(400), never))

    assert work.most == 16


@pytest.mark.parametrize(("size", "workers", "most"), [(1, 128, 1), (3, 128, 3), (24, 128, 24), (24, 6, 6), (0, 8, 1)])
def test_so_many_are_under_way_as_are_wanted_and_never_more_than_there_are_workers(size, workers, most):
    work = Work(0.003)
    list(side_by_side(work, range(400), never, workers, size=lambda: size))

    assert work.most == most


def test_their_number_follows_what_is_wanted_upwards_and_downwards():
    work, wanted = Work(0.003), [2]
    results = side_by_side(work, range(2000), never, size=lambda: wanted[0])
    list(islice(results, 50))
    assert work.most == 2

    wanted[0] = 30
    list(islice(results, 1000))
    assert 25 <= work.most <= 30

    wanted[0] = 3
    list(islice(results, 60))
    work.most = 0
    list(results)
    assert work.most <= 3


def test_their_number_grows_step_by_step_even_while_none_is_finished(monkeypatch):
    monkeypatch.setattr(bulk, "STEP_SECONDS", 0.02)
    gate = threading.Event()
    work = Work(until=gate)
    seen = []

    def watch():
        time.sleep(0.01)
        seen.append(work.at_once)
        time.sleep(0.3)
        seen.append(work.at_once)
        gate.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    list(side_by_side(work, range(100), never, size=lambda: 40))
    watcher.join()

    assert seen[0] <= 5
    assert 8 <= seen[1] <= 4 + 0.35 / 0.02


# --- how it ends ---


@pytest.mark.parametrize("ordered", [False, True])
def test_a_failure_ends_the_run_and_loses_no_other_result(ordered):
    items = Items()
    work = Work()

    def fails(item):
        if item == 20:
            raise KeyError(item)
        return work(item)

    results, seen = side_by_side(fails, items, never, ordered=ordered), []
    with pytest.raises(KeyError):
        seen.extend(results)  # extends by one after the other

    if ordered:  # an item must not be passed over: nothing behind the failure is yielded
        assert seen == [item * 10 for item in range(20)]
    else:
        assert sorted(seen) == sorted(item * 10 for item in work.begun)
    assert set(range(20)) <= set(work.begun)
    assert items.taken <= 20 + 4 * 16 + 1


def test_items_that_fail_end_the_run_and_lose_no_result():
    def items():
        yield from range(10)
        raise KeyError("items")

    seen = []
    with pytest.raises(KeyError):
        seen.extend(side_by_side(Work(0.005), items(), never))

    assert sorted(seen) == [number * 10 for number in range(10)]


def test_who_stops_taking_results_begins_nothing_more():
    work, items = Work(0.002), Items()
    results = side_by_side(work, items, never)
    list(islice(results, 20))
    results.close()
    begun = len(work.begun)
    time.sleep(0.05)

    assert len(work.begun) == begun <= 20 + 2 * 16
    assert work.at_once == 0


def test_a_run_that_nobody_takes_a_result_of_begins_nothing():
    items = Items()
    side_by_side(Work(), items, never).close()

    assert items.taken == 0


class Killed(BaseException):
    """What Airflow raises in the task's thread."""


def test_a_stop_from_outside_interrupts_what_waits_and_begins_nothing_more():
    released, interrupts = threading.Event(), []
    work = Work(until=released)

    def interrupt():
        interrupts.append(len(work.begun))
        released.set()

    def kill(*_):
        raise Killed

    handler = signal.signal(signal.SIGALRM, kill)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        started = time.monotonic()
        with pytest.raises(Killed):
            list(side_by_side(work, Items(), interrupt))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)

    assert time.monotonic() - started < 5
    assert interrupts == [len(work.begun)]


def test_runs_end_with_what_takes_time_and_lose_nothing():
    items = [0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0]
    assert list(runs(items, bool, most=4)) == [[0, 0, 1], [1], [0, 0, 0, 0], [0, 1], [0]]
    assert list(runs([], bool)) == []
    assert [len(run) for run in runs([0] * 401, bool)] == [200, 200, 1]


def test_what_is_settled_does_not_keep_what_takes_time_from_being_under_way_together():
    """One call in a hundred items: without runs, the queue behind one of them would be full before the next."""
    under_way, most, lock = 0, 0, threading.Lock()

    def work(run):
        nonlocal under_way, most
        if run[-1]:
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.05)
            with lock:
                under_way -= 1
        return run

    items = [number % 100 == 99 for number in range(2000)]
    found = [
        item
        for run in side_by_side(work, runs(items, bool), lambda: None, size=lambda: 4, ordered=True)
        for item in run
    ]
    assert found == items
    assert most == 4
