"""What the commands do when they are carried out: windows, pages, sequence numbers, duplicates, marks."""

from __future__ import annotations

import time
from typing import Any

import pytest

TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
GET = "group_open_http_svc/group_msg_get_simple"
SEND = "group_open_http_svc/send_group_msg"
RECALL = "group_open_http_svc/group_msg_recall"
CLEAR = "group_open_http_svc/clear_group_msg"
IMPORT = "group_open_http_svc/import_group_msg"
INFO = "group_open_http_svc/get_group_info"
LIST = "group_open_http_svc/get_appid_group_list"
CREATE = "group_open_http_svc/create_group"
SENDMSG = "openim/sendmsg"
ROAM = "openim/admin_getroammsg"


def seqs(answer: dict[str, Any]) -> list[int]:
    return [item["MsgSeq"] for item in answer["RspMsgList"]]


# --- reading group history


def test_the_newest_come_first_and_in_full(emulator, emulator_call):
    group = emulator.add_group(messages=3)
    answer = emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 2})
    assert (answer["GroupId"], answer["IsFinished"], seqs(answer)) == (group, 1, [3, 2])
    (stored,) = (item for item in emulator.state(group)["groups"][group]["messages"] if item["MsgSeq"] == 3)
    assert answer["RspMsgList"][0] == {
        "From_Account": "administrator",
        "IsPlaceMsg": 0,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "message 3"}}],
        "MsgPriority": 2,
        "MsgRandom": 0,
        "MsgSeq": 3,
        "MsgTimeStamp": stored["MsgTimeStamp"],
    }


STATES = ["normal"] * 5 + ["expired"] * 5 + ["recalled"] * 5 + ["normal"] * 25  # MsgSeq 1 to 40
WINDOWS = [
    (
        "all that there is",
        40,
        {"ReqMsgNumber": 20, "ReqMsgSeq": 20},
        1,
        [*range(20, 15, -1), *range(10, 0, -1)],
    ),
    ("more than 20 are cut", 40, {"ReqMsgNumber": 21}, 0, [*range(40, 20, -1)]),
    ("a huge number", 40, {"ReqMsgNumber": 4294967295}, 0, [*range(40, 20, -1)]),
    ("recalled ones leave holes", 40, {"ReqMsgNumber": 4, "ReqMsgSeq": 17}, 1, [17, 16]),
    ("a window of recalled ones is empty", 40, {"ReqMsgNumber": 3, "ReqMsgSeq": 14}, 1, []),
    (
        "recalled ones on request",
        40,
        {"ReqMsgNumber": 3, "ReqMsgSeq": 16, "WithRecalledMsg": 1},
        1,
        [16, 15, 14],
    ),
    ("beyond the newest", 40, {"ReqMsgNumber": 1, "ReqMsgSeq": 99}, 1, [40]),
    ("before the first", 40, {"ReqMsgNumber": 20, "ReqMsgSeq": 0}, 1, []),
    ("the rest is expired", 30, {"ReqMsgNumber": 25, "ReqMsgSeq": 30}, 2, [*range(30, 15, -1)]),
    ("the rest is not only expired", 30, {"ReqMsgNumber": 26, "ReqMsgSeq": 30}, 0, [*range(30, 15, -1)]),
]


@pytest.mark.parametrize(
    ("count", "request_fields", "finished", "expected"),
    [row[1:] for row in WINDOWS],
    ids=[row[0] for row in WINDOWS],
)
def test_a_window_of_history(emulator, emulator_call, count, request_fields, finished, expected):
    group = emulator.add_group(messages=[{"MsgBody": "x", "state": state} for state in STATES[:count]])
    answer = emulator_call(GET, {"GroupId": group, **request_fields})
    assert (seqs(answer), answer["IsFinished"]) == (expected, finished)


