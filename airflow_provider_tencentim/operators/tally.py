"""The count of a recall: for XCom, for the log and for the error of a task that is not done."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_tencentim.client.errors import TencentIMError
    from airflow_provider_tencentim.client.recall import RecallResult

# XCom is a database column, and an error is read by a person.
_LISTED_IN_XCOM = 100
_LISTED_IN_ERROR = 20


class RecallTally:
    """Counts results; what no result was seen for counts as failed.

    :param requested: the number of different MsgSeqs.
    :param dry_run: whether they were only looked up.
    """

    def __init__(self, requested: int, dry_run: bool = False) -> None:
        self._requested = requested
        self._dry_run = dry_run
        self._counts: Counter[str] = Counter()
        self._missing: list[RecallResult] = []
        self._failed: list[RecallResult] = []
        self._may_heal = False

    def add(self, result: RecallResult) -> None:
        """Count one result.

        :param result: of one MsgSeq.
        """
        from airflow_provider_tencentim.client.errors import is_lasting

        self._counts[result.outcome] += 1
        if result.outcome == "missing":
            _keep(self._missing, result)
        elif result.outcome == "failed":
            _keep(self._failed, result)
            self._may_heal = self._may_heal or not is_lasting(result.code)

    def summary(self) -> dict[str, Any]:
        """Return what goes to XCom: ``requested`` is the sum of the four counts behind it."""
        counts = {name: self._counts[name] for name in ("recalled", "already_recalled", "missing")}
        recallable = {"dry_run": True, "recallable": self._counts["recallable"]} if self._dry_run else {}
        known = sum(counts.values()) + self._counts["recallable"]
        return {
            "requested": self._requested,
            **counts,
            "failed": self._requested - known,
            "first_missing": [result.msg_seq for result in self._missing],
            "first_failed": [
                {"msg_seq": result.msg_seq, "code": result.code, "reason": result.reason} for result in self._failed
            ],
            **recallable,
        }

    def error(self, where: str, missing_ok: bool) -> TencentIMError | None:
        """Return the error of a task that is not done, or None.

        :param where: the group, in words.
        :param missing_ok: whether messages that do not exist are no error.
        """
        from airflow_provider_tencentim.client.errors import TencentIMPartialError
        from airflow_provider_tencentim.client.recall import RECALL

        not_done = self._failed if missing_ok else [*self._missing, *self._failed]
        if not not_done:
            return None
        listed = "; ".join(
            f"{result.msg_seq}: {result.code} ({result.reason})"
            if result.code
            else f"{result.msg_seq}: {result.reason}"
            for result in not_done[:_LISTED_IN_ERROR]
        )
        more = self._counts["failed"] + (0 if missing_ok else self._counts["missing"]) - _LISTED_IN_ERROR
        info = f"{where}: {self}. Not recalled: {listed}{f' and {more} more' if more > 0 else ''}"
        return TencentIMPartialError(RECALL, not_done[0].code, info, lasting=not self._may_heal)

    def __str__(self) -> str:
        counts = self.summary()
        done = "recallable" if self._dry_run else "recalled"
        return (
            f"{counts[done]} of {counts['requested']} messages {done}, {counts['already_recalled']} already recalled, "
            f"{counts['missing']} missing, {counts['failed']} failed"
        )


def _keep(results: list[RecallResult], result: RecallResult) -> None:
    """Keep the results of the lowest MsgSeqs: they come in no order."""
    insort(results, result, key=lambda kept: kept.msg_seq)
    del results[_LISTED_IN_XCOM:]
