"""The operator of one-to-one messages, executed by hand: what is sent, what is told, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator

MODIFY = "openim/modify_c2c_msg"
GONE = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]


@pytest.fixture
def letter(emulator, monkeypatch):
    """The key of a message from ann to bob; every call is tried once."""
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    emulator.add_accounts("ann", "bob")
    return emulator.add_c2c_message("ann", "bob", "my card number is …")


def modify(**arguments: Any) -> Any:
    return ModifyC2CMsgOperator(task_id="task", **{"from_account": "ann", "to_account": "bob"} | arguments)


def sent(emulator) -> list[dict[str, Any]]:
    return [request["body"] for request in emulator.requests(MODIFY)]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ({"msg_body": "gone"}, {"MsgBody": GONE}),
        ({"msg_body": GONE}, {"MsgBody": GONE}),
        ({"cloud_custom_data": "{}"}, {"CloudCustomData": "{}"}),
        ({"msg_body": "gone", "cloud_custom_data": "{}"}, {"MsgBody": GONE, "CloudCustomData": "{}"}),
    ],
    ids=str,
)
def test_exactly_what_is_given_is_overwritten(emulator, letter, arguments, meant):
    result = modify(msg_key=letter, **arguments).execute({})

    message = {"from_account": "ann", "to_account": "bob", "msg_key": letter}
    assert result == {**message, "fields": list(meant)}
    assert sent(emulator) == [{"From_Account": "ann", "To_Account": "bob", "MsgKey": letter, **meant}]


@pytest.mark.parametrize("name", ["from_account", "to_account", "msg_key", "msg_body", "cloud_custom_data"])
def test_an_overwrite_needs_whatever_was_given(emulator, letter, name):
    task = modify(**{"msg_key": letter, "msg_body": "gone", "cloud_custom_data": "{}"} | {name: "{{ nothing }}"})
    task.render_template_fields({"nothing": ""})

    with pytest.raises(AirflowFailException, match=rf"ModifyC2CMsgOperator: {name} was given and came to nothing"):
        task.execute({})
    assert sent(emulator) == []


def test_a_text_that_came_to_nothing_does_not_overwrite(emulator, letter):
    task = modify(msg_key=letter, msg_body=[{"MsgType": "TIMTextElem", "MsgContent": {"Text": "{{ nothing }}"}}])
    task.render_template_fields({"nothing": None})

    with pytest.raises(AirflowFailException, match="msg_body holds a Text that came to nothing"):
        task.execute({})
    assert sent(emulator) == []


def test_nothing_to_overwrite_with_is_refused(emulator, letter):
    with pytest.raises(AirflowFailException, match="msg_body"):
        modify(msg_key=letter).execute({})
    assert sent(emulator) == []


@pytest.mark.parametrize(
    ("code", "error"), [(20022, AirflowFailException), (20028, TencentIMTransientError)], ids=["lasting", "passing"]
)
def test_an_error_that_a_retry_may_heal_stays_what_it_is(emulator, letter, code, error):
    emulator.add_fault(command=MODIFY, error_code=code)

    with pytest.raises(error, match=rf"{MODIFY} failed with ErrorCode {code}"):
        modify(msg_key=letter, msg_body="gone").execute({})
