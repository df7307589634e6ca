"""Where a search for the cut-off reads.

What is found stays right when a guess goes wrong; it only takes more reads, each a call that others wait for, and
nothing else shows it. So the reads are held to the very seqs: whoever changes the guesses sees what it costs here.
"""

from __future__ import annotations

import math

import pytest
from retention_rooms import BEGIN

from airflow_provider_tencentim.retention import cutoff
from airflow_provider_tencentim.retention.cutoff import find_cut_off
from airflow_provider_tencentim.retention.history import Entry, Page

DAY = 86_400
SIZE = 100_000

TIMINGS = {
    "steady": lambda seq: 30 * seq,
    "by day": lambda seq: int(30 * seq + 11_000 * math.sin(math.tau * 30 * seq / DAY)),
    "by week": lambda seq: int(30 * seq + 67_200 * math.sin(math.tau * 30 * seq / (7 * DAY))),
    "ever busier": lambda seq: int(3_000_000 * math.log1p(seq / 1000)),
    "ever quieter": lambda seq: seq * seq // 5000,
    "bursts": lambda seq: seq // 300 * 9000 + seq % 300,
    "one pause": lambda seq: seq + 10_000_000 * (seq > 70_000),
}
GONE = {
    "nothing": lambda seq: False,
    "the beginning": lambda seq: seq <= 60_000,
    "a few": lambda seq: 70_400 <= seq < 71_000,
    "many": lambda seq: 50_000 <= seq < 71_000,
    "every other hundred": lambda seq: seq % 200 < 100,
    "nine of ten": lambda seq: seq % 10 > 0,
}


def reader(time_of, asked, gone=GONE["nothing"]):
    """Read pages of a group that is never held in memory, and note where."""

    def read(at):
        asked.append(at)
        low = max(1, at - 19)
        seqs = [seq for seq in range(at, low - 1, -1) if not gone(seq)]
        return Page(tuple(Entry(seq, BEGIN + time_of(seq)) for seq in seqs), low, at)

    return read


def hints_of(time_of, size=SIZE):
    return {"created": BEGIN + time_of(1) - 60, "last_time": BEGIN + time_of(size)}


def text_of(asked):
    return " ".join(map(str, asked))


READS = [
    # timing, cut-off, where it reads when it knows the times of both ends, and when it knows none
    ("steady", 12345, "12730 12319 12355", "100000 12787 12293 12358"),
    ("steady", 71000, "70631 71047 71010", "100000 70627 71042 71010"),
    ("steady", 99500, "99420 99514", "100000 99454 99512"),
    ("by day", 12345, "13124 12277 12377 12354", "100000 50000 12290 12360"),
    ("by day", 71000, "70588 71067 70995 71015", "100000 65787 71131 71023 71003"),
    ("by day", 99500, "99712 99584 99525 99505", "100000 99692 99557 99514"),
    (
        "by week",
        12345,
        "11337 12223 12362",
        "100000 47155 7331 9389 10629 11741 29448 12216 20832 16524 14370 13294 12358",
    ),
    ("by week", 71000, "70720 70969 71011", "100000 82620 66428 68936 70105 70861 71021 71001"),
    ("by week", 99500, "99041 99407 99516", "100000 99450 99513"),
    (
        "ever busier",
        12345,
        "56145 46842 46336 43940 17319 12603 11962 12358",
        "100000 50000 25000 12500 9873 12368 12348",
    ),
    (
        "ever busier",
        71000,
        "92595 88942 85249 80773 78434 39218 58826 68630 72865 70477 71156 71020 71000",
        "100000 65805 72406 71077 71003",
    ),
    ("ever busier", 99500, "99883 99598 99516", "100000 99453 99512"),
    (
        "ever quieter",
        12345,
        "1759 12732 12086 12342 12362",
        "100000 50772 33737 29062 26234 23708 17711 14081 7041 10562 12391 12355",
    ),
    ("ever quieter", 71000, "50421 74123 70773 71440 71000", "100000 74916 71160 70989 71010"),
    ("ever quieter", 99500, "98848 99251 99492 99512", "100000 99449 99513"),
    ("bursts", 12345, "12698 10348 11251 12402 12378 12358", "100000 50000 15198 8997 12399 12371 12351"),
    (
        "bursts",
        71000,
        "70505 70627 74092 73129 70950 70980 71003",
        "100000 50000 71353 68991 69892 70181 71054 71032 71012",
    ),
    (
        "bursts",
        99500,
        "99307 99327 99424 99505",
        "100000 79908 96974 98477 99192 99697 99445 99474 99499 99519",
    ),
    (
        "one pause",
        12345,
        "156 2983 6638 9534 11614 55818 33716 22666 17140 12393 12349",
        "100000 50000 47000 42509 38168 33682 16842 13953 6977 10466 12353",
    ),
    (
        "one pause",
        71000,
        "99678 95383 91357 87286 83159 41580 62370 72765 71583 66977 69280 70432 71008",
        "100000 67067 97310 93365 89572 85647 81690 77792 74229 70648 70980 72605 71793 71387 71010",
    ),
    ("one pause", 99500, "100000 99729 99515", "100000 99487 99510"),
]


