"""What the operators share: the connection, what reaches XCom, and how a kill stops them."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from task_context import TaskInstance

from airflow_provider_tencentim.client.errors import TencentIMCancelledError
from airflow_provider_tencentim.operators.base import TencentIMOperator
from airflow_provider_tencentim.operators.group_msg import RecallGroupMsgOperator

RECALL = "group_open_http_svc/group_msg_recall"


def recall(**arguments: Any) -> Any:
    return RecallGroupMsgOperator(task_id="task", **{"group_id": "room", "msg_seqs": "1-5"} | arguments)


def sent(emulator) -> int:
    return emulator.stats()["calls"].get(RECALL, 0)


def test_the_default_connection_is_airflows_of_that_name(emulator):
    assert TencentIMOperator(task_id="task").tencentim_conn_id == "tencentim_default"
    with TencentIMOperator(task_id="task").connected() as client:
        assert (client.sdkappid, client.base_url) == (emulator.sdkappid, emulator.url)


def test_another_connection_is_taken_when_it_is_named(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", f"{emulator.connection_uri}?admin_identifier=robot")
    task = TencentIMOperator(task_id="task", tencentim_conn_id="another")
    assert task.tencentim_conn_id == "another"
    with task.connected() as client:
        assert client.identifier == "robot"


def test_what_airflow_takes_of_every_task_is_passed_on():
    task = TencentIMOperator(task_id="task", retries=7, do_xcom_push=False)
    assert (task.task_id, task.retries, task.do_xcom_push) == ("task", 7, False)


def test_a_connection_id_that_is_no_text_is_named(emulator):
    with pytest.raises(AirflowFailException, match="RecallGroupMsgOperator: tencentim_conn_id must be text, not int"):
        recall(tencentim_conn_id=7).execute({})
    assert emulator.stats()["calls"] == {}


def test_arguments_are_read_as_they_were_given(emulator):
    task = recall(topic_id="{{ nothing }}")
    task.render_template_fields({"nothing": ""})
    assert task.arguments.value("group_id") == "room"
    assert task.arguments.value("reason") is None
    with pytest.raises(ValueError, match="topic_id was given and came to nothing"):
        task.arguments.value("topic_id")


def test_a_result_is_pushed_where_airflow_looks_for_it():
    instance = TaskInstance()
    TencentIMOperator(task_id="task").push({"ti": instance}, {"done": 3})
    assert instance.pushed == [("return_value", {"done": 3})]


@pytest.mark.parametrize("context", [{}, {"ti": None}], ids=str)
def test_without_a_task_instance_there_is_nowhere_to_push(context):
    TencentIMOperator(task_id="task").push(context, {"done": 3})


def test_a_task_that_is_to_push_nothing_pushes_nothing():
    instance = TaskInstance()
    TencentIMOperator(task_id="task", do_xcom_push=False).push({"ti": instance}, {"done": 3})
    assert instance.pushed == []


def test_a_kill_before_the_first_call_sends_none(emulator):
    emulator.add_group("room", messages=5)
    task = recall()
    task.on_kill()

    with pytest.raises(TencentIMCancelledError, match="stopped"):
        task.execute({})
    assert sent(emulator) == 0


def test_a_kill_stops_the_client_from_another_thread_than_the_one_it_interrupts(emulator):
    """It comes as a signal in the main thread, which may hold the very locks that stopping takes."""
    task = TencentIMOperator(task_id="task")
    stopped, stopped_by = threading.Event(), []
    with suppress(TencentIMCancelledError), task.connected() as client:
        cancel = client.cancel

        def note() -> None:
            stopped_by.append(threading.get_ident())
            cancel()
            stopped.set()

        client.cancel = note
        task.on_kill()
        assert stopped.wait(10)
        with pytest.raises(TencentIMCancelledError):
            client.account_check(["administrator"])

    assert len(stopped_by) == 1
    assert threading.get_ident() not in stopped_by
    assert emulator.stats()["calls"] == {}


def test_a_task_that_did_all_it_had_to_when_it_was_killed_is_not_green(emulator):
    task = TencentIMOperator(task_id="task")
    with pytest.raises(TencentIMCancelledError) as raised, task.connected():
        task.on_kill()
    assert (raised.value.command, raised.value.code) == ("TencentIMOperator", None)


def test_an_error_stops_what_waits_in_other_threads(emulator):
    task = TencentIMOperator(task_id="task")
    with pytest.raises(KeyboardInterrupt), task.connected() as client:
        raise KeyboardInterrupt
    with pytest.raises(TencentIMCancelledError):
        client.account_check(["administrator"])


@pytest.mark.parametrize("error", [ValueError("group_id is wrong"), KeyError("x")], ids=repr)
def test_only_what_no_retry_can_heal_fails_for_good(error):
    task = TencentIMOperator(task_id="task")
    with (
        pytest.raises(AirflowFailException if isinstance(error, ValueError) else KeyError) as raised,
        task.failing_for_good(),
    ):
        raise error
    if isinstance(error, ValueError):
        assert str(raised.value) == "TencentIMOperator: group_id is wrong"
        assert raised.value.__cause__ is error
