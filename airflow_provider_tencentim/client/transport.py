"""One call: signed, paced, repeated where that is safe, and judged by its ErrorCode alone."""

from __future__ import annotations

import json
import logging
import math
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import tenacity

from .commands import Command, is_repeatable
from .errors import (
    SIGN_AGAIN_CODES,
    TRIED_TWICE_CODES,
    WAIT_AT_LEAST,
    Kind,
    TencentIMAmbiguousError,
    TencentIMCancelledError,
    TencentIMError,
    TencentIMInvalidRequestError,
    TencentIMPaceError,
    TencentIMRateLimitedError,
    TencentIMTransientError,
    error_for,
)
from .pacing import Pacer, PaceStoreError, rate_of
from .signature import UserSig, UserSigSigner
from .wire import Wire, WireFault

log = logging.getLogger(__name__)

MAX_TRIES = 5
MAX_SECONDS = 60.0
# What a rate-limit code costs everybody: the documents count calls by the second.
SLOW_DOWN_SECONDS = 1.0
_MAX_UNCLEAR_TRIES = 2
_LONGEST_INFO = 200

# A turn that is missed by more is given up for another one. 190 calls a second, each up to 40 ms late, are at
# most 198 in any second; without this, a process that was stopped for a moment would send all that it missed.
LATEST_SECONDS = 0.04
# On a machine that misses every turn, a late one is better than none: there is no burst to fear then.
_MAX_TURNS = 5

# A little more than fill the pace, so that it is kept when some answers take longer.
_SPARE = 1.25
_LEAST_IN_FLIGHT, _MOST_IN_FLIGHT = 4, 64
# How much a call's time counts in the mean of those before it.
_WEIGHT = 0.1

# Behind these, a try that was lost may have done what was asked; the others are an answer to it.
_MAY_STILL_HEAL = (TencentIMTransientError, TencentIMRateLimitedError, TencentIMPaceError)


@dataclass(slots=True)
class _Call:
    """One call on its way, and what its tries have shown so far."""

    command: Command
    payload: bytes
    repeatable: bool
    signed_again: bool = False
    maybe_done: bool = False
    unclear_tries: int = 0

    def __repr__(self) -> str:
        return f"_Call({self.command.path})"  # the payload holds messages

    def lost(self, reason: str) -> TencentIMError:
        """Build the error for a try that was sent and whose outcome is not known."""
        self.maybe_done = self.command.writes
        return self.unless_repeatable(TencentIMTransientError(self.command.path, None, reason))

    def unless_repeatable(self, error: TencentIMError) -> TencentIMError:
        """Return the error as it is, or, where asking again might do things twice, as an ambiguous one."""
        if self.repeatable or not self.command.writes:
            return error
        return TencentIMAmbiguousError(error.command, error.code, error.info)


