"""Recalling group messages: ten a call, a verdict for every one of them.

``group_msg_recall`` answers OK even when single messages failed, and what it says of a message that is
already recalled is not documented. So every RetCode is read, and a message that the server calls missing or
not recallable is looked up in the history before it counts as anything.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Literal

from .bulk import Spread, side_by_side
from .caller import Caller, entries
from .commands import COMMANDS
from .errors import TencentIMCancelledError, TencentIMError, explain
from .seqs import windows

log = logging.getLogger(__name__)

RECALL = "group_open_http_svc/group_msg_recall"
HISTORY = "group_open_http_svc/group_msg_get_simple"
_CHUNK = COMMANDS[RECALL].chunk
_PAGE = COMMANDS[HISTORY].chunk

MISSING_CODE = 10030
_LOOK_UP_CODES = frozenset({MISSING_CODE, 10031, 10032})
# So many wait until they are looked up together, because seqs that lie close share a read.
_LOOK_UP_AT = 1000

# After so many calls in a row have failed, with all their tries, the service counts as down.
FAILED_CALLS_IN_A_ROW = 3

RecallOutcome = Literal["recalled", "already_recalled", "missing", "failed", "recallable"]


@dataclass(frozen=True, slots=True)
class RecallResult:
    """What became of one message.

    :param msg_seq: the message.
    :param outcome: ``recalled`` by this call, ``already_recalled`` before it, ``missing`` (it does not exist or
        has expired) or ``failed``; ``recallable`` only in a preview.
    :param code: the code that the server gave; 0 for a success, None when it said nothing of this message.
    :param reason: why it failed, in words.
    """

    msg_seq: int
    outcome: RecallOutcome
    code: int | None = 0
    reason: str = ""


class _State(Enum):
    """How the history shows a message: the values of IsPlaceMsg, and not at all."""

    THERE = 0
    EXPIRED = 1
    RECALLED = 2
    ABSENT = None


class GroupRecall:
    """Recalls messages of one group or topic.

    :param client: sends the calls.
    :param where: the body fields that name the group or topic.
    :param reason: the body field that tells its members why, or none.
    :param spread: how its calls are sent.
    """

    def __init__(
        self, client: Caller, where: dict[str, str], reason: dict[str, str], spread: Spread = side_by_side
    ) -> None:
        self._client = client
        self._where = where
        self._reason = reason
        self._spread = spread

    def run(self, seqs: Iterable[int]) -> Iterator[RecallResult]:
        """Recall, and yield one result for every seq.

        :param seqs: different ones, of any number.
        :raises TencentIMError: behind the last result, when an error that the rest would share ended the run.
        """
        stopped_by: TencentIMError | None = None
        failed_calls = 0
        unsure: list[RecallResult] = []
        chunks = _Chunks(seqs)
        for chunk, answer in self._spread(self._recall, chunks, self._client.cancel):
            if isinstance(answer, TencentIMError):
                failed_calls += 1
                if _ends_the_run(answer, failed_calls):
                    stopped_by = stopped_by or answer
                    chunks.stop()
                yield from _all_failed(chunk, answer, "")
                continue
            failed_calls = 0
            for result in _verdicts(chunk, answer):
                if result.code in _LOOK_UP_CODES:
                    unsure.append(result)
                else:
                    yield result
            if len(unsure) >= _LOOK_UP_AT:
                yield from self._look_up(unsure)
                unsure = []
        yield from self._look_up(unsure)
        if stopped_by:
            yield from _all_failed(chunks.rest(), stopped_by, "not sent: ")
            raise stopped_by

    def preview(self, seqs: Iterable[int]) -> Iterator[RecallResult]:
        """Yield what a run would meet, from the history alone: nothing is recalled.

        :param seqs: different ones in rising order, of any number.
        :raises TencentIMError: when the history cannot be read.
        """
        for states in self._spread(self._states, windows(seqs, _PAGE), self._client.cancel):
            for seq, state in states.items():
                outcome, reason = _PREVIEWS[state]
                yield RecallResult(seq, outcome, None, reason)

    def _recall(self, chunk: list[int]) -> tuple[list[int], dict[str, Any] | TencentIMError]:
        body = {**self._where, "MsgSeqList": [{"MsgSeq": seq} for seq in chunk], **self._reason}
        try:
            return chunk, self._client.call(RECALL, body)
        except TencentIMError as error:
            return chunk, error

    def _look_up(self, unsure: list[RecallResult]) -> Iterator[RecallResult]:
        codes = {result.msg_seq: result.code for result in unsure}
        for window, states in self._spread(self._try_states, windows(sorted(codes), _PAGE), self._client.cancel):
            for seq in window:
                yield _second_verdict(seq, codes[seq], states)

    def _try_states(self, window: list[int]) -> tuple[list[int], dict[int, _State] | TencentIMError]:
        try:
            return window, self._states(window)
        except TencentIMError as error:
            log.warning("The history could not be read, so the server's codes stand as they are: %s", error)
            return window, error

    def _states(self, window: list[int]) -> dict[int, _State]:
        """Read how the history shows the seqs of a window, which span at most a page."""
        states = dict.fromkeys(window, _State.ABSENT)
        newest = window[-1]
        while newest >= window[0]:
            body = {
                **self._where,
                "ReqMsgSeq": newest,
                "ReqMsgNumber": newest - window[0] + 1,
                "WithRecalledMsg": 1,
            }
            shown = _shown_messages(self._client.call(HISTORY, body), newest)
            if not shown:
                break
            states.update((seq, state) for seq, state in shown.items() if seq in states)
            newest = min(shown) - 1
        return states


class _Chunks:
    """Seqs in chunks of a call's size, until stopped; what is left then can still be had."""

    def __init__(self, seqs: Iterable[int]) -> None:
        self._seqs = iter(seqs)
        self._stopped = False

    def __iter__(self) -> Iterator[list[int]]:
        while not self._stopped and (chunk := list(islice(self._seqs, _CHUNK))):
            yield chunk

    def stop(self) -> None:
        self._stopped = True

    def rest(self) -> Iterator[int]:
        return self._seqs


