"""Somebody else's client makes the groups and the messages; Airflow acts; that client sees what became of them."""

from __future__ import annotations

import time

import pytest

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)

tcim = pytest.importorskip("tencentcloud_im.tcim_client", reason="tencentcloud-sdk-python-im is not installed")


def ok(response):
    answer = response.json()
    assert answer["ErrorCode"] == 0, answer
    return answer


def texts(messages):
    return [message["MsgBody"][0]["MsgContent"]["Text"] for message in messages]


def test_what_airflow_does_is_seen_by_a_client_that_this_project_did_not_write(emulator, make_dag, run_dag):
    client = tcim.TCIMClient(emulator.sdkappid, emulator.secret_key, "administrator", tencent_url=f"{emulator.url}/v4")
    ok(client.batch_add_users(["ann", "bob"]))
    group = ok(client.create_group(tcim.GroupObj("ann", "Public", "Support")))["GroupId"]
    seqs = [
        ok(client.send_group_message(group, [tcim.MessageText(f"message {number} 你好")], from_account="ann"))["MsgSeq"]
        for number in range(12)
    ]
    letter = ok(client.send_message(tcim.MessageObj("ann", "bob", [tcim.MessageText("my card number")])))["MsgKey"]

    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id=group, msg_seqs=seqs[:11])
        ModifyGroupMsgOperator(task_id="overwrite", group_id=group, msg_seq=seqs[11], msg_body="removed")
        ClearGroupHistoryOperator(task_id="clear", group_id=group, clear_all=True)
        ModifyC2CMsgOperator(
            task_id="letter", from_account="ann", to_account="bob", msg_key=letter, msg_body="removed as well"
        )
    run = run_dag(dag)

    assert run.state == "success"
    assert run.results["recall"]["recalled"] == 11
    history = ok(client.get_msg_in_group(group, 20))["RspMsgList"]
    assert [message["IsPlaceMsg"] for message in history] == [0] + [2] * 11  # recalled, all but the newest
    assert texts(history[:1]) == ["removed"]  # cleared, which admins do not notice
    letters = ok(client.get_message_list("ann", "bob", 10, 0, int(time.time()) + 10))
    assert texts(letters["MsgList"]) == ["removed as well"]
