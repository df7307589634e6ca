"""The list of an account's recent conversations: what is on it, its pages, and taking one off it."""

from __future__ import annotations

from typing import Any

import pytest
from refusal_rows import ABSENT, NOT_TEXT, NOT_UINT32, assert_refused, describe, wrong_types

TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
LIST = "recentcontact/get_list"
DELETE = "recentcontact/delete"
ROAM = "openim/admin_getroammsg"
HIDE = "openim/delete_c2c_msg_ramble"
SENDMSG = "openim/sendmsg"
SEND = "group_open_http_svc/send_group_msg"
CLEAR = "group_open_http_svc/clear_group_msg"
PINNED, EMPTY, PAGE_PINNED = 1, 2, 4

FIRST_PAGE = {"TimeStamp": 0, "StartIndex": 0, "TopTimeStamp": 0, "TopStartIndex": 0}
GOOD: dict[str, dict[str, Any]] = {
    LIST: {"From_Account": "me", **FIRST_PAGE, "AssistFlags": 0},
    DELETE: {"From_Account": "me", "Type": 1, "To_Account": "ann"},
}
GROUP = {"From_Account": "me", "Type": 2, "ToGroupid": "room"}


def letter(at: int, **fields: Any) -> dict[str, Any]:
    return {"MsgBody": "x", "MsgTimeStamp": at, **fields}


@pytest.fixture(autouse=True)
def _world(emulator):
    emulator.add_c2c_message("me", "ann", letter(100))
    emulator.add_c2c_message("bob", "me", letter(300))
    emulator.add_c2c_message("ann", "bob", letter(400))
    emulator.add_group("room", messages=[letter(150), letter(200)], members=["me"])
    emulator.add_group("empty room", create_time=50, members=["me"])
    emulator.add_group("live", "AVChatRoom", messages=[letter(500)], members=["me"])
    emulator.add_group("another's", messages=[letter(600)])


def page(call: Any, **fields: Any) -> dict[str, Any]:
    answer = call(LIST, {**GOOD[LIST], **fields})
    assert (answer["ErrorCode"], answer["ErrorDisplay"]) == (0, "")
    return answer


def listed(call: Any, account: str = "me", flags: int = 0) -> list[str]:
    """What is on the first page, which must be all."""
    answer = page(call, From_Account=account, AssistFlags=flags)
    assert answer["CompleteFlag"] == 1
    return [item.get("To_Account") or item["GroupId"] for item in answer["SessionItem"]]


REFUSALS = [
    *((LIST, {field: ABSENT}, 50002) for field in GOOD[LIST]),
    *wrong_types(LIST, "From_Account", 50002, *NOT_TEXT),
    *(row for field in [*FIRST_PAGE, "AssistFlags"] for row in wrong_types(LIST, field, 50002, *NOT_UINT32)),
    (LIST, {"From_Account": "nobody"}, 50001),
    *((DELETE, {field: ABSENT}, 50002) for field in GOOD[DELETE]),
    *wrong_types(DELETE, "From_Account", 50002, *NOT_TEXT),
    *wrong_types(DELETE, "Type", 50002, "1", True, 0, 3),
    *wrong_types(DELETE, "To_Account", 50002, *NOT_TEXT),
    *wrong_types(DELETE, "ClearRamble", 50002, "1", True, 2),
    (DELETE, {"From_Account": "nobody"}, 50001),
    (DELETE, {"To_Account": "nobody"}, 50001),
    (DELETE, {"Type": 2, "To_Account": "room"}, 50002),
    (DELETE, {"Type": 1, "To_Account": ABSENT, "ToGroupid": "ann"}, 50002),
    (DELETE, {**GROUP, "ToGroupId": "room", "ToGroupid": ABSENT}, 50002),
    (DELETE, {**GROUP, "ToGroupid": "nowhere"}, 50002),
    *((DELETE, {**GROUP, "ToGroupid": value}, 50002) for value in (*NOT_TEXT, None)),
]


@pytest.mark.parametrize(("command", "change", "code"), REFUSALS, ids=[describe(row) for row in REFUSALS])
def test_a_command_refuses(emulator, emulator_call, command, change, code):
    assert_refused(emulator, emulator_call, command, {**GOOD[command], **change}, code)


