"""The count of one row: what is known of every message, the first reason, and what the report says of it."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.client.errors import (
    TencentIMAuthError,
    TencentIMNotFoundError,
    TencentIMPermissionError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.retention.archive import ArchivedFile
from airflow_provider_tencentim.retention.outcome import COUNTS, Outcome, add_up
from airflow_provider_tencentim.retention.plan import PlanRow

LASTING, PASSING = 10010, 10002
LOST = TencentIMTransientError("recall", None, "no route")
ROW = PlanRow(group="room-1", action="recall", through=9, ranges="1-9", messages=9)


def test_the_first_reason_stays():
    outcome = Outcome(requested=5, done=1, already=1, missing=1)
    assert outcome.failed == 2
    outcome.note(LASTING, "first")
    outcome.note(PASSING, "second")
    assert (outcome.code, outcome.reason) == (LASTING, "first")


def test_an_error_is_told_in_the_words_of_its_code_or_in_its_own():
    gone, lost = Outcome(), Outcome()
    gone.end(TencentIMNotFoundError("recall", LASTING, "info"))
    lost.end(LOST)

    assert (gone.code, gone.reason) == (LASTING, "the group does not exist or was dissolved")
    assert (lost.code, lost.reason) == (None, "no route")
    assert (gone.failed_for_now, lost.failed_for_now, Outcome().failed_for_now) == (False, True, False)
    assert not any(outcome.failed_everywhere for outcome in (gone, lost, Outcome()))


@pytest.mark.parametrize(
    ("error", "for_now", "everywhere"),
    [
        (LOST, True, False),
        (TencentIMTransientError("recall", PASSING, ""), True, False),
        (TencentIMNotFoundError("recall", LASTING, ""), False, False),
        (TencentIMAuthError("recall", 70003, ""), False, True),
        (TencentIMPermissionError("recall", None, "not allowed here"), False, True),
    ],
)
def test_an_error_is_of_this_row_or_of_the_service_or_of_every_row(error, for_now, everywhere):
    outcome = Outcome(requested=2)
    outcome.end(error)

    assert outcome.error is error
    assert (outcome.failed_for_now, outcome.failed_everywhere) == (for_now, everywhere)


def test_the_error_that_ends_a_row_does_not_hide_the_reason_before_it():
    outcome = Outcome(requested=2)
    outcome.note(LASTING, "gone")
    outcome.end(LOST)

    assert (outcome.code, outcome.reason, outcome.error) == (LASTING, "gone", LOST)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"code": PASSING, "reason": "busy"}, "transient"),
        ({"code": 10006, "reason": "busy"}, "rate limited"),
        ({"reason": "lost"}, "transient"),
        ({"code": LASTING, "reason": "gone"}, None),
        ({"done": 1, "reason": "lost"}, None),
        ({"already": 1, "reason": "lost"}, None),
        ({"missing": 2, "reason": "lost"}, None),
        ({}, None),
    ],
)
def test_a_row_of_which_nothing_was_done_for_now_ends_with_that_reason(fields, kind):
    outcome = Outcome(requested=2, **fields)
    outcome.end_if_nothing_worked("recall")

    assert (outcome.error.kind.value if outcome.error else None) == kind
    if kind:
        assert (outcome.error.command, outcome.error.code, outcome.error.info) == (
            "recall",
            outcome.code,
            outcome.reason,
        )


def test_an_error_that_is_known_stays():
    outcome = Outcome(requested=2, reason="busy", code=PASSING, error=LOST)
    outcome.end_if_nothing_worked("recall")
    assert outcome.error is LOST


def test_the_row_of_the_report():
    row = PlanRow(pair=("a", "b"), action="recall", keys={"a": ("1_2_3",)}, messages=1)
    counts = {"requested": 1, "done": 0, "already": 0, "missing": 0, "failed": 1, "calls": 2}

    assert Outcome(requested=1, calls=2, code=7, reason="why", skip="x").to_dict(row) == {
        "pair": ["a", "b"],
        "action": "recall",
        **counts,
        "code": 7,
        "reason": "why",
        "skipped": "x",
    }
    archived = [ArchivedFile(name, "room-1", 9, "1-9", "0" * 64, 5) for name in ("1.gz", "1-2.gz")]
    assert Outcome(requested=1, calls=2, archived=archived).to_dict(ROW) == {
        "group": "room-1",
        "action": "recall",
        "through": 9,
        **counts,
        "archive": ["1.gz", "1-2.gz"],
    }


def test_counts_add_up():
    totals = dict.fromkeys(COUNTS, 1)
    add_up(
        totals,
        [
            Outcome(requested=9, done=6, already=2, missing=1, calls=3),
            Outcome(requested=9, done=4, calls=2, code=PASSING, reason="why"),
        ],
    )
    assert totals == {"requested": 19, "done": 11, "already": 3, "missing": 2, "failed": 6, "calls": 6}
