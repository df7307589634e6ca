"""The commands around the core: the request of each, field by field, and what is refused before anything is sent."""

from __future__ import annotations

import pytest
from scripted_server import OK, ScriptedServer

HELLO = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]

REQUESTS = {
    "admin_msgwithdraw": (
        lambda client: client.admin_msgwithdraw("vinson", "dramon", "31906_833502_1572869830"),
        "openim/admin_msgwithdraw",
        {"From_Account": "vinson", "To_Account": "dramon", "MsgKey": "31906_833502_1572869830"},
    ),
    "delete_group_msg_by_sender": (
        lambda client: client.delete_group_msg_by_sender("@TGS#1", "leckie"),
        "group_open_http_svc/delete_group_msg_by_sender",
        {"GroupId": "@TGS#1", "Sender_Account": "leckie"},
    ),
    "delete_group_msg_by_sender in a topic": (
        lambda client: client.delete_group_msg_by_sender("@TGS#_1", "leckie", topic_id="@TGS#_1@TOPIC#_1"),
        "group_open_http_svc/delete_group_msg_by_sender",
        {"GroupId": "@TGS#_1", "TopicId": "@TGS#_1@TOPIC#_1", "Sender_Account": "leckie"},
    ),
    "delete_c2c_msg_ramble": (
        lambda client: client.delete_c2c_msg_ramble("user1", "user2", ["1_2_3", "4_5_6"]),
        "openim/delete_c2c_msg_ramble",
        {"Operator_Account": "user1", "Peer_Account": "user2", "MsgKeyList": ["1_2_3", "4_5_6"]},
    ),
    "send_group_system_notification to all": (
        lambda client: client.send_group_system_notification("@TGS#1", "hello"),
        "group_open_http_svc/send_group_system_notification",
        {"GroupId": "@TGS#1", "Content": "hello"},
    ),
    "send_group_system_notification to some": (
        lambda client: client.send_group_system_notification("@TGS#1", "hello", ["peter", "leckie"]),
        "group_open_http_svc/send_group_system_notification",
        {"GroupId": "@TGS#1", "Content": "hello", "ToMembers_Account": ["peter", "leckie"]},
    ),
    "destroy_group": (
        lambda client: client.destroy_group("@TGS#1"),
        "group_open_http_svc/destroy_group",
        {"GroupId": "@TGS#1"},
    ),
    "recentcontact_delete of a conversation": (
        lambda client: client.recentcontact_delete("id1", "c2c", "id2"),
        "recentcontact/delete",
        {"From_Account": "id1", "Type": 1, "To_Account": "id2", "ClearRamble": 0},
    ),
    "recentcontact_delete of a group": (
        lambda client: client.recentcontact_delete("id1", "group", "@TGS#1", clear_history=True),
        "recentcontact/delete",
        {"From_Account": "id1", "Type": 2, "ToGroupid": "@TGS#1", "ClearRamble": 1},
    ),
    "batchsendmsg": (
        lambda client: client.batchsendmsg(
            ["a", "b"], "hello", from_account="c", cloud_custom_data="x", msg_random=7, msg_seq=9
        ),
        "openim/batchsendmsg",
        {
            "To_Account": ["a", "b"],
            "From_Account": "c",
            "MsgRandom": 7,
            "MsgSeq": 9,
            "MsgBody": HELLO,
            "CloudCustomData": "x",
        },
    ),
    "importmsg as history": (
        lambda client: client.importmsg("a", "b", "hello", msg_time_stamp=1556178721, msg_random=1287657, msg_seq=5),
        "openim/importmsg",
        {
            "SyncFromOldSystem": 2,
            "From_Account": "a",
            "To_Account": "b",
            "MsgSeq": 5,
            "MsgRandom": 1287657,
            "MsgTimeStamp": 1556178721,
            "MsgBody": HELLO,
        },
    ),
    "importmsg as a new message": (
        lambda client: client.importmsg("a", "b", HELLO, msg_time_stamp=1, msg_random=2, msg_seq=3, history=False),
        "openim/importmsg",
        {
            "SyncFromOldSystem": 5,
            "From_Account": "a",
            "To_Account": "b",
            "MsgSeq": 3,
            "MsgRandom": 2,
            "MsgTimeStamp": 1,
            "MsgBody": HELLO,
        },
    ),
    "account_import": (
        lambda client: client.account_import("test", "nick", "http://www.qq.com"),
        "im_open_login_svc/account_import",
        {"UserID": "test", "Nick": "nick", "FaceUrl": "http://www.qq.com"},
    ),
    "account_import of a bare id": (
        lambda client: client.account_import("test"),
        "im_open_login_svc/account_import",
        {"UserID": "test"},
    ),
    "multiaccount_import": (
        lambda client: client.multiaccount_import(["test1", "test2"]),
        "im_open_login_svc/multiaccount_import",
        {"Accounts": ["test1", "test2"]},
    ),
    "account_check": (
        lambda client: client.account_check(["UserID_1", "UserID_2"]),
        "im_open_login_svc/account_check",
        {"CheckItem": [{"UserID": "UserID_1"}, {"UserID": "UserID_2"}]},
    ),
    "getappinfo": (lambda client: client.getappinfo(), "openconfigsvr/getappinfo", {}),
    "getappinfo of some figures": (
        lambda client: client.getappinfo(["ChainDecrease", "ChainIncrease"]),
        "openconfigsvr/getappinfo",
        {"RequestField": ["ChainDecrease", "ChainIncrease"]},
    ),
    "get_history": (
        lambda client: client.get_history("C2C", "2015120121"),
        "open_msg_svc/get_history",
        {"ChatType": "C2C", "MsgTime": "2015120121"},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_command_is_sent_as_the_documents_have_it(name):
    ask, command, body = REQUESTS[name]
    with ScriptedServer(OK) as server:
        ask(server.client())

    (request,) = server.requests
    assert (request.command, request.json()) == (command, body)


MANY = [f"user{number}" for number in range(501)]

REFUSED = {
    "from_account": lambda client: client.admin_msgwithdraw("", "b", "1_2_3"),
    "to_account": lambda client: client.admin_msgwithdraw("a", "b" * 33, "1_2_3"),
    "msg_key": lambda client: client.admin_msgwithdraw("a", "b", "1-2-3"),
    "group_id": lambda client: client.delete_group_msg_by_sender("群", "a"),
    "sender_account": lambda client: client.delete_group_msg_by_sender("g", None),
    "topic_id": lambda client: client.delete_group_msg_by_sender("g", "a", topic_id=""),
    "operator_account": lambda client: client.delete_c2c_msg_ramble(7, "b", ["1_2_3"]),
    "peer_account": lambda client: client.delete_c2c_msg_ramble("a", " ", ["1_2_3"]),
    "msg_keys": lambda client: client.delete_c2c_msg_ramble("a", "b", []),
    "msg_keys, 31": lambda client: client.delete_c2c_msg_ramble("a", "b", ["1_2_3"] * 31),
    "msg_keys, text": lambda client: client.delete_c2c_msg_ramble("a", "b", "1_2_3"),
    "msg_keys, malformed": lambda client: client.delete_c2c_msg_ramble("a", "b", ["1_2_3", "x"]),
    "content": lambda client: client.send_group_system_notification("g", " "),
    "to_members, 501": lambda client: client.send_group_system_notification("g", "x", MANY),
    "to_members, text": lambda client: client.send_group_system_notification("g", "x", "peter"),
    "kind": lambda client: client.recentcontact_delete("a", "both", "b"),
    "peer": lambda client: client.recentcontact_delete("a", "group", ""),
    "to_accounts": lambda client: client.batchsendmsg([], "x"),
    "to_accounts, 501": lambda client: client.batchsendmsg(MANY, "x"),
    "msg_body": lambda client: client.batchsendmsg(["a"], []),
    "user_id": lambda client: client.account_import("a" * 33),
    "nick": lambda client: client.account_import("a", ""),
    "user_ids": lambda client: client.multiaccount_import(MANY[:101]),
    "user_ids, malformed": lambda client: client.account_check(["a", ""]),
    "chat_type": lambda client: client.get_history("group", "2015120121"),
    "msg_time": lambda client: client.get_history("Group", "2015-12-01 21"),
    "destroyed group_id": lambda client: client.destroy_group(""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_argument_is_named_and_nothing_is_sent(name):
    with ScriptedServer(OK) as server, pytest.raises(ValueError, match=name.split(",")[0].removeprefix("destroyed ")):
        REFUSED[name](server.client())

    assert server.requests == []


def test_a_batch_carries_a_random_of_its_own_by_which_its_double_is_dropped():
    with ScriptedServer(None, OK, OK) as server:
        client = server.client()
        client.batchsendmsg(["a"], "x")
        client.batchsendmsg(["a"], "x")

    first, again, second = (request.json()["MsgRandom"] for request in server.requests)
    assert first == again != second
