"""When a sweep stops, how often it stores how far it came, and what it says meanwhile."""

from __future__ import annotations

from functools import partial

import pytest
import retention_sweeps
from interruption import Stopped, stoppable
from retention_sweeps import Actions, Clock, Service, Store, acting, rooms, skipped, status

from airflow_provider_tencentim.client.errors import (
    TencentIMNotFoundError,
    TencentIMPermissionError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.retention import sweep as sweep_module

BUSY = TencentIMTransientError("recall", 10002, "busy")
GONE = TencentIMNotFoundError("recall", 10010, "gone")
BARRED = TencentIMPermissionError("recall", None, "not allowed here")


def failing(error):
    return {"error": error, "code": error.code, "reason": "why"}


@pytest.fixture
def open_sweep(tmp_path):
    return partial(retention_sweeps.open_sweep, tmp_path)


# --- when a sweep stops ---

FAILS, PASSES, LASTS, SKIPS, SHARED = "fails", "passes", "lasts", "skips", "shared"


def kinds(*wanted):
    """Rows of which this becomes, and the actions and the service that bring it about."""
    outcomes, facts, rows = {}, {}, []
    for number, kind in enumerate(wanted, 1):
        group = f"room-{number}"
        if kind == FAILS:
            outcomes[group] = failing(BUSY)
        elif kind == LASTS:
            outcomes[group] = failing(GONE)
        elif kind == SHARED:
            outcomes[group] = failing(BARRED)
        elif kind == SKIPS:
            facts[group] = {"ErrorCode": 10010}
        rows.append(skipped(group) if kind is None else acting(group))
    return rows, Actions(outcomes), Service(facts)


@pytest.mark.parametrize(
    ("wanted", "done", "error"),
    [
        ([FAILS, FAILS, FAILS, PASSES, PASSES], 3, BUSY),
        ([PASSES, FAILS, FAILS, FAILS, PASSES], 4, BUSY),
        ([FAILS, SKIPS, FAILS, None, FAILS, PASSES], 3, BUSY),
        ([PASSES, SHARED, PASSES], 2, BARRED),
        ([FAILS, FAILS, PASSES, FAILS, FAILS, PASSES], 6, None),
        ([FAILS, FAILS, LASTS, FAILS, FAILS, PASSES], 6, None),
        ([LASTS, LASTS, LASTS, LASTS, PASSES], 5, None),
    ],
)
def test_a_sweep_stops_at_an_error_of_all_rows_and_at_three_in_a_row_for_now(open_sweep, tmp_path, wanted, done, error):
    rows, actions, service = kinds(*wanted)
    sweep, ledger = open_sweep(rows, actions, service)
    if error is None:
        sweep.run()
        assert status(tmp_path) == "failed"
    else:
        with pytest.raises(type(error)) as caught:
            sweep.run()
        assert caught.value is error
        assert status(tmp_path) == "stopped"

    assert len(actions.done) == done
    assert ledger.failed_rows == sum(
        kind in (FAILS, LASTS, SHARED) for kind in wanted[: done + wanted.count(SKIPS) + 1]
    )
    assert ledger.summary()["done"] == 9 * sum(kind == PASSES for kind in wanted[:done])


@pytest.mark.parametrize("where", ["a row", "a look"])
def test_a_task_that_is_stopped_cancels_what_is_under_way(open_sweep, tmp_path, where):
    service = Service()

    def wait(_):
        stop()
        service.cancelled.wait(10)

    actions = Actions(before=wait if where == "a row" else None)
    service.before = wait if where == "a look" else None
    sweep, _ = open_sweep(rooms(1), actions, service)

    with stoppable() as stop, pytest.raises(Stopped):
        sweep.run()
    assert service.cancelled.is_set()
    assert status(tmp_path) == "stopped"


# --- what is stored, and told ---


@pytest.mark.parametrize(
    ("seconds", "rows", "count", "saves"), [(0, 3, 10, 4), (0, 1, 4, 5), (0, 100, 7, 1), (2, 100, 7, 3), (5, 100, 3, 4)]
)
def test_how_far_a_sweep_came_is_stored_every_few_seconds_and_rows(
    open_sweep, monkeypatch, seconds, rows, count, saves
):
    clock, store = Clock(monkeypatch), Store()
    monkeypatch.setattr(sweep_module, "_SECONDS_BETWEEN_SAVES", 5.0)
    monkeypatch.setattr(sweep_module, "_ROWS_BETWEEN_SAVES", rows)
    open_sweep(rooms(count), Actions(before=clock.move(seconds)), store=store)[0].run()

    assert (store.saves, store.value) == (saves, None)


def test_a_sweep_that_stops_stores_how_far_it_came(open_sweep):
    rows, actions, service = kinds(PASSES, PASSES, SHARED, PASSES)
    store = Store()
    with pytest.raises(TencentIMPermissionError):
        open_sweep(rows, actions, service, store=store)[0].run()
    again = Actions()
    open_sweep(rows, again, store=store)[0].run()

    assert again.names == ["room-3", "room-4"]


def logged(caplog):
    return [record.getMessage() for record in caplog.records if record.name == sweep_module.__name__]


@pytest.mark.parametrize(("seconds", "lines"), [(5, 2), (4, 1), (10, 4), (2, 0)])
def test_the_log_says_every_ten_seconds_how_far_a_sweep_came(open_sweep, monkeypatch, caplog, seconds, lines):
    clock = Clock(monkeypatch)
    caplog.set_level("INFO", sweep_module.__name__)
    open_sweep(rooms(4), Actions(before=clock.move(seconds)))[0].run()
    assert len(logged(caplog)) == lines


def test_the_log_says_how_far_how_fast_and_how_long_still(open_sweep, monkeypatch, caplog):
    clock = Clock(monkeypatch)
    caplog.set_level("INFO", sweep_module.__name__)
    rows = [skipped("a"), *(acting(f"room-{number:02}", 3000) for number in range(1, 31))]
    facts = {row.group: {"NextMsgSeq": 4000} for row in rows}
    outcomes = {row.group: {"calls": 50_000, "done": 3000} for row in rows}
    outcomes |= {"room-02": {"requested": 0}, "room-03": {"requested": 1, "done": 1}}
    open_sweep(rows, Actions(outcomes, before=clock.move(1000)), Service(facts))[0].run()

    lines = logged(caplog)
    assert len(lines) == 30
    assert lines[:3] == [
        "Row 1 of 31: 0 groups, 0 messages, 0 calls/s, unknown left",
        "Row 3 of 31: 1 groups, 3,000 messages, 25 calls/s, about 967 min left",
        "Row 4 of 31: 2 groups, 3,001 messages, 17 calls/s, about 1450 min left",
    ]
    assert lines[-1] == "Row 31 of 31: 29 groups, 84,001 messages, 47 calls/s, about 36 min left"


def test_the_log_says_that_it_does_not_know_how_long_still(open_sweep, monkeypatch, caplog):
    clock = Clock(monkeypatch)
    caplog.set_level("INFO", sweep_module.__name__)
    service = Service({f"room-{number}": {"ErrorCode": 10010} for number in range(1, 4)})
    service.before = clock.move(20)
    open_sweep(rooms(3), None, service)[0].run()

    [line] = logged(caplog)
    assert line == "Row 1 of 3: 0 groups, 0 messages, 0 calls/s, unknown left"
