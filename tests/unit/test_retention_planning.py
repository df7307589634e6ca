"""Rows of a plan, field by field: what is meant in a group, why one is left alone, and what is read to know it."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

import pytest
from retention_rooms import BEGIN, EXPIRED, HISTORY, INFO, LIST, RECALLED, Rooms, each_second, item

from airflow_provider_tencentim.client.errors import (
    TencentIMAuthError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.retention import planner
from airflow_provider_tencentim.retention.buckets import Shard, bucket_of
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import PlanRow
from airflow_provider_tencentim.retention.planner import GroupPlanner
from airflow_provider_tencentim.retention.policy import RetentionPolicy

MARKED = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "marked"}}]
GONE = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]


@pytest.fixture
def rooms():
    return Rooms()


class Done:
    """A state in which groups are done through a MsgSeq."""

    def __init__(self, **through):
        self._through = through
        self.asked = []

    def through(self, group, create_time):
        self.asked.append((group, create_time))
        return self._through.get(group, 0)


def planning(rooms, action="recall", before=BEGIN + 1000, *, holds=(), state=None, shard=None, **keys):
    if "groups" not in keys:
        keys["all_groups"] = True
    if action.startswith("redact"):
        keys["replacement"] = "gone"
    policy = RetentionPolicy.parse({"action": action, "before": datetime.fromtimestamp(before, UTC), **keys})
    return GroupPlanner(rooms, policy, Patterns(holds), state, shard)


def planned(rooms, *args, **keys):
    return list(planning(rooms, *args, **keys).rows())


def looked_up(rooms):
    return [group for command, body in rooms.sent if command == INFO for group in body["GroupIdList"]]


# --- what is meant ---


def row_of_room(**fields):
    return PlanRow(group="room", type="Public", create_time=BEGIN, **fields)


@pytest.mark.parametrize("lower", [0, 10])
@pytest.mark.parametrize("action", ["recall", "redact", "redact_and_recall"])
def test_a_row_names_each_message_that_is_meant_and_their_times(rooms, action, lower):
    items = each_second(1, 60)
    del items[20]
    items |= {15: item(BEGIN + 15, EXPIRED), 16: item(BEGIN + 16, RECALLED), 17: item(BEGIN + 17, system=True)}
    items |= {1: item(BEGIN + 1, EXPIRED), 11: item(BEGIN + 11, EXPIRED), 40: item(BEGIN + 40, RECALLED)}
    rooms.add("room", items)

    assert planned(rooms, action, BEGIN + 41, state=Done(room=lower)) == [
        row_of_room(
            action=action,
            through=40,
            lower=lower,
            ranges="12-14, 18-19, 21-39" if lower else "2-10, 12-14, 18-19, 21-39",
            messages=24 if lower else 33,
            oldest=BEGIN + (12 if lower else 2),
            newest=BEGIN + 39,
        )
    ]


@pytest.mark.parametrize("lower", [0, 10])
def test_a_row_of_a_clear_takes_all_through_the_cut_off(rooms, lower):
    rooms.add("room", each_second(1, 60))

    assert planned(rooms, "clear", BEGIN + 41, state=Done(room=lower)) == [
        row_of_room(
            action="clear",
            through=40,
            lower=lower,
            messages=40 - lower,
            oldest=BEGIN + max(min(rooms.reads()) - 19, lower + 1),
            newest=BEGIN + 40,
        )
    ]


def test_an_overwrite_leaves_out_what_is_overwritten_already(rooms):
    items = each_second(1, 6) | {seq: item(BEGIN + seq, MsgBody=GONE) for seq in (2, 5)}
    rooms.add("room", items)

    assert [row.ranges for row in planned(rooms, "redact")] == ["1, 3-4, 6"]
    assert [row.ranges for row in planned(rooms, "redact_and_recall")] == ["1-6"]
    assert [row.ranges for row in planned(rooms, "recall")] == ["1-6"]


def test_only_messages_of_the_senders_and_texts_are_named(rooms):
    items = each_second(1, 6)
    items |= {seq: item(BEGIN + seq, MsgBody=MARKED) for seq in (2, 3)}
    items[3]["From_Account"] = items[4]["From_Account"] = "bob"
    rooms.add("room", items)

    assert [row.ranges for row in planned(rooms, from_accounts=["bob"])] == ["3-4"]
    assert [row.ranges for row in planned(rooms, text_matches=["mark"])] == ["2-3"]
    assert [row.ranges for row in planned(rooms, text_matches=["mark"], from_accounts=["bob"])] == ["3"]


def test_what_lies_below_the_last_older_message_is_meant_unless_its_own_time_says_otherwise(rooms):
    items = each_second(1, 30) | {4: item(None), 5: item(BEGIN + 20), 6: item(BEGIN + 21), 7: item(BEGIN + 22)}
    rooms.add("room", items)

    assert [(row.through, row.ranges) for row in planned(rooms, before=BEGIN + 21)] == [(20, "1-5, 8-20")]


def test_messages_that_show_no_time_have_none_in_the_row(rooms):
    rooms.add("room", {1: item(None), 2: item(BEGIN + 2, EXPIRED), 3: item(BEGIN + 5000)})

    (row,) = planned(rooms)
    assert (row.ranges, row.messages, row.through, row.oldest, row.newest) == ("1", 1, 2, None, None)


def test_very_many_ranges_make_rows_that_follow_one_another(rooms, monkeypatch):
    monkeypatch.setattr(planner, "_RANGES_PER_ROW", 3)
    items = each_second(1, 14)
    for seq in (3, 5, 8, 10, 14):
        items[seq] = item(BEGIN + seq, EXPIRED)
    rooms.add("room", items)
    common = {"action": "recall", "oldest": BEGIN + 1, "newest": BEGIN + 13}

    assert planned(rooms) == [
        row_of_room(through=7, ranges="1-2, 4, 6-7", messages=5, **common),
        row_of_room(lower=7, through=14, ranges="9, 11-13", messages=4, **common),
    ]


def test_the_times_of_a_row_are_the_oldest_and_the_newest_whatever_their_order(rooms):
    rooms.add("room", {1: item(BEGIN + 5), 2: item(BEGIN + 2), 3: item(BEGIN + 9), 4: item(BEGIN + 7)})

    assert planned(rooms, before=BEGIN + 50) == [
        PlanRow(
            group="room",
            type="Public",
            create_time=BEGIN + 1,
            action="recall",
            through=4,
            ranges="1-4",
            messages=4,
            oldest=BEGIN + 2,
            newest=BEGIN + 9,
        )
    ]


def test_a_search_begins_near_the_cut_off_and_not_at_the_newest_message(rooms):
    rooms.add("room", each_second(1, 3000))

    assert [row.through for row in planned(rooms, "clear", BEGIN + 1500)] == [1499]
    assert len(rooms.reads()) == 1
    assert 1499 < rooms.reads()[0] < 1520


# --- the newest messages stay ---


@pytest.mark.parametrize(
    ("keep_last", "through"), [(1, 39), (2, 38), (3, 37), (4, 34), (5, 33), (20, 18), (37, 1), (38, None), (1000, None)]
)
def test_so_many_of_the_newest_that_members_see_stay(rooms, keep_last, through):
    items = each_second(1, 40) | {36: item(BEGIN + 36, RECALLED), 37: item(BEGIN + 37, system=True)}
    rooms.add("room", items)

    for action in ("clear", "recall"):
        (row,) = planned(rooms, action, keep_last=keep_last)
        if through is None:
            assert row == row_of_room(skip="kept")
        else:
            assert (row.action, row.through) == (action, through)


def test_what_stays_is_counted_from_the_newest_message_and_not_from_the_cut_off(rooms):
    rooms.add("room", each_second(1, 40))

    for keep_last, through in ((10, 30), (9, 30), (11, 29), (12, 28)):
        (row,) = planned(rooms, "clear", BEGIN + 31, keep_last=keep_last)
        assert (row.through, row.newest) == (through, BEGIN + through)


def test_the_last_one_below_those_that_stay_shows_a_time_that_is_older(rooms):
    items = each_second(1, 30)
    items |= {seq: item(None, EXPIRED) for seq in (25, 26, 22, 23)}
    items |= {21: item(BEGIN + 21), 20: item(None)}
    rooms.add("room", items)

    for keep_last, through in ((3, 27), (4, 24), (5, 21), (6, 19)):
        (row,) = planned(rooms, "clear", BEGIN + 28, keep_last=keep_last)
        assert (row.through, row.newest) == (through, BEGIN + through)


def test_a_message_that_is_not_older_never_ends_what_goes(rooms):
    rooms.add("room", each_second(1, 30) | {5: item(BEGIN + 20), 6: item(BEGIN + 21), 7: item(BEGIN + 22)})

    for keep_last, through in ((22, 8), (23, 5), (24, 5), (25, 5), (26, 4)):
        (row,) = planned(rooms, "clear", BEGIN + 21, keep_last=keep_last)
        assert (row.through, row.newest) == (through, BEGIN + (20 if through == 5 else through))


def test_the_oldest_time_of_a_row_is_the_oldest_that_was_read_in_any_way(rooms):
    rooms.add("room", each_second(1, 100))

    (row,) = planned(rooms, "clear", keep_last=50)
    assert rooms.reads() == [100, 100, 80, 60]
    assert (row.through, row.newest, row.oldest) == (50, BEGIN + 50, BEGIN + 50)
    (row,) = planned(rooms, "clear", keep_last=5)
    assert (row.through, row.newest, row.oldest) == (95, BEGIN + 95, BEGIN + 81)


def test_what_earlier_runs_did_is_not_read_again_to_find_what_stays(rooms):
    rooms.add("room", each_second(1, 200))

    assert planned(rooms, "clear", keep_last=150, state=Done(room=100)) == [row_of_room(skip="kept")]
    assert min(rooms.reads()) > 100


# --- why a group is left alone ---


def test_a_group_that_needs_no_read_says_why(rooms):
    old = each_second(1, 5)
    rooms.add("a-type", old, Type="Private")
    rooms.add("b-live", old, Type="AVChatRoom")
    rooms.add("c-community", old, Type="Community")
    rooms.add("d-no-birth", old, CreateTime=None)
    rooms.add("e-no-end", old, NextMsgSeq=None)
    rooms.add("f-empty", {})
    rooms.add("g-younger", old, CreateTime=BEGIN + 1000)
    rooms.add("h-held", old)
    rooms.add("i-excluded", old)
    rooms.fail(INFO, "k-refused", 10007)
    rooms.add("l-done", old)
    names = [*rooms.infos, "j-gone", "k-refused"]

    rows = planned(
        rooms,
        "clear",
        groups=names,
        group_types=["Public", "AVChatRoom", "Community"],
        holds=["h-*"],
        exclude_groups=["i-*", "h-held"],
        state=Done(**{"l-done": 5}),
    )

    known = {"type": "Public", "create_time": BEGIN}
    assert sorted(rows, key=lambda row: row.group) == [
        PlanRow(group="a-type", type="Private", create_time=BEGIN, skip="group_type"),
        PlanRow(group="b-live", type="AVChatRoom", create_time=BEGIN, skip="no_history"),
        PlanRow(group="c-community", type="Community", create_time=BEGIN, skip="cannot_be_cleared"),
        PlanRow(group="d-no-birth", type="Public", skip="profile_incomplete"),
        PlanRow(group="e-no-end", skip="profile_incomplete", **known),
        PlanRow(group="f-empty", type="Public", create_time=BEGIN - 1, skip="empty"),
        PlanRow(group="g-younger", type="Public", create_time=BEGIN + 1000, skip="nothing_older"),
        PlanRow(group="h-held", skip="held"),
        PlanRow(group="i-excluded", skip="excluded"),
        PlanRow(group="j-gone", skip="not_found"),
        PlanRow(group="k-refused", skip="error_10007"),
        PlanRow(group="l-done", skip="nothing_new", **known),
    ]
    assert rooms.reads() == []
    assert sorted(looked_up(rooms)) == sorted({*names} - {"h-held", "i-excluded"})


def test_a_community_is_recalled_and_a_group_of_the_last_older_second_is_read(rooms):
    rooms.add("community", each_second(1, 5), Type="Community")
    rooms.add("young", {1: item(BEGIN + 999)}, CreateTime=BEGIN + 999)

    assert {row.group: row.ranges for row in planned(rooms)} == {"community": "1-5", "young": "1"}


@pytest.mark.parametrize(
    ("done", "reason"), [(0, "nothing_older"), (4, "nothing_new")], ids=["never planned", "planned before"]
)
def test_a_group_in_which_nothing_is_older_says_whether_anything_ever_was(rooms, done, reason):
    rooms.add("room", {seq: item(BEGIN + 500 * seq) for seq in range(1, 10)}, CreateTime=BEGIN)

    before = BEGIN + 500 * (done + 1)
    assert planned(rooms, before=before, state=Done(room=done)) == [row_of_room(skip=reason)]
    assert rooms.reads()


def test_a_group_that_is_done_through_all_but_its_newest_message_is_read(rooms):
    rooms.add("room", each_second(1, 9))
    state = Done(room=8)

    assert [(row.lower, row.ranges) for row in planned(rooms, state=state)] == [(8, "9")]
    assert state.asked == [("room", BEGIN)]


def test_a_row_in_which_nothing_matches_says_how_far_was_looked(rooms):
    rooms.add("room", each_second(1, 60))

    for lower, oldest in ((30, 41), (50, 51)):
        rows = planned(rooms, from_accounts=["zoe"], state=Done(room=lower))
        assert rows == [
            row_of_room(skip="nothing_matches", through=60, lower=lower, oldest=BEGIN + oldest, newest=BEGIN + 60)
        ]


def test_a_large_group_whose_times_fall_is_left_alone(rooms):
    rooms.add("room", each_second(1, 3000) | {2995: item(BEGIN + 1)})

    assert planned(rooms, before=BEGIN + 2999) == [row_of_room(skip="out_of_order")]


def test_an_override_decides_for_the_groups_that_it_names(rooms):
    for name in ("a", "b", "c"):
        rooms.add(name, each_second(1, 5))

    rows = planned(
        rooms,
        "clear",
        overrides=[{"groups": ["b"], "action": "recall", "keep_last": 2}, {"groups": ["c"], "exclude_groups": ["c"]}],
    )
    assert {row.group: (row.action, row.ranges, row.through, row.skip) for row in rows} == {
        "a": ("clear", None, 5, None),
        "b": ("recall", "1-3", 3, None),
        "c": (None, None, 0, "excluded"),
    }


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
    assert sorted(looked_up(rooms)) == sorted(names)


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
    for name in ("a", "b", "c", "d"):
        rooms.add(name, each_second(1, 5))
    order = sorted(rooms.infos, key=lambda name: (bucket_of(name), name))
    wait_for(
        rooms,
        lambda command, body: command == HISTORY and body["GroupId"] == order[0],
        lambda command, body: command == HISTORY and body["GroupId"] == order[2],
    )

    assert [row.group for row in planned(rooms)] == order


def test_profiles_that_take_long_hold_up_no_others_and_still_come_first(rooms):
    names = sorted((f"room-{number}" for number in range(120)), key=lambda name: (bucket_of(name), name))
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