def test_what_is_no_longer_there_shows_as_an_empty_place(emulator, emulator_call):
    messages = [{"MsgBody": "x", "CloudCustomData": "c", "state": state} for state in ("normal", "expired", "recalled")]
    group = emulator.add_group(messages=messages)
    items = emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 3, "WithRecalledMsg": 1})["RspMsgList"]
    assert [(item["IsPlaceMsg"], item["MsgBody"]) for item in items][:2] == [(2, []), (1, [])]
    assert [item.get("CloudCustomData") for item in items] == [None, None, "c"]


def test_a_system_message_has_an_object_for_a_body(emulator, emulator_call):
    group = emulator.add_group(messages=[{"MsgBody": {"OpType": 1}, "IsSystemMsg": 1}, "hello"])
    hello, tip = emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 2})["RspMsgList"]
    assert (tip["IsSystemMsg"], tip["MsgBody"], tip["From_Account"]) == (1, {"OpType": 1}, "@TIM#SYSTEM")
    assert "IsSystemMsg" not in hello


def test_a_history_with_gaps_that_begins_far_above_one(emulator, emulator_call):
    places = [4_000_000_000, 4_000_000_010, 4_294_967_290]
    group = emulator.add_group(first_seq=places[0], messages=[{"MsgBody": "x", "MsgSeq": seq} for seq in places])
    assert seqs(emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 20})) == [places[2]]
    assert seqs(emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 20, "ReqMsgSeq": places[1]})) == places[1::-1]
    everything = emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 4294967295})
    assert (seqs(everything), everything["IsFinished"]) == ([places[2]], 0)
    info = emulator_call(INFO, {"GroupIdList": [group]})["GroupInfo"][0]
    assert info["NextMsgSeq"] == 4_294_967_291


def test_topics_count_their_own_sequence_numbers(emulator, emulator_call):
    group = emulator.add_group(type="Community", messages=3, topics={"a": 1, "b": ["only"]})
    for topic, sent in (({}, 4), ({"TopicId": "a"}, 2), ({"TopicId": "b"}, 2)):
        answer = emulator_call(SEND, {"GroupId": group, "Random": sent, "MsgBody": TEXT, **topic})
        assert answer["MsgSeq"] == sent
        assert seqs(emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 20, **topic}))[0] == sent


# --- recall and clear


def test_a_recall_answers_in_the_order_of_the_request_doubles_included(emulator, emulator_call):
    group = emulator.add_group(messages=5)
    asked = [5, 1, 99, 1]
    answer = emulator_call(RECALL, {"GroupId": group, "MsgSeqList": [{"MsgSeq": seq} for seq in asked]})
    assert [(item["MsgSeq"], item["RetCode"]) for item in answer["RecallRetList"]] == [
        (5, 0),
        (1, 0),
        (99, 10030),
        (1, 10032),
    ]
    states = [message["state"] for message in emulator.state(group)["groups"][group]["messages"]]
    assert states == ["recalled", "normal", "normal", "normal", "recalled"]


def test_ten_messages_are_recalled_at_once(emulator, emulator_call):
    group = emulator.add_group(messages=10)
    every = [{"MsgSeq": seq} for seq in range(1, 11)]
    answer = emulator_call(RECALL, {"GroupId": group, "MsgSeqList": every, "Reason": "é" * 50})
    assert [item["RetCode"] for item in answer["RecallRetList"]] == [0] * 10


def test_clearing_never_goes_back_and_later_messages_are_not_cleared(emulator, emulator_call):
    group = emulator.add_group(messages=5)

    def cleared(**fields: int) -> int:
        assert emulator_call(CLEAR, {"GroupId": group, **fields})["ErrorCode"] == 0
        return emulator.state(group)["groups"][group]["cleared_through"]

    assert [cleared(MsgSeq=3), cleared(MsgSeq=2), cleared()] == [3, 3, 5]
    emulator_call(SEND, {"GroupId": group, "Random": 1, "MsgBody": TEXT})
    messages = emulator.state(group)["groups"][group]["messages"]
    assert [message["cleared"] for message in messages] == [True] * 5 + [False]


