"""Which exception stands for an ErrorCode, what it says, and what counts as lasting."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.client import errors
from airflow_provider_tencentim.client.errors import Kind

COMMAND = "group_open_http_svc/group_msg_recall"


@pytest.mark.parametrize("code", [*errors.ERROR_CODES, 12345])
def test_the_class_of_an_error_is_that_of_its_code(code):
    error = errors.error_for(COMMAND, code, "info")
    row = errors.ERROR_CODES.get(code)

    assert error.kind is (row.kind if row else Kind.UNKNOWN)
    assert (error.command, error.code, error.info) == (COMMAND, code, "info")
    assert error.args == (COMMAND, code, "info")
    assert errors.explain(code) == (row.meaning if row else "the code is not documented")
    assert errors.is_lasting(code) is error.lasting
    lasting = {Kind.AUTH, Kind.PERMISSION, Kind.INVALID_REQUEST, Kind.NOT_FOUND, Kind.UNSUPPORTED}
    assert error.lasting is (error.kind in lasting)


def test_an_error_says_the_code_what_came_back_what_it_means_and_what_to_do():
    advice = errors.TencentIMNotFoundError.advice

    assert str(errors.error_for(COMMAND, 10030, "no msg")) == (
        f"{COMMAND} failed with ErrorCode 10030 (no msg): the message does not exist. {advice}"
    )
    assert str(errors.error_for(COMMAND, 10030, "")) == (
        f"{COMMAND} failed with ErrorCode 10030: the message does not exist. {advice}"
    )
    lost = errors.TencentIMAmbiguousError(COMMAND, None, "the answer was lost")
    assert str(lost) == f"{COMMAND} failed: the answer was lost. {lost.advice}"


def test_a_partial_error_says_whether_a_repeat_can_help():
    healing = errors.TencentIMPartialError(COMMAND, 10030, "1 of 2")
    lasting = errors.TencentIMPartialError(COMMAND, 10030, "1 of 2", lasting=True)

    assert (healing.lasting, lasting.lasting) == (False, True)
    assert (lasting.command, lasting.code, lasting.info) == (COMMAND, 10030, "1 of 2")
    assert str(healing) == f"{COMMAND}: 1 of 2. What was done stays done; repeat it for the rest."
    assert str(lasting) == f"{COMMAND}: 1 of 2. What was done stays done; no repeat can help the rest."


def test_no_code_at_all_is_not_lasting():
    assert errors.is_lasting(None) is False


@pytest.mark.parametrize(
    ("error", "everywhere"),
    [
        (errors.error_for(COMMAND, 70001, ""), True),
        (errors.error_for(COMMAND, 60021, ""), True),
        (errors.error_for(COMMAND, 10007, ""), False),
        (errors.error_for(COMMAND, 10010, ""), False),
        (errors.error_for(COMMAND, 10002, ""), False),
        (errors.error_for(COMMAND, 12345, ""), False),
        (errors.TencentIMPermissionError(COMMAND, None, "not allowed here"), True),
        (errors.TencentIMTransientError(COMMAND, None, "no route"), False),
    ],
    ids=lambda value: str(getattr(value, "code", value)),
)
def test_an_error_of_the_app_or_the_caller_would_meet_every_group(error, everywhere):
    assert errors.is_everywhere(error) is everywhere
