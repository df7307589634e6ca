"""The emulator refuses: one row for each refusal, each of which fails when that refusal is taken away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from refusal_rows import (
    ABSENT,
    NOT_INTEGER,
    NOT_TEXT,
    NOT_UINT32,
    assert_refused,
    describe,
    wrong_types,
)

from airflow_provider_tencentim.emulator import TencentIMEmulator

ROOM, LIVE, COMMUNITY = "@TGS#1HYEP2SHC", "@TGS#LIVE", "@TGS#_community"
TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
CUSTOM = {"MsgType": "TIMCustomElem", "MsgContent": {"Data": "x"}}
NORMAL, RECALLED, EXPIRED, SYSTEM, NEWEST, MISSING = 1, 2, 3, 4, 5, 6

MODIFY = "openim/modify_group_msg"
MODIFY_C2C = "openim/modify_c2c_msg"
SENDMSG = "openim/sendmsg"
ROAM = "openim/admin_getroammsg"
RECALL = "group_open_http_svc/group_msg_recall"
CLEAR = "group_open_http_svc/clear_group_msg"
GET = "group_open_http_svc/group_msg_get_simple"
SEND = "group_open_http_svc/send_group_msg"
IMPORT = "group_open_http_svc/import_group_msg"
INFO = "group_open_http_svc/get_group_info"
LIST = "group_open_http_svc/get_appid_group_list"
CREATE = "group_open_http_svc/create_group"
IMPORT_GROUP = "group_open_http_svc/import_group"
DESTROY = "group_open_http_svc/destroy_group"
ACCOUNT = "im_open_login_svc/account_import"
ACCOUNTS = "im_open_login_svc/multiaccount_import"
CHECK = "im_open_login_svc/account_check"
APPINFO = "openconfigsvr/getappinfo"

# A request of each command that is carried out; the rows below change one thing of it.
GOOD: dict[str, dict[str, Any]] = {
    MODIFY: {"GroupId": ROOM, "MsgSeq": NORMAL, "MsgBody": TEXT},
    MODIFY_C2C: {"From_Account": "dramon1", "To_Account": "dramon2", "MsgKey": "1_2_3", "MsgBody": TEXT},
    SENDMSG: {"To_Account": "dramon1", "MsgRandom": 7, "MsgBody": TEXT},
    ROAM: {
        "Operator_Account": "dramon1",
        "Peer_Account": "dramon2",
        "MaxCnt": 100,
        "MinTime": 0,
        "MaxTime": 9,
    },
    RECALL: {"GroupId": ROOM, "MsgSeqList": [{"MsgSeq": NORMAL}]},
    CLEAR: {"GroupId": ROOM, "MsgSeq": NORMAL},
    GET: {"GroupId": ROOM, "ReqMsgNumber": 20},
    SEND: {"GroupId": ROOM, "Random": 7, "MsgBody": TEXT},
    IMPORT: {"GroupId": ROOM, "MsgList": [{"From_Account": "dramon1", "SendTime": 1000, "MsgBody": TEXT}]},
    INFO: {"GroupIdList": [ROOM]},
    LIST: {"Limit": 10, "Next": 0},
    CREATE: {"Type": "Public", "Name": "name"},
    IMPORT_GROUP: {"Type": "Public", "Name": "name", "CreateTime": 1},
    DESTROY: {"GroupId": ROOM},
    ACCOUNT: {"UserID": "new"},
    ACCOUNTS: {"Accounts": ["new"]},
    CHECK: {"CheckItem": [{"UserID": "dramon1"}]},
    APPINFO: {},
}


def seqs(*numbers: object) -> list[dict[str, object]]:
    return [{"MsgSeq": number} for number in numbers]


@pytest.fixture(autouse=True)
def _world(emulator: TencentIMEmulator) -> None:
    messages = [
        {"MsgBody": "one", "MsgTimeStamp": 10},
        {"MsgBody": "two", "state": "recalled", "MsgTimeStamp": 20},
        {"MsgBody": [], "state": "expired", "MsgTimeStamp": 30},
        {"MsgBody": {"OpType": 1}, "IsSystemMsg": 1, "MsgTimeStamp": 40},
        {"MsgBody": "five", "MsgTimeStamp": 50},
    ]
    emulator.add_group(ROOM, messages=messages, owner="dramon1", create_time=1)
    emulator.add_group(LIVE, "AVChatRoom", messages=1)
    emulator.add_group(COMMUNITY, "Community", messages=1, topics={"topic": 1})
    for seq, state in ((1, "normal"), (2, "recalled"), (3, "expired")):
        message = {"MsgBody": "x", "MsgSeq": seq, "MsgRandom": 2, "MsgTimeStamp": 3, "state": state}
        emulator.add_c2c_message("dramon1", "dramon2", message)


@pytest.mark.parametrize("command", GOOD)
def test_what_the_rows_change_is_accepted_as_it_stands(emulator_call, command):
    answer = emulator_call(command, GOOD[command])
    assert answer["ErrorCode"] == 0
    assert answer.get("ActionStatus", "OK") == "OK"


GATEWAY = [
    ("GET", {"method": "GET"}, 60002),
    ("PUT", {"method": "PUT"}, 60002),
    ("no command", {"path": "/v4/openim"}, 60002),
    ("an empty command", {"path": "/v4/openim/"}, 60002),
    ("one part too many", {"path": "/v4/openconfigsvr/getappinfo/x"}, 60002),
    ("another version", {"path": "/v5/openconfigsvr/getappinfo"}, 60002),
    ("the root", {"path": "/"}, 60002),
    ("an unknown command", {"path": "/v4/openim/delete_everything"}, 60008),
    ("a command of another service", {"path": "/v4/group_open_http_svc/modify_group_msg"}, 60008),
    ("another case", {"path": "/v4/openim/Modify_group_msg"}, 60008),
    ("a command that is not emulated", {"path": "/v4/openim/query_online_status"}, 60017),
    ("no sdkappid", {"sdkappid": None}, 60012),
    ("an empty sdkappid", {"sdkappid": ""}, 60012),
    ("an unknown sdkappid", {"sdkappid": 1400000001}, 60006),
    ("an sdkappid that is no number", {"sdkappid": "app"}, 60006),
    ("no identifier", {"identifier": None}, 60004),
    ("another identifier than signed", {"identifier": "dramon1"}, 70013),
    ("another case of a parameter's name", {"sdkappid": None, "SdkAppId": 1400000000}, 60012),
    ("no usersig", {"usersig": None}, 70002),
    ("an empty usersig", {"usersig": ""}, 70002),
    ("a usersig that is none", {"usersig": "nonsense"}, 70003),
]


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in GATEWAY], ids=[row[0] for row in GATEWAY])
def test_the_gateway_refuses(emulator_call, change, code):
    answer = emulator_call(APPINFO, {}, **change)
    assert (answer["ErrorCode"], answer["ActionStatus"]) == (code, "FAIL")
    assert answer["ErrorInfo"]


BAD_JSON = [b"", b"{", b"[]", b"null", b'"text"', b"{} {}", b'{"a":NaN}', b'{"a":1e999}', b"\xff{}"]
JSON_CODES = {MODIFY: 90001, RECALL: 10011, ACCOUNT: 70402, APPINFO: 60003}


@pytest.mark.parametrize("body", [*BAD_JSON, b'{"a":"\\ud800"}', b"[" * 100_000], ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize("command", JSON_CODES)
def test_a_body_that_is_no_json_object_is_refused_with_the_services_own_code(emulator_call, command, body):
    assert emulator_call(command, body)["ErrorCode"] == JSON_CODES[command]


def test_a_request_of_more_than_a_megabyte_is_refused(emulator_call):
    padding = b" " * (1_048_576 - 1)
    assert emulator_call(APPINFO, b"{}" + padding[1:])["ErrorCode"] == 0
    assert emulator_call(APPINFO, b"{}" + padding)["ErrorCode"] == 93000


def test_an_answer_of_more_than_a_megabyte_is_refused(emulator, emulator_call):
    emulator.add_group("crowd", members=[f"user{number:05}" for number in range(10_000)])
    assert emulator_call(INFO, {"GroupIdList": ["crowd"]})["ErrorCode"] == 10018
    base_only = {"GroupBaseInfoFilter": ["NextMsgSeq"]}
    assert emulator_call(INFO, {"GroupIdList": ["crowd"], "ResponseFilter": base_only})["ErrorCode"] == 0


UNKNOWN_GROUPS = [("nowhere", 10010), ("", 10015), ("x" * 49, 10015), ("é", 10015), ("a\tb", 10015)]
NAMES_A_GROUP = (MODIFY, RECALL, CLEAR, GET, SEND, IMPORT, DESTROY)

COMMANDS: list[tuple[str, dict[str, Any], int]] = [
    # --- which group, which topic
    *((command, {"GroupId": group}, code) for command in NAMES_A_GROUP for group, code in UNKNOWN_GROUPS),
    *((command, {"GroupId": ABSENT}, 20001 if command == MODIFY else 10004) for command in NAMES_A_GROUP),
    *(row for command in (RECALL, CLEAR, GET, SEND, DESTROY) for row in wrong_types(command, "GroupId", 10004, 1)),
    *((command, {"TopicId": "topic"}, 10004) for command in (MODIFY, RECALL, GET, SEND, IMPORT)),
    *((command, {"GroupId": COMMUNITY, "TopicId": "no"}, 10010) for command in (MODIFY, RECALL, GET, SEND)),
    *wrong_types(RECALL, "TopicId", 10004, *NOT_TEXT),
    # --- modify_group_msg
    *wrong_types(MODIFY, "GroupId", 20001, *NOT_TEXT),
    *wrong_types(MODIFY, "MsgSeq", 20001, *NOT_UINT32, 0),
    (MODIFY, {"MsgSeq": ABSENT}, 20001),
    (MODIFY, {"MsgBody": ABSENT}, 20001),
    (MODIFY, {"GroupId": LIVE}, 10007),
    (MODIFY, {"MsgSeq": MISSING}, 10030),
    (MODIFY, {"MsgSeq": RECALLED}, 10030),
    (MODIFY, {"MsgSeq": EXPIRED}, 10030),
    (MODIFY, {"MsgSeq": SYSTEM}, 20001),
    *wrong_types(MODIFY, "CloudCustomData", 90010, *NOT_TEXT),
    *wrong_types(MODIFY, "MsgBody", 90007, "text", TEXT[0], 1),
    (MODIFY, {"MsgBody": TEXT, "CloudCustomData": "x" * 12_288}, 93000),
    (MODIFY, {"MsgBody": ABSENT, "CloudCustomData": "é" * 6_144}, 93000),
    # --- modify_c2c_msg
    *wrong_types(MODIFY_C2C, "From_Account", 90008, *NOT_TEXT),
    *wrong_types(MODIFY_C2C, "To_Account", 90003, *NOT_TEXT),
    *wrong_types(MODIFY_C2C, "MsgKey", 90054, *NOT_TEXT, "1_2", "1_2_3_4", "1_2_x", "1_2_-3", "", "1_2_" + "3" * 48),
    (MODIFY_C2C, {"From_Account": ABSENT}, 90008),
    (MODIFY_C2C, {"To_Account": ABSENT}, 90003),
    (MODIFY_C2C, {"MsgKey": ABSENT}, 90054),
    (MODIFY_C2C, {"From_Account": "nobody"}, 20003),
    (MODIFY_C2C, {"To_Account": "nobody"}, 90012),
    (MODIFY_C2C, {"From_Account": "dramon2", "To_Account": "dramon1"}, 20022),
    (MODIFY_C2C, {"MsgKey": "9_2_3"}, 20022),
    (MODIFY_C2C, {"MsgKey": "2_2_3"}, 20023),
    (MODIFY_C2C, {"MsgKey": "3_2_3"}, 20022),
    (MODIFY_C2C, {"MsgBody": ABSENT}, 20001),
    (MODIFY_C2C, {"MsgBody": "text"}, 90007),
    # --- group_msg_recall
    (RECALL, {"MsgSeqList": ABSENT}, 10004),
    *wrong_types(RECALL, "MsgSeqList", 10004, [], "1", 1, {"MsgSeq": 1}, [1], ["1"], seqs(*range(1, 12))),
    *((RECALL, {"MsgSeqList": seqs(NORMAL, value)}, 10004) for value in (*NOT_UINT32, None)),
    (RECALL, {"MsgSeqList": [{"Msgseq": 1}]}, 10004),
    *wrong_types(RECALL, "Reason", 10004, *NOT_TEXT, "x" * 101, "é" * 51),
    # --- clear_group_msg
    *wrong_types(CLEAR, "MsgSeq", 10004, *NOT_UINT32, 0),
    (CLEAR, {"GroupId": COMMUNITY}, 10007),
    # --- group_msg_get_simple
    (GET, {"ReqMsgNumber": ABSENT}, 10004),
    *wrong_types(GET, "ReqMsgNumber", 10004, *NOT_UINT32, 0),
    *wrong_types(GET, "ReqMsgSeq", 10004, *NOT_UINT32),
    *wrong_types(GET, "WithRecalledMsg", 10004, *NOT_INTEGER, 2),
    (GET, {"GroupId": LIVE}, 10044),
    # --- send_group_msg
    (SEND, {"Random": ABSENT}, 10004),
    *wrong_types(SEND, "Random", 10004, *NOT_UINT32),
    (SEND, {"MsgBody": ABSENT}, 10004),
    *wrong_types(SEND, "MsgBody", 10004, "text", [], [1]),
    (SEND, {"MsgPriority": "Urgent"}, 10004),
    (SEND, {"OnlineOnlyFlag": 2}, 10004),
    (SEND, {"From_Account": "nobody"}, 10019),
    *wrong_types(SEND, "From_Account", 10004, *NOT_TEXT),
    *wrong_types(SEND, "To_Account", 10004, "dramon1", [1], ["x"] * 51),
    (SEND, {"GroupAtInfo": [{}] * 31}, 10053),
    (SEND, {"CloudCustomData": 1}, 10004),
    (SEND, {"CloudCustomData": "x" * 12_288}, 80002),
    # --- import_group_msg
    (IMPORT, {"MsgList": ABSENT}, 10004),
    *wrong_types(IMPORT, "MsgList", 10004, [], {}, [1], GOOD[IMPORT]["MsgList"] * 8),
    (IMPORT, {"MsgList": [{"SendTime": 1000, "MsgBody": TEXT}]}, 10004),
    (IMPORT, {"MsgList": [{"From_Account": "dramon1", "MsgBody": TEXT}]}, 10004),
    (IMPORT, {"MsgList": [{**GOOD[IMPORT]["MsgList"][0], "Random": "1"}]}, 10004),
    (IMPORT, {"RecentContactFlag": 2}, 10004),
    (IMPORT, {"GroupId": LIVE}, 10007),
    # --- groups
    (INFO, {"GroupIdList": ABSENT}, 10004),
    *wrong_types(INFO, "GroupIdList", 10004, ROOM, [], [1], [ROOM] * 51),
    *wrong_types(INFO, "ResponseFilter", 10004, ["Type"], {"GroupBaseInfoFilter": "Type"}, {"MemberInfoFilter": 1}),
    *wrong_types(LIST, "Limit", 10004, *NOT_INTEGER, 0, 10_001),
    *wrong_types(LIST, "Next", 10004, *NOT_INTEGER),
    *wrong_types(LIST, "GroupType", 10004, "public", 1),
    *(row for command in (CREATE, IMPORT_GROUP) for row in wrong_types(command, "Type", 10004, "public", 1, "")),
    *(row for command in (CREATE, IMPORT_GROUP) for row in wrong_types(command, "Name", 10004, 1, "", "é" * 16)),
    *((command, {"GroupId": "@TGS#mine"}, 10015) for command in (CREATE, IMPORT_GROUP)),
    *((command, {"Type": "Community", "GroupId": "mine"}, 10015) for command in (CREATE, IMPORT_GROUP)),
    (CREATE, {"Type": "Community", "GroupId": "@TGS#_@TGS#mine"}, 10015),
    *wrong_types(CREATE, "GroupId", 10004, *NOT_TEXT),
    (CREATE, {"GroupId": "x" * 49}, 10015),
    (CREATE, {"Type": "Community", "GroupId": COMMUNITY}, 10021),
    (CREATE, {"Type": "Community", "GroupId": COMMUNITY, "Owner_Account": "administrator"}, 10025),
    (CREATE, {"Type": "Community", "GroupId": COMMUNITY, "Owner_Account": "dramon1"}, 10021),
    *((command, {"Owner_Account": "nobody"}, 10019) for command in (CREATE, IMPORT_GROUP)),
    *wrong_types(CREATE, "Owner_Account", 10004, *NOT_TEXT),
    *wrong_types(CREATE, "Introduction", 10004, 1, "x" * 241),
    *wrong_types(CREATE, "Notification", 10004, 1, "x" * 301),
    *wrong_types(CREATE, "FaceUrl", 10004, 1, "x" * 101),
    *wrong_types(CREATE, "ApplyJoinOption", 10004, 1, "Anybody"),
    *wrong_types(CREATE, "MaxMemberCount", 10004, *NOT_INTEGER),
    *wrong_types(CREATE, "AppDefinedData", 10004, {}, [{"Key": "x"}], [{"Value": "x"}]),
    *wrong_types(CREATE, "SupportTopic", 10004, 2, "1"),
    *wrong_types(CREATE, "MemberList", 10004, {}, ["dramon1"], [{}], [{"Member_Account": "dramon1", "Role": "Boss"}]),
    (CREATE, {"MemberList": [{"Member_Account": "dramon1"}] * 101}, 10005),
    (CREATE, {"MemberList": [{"Member_Account": "nobody"}]}, 10019),
    (CREATE, {"Type": "AVChatRoom", "MemberList": [{"Member_Account": "dramon1"}]}, 10007),
    (IMPORT_GROUP, {"Type": "AVChatRoom"}, 10007),
    *wrong_types(IMPORT_GROUP, "CreateTime", 10004, *NOT_INTEGER, 4294967295),
    # --- sendmsg
    (SENDMSG, {"To_Account": ABSENT}, 90003),
    *wrong_types(SENDMSG, "To_Account", 90003, *NOT_TEXT),
    (SENDMSG, {"To_Account": "nobody"}, 90012),
    (SENDMSG, {"From_Account": "nobody"}, 20003),
    *wrong_types(SENDMSG, "From_Account", 90008, *NOT_TEXT),
    (SENDMSG, {"MsgRandom": ABSENT}, 90005),
    *wrong_types(SENDMSG, "MsgRandom", 90005, *NOT_UINT32),
    *wrong_types(SENDMSG, "MsgSeq", 90004, *NOT_UINT32),
    *wrong_types(SENDMSG, "SyncOtherMachine", 90031, "1", 0, 3),
    *wrong_types(SENDMSG, "MsgLifeTime", 90044, *NOT_INTEGER),
    (SENDMSG, {"MsgLifeTime": 604_801}, 90026),
    *wrong_types(SENDMSG, "OfflinePushInfo", 90043, "x", []),
    (SENDMSG, {"MsgBody": ABSENT}, 90007),
    (SENDMSG, {"CloudCustomData": "x" * 12_288}, 93000),
    # --- admin_getroammsg
    (ROAM, {"Operator_Account": ABSENT}, 90008),
    (ROAM, {"Peer_Account": ABSENT}, 90003),
    *wrong_types(ROAM, "Operator_Account", 90008, *NOT_TEXT),
    *wrong_types(ROAM, "Peer_Account", 90003, *NOT_TEXT),
    (ROAM, {"Operator_Account": "nobody"}, 90008),
    (ROAM, {"Peer_Account": "nobody"}, 90012),
    *((ROAM, {field: ABSENT}, 90010) for field in ("MaxCnt", "MinTime", "MaxTime")),
    *wrong_types(ROAM, "MaxCnt", 90010, *NOT_INTEGER, 0),
    *wrong_types(ROAM, "MinTime", 90010, *NOT_INTEGER),
    *wrong_types(ROAM, "MaxTime", 90010, *NOT_INTEGER),
    *wrong_types(ROAM, "LastMsgKey", 90054, 1, "1_2", ""),
    # --- accounts
    (ACCOUNT, {"UserID": ABSENT}, 70402),
    *wrong_types(ACCOUNT, "UserID", 60015, *NOT_TEXT),
    *((ACCOUNT, {"UserID": user}, 70402) for user in ("", "x" * 33, "é")),
    *wrong_types(ACCOUNT, "Nick", 70402, 1),
    *wrong_types(ACCOUNT, "FaceUrl", 70402, 1),
    (ACCOUNTS, {"Accounts": ABSENT}, 70402),
    *wrong_types(ACCOUNTS, "Accounts", 70402, "new", [1]),
    (ACCOUNTS, {"Accounts": []}, 70206),
    (ACCOUNTS, {"Accounts": ["x"] * 101}, 70206),
    (ACCOUNTS, {"AccountList": [{"UserID": 1}]}, 60015),
    (CHECK, {"CheckItem": ABSENT}, 70402),
    *wrong_types(CHECK, "CheckItem", 70402, {}, ["dramon1"], [{"UserID": "x" * 33}]),
    (CHECK, {"CheckItem": [{"UserID": 1}]}, 60015),
    (CHECK, {"CheckItem": []}, 70206),
    (CHECK, {"CheckItem": [{"UserID": "x"}] * 101}, 70206),
    (APPINFO, {"RequestField": "AppName"}, 60003),
]


MEMBERS = [f"member{number}" for number in range(100)]
AT_THE_LIMIT: list[tuple[str, dict[str, Any]]] = [
    (RECALL, {"MsgSeqList": seqs(*range(1, 11)), "Reason": "x" * 100}),
    (GET, {"ReqMsgNumber": 4294967295, "ReqMsgSeq": 4294967295}),
    (SEND, {"To_Account": ["x"] * 50, "GroupAtInfo": [{}] * 30, "Random": 4294967295}),
    (IMPORT, {"MsgList": GOOD[IMPORT]["MsgList"] * 7}),
    (INFO, {"GroupIdList": [ROOM] * 50}),
    (LIST, {"Limit": 3}),
    (LIST, {"Limit": 10_000, "Next": 2**64 - 1}),
    (CREATE, {"Name": "é" * 15, "GroupId": "x" * 48, "Introduction": "x" * 240, "Notification": "x" * 300}),
    (CREATE, {"FaceUrl": "x" * 100, "MemberList": [{"Member_Account": member} for member in MEMBERS]}),
    (SENDMSG, {"MsgRandom": 0, "MsgSeq": 4294967295, "MsgLifeTime": 604_800}),
    (ACCOUNT, {"UserID": "x" * 32}),
    (ACCOUNTS, {"Accounts": MEMBERS}),
    (CHECK, {"CheckItem": [{"UserID": member} for member in MEMBERS]}),
]


@pytest.mark.parametrize(("command", "change"), AT_THE_LIMIT)
def test_what_is_just_at_a_limit_is_accepted(emulator, emulator_call, command, change):
    emulator.add_accounts(*MEMBERS)
    answer = emulator_call(command, {**GOOD[command], **change})
    assert answer["ErrorCode"] == 0
    assert answer.get("Next", 0) == 0


@pytest.mark.parametrize(("command", "change", "code"), COMMANDS, ids=[describe(row) for row in COMMANDS])
def test_a_command_refuses(emulator, emulator_call, command, change, code):
    assert_refused(emulator, emulator_call, command, {**GOOD[command], **change}, code)


IMAGE = {
    "UUID": "u",
    "ImageFormat": 1,
    "ImageInfoArray": [{"Type": 1, "Size": 1, "Width": 1, "Height": 1, "URL": "u"}],
}
SOUND = {"Url": "u", "UUID": "u", "Size": 1, "Second": 1, "Download_Flag": 2}
FILE = {"Url": "u", "UUID": "u", "FileSize": 1, "FileName": "f", "Download_Flag": 2}
VIDEO = {
    "VideoUrl": "u",
    "VideoUUID": "u",
    "VideoSize": 1,
    "VideoSecond": 1,
    "VideoFormat": "mp4",
    "VideoDownloadFlag": 2,
    "ThumbUrl": "u",
    "ThumbUUID": "u",
    "ThumbSize": 1,
    "ThumbWidth": 1,
    "ThumbHeight": 1,
    "ThumbFormat": "JPG",
    "ThumbDownloadFlag": 2,
}
CONTENTS: dict[str, dict[str, Any]] = {
    "TIMTextElem": {"Text": "hello 你好 👋"},
    "TIMLocationElem": {"Desc": "here", "Latitude": 29.3, "Longitude": 104},
    "TIMFaceElem": {"Index": 1, "Data": ""},
    "TIMCustomElem": {"Data": "\b\u0001猫", "Desc": "", "Ext": "", "Sound": ""},
    "TIMSoundElem": SOUND,
    "TIMImageElem": IMAGE,
    "TIMFileElem": FILE,
    "TIMVideoFileElem": VIDEO,
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_every_documented_element_is_stored_as_it_came(emulator, emulator_call, kind):
    body = [{"MsgType": kind, "MsgContent": {**CONTENTS[kind], "Newer": [1]}}]
    assert emulator_call(MODIFY, {**GOOD[MODIFY], "MsgBody": body})["ErrorCode"] == 0
    assert emulator.state(ROOM)["groups"][ROOM]["messages"][0]["MsgBody"] == body


REQUIRED = [
    ("TIMTextElem", "Text"),
    *(("TIMSoundElem", field) for field in ("Url", "UUID", "Download_Flag")),
    *(("TIMImageElem", field) for field in ("UUID", "ImageInfoArray")),
    *(("TIMFileElem", field) for field in ("Url", "UUID", "Download_Flag")),
    *(("TIMVideoFileElem", field) for field in VIDEO if field.endswith(("Url", "UUID", "Flag", "Width", "Height"))),
]


@pytest.mark.parametrize(("kind", "field"), REQUIRED)
def test_an_element_without_a_required_field_is_refused(emulator_call, kind, field):
    content = {name: value for name, value in CONTENTS[kind].items() if name != field}
    body = [{"MsgType": kind, "MsgContent": content}]
    assert emulator_call(MODIFY, {**GOOD[MODIFY], "MsgBody": body})["ErrorCode"] == 90010


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind in CONTENTS for field in CONTENTS[kind]])
def test_a_field_of_an_element_is_strictly_typed(emulator_call, kind, field):
    body = [{"MsgType": kind, "MsgContent": {**CONTENTS[kind], field: None}}]
    assert emulator_call(MODIFY, {**GOOD[MODIFY], "MsgBody": body})["ErrorCode"] == 90010


BAD_BODIES = [
    ("an empty array", [], 90002),
    ("an element that is no object", ["hello"], 90002),
    ("no MsgType", [{"MsgContent": {"Text": "x"}}], 90002),
    ("no MsgContent", [{"MsgType": "TIMTextElem"}], 90002),
    ("a MsgType that is no text", [{"MsgType": 1, "MsgContent": {}}], 90002),
    ("a MsgContent that is no object", [{"MsgType": "TIMTextElem", "MsgContent": "x"}], 90002),
    ("an unknown MsgType", [{"MsgType": "TIMNoElem", "MsgContent": {}}], 90010),
    ("another case", [{"MsgType": "timtextelem", "MsgContent": {"Text": "x"}}], 90010),
    ("a forward", [{"MsgType": "TIMRelayElem", "MsgContent": {"Title": "x"}}], 90010),
    ("a number for a text", [{"MsgType": "TIMTextElem", "MsgContent": {"Text": 1}}], 90010),
    ("a truth value for a number", [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": True}}], 90010),
    ("two custom elements", [CUSTOM, TEXT[0], CUSTOM], 90010),
    ("a good element, then a bad one", [*TEXT, {"MsgType": "TIMTextElem", "MsgContent": {}}], 90010),
    (
        "another download flag",
        [{"MsgType": "TIMSoundElem", "MsgContent": {**SOUND, "Download_Flag": 1}}],
        90010,
    ),
    (
        "a bad image",
        [{"MsgType": "TIMImageElem", "MsgContent": {**IMAGE, "ImageInfoArray": [{"URL": "u"}]}}],
        90010,
    ),
    ("too long", [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "猫" * 4096}}], 93000),
]


@pytest.mark.parametrize(("body", "code"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES])
@pytest.mark.parametrize("command", [MODIFY, MODIFY_C2C, SENDMSG])
def test_a_message_against_the_format_is_refused(emulator_call, command, body, code):
    assert emulator_call(command, {**GOOD[command], "MsgBody": body})["ErrorCode"] == code


@pytest.mark.parametrize("levels", [50, 70, 900, 990, 100_000])
def test_a_body_nested_deeply_never_breaks_the_server(emulator, emulator_call, levels):
    nested = "[" * levels + "]" * levels
    body = json.dumps([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x", "more": 0}}]).replace("0", nested)
    content = json.dumps({"GroupId": ROOM, "MsgSeq": 1, "MsgBody": 0}).replace(": 0", ": " + body)
    assert emulator_call(MODIFY, content.encode())["ErrorCode"] in ((0,) if levels == 50 else (90001, 90002))
    assert emulator_call(GET, GOOD[GET])["ErrorCode"] == 0
    assert emulator.requests()


def test_a_message_of_exactly_twelve_kilobytes_is_stored_and_one_byte_more_is_not(emulator_call):
    room_for_text = 12_288 - len('{"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]}')
    for extra, code in ((0, 0), (1, 93000)):
        text = "猫" + "x" * (room_for_text - 3 + extra)
        body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]
        assert emulator_call(MODIFY, {**GOOD[MODIFY], "MsgBody": body})["ErrorCode"] == code


ITEM = {"From_Account": "dramon1", "SendTime": 1000, "MsgBody": TEXT}
ITEMS = [
    ("not later than the newest", {"SendTime": 50}, 10004),
    ("in the future", {"SendTime": 4_000_000_000}, 10004),
    ("from an unknown account", {"From_Account": "nobody"}, 10004),
    ("against the format", {"MsgBody": []}, 10004),
    ("too long", {"CloudCustomData": "x" * 12_288}, 80002),
]


@pytest.mark.parametrize(("change", "result"), [row[1:] for row in ITEMS], ids=[row[0] for row in ITEMS])
def test_an_imported_message_is_refused_alone(emulator_call, change, result):
    items = [{**ITEM, **change}, {**ITEM, "SendTime": 2000}]
    answer = emulator_call(IMPORT, {"GroupId": ROOM, "MsgList": items})
    assert [item["Result"] for item in answer["ImportMsgResult"]] == [result, 0]
    assert answer["ImportMsgResult"][1] == {"MsgSeq": 6, "MsgTime": 2000, "Result": 0}


def test_a_message_is_not_imported_before_its_group_began(emulator, emulator_call):
    emulator.add_group("young", create_time=5000)
    items = [{**ITEM, "SendTime": time} for time in (5000, 5001)]
    answer = emulator_call(IMPORT, {"GroupId": "young", "MsgList": items})
    assert [item["Result"] for item in answer["ImportMsgResult"]] == [10004, 0]


RETCODES = [(NORMAL, 0), (RECALLED, 10032), (EXPIRED, 10030), (SYSTEM, 10032), (MISSING, 10030), (0, 10030)]


@pytest.mark.parametrize(("seq", "code"), RETCODES)
def test_a_recall_answers_for_each_message(emulator_call, seq, code):
    answer = emulator_call(RECALL, {"GroupId": ROOM, "MsgSeqList": seqs(seq)})
    assert answer["ErrorCode"] == 0
    assert answer["RecallRetList"] == [{"MsgSeq": seq, "RetCode": code}]


def test_a_live_message_can_be_recalled_for_an_hour(emulator, emulator_call):
    for age, code in ((3590, 0), (3610, 10031)):
        seq = emulator_call(SEND, {"GroupId": LIVE, "Random": age, "MsgBody": TEXT})["MsgSeq"]
        emulator.advance(age)
        emulator.assume({"duplicate_rule": "random"})
        answer = emulator_call(RECALL, {"GroupId": LIVE, "MsgSeqList": seqs(seq)})
        assert answer["RecallRetList"] == [{"MsgSeq": seq, "RetCode": code}]


def test_each_group_asked_about_has_its_own_error(emulator_call):
    answer = emulator_call(INFO, {"GroupIdList": [ROOM, "nowhere", ""]})
    assert [group["ErrorCode"] for group in answer["GroupInfo"]] == [0, 10010, 10015]


def test_no_refusal_quotes_the_message_or_the_signature(emulator, emulator_call, emulator_usersig):
    secret = "PRIVATE-WORDS"
    bodies = [[{"MsgType": secret, "MsgContent": {"Text": secret}}], secret, [secret], {"Text": secret}]
    answers = [emulator_call(MODIFY, {**GOOD[MODIFY], "MsgBody": body}) for body in bodies]
    answers.append(emulator_call(MODIFY, secret.encode()))
    answers.append(emulator_call(MODIFY, {}, identifier=secret))
    answers.append(emulator_call(MODIFY, {}, usersig=emulator_usersig[:-9] + "PRIVATE-WORDS"))
    assert all(answer["ErrorCode"] for answer in answers)
    assert secret not in str(answers)
    assert emulator_usersig not in str(emulator.requests())
    assert emulator_usersig not in str(emulator.state())
    assert emulator_usersig not in str(emulator.stats())