@pytest.mark.parametrize(("timing", "cut", "hinted", "unhinted"), READS, ids=[f"{row[0]}-{row[1]}" for row in READS])
def test_a_search_reads_where_it_always_read(timing, cut, hinted, unhinted):
    time_of = TIMINGS[timing]
    for hints, expected in ((hints_of(time_of), hinted), ({}, unhinted)):
        asked = []
        found = find_cut_off(reader(time_of, asked), cut_off=BEGIN + time_of(cut), newest=SIZE, **hints)

        assert text_of(asked) == expected
        assert (found.through, found.time, found.unread) == (cut - 1, BEGIN + time_of(cut - 1), 0)
        assert found.reads == len(asked)


READS_PAST_GAPS = [
    # timing, what is gone, cut-off, through, unread, where it reads
    ("steady", "the beginning", 60010, 60009, 0, "60020"),
    (
        "steady",
        "the beginning",
        50000,
        0,
        59650,
        "50010 75016 62514 56262 59388 60952 60170 59780 59976 60074 60026 60002 59982 25006 12504 6252 "
        "3126 1564 782 392 196 98 50 26 6",
    ),
    ("by day", "the beginning", 80000, 79999, 0, "79832 80049 80009"),
    (
        "steady",
        "a few",
        71000,
        70399,
        0,
        "70631 85326 77979 74306 72469 71550 71091 70862 70977 71034 71006 70986 35316 52974 61803 66218 "
        "68425 69528 70080 70356 70494 70426 70392 70406 70957 70937 70917 70897 70877 70842 70822 70802 "
        "70782 70762 70742 70722 70702 70682 70662 70642 70611 70591 70571 70551 70531 70511 70474 70454 "
        "70434",
    ),
    (
        "steady",
        "many",
        71000,
        49999,
        20793,
        "70631 85326 77979 74306 72469 71550 71091 70862 70977 71034 71006 70986 35316 52974 44146 48560 "
        "50768 49664 50216 49940 50078 50010 50044 50024",
    ),
    (
        "by day",
        "many",
        60000,
        49999,
        20794,
        "59909 79965 69938 74952 72446 71192 70566 70880 71036 70958 70998 71016 29955 44932 52421 48677 "
        "50550 49614 50082 49848 49966 50024 49996 50004",
    ),
    ("bursts", "many", 49990, 49989, 0, "49866 49949 49996"),
    (
        "steady",
        "every other hundred",
        30000,
        29999,
        0,
        "30407 29970 30010 30030 30219 30314 30267 30291 30294 30271 30247 30227 30199 30115 30073 30094 "
        "30095 30074 30053 30033",
    ),
    (
        "by week",
        "every other hundred",
        70150,
        21399,
        72882,
        "70458 85240 92630 96326 94478 95402 94940 94710 94594 94536 94508 94488 35230 17616 26424 22020 "
        "19818 20920 21470 21196 21334 21402 21436 21416",
    ),
    ("by day", "nine of ten", 71000, 70990, 0, "70588 70990 71015 70995"),
    ("bursts", "nine of ten", 30010, 30000, 0, "30436 28577 29247 29701 29746 30087 30067 30041 30021 30001"),
]


@pytest.mark.parametrize(
    ("timing", "gone", "cut", "through", "unread", "expected"),
    READS_PAST_GAPS,
    ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in READS_PAST_GAPS],
)
def test_a_search_past_gaps_reads_where_it_always_read(timing, gone, cut, through, unread, expected):
    time_of, asked = TIMINGS[timing], []
    read = reader(time_of, asked, GONE[gone])
    found = find_cut_off(read, cut_off=BEGIN + time_of(cut), newest=SIZE, **hints_of(time_of))

    assert text_of(asked) == expected
    assert (found.through, found.unread) == (through, unread)


READS_WITH_HINTS = [
    # newest, lower, cut-off, created, last time, where it reads
    (5000, 0, 1, 1, 5000, "20"),
    (5000, 0, 1, None, None, "5000 358 20"),
    (10000, 0, 3, 0, 10000, "20"),
    (10001, 0, 3, 0, 10001, "20"),
    (10000, 0, 30, 0, 10000, "43"),
    (10020, 20, 23, 0, 10020, "40"),
    (10021, 20, 23, 0, 10021, "40"),
    (5000, 0, 6000, 0, 5000, "5000"),
    (5000, 0, 5000, 0, 5000, "5000"),
    (5000, 0, 4999, 0, 4998, "5000"),
    (5000, 2000, 2500, 0, 5000, "2581 2508"),
    (5000, 2490, 2500, 0, 5000, "2581 2512"),
    (5000, 2500, 2500, 0, 5000, "2520"),
    (5000, 0, 2500, 0, None, "5000 2510"),
    (5000, 0, 2500, None, 5000, "2510"),
    (5000, 0, 2500, 2500, 5000, "20 2520 1270 1896 2208 2364 2442 2482 2500"),
    (5000, 0, 2500, 2499, 5000, "20 2510"),
    (5000, 4990, 2500, 2500, 5000, "5000"),
    (15, 0, 7, 0, 15, "15"),
    (20, 0, 7, None, None, "20"),
    (21, 0, 2, None, None, "21 1"),
]


