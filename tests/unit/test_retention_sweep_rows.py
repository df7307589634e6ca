"""The rows of a sweep: which are left alone, which are carried out how, and when a sweep stops or saves."""

from __future__ import annotations

import json
import signal
import threading
from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.client.errors import (
    TencentIMNotFoundError,
    TencentIMPermissionError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.retention import sweep as sweep_module
from airflow_provider_tencentim.retention.ledger import Ledger
from airflow_provider_tencentim.retention.outcome import Outcome
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.sweep import Sweep

CREATED = 1_700_000_000
INFO = "group_open_http_svc/get_group_info"
FACTS = {"ErrorCode": 0, "Type": "Public", "CreateTime": CREATED, "NextMsgSeq": 100}
BUSY = TencentIMTransientError("recall", 10002, "busy")
GONE = TencentIMNotFoundError("recall", 10010, "gone")
BARRED = TencentIMPermissionError("recall", None, "not allowed here")


class Stopped(BaseException):
    """What a time-out raises."""


class Service(GroupCommands):
    """Tells of every group what it is told to, and notes what it was asked."""

    def __init__(self, facts=None):
        self.facts = facts or {}
        self.asked, self.paced = [], set()
        self.cancelled = threading.Event()
        self.before = None

    def call(self, command, body, *, tries=5):
        assert command == INFO
        self.asked.append(body["GroupIdList"])
        if self.before is not None:
            self.before(self)
        return {"GroupInfo": [FACTS | self.facts.get(group, {}) | {"GroupId": group} for group in body["GroupIdList"]]}

    def in_flight_wanted(self, command):
        self.paced.add(command)
        return 1

    def cancel(self):
        self.cancelled.set()


class Actions:
    """Does every row, unless it is told what becomes of it.

    :param outcomes: by group, what becomes of a row besides that it took two calls.
    :param long: the groups whose rows are long.
    :param before: called before each row.
    """

    def __init__(self, outcomes=None, long=(), before=None, at_once=1):
        self.outcomes, self.long, self.before, self.at_once = outcomes or {}, long, before, at_once
        self.done = []

    def in_flight_wanted(self):
        return self.at_once

    def is_long(self, row):
        return row.group in self.long

    def carry_out(self, number, row, wide):
        if self.before is not None:
            self.before(row)
        self.done.append((number, row.name, wide))
        fields = self.outcomes.get(row.group, {"done": row.messages})
        return Outcome(**{"requested": row.messages, "calls": 2, "archived": []} | fields)

    @property
    def names(self):
        return [name for _, name, _ in self.done]


class Store:
    """Counts how often the progress was stored."""

    def __init__(self):
        self.value, self.saves = None, 0

    def load(self):
        return self.value

    def save(self, value):
        self.value, self.saves = json.loads(json.dumps(value)), self.saves + 1

    def clear(self):
        self.value = None


class Clock:
    """Stands still until it is moved."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(sweep_module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def move(self, seconds):
        def moved(_):
            self.now += seconds

        return moved


def failing(error):
    return {"error": error, "code": error.code, "reason": "why"}


def acting(group, through=9, **fields):
    known = {"type": "Public", "create_time": CREATED, "action": "clear", "through": through, "messages": through}
    return PlanRow(group=group, **known | fields)


def skipped(group):
    return PlanRow(group=group, skip="held")


def rooms(count):
    return [acting(f"room-{number}") for number in range(1, count + 1)]


@pytest.fixture
def open_sweep(tmp_path):
    def open_sweep(rows, actions=None, client=None, holds=(), store=None):
        writer = PlanWriter(tmp_path / "plan")
        for row in rows:
            writer.add(row)
        _, digest = writer.finish(
            chat="group" if rows[0].group is not None else "c2c",
            sdkappid=1400000000,
            base_url="https://console.tim.qq.com",
            policy={"action": "clear"},
            cut_off="2026-01-01T00:00:00+00:00",
            created=CREATED,
            run={},
            shard="1/1",
            holds=False,
            incremental=False,
        )
        plan = Plan(tmp_path / "plan", digest)
        ledger = Ledger(plan, store or Store(), tmp_path / "report", None, None)
        return Sweep(client or Service(), plan, actions or Actions(), Patterns(holds), ledger), ledger

    return open_sweep


def status(tmp_path):
    return json.loads((tmp_path / "report" / "summary.json").read_bytes())["status"]


# --- what is carried out ---


def test_every_row_is_carried_out_in_the_order_of_the_plan_and_counted(open_sweep, tmp_path):
    actions = Actions(at_once=4)
    sweep, ledger = open_sweep(rooms(9), actions)
    sweep.run()

    assert sorted(actions.done) == [(number, f"room-{number}", False) for number in range(1, 10)]
    [part] = (tmp_path / "report").glob("report-0*.jsonl")
    assert [json.loads(line)["group"] for line in part.read_bytes().splitlines()] == [
        f"room-{number}" for number in range(1, 10)
    ]
    assert (ledger.summary()["done"], ledger.summary()["calls"]) == (81, 9 * 2 + 1)
    assert (ledger.failed_rows, status(tmp_path)) == (0, "done")


def test_a_long_row_is_carried_out_by_itself_with_its_calls_side_by_side(open_sweep):
    threads = {}
    actions = Actions(long=("room-2",), before=lambda row: threads.setdefault(row.group, threading.current_thread()))
    open_sweep(rooms(3), actions)[0].run()

    assert actions.done == [(1, "room-1", False), (2, "room-2", True), (3, "room-3", False)]
    assert [threads[f"room-{number}"] is threading.main_thread() for number in (1, 2, 3)] == [False, True, False]


def test_rows_that_are_skipped_are_not_looked_at(open_sweep):
    service, actions = Service(), Actions()
    sweep, ledger = open_sweep([skipped("a"), acting("b"), skipped("c"), acting("d")], actions, service)
    sweep.run()

    assert service.asked == [["b", "d"]]
    assert actions.done == [(2, "b", False), (4, "d", False)]
    assert ledger.summary()["requested"] == 18


def test_a_plan_of_skipped_rows_alone_asks_nothing(open_sweep):
    service, actions = Service(), Actions()
    open_sweep([skipped("a"), skipped("b")], actions, service)[0].run()
    assert (service.asked, actions.done) == ([], [])


def test_a_plan_that_was_changed_is_refused_before_anything_is_asked(open_sweep, tmp_path):
    service, actions = Service(), Actions()
    sweep, _ = open_sweep(rooms(2), actions, service)
    [part] = (tmp_path / "plan").glob("rows-*.jsonl")
    part.write_bytes(part.read_bytes().replace(b'"room-2"', b'"room-3"'))

    with pytest.raises(ValueError, match=part.name):
        sweep.run()
    assert (service.asked, actions.done) == ([], [])


# --- groups that are looked at again ---


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"ErrorCode": 10010}, "not_found"),
        ({"ErrorCode": 10007}, "error_10007"),
        ({"CreateTime": CREATED + 1}, "made_anew"),
        ({"CreateTime": None}, "made_anew"),
        ({"Type": "Private"}, "type_changed"),
        ({"NextMsgSeq": 9}, "history_shrank"),
        ({"NextMsgSeq": None}, "history_shrank"),
        ({"NextMsgSeq": 10}, None),
        ({}, None),
    ],
)
def test_a_group_that_is_not_the_one_that_was_planned_is_left_alone(open_sweep, facts, reason):
    actions = Actions()
    sweep, ledger = open_sweep([acting("a"), acting("room"), acting("z")], actions, Service({"room": facts}))
    sweep.run()

    assert actions.names == (["a", "z"] if reason else ["a", "room", "z"])
    assert ledger.summary()["skipped"] == ({reason: 1} if reason else {})
    assert ledger.failed_rows == 0


def test_a_group_whose_time_nobody_knew_is_left_alone(open_sweep):
    actions = Actions()
    open_sweep([acting("room", create_time=None)], actions, Service({"room": {"CreateTime": None}}))[0].run()
    assert actions.done == []


def test_a_group_of_several_rows_is_asked_for_once_and_every_row_is_judged(open_sweep):
    service, actions = Service({"b": {"NextMsgSeq": 21}}), Actions()
    rows = [
        acting("b", through, lower=through - 10, messages=10, action="recall", ranges=f"{through - 9}-{through}")
        for through in (10, 20, 30)
    ]
    sweep, ledger = open_sweep([acting("c"), *rows, acting("a")], actions, service)
    sweep.run()

    assert service.asked == [["a", "b", "c"]]
    assert [number for number, _, _ in actions.done] == [1, 2, 3, 5]
    assert ledger.summary()["skipped"] == {"history_shrank": 1}
    assert ledger.summary()["calls"] == 4 * 2 + 1


def test_fifty_groups_are_looked_at_with_a_call(open_sweep):
    service = Service()
    sweep, ledger = open_sweep(
        [row for room in rooms(120) for row in (skipped(f"x-{room.group}"), room)], None, service
    )
    sweep.run()

    assert [len(groups) for groups in service.asked] == [50, 50, 20]
    assert service.paced == {INFO}
    assert ledger.summary()["calls"] == 120 * 2 + 3


def test_so_many_rows_are_looked_at_together_whether_they_act_or_not(open_sweep, monkeypatch):
    monkeypatch.setattr(sweep_module, "_LONGEST_BATCH", 3)
    service = Service()
    open_sweep(
        [skipped("a"), acting("b"), acting("c"), acting("d"), skipped("e"), acting("f"), acting("g")], None, service
    )[0].run()
    assert service.asked == [["b", "c"], ["d", "f"], ["g"]]


@pytest.mark.parametrize(("seconds", "looks"), [(61, [["room-1", "room-2"], ["room-2"]]), (60, [["room-1", "room-2"]])])
def test_what_was_looked_at_long_ago_is_looked_at_again(open_sweep, monkeypatch, seconds, looks):
    clock = Clock(monkeypatch)
    service, actions = Service(), Actions(before=clock.move(seconds))
    sweep, ledger = open_sweep(rooms(2), actions, service)
    sweep.run()

    assert service.asked == looks
    assert ledger.summary()["calls"] == 2 * 2 + len(looks)
    assert actions.names == ["room-1", "room-2"]


@pytest.mark.parametrize("long", [(), ("room-2",)])
def test_a_group_that_went_since_it_was_looked_at_is_left_alone(open_sweep, monkeypatch, long):
    clock = Clock(monkeypatch)
    service = Service()

    def take_long(row):
        clock.now += 61
        service.facts["room-2"] = {"ErrorCode": 10010}

    actions = Actions(before=take_long, long=long)
    sweep, ledger = open_sweep(rooms(2), actions, service)
    sweep.run()

    assert actions.names == ["room-1"]
    assert ledger.summary()["skipped"] == {"not_found": 1}


def test_a_look_that_fails_ends_the_sweep(open_sweep, tmp_path):
    actions = Actions()
    sweep, _ = open_sweep(rooms(2), actions, Service({"room-2": {"ErrorCode": 10002}}))

    with pytest.raises(TencentIMTransientError):
        sweep.run()
    assert actions.done == []
    assert status(tmp_path) == "stopped"


# --- holds ---


def pair(one, other):
    return PlanRow(pair=(one, other), action="recall", keys={one: ("1_2_3",)}, messages=1)


@pytest.mark.parametrize(
    ("holds", "left"),
    [
        (("room-2",), ["room-1", "room-3"]),
        (("*-[13]",), ["room-2"]),
        (("room", "oom-1"), ["room-1", "room-2", "room-3"]),
    ],
)
def test_a_group_that_came_on_hold_is_neither_asked_for_nor_touched(open_sweep, holds, left):
    service, actions = Service(), Actions()
    sweep, ledger = open_sweep(rooms(3), actions, service, holds)
    sweep.run()

    assert actions.names == left
    assert service.asked == [left]
    assert ledger.summary()["skipped"] == ({"held": 3 - len(left)} if len(left) < 3 else {})


@pytest.mark.parametrize(
    ("holds", "left"),
    [
        (("ann",), ["cid / dan"]),
        (("b*",), ["ann / cid", "cid / dan"]),
        (("dan", "bo"), ["ann / bob", "ann / cid"]),
    ],
)
def test_a_conversation_of_which_a_side_came_on_hold_is_not_touched(open_sweep, holds, left):
    service, actions = Service(), Actions()
    sweep, ledger = open_sweep([pair("ann", "bob"), pair("ann", "cid"), pair("cid", "dan")], actions, service, holds)
    sweep.run()

    assert actions.names == left
    assert service.asked == []
    assert ledger.summary()["skipped"] == {"held": 3 - len(left)}


def test_conversations_need_no_look_however_long_it_takes(open_sweep, monkeypatch):
    clock = Clock(monkeypatch)
    service, actions = Service(), Actions(before=clock.move(100))
    sweep, ledger = open_sweep([pair("ann", "bob"), pair("ann", "cid")], actions, service)
    sweep.run()

    assert actions.names == ["ann / bob", "ann / cid"]
    assert (service.asked, ledger.summary()["calls"]) == ([], 4)


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


def stop_the_task():
    """What Airflow's time-out does: the main thread is interrupted wherever it is."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)


@pytest.fixture
def stops(monkeypatch):
    def stop(*_):
        raise Stopped

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("where", ["a row", "a look"])
def test_a_task_that_is_stopped_cancels_what_is_under_way(open_sweep, tmp_path, stops, where):
    service, cancelled = Service(), []

    def wait(_):
        stop_the_task()
        cancelled.append(service.cancelled.wait(10))

    actions = Actions(before=wait if where == "a row" else None)
    service.before = wait if where == "a look" else None
    sweep, _ = open_sweep(rooms(1), actions, service)

    with pytest.raises(Stopped):
        sweep.run()
    assert cancelled == [True]
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
    outcomes = {row.group: {"calls": 50_000, "done": 3000} for row in rows} | {"room-02": {"requested": 0}}
    open_sweep(rows, Actions(outcomes, before=clock.move(1000)), Service(facts))[0].run()

    lines = logged(caplog)
    assert len(lines) == 30
    assert lines[:3] == [
        "Row 1 of 31: 0 groups, 0 messages, 0 calls/s, unknown left",
        "Row 3 of 31: 1 groups, 3,000 messages, 25 calls/s, about 967 min left",
        "Row 4 of 31: 2 groups, 6,000 messages, 33 calls/s, about 700 min left",
    ]
    assert lines[-1] == "Row 31 of 31: 29 groups, 87,000 messages, 48 calls/s, about 17 min left"


def test_the_log_says_that_it_does_not_know_how_long_still(open_sweep, monkeypatch, caplog):
    clock = Clock(monkeypatch)
    caplog.set_level("INFO", sweep_module.__name__)
    service = Service({f"room-{number}": {"ErrorCode": 10010} for number in range(1, 4)})
    service.before = clock.move(20)
    open_sweep(rooms(3), None, service)[0].run()

    [line] = logged(caplog)
    assert line == "Row 1 of 3: 0 groups, 0 messages, 0 calls/s, unknown left"
