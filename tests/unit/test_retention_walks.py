"""Walks through a history, windows and pages of it, past gaps and whatever else is missing."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from retention_rooms import BEGIN, Room, item

from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.retention.history import Entry, GroupHistory

READINGS = ("seqs", "shown")


def walked(room, newest, lower=0):
    history = GroupHistory(room, "room")
    narrow = [entry.seq for entry in history.walk(newest, lower)]
    assert [entry.seq for entry in history.walk_wide(newest, lower, room.cancel)] == narrow
    return narrow


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(1, 130), st.one_of(st.integers(0, 40), st.integers(0, 1000))), max_size=8),
    first=st.integers(1, 900),
    reading=st.sampled_from(READINGS),
    cut=st.sampled_from([0.0, 0.3]),
    lower=st.integers(0, 2000),
    hole=st.sampled_from([0, 0, 0, 1500, 3_000_000]),
)
def test_a_walk_yields_all_there_is_past_gaps(parts, first, reading, cut, lower, hole):
    seqs, seq = list(range(1, 21)) if hole else [], first
    for length, gap in parts:
        seqs += range(seq, seq + length)
        seq += length + gap
    seqs += range(seq + hole, seq + hole + 50)
    items = {seq: item(BEGIN) for seq in seqs}

    expected = sorted((seq for seq in items if seq > lower), reverse=True)
    # A short block in the middle of nowhere is not to be found.
    assume(not hole or reading == "shown" or not expected[50:] or expected[-1] <= lower + 20)
    assert walked(Room(items, reading, cut), max(items), lower) == expected


@pytest.mark.parametrize("gap", [980, 999, 1000])
def test_a_gap_of_a_thousand_within_what_a_huge_gap_cut_off_is_no_end(gap):
    seqs, seq = [], 1
    for length in (50, 3, 1, 700, 2, 9, 30):
        seqs += range(seq, seq + length)
        seq += length + gap
    seqs += range(3_000_000, 3_000_100)

    assert walked(Room({seq: item(BEGIN) for seq in seqs}), 3_000_099) == seqs[::-1]


@pytest.mark.parametrize("reading", READINGS)
def test_a_history_that_begins_far_above_one_is_walked_in_few_reads(reading):
    room = Room({seq: item(BEGIN) for seq in range(3_000_000, 3_000_100)}, reading)
    walk = GroupHistory(room, "room").walk(3_000_099, 0)

    assert [entry.seq for entry in walk] == list(range(3_000_099, 2_999_999, -1))
    assert len(room.asked) <= 5 + 50 + math.log2(3_000_000)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("cut", [0.0, 0.5])
def test_a_window_is_read_whole(reading, cut):
    items = {seq: item(BEGIN) for seq in range(1, 200) if seq % 7}
    for low in range(1, 180):
        window = GroupHistory(Room(items, reading, cut), "room").window(low, low + 19)
        assert [entry.seq for entry in window] == [seq for seq in range(low + 19, low - 1, -1) if seq % 7]


def test_nothing_is_walked_where_nothing_is_wanted():
    room = Room({1: item(BEGIN)})
    assert walked(room, 5, 5) == walked(room, 0) == []
    assert room.asked == []


# --- pages ---


class Answers(GroupCommands):
    def __init__(self, *shown, **answer):
        self.answer = {"IsFinished": 1, "RspMsgList": list(shown), **answer}

    def call(self, command, body, *, tries=3):
        self.body = body
        return self.answer

    def cancel(self):
        """Never called."""


def at(*seqs):
    return [{"MsgSeq": seq} for seq in seqs]


@pytest.mark.parametrize(
    ("shown", "finished", "low"),
    [
        ((100, 99), 1, 81),
        ((100, 99), 2, 81),
        ((100, 99), 0, 99),
        ((100, 99), None, 99),
        ((100, 40), 1, 40),
        ((100, 40), 0, 40),
        ((), 0, 81),
    ],
)
def test_a_page_covers_what_it_tells_of(shown, finished, low):
    page = GroupHistory(Answers(*at(*shown), IsFinished=finished), "room").page(100)
    assert ([entry.seq for entry in page.entries], page.low, page.high) == (list(shown), low, 100)


def test_an_entry_is_what_the_history_shows():
    client = Answers(
        {
            "MsgSeq": 9,
            "MsgTimeStamp": 5,
            "IsPlaceMsg": 0,
            "From_Account": "ann",
            "MsgBody": [{}],
            "MsgRandom": 3,
            "CloudCustomData": "x",
        },
        {"MsgSeq": 8, "MsgTimeStamp": 0, "IsPlaceMsg": 1, "MsgBody": None},
        {"MsgSeq": 7, "MsgTimeStamp": "4", "IsSystemMsg": 1, "MsgBody": {"OpType": 1}},
        {"MsgSeq": 6, "MsgTimeStamp": True, "IsPlaceMsg": 2},
    )
    message, expired, tip, recalled = GroupHistory(client, "room", "topic").page(9, 4).entries

    assert message == Entry(9, 5, 0, False, "ann", [{}], "x", 3)
    assert expired == Entry(8, None, 1, False, "", [], None, None)
    assert (tip.system, tip.time, tip.body) == (True, None, {"OpType": 1})
    assert (recalled.place, recalled.time) == (2, None)
    assert [entry.is_message for entry in (message, expired, tip, recalled)] == [True, False, False, False]
    assert client.body == {
        "GroupId": "room",
        "TopicId": "topic",
        "ReqMsgSeq": 9,
        "ReqMsgNumber": 4,
        "WithRecalledMsg": 1,
    }


@pytest.mark.parametrize(
    "shown",
    [
        at(3, 4),
        at(5, 5),
        at(10),
        at(3, 0),
        at(True),
        at("5"),
        [{}],
        ["no object"],
        [{"MsgSeq": 5, "IsPlaceMsg": "1"}],
        [{"MsgSeq": 5, "IsSystemMsg": [1]}],
        [{"MsgSeq": 5, "From_Account": 1}],
        [{"MsgSeq": 5, "MsgBody": "secret"}],
        [{"MsgSeq": 5, "CloudCustomData": {"secret": 1}}],
        [{"MsgSeq": 5, "MsgRandom": "secret"}],
    ],
)
def test_a_page_that_makes_no_sense_is_an_error_that_shows_nothing_of_it(shown):
    with pytest.raises(TencentIMTransientError) as raised:
        GroupHistory(Answers(*shown), "room").page(9)
    assert "secret" not in str(raised.value)
