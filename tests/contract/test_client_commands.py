"""The commands around the core: the request of each, field by field, and what is refused before anything is sent."""

from __future__ import annotations

import pytest
from scripted_server import OK, ScriptedServer

from airflow_provider_tencentim.client.errors import TencentIMTransientError

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
    "group_msg_get_simple": (
        lambda client: client.group_msg_get_simple("@TGS#1"),
        "group_open_http_svc/group_msg_get_simple",
        {"GroupId": "@TGS#1", "ReqMsgNumber": 20, "WithRecalledMsg": 1},
    ),
    "group_msg_get_simple of a part of a topic": (
        lambda client: client.group_msg_get_simple("@TGS#_1", 23, 7, "@TGS#_1@TOPIC#_1", with_recalled_msg=False),
        "group_open_http_svc/group_msg_get_simple",
        {"GroupId": "@TGS#_1", "TopicId": "@TGS#_1@TOPIC#_1", "ReqMsgSeq": 23, "ReqMsgNumber": 7},
    ),
    "send_group_system_notification in a topic": (
        lambda client: client.send_group_system_notification("@TGS#_1", "hello", topic_id="@TGS#_1@TOPIC#_1"),
        "group_open_http_svc/send_group_system_notification",
        {"GroupId": "@TGS#_1", "TopicId": "@TGS#_1@TOPIC#_1", "Content": "hello"},
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
    "batchsendmsg in the name of the app admin": (
        lambda client: client.batchsendmsg(("a",), HELLO, msg_random=0, msg_seq=0),
        "openim/batchsendmsg",
        {"To_Account": ["a"], "MsgRandom": 0, "MsgSeq": 0, "MsgBody": HELLO},
    ),
    "importmsg with custom data": (
        lambda client: client.importmsg(
            "a", "b", "hello", msg_time_stamp=1, msg_random=2, msg_seq=3, cloud_custom_data="x"
        ),
        "openim/importmsg",
        {
            "SyncFromOldSystem": 2,
            "From_Account": "a",
            "To_Account": "b",
            "MsgSeq": 3,
            "MsgRandom": 2,
            "MsgTimeStamp": 1,
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
    "get_history of groups": (
        lambda client: client.get_history("Group", "2015120121"),
        "open_msg_svc/get_history",
        {"ChatType": "Group", "MsgTime": "2015120121"},
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
LONG = "a" * 33
LONG_GROUP = "g" * 49

# By the argument that is malformed.
REFUSED = {
    "from_account": lambda client: client.admin_msgwithdraw(LONG, "b", "1_2_3"),
    "to_account": lambda client: client.admin_msgwithdraw("a", LONG, "1_2_3"),
    "msg_key": lambda client: client.admin_msgwithdraw("a", "b", "1-2-3"),
    "from_account, modified": lambda client: client.modify_c2c_msg(LONG, "b", "1_2_3", "x"),
    "to_account, modified": lambda client: client.modify_c2c_msg("a", LONG, "1_2_3", "x"),
    "msg_key, modified": lambda client: client.modify_c2c_msg("a", "b", "x", "x"),
    "msg_body, modified": lambda client: client.modify_c2c_msg("a", "b", "1_2_3", []),
    "cloud_custom_data, modified": lambda client: client.modify_c2c_msg("a", "b", "1_2_3", cloud_custom_data=" "),
    "group_id, modified": lambda client: client.modify_group_msg(LONG_GROUP, 1, "x"),
    "topic_id, modified": lambda client: client.modify_group_msg("g", 1, "x", topic_id=" "),
    "msg_seq, modified": lambda client: client.modify_group_msg("g", 0, "x"),
    "msg_body, of a group": lambda client: client.modify_group_msg("g", 1, 7),
    "cloud_custom_data, of a group": lambda client: client.modify_group_msg("g", 1, cloud_custom_data=7),
    "group_id, recalled": lambda client: client.group_msg_recall(LONG_GROUP, [1]),
    "topic_id, recalled": lambda client: client.group_msg_recall("g", [1], " "),
    "msg_seqs": lambda client: client.group_msg_recall("g", [0]),
    "msg_seqs, text": lambda client: client.group_msg_recall("g", "1-x"),
    "reason": lambda client: client.group_msg_recall("g", [1], reason="r" * 101),
    "group_id, previewed": lambda client: client.preview_group_msg_recall(LONG_GROUP, [1]),
    "topic_id, previewed": lambda client: client.preview_group_msg_recall("g", [1], " "),
    "msg_seqs, previewed": lambda client: client.preview_group_msg_recall("g", [2**32]),
    "group_id, cleared": lambda client: client.clear_group_msg(LONG_GROUP),
    "msg_seq, cleared": lambda client: client.clear_group_msg("g", 0),
    "group_id, read": lambda client: client.group_msg_get_simple(LONG_GROUP),
    "req_msg_seq": lambda client: client.group_msg_get_simple("g", 0),
    "topic_id, read": lambda client: client.group_msg_get_simple("g", topic_id=" "),
    "group_id, infos": lambda client: list(client.get_group_info(["g", LONG_GROUP])),
    "group_type": lambda client: list(client.iter_groups(LONG_GROUP)),
    "account": lambda client: list(client.iter_joined_groups(LONG)),
    "group_type, joined": lambda client: list(client.iter_joined_groups("a", LONG_GROUP)),
    "account, conversations": lambda client: list(client.iter_conversations(LONG)),
    "operator_account, history": lambda client: list(client.iter_c2c_history(LONG, "b")),
    "peer_account, history": lambda client: list(client.iter_c2c_history("a", LONG)),
    "group_id": lambda client: client.delete_group_msg_by_sender("\u7fa4", "a"),
    "sender_account": lambda client: client.delete_group_msg_by_sender("g", None),
    "sender_account, long": lambda client: client.delete_group_msg_by_sender("g", LONG),
    "topic_id": lambda client: client.delete_group_msg_by_sender("g", "a", topic_id=""),
    "operator_account": lambda client: client.delete_c2c_msg_ramble(LONG, "b", ["1_2_3"]),
    "peer_account": lambda client: client.delete_c2c_msg_ramble("a", LONG, ["1_2_3"]),
    "msg_keys": lambda client: client.delete_c2c_msg_ramble("a", "b", []),
    "msg_keys, 31": lambda client: client.delete_c2c_msg_ramble("a", "b", ["1_2_3"] * 31),
    "msg_keys, text": lambda client: client.delete_c2c_msg_ramble("a", "b", "1_2_3"),
    "msg_keys, malformed": lambda client: client.delete_c2c_msg_ramble("a", "b", ["1_2_3", "x"]),
    "group_id, told": lambda client: client.send_group_system_notification(LONG_GROUP, "x"),
    "topic_id, told": lambda client: client.send_group_system_notification("g", "x", topic_id=" "),
    "content": lambda client: client.send_group_system_notification("g", " "),
    "to_members, 501": lambda client: client.send_group_system_notification("g", "x", MANY),
    "to_members, text": lambda client: client.send_group_system_notification("g", "x", "peter"),
    "kind": lambda client: client.recentcontact_delete("a", "both", "b"),
    "from_account, conversation": lambda client: client.recentcontact_delete(LONG, "c2c", "b"),
    "peer": lambda client: client.recentcontact_delete("a", "c2c", LONG),
    "peer, group": lambda client: client.recentcontact_delete("a", "group", LONG_GROUP),
    "to_accounts": lambda client: client.batchsendmsg([], "x"),
    "to_accounts, 501": lambda client: client.batchsendmsg(MANY, "x"),
    "msg_body": lambda client: client.batchsendmsg(["a"], []),
    "cloud_custom_data": lambda client: client.batchsendmsg(["a"], "x", cloud_custom_data=""),
    "from_account, batch": lambda client: client.batchsendmsg(["a"], "x", from_account=LONG),
    "from_account, imported": lambda client: client.importmsg(
        LONG, "b", "x", msg_time_stamp=1, msg_random=2, msg_seq=3
    ),
    "to_account, imported": lambda client: client.importmsg("a", LONG, "x", msg_time_stamp=1, msg_random=2, msg_seq=3),
    "user_id": lambda client: client.account_import(LONG),
    "nick": lambda client: client.account_import("a", ""),
    "face_url": lambda client: client.account_import("a", face_url=" "),
    "user_ids": lambda client: client.multiaccount_import(MANY[:101]),
    "user_ids, malformed": lambda client: client.account_check(["a", ""]),
    "user_ids, 101": lambda client: client.account_check(MANY[:101]),
    "chat_type": lambda client: client.get_history("group", "2015120121"),
    "msg_time": lambda client: client.get_history("Group", "2015-12-01 21"),
    "msg_time, blank": lambda client: client.get_history("Group", " "),
    "destroyed group_id": lambda client: client.destroy_group(""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_argument_is_named_and_nothing_is_sent(name):
    argument = name.split(",")[0].removeprefix("destroyed ")
    with ScriptedServer(OK) as server, pytest.raises(ValueError, match=rf"^{argument} "):
        REFUSED[name](server.client())

    assert server.requests == []


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (REFUSED["msg_keys"], "msg_keys must be a list of 1 to 30 MsgKeys"),
        (REFUSED["kind"], "kind must be c2c or group"),
        (REFUSED["chat_type"], "chat_type must be C2C or Group"),
        (REFUSED["msg_time"], "msg_time is not YYYYMMDDHH"),
    ],
)
def test_an_error_says_what_an_argument_must_be(ask, words):
    with ScriptedServer(OK) as server, pytest.raises(ValueError, match=f"^{words}$"):
        ask(server.client())


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.delete_c2c_msg_ramble("a" * 32, "b" * 32, ["1_2_3"]),
        lambda client: client.delete_c2c_msg_ramble("a", "b", ("1_2_3",) * 30),
        lambda client: client.send_group_system_notification("g" * 48, "x", MANY[:500]),
        lambda client: client.recentcontact_delete("a", "c2c", "b" * 32),
        lambda client: client.recentcontact_delete("a", "group", "g" * 48),
        lambda client: client.batchsendmsg(MANY[:500], "x"),
        lambda client: client.multiaccount_import(MANY[:100]),
        lambda client: client.account_check(MANY[:100]),
    ],
)
def test_as_much_as_the_documents_allow_is_sent_in_one_call(ask):
    with ScriptedServer(OK) as server:
        assert ask(server.client())["ErrorCode"] == 0

    assert len(server.requests) == 1


def test_a_check_of_accounts_may_be_tried_once_only():
    with ScriptedServer(None) as server, pytest.raises(TencentIMTransientError):
        server.client().account_check(["a"], tries=1)

    assert len(server.requests) == 1


def test_a_batch_carries_a_random_of_its_own_by_which_its_double_is_dropped():
    with ScriptedServer(None, OK, OK) as server:
        client = server.client()
        client.batchsendmsg(["a"], "x")
        client.batchsendmsg(["a"], "x")

    first, again, second = (request.json()["MsgRandom"] for request in server.requests)
    assert first == again != second
    assert all(0 <= number < 2**32 for number in (first, second))


def test_the_randoms_of_batches_use_all_32_bits():
    with ScriptedServer(OK) as server:
        client = server.client()
        for _ in range(40):
            client.batchsendmsg(["a"], "x")

    # 40 numbers below 2^31 do not happen.
    assert 2**31 <= max(request.json()["MsgRandom"] for request in server.requests) < 2**32