class Transport:
    """Sends the calls of one app admin.

    :param wire: the session.
    :param sdkappid: the app.
    :param identifier: the app admin.
    :param signer: where signatures come from.
    :param pacer: who says when a call may be sent.
    :param calls_per_second: the pace of each command.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        sdkappid: int,
        identifier: str,
        signer: UserSigSigner,
        pacer: Pacer,
        calls_per_second: float,
    ) -> None:
        self._wire = wire
        self._sdkappid = sdkappid
        self._identifier = identifier
        self._signer = signer
        self._pacer = pacer
        self._calls_per_second = calls_per_second
        self._cancelled = threading.Event()
        self._quickest_reserve = math.inf
        self._answer_seconds: dict[str, float] = {}

    def cancel(self) -> None:
        """Send nothing more and wake every wait: calls under way and later ones raise."""
        self._cancelled.set()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def call(self, command: Command, body: Mapping[str, Any], tries: int = MAX_TRIES) -> dict[str, Any]:
        """Send a call until it has a clear answer.

        :param command: its row in the command table.
        :param body: what is sent, as JSON.
        :param tries: at most so many, none of which begins later than 60 seconds after the first.
        :return: the answer, whose ErrorCode is 0.
        :raises TencentIMError: the subclass that stands for the kind of failure.
        """
        call = _Call(command, _encode(command, body), is_repeatable(command, body))
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_heal),
            stop=lambda state: _gives_up(state, call, tries),
            wait=_seconds_to_wait,
            sleep=lambda seconds: self._wait(command, seconds),
            before_sleep=_log_next_try,
            reraise=True,
        )
        try:
            return retrying(self._try, call)
        except TencentIMError as error:
            # The frames of the tries have the answer among their local variables, and with it messages.
            failure = error.with_traceback(None)
        if call.maybe_done and isinstance(failure, _MAY_STILL_HEAL):
            raise TencentIMAmbiguousError(command.path, failure.code, failure.info)
        raise failure

    def in_flight_wanted(self, command: Command) -> int:
        """Return how many calls have to be under way at once for the pace to be kept.

        :param command: its row in the command table.
        """
        seconds = self._answer_seconds.get(command.path, 0.0)
        wanted = math.ceil(rate_of(command, self._calls_per_second) * seconds * _SPARE)
        return min(max(wanted, _LEAST_IN_FLIGHT), _MOST_IN_FLIGHT)

    def _try(self, call: _Call) -> dict[str, Any]:
        usersig = self._signer.current()
        answer = self._exchange(call, usersig)
        if answer["ErrorCode"] in SIGN_AGAIN_CODES and not call.signed_again:
            call.signed_again = True
            log.info("%s: the signature has expired, signing again", call.command.path)
            self._signer.renew(usersig)
            answer = self._exchange(call, self._signer.current())
        return self._judge(call, answer)

    def _exchange(self, call: _Call, usersig: UserSig) -> dict[str, Any]:
        """Send once, when it is this call's turn, and return an answer that has an ErrorCode."""
        self._wait_for_a_turn(call.command)
        outcome = self._wire.post(f"/v4/{call.command.path}", self._query(usersig), call.payload)
        if isinstance(outcome, WireFault):
            if outcome.sent:
                raise call.lost(outcome.reason)
            raise TencentIMTransientError(call.command.path, None, outcome.reason)
        self._note(call.command, outcome.seconds)
        answer = _parse(outcome.body.replace(usersig.reveal().encode(), b"***"))
        if answer is not None:
            return answer
        if 300 <= outcome.status < 400:
            reason = f"HTTP {outcome.status}: a redirect, which is not followed; check the host"
            raise TencentIMInvalidRequestError(call.command.path, None, reason)
        raise call.lost(f"HTTP {outcome.status} without a JSON object that has an ErrorCode")

    def _judge(self, call: _Call, answer: dict[str, Any]) -> dict[str, Any]:
        code: int = answer["ErrorCode"]
        if code == 0:
            if answer.get("ActionStatus") == "FAIL":
                raise call.lost("the answer contradicts itself: ErrorCode 0 with ActionStatus FAIL")
            return answer
        error = error_for(call.command.path, code, _printable(answer.get("ErrorInfo")))
        if error.kind is Kind.RATE_LIMITED:
            with _pacing(call.command):
                self._pacer.slow_down(self._key(call.command), max(SLOW_DOWN_SECONDS, WAIT_AT_LEAST.get(code, 0.0)))
        if code in TRIED_TWICE_CODES:
            call.unclear_tries += 1
        raise call.unless_repeatable(error) if error.kind is Kind.TRANSIENT else error

    def _wait_for_a_turn(self, command: Command) -> None:
        """Reserve only when the call could be sent at once: a turn that is not used is lost for everybody."""
        rate = rate_of(command, self._calls_per_second)
        for _ in range(_MAX_TURNS):
            asked = time.monotonic()
            with _pacing(command):
                seconds = self._pacer.reserve(self._key(command), rate)
            # A store that is far away is no lateness, only one that took longer than it can is.
            self._quickest_reserve = min(self._quickest_reserve, time.monotonic() - asked)
            self._wait(command, seconds)
            if time.monotonic() - asked - self._quickest_reserve - seconds <= LATEST_SECONDS:
                return

    def _note(self, command: Command, seconds: float) -> None:
        mean = self._answer_seconds.get(command.path, seconds)
        self._answer_seconds[command.path] = mean + _WEIGHT * (seconds - mean)

    def _key(self, command: Command) -> str:
        return f"{self._sdkappid}/{command.path}"

    def _query(self, usersig: UserSig) -> str:
        fields = {
            "sdkappid": self._sdkappid,
            "identifier": self._identifier,
            "usersig": usersig.reveal(),
            "random": secrets.randbits(32),
            "contenttype": "json",
        }
        return urlencode(fields, safe="*")

    def _wait(self, command: Command, seconds: float) -> None:
        if self._cancelled.wait(seconds) if seconds > 0 else self._cancelled.is_set():
            raise TencentIMCancelledError(command.path, None, "the task was stopped")


@contextmanager
def _pacing(command: Command) -> Iterator[None]:
    try:
        yield
    except PaceStoreError as error:
        reason = str(error)
    else:
        return
    raise TencentIMPaceError(command.path, None, reason)


def _encode(command: Command, body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"the body is not JSON ({type(error).__name__})"
    raise TencentIMInvalidRequestError(command.path, None, reason)


def _parse(body: bytes) -> dict[str, Any] | None:
    """Return the answer, or None where it is not an object with a whole number as its ErrorCode."""
    try:
        # Old clients' messages hold control characters, and what is not UTF-8 must not hide the ErrorCode.
        answer = json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    if isinstance(answer, dict) and type(answer.get("ErrorCode")) is int:
        return answer
    return None


def _printable(info: object) -> str:
    try:
        text = str(info or "")[: _LONGEST_INFO + 1]
    except RecursionError:  # an object that is nested as deeply as can just be read
        text = ""
    text = "".join(char if char.isprintable() else " " for char in text)
    return text.strip() if len(text) <= _LONGEST_INFO else text[:_LONGEST_INFO].strip() + "…"


def _may_heal(error: BaseException) -> bool:
    return isinstance(error, TencentIMError) and error.kind in (Kind.TRANSIENT, Kind.RATE_LIMITED)


def _gives_up(state: tenacity.RetryCallState, call: _Call, tries: int) -> bool:
    if state.attempt_number >= tries or call.unclear_tries >= _MAX_UNCLEAR_TRIES:
        return True
    return (state.seconds_since_start or 0.0) + state.upcoming_sleep >= MAX_SECONDS


_back_off = tenacity.wait_random_exponential(multiplier=0.5, max=16)


def _seconds_to_wait(state: tenacity.RetryCallState) -> float:
    error = _failure(state)
    least = SLOW_DOWN_SECONDS if error.kind is Kind.RATE_LIMITED else 0.0
    return max(_back_off(state), WAIT_AT_LEAST.get(error.code or 0, least))


def _log_next_try(state: tenacity.RetryCallState) -> None:
    log.warning(
        "Try %d failed, the next follows in %.1f s: %s",
        state.attempt_number,
        state.upcoming_sleep,
        _failure(state),
    )


def _failure(state: tenacity.RetryCallState) -> TencentIMError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, TencentIMError):
        raise TypeError("a try that did not fail is not repeated")
    return error
