"""The other readings of what the documents leave open: each switch is moved, and what it changes is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.emulator import TencentIMEmulator

GROUPS = "group_open_http_svc"
MODIFY, MODIFY_C2C, SENDMSG = "openim/modify_group_msg", "openim/modify_c2c_msg", "openim/sendmsg"
BATCH, IMPORT_C2C, WITHDRAW = "openim/batchsendmsg", "openim/importmsg", "openim/admin_msgwithdraw"
HIDE, ROAM = "openim/delete_c2c_msg_ramble", "openim/admin_getroammsg"
GET, CLEAR, CREATE = f"{GROUPS}/group_msg_get_simple", f"{GROUPS}/clear_group_msg", f"{GROUPS}/create_group"
SEND, IMPORT, LIST = f"{GROUPS}/send_group_msg", f"{GROUPS}/import_group_msg", f"{GROUPS}/get_appid_group_list"
ACCOUNT, APPINFO = "im_open_login_svc/account_import", "openconfigsvr/getappinfo"
TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
ROOM = {"GroupId": "room"}
SENDING = {**ROOM, "Random": 1, "MsgBody": TEXT}
COMMUNITY = "@TGS#_c"
LETTER = {"From_Account": "a", "To_Account": "b", "MsgRandom": 7, "MsgBody": TEXT}
SIDES = {"Operator_Account": "a", "Peer_Account": "b"}
WINDOW = {**SIDES, "MaxCnt": 100, "MinTime": 0, "MaxTime": 4_000_000_000}
IMPORTING = {**LETTER, "SyncFromOldSystem": 2, "MsgTimeStamp": 9}


@pytest.fixture(autouse=True)
def _world(emulator: TencentIMEmulator) -> None:
    emulator.add_group("room", messages=5, create_time=1)
    emulator.add_group(COMMUNITY, "Community", messages=2, topics={"topic": 3})
    for seq in (1, 2, 3):
        emulator.add_c2c_message("a", "b", {"MsgBody": "x", "MsgSeq": seq, "MsgRandom": 2, "MsgTimeStamp": 10 * seq})


# The switch and its value, what is called, the code by default and the code of the other reading.
CODES: list[tuple[dict[str, Any], str, dict[str, Any], int, int]] = [
    ({"appinfo_field_code": 130001}, APPINFO, {"RequestField": "AppName"}, 60003, 130001),
    ({"user_id_characters": "alphanumeric"}, ACCOUNT, {"UserID": "a@b.c"}, 0, 70402),
    ({"user_id_characters": "alphanumeric"}, ACCOUNT, {"UserID": "Az_0-9"}, 0, 0),
    ({"message_size_counts": "body"}, SEND, {**SENDING, "CloudCustomData": "x" * 12_288}, 80002, 0),
    ({"message_size_counts": "body"}, SENDMSG, {**LETTER, "CloudCustomData": "x" * 12_288}, 93000, 0),
    (
        {"control_online_code": 10007},
        SEND,
        {**SENDING, "OnlineOnlyFlag": 1, "SendMsgControl": ["NoUnread"]},
        10004,
        10007,
    ),
    ({"import_recent_flag_code": 10004}, IMPORT, {"GroupId": COMMUNITY, "RecentContactFlag": 1}, 10007, 10004),
    ({"clear_zero_is_all": True}, CLEAR, {**ROOM, "MsgSeq": 0}, 10004, 0),
    ({"clear_community_code": 0}, CLEAR, {"GroupId": COMMUNITY}, 10007, 0),
    ({"sender_field_code": 20003}, SENDMSG, {**LETTER, "From_Account": 1}, 90008, 20003),
    ({"sender_field_code": 20003}, BATCH, {**LETTER, "From_Account": 1, "To_Account": ["a"]}, 90008, 20003),
    ({"batch_empty_code": 90011}, BATCH, {**LETTER, "To_Account": []}, 90003, 90011),
    ({"roam_field_code": 90001}, ROAM, {**WINDOW, "MaxCnt": 0}, 90010, 90001),
    ({"roam_field_code": 90001}, ROAM, {**WINDOW, "MinTime": "0"}, 90010, 90001),
    ({"roam_key_code": 90010}, ROAM, {**WINDOW, "LastMsgKey": "1_2"}, 90054, 90010),
    ({"ramble_operator_code": 90001}, HIDE, {**SIDES, "Operator_Account": 1, "MsgKeyList": ["1_2_10"]}, 90008, 90001),
    (
        {"ramble_operator_code": 20003},
        HIDE,
        {**SIDES, "Operator_Account": "no", "MsgKeyList": ["1_2_10"]},
        90008,
        20003,
    ),
    ({"ramble_peer_code": 90001}, HIDE, {**SIDES, "Peer_Account": 1, "MsgKeyList": ["1_2_10"]}, 90003, 90001),
    (
        {"key_of_either_side": True},
        MODIFY_C2C,
        {"From_Account": "b", "To_Account": "a", "MsgKey": "1_2_10", "MsgBody": TEXT},
        20022,
        0,
    ),
    ({"key_of_either_side": True}, WITHDRAW, {"From_Account": "b", "To_Account": "a", "MsgKey": "1_2_10"}, 20022, 0),
]


@pytest.mark.parametrize(
    ("reading", "command", "body", "code", "other"), CODES, ids=[next(iter(reading)) for reading, *_ in CODES]
)
def test_another_code(emulator, emulator_call, reading, command, body, code, other):
    items = [{"From_Account": "a", "SendTime": 1000, "MsgBody": TEXT}]
    body = {**body, "MsgList": items} if command == IMPORT else body
    assert emulator_call(command, body)["ErrorCode"] == code
    emulator.assume(reading)
    assert emulator_call(command, body)["ErrorCode"] == other


# --- the gateway


def test_the_code_of_an_enforced_parameter(emulator, emulator_call):
    emulator.assume({"enforce_random": True, "enforce_contenttype": True, "enforced_query_code": 60009})
    assert emulator_call(APPINFO, {}, random="x")["ErrorCode"] == 60009
    assert emulator_call(APPINFO, {}, contenttype=None)["ErrorCode"] == 60009


@pytest.mark.parametrize(("first", "code"), [(True, 60010), (False, 90001)])
def test_whether_the_caller_or_the_json_is_looked_at_first(emulator, emulator_call, first, code):
    emulator.assume({"admin_before_json": first})
    caller = {"identifier": "a", "usersig": TLSSigAPIv2(emulator.sdkappid, emulator.secret_key).gen_sig("a")}
    assert emulator_call(SENDMSG, b"{", **caller)["ErrorCode"] == code
    assert emulator_call(SENDMSG, {}, **caller)["ErrorCode"] == 60010


def test_the_list_of_groups_has_a_code_of_its_own_for_its_pace(emulator, emulator_call):
    assert [emulator_call(LIST, {})["ErrorCode"] for _ in range(2)] == [0, 10006]
    emulator.assume({"group_list_rate_code": 60007, "rate_limit_code": 60011})
    assert emulator_call(LIST, {})["ErrorCode"] == 60007


# --- group messages

STATES = ["normal"] * 5 + ["expired"] * 5 + ["recalled"] * 5 + ["normal"] * 25  # MsgSeq 1 to 40
SHOWN = [
    ({"ReqMsgNumber": 4, "ReqMsgSeq": 17}, 1, [17, 16, 10, 9]),
    ({"ReqMsgNumber": 3, "ReqMsgSeq": 14}, 1, [10, 9, 8]),
    ({"ReqMsgNumber": 3, "ReqMsgSeq": 16, "WithRecalledMsg": 1}, 1, [16, 15, 14]),
    ({"ReqMsgNumber": 20, "ReqMsgSeq": 30}, 1, [*range(30, 15, -1), *range(10, 5, -1)]),
    ({"ReqMsgNumber": 22, "ReqMsgSeq": 35}, 2, [*range(35, 15, -1)]),
    ({"ReqMsgNumber": 4294967295, "ReqMsgSeq": 35}, 0, [*range(35, 15, -1)]),
    ({"ReqMsgNumber": 4294967295, "ReqMsgSeq": 4}, 1, [4, 3, 2, 1]),
    ({"ReqMsgNumber": 9, "ReqMsgSeq": 0}, 1, []),
]


@pytest.mark.parametrize(("fields", "finished", "expected"), SHOWN)
def test_a_number_of_messages_that_are_shown(emulator, emulator_call, fields, finished, expected):
    group = emulator.add_group(messages=[{"MsgBody": "x", "state": state} for state in STATES])
    emulator.assume({"req_number_counts": "shown"})
    answer = emulator_call(GET, {"GroupId": group, **fields})
    assert ([item["MsgSeq"] for item in answer["RspMsgList"]], answer["IsFinished"]) == (expected, finished)


@pytest.mark.parametrize("reading", ["seqs", "shown"])
def test_the_client_reads_a_whole_history_under_either_reading(emulator, reading):
    places = [*range(1, 30), *range(100, 130), 500]
    group = emulator.add_group(messages=[{"MsgBody": "x", "MsgSeq": seq, "state": STATES[seq % 40]} for seq in places])
    emulator.assume({"req_number_counts": reading})
    with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url) as client:
        found = [item["MsgSeq"] for item in client.iter_group_history(group)]
    assert found == places[::-1]


def test_an_overwritten_message_is_read_back_and_bears_no_mark_unless_told(emulator, emulator_call):
    changed = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "changed"}}]
    before = emulator_call(GET, {**ROOM, "ReqMsgNumber": 5})["RspMsgList"]
    assert emulator_call(MODIFY, {**ROOM, "MsgSeq": 3, "MsgBody": changed})["ErrorCode"] == 0
    assert emulator_call(MODIFY, {**ROOM, "MsgSeq": 4, "CloudCustomData": "c"})["ErrorCode"] == 0
    expected = [dict(item) for item in before]
    expected[2]["MsgBody"], expected[1]["CloudCustomData"] = changed, "c"
    assert emulator_call(GET, {**ROOM, "ReqMsgNumber": 5})["RspMsgList"] == expected
    emulator.assume({"modified_mark": "IsModified"})
    marks = [item.get("IsModified") for item in emulator_call(GET, {**ROOM, "ReqMsgNumber": 5})["RspMsgList"]]
    assert marks == [None, 1, 1, None, None]


def test_an_overwritten_one_to_one_message_can_bear_the_mark_too(emulator, emulator_call):
    letter = {"From_Account": "a", "To_Account": "b", "MsgKey": "2_2_20", "MsgBody": TEXT}
    assert emulator_call(MODIFY_C2C, letter)["ErrorCode"] == 0
    assert all("IsModified" not in item for item in emulator_call(ROAM, WINDOW)["MsgList"])
    emulator.assume({"modified_mark": "IsModified"})
    assert [item.get("IsModified") for item in emulator_call(ROAM, WINDOW)["MsgList"]] == [None, 1, None]


@pytest.mark.parametrize(("reading", "place", "shown"), [("recalled", 2, False), ("deleted", 1, True)])
def test_what_is_left_of_a_senders_messages(emulator, emulator_call, reading, place, shown):
    emulator.assume({"by_sender_leaves": reading})
    emulator_call(f"{GROUPS}/delete_group_msg_by_sender", {**ROOM, "Sender_Account": "administrator"})
    items = emulator_call(GET, {**ROOM, "ReqMsgNumber": 1, "WithRecalledMsg": 1})["RspMsgList"]
    assert [(item["IsPlaceMsg"], item["MsgBody"]) for item in items] == [(place, [])]
    assert bool(emulator_call(GET, {**ROOM, "ReqMsgNumber": 1})["RspMsgList"]) is shown


@pytest.mark.parametrize(("back", "through"), [(False, 4), (True, 2)])
def test_whether_the_mark_of_a_clear_goes_back(emulator, emulator_call, back, through):
    emulator.assume({"clear_goes_back": back})
    for seq in (4, 2):
        assert emulator_call(CLEAR, {**ROOM, "MsgSeq": seq})["ErrorCode"] == 0
    assert emulator.state("room")["groups"]["room"]["cleared_through"] == through


def test_a_clear_of_zero_is_one_of_all_if_assumed(emulator, emulator_call):
    emulator.assume({"clear_zero_is_all": True})
    assert emulator_call(CLEAR, {**ROOM, "MsgSeq": 0})["ErrorCode"] == 0
    assert emulator.state("room")["groups"]["room"]["cleared_through"] == 5


@pytest.mark.parametrize("topics", [False, True])
def test_a_clear_leaves_topics_alone_unless_told_otherwise(emulator, emulator_call, topics):
    emulator.assume({"clear_community_code": 0, "clear_topics": topics})

    def cleared() -> list[list[bool]]:
        group = emulator.state(COMMUNITY)["groups"][COMMUNITY]
        every = (group["messages"], group["topics"]["topic"]["messages"])
        return [[message["cleared"] for message in messages] for messages in every]

    assert emulator_call(CLEAR, {"GroupId": COMMUNITY, "MsgSeq": 2})["ErrorCode"] == 0
    assert cleared() == [[True] * 2, [False] * 3]
    assert emulator_call(CLEAR, {"GroupId": COMMUNITY})["ErrorCode"] == 0
    assert cleared() == [[True] * 2, [topics] * 3]
    reading = {"GroupId": COMMUNITY, "TopicId": "topic", "ReqMsgNumber": 3}
    assert len(emulator_call(GET, reading)["RspMsgList"]) == 3


def test_a_message_that_was_not_dropped_has_an_empty_reason(emulator_call):
    assert [emulator_call(SEND, SENDING)["MsgDropReason"] for _ in range(2)] == ["", ""]


def test_the_result_of_an_imported_message_from_an_unknown_account(emulator, emulator_call):
    emulator.add_group("old", create_time=1)
    importing = {"GroupId": "old", "MsgList": [{"From_Account": "nobody", "SendTime": 9, "MsgBody": TEXT}]}
    for code in (10004, 10019):
        emulator.assume({"import_sender_result": code})
        assert [item["Result"] for item in emulator_call(IMPORT, importing)["ImportMsgResult"]] == [code]


def test_send_msg_control_is_a_list_and_fine_by_itself(emulator_call):
    assert emulator_call(SEND, {**SENDING, "SendMsgControl": ["NoUnread"]})["ErrorCode"] == 0
    assert emulator_call(SEND, {**SENDING, "SendMsgControl": "NoUnread"})["ErrorCode"] == 10004


@pytest.mark.parametrize(("free", "code"), [(True, 0), (False, 10021)])
@pytest.mark.parametrize("command", [CREATE, f"{GROUPS}/import_group"])
def test_whether_the_id_of_a_dissolved_group_is_free(emulator, emulator_call, command, free, code):
    emulator.assume({"dissolved_id_free": free})
    assert emulator_call(f"{GROUPS}/destroy_group", ROOM)["ErrorCode"] == 0
    assert emulator_call(command, {**ROOM, "Type": "Public", "Name": "x"})["ErrorCode"] == code
    assert emulator_call(command, {"GroupId": "other", "Type": "Public", "Name": "x"})["ErrorCode"] == 0


# --- one-to-one messages


def times(call: Any, **fields: int) -> list[int]:
    return [item["MsgTimeStamp"] for item in call(ROAM, {**WINDOW, **fields})["MsgList"]]


def test_a_page_can_have_an_upper_limit(emulator, emulator_call):
    assert times(emulator_call, MaxCnt=4294967295) == [10, 20, 30]
    emulator.assume({"roam_max_count": 2})
    page = emulator_call(ROAM, WINDOW)
    assert (page["MsgCnt"], page["Complete"], page["LastMsgKey"]) == (2, 0, "2_2_20")
    assert times(emulator_call, MaxCnt=1) == [30]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(True, True, [10, 20, 30]), (False, True, [20, 30]), (True, False, [10, 20]), (False, False, [20])],
)
def test_which_ends_belong_to_the_time_window(emulator, emulator_call, low, high, expected):
    emulator.assume({"roam_min_time_included": low, "roam_max_time_included": high})
    assert times(emulator_call, MinTime=10, MaxTime=30) == expected
    assert times(emulator_call, MinTime=0, MaxTime=0) == []


def test_a_message_for_who_is_online_only_is_not_stored(emulator, emulator_call):
    for online, count in ((1, 3), (0, 4)):
        sent = emulator_call(SENDMSG, {**LETTER, "MsgRandom": online, "OnlineOnlyFlag": online})
        assert sent["MsgKey"]
        assert emulator_call(ROAM, WINDOW)["MsgCnt"] == count
    assert emulator_call(SENDMSG, {**LETTER, "OnlineOnlyFlag": 2})["ErrorCode"] == 20001


@pytest.mark.parametrize(("reading", "stored"), [("random", 2), ("derived", 1)])
def test_a_repeated_import_without_a_seq(emulator, emulator_call, reading, stored):
    emulator.assume({"import_seq": reading})
    for _ in range(2):
        assert emulator_call(IMPORT_C2C, IMPORTING)["ErrorCode"] == 0
    keys = [item["MsgKey"] for item in emulator_call(ROAM, {**WINDOW, "MaxTime": 9})["MsgList"]]
    assert len(keys) == stored
    assert (keys == ["7_7_9"]) is (reading == "derived")


@pytest.mark.parametrize(("reading", "code"), [("named", 60007), ("sent", 0)])
def test_which_recipients_count_for_the_minute(emulator, emulator_call, reading, code):
    emulator.assume({"batch_counts": reading, "batch_messages_per_minute": 2})
    batch = {**LETTER, "To_Account": ["b", "b", "nobody"]}
    assert emulator_call(BATCH, batch)["ErrorCode"] == code
