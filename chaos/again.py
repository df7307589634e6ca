"""Running again what failed, as Airflow does: a few retries, none where no retry can heal, and a person behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_provider_tencentim.client.errors import (
    TencentIMAmbiguousError,
    TencentIMCancelledError,
    TencentIMError,
)

from .disk import is_of_bad_disk

RETRIES = 3
#: How often a person looks after the key or the host, and clears the task.
CLEARED = 2
# The key was rotated, or two signatures in a row were called expired.
_KEY_CODES = (70001, 70009)


class Ended(NamedTuple):
    """How it ended.

    :param result: what the last run returned, or None.
    :param error: what the last run raised, or None.
    :param runs: how many there were.
    """

    result: Any
    error: BaseException | None
    runs: int

    @property
    def reported(self) -> str:
        if self.error is None:
            return "done"
        return "ambiguous" if isinstance(cause_of(self.error), TencentIMAmbiguousError) else "failed"

    @property
    def reason(self) -> str:
        return "" if self.error is None else str(self.error)


def again(run: Callable[[], Any], *, repeatable: bool = True, retries: int = RETRIES) -> Ended:
    """Run until it succeeds, or until Airflow and a person would give up.

    :param run: what is run.
    :param repeatable: whether it may be run again when it is not known what became of it.
    :param retries: of Airflow.
    """
    runs, cleared, left = 0, 0, retries
    while True:
        runs += 1
        try:
            return Ended(run(), None, runs)
        except Exception as error:
            cause = cause_of(error)
            if not repeatable and isinstance(cause, TencentIMAmbiguousError):
                return Ended(None, error, runs)
            if isinstance(cause, TencentIMError) and cause.lasting:
                if not heals_by_hand(cause) or cleared == CLEARED:
                    return Ended(None, error, runs)
                cleared, left = cleared + 1, retries
            elif left == 0:
                return Ended(None, error, runs)
            else:
                left -= 1


def cause_of(error: BaseException) -> BaseException:
    """Return the error of the client behind the one that an operator makes of it for Airflow."""
    return error.__cause__ if isinstance(error.__cause__, TencentIMError) else error


def heals_by_hand(error: TencentIMError) -> bool:
    """Tell whether a person can do something: the key was rotated, or the host leads elsewhere."""
    return error.code in _KEY_CODES or "redirect" in error.info


def is_explained(error: BaseException) -> bool:
    """Tell whether something that was injected explains an error."""
    cause = cause_of(error)
    if is_of_bad_disk(cause):
        return True
    if not isinstance(cause, TencentIMError):
        return False
    return not cause.lasting or heals_by_hand(cause) or isinstance(cause, TencentIMCancelledError)
