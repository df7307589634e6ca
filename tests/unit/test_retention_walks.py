"""Walks through a history, windows and pages of it, past gaps and whatever else is missing."""

from __future__ import annotations

import math
import threading
from itertools import islice

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from retention_rooms import BEGIN, HISTORY, Room, item

from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.retention.history import LATEST, Entry, GroupHistory, _Windows

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


DOWN = (4320, 4300, 4280, 4240, 4160, 4000, 3680, 3040)
OLDEST = range(300, 0, -20)
AGAIN = (3010, 2990, 2970, 2930, 2850, 2690, 2370, 1730, 450, 20, 1505, 753, 377, 189, 95, 48, 53, 32)
LEAPS = {
    # What there is, from where to where it is walked, and the reads behind the fifty that find nothing.
    "as large as is read": ([(1, 30), (1031, 1050)], 1050, 0, [50, 30, 30, 10]),
    "larger": ([(1, 30), (1091, 1110)], 1110, 0, [110, 90, 70, 30, 60, 35, 50, 70, 90, 30, 10]),
    "much larger": (
        [(1, 300), (5301, 5320)],
        5320,
        0,
        [*DOWN, 1760, 20, 2160, 1080, 540, 270, 395, 323, 287, 295, 299, 301, 302, *range(320, 1321, 20), *OLDEST],
    ),
    "with an end among the older ones": (
        [(1, 300), (5301, 5320)],
        5320,
        250,
        [*DOWN, 1760, 270, 2285, 1268, 759, 505, 378, 314, 329, 305, *range(320, 1321, 20), 300, 280, 260],
    ),
    "with an end within it": (
        [(1, 300), (5301, 5320)],
        5320,
        2000,
        [*DOWN, 2020],
    ),
    "with another among the older ones": (
        [(1, 30), (500, 510), (4000, 4010)],
        4010,
        0,
        [*AGAIN, *range(50, 511, 20), 1750, 1120, 805, 648, 569, 530, *range(530, 1531, 20), *range(510, 0, -20)],
    ),
    "with an end just behind the fifty": ([(1, 300), (5301, 5320)], 5320, 4290, [4320, 4300]),
    "with an end at the fifty": ([(1, 300), (5301, 5320)], 5320, 4300, [4320]),
    "with one message just above the end": (
        [(4280, 4280), (5301, 5320)],
        5320,
        4279,
        [4320, 4300, 4280, 4290, 4300, 4280],
    ),
    "with one message near the end": (
        [(4260, 4260), (5301, 5320)],
        5320,
        4250,
        [4320, 4300, 4280, 4260, 4280, 4280, 4300, 4260],
    ),
    "that ends where the fifty do": ([(1, 50), (1051, 1070)], 1070, 0, [70, 50, 50, 30, 10]),
    "without an end": (
        [(60_001, 60_020)],
        60_020,
        0,
        [59020, 59000, 58980, 58940, 58860, 58700, 58380, 57740, 56460, 53900, 48780, 38540, 18060, 20],
    ),
}


def spans(*ends):
    return {seq: item(BEGIN) for first, last in ends for seq in range(first, last + 1)}


@pytest.mark.parametrize("wide", [False, True], ids=["page by page", "as a long history"])
@pytest.mark.parametrize("name", LEAPS)
def test_a_large_gap_is_leapt_over_and_its_other_end_is_searched(name, wide):
    ends, newest, lower, leaps = LEAPS[name]
    room = Room(spans(*ends))
    room.in_flight_wanted = lambda command: 1
    history = GroupHistory(room, "room")
    walk = history.walk_wide(newest, lower, room.cancel) if wide else history.walk(newest, lower)

    assert [entry.seq for entry in walk] == sorted((seq for seq in room.items if seq > lower), reverse=True)
    assert room.asked == [*range(newest, newest - 1000, -20), *leaps]


@pytest.mark.parametrize("newest", [1000, 1020])
@pytest.mark.parametrize("wide", [False, True], ids=["page by page", "as a long history"])
def test_a_gap_of_forty_nine_pages_is_read(newest, wide):
    room = Room(spans((1, 20), (1001, 1020)) if newest == 1020 else spans((1, 20)))
    room.in_flight_wanted = lambda command: 1
    history = GroupHistory(room, "room")
    walk = history.walk_wide(newest, 0, room.cancel) if wide else history.walk(newest)

    assert [entry.seq for entry in walk] == sorted(room.items, reverse=True)
    assert room.asked == list(range(newest, 0, -20))


def test_a_walk_over_many_gaps_begins_to_count_anew_behind_each():
    room = Room(spans((1, 20), (1001, 1020), (2001, 2020)))
    found = [entry.seq for entry in GroupHistory(room, "room").walk(2020)]

    assert found == sorted(room.items, reverse=True)
    assert room.asked == list(range(2020, 0, -20))


class Stopped(BaseException):
    """What stops a task from outside."""