@pytest.mark.parametrize("command", GOOD)
def test_a_body_that_is_no_json_is_a_parameter_error(emulator_call, command):
    assert emulator_call(command, b"{")["ErrorCode"] == 50002


OTHER_READINGS = [
    ({"recent_field_code": 50004}, LIST, {"AssistFlags": "1"}, 50004),
    ({"recent_field_code": 50004}, DELETE, {"Type": 3}, 50004),
    ({"recent_unknown_account_code": 50002}, LIST, {"From_Account": "nobody"}, 50002),
    ({"recent_unknown_account_code": 50002}, DELETE, {"To_Account": "nobody"}, 50002),
    ({"recent_unknown_group_code": 50001}, DELETE, {**GROUP, "ToGroupid": "nowhere"}, 50001),
    ({"old_recent_group_name": True}, DELETE, {"Type": 2, "To_Account": "room"}, 0),
    ({"old_recent_group_name": True}, DELETE, {**GROUP, "To_Account": "nowhere"}, 0),
    ({"old_recent_group_name": True}, DELETE, {"Type": 2, "To_Account": ABSENT}, 50002),
    ({"recent_missing_code": 50002}, DELETE, {}, 0),
    ({"recent_missing_code": 50002}, DELETE, {"To_Account": "administrator"}, 50002),
    ({"recent_missing_code": 50002}, DELETE, {**GROUP, "ToGroupid": "another's"}, 50002),
    ({"recent_missing_code": 50002}, DELETE, GROUP, 0),
    ({"recent_missing_code": 50002}, DELETE, {**GROUP, "ToGroupid": "empty room"}, 0),
    ({}, DELETE, {"To_Account": "administrator"}, 0),
]


@pytest.mark.parametrize(("reading", "command", "change", "code"), OTHER_READINGS)
def test_another_reading(emulator, emulator_call, reading, command, change, code):
    emulator.assume(reading)
    body = {name: value for name, value in {**GOOD[command], **change}.items() if value is not ABSENT}
    assert emulator_call(command, body)["ErrorCode"] == code


# --- what is on the list


def test_the_newest_conversation_comes_first_whether_with_an_account_or_a_group(emulator_call):
    assert page(emulator_call) == {
        "ActionStatus": "OK",
        "ErrorInfo": "",
        "ErrorCode": 0,
        "SessionItem": [
            {"Type": 1, "To_Account": "bob", "MsgTime": 300, "TopFlag": 0},
            {"Type": 2, "GroupId": "room", "MsgTime": 200, "TopFlag": 0},
            {"Type": 1, "To_Account": "ann", "MsgTime": 100, "TopFlag": 0},
        ],
        "CompleteFlag": 1,
        "TimeStamp": 100,
        "StartIndex": 1,
        "TopTimeStamp": 0,
        "TopStartIndex": 0,
        "ErrorDisplay": "",
    }
    assert listed(emulator_call, "ann") == ["bob", "me"]
    assert listed(emulator_call, "administrator") == ["another's", "room"]


def test_an_empty_conversation_is_shown_only_on_request(emulator, emulator_call):
    emulator_call(HIDE, {"Operator_Account": "me", "Peer_Account": "ann", "MsgKeyList": ["1_1_100"]})
    emulator_call(CLEAR, {"GroupId": "room"})
    assert listed(emulator_call) == ["bob"]
    assert listed(emulator_call, flags=EMPTY) == ["bob", "room", "ann", "empty room"]
    assert listed(emulator_call, "ann") == ["bob", "me"]  # the other side still has it
    emulator_call(SEND, {"GroupId": "room", "Random": 1, "MsgBody": TEXT})
    assert listed(emulator_call) == ["room", "bob"]


def test_what_has_expired_is_gone_from_the_list(emulator, emulator_call):
    emulator.add_group("old", messages=[letter(700), letter(800, state="expired")], members=["me"])
    emulator.add_c2c_message("me", "cat", letter(900, state="expired"))
    assert listed(emulator_call, flags=EMPTY) == ["bob", "room", "ann", "empty room"]
    emulator.assume({"roaming_days": 7})
    assert listed(emulator_call, flags=EMPTY) == ["empty room"]


