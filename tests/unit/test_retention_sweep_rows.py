"""The rows of a sweep: which are left alone, and which are carried out how."""

from __future__ import annotations

import json
import threading
from functools import partial

import pytest
import retention_sweeps
from retention_sweeps import CREATED, INFO, Actions, Clock, Service, acting, pair, rooms, skipped, status

from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.retention import sweep as sweep_module


@pytest.fixture
def open_sweep(tmp_path):
    return partial(retention_sweeps.open_sweep, tmp_path)


# --- what is carried out ---


def test_every_row_is_carried_out_in_the_order_of_the_plan_and_counted(open_sweep, tmp_path):
    actions = Actions(at_once=4)
    sweep, ledger = open_sweep(rooms(9), actions)
    sweep.run()

    assert sorted(actions.done) == [(number, f"room-{number}", False) for number in range(1, 10)]
    assert reported(tmp_path) == [f"room-{number}" for number in range(1, 10)]
    assert (ledger.summary()["done"], ledger.summary()["calls"]) == (81, 9 * 2 + 1)
    assert (ledger.failed_rows, status(tmp_path)) == (0, "done")


def reported(tmp_path):
    [part] = (tmp_path / "report").glob("report-0*.jsonl")
    return [json.loads(line)["group"] for line in part.read_bytes().splitlines()]


def test_a_row_that_takes_long_keeps_its_place_before_those_that_are_done_sooner(open_sweep, tmp_path):
    others_are_done = threading.Event()

    def dawdle(row):
        if row.group == "room-1":
            assert others_are_done.wait(10)
        elif row.group == "room-4":
            others_are_done.set()

    open_sweep(rooms(9), Actions(before=dawdle, at_once=4))[0].run()
    assert reported(tmp_path) == [f"room-{number}" for number in range(1, 10)]


def test_groups_whose_look_takes_long_keep_their_place(open_sweep, tmp_path):
    service, first, others_are_known = Service(), threading.Lock(), threading.Event()

    def dawdle(_):
        if first.acquire(blocking=False):
            assert others_are_known.wait(10)
        elif len(service.asked) > 4:
            others_are_known.set()

    service.before, service.at_once = dawdle, 4
    open_sweep(rooms(300), None, service)[0].run()
    assert reported(tmp_path) == [f"room-{number}" for number in range(1, 301)]


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


@pytest.mark.parametrize("following", [None, 1])
def test_a_group_that_lost_its_only_message_is_left_alone(open_sweep, following):
    actions = Actions()
    open_sweep([acting("room", 1)], actions, Service({"room": {"NextMsgSeq": following}}))[0].run()
    assert actions.done == []


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
