"""Carries out a plan: exactly what it says, each row once, from where an earlier try came to."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from airflow_provider_tencentim.client.bulk import runs, side_by_side
from airflow_provider_tencentim.client.group_commands import GroupCommands

from .groups import GROUPS_A_CALL, INFO, GroupFacts, look_up, why_missing
from .ledger import Ledger
from .outcome import Outcome
from .patterns import Patterns
from .plan import Plan, PlanRow

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_SAVES = 5.0
_SECONDS_BETWEEN_LINES = 10.0
_ROWS_BETWEEN_SAVES = 20_000
# Rows that are skipped need no call: so many of both are looked at together.
_LONGEST_BATCH = 1_000
# When so many rows in a row fail although the service was asked again and again, it counts as down.
_FAILED_ROWS_IN_A_ROW = 3
# What was looked at longer ago, while other rows took their time, is looked at again.
_SECONDS_A_LOOK_LASTS = 60.0


class Actions(Protocol):
    """Carries out one row."""

    def in_flight_wanted(self) -> int: ...
    def is_long(self, row: PlanRow) -> bool: ...
    def carry_out(self, number: int, row: PlanRow, wide: bool) -> Outcome: ...


class Sweep:
    """Carries out a plan.

    :param client: reads the groups again before they are touched.
    :param plan: what is to be done.
    :param actions: does it.
    :param holds: groups or accounts that must not be touched, read just now.
    :param ledger: notes what was done.
    """

    def __init__(self, client: GroupCommands, plan: Plan, actions: Actions, holds: Patterns, ledger: Ledger) -> None:
        self._client = client
        self._plan = plan
        self._actions = actions
        self._holds = holds
        self._ledger = ledger
        self._lines = _ProgressLines(plan, ledger)

    def run(self) -> None:
        """Carry out all that is left of the plan; rows that fail do not stop the others.

        :raises ValueError: when the plan is not what it was, before anything is touched.
        :raises TencentIMError: when every other row would fail as well; what was done until then is noted.
        :raises OSError: when the books cannot be written.
        """
        self._plan.verify()
        try:
            self._carry_out()
        except BaseException:
            self._ledger.stop()
            raise
        self._ledger.finish()

    def _carry_out(self) -> None:
        saved, unsaved, failed_in_a_row = time.monotonic(), 0, 0
        for number, row, outcome in self._outcomes():
            self._ledger.record(number, row, outcome)
            self._lines.add(outcome)
            unsaved += 1
            if unsaved == _ROWS_BETWEEN_SAVES or time.monotonic() - saved >= _SECONDS_BETWEEN_SAVES:
                self._ledger.save()
                saved, unsaved = time.monotonic(), 0
            # Rows of which nothing was tried tell nothing of the service.
            if row.action is not None and outcome.skip is None:
                failed_in_a_row = failed_in_a_row + 1 if outcome.failed_for_now else 0
            if outcome.error and (outcome.failed_everywhere or failed_in_a_row == _FAILED_ROWS_IN_A_ROW):
                raise outcome.error

    def _outcomes(self) -> Iterator[tuple[int, PlanRow, Outcome]]:
        for run in side_by_side(
            self._carry_out_short,
            runs(self._checked(), lambda due: due.outcome is None),
            self._client.cancel,
            size=self._actions.in_flight_wanted,
            ordered=True,
        ):
            for due in run:
                outcome = due.outcome or self._carry_out_one(due, wide=True)
                outcome.calls += due.calls
                yield due.number, due.row, outcome

    def _carry_out_short(self, run: list[_Due]) -> list[_Due]:
        """Carry out the row of a run that is not settled, unless it is long enough to be carried out by itself."""
        for due in run:
            if due.outcome is None and not self._actions.is_long(due.row):
                due.outcome = self._carry_out_one(due, wide=False)
        return run

    def _carry_out_one(self, due: _Due, wide: bool) -> Outcome:
        if time.monotonic() - due.looked > _SECONDS_A_LOOK_LASTS:
            self._look_at([due])
        if due.outcome is None:
            due.outcome = self._actions.carry_out(due.number, due.row, wide)
        return due.outcome

    # --- looking again, before a group is touched

    def _checked(self) -> Iterator[_Due]:
        rows = enumerate(self._plan.rows(), start=1)
        due = (_Due(number, row) for number, row in rows if self._ledger.is_due(number))
        for batch in side_by_side(
            self._look_at,
            _batches(due),
            self._client.cancel,
            size=partial(self._client.in_flight_wanted, INFO),
            ordered=True,
        ):
            yield from batch

    def _look_at(self, batch: list[_Due]) -> list[_Due]:
        """Settle the rows that are to be left alone, by what the service says of their groups now."""
        for due in batch:
            if due.row.action is None:
                due.outcome = Outcome()
            elif self._is_held(due.row):
                due.outcome = Outcome(skip="held")
            due.looked = time.monotonic()
        asked = {due.row.group: due for due in reversed(batch) if due.outcome is None and due.row.group is not None}
        if asked:
            infos = look_up(self._client, sorted(asked))
            next(iter(asked.values())).calls += 1
            for due in batch:
                if due.outcome is None and due.row.group is not None:
                    reason = _why_not(due.row, infos[due.row.group])
                    due.outcome = Outcome(skip=reason) if reason else None
        return batch

    def _is_held(self, row: PlanRow) -> bool:
        return any(map(self._holds.matches, (row.group,) if row.group is not None else row.pair or ()))


@dataclass(slots=True)
class _Due:
    """A row whose turn comes.

    :param number: of the row, from 1.
    :param row: of the plan.
    :param outcome: what became of it, once that is known.
    :param calls: that it took to look at its group again.
    :param looked: when that was.
    """

    number: int
    row: PlanRow
    outcome: Outcome | None = None
    calls: int = 0
    looked: float = 0.0


def _batches(due: Iterable[_Due]) -> Iterator[list[_Due]]:
    """Group rows so that one call tells of all groups in a batch."""
    batch: list[_Due] = []
    asked = 0
    for one in due:
        batch.append(one)
        asked += one.row.action is not None
        if asked == GROUPS_A_CALL or len(batch) == _LONGEST_BATCH:
            yield batch
            batch, asked = [], 0
    if batch:
        yield batch


def _why_not(row: PlanRow, info: dict[str, Any]) -> str | None:
    """Return why a group is not the one that was planned, or None."""
    if reason := why_missing(info):
        return reason
    facts = GroupFacts.of(info)
    if facts.created is None or facts.created != row.create_time:
        return "made_anew"
    if facts.type != row.type:
        return "type_changed"
    return "history_shrank" if (facts.newest or 0) < row.through else None


class _ProgressLines:
    """A line in the log every few seconds: how far, how fast, how long still."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._started = self._shown = time.monotonic()
        self._calls = self._messages = self._groups = 0

    def add(self, outcome: Outcome) -> None:
        self._calls += outcome.calls
        self._messages += outcome.requested
        self._groups += outcome.requested > 0
        if (now := time.monotonic()) - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown = now
            self._show(now - self._started)

    def _show(self, seconds: float) -> None:
        header = self._plan.header
        rows, done = header.rows, self._ledger.progress.next
        messages = self._ledger.progress.totals["requested"]
        left = max(0, header.messages - messages)
        log.info(
            "Row %s of %s: %s groups, %s messages, %.0f calls/s, %s left",
            f"{done:,}",
            f"{rows:,}",
            f"{self._groups:,}",
            f"{self._messages:,}",
            self._calls / seconds,
            f"about {left / self._messages * seconds / 60:.0f} min" if self._messages else "unknown",
        )
