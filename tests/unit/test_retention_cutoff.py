"""Where a history's older messages end, against histories of every kind held in memory."""

# ruff: noqa: S311  (dice, no secrets)

from __future__ import annotations

import math
import random
from bisect import bisect_left
from itertools import accumulate, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from retention_rooms import BEGIN, EXPIRED, NORMAL, RECALLED, Room, item

from airflow_provider_tencentim.retention.cutoff import OutOfOrderError, find_cut_off
from airflow_provider_tencentim.retention.history import Entry, GroupHistory, Page

YEAR = 365 * 86_400
READINGS = ("seqs", "shown")

thorough = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def full_scan(items, cut_off, newest, lower):
    """Return the largest seq that is older with all before it, by looking at every one; those without a time pass."""
    through = 0
    for seq in sorted(items):
        time = items[seq].get("MsgTimeStamp")
        if lower < seq <= newest and time is not None:
            if time >= cut_off:
                break
            through = seq
    return through


def search(room, cut_off, newest, **hints):
    """Find the cut-off; return it, and what was read."""
    history, read = GroupHistory(room, "room"), []

    def page(at):
        read.extend((found := history.page(at)).entries)
        return found

    return find_cut_off(page, cut_off=cut_off, newest=newest, **hints), read


# What a history is made of: how many seqs, of what, and how time goes on.
stretches = st.lists(
    st.tuples(
        st.sampled_from(["messages", "messages", "mixed", "gap", "expired", "expired without time"]),
        st.one_of(st.integers(1, 30), st.integers(21, 150)),
        st.sampled_from([0, 1, 60, 5000]),
    ),
    min_size=1,
    max_size=8,
)
first_seqs = st.one_of(st.just(1), st.integers(1, 900), st.integers(1, 5_000_000))


def history_of(stretches, first, dice):
    items, seq, time = {}, first, BEGIN
    for kind, length, pace in stretches:
        for _ in range(length):
            time += dice.randint(0, pace)
            if kind == "messages":
                items[seq] = item(time)
            elif kind == "mixed" and dice.random() < 0.9:
                place = dice.choice([NORMAL, NORMAL, EXPIRED, RECALLED])
                items[seq] = item(None if dice.random() < 0.2 else time, place, dice.random() < 0.1)
            elif kind.startswith("expired"):
                items[seq] = item(time if kind == "expired" else None, EXPIRED)
            seq += 1
    return items, seq - 1


@thorough
@given(data=st.data(), parts=stretches, first=first_seqs, reading=st.sampled_from(READINGS))
def test_the_cut_off_is_that_of_a_full_scan(data, parts, first, reading):
    dice = random.Random(data.draw(st.integers(0, 9999)))
    items, last = history_of(parts, first, dice)
    times = sorted({shown["MsgTimeStamp"] for shown in items.values() if "MsgTimeStamp" in shown}) or [BEGIN]
    cut_off = data.draw(st.sampled_from(times)) + data.draw(st.sampled_from([0, 0, 1, -1, 10**6, -(10**6)]))
    newest = last - data.draw(st.sampled_from([0, 0, 1, 25]))  # what is above came meanwhile
    if newest < 1:
        return
    lower = data.draw(st.one_of(st.just(0), st.integers(max(0, first - 30), newest)))
    hints = {
        "created": data.draw(st.sampled_from([None, 0, times[0], times[0] - 1000, times[-1]])),
        "last_time": data.draw(st.sampled_from([None, 0, times[-1], times[0]])),
    }
    room = Room(items, reading, data.draw(st.sampled_from([0.0, 0.0, 0.3])), dice)

    found, read = search(room, cut_off, newest, lower=lower, **hints)

    expected = full_scan(items, cut_off, newest, lower)
    assert found.through <= expected
    assert max(room.asked, default=0) <= newest
    assert found.reads == len(room.asked)
    if found.through:
        assert found.through > lower
        assert any(one.seq == found.through and one.time == found.time < cut_off for one in read)
    timeless = newest - lower - sum(lower < seq <= newest and "MsgTimeStamp" in items[seq] for seq in items)
    if found.unread == 0 or timeless <= 1000:
        assert (found.through, found.unread) == (expected, 0)
    else:  # what nobody read lies below the next message, and says how much it is
        shown = {one.seq for one in read}
        missed = [seq for seq in items if found.through < seq <= expected and "MsgTimeStamp" in items[seq]]
        assert shown.isdisjoint(missed)
        assert len(missed) <= found.unread
        assert found.unread > 1000
    known = [one.time for one in read if one.time is not None and one.seq > lower]
    assert found.oldest == min(known, default=None)


