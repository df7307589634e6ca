"""The arithmetic by which a search for the cut-off guesses, against what it stands for, reckoned in another way."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from retention_rooms import BEGIN

from airflow_provider_tencentim.retention import cutoff
from airflow_provider_tencentim.retention.history import Entry, Page


def reader(time_of):
    def read(at):
        low = max(1, at - 19)
        return Page(tuple(Entry(seq, BEGIN + time_of(seq)) for seq in range(at, low - 1, -1)), low, at)

    return read


def search(read=None, cut_off=0, newest=1000, lower=0, hints=(), start=None):
    return cutoff._Search(read or reader(lambda seq: seq), BEGIN + cut_off, newest, lower, list(hints), start)


def test_what_was_read_is_known_by_its_spans():
    one = search()
    assert one._unread(1, 100) == [(1, 100)]
    for span in ((50, 60), (20, 30), (31, 35), (80, 80)):
        one._cover(span)
    assert one._covered == [(20, 35), (50, 60), (80, 80)]
    assert one._unread(1, 100) == [(1, 19), (36, 49), (61, 79), (81, 100)]
    assert one._unread(20, 35) == []
    assert one._unread(25, 55) == [(36, 49)]
    assert one._unread(36, 49) == [(36, 49)]
    assert one._unread(35, 50) == [(36, 49)]
    assert one._unread(80, 81) == [(81, 81)]
    one._cover((34, 51))
    assert one._covered == [(20, 60), (80, 80)]
    one._cover((82, 90))
    assert one._covered == [(20, 60), (80, 80), (82, 90)]
    one._cover((81, 81))
    assert one._covered == [(20, 60), (80, 90)]
    one._cover((10, 18))
    assert one._covered == [(10, 18), (20, 60), (80, 90)]
    one._cover((1, 200))
    assert one._covered == [(1, 200)]


@pytest.mark.parametrize("order", [(100, 500, 900), (900, 500, 100), (500, 100, 900), (100, 900, 500)])
@pytest.mark.parametrize(
    ("time_of", "out_of_order"),
    [
        (lambda seq: seq, False),
        (lambda seq: 7, False),
        (lambda seq: 1000 - seq // 100, True),
        (lambda seq: 3 if seq > 800 else seq, True),
        (lambda seq: 999 if seq < 200 else seq, True),
    ],
    ids=["rising", "all of one second", "falling from page to page", "the last are old", "the first are young"],
)
def test_times_that_fall_are_noticed_whichever_page_is_read_first(order, time_of, out_of_order):
    one = search(reader(time_of))
    for at in order:
        one.read(at)

    assert one.is_out_of_order is out_of_order


def test_times_that_fall_between_single_messages_are_noticed():
    times = {100: 50, 500: 40, 900: 60}
    one = search(lambda at: Page((Entry(at, BEGIN + times[at]),), at - 19, at))
    for at in (100, 900):
        one.read(at)
    assert not one.is_out_of_order
    one.read(500)
    assert one.is_out_of_order


@pytest.mark.parametrize(("cut_off", "at", "left"), [(5000, 99, 100), (50, 69, 49)], ids=["newest", "below"])
def test_a_single_seq_that_was_not_read_counts_and_is_read_next(cut_off, at, left):
    one = search(reader(lambda seq: seq), cut_off=cut_off, newest=100)
    for seq in (at, 48):
        one.read(seq)

    assert one.result().unread == 1
    assert one.next_seq() in range(left, left + 20)
    one.read(one.next_seq())
    assert (one.next_seq(), one.result().unread) == (None, 0)


def test_messages_on_two_pages_are_known_once_and_those_without_a_time_not_at_all():
    one = search(reader(lambda seq: seq), lower=88)
    one.read(100)
    one.read(105)
    assert one._known == [(seq, BEGIN + seq) for seq in range(89, 106)]
    assert one._covered == [(89, 105)]

    def read(at):
        return Page((Entry(at, None), Entry(at - 1, BEGIN), Entry(at - 2, None)), at - 19, at)

    one = search(read)
    one.read(100)
    assert one._known == [(99, BEGIN)]
    assert one.result().oldest == BEGIN


def test_the_two_ends_of_a_page_are_marks():
    one = search(lambda at: Page((Entry(at, BEGIN + 9), Entry(at - 7, BEGIN + 5)), at - 19, at))
    one.read(100)
    assert one._marks == [(100, BEGIN + 9), (93, BEGIN + 5)]
    one = search(lambda at: Page((Entry(at, BEGIN + 9),), at - 19, at))
    one.read(100)
    assert one._marks == [(100, BEGIN + 9)]
    one = search(reader(lambda seq: seq))
    one.read(100)
    assert one._marks == [(100, BEGIN + 100), (81, BEGIN + 81)]


def test_reads_that_move_the_same_end_are_counted():
    one, runs = search(reader(lambda seq: seq), cut_off=500), []
    for at in (900, 800, 800, 700, 600, 100, 200, 510, 300):
        one.read(at)
        runs.append(one._run)

    assert runs == [-1, -2, 0, -1, -2, 1, 2, 0, 0]


@pytest.mark.parametrize(
    ("lo", "hi", "blank", "at"),
    [
        (0, 1000, [(900, 999)], 810),
        (0, 1000, [(300, 999)], 160),
        (400, 1000, [(600, 999)], 510),
        (400, 1000, [(960, 979)], 999),
        (400, 1000, [(940, 959)], 990),
        (0, 1041, [(1, 20), (1021, 1040)], 1020),
        (0, 1042, [(1, 20), (1022, 1041)], None),
        (0, 1041, [(1, 1040)], None),
    ],
    ids=[
        "near the older ones",
        "far from the older ones",
        "half-way",
        "a page above it",
        "more above it",
        "a thousand are left",
        "more are left",
        "nothing is left",
    ],
)
def test_behind_a_page_without_messages_the_search_goes_on(lo, hi, blank, at):
    one = search(cut_off=0, newest=2000)
    one._reads, one._lo, one._hi = 1, lo, hi
    one._blank = list(blank)
    one._covered = [*blank, (hi, 2000)]

    assert one.next_seq() == at


@pytest.mark.parametrize(("hi", "at"), [(10, 9), (20, 19), (21, 20), (22, 20), (500, 20)])
def test_a_group_that_seems_all_new_is_read_from_its_beginning(hi, at):
    one = search(newest=2000)
    one._reads, one._run, one._hi = 2, -2, hi
    one._covered = [(hi, 2000)]

    assert one.next_seq() == at


@pytest.mark.parametrize(
    ("pace", "mean", "expected"),
    [
        (1, 1.0, 1.0),
        (1, 0.25, 0.5),
        (1, 1 / 6, math.sqrt(1 / 6)),
        (1, 0.16, 1.0),
        (1, 90.0, math.sqrt(90.0)),
        (1, 101.0, 10.1),
        (2, 1.0, math.sqrt(2.0)),
        (0, 1.0, 19.0),
        (0, 10.0, math.sqrt(190.0)),
    ],
)
def test_the_pace_of_a_page_is_tempered_by_the_mean_unless_it_is_a_burst(pace, mean, expected):
    """``pace`` messages a second; 0 for all of a page within one."""
    one = search(reader(lambda seq: seq // pace if pace else 7))
    one.read(999 if pace == 2 else 1000)
    if pace == 2:
        expected = math.sqrt(19 / 9)

    assert one._pace(990, mean) == pytest.approx(expected)


def test_the_pace_is_that_of_the_messages_near():
    one = search(reader(lambda seq: seq if seq <= 500 else 100 * seq))
    assert one._pace(500, 7.0) == 7.0
    one.read(500)
    assert one._pace(500, 1.0) == 1.0
    assert one._pace(519, 0.25) == 0.25  # one message is near, and one is none
    assert one._pace(518, 0.25) == 0.5
    assert one._pace(462, 0.25) == 0.25
    assert one._pace(463, 0.25) == 0.5
    one.read(900)
    assert one._pace(900, 0.04) == pytest.approx(0.02)
    assert one._pace(500, 0.25) == 0.5


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([(100, 50), (200, 150)], 150.0),
        ([(100, 0), (300, 400)], 150.0),
        ([(100, 99), (300, 100)], 300.0),
        ([(10, 1), (100, 50), (200, 150), (900, 900)], 150.0),
        ([(100, 50)], None),
        ([(100, 150)], None),
        ([(100, 150), (200, 50)], None),
        ([(100, 50), (100, 150)], None),
        ([], None),
    ],
)
def test_a_straight_line_goes_through_the_nearest_marks(marks, expected):
    one = search(cut_off=100, hints=[(seq, BEGIN + time) for seq, time in marks])

    assert one._straight() == expected


@pytest.mark.parametrize(
    ("reads", "first", "last", "guess", "at"),
    [
        (0, 1, 1000, 500.0, 510),
        (0, 1, 1000, 500.4, 510),
        (0, 1, 1000, 500.6, 511),
        (0, 1, 1000, 3.0, 20),
        (0, 1, 1000, 999.0, 1000),
        (0, 101, 200, 3.0, 120),
        (0, 101, 110, 105.0, 110),
        (0, 1, 1000, None, 510),
        (0, 101, 200, None, 160),
        (4, 1, 1000, 100.0, 110),
        (5, 1, 1000, 100.0, 510),
        (5, 1, 500, 100.0, 110),
        (6, 1, 500, 100.0, 260),
        (6, 1, 250, 100.0, 110),
        (7, 1, 250, 100.0, 136),
    ],
)
def test_a_read_has_the_guess_in_its_middle_unless_guesses_have_failed_for_long(reads, first, last, guess, at):
    one = search()
    one._reads = reads

    assert one._aim(first, last, guess) == at


def test_how_long_guesses_may_fail_is_counted_from_where_earlier_runs_ended():
    one = search(newest=2000, lower=1000)
    one._reads = 5

    assert one._aim(1001, 2000, 1100.0) == 1510
    assert one._aim(1001, 1500, 1100.0) == 1110


@pytest.mark.parametrize(
    ("lo", "hi", "run", "guess", "deviation", "at"),
    [
        (0, 1000, 0, 100.0, 0.0, 100.0),
        (0, 1000, 1, 100.0, 0.0, 100.0),
        (0, 1000, 2, 100.0, 0.0, 105.0),
        (0, 1000, 3, 100.0, 0.0, 110.25),
        (0, 1000, -3, 100.0, 0.0, 100.0),
        (0, 1000, -3, 900.0, 0.0, 889.75),
        (0, 1000, 3, 900.0, 0.0, 900.0),
        (0, 1000, 0, 100.0, 10.0, 100.0),
        (0, 1000, 0, 100.0, 11.0, 102.2),
        (0, 1000, 0, 100.0, 50.0, 110.0),
        (0, 1000, 0, 900.0, 50.0, 890.0),
        (0, 900, 0, 300.0, 50.0, 310.0),
        (0, 900, 0, 301.0, 50.0, 301.0),
        (0, 900, 0, 599.0, 50.0, 599.0),
        (0, 900, 0, 600.0, 50.0, 590.0),
        (0, 1000, 0, 100.0, 9000.0, 500.0),
        (0, 1000, 0, 900.0, 9000.0, 500.0),
        (100, 1100, 3, 600.0, 0.0, 600.0),
        (100, 1100, 2, 200.0, 0.0, 205.0),
    ],
)
def test_a_guess_is_moved_past_the_cut_off_from_the_nearer_end(lo, hi, run, guess, deviation, at):
    one = search(newest=hi - 1, lower=lo)
    one._run = run

    assert one._past_the_cut_off(guess, deviation) == pytest.approx(at)


def rate_covariance(lag, mean, pace):
    """How the pace at two moments goes together: waves by the clock, and spells."""
    waves = sum((share * mean) ** 2 * math.cos(math.tau / seconds * lag) for share, seconds in cutoff._WAVES)
    return waves + (cutoff._SPELL * pace) ** 2 * math.exp(-abs(lag) / cutoff._SPELL_SECONDS)


@pytest.mark.parametrize(
    ("one", "other"),
    [(5_000, 9_000), (-4_000, 7_000), (7_000, -4_000), (-9_000, -5_000), (100_000, 150_000), (30_000, 30_000)],
)
def test_the_covariance_is_that_of_the_pace_over_both_times(one, other):
    mean, pace, steps = 0.02, 0.05, 150
    cell = one * other / steps**2
    total = sum(
        rate_covariance((a + 0.5) * one / steps - (b + 0.5) * other / steps, mean, pace)
        for a in range(steps)
        for b in range(steps)
    )
    chance = pace * min(abs(one), abs(other)) if one * other > 0 else 0.0

    assert cutoff._covariance(one, other, mean, pace) == pytest.approx(total * cell + chance, rel=2e-3)


def test_the_covariance_with_the_mark_itself_is_nothing():
    for other in (0, 1, -1, 70_000):
        assert cutoff._covariance(0, other, 3.0, 5.0) == pytest.approx(0.0, abs=1e-6)
    waves = cutoff._covariance(1, 1, 3.0, 0.0)
    assert cutoff._covariance(1, 1, 3.0, 0.5) - waves == pytest.approx(0.5, rel=0.1)
    assert cutoff._covariance(1, -1, 3.0, 0.0) == pytest.approx(-waves, rel=0.1)


def test_weights_solve_the_system():
    for size in (1, 2, 3, 7):
        rows = [[1.0 / (1 + abs(a - b)) + (a == b) for b in range(size)] for a in range(size)]
        column = [float(3 * a - 2) for a in range(size)]
        given = [list(row) for row in rows]
        weights = cutoff._solve(rows, column)

        assert rows == given
        exact = [sum(Fraction(one) * Fraction(w) for one, w in zip(row, weights, strict=True)) for row in rows]
        assert [float(value) for value in exact] == pytest.approx(column)
    assert cutoff._solve([], []) == []
    assert cutoff._solve([[0.25]], [1.0]) == [4.0]


@pytest.mark.parametrize("rows", [[[0.0]], [[-1.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
def test_what_rounding_left_without_a_solution_has_none(rows):
    assert cutoff._solve(rows, [1.0] * len(rows)) is None


@pytest.mark.parametrize("when", [BEGIN + 40_000, BEGIN - 9_000, BEGIN + 300_000, BEGIN + 1])
@pytest.mark.parametrize("others", [[(60_000, 2_900)], [(60_000, 2_900), (-20_000, 40)]])
def test_the_guess_is_the_expectation_given_the_marks(when, others):
    mean, pace = 0.02, 0.05
    marks = [(BEGIN, 1000), *((BEGIN + age, seq) for age, seq in others)]
    ages, target = [age for age, _ in others], when - BEGIN

    def together(one, other):
        return cutoff._covariance(one, other, mean, pace)

    own = [together(age, age) * (1 + 1e-9) + 0.3 for age in ages]
    common = [together(age, target) for age in ages]
    if len(ages) == 1:
        weights = [common[0] / own[0]]
    else:
        cross = together(*ages)
        determinant = own[0] * own[1] - cross**2
        weights = [
            (common[0] * own[1] - common[1] * cross) / determinant,
            (common[1] * own[0] - common[0] * cross) / determinant,
        ]
    surplus = [seq - 1000 - mean * age for age, seq in others]
    guess = 1000 + mean * target + sum(weight * more for weight, more in zip(weights, surplus, strict=True))
    variance = together(target, target) - sum(weight * one for weight, one in zip(weights, common, strict=True))

    found = cutoff._most_likely(marks, when, mean, pace)
    assert found == pytest.approx((guess, math.sqrt(variance)), rel=1e-6)


def test_a_guess_at_a_mark_is_the_mark_and_sure():
    marks = [(BEGIN, 1000), (BEGIN + 60_000, 2_900), (BEGIN + 90_000, 3_000)]

    for when, seq in marks:
        guess, deviation = cutoff._most_likely(marks, when, 0.02, 0.05)
        assert guess == pytest.approx(seq, abs=1)
        assert deviation < 1
