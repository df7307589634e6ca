"""Carries out one row of a plan on a group: archive first, then clear, recall or overwrite, and count every message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

from airflow_provider_tencentim.client.arguments import group_fields
from airflow_provider_tencentim.client.bulk import Item, Result, Spread, in_turn, side_by_side
from airflow_provider_tencentim.client.caller import Caller
from airflow_provider_tencentim.client.errors import TencentIMCancelledError, TencentIMError, is_everywhere
from airflow_provider_tencentim.client.recall import FAILED_CALLS_IN_A_ROW, RECALL, GroupRecall, RecallResult
from airflow_provider_tencentim.client.seqs import SeqSet, parse_seqs, windows

from .archive import Archive, group_message
from .counted import CountedClient
from .history import HISTORY, PAGE, Entry, GroupHistory
from .outcome import Outcome
from .plan import PlanRow
from .policy import RetentionPolicy

# A row of more calls is carried out by itself, its calls side by side; shorter rows are, side by side.
_LONG_ROW = 10
_CALLS_PER_MESSAGE = {"clear": 0.0, "recall": 0.1, "redact": 1.0, "redact_and_recall": 1.1}
_COMMANDS = {
    "clear": "group_open_http_svc/clear_group_msg",
    "recall": RECALL,
    "redact": "openim/modify_group_msg",
    "redact_and_recall": "openim/modify_group_msg",
}
_RECALLED = 2


class GroupActions:
    """Carries out the rows of a plan.

    :param client: sends the calls.
    :param policy: the plan's, for what messages are overwritten with.
    :param archive: where messages are kept before they go; None for nowhere.
    """

    def __init__(self, client: Caller, policy: RetentionPolicy, archive: Archive | None) -> None:
        self._client = client
        self._policy = policy
        self._archive = archive

    def in_flight_wanted(self) -> int:
        """Return how many rows have to be under way at once for the pace to be kept."""
        return self._client.in_flight_wanted(_COMMANDS[self._policy.action])

    def is_long(self, row: PlanRow) -> bool:
        """Tell whether a row is worth a run of its own.

        :param row: of a plan.
        """
        calls = row.messages * _CALLS_PER_MESSAGE[row.action or "clear"]
        if self._archive:
            calls += row.messages / PAGE
        return calls > _LONG_ROW

    def carry_out(self, number: int, row: PlanRow, wide: bool) -> Outcome:
        """Do what a row says, and count what became of it.

        :param number: the row's, which names its archive.
        :param row: of a plan.
        :param wide: whether its calls are sent side by side.
        :raises TencentIMCancelledError: when the task was stopped; then nothing is known of this row.
        """
        client = CountedClient(self._client)
        outcome = Outcome(requested=row.messages)
        work = _Work(client, row, self._policy.for_group(row.group or ""), outcome, side_by_side if wide else in_turn)
        try:
            if self._archive is None or work.keep(self._archive, number):
                work.act()
                outcome.end_if_nothing_worked(_COMMANDS[row.action or "clear"])
        except TencentIMCancelledError:
            raise
        except TencentIMError as error:
            outcome.end(error)
        outcome.calls = client.calls
        return outcome


class _Work:
    """One row while it is carried out."""

    def __init__(
        self, client: CountedClient, row: PlanRow, policy: RetentionPolicy, outcome: Outcome, spread: Spread
    ) -> None:
        self._client = client
        self._row = row
        self._group = row.group or ""
        self._policy = policy
        self._outcome = outcome
        self._spread = spread
        self._seqs = parse_seqs([row.ranges]) if row.ranges else SeqSet()
        self._history = GroupHistory(client, self._group)

    def act(self) -> None:
        match self._row.action:
            case "clear":
                self._client.clear_group_msg(self._group, self._row.through)
                self._outcome.done = self._outcome.requested - self._outcome.missing
            case "recall":
                self._recall(self._seqs)
            case "redact":
                self._outcome.done += len(self._redact(self._seqs))
            case "redact_and_recall":
                # What could not be overwritten keeps its content: it is not withdrawn, so that a retry finds it.
                overwritten = self._redact(self._seqs)
                if self._outcome.error is None:
                    self._recall(overwritten)

    def _side_by_side(
        self, command: str, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        size = partial(self._client.in_flight_wanted, command)
        return self._spread(function, items, self._client.cancel, size=size)

    # --- archive

    def keep(self, archive: Archive, number: int) -> bool:
        """Write what is about to go into the archive, and tell whether the group may be touched."""
        kept = SeqSet()
        try:
            self._outcome.archived = archive.earlier(number, self._group)
            messages = self._prefix() if self._row.ranges is None else self._still_there()
            first = next(messages, None)
            if first is not None:
                entries = map(partial(_note, kept), chain([first], messages))
                laid_out = (group_message(self._group, entry) for entry in entries)
                file = archive.write(number, "Group", self._group, self._row.newest, laid_out)
                self._outcome.archived.append(file)
        except OSError as error:
            self._outcome.note(None, f"not touched, since its archive is not complete: {error}")
            return False
        if self._row.ranges is None:
            # Of the MsgSeqs that were planned, it is known by now which ones are messages.
            self._outcome.missing = self._row.messages - len(kept)
        else:
            self._seqs = kept
        return True

    def _prefix(self) -> Iterator[Entry]:
        through, lower = self._row.through, self._row.lower
        if self._spread is side_by_side:
            entries = self._history.walk_wide(through, lower, self._client.cancel)
        else:
            entries = self._history.walk(through, lower)
        return (entry for entry in entries if entry.place == 0)

    def _still_there(self) -> Iterator[Entry]:
        """Yield the planned messages that can be kept, and count those that are gone already."""
        batches = windows(self._seqs, PAGE)
        for window, entries in self._side_by_side(HISTORY, self._read, batches):
            shown = {entry.seq: entry for entry in entries}
            for seq in window:
                entry = shown.get(seq)
                if entry is not None and entry.place == 0:
                    yield entry
                else:
                    self._count_gone(entry)

    def _read(self, window: list[int]) -> tuple[list[int], list[Entry]]:
        return window, self._history.window(window[0], window[-1])

    def _count_gone(self, entry: Entry | None) -> None:
        """Count a message that is no longer there: a recall finds its work done, an overwrite finds nothing."""
        if entry is not None and entry.place == _RECALLED and self._row.action != "redact":
            self._outcome.already += 1
        else:
            self._outcome.missing += 1

    # --- recall, redact

    def _recall(self, seqs: SeqSet) -> None:
        results = GroupRecall(self._client, group_fields(self._group), {}, self._spread).run(seqs)
        for result in results:
            self._count(result)

    def _count(self, result: RecallResult) -> None:
        match result.outcome:
            case "recalled":
                self._outcome.done += 1
            case "already_recalled":
                self._outcome.already += 1
            case "missing":
                self._outcome.missing += 1
            case _:
                self._outcome.note(result.code, result.reason)

    def _redact(self, seqs: Iterable[int]) -> SeqSet:
        """Overwrite messages, and return those that now are."""
        done, failed_calls = SeqSet(), 0
        for seq, error in self._side_by_side(_COMMANDS["redact"], self._overwrite, self._until_ended(seqs)):
            if error is None:
                done.add(seq, seq)
                failed_calls = 0
            elif isinstance(error, TencentIMCancelledError):
                raise error
            elif self._outcome.error is not None:
                self._outcome.note_error(error)
            elif error.lasting and not is_everywhere(error):
                self._look_again(seq, error)
            else:
                failed_calls += 1
                self._outcome.note_error(error)
                if error.lasting or failed_calls == FAILED_CALLS_IN_A_ROW:
                    self._outcome.end(error)
        return done

    def _until_ended(self, seqs: Iterable[int]) -> Iterator[int]:
        """Yield seqs until an error ends the row; what is under way then is still counted."""
        for seq in seqs:
            if self._outcome.error is not None:
                return
            yield seq

    def _overwrite(self, seq: int) -> tuple[int, TencentIMError | None]:
        replacement = self._policy.replacement
        if replacement is None:
            raise ValueError("the plan overwrites messages, and does not say with what")
        try:
            self._client.modify_group_msg(self._group, seq, replacement.msg_body, replacement.cloud_custom_data)
        except TencentIMError as error:
            return seq, error
        return seq, None

    def _look_again(self, seq: int, error: TencentIMError) -> None:
        """Judge a message that could not be overwritten by what the history shows of it; without that, the row ends."""
        try:
            shown = self._history.window(seq, seq)
        except TencentIMCancelledError:
            raise
        except TencentIMError as unread:
            self._outcome.note_error(error)
            self._outcome.end(unread)
            return
        if shown and shown[0].place == 0:
            self._outcome.note_error(error)
        else:
            self._count_gone(shown[0] if shown else None)


def _note(seqs: SeqSet, entry: Entry) -> Entry:
    seqs.add(entry.seq, entry.seq)
    return entry
