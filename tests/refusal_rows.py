"""Rows of refusals: a command, what to change of a request that it accepts, and the ErrorCode that this must give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_tencentim.emulator import TencentIMEmulator

Row = tuple[str, dict[str, Any], int]

ABSENT = object()
NOT_TEXT = (1, True, ["x"], {"x": 1})
NOT_INTEGER = ("23", True, 23.0, [23], -1)
NOT_UINT32 = (*NOT_INTEGER, 4294967296)


def wrong_types(command: str, field: str, code: int, *values: object) -> list[Row]:
    """Rows for values that a field must not have; None (null) is never the same as absent."""
    return [(command, {field: value}, code) for value in (*values, None)]


def describe(row: Row) -> str:
    """The id of a row."""
    command, change, code = row
    shown = ",".join(f"{name}={'absent' if value is ABSENT else value!r}"[:60] for name, value in change.items())
    return f"{command.split('/')[1]} {shown} -> {code}"


def assert_refused(
    emulator: TencentIMEmulator, call: Callable[..., dict[str, Any]], command: str, fields: dict[str, Any], code: int
) -> None:
    """The call is refused with this code, and nothing has changed."""
    before = emulator.state()
    answer = call(command, {name: value for name, value in fields.items() if value is not ABSENT})
    assert (answer["ErrorCode"], answer["ActionStatus"]) == (code, "FAIL"), answer
    assert emulator.state() == before
