"""The samples of the documents, row by row: what they send is accepted, and what they show comes back."""

from __future__ import annotations

import json

import pytest

from airflow_provider_tencentim.emulator import TencentIMEmulator

ROOM = "@TGS#1HYEP2SHC"
BODY = '"MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]'
CUSTOM = '"CloudCustomData": "your cloud custom data"'
HELLO = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
BEFORE = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "before"}}]
SUCCEED = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "succeed"}

# Fields of the sample, MsgBody afterwards, CloudCustomData afterwards.
MODIFICATIONS = [
    (BODY, HELLO, "old"),
    (CUSTOM, BEFORE, "your cloud custom data"),
    (f"{BODY}, {CUSTOM}", HELLO, "your cloud custom data"),
]
NAMES = ["only MsgBody", "only CloudCustomData", "both"]


@pytest.mark.parametrize(("fields", "body", "custom"), MODIFICATIONS, ids=NAMES)
def test_modify_group_msg_overwrites_what_is_given_and_nothing_else(emulator, emulator_call, fields, body, custom):
    message = {"MsgSeq": 23, "MsgBody": "before", "CloudCustomData": "old", "From_Account": "leckie"}
    emulator.add_group(ROOM, messages=[{**message, "MsgTimeStamp": 1458721802}])
    request = '{"GroupId": "@TGS#1HYEP2SHC", "MsgSeq": 23, ' + fields + "}"
    assert emulator_call("openim/modify_group_msg", request.encode()) == SUCCEED
    assert emulator.state(ROOM)["groups"][ROOM]["messages"] == [
        {
            "MsgSeq": 23,
            "From_Account": "leckie",
            "MsgTimeStamp": 1458721802,
            "state": "normal",
            "modified": True,
            "system": False,
            "cleared": False,
            "MsgBody": body,
            "CloudCustomData": custom,
        }
    ]


@pytest.mark.parametrize(("fields", "body", "custom"), MODIFICATIONS, ids=NAMES)
def test_modify_c2c_msg_overwrites_what_is_given_and_nothing_else(emulator, emulator_call, fields, body, custom):
    message = {"MsgSeq": 1, "MsgRandom": 2, "MsgTimeStamp": 3, "MsgBody": "before", "CloudCustomData": "old"}
    assert emulator.add_c2c_message("dramon1", "dramon2", message) == "1_2_3"
    request = '{"From_Account": "dramon1", "To_Account": "dramon2", "MsgKey": "1_2_3", ' + fields + "}"
    assert emulator_call("openim/modify_c2c_msg", request.encode()) == SUCCEED
    (stored,) = emulator.state()["c2c"][0]["messages"]
    assert (stored["MsgBody"], stored["CloudCustomData"], stored["modified"]) == (body, custom, True)


def test_group_msg_recall_answers_ok_although_one_of_two_messages_is_missing(emulator, emulator_call):
    emulator.add_group("@TGS#2J4SZEAEL", messages=1, first_seq=101)
    request = b'{"GroupId": "@TGS#2J4SZEAEL", "MsgSeqList":[{"MsgSeq":100}, {"MsgSeq":101}]}'
    assert emulator_call("group_open_http_svc/group_msg_recall", request) == {
        "ActionStatus": "OK",
        "ErrorInfo": "",
        "ErrorCode": 0,
        "RecallRetList": [{"MsgSeq": 100, "RetCode": 10030}, {"MsgSeq": 101, "RetCode": 0}],
    }


@pytest.mark.parametrize(
    ("request_body", "through"),
    [
        (b'{"GroupId": "@TGS#15ERQPAER"}', 7803322),
        (b'{"GroupId": "@TGS#15ERQPAER", "MsgSeq": 7803321}', 7803321),
    ],
    ids=["everything", "through a MsgSeq"],
)
def test_clear_group_msg_marks_and_an_administrator_still_reads(emulator, emulator_call, request_body, through):
    emulator.add_group("@TGS#15ERQPAER", messages=3, first_seq=7803320)
    answer = emulator_call("group_open_http_svc/clear_group_msg", request_body)
    assert answer == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
    group = emulator.state("@TGS#15ERQPAER")["groups"]["@TGS#15ERQPAER"]
    assert group["cleared_through"] == through
    assert [message["cleared"] for message in group["messages"]] == [True, True, through == 7803322]
    history = {"GroupId": "@TGS#15ERQPAER", "ReqMsgNumber": 20}
    read = emulator_call("group_open_http_svc/group_msg_get_simple", history)["RspMsgList"]
    assert [(item["MsgSeq"], item["IsPlaceMsg"]) for item in read] == [
        (7803322, 0),
        (7803321, 0),
        (7803320, 0),
    ]


