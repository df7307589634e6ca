"""Groups beyond their history: recall by sender, notices, the groups of an account, and the end of a group."""

from __future__ import annotations

from typing import Any

import pytest
from refusal_rows import ABSENT, NOT_INTEGER, NOT_TEXT, assert_refused, describe, wrong_types

TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
BY_SENDER = "group_open_http_svc/delete_group_msg_by_sender"
NOTIFY = "group_open_http_svc/send_group_system_notification"
JOINED = "group_open_http_svc/get_joined_group_list"
DESTROY = "group_open_http_svc/destroy_group"
CREATE = "group_open_http_svc/create_group"
SEND = "group_open_http_svc/send_group_msg"
GET = "group_open_http_svc/group_msg_get_simple"

GOOD: dict[str, dict[str, Any]] = {
    BY_SENDER: {"GroupId": "room", "Sender_Account": "peter"},
    NOTIFY: {"GroupId": "room", "Content": "closing time"},
    JOINED: {"Member_Account": "peter"},
    DESTROY: {"GroupId": "room"},
}


def sent_by(*senders: str) -> list[dict[str, Any]]:
    return [{"MsgBody": f"by {sender}", "From_Account": sender} for sender in senders]


@pytest.fixture(autouse=True)
def _world(emulator):
    emulator.add_accounts("mary")
    emulator.add_group("room", messages=sent_by("peter", "leckie", "peter"), members=["peter"])
    emulator.add_group("live", "AVChatRoom", messages=sent_by("peter"), members=["peter"])
    emulator.add_group("@TGS#_c", "Community", messages=1, topics={"topic": sent_by("peter")}, members=["peter"])


UNKNOWN_GROUPS = [("nowhere", 10010), ("", 10015), ("x" * 49, 10015), ("é", 10015)]

REFUSALS = [
    *((command, {"GroupId": group}, code) for command in (BY_SENDER, NOTIFY) for group, code in UNKNOWN_GROUPS),
    *((command, {"GroupId": ABSENT}, 10004) for command in (BY_SENDER, NOTIFY)),
    *(row for command in (BY_SENDER, NOTIFY, DESTROY) for row in wrong_types(command, "GroupId", 10004, *NOT_TEXT)),
    *((command, {"TopicId": "topic"}, 10004) for command in (BY_SENDER, NOTIFY)),
    *((command, {"GroupId": "@TGS#_c", "TopicId": "no"}, 10010) for command in (BY_SENDER, NOTIFY)),
    # --- delete_group_msg_by_sender
    (BY_SENDER, {"Sender_Account": ABSENT}, 10004),
    *wrong_types(BY_SENDER, "Sender_Account", 10004, *NOT_TEXT),
    (BY_SENDER, {"Sender_Account": "nobody"}, 10019),
    (BY_SENDER, {"Sender_Account": "@TIM#SYSTEM"}, 10019),
    # --- send_group_system_notification
    (NOTIFY, {"Content": ABSENT}, 10004),
    *wrong_types(NOTIFY, "Content", 10004, *NOT_TEXT, ""),
    *wrong_types(NOTIFY, "ToMembers_Account", 10004, "peter", [1], ["x"] * 501),
    (NOTIFY, {"GroupId": "live", "ToMembers_Account": ["peter"]}, 10007),
    # --- get_joined_group_list
    (JOINED, {"Member_Account": ABSENT}, 10004),
    *wrong_types(JOINED, "Member_Account", 10004, *NOT_TEXT),
    (JOINED, {"Member_Account": "nobody"}, 10019),
    *wrong_types(JOINED, "WithHugeGroups", 10004, "1", True, 2),
    *wrong_types(JOINED, "WithNoActiveGroups", 10004, "1", True, 2),
    *wrong_types(JOINED, "Limit", 10004, *NOT_INTEGER, 0, 5001),
    *wrong_types(JOINED, "Offset", 10004, *NOT_INTEGER),
    *wrong_types(JOINED, "GroupType", 10004, "public", 1),
    *wrong_types(JOINED, "ResponseFilter", 10004, ["Type"], {"GroupBaseInfoFilter": "Type"}, {"SelfInfoFilter": 1}),
    (JOINED, {"SupportTopic": 1}, 10004),
    (JOINED, {"SupportTopic": 1, "GroupType": "Public"}, 10004),
    *((JOINED, {"SupportTopic": value, "GroupType": "Community"}, 10004) for value in ("1", True, 2, None)),
]


@pytest.mark.parametrize(("command", "change", "code"), REFUSALS, ids=[describe(row) for row in REFUSALS])
def test_a_command_refuses(emulator, emulator_call, command, change, code):
    assert_refused(emulator, emulator_call, command, {**GOOD[command], **change}, code)


AT_THE_LIMIT = [
    *((command, {}) for command in GOOD),
    (NOTIFY, {"ToMembers_Account": ["x"] * 500}),
    (NOTIFY, {"ToMembers_Account": []}),
    (NOTIFY, {"GroupId": "live"}),
    (NOTIFY, {"GroupId": "live", "ToMembers_Account": []}),
    (NOTIFY, {"GroupId": "@TGS#_c", "TopicId": "topic"}),
    (JOINED, {"Limit": 5000, "Offset": 4294967295}),
]


