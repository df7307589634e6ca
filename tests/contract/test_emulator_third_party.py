"""Another people's client, tencentcloud-sdk-python-im, works against the emulator as it is published."""

from __future__ import annotations

import time

import pytest
import requests

from airflow_provider_tencentim.emulator import TencentIMEmulator

tcim = pytest.importorskip("tencentcloud_im.tcim_client")


@pytest.fixture
def client(emulator: TencentIMEmulator) -> object:
    """The client, pointed to the emulator by the one argument that it has for it."""
    return tcim.TCIMClient(emulator.sdkappid, emulator.secret_key, "administrator", tencent_url=f"{emulator.url}/v4")


def ok(response: requests.Response) -> dict[str, object]:
    answer = response.json()
    assert answer["ActionStatus"] == "OK", answer
    assert answer["ErrorCode"] == 0
    return answer


def test_a_walk_through_accounts_groups_and_messages(emulator, client):
    assert ok(client.batch_add_users(["leckie", "peter"]))["FailAccounts"] == []
    ok(client.add_single_user("tommy", "Tommy", "http://this.is.face.url"))
    found = ok(client.search_user(["tommy", "nobody"]))["ResultItem"]
    assert [item["AccountStatus"] for item in found] == ["Imported", "NotImported"]

    wanted = tcim.GroupObj("leckie", "Public", "First", mem_list=[tcim.GroupMemObj("peter", "Admin")])
    group = ok(client.create_group(wanted))["GroupId"]
    assert ok(client.get_group())["GroupIdList"] == [{"GroupId": group}]
    (info,) = ok(client.get_group_detail([group], ["Type", "NextMsgSeq"], ["Role"]))["GroupInfo"]
    assert (info["ErrorCode"], info["Type"], info["NextMsgSeq"]) == (0, "Public", 1)

    emulator.advance(60)
    begin = int(time.time()) + 10
    history = [tcim.GroupMessageObj("peter", begin + n, [tcim.MessageText(f"old {n}")]) for n in range(7)]
    imported = ok(client.import_message_to_group(group, 1, history))["ImportMsgResult"]
    assert [(item["MsgSeq"], item["Result"]) for item in imported] == [(n, 0) for n in range(1, 8)]
    sent = ok(client.send_group_message(group, [tcim.MessageText("你好 👋")], from_account="tommy"))
    assert sent["MsgSeq"] == 8

    recalled = ok(client.recall_group_message(group, [2, 99]))["RecallRetList"]
    assert [item["RetCode"] for item in recalled] == [0, 10030]
    read = ok(client.get_msg_in_group(group, 3, 1, 3))["RspMsgList"]
    assert [(item["MsgSeq"], item["IsPlaceMsg"]) for item in read] == [(3, 0), (2, 2), (1, 0)]
    assert ok(client.get_msg_in_group(group, 1))["RspMsgList"][0]["From_Account"] == "tommy"


def test_one_to_one_messages_are_sent_and_read_by_their_old_field_names(emulator, client):
    client.batch_add_users(["leckie", "peter"])
    message = tcim.MessageObj("leckie", "peter", [tcim.MessageText("hello")], extra_data="custom")
    key = ok(client.send_message(message))["MsgKey"]
    answer = ok(client.get_message_list("leckie", "peter", 10, 0, int(time.time()) + 10))
    assert [(item["MsgKey"], item["CloudCustomData"]) for item in answer["MsgList"]] == [(key, "custom")]
    (logged,) = emulator.requests("openim/admin_getroammsg")
    assert "From_Account" in logged["body"]


def test_its_attachments_lack_a_documented_field_which_the_emulator_can_overlook(emulator, client):
    group = emulator.add_group()
    file = tcim.MessageFile("http://files/1", 3, "a.txt")
    assert client.send_group_message(group, [], [file]).json()["ErrorCode"] == 10004
    emulator.assume({"media_fields_required": False})
    ok(client.send_group_message(group, [], [file]))


def test_one_to_one_messages_are_sent_to_many_imported_and_recalled(emulator, client):
    client.batch_add_users(["leckie", "peter", "tommy"])
    to_many = tcim.BatchMessageObj("leckie", ["peter", "tommy"], [tcim.MessageText("to all")])
    key = ok(client.batch_send_message(to_many))["MsgKey"]
    for peer in ("peter", "tommy"):
        (found,) = ok(client.get_message_list("leckie", peer, 10, 0, int(time.time()) + 10))["MsgList"]
        assert found["MsgKey"] == key
    some = tcim.BatchMessageObj("leckie", ["peter", "nobody"], [tcim.MessageText("to some")])
    assert client.batch_send_message(some).json()["ErrorList"] == [{"To_Account": "nobody", "ErrorCode": 70107}]

    ok(client.draw_message("leckie", "peter", key))
    assert client.draw_message("leckie", "peter", key).json()["ErrorCode"] == 20023
    assert client.draw_message("leckie", "peter", "1_2_3").json()["ErrorCode"] == 20022

    old = tcim.MessageObj("peter", "tommy", [tcim.MessageText("old")])
    assert client.import_message_to_im(old, 1_400_000_000).json()["ErrorCode"] == 90030  # its 1 is from before 2023
    ok(client.import_message_to_im(old, 1_400_000_000, 2))
    emulator.assume({"import_sync_values": "1_2"})
    ok(client.import_message_to_im(old, 1_400_000_001))
    answer = ok(client.get_message_list("tommy", "peter", 10, 0, int(time.time())))
    assert [item["MsgTimeStamp"] for item in answer["MsgList"]] == [1_400_000_000, 1_400_000_001]


def test_groups_are_joined_notified_cleaned_of_a_sender_and_dissolved(emulator, client):
    group = emulator.add_group(messages=[{"MsgBody": "x", "From_Account": "peter"}, "y"], members=["peter"])
    answer = ok(client.get_joined_groups("peter", 10, 0, "Public", ["Name"], ["Role"]))
    assert answer["GroupIdList"] == [{"GroupId": group, "Name": "group", "SelfInfo": {"Role": "Member"}}]
    ok(client.send_system_message_in_group(group, "closing time"))
    ok(client.send_system_message_in_group(group, "closing time", ["peter"]))
    ok(client.delete_group_msg_by_sender(group, "peter"))
    read = ok(client.get_msg_in_group(group, 2, 1, 2))["RspMsgList"]
    assert [(item["MsgSeq"], item["IsPlaceMsg"]) for item in read] == [(2, 0), (1, 2)]
    ok(client.delete_group(group))
    assert client.get_joined_groups("peter").json()["TotalCount"] == 0


def test_what_it_calls_and_the_emulator_lacks_is_refused_clearly(client):
    for response in (client.abolition_user_sig("x"), client.check_user_online(["x"])):
        assert response.json()["ErrorCode"] == 60017
    assert client.get_group_shutup_list("group").json()["ErrorCode"] == 60008
