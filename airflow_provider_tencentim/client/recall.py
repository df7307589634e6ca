"""Recalling group messages: ten a call, a verdict for every one of them.

``group_msg_recall`` answers OK even when single messages failed, and what it says of a message that is
already recalled is not documented. So every RetCode is read, and a message that the server calls missing or
not recallable is looked up in the history before it counts as anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import islice
from typing import Any, Literal, NamedTuple

from pyroaring import BitMap

from .bulk import Spread, side_by_side
from .caller import Caller, entries
from .commands import COMMANDS
from .errors import TencentIMCancelledError, TencentIMError, TencentIMPaceError, explain, is_everywhere
from .seqs import LAST_SEQ, windows

log = logging.getLogger(__name__)

RECALL = "group_open_http_svc/group_msg_recall"
HISTORY = "group_open_http_svc/group_msg_get_simple"
_CHUNK = COMMANDS[RECALL].chunk
_PAGE = COMMANDS[HISTORY].chunk

MISSING_CODE = 10030
_LOOK_UP_CODES = frozenset({MISSING_CODE, 10031, 10032})
# So many are collected before they are looked up, because seqs that lie close share a read.
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


class _Recalled(NamedTuple):
    """What a call said of the messages of a chunk."""

    chunk: list[int]
    answer: dict[str, Any] | TencentIMError


class _LookedUp(NamedTuple):
    """What the history says of messages, by the code that their recall brought."""

    codes: dict[int, int]
    states: dict[int, _State] | TencentIMError


_Outcome = _Recalled | _LookedUp


class GroupRecall:
    """Recalls messages of one group or topic.

    :param client: sends the calls.
    :param where: the body fields that name the group or topic.
    :param reason: the body field that tells its members why, or none.
    :param spread: how its calls are sent; None for side by side.
    """

    def __init__(
        self, client: Caller, where: dict[str, str], reason: dict[str, str], spread: Spread | None = None
    ) -> None:
        self._client = client
        self._where = where
        self._reason = reason
        self._spread = spread or side_by_side

    def run(self, seqs: Iterable[int]) -> Iterator[RecallResult]:
        """Recall, and yield one result for every seq.

        :param seqs: different ones, of any number.
        :raises TencentIMError: behind the last result, when an error that the rest would share ended the run.
        """
        stopped_by: TencentIMError | None = None
        failed_calls = 0
        unsure = _Unsure()
        chunks = _Chunks(seqs)
        for outcome in self._outcomes(chunks, unsure):
            if isinstance(outcome, _LookedUp):
                unsure.under_way -= 1
                yield from _second_verdicts(outcome)
                continue
            chunk, answer = outcome
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
                    unsure.add(result.msg_seq, result.code)
                else:
                    yield result
        if stopped_by:
            yield from _all_failed(chunks.rest(), stopped_by, "not sent: ")
            raise stopped_by

    def preview(self, seqs: Iterable[int]) -> Iterator[RecallResult]:
        """Yield what a run would meet, from the history alone: nothing is recalled.

        :param seqs: different ones in rising order, of any number.
        :raises TencentIMError: when the history cannot be read.
        """
        size = partial(self._client.in_flight_wanted, HISTORY)
        for states in self._spread(self._states, windows(seqs, _PAGE), self._client.cancel, size=size):
            for seq, state in states.items():
                outcome, reason = _PREVIEWS[state]
                yield RecallResult(seq, outcome, None, reason)

    def _outcomes(self, chunks: _Chunks, unsure: _Unsure) -> Iterator[_Outcome]:
        """Recall, and look up what is unsure meanwhile: the two have a pace each. Then look up the rest."""

        def recalls_and_lookups() -> int:
            lookups = wanted(HISTORY) if unsure.ready or unsure.under_way else 0
            return wanted(RECALL) + lookups

        wanted = self._client.in_flight_wanted
        yield from self._run(self._jobs(chunks, unsure), recalls_and_lookups)
        unsure.release()
        yield from self._run(self._lookups(unsure), lambda: wanted(HISTORY))

    def _run(self, jobs: Iterable[Callable[[], _Outcome]], size: Callable[[], int]) -> Iterator[_Outcome]:
        return self._spread(lambda job: job(), jobs, self._client.cancel, size=size)

    def _jobs(self, chunks: _Chunks, unsure: _Unsure) -> Iterator[Callable[[], _Outcome]]:
        for chunk in chunks:
            yield partial(self._recall, chunk)
            # More would keep the recalls waiting while the history is slow to answer.
            if unsure.under_way < self._client.in_flight_wanted(HISTORY) and (codes := unsure.take()):
                yield partial(self._look_up, codes)

    def _lookups(self, unsure: _Unsure) -> Iterator[Callable[[], _Outcome]]:
        while codes := unsure.take():
            yield partial(self._look_up, codes)

    def _recall(self, chunk: list[int]) -> _Recalled:
        body = {**self._where, "MsgSeqList": [{"MsgSeq": seq} for seq in chunk], **self._reason}
        try:
            return _Recalled(chunk, self._client.call(RECALL, body))
        except TencentIMError as error:
            return _Recalled(chunk, error)

    def _look_up(self, codes: dict[int, int]) -> _LookedUp:
        try:
            return _LookedUp(codes, self._states(list(codes)))
        except TencentIMError as error:
            log.warning("The history could not be read, so the server's codes stand as they are: %s", error)
            return _LookedUp(codes, error)

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


class _Unsure:
    """Seqs that are to be looked up, by the code that their recall brought; millions take a few MiB."""

    def __init__(self) -> None:
        self._collected = {code: BitMap() for code in _LOOK_UP_CODES}
        self._ready = {code: BitMap() for code in _LOOK_UP_CODES}
        self._count = 0
        self.under_way = 0

    @property
    def ready(self) -> bool:
        return any(self._ready.values())

    def add(self, seq: int, code: int) -> None:
        self._collected[code].add(seq)
        self._count += 1
        if self._count >= _LOOK_UP_AT:
            self.release()

    def release(self) -> None:
        """Let everything be looked up that was collected."""
        for code, seqs in self._collected.items():
            self._ready[code] |= seqs
            seqs.clear()
        self._count = 0

    def take(self) -> dict[int, int]:
        """Take the lowest seqs that are ready and that one page of the history covers, with their codes."""
        first = min((seqs.min() for seqs in self._ready.values() if seqs), default=None)
        if first is None:
            return {}
        page = BitMap(range(first, min(first + _PAGE, LAST_SEQ + 1)))
        codes = {}
        for code, seqs in self._ready.items():
            found = seqs & page
            codes.update(dict.fromkeys(found, code))
            seqs -= found
        self.under_way += 1
        return dict(sorted(codes.items()))


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


def _second_verdicts(looked_up: _LookedUp) -> Iterator[RecallResult]:
    for seq, code in looked_up.codes.items():
        yield _second_verdict(seq, code, looked_up.states)


def _second_verdict(seq: int, code: int, states: dict[int, _State] | TencentIMError) -> RecallResult:
    if isinstance(states, TencentIMError):
        # What every group would meet (a wrong key, a command that is not allowed) says nothing of this message.
        if not states.lasting or is_everywhere(states):
            reason = f"the recall said {code} ({explain(code)}), and the history could not be read"
            return RecallResult(seq, "failed", states.code, reason)
        state = _State.ABSENT  # an AVChatRoom, say, has no history
    else:
        state = states[seq]
    if state is _State.RECALLED:
        return RecallResult(seq, "already_recalled", code)
    if code != MISSING_CODE:
        return RecallResult(seq, "failed", code, explain(code))
    if state is _State.THERE:
        return RecallResult(seq, "failed", code, f"{explain(code)}, yet the history shows it")
    return RecallResult(seq, "missing", code, explain(code))


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
    if error.lasting or isinstance(error, TencentIMCancelledError | TencentIMPaceError):
        return True
    return failed_calls >= FAILED_CALLS_IN_A_ROW


def _all_failed(seqs: Iterable[int], error: TencentIMError, prefix: str) -> Iterator[RecallResult]:
    reason = f"{prefix}{explain(error.code) if error.code else error.info}"
    for seq in seqs:
        yield RecallResult(seq, "failed", error.code, reason)
