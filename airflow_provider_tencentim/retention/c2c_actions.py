"""Carries out one row of a plan on a one-to-one conversation: archive first, then recall or overwrite, and count."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from airflow_provider_tencentim.client.bulk import Spread, in_turn, side_by_side
from airflow_provider_tencentim.client.caller import Caller
from airflow_provider_tencentim.client.errors import Kind, TencentIMCancelledError, TencentIMError, is_everywhere
from airflow_provider_tencentim.client.recall import FAILED_CALLS_IN_A_ROW

from .archive import Archive
from .c2c_history import Letter, read_letters
from .c2c_policy import C2CRetentionPolicy
from .counted import CountedClient
from .outcome import Outcome
from .plan import PlanRow

_LONG_ROW = 10
_ALREADY_RECALLED = 20023
_COMMANDS = {"recall": "openim/admin_msgwithdraw", "redact": "openim/modify_c2c_msg"}

# Sender, recipient, MsgKey.
_Message = tuple[str, str, str]


class C2CActions:
    """Carries out the rows of a plan.

    :param client: sends the calls.
    :param policy: the plan's, for what messages are overwritten with.
    :param archive: where messages are kept before they go; None for nowhere.
    """

    def __init__(self, client: Caller, policy: C2CRetentionPolicy, archive: Archive | None) -> None:
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
        return row.messages > _LONG_ROW

    def carry_out(self, number: int, row: PlanRow, wide: bool) -> Outcome:
        """Do what a row says, and count what became of it.

        :param number: the row's, which names its archive.
        :param row: of a plan.
        :param wide: whether its calls are sent side by side.
        :raises TencentIMCancelledError: when the task was stopped; then nothing is known of this row.
        """
        client = CountedClient(self._client)
        work = _Work(client, row, self._policy, side_by_side if wide else in_turn)
        try:
            if self._archive is None or work.keep(self._archive, number):
                work.act()
                work.outcome.end_if_nothing_worked(_COMMANDS[row.action or "recall"])
        except TencentIMCancelledError:
            raise
        except TencentIMError as error:
            work.outcome.end(error)
        work.outcome.calls = client.calls
        return work.outcome


class _Work:
    """One row while it is carried out."""

    def __init__(self, client: CountedClient, row: PlanRow, policy: C2CRetentionPolicy, spread: Spread) -> None:
        self.outcome = Outcome(requested=row.messages)
        self._client = client
        self._row = row
        self._policy = policy
        self._spread = spread
        one, other = row.pair or ("", "")
        self._messages: list[_Message] = [
            (sender, other if sender == one else one, key) for sender, keys in (row.keys or {}).items() for key in keys
        ]

    def keep(self, archive: Archive, number: int) -> bool:
        """Write what is about to go into the archive, and tell whether the conversation may be touched."""
        kept: list[_Message] = []
        try:
            self.outcome.archived = archive.earlier(number, self._row.name)
            letters = self._still_there(kept)
            first = next(letters, None)
            if first is not None:
                laid_out = map(_laid_out, chain([first], letters))
                file = archive.write(number, "C2C", self._row.name, self._row.newest, laid_out)
                self.outcome.archived.append(file)
        except OSError as error:
            self.outcome.note(None, f"not touched, since its archive is not complete: {error}")
            return False
        self._messages = kept
        return True

    def _still_there(self, kept: list[_Message]) -> Iterator[Letter]:
        """Yield the planned messages that can be kept, and count those that are gone already."""
        planned = {(sender, key): (sender, recipient, key) for sender, recipient, key in self._messages}
        # Whether the ends of a window belong to it is not documented.
        oldest = max(0, (self._row.oldest or 0) - 1)
        newest = None if self._row.newest is None else self._row.newest + 1
        for letter in read_letters(self._client, self._row.pair or ("", ""), oldest, newest):
            message = planned.pop(letter.identity, None)
            if message is None:
                continue
            if letter.recalled:
                self._count_recalled()
            else:
                kept.append(message)
                yield letter
        self.outcome.missing += len(planned)

    def act(self) -> None:
        failed_calls = 0
        for error in self._spread(self._try, self._until_ended(), self._client.cancel, size=self._wanted):
            if isinstance(error, TencentIMCancelledError):
                raise error
            if error is None:
                self.outcome.done += 1
                failed_calls = 0
            elif error.code == _ALREADY_RECALLED:
                self._count_recalled()
            elif error.kind is Kind.NOT_FOUND:
                self.outcome.missing += 1
            else:
                self.outcome.note_error(error)
                failed_calls += not error.lasting
                if self.outcome.error is None and (is_everywhere(error) or failed_calls == FAILED_CALLS_IN_A_ROW):
                    self.outcome.end(error)

    def _until_ended(self) -> Iterator[_Message]:
        """Yield the messages until an error ends the row; what is under way then is still counted."""
        for message in self._messages:
            if self.outcome.error is not None:
                return
            yield message

    def _wanted(self) -> int:
        return self._client.in_flight_wanted(_COMMANDS[self._policy.action])

    def _try(self, message: _Message) -> TencentIMError | None:
        try:
            if self._row.action == "recall":
                self._client.admin_msgwithdraw(*message)
            else:
                replacement = self._policy.replacement
                if replacement is None:
                    raise ValueError("the plan overwrites messages, and does not say with what")
                self._client.modify_c2c_msg(*message, replacement.msg_body, replacement.cloud_custom_data)
        except TencentIMError as error:
            return error
        return None

    def _count_recalled(self) -> None:
        """Count a recalled message: a recall finds its work done, an overwrite finds nothing."""
        if self._row.action == "recall":
            self.outcome.already += 1
        else:
            self.outcome.missing += 1


def _laid_out(letter: Letter) -> dict[str, Any]:
    """Lay a message out as the hourly files have it."""
    seq, random, _ = letter.key.split("_")
    message = {
        "From_Account": letter.sender,
        "To_Account": letter.recipient,
        "MsgBody": letter.body,
        "MsgSeq": int(seq),
        "MsgRandom": int(random),
        "MsgTimestamp": letter.time,
    }
    return message if letter.custom is None else message | {"CloudCustomData": letter.custom}