def test_a_cleared_message_can_still_be_recalled_and_modified(emulator, emulator_call):
    group = emulator.add_group(messages=2, cleared_through=2)
    modification = {"GroupId": group, "MsgSeq": 1, "MsgBody": TEXT}
    assert emulator_call("openim/modify_group_msg", modification)["ErrorCode"] == 0
    recall = {"GroupId": group, "MsgSeqList": [{"MsgSeq": 2}]}
    assert emulator_call(RECALL, recall)["RecallRetList"][0]["RetCode"] == 0


# --- sending and importing


def test_a_sent_message_gets_the_next_number_and_the_time(emulator, emulator_call):
    group = emulator.add_group(messages=2)
    emulator.add_accounts("dramon1")
    sending = {
        "GroupId": group,
        "Random": 5,
        "MsgBody": TEXT,
        "From_Account": "dramon1",
        "MsgPriority": "High",
    }
    answer = emulator_call(SEND, {**sending, "CloudCustomData": "c"})
    assert answer["MsgSeq"] == 3
    assert abs(answer["MsgTime"] - time.time()) < 3
    item = emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 1})["RspMsgList"][0]
    expected = {"From_Account": "dramon1", "MsgPriority": 1, "MsgRandom": 5, "CloudCustomData": "c"}
    assert {name: item[name] for name in expected} == expected


def test_a_message_for_who_is_online_is_not_stored(emulator, emulator_call):
    group = emulator.add_group()
    emulator_call(SEND, {"GroupId": group, "Random": 1, "MsgBody": TEXT, "OnlineOnlyFlag": 1})
    assert emulator.state(group)["groups"][group]["messages"] == []


def test_the_same_content_and_random_within_five_minutes_is_sent_once(emulator, emulator_call):
    group = emulator.add_group()
    other = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "other"}}]

    def send(random: int, body: Any) -> int:
        return emulator_call(SEND, {"GroupId": group, "Random": random, "MsgBody": body})["MsgSeq"]

    assert [send(1, TEXT), send(1, TEXT), send(2, TEXT), send(1, other)] == [1, 1, 2, 3]
    emulator.advance(301)
    assert send(1, TEXT) == 4


@pytest.mark.parametrize(("rule", "numbers"), [("random", [1, 1, 1]), ("sender_random", [1, 2, 1])])
def test_the_older_rules_for_duplicates(emulator, emulator_call, rule, numbers):
    emulator.assume({"duplicate_rule": rule})
    emulator.add_accounts("dramon1")
    group = emulator.add_group()
    other = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "other"}}]
    sent = [{"MsgBody": TEXT}, {"MsgBody": TEXT, "From_Account": "dramon1"}, {"MsgBody": other}]
    assert [emulator_call(SEND, {"GroupId": group, "Random": 1, **more})["MsgSeq"] for more in sent] == numbers


def test_group_flow_control_drops_silently_when_it_is_on(emulator, emulator_call):
    emulator.assume({"group_flow_control": "drop"})
    group = emulator.add_group()
    sent = [emulator_call(SEND, {"GroupId": group, "Random": n, "MsgBody": TEXT}) for n in range(90)]
    dropped = [answer for answer in sent if answer.get("MsgDropReason") == "MsgFreqCtrl"]
    assert dropped
    assert all(answer["ErrorCode"] == 0 for answer in sent)
    assert len(emulator.state(group)["groups"][group]["messages"]) == 90 - len(dropped)
    emulator.assume({"group_flow_control": "refuse"})
    other = emulator.add_group()
    codes = {emulator_call(SEND, {"GroupId": other, "Random": n, "MsgBody": TEXT})["ErrorCode"] for n in range(99, 190)}
    assert codes == {0, 10023}


