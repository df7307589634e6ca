"""Rows of a plan, field by field: what is meant in a group, and why one is left alone."""

from __future__ import annotations

import pytest
from retention_rooms import (
    BEGIN,
    EXPIRED,
    INFO,
    RECALLED,
    Done,
    Rooms,
    each_second,
    item,
    planned,
    row_of_room,
)

from airflow_provider_tencentim.retention import planner
from airflow_provider_tencentim.retention.plan import PlanRow

MARKED = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "marked"}}]
GONE = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]


@pytest.fixture
def rooms():
    return Rooms()


# --- what is meant ---


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
    assert sorted(rooms.looked_up()) == sorted({*names} - {"h-held", "i-excluded"})


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