@thorough
@given(
    times=st.lists(st.integers(0, 30), min_size=1, max_size=300),
    cut=st.integers(0, 31),
    lower=st.integers(0, 300),
    jumble=st.floats(0, 0.3),
)
def test_a_small_group_out_of_order_is_read_whole_and_judged_by_all_it_holds(times, cut, lower, jumble):
    dice = random.Random(len(times))
    times = [dice.choice(times) if dice.random() < jumble else time for time in sorted(times)]
    items = {seq: item(BEGIN + time) for seq, time in enumerate(times, start=1)}

    found, read = search(Room(items), BEGIN + cut, len(times), lower=lower, last_time=BEGIN + times[-1])

    pairs = sorted((one.seq, one.time) for one in read if one.seq > lower)
    if any(time > later for (_, time), (_, later) in pairwise(pairs)):
        assert found.through == full_scan(items, BEGIN + cut, len(times), lower)
        assert found.unread == 0
    if found.through:
        assert items[found.through]["MsgTimeStamp"] < BEGIN + cut


def test_a_later_message_with_an_older_time_does_not_take_newer_ones_along():
    items = {seq: item(BEGIN + seq) for seq in range(1, 1001)}
    items[300] = item(BEGIN + 900)
    items[1000] = item(BEGIN + 2, EXPIRED)

    found, _ = search(Room(items), BEGIN + 500, 1000)

    assert (found.through, found.time, found.unread) == (299, BEGIN + 299, 0)
    assert found.reads <= 1 + 50


def test_a_large_group_out_of_order_is_given_up():
    items = {seq: item(BEGIN + seq) for seq in range(1, 3001)}
    items[2995] = item(BEGIN + 1)

    with pytest.raises(OutOfOrderError, match="1 reads") as raised:
        search(Room(items), BEGIN + 1500, 3000)
    assert raised.value.reads == 1

    found, _ = search(Room(items), BEGIN + 1500, 3000, lower=1000)
    assert (found.through, found.unread) == (1499, 0)


@pytest.mark.parametrize(
    ("cut_off", "through", "reads"),
    [(BEGIN + 10**7, 10**6, 1), (BEGIN, 0, 1), (BEGIN + 10**6 + 1, 10**6, 1)],
    ids=["all older", "none older", "the newest is the last that is older"],
)
def test_a_group_that_is_all_older_or_all_newer_takes_one_read(cut_off, through, reads):
    read = reader(lambda seq: BEGIN + seq)
    found = find_cut_off(read, cut_off=cut_off, newest=10**6, created=BEGIN, last_time=BEGIN + 10**6)
    assert (found.through, found.reads, found.unread) == (through, reads, 0)


def test_what_earlier_runs_went_through_is_not_looked_for_again():
    read = reader(lambda seq: BEGIN + seq)
    for lower in (0, 400_000, 499_998, 499_999, 500_000, 700_000, 10**6):
        found = find_cut_off(
            read, cut_off=BEGIN + 500_000, newest=10**6, created=BEGIN, last_time=BEGIN + 10**6, lower=lower
        )
        assert found.through == (499_999 if lower < 499_999 else 0)
        assert found.unread == 0
    assert find_cut_off(read, cut_off=BEGIN, newest=5, lower=5).reads == 0


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("expired", [0, 400, 999_000])
def test_a_long_expired_beginning_without_times_is_cheap(expired, reading):
    """The oldest part is lost, and what is left of it shows no time."""
    first = 1_000_000
    items = {first + n: item(None if n < expired else BEGIN + 30 * n, EXPIRED if n < expired else NORMAL)
             for n in range(expired, expired + 5000)}  # fmt: skip
    # Placeholders without a time are like nothing at all, and 999,000 of them would only take memory.
    items |= {first + n: item(None, EXPIRED) for n in range(max(0, expired - 2000), expired)}
    newest = max(items)
    for cut in (expired + 10, expired + 2500, expired + 4990):
        found, _ = search(Room(items, reading), BEGIN + 30 * cut, newest, created=BEGIN, last_time=BEGIN + 30 * newest)
        assert (found.through, found.unread) == (first + cut - 1, 0)
        assert found.reads <= 2 * math.log2(newest) + 2


@pytest.mark.parametrize("gap", [15, 150, 700, 30_000])
def test_a_gap_at_the_cut_off_is_read_when_it_is_small_and_reported_when_it_is_large(gap):
    items = {seq: item(BEGIN + seq) for seq in range(1, 5001)}
    items |= {5000 + gap + seq: item(BEGIN + 5000 + seq) for seq in range(1, 5001)}

    found, _ = search(Room(items), BEGIN + 5001, max(items), created=BEGIN, last_time=BEGIN + 10_000)

    assert found.through == 5000
    assert found.unread == 0 if gap < 1000 else 20_000 < found.unread <= gap
    assert found.reads <= 2 * math.log2(max(items)) + 2 + min(gap / 20 + 1, 50)


# --- how many reads ---