def test_imported_messages_ascend_and_may_not_share_a_second(emulator, emulator_call):
    group = emulator.add_group(create_time=5)
    emulator.add_accounts("dramon1")
    times = [100, 100, 99, 101]
    items = [{"From_Account": "dramon1", "SendTime": at, "Random": at, "MsgBody": TEXT} for at in times]
    answer = emulator_call(IMPORT, {"GroupId": group, "MsgList": items})
    assert answer["ImportMsgResult"] == [
        {"MsgSeq": 1, "MsgTime": 100, "Result": 0},
        {"MsgSeq": 0, "MsgTime": 100, "Result": 10004},
        {"MsgSeq": 0, "MsgTime": 99, "Result": 10004},
        {"MsgSeq": 2, "MsgTime": 101, "Result": 0},
    ]
    assert emulator_call(INFO, {"GroupIdList": [group]})["GroupInfo"][0]["LastMsgTime"] == 101


# --- groups


def test_a_group_is_created_described_listed_and_destroyed(emulator, emulator_call):
    emulator.add_accounts("leckie", "peter")
    fields = {
        "Type": "Work",
        "Name": "MyFirstGroup",
        "Owner_Account": "leckie",
        "GroupId": "MyFirstGroup",
        "Introduction": "intro",
        "Notification": "note",
        "FaceUrl": "http://this.is.face.url",
        "MaxMemberCount": 500,
        "ApplyJoinOption": "FreeAccess",
        "AppDefinedData": [{"Key": "k", "Value": "v"}],
        "MemberList": [{"Member_Account": "peter", "Role": "Admin"}],
    }
    assert emulator_call(CREATE, fields)["GroupId"] == "MyFirstGroup"
    info = emulator_call(INFO, {"GroupIdList": ["MyFirstGroup"]})["GroupInfo"][0]
    assert info.pop("CreateTime") == info.pop("LastInfoTime")
    members = [(member["Member_Account"], member["Role"]) for member in info.pop("MemberList")]
    assert sorted(members) == [("leckie", "Owner"), ("peter", "Admin")]
    assert info == {
        "GroupId": "MyFirstGroup",
        "ErrorCode": 0,
        "ErrorInfo": "",
        "Type": "Private",
        "Name": "MyFirstGroup",
        "Appid": 1400000000,
        "Introduction": "intro",
        "Notification": "note",
        "FaceUrl": "http://this.is.face.url",
        "Owner_Account": "leckie",
        "LastMsgTime": 0,
        "NextMsgSeq": 1,
        "MemberNum": 2,
        "MaxMemberNum": 500,
        "ApplyJoinOption": "FreeAccess",
        "MuteAllMember": "Off",
        "AppDefinedData": [{"Key": "k", "Value": "v"}],
    }
    assert emulator_call(LIST, {})["GroupIdList"] == [{"GroupId": "MyFirstGroup"}]
    destroy = "group_open_http_svc/destroy_group"
    assert emulator_call(destroy, {"GroupId": "MyFirstGroup"})["ErrorCode"] == 0
    assert emulator_call(destroy, {"GroupId": "MyFirstGroup"})["ErrorCode"] == 10010
    assert emulator_call(CREATE, fields)["ErrorCode"] == 0


def test_a_filter_chooses_what_is_described(emulator, emulator_call):
    group = emulator.add_group(messages=2, members=["peter"])
    chosen = {"GroupBaseInfoFilter": ["Type", "NextMsgSeq", "NoSuchField"], "MemberInfoFilter": ["Role"]}
    info = emulator_call(INFO, {"GroupIdList": [group], "ResponseFilter": chosen})["GroupInfo"][0]
    assert info.pop("MemberList") == [
        {"Member_Account": "peter", "Role": "Member"},
        {"Member_Account": "administrator", "Role": "Owner"},
    ]
    assert info == {"GroupId": group, "ErrorCode": 0, "ErrorInfo": "", "Type": "Public", "NextMsgSeq": 3}


