"""The count of a recall: what was not seen to be done is never counted as done."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.client.recall import RECALL, RecallResult
from airflow_provider_tencentim.operators.tally import RecallTally


def tally(requested, *results, **options):
    made = RecallTally(requested, **options)
    for result in results:
        made.add(result)
    return made


def missing(seq):
    return RecallResult(seq, "missing", 10030, "the message does not exist")


def failed(seq, code=10002, reason="internal error of the service"):
    return RecallResult(seq, "failed", code, reason)


DONE = (RecallResult(1, "recalled"), RecallResult(2, "recalled"), RecallResult(3, "already_recalled", 10032))
EMPTY = {"recalled": 0, "already_recalled": 0, "missing": 0, "first_missing": [], "first_failed": []}


def test_every_outcome_is_counted_and_listed_where_it_belongs():
    summary = tally(7, *DONE, missing(5), missing(4), failed(6), failed(7, None, "no word of it")).summary()

    assert list(summary) == [
        *("requested", "recalled", "already_recalled", "missing", "failed"),
        *("first_missing", "first_failed"),
    ]
    assert summary == {
        "requested": 7,
        "recalled": 2,
        "already_recalled": 1,
        "missing": 2,
        "failed": 2,
        "first_missing": [4, 5],
        "first_failed": [
            {"msg_seq": 6, "code": 10002, "reason": "internal error of the service"},
            {"msg_seq": 7, "code": None, "reason": "no word of it"},
        ],
    }


def test_what_no_result_was_seen_for_failed():
    assert tally(9).summary() == EMPTY | {"requested": 9, "failed": 9}
    assert tally(9, *DONE, missing(4)).summary()["failed"] == 5


def test_a_dry_run_counts_what_could_be_recalled_and_nothing_as_recalled():
    looked_up = tally(4, RecallResult(1, "recallable"), RecallResult(2, "recallable"), missing(3), dry_run=True)

    assert looked_up.summary() == EMPTY | {
        "requested": 4,
        "missing": 1,
        "failed": 1,
        "first_missing": [3],
        "dry_run": True,
        "recallable": 2,
    }
    assert str(looked_up) == "2 of 4 messages recallable, 0 already recalled, 1 missing, 1 failed"


def test_a_tally_in_words():
    assert str(tally(7, *DONE, missing(4), failed(5))) == (
        "2 of 7 messages recalled, 1 already recalled, 1 missing, 3 failed"
    )


@pytest.mark.parametrize(("make", "name"), [(missing, "first_missing"), (failed, "first_failed")])
def test_of_many_the_lowest_hundred_are_listed_in_whatever_order_they_come(make, name):
    summary = tally(150, *(make(seq) for seq in (*range(80, 151), *range(79, 0, -1)))).summary()

    listed = [entry["msg_seq"] if isinstance(entry, dict) else entry for entry in summary[name]]
    assert listed == list(range(1, 101))
    assert summary[name.removeprefix("first_")] == 150


def test_what_is_done_is_no_error():
    assert tally(3, *DONE).error("group room", False) is None
    assert tally(4, *DONE, missing(4)).error("group room", True) is None


def test_an_error_counts_and_names_what_is_not_done():
    error = tally(5, *DONE, missing(4), failed(5, None, "no word of it")).error("group room", False)

    assert (error.command, error.code, error.lasting) == (RECALL, 10030, False)
    assert error.info == (
        "group room: 2 of 5 messages recalled, 1 already recalled, 1 missing, 1 failed. "
        "Not recalled: 4: 10030 (the message does not exist); 5: no word of it"
    )


def test_missing_messages_are_left_out_of_an_error_when_they_are_allowed():
    error = tally(3, missing(1), failed(2, 10007, "no permission")).error("group room", True)

    assert error.code == 10007
    assert error.info.endswith("Not recalled: 2: 10007 (no permission)")


@pytest.mark.parametrize(
    ("results", "lasting"),
    [
        ([missing(1)], True),
        ([failed(1, 10007)], True),
        ([failed(1, 10002)], False),
        ([failed(1, None)], False),
        ([failed(1, 10002), failed(2, 10007)], False),
        ([failed(1, 10007), failed(2, 10002)], False),
        ([failed(1, 10007), missing(2)], True),
    ],
)
def test_an_error_lasts_when_no_retry_can_heal_any_of_it(results, lasting):
    assert tally(len(results), *results).error("group room", False).lasting is lasting


@pytest.mark.parametrize(("count", "ending"), [(19, "19: x"), (20, "20: x"), (21, "20: x and 1 more")])
def test_an_error_names_twenty_and_counts_the_others(count, ending):
    results = [failed(seq, 0, "x") for seq in range(1, count + 1)]
    assert tally(count, *results).error("group room", False).info.endswith(f"; {ending}")
    assert tally(count, missing(99), *results).error("group room", True).info.endswith(f"; {ending}")


def test_missing_and_failed_ones_are_counted_together_beyond_twenty():
    results = [*map(missing, range(1, 16)), *map(failed, range(16, 31))]
    assert tally(30, *results).error("group room", False).info.endswith(" and 10 more")
    assert tally(130, *map(missing, range(1, 131))).error("group room", False).info.endswith(" and 110 more")


def test_nothing_requested_is_nothing_to_complain_of():
    assert tally(0).error("group room", False) is None