def _verdicts(chunk: list[int], answer: dict[str, Any]) -> Iterator[RecallResult]:
    """Read the RetCode of every seq; one that the answer leaves out, or answers twice differently, failed."""
    codes: dict[int, set[int]] = {}
    entries = answer.get("RecallRetList")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and type(entry.get("MsgSeq")) is int and type(entry.get("RetCode")) is int:
            codes.setdefault(entry["MsgSeq"], set()).add(entry["RetCode"])
    for seq in chunk:
        match sorted(codes.get(seq, ())):
            case [0]:
                yield RecallResult(seq, "recalled")
            case [code]:
                yield RecallResult(seq, "failed", code, explain(code))
            case []:
                yield RecallResult(seq, "failed", None, "the answer does not mention it")
            case _:
                yield RecallResult(seq, "failed", None, "the answer gives it more than one code")


def _second_verdict(seq: int, code: int | None, states: dict[int, _State] | TencentIMError) -> RecallResult:
    if isinstance(states, TencentIMError):
        if not states.lasting:
            reason = f"the recall said {code} ({_explained(code)}), and the history could not be read"
            return RecallResult(seq, "failed", states.code, reason)
        state = _State.ABSENT  # an AVChatRoom, say, has no history
    else:
        state = states[seq]
    if state is _State.RECALLED:
        return RecallResult(seq, "already_recalled", code)
    if code != MISSING_CODE:
        return RecallResult(seq, "failed", code, _explained(code))
    if state is _State.THERE:
        return RecallResult(seq, "failed", code, f"{_explained(code)}, yet the history shows it")
    return RecallResult(seq, "missing", code, _explained(code))


_PREVIEWS: dict[_State, tuple[RecallOutcome, str]] = {
    _State.THERE: ("recallable", ""),
    _State.EXPIRED: ("missing", "it was deleted or has expired"),
    _State.RECALLED: ("already_recalled", ""),
    _State.ABSENT: ("missing", "the history does not show it"),
}


def _shown_messages(answer: dict[str, Any], newest: int) -> dict[int, _State]:
    shown = {}
    for entry in entries(HISTORY, answer, "RspMsgList"):
        seq, place = entry.get("MsgSeq"), entry.get("IsPlaceMsg", 0)
        # A page that runs the wrong way would otherwise be read for ever.
        if type(seq) is int and 0 < seq <= newest and type(place) is int and place in (0, 1, 2):
            shown[seq] = _State(place)
    return shown


def _ends_the_run(error: TencentIMError, failed_calls: int) -> bool:
    return error.lasting or isinstance(error, TencentIMCancelledError) or failed_calls >= FAILED_CALLS_IN_A_ROW


def _all_failed(seqs: Iterable[int], error: TencentIMError, prefix: str) -> Iterator[RecallResult]:
    reason = f"{prefix}{_explained(error.code) if error.code else error.info}"
    for seq in seqs:
        yield RecallResult(seq, "failed", error.code, reason)


def _explained(code: int | None) -> str:
    return explain(code) if code is not None else ""
