"""Which groups a plan is made of, what is read for it, and what ends it."""

from __future__ import annotations

import logging
import threading

import pytest
from retention_rooms import BEGIN, HISTORY, INFO, LIST, Done, Rooms, each_second, item, planned, planning, row_of_room

from airflow_provider_tencentim.client.errors import TencentIMAuthError, TencentIMTransientError
from airflow_provider_tencentim.retention import planner
from airflow_provider_tencentim.retention.buckets import Shard, bucket_of
from airflow_provider_tencentim.retention.plan import PlanRow


@pytest.fixture
def rooms():
    return Rooms()


# --- which groups there are ---


def test_groups_come_once_each_bucket_by_bucket_and_sorted_within_one(rooms):
    names = [f"room-{number}" for number in range(600)]
    for name in names:
        rooms.add(name)
    planning_ = planning(rooms, groups=["room-7", "gone", "room-*"])

    rows = list(planning_.rows())
    assert [row.group for row in rows] == sorted([*names, "gone"], key=lambda name: (bucket_of(name), name))
    assert planning_.listed == 602


def test_only_the_groups_of_the_shard_are_asked_for(rooms):
    for number in range(60):
        rooms.add(f"room-{number}")
    shard = Shard(2, 3)

    rows = planned(rooms, shard=shard)
    names = [name for name in rooms.infos if shard.holds(bucket_of(name))]
    assert 5 < len(names) < 60
    assert sorted(row.group for row in rows) == sorted(names)
    assert sorted(rooms.looked_up()) == sorted(names)


def test_the_list_is_asked_for_by_type_when_types_are_named(rooms):
    rooms.add("a", Type="Public")
    rooms.add("b", Type="Private")
    rooms.add("c", Type="ChatRoom")

    assert sorted(row.group for row in planned(rooms, group_types=["Public", "ChatRoom"])) == ["a", "c"]
    asked = [body.get("GroupType") for command, body in rooms.sent if command == LIST]
    assert sorted(asked) == ["ChatRoom", "Public"]


@pytest.mark.parametrize(
    ("keys", "lists"), [({"groups": ["a"]}, 0), ({"groups": ["a*"]}, 1), ({"all_groups": True}, 1)]
)
def test_the_list_of_all_groups_is_read_only_when_ids_do_not_say_it_all(rooms, keys, lists):
    rooms.add("a", each_second(1, 2))

    assert [row.ranges for row in planned(rooms, **keys)] == ["1-2"]
    assert [command for command, _ in rooms.sent].count(LIST) == lists


@pytest.mark.parametrize("group", ["x" * 49, "a\nb", "\u5bc6"])
def test_an_id_in_the_list_that_is_none_is_an_error_that_names_it(rooms, group):
    rooms.add(group)

    with pytest.raises(TencentIMTransientError, match="no id as its GroupId") as raised:
        planned(rooms)
    assert raised.value.command == LIST


def test_an_id_of_48_bytes_is_one(rooms):
    rooms.add("x" * 48, each_second(1, 2))

    assert [row.ranges for row in planned(rooms)] == ["1-2"]


def test_profiles_are_asked_for_fifty_at_a_time(rooms):
    for number in range(120):
        rooms.add(f"room-{number}")
    planned(rooms)

    assert [len(body["GroupIdList"]) for command, body in rooms.sent if command == INFO] == [50, 50, 20]


# --- errors ---


@pytest.mark.parametrize("action", ["clear", "recall"])
@pytest.mark.parametrize("length", [5, 1500], ids=["short", "long"])
@pytest.mark.parametrize(("code", "reason"), [(10010, "not_found"), (10007, "error_10007")])
def test_a_group_whose_history_is_refused_is_left_alone_and_the_others_are_not(rooms, action, length, code, reason):
    rooms.add("room", each_second(1, length))
    rooms.add("other", each_second(1, 5))
    rooms.fail(HISTORY, "room", code)

    rows = {row.group: row for row in planned(rooms, action, BEGIN + 5000)}
    assert rows["room"] == row_of_room(skip=reason)
    assert rows["other"].action == action


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_long_history_that_is_refused_midway_leaves_the_group_alone(rooms, at):
    rooms.add("room", each_second(1, 1500))

    def refuse(command, body):
        if len(rooms.reads()) >= at:
            rooms.fail(HISTORY, "room", 10010)

    rooms.before = refuse
    assert planned(rooms, before=BEGIN + 5000) == [row_of_room(skip="not_found")]


@pytest.mark.parametrize("length", [5, 1500], ids=["short", "long"])
@pytest.mark.parametrize(("code", "error"), [(10002, TencentIMTransientError), (70009, TencentIMAuthError)])
def test_a_refusal_that_says_nothing_of_the_group_ends_the_plan(rooms, length, code, error):
    rooms.add("room", each_second(1, length))
    rooms.fail(HISTORY, "room", code)

    with pytest.raises(error) as raised:
        planned(rooms, before=BEGIN + 5000)
    assert raised.value.code == code