@pytest.mark.parametrize(("newest", "lower", "cut", "created", "last", "expected"), READS_WITH_HINTS)
def test_a_search_begins_where_the_hints_say(newest, lower, cut, created, last, expected):
    asked = []
    found = find_cut_off(
        reader(lambda seq: seq, asked),
        cut_off=BEGIN + cut,
        newest=newest,
        lower=lower,
        created=None if created is None else BEGIN + created,
        last_time=None if last is None else BEGIN + last,
    )

    assert text_of(asked) == expected
    assert (found.through, found.unread) == (min(cut - 1, newest) if cut - 1 > lower else 0, 0)


@pytest.mark.parametrize(
    ("newest", "lower", "expected"),
    [
        (10_000, 0, "10000 5000 20"),
        (10_020, 20, "10020 5020 40"),
        (10_001, 0, "10001 5001 2501"),
        (10_021, 20, "10021 5021 2521"),
    ],
)
def test_a_group_that_is_not_large_and_seems_all_new_is_looked_at_from_its_beginning(newest, lower, expected):
    asked = []
    found = find_cut_off(
        reader(lambda seq: seq if seq < lower + 5 else 90_000, asked),
        cut_off=BEGIN + lower + 3,
        newest=newest,
        lower=lower,
    )

    assert (found.through, found.unread) == (lower + 2, 0)
    assert text_of(asked[:3]) == expected


def test_where_nothing_is_wanted_nothing_is_read():
    found = find_cut_off(reader(lambda seq: seq, []), cut_off=BEGIN, newest=5, lower=5)

    assert found == cutoff.CutOff(through=0, time=None, oldest=None, reads=0, unread=0)


# --- small groups whose times contradict their seqs ---


@pytest.mark.parametrize(
    ("newest", "lower", "given_up"), [(2000, 0, False), (2001, 0, True), (2001, 1, False), (3000, 999, True)]
)
def test_a_group_out_of_order_is_read_whole_when_at_most_2000_seqs_are_wanted(newest, lower, given_up):
    asked = []
    read = reader(lambda seq: 5 if seq == newest - 3 else seq, asked)
    if given_up:
        with pytest.raises(cutoff.OutOfOrderError, match=f"{1} reads") as raised:
            find_cut_off(read, cut_off=BEGIN + 1500, newest=newest, lower=lower)
        assert (raised.value.reads, raised.value.args) == (1, (1,))
    else:
        found = find_cut_off(read, cut_off=BEGIN + 1500, newest=newest, lower=lower)
        assert (found.through, found.time, found.unread) == (1499, BEGIN + 1499, 0)
        assert asked == list(range(newest, lower, -20))


@pytest.mark.parametrize(("jump", "through"), [(9, 8), (1, 0), (30, 29)])
def test_a_group_out_of_order_ends_below_its_first_younger_message(jump, through):
    def time_of(seq):
        return {jump: 90, 60: 3}.get(seq, seq)

    found = find_cut_off(reader(time_of, []), cut_off=BEGIN + 50, newest=60)
    assert (found.through, found.reads, found.unread) == (through, 3, 0)
    assert found.oldest == BEGIN + (2 if jump == 1 else 1)


def test_a_group_out_of_order_in_which_all_is_older_is_older_through_its_newest():
    found = find_cut_off(reader(lambda seq: 61 - seq, []), cut_off=BEGIN + 100, newest=60)

    assert (found.through, found.time, found.oldest, found.unread) == (60, BEGIN + 1, BEGIN + 1, 0)


@pytest.mark.parametrize(("times", "through"), [({1: 1, 21: 3}, 1), ({1: 90, 20: 95, 21: 3}, 0)])
def test_a_group_out_of_order_is_read_through_its_very_first_message(times, through):
    others = 50 if through else 5
    found = find_cut_off(reader(lambda seq: times.get(seq, others), []), cut_off=BEGIN + 40, newest=21)

    assert (found.through, found.reads, found.unread) == (through, 2, 0)


def test_messages_of_one_second_are_in_order():
    asked = []
    found = find_cut_off(reader(lambda seq: seq // 50, asked), cut_off=BEGIN + 40, newest=4000, last_time=BEGIN + 80)

    assert (found.through, found.unread) == (1999, 0)
    assert len(asked) < 20
