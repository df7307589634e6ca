"""Sets of MsgSeq against Python's own sets; what is no seq is named."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.client.seqs import LAST_SEQ, SeqSet, check_seq, parse_seq_lines, parse_seqs, windows

seqs = st.one_of(st.integers(1, 300), st.integers(LAST_SEQ - 50, LAST_SEQ), st.integers(1, LAST_SEQ))
ranges = st.tuples(st.integers(1, 2000), st.integers(0, 300)).map(lambda pair: (pair[0], pair[0] + pair[1]))
blank = st.sampled_from(["", " ", "  ", "\t"])


@settings(deadline=None)
@given(st.lists(seqs))
def test_a_list_of_numbers_is_the_set_of_them_in_rising_order(numbers):
    parsed = parse_seqs(numbers)

    assert list(parsed) == sorted(set(numbers))
    assert len(parsed) == len(set(numbers))


@settings(deadline=None)
@given(st.lists(st.one_of(seqs, ranges), min_size=1), blank)
def test_text_of_numbers_and_ranges_is_the_set_of_them(parts, space):
    expected: set[int] = set()
    words = []
    for part in parts:
        first, last = part if isinstance(part, tuple) else (part, part)
        expected |= set(range(first, last + 1))
        words.append(f"{space}{first}{space}-{space}{last}{space}" if isinstance(part, tuple) else f"{first}{space}")

    assert list(parse_seqs([",".join(words)])) == sorted(expected)
    assert list(parse_seqs(words)) == sorted(expected)
    assert list(parse_seq_lines(f"{word}\r\n" for word in words)) == sorted(expected)


def test_numbers_and_texts_may_stand_side_by_side():
    assert list(parse_seqs([3, "1-2, 9", " 5 ", 3])) == [1, 2, 3, 5, 9]


def test_empty_lines_of_a_file_do_not_count():
    assert list(parse_seq_lines(["\n", "7, 5\n", " \r\n", "1-2"])) == [1, 2, 5, 7]


def test_the_ends_of_the_range_of_seqs_belong_to_it():
    parsed = parse_seqs(["1-1", LAST_SEQ])

    assert list(parsed) == [1, 4_294_967_295]


@pytest.mark.parametrize("text", ["1-10000000", f"1-{LAST_SEQ}"])
def test_a_range_of_any_size_takes_little_memory(text):
    tracemalloc.start()
    parsed = parse_seqs([text])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(parsed) == int(text.split("-")[1])
    assert peak < 2**20


def test_a_set_is_iterated_over_as_often_as_one_likes():
    parsed = parse_seqs(["1-3"])

    assert list(parsed) == list(parsed) == [1, 2, 3]


@pytest.mark.parametrize("value", [0, -1, LAST_SEQ + 1, 1.0, True, None, b"1", [1], {"MsgSeq": 1}, 10**30])
def test_what_is_no_seq_is_refused(value):
    with pytest.raises(ValueError, match="whole number from 1 to 4294967295"):
        check_seq(value)
    with pytest.raises(ValueError, match="whole number from 1 to 4294967295"):
        parse_seqs([5, value])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1, two, 3", "'two'"),
        ("1,,2", "''"),
        ("", "''"),
        (" ", "''"),
        ("1-", "'1-'"),
        ("-3", "'-3'"),
        ("1--3", "'1--3'"),
        ("1-2-3", "'1-2-3'"),
        ("1 2", "'1 2'"),
        ("1;2", "'1;2'"),
        ("1.0", "'1.0'"),
        ("1_000", "'1_000'"),
        ("0x10", "'0x10'"),
        ("１", "'１'"),
        ("+1", "'\\+1'"),
        ("99999999999", "'99999999999'"),
        ("5-1", "5-1 runs backwards"),
        ("0", "not 0"),
        ("0-5", "not 0"),
        ("4294967296", "not 4294967296"),
        ("1-4294967296", "not 4294967296"),
    ],
)
def test_the_part_that_is_no_seq_is_named(text, named):
    with pytest.raises(ValueError, match=named):
        parse_seqs([text])
    if text.strip():
        with pytest.raises(ValueError, match=f"line 2: .*{named}"):
            parse_seq_lines(["1\n", f"{text}\n"])


def test_of_a_long_part_only_the_beginning_is_shown():
    with pytest.raises(ValueError, match="neither a seq") as caught:
        parse_seqs(["x" * 100_000])

    assert len(str(caught.value)) < 200


def test_a_range_that_is_refused_adds_nothing():
    chosen = SeqSet()
    for first, last in ((0, 5), (5, 1), (1, LAST_SEQ + 1), (1.0, 2)):
        with pytest.raises(ValueError, match=r"whole number|backwards"):
            chosen.add(first, last)

    assert len(chosen) == 0


# --- ranges, windows, and taking out ---


@settings(deadline=None)
@given(st.sets(st.one_of(st.integers(1, 60), st.integers(LAST_SEQ - 30, LAST_SEQ))))
def test_ranges_are_as_long_as_they_can_be_and_hold_every_seq_once(numbers):
    found = list(parse_seqs(numbers).ranges())

    assert [seq for first, last in found for seq in range(first, last + 1)] == sorted(numbers)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(found))


@settings(deadline=None)
@given(st.lists(st.one_of(seqs, ranges)))
def test_text_of_a_set_is_read_back_to_the_same_set(parts):
    chosen = SeqSet()
    for part in parts:
        chosen.add(*(part if isinstance(part, tuple) else (part, part)))

    text = chosen.to_text()
    assert list(parse_seqs([text]) if text else SeqSet()) == list(chosen)


def test_text_of_a_set_is_what_a_person_would_write():
    assert parse_seqs([777, "1-500", LAST_SEQ, "3-4"]).to_text() == "1-500, 777, 4294967295"
    assert parse_seqs(["1-2", 4]).to_text() == "1-2, 4"
    assert SeqSet().to_text() == ""


@settings(deadline=None)
@given(st.sets(seqs, max_size=30), st.lists(seqs, max_size=10))
def test_what_is_taken_out_is_gone_and_the_rest_is_there(numbers, taken):
    chosen = parse_seqs(numbers)
    for seq in taken:
        chosen.discard(seq)

    left = numbers - set(taken)
    assert list(chosen) == sorted(left)
    assert all((seq in chosen) is (seq in left) for seq in [*numbers, *taken, 1, LAST_SEQ])


@settings(deadline=None)
@given(st.sets(seqs | st.integers(1, 60), max_size=60), st.integers(1, 40))
def test_windows_hold_every_seq_in_order_and_none_spans_too_much(numbers, span):
    found = list(windows(sorted(numbers), span))

    assert [seq for window in found for seq in window] == sorted(numbers)
    assert all(window[-1] - window[0] < span for window in found)
    # No window could have taken the first seq of the next one.
    assert all(later[0] - earlier[0] >= span for earlier, later in pairwise(found))


def test_windows_are_made_while_the_seqs_come():
    made = windows(iter(range(1, 10**9)), 20)

    assert next(made) == list(range(1, 21))
    assert next(made) == list(range(21, 41))


@pytest.mark.parametrize(("value", "shown"), [("text", "str"), (None, "NoneType"), (True, "bool"), (-5, "-5")])
def test_of_what_is_no_seq_only_a_number_is_shown(value, shown):
    with pytest.raises(ValueError, match=f"not {shown}$"):
        check_seq(value)