def test_large_gaps_at_the_cut_off_are_told_of_in_the_log(rooms, caplog):
    rooms.add("room", each_second(1, 500) | {seq + 30_000: item(BEGIN + seq) for seq in range(501, 1000)})

    with caplog.at_level(logging.WARNING, planner.__name__):
        (row,) = planned(rooms, before=BEGIN + 501)
    (told,) = caplog.messages
    assert row.through == 500
    assert told.startswith("Group room: ")
    assert 1000 < int(told.removeprefix("Group room: ").split()[0]) <= 30_000


# --- side by side ---


def wait_for(rooms, first, then):
    """Hold up the first of two calls until the other came as well."""
    came = threading.Event()

    def before(command, body):
        if then(command, body):
            came.set()
        elif first(command, body):
            assert came.wait(5)

    rooms.before = before


def test_a_group_that_takes_long_holds_up_no_other_and_still_comes_first(rooms):
    for number in range(12):
        rooms.add(f"room-{number}", each_second(1, 5))
    order = sorted(rooms.infos, key=lambda name: (bucket_of(name), name))
    wait_for(
        rooms,
        lambda command, body: command == HISTORY and body["GroupId"] == order[0],
        lambda command, body: command == HISTORY and body["GroupId"] == order[-1],
    )

    assert [row.group for row in planned(rooms)] == order


def test_profiles_that_take_long_hold_up_no_others_and_still_come_first(rooms):
    names = sorted((f"room-{number}" for number in range(600)), key=lambda name: (bucket_of(name), name))
    for name in names:
        rooms.add(name)
    wait_for(
        rooms,
        lambda command, body: command == INFO and names[0] in body["GroupIdList"],
        lambda command, body: command == INFO and names[-1] in body["GroupIdList"],
    )

    assert [row.group for row in planned(rooms)] == names


def test_pages_of_a_long_history_are_read_side_by_side(rooms):
    rooms.add("room", each_second(1, 3000))
    wait_for(
        rooms,
        lambda command, body: command == HISTORY and rooms.reads().count(3000) == 2 and body["ReqMsgSeq"] == 3000,
        lambda command, body: command == HISTORY and body["ReqMsgSeq"] == 2960,
    )

    assert [row.ranges for row in planned(rooms, before=BEGIN + 5000)] == ["1-3000"]


@pytest.mark.parametrize(
    ("newest", "done", "alone"), [(1000, 0, True), (1001, 0, False), (1500, 500, True), (1501, 500, False)]
)
def test_up_to_a_thousand_messages_are_read_page_by_page_beside_those_of_other_groups(rooms, newest, done, alone):
    rooms.add("room", each_second(1, newest))
    threads = set()

    def note(command, body):
        if command == HISTORY:
            threads.add(threading.get_ident())

    rooms.before = note
    (row,) = planned(rooms, before=BEGIN + 5000, state=Done(room=done))
    assert row.ranges == f"{done + 1}-{newest}"
    assert (len(threads) == 1) is alone


def test_as_many_are_read_at_once_as_the_pace_of_each_command_wants(rooms):
    rooms.add("room", each_second(1, 5))
    planned(rooms)

    assert rooms.paced_by == {INFO, HISTORY}


class Stopped(BaseException):
    """What stops a task from outside."""


@pytest.mark.parametrize("length", [0, 1500])
def test_a_plan_that_is_stopped_from_outside_ends_its_reads(rooms, length):
    def stop(command, body):
        if command == LIST:
            raise Stopped

    rooms.add("room", each_second(1, length))
    rooms.before = stop
    with pytest.raises(Stopped):
        planned(rooms)
    assert rooms.cancelled.is_set()


def test_a_long_history_that_is_stopped_from_outside_ends_its_reads(rooms, monkeypatch):
    rooms.add("room", each_second(1, 3000))

    def wanted(command):
        if rooms.reads().count(3000) > 1:
            raise Stopped
        return 16

    monkeypatch.setattr(rooms, "in_flight_wanted", wanted)
    with pytest.raises(Stopped):
        planned(rooms, before=BEGIN + 5000)
    assert rooms.cancelled.is_set()


def test_a_group_that_cannot_be_looked_up_ends_the_plan(rooms):
    rooms.add("room")
    rooms.fail(INFO, "room", 10002)

    with pytest.raises(TencentIMTransientError, match="told"):
        planned(rooms)
    rooms.fail(INFO, "room", 10010)
    assert planned(rooms) == [PlanRow(group="room", skip="not_found")]