@pytest.mark.parametrize(("command", "change"), AT_THE_LIMIT, ids=[describe((*row, 0)) for row in AT_THE_LIMIT])
def test_what_is_just_at_a_limit_is_accepted(emulator_call, command, change):
    answer = emulator_call(command, {**GOOD[command], **change})
    assert (answer["ErrorCode"], answer["ActionStatus"], answer["ErrorInfo"]) == (0, "OK", "")


OTHER_READINGS = [
    ({"notify_members_required": True}, NOTIFY, {}, 10004),
    ({"notify_members_required": True}, NOTIFY, {"ToMembers_Account": []}, 0),
    ({"notify_too_many_code": 10005}, NOTIFY, {"ToMembers_Account": ["x"] * 501}, 10005),
    ({"notify_avchatroom_code": 10004}, NOTIFY, {"GroupId": "live", "ToMembers_Account": ["peter"]}, 10004),
    ({"group_account_code": 10004}, BY_SENDER, {"Sender_Account": "nobody"}, 10004),
    ({"group_account_code": 10004}, JOINED, {"Member_Account": "nobody"}, 10004),
]


@pytest.mark.parametrize(("reading", "command", "change", "code"), OTHER_READINGS)
def test_another_reading(emulator, emulator_call, reading, command, change, code):
    emulator.assume(reading)
    assert emulator_call(command, {**GOOD[command], **change})["ErrorCode"] == code


# --- delete_group_msg_by_sender


def states(emulator: Any, group: str, topic: str | None = None) -> list[str]:
    view = emulator.state(group)["groups"][group]
    return [message["state"] for message in (view["topics"][topic] if topic else view)["messages"]]


def test_what_a_sender_sent_is_recalled_and_nothing_else(emulator, emulator_call):
    answer = emulator_call(BY_SENDER, GOOD[BY_SENDER])
    assert answer == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
    assert states(emulator, "room") == ["recalled", "normal", "recalled"]
    assert states(emulator, "@TGS#_c", "topic") == ["normal"]
    items = emulator_call(GET, {"GroupId": "room", "ReqMsgNumber": 3, "WithRecalledMsg": 1})["RspMsgList"]
    assert [item["IsPlaceMsg"] for item in items] == [2, 0, 2]


def test_a_topic_is_recalled_by_itself(emulator, emulator_call):
    request = {"GroupId": "@TGS#_c", "TopicId": "topic", "Sender_Account": "peter"}
    assert emulator_call(BY_SENDER, request)["ErrorCode"] == 0
    assert states(emulator, "@TGS#_c", "topic") == ["recalled"]


def test_in_an_avchatroom_nothing_happens_and_that_is_no_error(emulator, emulator_call):
    assert emulator_call(BY_SENDER, {"GroupId": "live", "Sender_Account": "peter"})["ErrorCode"] == 0
    assert states(emulator, "live") == ["normal"]


@pytest.mark.parametrize("first_seq", [1, 4_000_000_000])
def test_only_the_last_thousand_messages_are_looked_at(emulator, emulator_call, first_seq):
    long = emulator.add_group(messages=sent_by(*["peter"] * 1002), first_seq=first_seq)
    assert emulator_call(BY_SENDER, {"GroupId": long, "Sender_Account": "peter"})["ErrorCode"] == 0
    assert states(emulator, long) == ["normal"] * 2 + ["recalled"] * 1000
    emulator.assume({"by_sender_messages": 1001})
    assert emulator_call(BY_SENDER, {"GroupId": long, "Sender_Account": "peter"})["ErrorCode"] == 0
    assert states(emulator, long) == ["normal"] + ["recalled"] * 1001


def test_what_is_expired_or_a_tip_is_not_recalled(emulator, emulator_call):
    messages = [
        {"MsgBody": "x", "From_Account": "peter", "state": "expired"},
        {"MsgBody": {"OpType": 1}, "From_Account": "peter", "IsSystemMsg": 1},
    ]
    group = emulator.add_group(messages=messages)
    assert emulator_call(BY_SENDER, {"GroupId": group, "Sender_Account": "peter"})["ErrorCode"] == 0
    assert states(emulator, group) == ["expired", "normal"]


# --- send_group_system_notification


def test_a_notice_is_not_stored_and_has_no_seq(emulator, emulator_call):
    before = emulator.state()
    answer = emulator_call(NOTIFY, {**GOOD[NOTIFY], "ToMembers_Account": ["peter"]})
    assert answer == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
    assert emulator.state() == before


# --- get_joined_group_list


def joined(call: Any, **fields: Any) -> list[str]:
    answer = call(JOINED, {"Member_Account": "peter", **fields})
    ids = [item["GroupId"] for item in answer["GroupIdList"]]
    assert answer["TotalCount"] == len(ids)
    return ids