def test_what_was_not_synchronised_is_not_on_the_senders_list(emulator, emulator_call):
    emulator.add_accounts("cat")
    sending = {"From_Account": "cat", "To_Account": "me", "MsgRandom": 1, "MsgBody": TEXT, "SyncOtherMachine": 2}
    emulator_call(SENDMSG, sending)
    assert listed(emulator_call)[0] == "cat"
    assert listed(emulator_call, "cat") == []


def test_a_conversation_with_oneself_is_one_too(emulator, emulator_call):
    emulator.add_c2c_message("me", "me", letter(999))
    assert listed(emulator_call)[0] == "me"


def test_only_the_most_recent_conversations_are_kept(emulator, emulator_call):
    for number in range(120):
        emulator.add_c2c_message("me", f"user{number:03}", letter(1000 + number))
    assert listed(emulator_call) == [f"user{number:03}" for number in range(119, 19, -1)]
    emulator.assume({"recent_contacts": 500, "recent_page": 500})
    assert len(listed(emulator_call)) == 123


# --- pages


def pages(call: Any, **fields: Any) -> list[list[str]]:
    """Every page, read as the documents say, until CompleteFlag."""
    found, place = [], FIRST_PAGE
    while len(found) < 20:
        answer = page(call, **fields, **place)
        found.append([item.get("To_Account") or item["GroupId"] for item in answer["SessionItem"]])
        if answer["CompleteFlag"]:
            return found
        place = {name: answer[name] for name in FIRST_PAGE}
    raise AssertionError(found)


def test_pages_lead_on_through_conversations_of_the_same_second(emulator, emulator_call):
    for name in ("cat", "dan", "eve", "fay", "gil"):
        emulator.add_c2c_message("me", name, letter(300))
    emulator.assume({"recent_page": 2})
    expected = [["bob", "cat"], ["dan", "eve"], ["fay", "gil"], ["room", "ann"]]
    assert pages(emulator_call) == expected
    emulator.assume({"recent_page": 3})
    assert pages(emulator_call) == [["bob", "cat", "dan"], ["eve", "fay", "gil"], ["room", "ann"]]
    emulator.assume({"recent_page": 1})
    assert [name for (name,) in pages(emulator_call)] == [name for part in expected for name in part]


def test_a_conversation_that_comes_between_two_pages_moves_none(emulator, emulator_call):
    emulator.assume({"recent_page": 1})
    first = page(emulator_call)
    emulator.add_c2c_message("me", "cat", letter(900))
    second = page(emulator_call, **{name: first[name] for name in FIRST_PAGE})
    assert second["SessionItem"][0]["GroupId"] == "room"


PINNED_PAGES = [
    (0, [["bob", "cat"], ["dan", "room"], ["ann"]], False),
    (PINNED, [["cat", "dan", "room", "bob", "ann"]], True),
    (PINNED | PAGE_PINNED, [["cat", "dan"], ["room", "bob"], ["ann"]], True),
]


@pytest.mark.parametrize(("flags", "expected", "shown"), PINNED_PAGES)
def test_pinned_conversations_come_first_where_they_are_supported(emulator, emulator_call, flags, expected, shown):
    emulator.add_c2c_message("me", "cat", letter(250))
    emulator.add_c2c_message("me", "dan", letter(220))
    for pin in ({"peer": "cat"}, {"peer": "dan"}, {"group_id": "room"}):
        emulator.pin_conversation("me", **pin)
    emulator.assume({"recent_page": 2})
    assert pages(emulator_call, AssistFlags=flags) == expected
    items = page(emulator_call, AssistFlags=flags)["SessionItem"]
    pinned = [item for item in items if item.get("To_Account") in ("cat", "dan") or "GroupId" in item]
    assert {item["TopFlag"] for item in pinned} == {int(shown)}
    assert all(item["TopFlag"] == 0 for item in items if item not in pinned)


def test_an_empty_group_can_be_pinned_too(emulator, emulator_call):
    emulator.pin_conversation("me", group_id="empty room")
    assert listed(emulator_call, flags=PINNED | EMPTY) == ["empty room", "bob", "room", "ann"]