def reader(time_of):
    """Read pages of a contiguous group that is never held in memory."""

    def read(at):
        low = max(1, at - 19)
        return Page(tuple(Entry(seq, time_of(seq)) for seq in range(at, low - 1, -1)), low, at)

    return read


def by_cells(counts, seconds, seed):
    """Return the times of a group by seq: so many messages in each cell of time, anywhere in it."""
    sums, drawn = list(accumulate(counts, initial=0)), {}

    def time_of(seq):
        cell = bisect_left(sums, seq) - 1
        if cell not in drawn:
            dice = random.Random(f"{seed}-{cell}")
            drawn[cell] = sorted(dice.randrange(seconds) for _ in range(counts[cell]))
        return BEGIN + cell * seconds + drawn[cell][seq - sums[cell] - 1]

    return time_of, sums[-1]


def day_and_night(size, seed):
    """Ten times as busy by day as by night, and less so at weekends."""
    dice = random.Random(seed)
    weights = [(10 if 8 <= hour % 24 < 20 else 1) * (0.3 if hour // 24 % 7 > 4 else 1) for hour in range(8760)]
    share = size / sum(weights)
    means = [weight * share for weight in weights]
    return by_cells([max(0, round(dice.gauss(mean, mean**0.5))) for mean in means], 3600, seed)


def bursts(size, seed):
    """300 messages within an hour now and then."""
    dice = random.Random(seed)
    counts = [0] * (YEAR // 60 + 60)
    for _ in range(size // 300):
        start = dice.randrange(YEAR // 60)
        counts[start : start + 60] = [count + 5 for count in counts[start : start + 60]]
    return by_cells(counts, 60, seed)


def reads_of(time_of, size, cut):
    found = find_cut_off(
        reader(time_of), cut_off=time_of(cut), newest=size, created=time_of(1) - 60, last_time=time_of(size)
    )
    assert found.through < cut
    assert found.through == 0 or time_of(found.through) < time_of(cut)
    assert time_of(found.through + 1) == time_of(cut)
    assert found.unread == 0
    assert found.reads <= 2 * math.log2(size) + 2
    return found.reads


@pytest.mark.parametrize(("timing", "mean"), [(day_and_night, 4), (bursts, 6.5)])
def test_a_million_messages_take_a_handful_of_reads(timing, mean):
    reads = []
    for seed in range(60):
        time_of, size = timing(1_000_000, seed)
        dice = random.Random(seed)
        reads += [reads_of(time_of, size, dice.randint(1, size)) for _ in range(8)]

    assert sum(reads) / len(reads) <= mean


TIMINGS = {
    "all equal": lambda part: 0,
    "steady": lambda part: part * YEAR,
    "growing ever faster": lambda part: math.exp(17 * part),
    "growing ever slower": lambda part: -math.exp(17 * (1 - part)),
    "one jump": lambda part: 1000 * part + (part > 0.7) * YEAR,
    "one jump at the end": lambda part: 1000 * part + (part > 0.999) * YEAR,
    "steps": lambda part: int(part * 11) * 10**6,
    "a power": lambda part: YEAR * part**9,
}


@settings(max_examples=300, deadline=None)
@given(
    timing=st.sampled_from(sorted(TIMINGS)),
    size=st.one_of(st.integers(1, 60), st.integers(1, 3000), st.integers(1, 4_000_000_000)),
    cut=st.floats(0, 1),
    more=st.sampled_from([0, 1, -1]),
    hinted=st.booleans(),
)
def test_no_timing_takes_many_reads(timing, size, cut, more, hinted):
    def time_of(seq):
        return BEGIN + int(TIMINGS[timing](seq / size))

    hints = {"created": time_of(1), "last_time": time_of(size)} if hinted else {}
    cut_off = time_of(1 + int(cut * (size - 1))) + more
    found = find_cut_off(reader(time_of), cut_off=cut_off, newest=size, **hints)

    assert found.unread == 0
    assert found.reads <= 2 * math.log2(size) + 2
    assert found.through == 0 or time_of(found.through) < cut_off
    assert found.through == size or time_of(found.through + 1) >= cut_off


@pytest.mark.parametrize("size", [*range(1, 50), 100, 1000, 20_000])
def test_tips_and_placeholders_with_times_take_no_more_reads(size):
    dice = random.Random(size)
    times = sorted(BEGIN + dice.randrange(size) for _ in range(size))
    items = {
        seq: item(time, dice.choice([NORMAL, NORMAL, EXPIRED, RECALLED]), dice.random() < 0.1)
        for seq, time in enumerate(times, start=1)
    }
    for cut_off in {times[0], times[-1], times[-1] + 1, dice.choice(times)}:
        found, _ = search(Room(items), cut_off, size, created=BEGIN, last_time=times[-1])
        assert found.through == bisect_left(times, cut_off)
        assert found.reads <= 2 * math.log2(size) + 2