@pytest.mark.parametrize(("type_", "prefix"), [("Public", "@TGS#2"), ("Community", "@TGS#_@TGS#2")])
def test_a_made_up_group_id_looks_like_a_real_one(emulator_call, type_, prefix):
    first, second = (emulator_call(CREATE, {"Type": type_, "Name": "x"})["GroupId"] for _ in range(2))
    assert first.startswith(prefix)
    assert first != second


def test_an_imported_group_keeps_its_age(emulator, emulator_call):
    fields = {"Type": "Meeting", "Name": "old", "GroupId": "old", "CreateTime": 1_400_000_000}
    assert emulator_call("group_open_http_svc/import_group", fields)["GroupId"] == "old"
    group = emulator.state("old")["groups"]["old"]
    assert (group["Type"], group["CreateTime"]) == ("ChatRoom", 1_400_000_000)


def test_groups_are_listed_page_by_page_and_by_type(emulator, emulator_call):
    emulator.assume({"extra_calls_per_second": 100})
    ids = [emulator.add_group(type=type_) for type_ in ("Public", "Private", "Public", "Public", "ChatRoom")]
    found, following, pages = [], 0, 0
    while True:
        answer = emulator_call(LIST, {"Limit": 2, "Next": following})
        assert answer["TotalCount"] == 5
        found += [item["GroupId"] for item in answer["GroupIdList"]]
        pages += 1
        following = answer["Next"]
        if following == 0:
            break
    assert (found, pages) == (ids, 3)
    public = emulator_call(LIST, {"Limit": 2, "GroupType": "Public"})
    assert (public["TotalCount"], public["Next"] != 0) == (3, True)
    assert emulator_call(LIST, {"GroupType": "Work"})["GroupIdList"] == [{"GroupId": ids[1]}]
    assert emulator_call(LIST, {"GroupType": ""})["TotalCount"] == 5
    assert emulator_call(LIST, {"GroupType": "BChatRoom"})["TotalCount"] == 0


# --- one-to-one


def read(emulator_call: Any, **fields: Any) -> dict[str, Any]:
    request = {
        "Operator_Account": "a",
        "Peer_Account": "b",
        "MaxCnt": 100,
        "MinTime": 0,
        "MaxTime": 4_000_000_000,
    }
    return emulator_call(ROAM, {**request, **fields})


def test_a_sent_message_can_be_read_by_both_sides(emulator, emulator_call):
    emulator.add_accounts("a", "b")
    sending = {
        "From_Account": "a",
        "To_Account": "b",
        "MsgSeq": 93847636,
        "MsgRandom": 1287657,
        "MsgBody": TEXT,
    }
    sent = emulator_call(SENDMSG, {**sending, "CloudCustomData": "c"})
    assert sent["MsgKey"] == f"93847636_1287657_{sent['MsgTime']}"
    expected = {
        "From_Account": "a",
        "To_Account": "b",
        "MsgSeq": 93847636,
        "MsgRandom": 1287657,
        "MsgTimeStamp": sent["MsgTime"],
        "MsgFlagBits": 0,
        "IsPeerRead": 0,
        "MsgKey": sent["MsgKey"],
        "MsgBody": TEXT,
        "CloudCustomData": "c",
    }
    for sides in ({}, {"Operator_Account": "b", "Peer_Account": "a"}):
        answer = read(emulator_call, **sides)
        assert answer["MsgList"] == [expected]
        assert (answer["Complete"], answer["MsgCnt"], answer["LastMsgKey"]) == (1, 1, sent["MsgKey"])
    assert read(emulator_call, Peer_Account="administrator")["MsgList"] == []


def test_a_message_not_synchronised_is_missing_on_the_senders_side_only(emulator, emulator_call):
    emulator.add_accounts("a", "b")
    emulator_call(
        SENDMSG,
        {"From_Account": "a", "To_Account": "b", "MsgRandom": 1, "MsgBody": TEXT, "SyncOtherMachine": 2},
    )
    assert read(emulator_call)["MsgCnt"] == 0
    assert read(emulator_call, Operator_Account="b", Peer_Account="a")["MsgCnt"] == 1