def test_a_pin_is_of_one_account_and_needs_one_conversation(emulator, emulator_call):
    emulator.pin_conversation("ann", peer="me")
    assert listed(emulator_call, flags=PINNED) == ["bob", "room", "ann"]
    assert listed(emulator_call, "ann", PINNED) == ["me", "bob"]
    for wrong in ({}, {"peer": "a", "group_id": "b"}):
        with pytest.raises(ValueError, match="either peer or group_id"):
            emulator.pin_conversation("me", **wrong)


# --- deleting


def history(call: Any, operator: str, peer: str) -> list[str]:
    request = {"Operator_Account": operator, "Peer_Account": peer, "MaxCnt": 100, "MinTime": 0, "MaxTime": 4294967295}
    return [item["MsgKey"] for item in call(ROAM, request)["MsgList"]]


@pytest.mark.parametrize("clear", [{}, {"ClearRamble": 0}, {"ClearRamble": 1}])
def test_a_deleted_conversation_is_off_one_list_and_comes_back_with_the_next_message(emulator, emulator_call, clear):
    answer = emulator_call(DELETE, {**GOOD[DELETE], **clear})
    assert answer == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "ErrorDisplay": ""}
    assert listed(emulator_call, flags=EMPTY) == ["bob", "room", "empty room"]
    assert listed(emulator_call, "ann") == ["bob", "me"]
    cleared = clear.get("ClearRamble") == 1
    assert history(emulator_call, "me", "ann") == ([] if cleared else ["1_1_100"])
    assert history(emulator_call, "ann", "me") == ["1_1_100"]
    (stored,) = (item for item in emulator.state()["c2c"] if item["accounts"] == ["ann", "me"])
    assert stored["messages"][0]["hidden_from"] == (["me"] if cleared else [])

    new = emulator.add_c2c_message("ann", "me", letter(900))
    assert listed(emulator_call) == ["ann", "bob", "room"]
    assert history(emulator_call, "me", "ann") == ([new] if cleared else ["1_1_100", new])


def test_what_only_the_other_side_sees_does_not_bring_a_conversation_back(emulator, emulator_call):
    emulator_call(DELETE, GOOD[DELETE])
    hidden = {"From_Account": "me", "To_Account": "ann", "MsgRandom": 1, "MsgBody": TEXT, "SyncOtherMachine": 2}
    emulator_call(SENDMSG, hidden)
    assert listed(emulator_call) == ["bob", "room"]


@pytest.mark.parametrize("clear", [0, 1])
def test_a_group_is_taken_off_one_members_list(emulator, emulator_call, clear):
    assert emulator_call(DELETE, {**GROUP, "ClearRamble": clear})["ErrorCode"] == 0
    assert listed(emulator_call, flags=EMPTY) == ["bob", "ann", "empty room"]
    assert "room" in listed(emulator_call, "administrator")
    assert emulator.state("room")["groups"]["room"]["cleared_for"] == ({"me": 2} if clear else {})
    emulator_call(SEND, {"GroupId": "room", "Random": 1, "MsgBody": TEXT})
    assert listed(emulator_call) == ["room", "bob", "ann"]


def test_a_deleted_conversation_is_no_longer_pinned(emulator, emulator_call):
    emulator.pin_conversation("me", peer="ann")
    emulator_call(DELETE, GOOD[DELETE])
    emulator.add_c2c_message("ann", "me", letter(250))
    assert listed(emulator_call, flags=PINNED) == ["bob", "ann", "room"]


def test_a_group_made_anew_under_the_same_id_is_another_conversation(emulator, emulator_call):
    emulator.pin_conversation("me", group_id="room")
    emulator_call(DELETE, GROUP)
    emulator.pin_conversation("me", group_id="room")
    assert emulator_call("group_open_http_svc/destroy_group", {"GroupId": "room"})["ErrorCode"] == 0
    emulator.add_group("room", messages=[letter(250)], members=["me"])
    assert listed(emulator_call, flags=PINNED) == ["bob", "room", "ann"]
