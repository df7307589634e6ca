"""The books of a sweep: the report, the archive's manifest, the state, and how far it came."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.client.errors import is_lasting

from .files import Folder, Parts, to_json, write_file
from .outcome import COUNTS, Outcome, add_up
from .plan import Plan, PlanRow
from .progress import Progress, Store
from .state import State

log = logging.getLogger(__name__)

_SUMMARY = "summary.json"
_LISTED = 20


class Ledger:
    """Notes what became of each row, in the order of the plan.

    What is done is written once, whatever the number of tries; what failed is written anew by every try.

    :param plan: that is carried out.
    :param store: keeps the progress for the next try.
    :param report: the folder of the report, or None.
    :param archive: the folder of the archive, or None.
    :param state: how far each group is done, or None.
    :raises OSError: when the report cannot be written; nothing was touched then.
    """

    def __init__(
        self, plan: Plan, store: Store, report: Folder | None, archive: Folder | None, state: State | None
    ) -> None:
        self.progress = Progress.from_dict(plan.digest, store.load())
        if self.progress.next > plan.header.rows:  # of no try of this plan
            self.progress = Progress(plan.digest)
        self._plan = plan
        self._store = store
        self._state = state
        self._report = report
        self._books = [
            _Book(report, "report", self.progress.reports),
            _Book(archive, "manifest", self.progress.manifests),
        ]
        self._failed = dict.fromkeys(COUNTS, 0)
        self._first_failed: list[str] = []
        self._first_code: int | None = None
        self._may_heal = False
        self._can_be_resumed = True
        self.write_summary("running")
        # Of the manifest nothing is taken away: its files are there, whatever becomes of their rows.
        self._books[0].begin()

    def is_due(self, number: int) -> bool:
        """Tell whether a row is still to be carried out.

        :param number: of the row, from 1.
        """
        return number > self.progress.next or number in self.progress.failed

    def record(self, number: int, row: PlanRow, outcome: Outcome) -> None:
        """Note what became of a row.

        :param number: of the row, from 1; rows come in rising order.
        :param row: of the plan.
        :param outcome: its count.
        """
        failed = outcome.failed > 0 or outcome.error is not None
        if number > self.progress.next + 1:
            # A stop or an error took the rows between, and those behind them were done: the next try does the former.
            self.progress.failed.add(self.progress.next + 1, number - 1)
        if row.action is not None:
            self._books[0].add(outcome.to_dict(row), failed)
            for file in outcome.archived:
                self._books[1].add(file.to_dict(), failed)
        if failed:
            self._note_failure(number, row, outcome)
        else:
            self.progress.failed.discard(number)
            add_up(self.progress.totals, [outcome])
            if self._state is not None and outcome.skip is None:
                self._state.record(row)
        if outcome.skip is not None:
            self.progress.skipped[outcome.skip] = self.progress.skipped.get(outcome.skip, 0) + 1
        self.progress.next = max(self.progress.next, number)

    def save(self) -> None:
        """Store all that was noted: first what is done, then how far that is.

        :raises OSError: when the report or the state cannot be written.
        :raises ValueError: when the stored state is not as it should be.
        """
        if self._state is not None:
            self._state.save()
        for book in self._books:
            book.flush()
        self.progress.reports, self.progress.manifests = (book.written for book in self._books)
        self._keep(lambda: self._store.save(self.progress.to_dict()))

    def finish(self) -> None:
        """Close the books of a run that came to the end of the plan.

        :raises OSError: when the report or the state cannot be written.
        :raises ValueError: when the stored state is not as it should be.
        """
        self.save()
        for book in self._books:
            book.finish()
        self.write_summary("failed" if self.failed_rows else "done")
        if not self.failed_rows:
            self._keep(self._store.clear)

    def stop(self) -> None:
        """Close the books of a run that is about to raise; what cannot be written does not hide why."""
        try:
            self.save()
            self.write_summary("stopped")
        except (OSError, ValueError) as error:
            log.warning("The books of the run could not be closed: %s", error)

    def _keep(self, store: Callable[[], None]) -> None:
        """Store the progress; a run that cannot is no worse for it, a retry only does more again."""
        try:
            store()
        except OSError as error:
            if self._can_be_resumed:
                log.warning("How far the run came cannot be stored, so that a retry begins anew: %s", error)
            self._can_be_resumed = False

    def write_summary(self, status: str) -> None:
        """Write the report's first page.

        :param status: ``running``, ``stopped``, ``failed`` or ``done``.
        :raises OSError: when it cannot be written.
        """
        if self._report is None:
            return
        header = self._plan.header
        page = {
            "status": status,
            "plan": str(self._plan.folder),
            "digest": self._plan.digest,
            "sdkappid": header.sdkappid,
            "chat": header.chat,
            "cut_off": header.cut_off,
            "policy": header.policy,
            "planned_by": header.run,
            "covers": "what earlier runs had not done"
            if header.incremental
            else "everything: it is complete in itself",
            "parts": self._books[0].written,
            "failed_parts": self._books[0].failed_written,
            **self.summary(),
        }
        write_file(self._report / _SUMMARY, to_json(page))

    @property
    def failed_rows(self) -> int:
        """How many rows are not done."""
        return len(self.progress.failed)

    def summary(self) -> dict[str, Any]:
        """Return the counts: ``requested`` is the sum of the next four."""
        totals = {name: self.progress.totals[name] + self._failed[name] for name in COUNTS}
        totals["failed"] = totals["requested"] - totals["done"] - totals["already"] - totals["missing"]
        skipped = Counter(self._plan.header.skipped)
        skipped.update(self.progress.skipped)
        return {
            "groups": self._plan.header.groups,
            "failed_groups": self.failed_rows,
            "skipped": dict(sorted(skipped.items())),
            **totals,
        }

    def failure(self) -> Failure | None:
        """Return what there is to say of the rows that failed, or None."""
        if not self.failed_rows:
            return None
        more = self.failed_rows - len(self._first_failed)
        told = "; ".join(self._first_failed) + (f" and {more} more" if more > 0 else "")
        return Failure(told, self._first_code, lasting=not self._may_heal)

    def _note_failure(self, number: int, row: PlanRow, outcome: Outcome) -> None:
        self.progress.failed.add(number, number)
        add_up(self._failed, [outcome])
        if not self._first_failed:
            self._first_code = outcome.code
        if len(self._first_failed) < _LISTED:
            code = f"{outcome.code} " if outcome.code else ""
            counts = f"{outcome.failed} of {outcome.requested}"
            self._first_failed.append(f"{row.name}: {counts}, {code}({outcome.reason})")
        self._may_heal = self._may_heal or not is_lasting(outcome.code)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a sweep is not done.

    :param told: the first rows that failed, in words.
    :param code: the first ErrorCode.
    :param lasting: whether no retry can help any of them.
    """

    told: str
    code: int | None
    lasting: bool


class _Book:
    """Rows of what is done in parts that stay, and of what failed in parts that the next try writes anew."""

    def __init__(self, folder: Folder | None, prefix: str, written: int) -> None:
        self._folder = folder
        self._prefix = prefix
        self._done = Parts(folder, prefix, written) if folder is not None else None
        self._failed = Parts(folder, f"{prefix}-failed") if folder is not None else None

    def add(self, row: dict[str, Any], failed: bool) -> None:
        if parts := self._failed if failed else self._done:
            parts.add(row)

    def flush(self) -> None:
        for parts in (self._done, self._failed):
            if parts is not None:
                parts.flush()

    def begin(self) -> None:
        """Take away what an earlier try wrote and did not come to note: those rows are done again."""
        if self._done is not None:
            self._done.drop_beyond()

    def finish(self) -> None:
        """Take away what an earlier try wrote of rows that are done by now."""
        if self._failed is not None:
            self._failed.drop_beyond()

    @property
    def written(self) -> int:
        return self._done.written if self._done is not None else 0

    @property
    def failed_written(self) -> int:
        return self._failed.written if self._failed is not None else 0