def test_a_message_with_no_lifetime_is_not_stored(emulator, emulator_call):
    emulator.add_accounts("a", "b")
    sending = {"From_Account": "a", "To_Account": "b", "MsgRandom": 1, "MsgBody": TEXT, "MsgLifeTime": 0}
    assert emulator_call(SENDMSG, sending)["MsgKey"]
    assert read(emulator_call)["MsgCnt"] == 0


def test_a_repeated_sendmsg_is_sent_once(emulator, emulator_call):
    emulator.add_accounts("a")
    sending = {"To_Account": "a", "MsgRandom": 1, "MsgBody": TEXT}
    first, second = (emulator_call(SENDMSG, sending) for _ in range(2))
    assert first == second
    assert len(emulator.state()["c2c"][0]["messages"]) == 1


def test_pages_go_back_in_time_and_ascend_inside(emulator, emulator_call):
    keys = [
        emulator.add_c2c_message(
            *(("a", "b") if number % 2 else ("b", "a")), {"MsgBody": "x", "MsgTimeStamp": 100 + number // 3}
        )
        for number in range(10)
    ]
    found: list[str] = []
    request: dict[str, Any] = {"MaxCnt": 4}
    while True:
        page = read(emulator_call, **request)
        found = [item["MsgKey"] for item in page["MsgList"]] + found
        first = page["MsgList"][0]
        assert (page["LastMsgTime"], page["LastMsgKey"]) == (first["MsgTimeStamp"], first["MsgKey"])
        assert page["MsgCnt"] == len(page["MsgList"])
        if page["Complete"]:
            break
        request = {"MaxCnt": 4, "MaxTime": page["LastMsgTime"], "LastMsgKey": page["LastMsgKey"]}
    assert found == keys


def test_both_ends_of_the_time_window_belong_to_it(emulator, emulator_call):
    for at in range(100, 110):
        emulator.add_c2c_message("a", "b", {"MsgBody": "x", "MsgTimeStamp": at})
    answer = read(emulator_call, MinTime=103, MaxTime=105)
    assert [item["MsgTimeStamp"] for item in answer["MsgList"]] == [103, 104, 105]
    assert answer["Complete"] == 1


def test_a_page_holds_thirteen_kilobytes_and_at_least_one_message(emulator, emulator_call):
    for number in range(4):
        emulator.add_c2c_message("a", "b", {"MsgBody": "x" * (5000 if number else 20_000), "MsgTimeStamp": number + 1})
    page = read(emulator_call)
    assert ([item["MsgTimeStamp"] for item in page["MsgList"]], page["Complete"]) == ([3, 4], 0)
    page = read(emulator_call, MaxTime=1)
    assert ([item["MsgTimeStamp"] for item in page["MsgList"]], page["Complete"]) == ([1], 1)


def test_recalled_messages_stay_marked_and_expired_ones_are_gone(emulator, emulator_call):
    for number, state in enumerate(("normal", "recalled", "expired"), 1):
        emulator.add_c2c_message("a", "b", {"MsgBody": "x", "MsgTimeStamp": number, "state": state})
    items = read(emulator_call)["MsgList"]
    assert [(item["MsgTimeStamp"], item["MsgFlagBits"]) for item in items] == [(1, 0), (2, 8)]


def test_the_old_names_of_the_two_sides_are_understood_unless_told_otherwise(emulator, emulator_call):
    emulator.add_c2c_message("a", "b", "x")
    request = {"From_Account": "a", "To_Account": "b", "MaxCnt": 1, "MinTime": 0, "MaxTime": 4_000_000_000}
    assert emulator_call(ROAM, request)["MsgCnt"] == 1
    emulator.assume({"old_roam_names": False})
    assert emulator_call(ROAM, request)["ErrorCode"] == 90008


# --- accounts


def test_accounts_are_imported_in_every_documented_form_and_checked(emulator, emulator_call):
    for command, body in (
        ("account_import", {"UserID": "a", "Nick": "n", "FaceUrl": "u"}),
        ("account_import", {"UserID": "a"}),
        ("account_import", {"Identifier": "b"}),
        ("multiaccount_import", {"Accounts": ["c"]}),
        ("multiaccount_import", {"AccountList": [{"UserID": "d", "Nick": "n"}]}),
    ):
        assert emulator_call(f"im_open_login_svc/{command}", body)["ErrorCode"] == 0
    mixed = emulator_call("im_open_login_svc/multiaccount_import", {"Accounts": ["e", "x" * 33]})
    assert mixed["FailAccounts"] == ["x" * 33]
    items = [{"UserID": user} for user in ("a", "b", "c", "d", "e", "administrator", "nobody")]
    answer = emulator_call("im_open_login_svc/account_check", {"CheckItem": items})
    assert [item["AccountStatus"] for item in answer["ResultItem"]] == ["Imported"] * 6 + ["NotImported"]


def test_the_apps_figures_can_be_chosen(emulator_call):
    figures = emulator_call("openconfigsvr/getappinfo", {"RequestField": ["AppId"]})["Result"]
    assert [sorted(day) for day in figures] == [["AppId", "Date"]] * 30


# --- assumptions

OTHER_READINGS = [
    ({"recall_of_recalled": 0}, RECALL, {"MsgSeqList": [{"MsgSeq": 2}]}, 0),
    ({"recall_of_recalled": 10030}, RECALL, {"MsgSeqList": [{"MsgSeq": 2}]}, 10030),
    ({"recall_of_expired": 10031}, RECALL, {"MsgSeqList": [{"MsgSeq": 3}]}, 10031),
    ({"roaming_days": 7}, RECALL, {"MsgSeqList": [{"MsgSeq": 1}]}, 10030),
]


@pytest.mark.parametrize(("reading", "command", "fields", "code"), OTHER_READINGS)
def test_another_reading_of_a_recall(emulator, emulator_call, reading, command, fields, code):
    messages = [{"MsgBody": "x", "state": state, "MsgTimeStamp": 10} for state in ("normal", "recalled", "expired")]
    group = emulator.add_group(messages=messages)
    emulator.assume(reading)
    assert emulator_call(command, {"GroupId": group, **fields})["RecallRetList"][0]["RetCode"] == code


OTHER_CODES = [
    ({"rate_limit_code": 60011, "extra_calls_per_second": -200}, INFO, {"GroupIdList": ["x"]}, {}, 60011),
    ({"unknown_sdkappid_code": 70020}, INFO, {}, {"sdkappid": 1}, 70020),
    ({"undecodable_usersig_code": 70005}, INFO, {}, {"usersig": "x"}, 70005),
    ({"unknown_command_code": 60009}, "openim/none", {}, {}, 60009),
    ({"not_emulated_code": 10003}, "openim/query_online_status", {}, {}, 10003),
    ({"enforce_random": True}, INFO, {}, {"random": 4294967296}, 60002),
    ({"enforce_random": True}, INFO, {}, {"random": None}, 60002),
    ({"enforce_random": True}, INFO, {}, {"random": "-1"}, 60002),
    ({"enforce_contenttype": True}, INFO, {}, {"contenttype": None}, 60002),
    ({"group_json_code": 10004}, INFO, b"", {}, 10004),
    ({"avchatroom_recall": "never"}, RECALL, {"GroupId": "live", "MsgSeqList": [{"MsgSeq": 1}]}, {}, 10033),
    ({"clear_beyond_newest": "refused"}, CLEAR, {"GroupId": "room", "MsgSeq": 9}, {}, 10004),
    (
        {"message_size_limit": 8000},
        SEND,
        {"GroupId": "room", "Random": 1, "MsgBody": TEXT, "CloudCustomData": "x" * 8000},
        {},
        80002,
    ),
    ({"empty_group_type_is_all": False}, LIST, {"GroupType": ""}, {}, 10004),
    ({"old_import_name": False}, "im_open_login_svc/account_import", {"Identifier": "x"}, {}, 70402),
]


@pytest.mark.parametrize(("reading", "command", "body", "query", "code"), OTHER_CODES)
def test_another_reading_of_a_refusal(emulator, emulator_call, reading, command, body, query, code):
    emulator.add_group("room", messages=1)
    emulator.add_group("live", "AVChatRoom", messages=1)
    emulator.assume(reading)
    assert emulator_call(command, body, **query)["ErrorCode"] == code
    emulator.reset(keep_groups=True)
    assert emulator_call(command, body, **query)["ErrorCode"] != code


def test_an_enforced_random_may_be_any_unsigned_32_bit_number(emulator, emulator_call):
    emulator.assume({"enforce_random": True, "enforce_contenttype": True})
    assert [emulator_call(INFO, {"GroupIdList": ["x"]}, random=n)["ErrorCode"] for n in (0, 4294967295)] == [0, 0]


@pytest.mark.parametrize(("reading", "through"), [("kept", 9), ("cut", 1)])
def test_clearing_beyond_the_newest_message(emulator, emulator_call, reading, through):
    emulator.assume({"clear_beyond_newest": reading})
    group = emulator.add_group(messages=1)
    assert emulator_call(CLEAR, {"GroupId": group, "MsgSeq": 9})["ErrorCode"] == 0
    assert emulator.state(group)["groups"][group]["cleared_through"] == through


def test_readings_that_widen_what_is_accepted(emulator, emulator_call):
    emulator.add_accounts("a")
    group = emulator.add_group(create_time=1)
    file = {
        "MsgType": "TIMFileElem",
        "MsgContent": {"Url": "u", "FileSize": 1, "FileName": "f", "Download_Flag": 2},
    }
    forward = {"MsgType": "TIMRelayElem", "MsgContent": {"Title": "x"}}
    emulator.assume({"media_fields_required": False, "relay_elem": True})
    sending = {"GroupId": group, "Random": 1, "MsgBody": [file, forward]}
    assert emulator_call(SEND, sending)["ErrorCode"] == 0
    other = emulator.add_group(create_time=1)
    emulator.assume({"import_batch": 20, "import_equal_times": True, "import_any_msg_type": False})
    items = [{"From_Account": "a", "SendTime": 9, "MsgBody": body} for body in [TEXT] * 19 + [[file]]]
    results = emulator_call(IMPORT, {"GroupId": other, "MsgList": items})["ImportMsgResult"]
    assert [item["Result"] for item in results] == [0] * 19 + [10004]


def test_readings_of_what_is_shown(emulator, emulator_call):
    group = emulator.add_group(messages=[{"MsgBody": "x", "state": "recalled"}])
    emulator.add_c2c_message("a", "b", {"MsgBody": "x", "CloudCustomData": "c", "state": "recalled"})
    emulator.assume({"recalled_body": "kept", "recalled_c2c_body": "empty", "req_seq_zero_is_newest": True})
    item = emulator_call(GET, {"GroupId": group, "ReqMsgNumber": 1, "ReqMsgSeq": 0, "WithRecalledMsg": 1})
    assert item["RspMsgList"][0]["MsgBody"]
    emulator.add_c2c_message("a", "b", "normal")
    recalled, normal = read(emulator_call)["MsgList"]
    assert recalled["MsgBody"] == []
    assert normal["MsgBody"]
    assert "CloudCustomData" not in recalled | normal


@pytest.mark.parametrize(
    "values",
    [
        {"nonsense": 1},
        {"recalled_body": "other"},
        {"roaming_days": "x"},
        {"relay_elem": 1},
        {"roaming_days": True},
    ],
)
def test_a_wrong_assumption_is_refused(emulator, values):
    with pytest.raises(ValueError, match=next(iter(values))):
        emulator.assume(values)