@pytest.mark.parametrize("type_", ["Private", "Public", "ChatRoom", "Work", "Meeting"])
def test_the_documented_group_types_can_be_modified_recalled_and_cleared(emulator, emulator_call, type_):
    group = emulator.add_group(type=type_, messages=1)
    modification = {"GroupId": group, "MsgSeq": 1, "MsgBody": HELLO}
    assert emulator_call("openim/modify_group_msg", modification)["ErrorCode"] == 0
    assert emulator_call("group_open_http_svc/clear_group_msg", {"GroupId": group})["ErrorCode"] == 0
    recall = {"GroupId": group, "MsgSeqList": [{"MsgSeq": 1}]}
    assert emulator_call("group_open_http_svc/group_msg_recall", recall)["RecallRetList"][0]["RetCode"] == 0
    info = emulator_call("group_open_http_svc/get_group_info", {"GroupIdList": [group]})["GroupInfo"][0]
    assert info["Type"] == {"Work": "Private", "Meeting": "ChatRoom"}.get(type_, type_)


def test_a_community_can_be_modified_and_recalled_but_not_cleared(emulator, emulator_call):
    group = emulator.add_group(type="Community", messages=1, topics={"topic": 2})
    for more in ({}, {"TopicId": "topic"}):
        modification = {"GroupId": group, "MsgSeq": 1, "MsgBody": HELLO, **more}
        assert emulator_call("openim/modify_group_msg", modification) == SUCCEED
    recall = {"GroupId": group, "TopicId": "topic", "MsgSeqList": [{"MsgSeq": 1}, {"MsgSeq": 2}]}
    answer = emulator_call("group_open_http_svc/group_msg_recall", recall)
    assert [item["RetCode"] for item in answer["RecallRetList"]] == [0, 0]
    assert emulator.state(group)["groups"][group]["messages"][0]["state"] == "normal"
    refused = emulator_call("group_open_http_svc/clear_group_msg", {"GroupId": group})
    assert refused["ErrorCode"] == 10007


def test_an_audio_video_group_can_be_cleared_and_recalled_but_not_modified(emulator, emulator_call):
    group = emulator.add_group(type="AVChatRoom")
    sending = {"GroupId": group, "Random": 1, "MsgBody": HELLO}
    assert emulator_call("group_open_http_svc/send_group_msg", sending)["MsgSeq"] == 1
    assert emulator_call("group_open_http_svc/clear_group_msg", {"GroupId": group})["ErrorCode"] == 0
    modification = {"GroupId": group, "MsgSeq": 1, "MsgBody": HELLO}
    assert emulator_call("openim/modify_group_msg", modification)["ErrorCode"] == 10007
    recall = {"GroupId": group, "MsgSeqList": [{"MsgSeq": 1}]}
    assert emulator_call("group_open_http_svc/group_msg_recall", recall)["RecallRetList"][0]["RetCode"] == 0


def test_the_url_of_the_samples_is_served_in_any_order_and_with_percent_encoding(
    emulator: TencentIMEmulator, emulator_call, emulator_usersig
):
    encoded = emulator_usersig.replace("*", "%2A").replace("-", "%2D").replace("_", "%5F")
    query = f"contenttype=json&random=99999999&usersig={encoded}&identifier=administrator&sdkappid=1400000000"
    path = f"/v4/openconfigsvr/getappinfo?{query}&ignored="
    answer = emulator_call(
        "", {"RequestField": ["AppName", "AppId"]}, path=path, sdkappid=None, usersig=None, identifier=None
    )
    assert answer["ErrorInfo"] == "OK"
    assert "ActionStatus" not in answer
    assert json.dumps(answer["Result"][0], sort_keys=True).count('"') == 12  # every value is text
    assert len(answer["Result"]) == 30
