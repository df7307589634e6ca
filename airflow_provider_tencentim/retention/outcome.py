"""What became of a row of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_tencentim.client.errors import (
    Kind,
    TencentIMError,
    TencentIMTransientError,
    error_for,
    explain,
    is_everywhere,
)

from .archive import ArchivedFile
from .plan import PlanRow

#: Of every row, and of all together.
COUNTS = ("requested", "done", "already", "missing", "failed", "calls")


@dataclass(slots=True)
class Outcome:
    """The count of one row: ``requested`` is always the sum of the next four.

    :param requested: how many messages were meant at most.
    :param done: how many were cleared, recalled or overwritten now.
    :param already: how many were so before.
    :param missing: how many are no longer there.
    :param calls: how many calls it took.
    :param code: the first ErrorCode that came back for what failed.
    :param reason: why it failed, in words.
    :param skip: why nothing was tried; None when something was.
    :param archived: the files in which its messages were kept before.
    :param error: what ended the row before its end.
    """

    requested: int = 0
    done: int = 0
    already: int = 0
    missing: int = 0
    calls: int = 0
    code: int | None = None
    reason: str = ""
    skip: str | None = None
    archived: list[ArchivedFile] = field(default_factory=list)
    error: TencentIMError | None = None

    @property
    def failed(self) -> int:
        """How many were not done: all that nothing else is known of."""
        return self.requested - self.done - self.already - self.missing

    @property
    def failed_everywhere(self) -> bool:
        """Whether every other row would fail as this one did."""
        return self.error is not None and is_everywhere(self.error)

    @property
    def failed_for_now(self) -> bool:
        """Whether the service or the network is at fault, and not this row."""
        return self.error is not None and not self.error.lasting

    def note(self, code: int | None, reason: str) -> None:
        """Keep the first reason for which something failed.

        :param code: the ErrorCode, if any.
        :param reason: in words.
        """
        if not self.reason:
            self.code, self.reason = code, reason

    def note_error(self, error: TencentIMError) -> None:
        """Keep an error as the reason, if it is the first.

        :param error: of one message, say.
        """
        self.note(error.code, explain(error.code) if error.code else error.info)

    def end(self, error: TencentIMError) -> None:
        """Note the error behind which nothing more was tried.

        :param error: it counts as the reason for all that was not done.
        """
        self.error = error
        self.note_error(error)

    def end_if_nothing_worked(self, command: str) -> None:
        """Take a row of which nothing was done, for a reason that may pass, as one that this reason ended.

        :param command: that was sent.
        """
        if self.error is None and self.reason and self.failed and not (self.done or self.already):
            if self.code is None:
                self.error = TencentIMTransientError(command, None, self.reason)
            elif (error := error_for(command, self.code, self.reason)).kind in (Kind.TRANSIENT, Kind.RATE_LIMITED):
                self.error = error

    def to_dict(self, row: PlanRow) -> dict[str, Any]:
        """Return the row of the report.

        :param row: of the plan.
        """
        names: dict[str, Any] = {"group": row.group} if row.group is not None else {"pair": list(row.pair or ())}
        report = names | {
            "action": row.action,
            "through": row.through or None,
            **{name: getattr(self, name) for name in COUNTS},
            "code": self.code,
            "reason": self.reason or None,
            "skipped": self.skip,
            "archive": [file.file for file in self.archived] or None,
        }
        return {name: value for name, value in report.items() if value is not None}


def add_up(totals: dict[str, int], outcomes: Iterable[Outcome]) -> None:
    """Add the counts of rows to totals.

    :param totals: by the names of the counts.
    :param outcomes: the rows.
    """
    for outcome in outcomes:
        for name in COUNTS:
            totals[name] += getattr(outcome, name)