@pytest.fixture
def many(emulator):
    """Groups of every type, in this order, beside room, live and a community with a topic."""
    emulator.add_group("talk", "Private", messages=1, members=["peter"])
    emulator.add_group("silent", "Private", members=["peter"])
    emulator.add_group("silent public", "Public", members=["peter"])
    emulator.add_group("meeting", "Meeting", messages=1, owner="peter")
    emulator.add_group("@TGS#_plain", "Community", messages=1, members=["peter"])
    emulator.add_group("another's", members=["mary"])


CHOICES = [
    ({}, ["room", "talk", "silent public", "meeting"]),
    ({"WithHugeGroups": 1}, ["room", "live", "talk", "silent public", "meeting"]),
    ({"WithHugeGroups": 0, "WithNoActiveGroups": 1}, ["room", "talk", "silent", "silent public", "meeting"]),
    ({"GroupType": "Public"}, ["room", "silent public"]),
    ({"GroupType": "Private"}, ["talk"]),
    ({"GroupType": "Work", "WithNoActiveGroups": 1}, ["talk", "silent"]),
    ({"GroupType": "ChatRoom"}, ["meeting"]),
    ({"GroupType": "AVChatRoom"}, []),
    ({"GroupType": "AVChatRoom", "WithHugeGroups": 1}, ["live"]),
    ({"GroupType": "Community"}, ["@TGS#_c", "@TGS#_plain"]),
    ({"GroupType": "Community", "SupportTopic": 1}, ["@TGS#_c"]),
    ({"GroupType": "Community", "SupportTopic": 0}, ["@TGS#_plain"]),
    ({"Member_Account": "mary"}, ["another's"]),
    ({"Member_Account": "leckie"}, []),
]


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("fields", "expected"), CHOICES)
def test_the_groups_of_an_account_can_be_chosen(emulator_call, fields, expected):
    assert joined(emulator_call, **fields) == expected


@pytest.mark.usefixtures("many")
def test_other_readings_of_what_belongs_to_the_list(emulator, emulator_call):
    emulator.assume({"joined_communities": True, "private_inactive_until_sent": False})
    everything = ["room", "@TGS#_c", "talk", "silent", "silent public", "meeting", "@TGS#_plain"]
    assert joined(emulator_call) == everything


@pytest.mark.usefixtures("many")
def test_pages_do_not_change_the_total(emulator_call):
    for fields, expected in (
        ({"Limit": 3}, ["room", "talk", "silent public"]),
        ({"Limit": 3, "Offset": 3}, ["meeting"]),
        ({"Offset": 2}, ["silent public", "meeting"]),
        ({"Limit": 1, "Offset": 4}, []),
    ):
        answer = emulator_call(JOINED, {"Member_Account": "peter", **fields})
        assert ([item["GroupId"] for item in answer["GroupIdList"]], answer["TotalCount"]) == (expected, 4)


def test_an_item_has_its_id_and_what_the_filters_name(emulator_call):
    assert emulator_call(JOINED, GOOD[JOINED])["GroupIdList"] == [{"GroupId": "room"}]
    chosen = {
        "GroupBaseInfoFilter": ["Type", "NextMsgSeq", "NoSuchField"],
        "SelfInfoFilter": ["Role", "UnreadMsgNum", "NoSuchField"],
    }
    answer = emulator_call(JOINED, {**GOOD[JOINED], "ResponseFilter": chosen})
    own = {"Role": "Member", "UnreadMsgNum": 0}
    assert answer["GroupIdList"] == [{"GroupId": "room", "Type": "Public", "NextMsgSeq": 4, "SelfInfo": own}]
    owner = {"Member_Account": "administrator", "ResponseFilter": {"SelfInfoFilter": ["Role"]}}
    assert emulator_call(JOINED, owner)["GroupIdList"][0] == {"GroupId": "room", "SelfInfo": {"Role": "Owner"}}


def test_a_community_made_for_topics_is_one_before_it_has_any(emulator_call):
    ids = []
    for topics in (1, 0):
        wanted = {"Type": "Community", "Name": "x", "SupportTopic": topics, "Owner_Account": "mary"}
        ids.append(emulator_call(CREATE, wanted)["GroupId"])
    for topics, expected in ((1, ids[:1]), (0, ids[1:])):
        request = {"Member_Account": "mary", "GroupType": "Community", "SupportTopic": topics}
        answer = emulator_call(JOINED, request)
        assert [item["GroupId"] for item in answer["GroupIdList"]] == expected
        assert answer["ErrorInfo"] == ("ok" if topics else "")


# --- destroy_group


@pytest.mark.parametrize("group", ["room", "live", "@TGS#_c"])
def test_a_group_of_any_type_is_dissolved_with_all_that_was_in_it(emulator, emulator_call, group):
    assert emulator_call(DESTROY, {"GroupId": group}) == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
    assert group not in emulator.state()["groups"]
    assert emulator_call(SEND, {"GroupId": group, "Random": 1, "MsgBody": TEXT})["ErrorCode"] == 10010
    assert group not in joined(emulator_call, WithHugeGroups=1)
    assert emulator_call(DESTROY, {"GroupId": group})["ErrorCode"] == 10010