def test_a_walk_of_a_long_history_keeps_the_pace_and_ends_its_reads_when_it_is_stopped():
    room, paced, stopped = Room(spans((1, 500))), [], []

    def wanted(command):
        paced.append(command)
        if len(paced) > 3:
            raise Stopped
        return 4

    room.in_flight_wanted = wanted
    with pytest.raises(Stopped):
        list(GroupHistory(room, "room").walk_wide(500, 0, lambda: stopped.append(True)))
    assert set(paced) == {HISTORY}
    assert stopped == [True]


def test_a_page_that_takes_long_holds_up_no_others_and_still_comes_first():
    room, came = Room(spans((1, 400))), threading.Event()
    answer = room.call

    def call(command, body, **options):
        if body["ReqMsgSeq"] == 40:
            came.set()
        elif body["ReqMsgSeq"] == 400:
            assert came.wait(5)
        return answer(command, body, **options)

    room.call = call
    found = [entry.seq for entry in GroupHistory(room, "room").walk_wide(400, 0, room.cancel)]
    assert found == list(range(400, 0, -1))


def test_a_walk_of_a_long_history_stops_asking_in_a_gap():
    room = Room(spans((1, 20), (200_001, 200_020)))
    found = [entry.seq for entry in GroupHistory(room, "room").walk_wide(200_020, 0, room.cancel)]

    assert found == sorted(room.items, reverse=True)
    assert len(room.asked) < 300


def test_windows_are_pages_that_end_where_they_should_and_can_be_stopped():
    assert list(islice(_Windows(50, 7), 9)) == [(31, 50), (11, 30), (8, 10)]
    assert list(islice(_Windows(47, 7), 9)) == [(28, 47), (8, 27)]
    assert list(islice(_Windows(7, 7), 9)) == []
    windows = _Windows(1000, 0)
    taken = iter(windows)
    assert [next(taken), next(taken)] == [(981, 1000), (961, 980)]
    windows.stop()
    assert next(taken, None) is None


def test_a_window_asks_for_no_more_than_what_is_left_of_it():
    room, asked = Room(spans((1, 100))), []
    history = GroupHistory(room, "room")

    def page(at, number):
        asked.append((at, number))
        return GroupHistory(room, "room").page(at, number)

    history.page = page
    for low, high in ((81, 100), (50, 53), (7, 7), (41, 70), (9, 8)):
        assert [entry.seq for entry in history.window(low, high)] == list(range(high, low - 1, -1))
    assert asked == [(100, 20), (53, 4), (7, 1), (70, 20), (50, 10)]


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


@pytest.mark.parametrize(("at_", "number", "low"), [(100, 20, 81), (20, 20, 1), (21, 20, 2), (5, 20, 1), (10, 4, 7)])
def test_a_page_without_messages_tells_of_as_many_seqs_as_were_asked_for(at_, number, low):
    client = Answers()
    page = GroupHistory(client, "room").page(at_, number)

    assert (page.entries, page.low, page.high) == ((), low, at_)
    assert (client.body["ReqMsgSeq"], client.body["ReqMsgNumber"]) == (at_, number)
    assert GroupHistory(client, "room").page(100).low == 81
    assert client.body["ReqMsgNumber"] == 20
    assert "TopicId" not in client.body


@pytest.mark.parametrize(
    ("given", "time"), [(1, 1), (LATEST, LATEST), (0, None), (-1, None), ("5", None), (5.0, None), (None, None)]
)
def test_a_time_is_a_second_of_the_calendar_or_not_known(given, time):
    (entry,) = GroupHistory(Answers({"MsgSeq": 5, "MsgTimeStamp": given}), "room").page(9).entries

    assert entry.time == time


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (at(3, 4), "a page of the history does not run downwards"),
        (at(10), "a page of the history does not run downwards"),
        (at("5"), "the answer has no whole number as its MsgSeq"),
        ([{}], "the answer has no whole number as its MsgSeq"),
        (["no object"], "the answer has no list of objects as its RspMsgList"),
        ([{"MsgSeq": 5, "MsgTimeStamp": LATEST + 1}], "the answer has a time beyond the calendar as its MsgTimeStamp"),
        ([{"MsgSeq": 5, "IsPlaceMsg": "1"}], "the answer has a wrong type as its IsPlaceMsg"),
        ([{"MsgSeq": 5, "IsPlaceMsg": True}], "the answer has a wrong type as its IsPlaceMsg"),
        ([{"MsgSeq": 5, "IsSystemMsg": [1]}], "the answer has a wrong type as its IsSystemMsg"),
        ([{"MsgSeq": 5, "From_Account": 1}], "the answer has a wrong type as its From_Account"),
        ([{"MsgSeq": 5, "MsgBody": "secret"}], "the answer has neither a list nor an object as a MsgBody"),
        ([{"MsgSeq": 5, "CloudCustomData": {}}], "the answer has a wrong type as its CloudCustomData"),
        ([{"MsgSeq": 5, "MsgRandom": "secret"}], "the answer has a wrong type as its MsgRandom"),
    ],
)
def test_an_error_of_a_page_names_the_command_and_what_is_wrong(shown, reason):
    with pytest.raises(TencentIMTransientError) as raised:
        GroupHistory(Answers(*shown), "room").page(9)
    assert (raised.value.command, raised.value.code, raised.value.info) == (HISTORY, None, reason)


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
