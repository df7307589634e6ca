"""One-to-one messages beyond sending one: recall, hide from one side, send to many, import."""

from __future__ import annotations

import time
from typing import Any

import pytest
from refusal_rows import ABSENT, NOT_INTEGER, NOT_TEXT, NOT_UINT32, assert_refused, describe, wrong_types

TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
WITHDRAW = "openim/admin_msgwithdraw"
HIDE = "openim/delete_c2c_msg_ramble"
BATCH = "openim/batchsendmsg"
IMPORT = "openim/importmsg"
SENDMSG = "openim/sendmsg"
ROAM = "openim/admin_getroammsg"
MODIFY = "openim/modify_c2c_msg"

GOOD: dict[str, dict[str, Any]] = {
    WITHDRAW: {"From_Account": "a", "To_Account": "b", "MsgKey": "1_2_3"},
    HIDE: {"Operator_Account": "a", "Peer_Account": "b", "MsgKeyList": ["1_2_3"]},
    BATCH: {"To_Account": ["a", "b"], "MsgRandom": 7, "MsgBody": TEXT},
    IMPORT: {
        "SyncFromOldSystem": 2,
        "From_Account": "a",
        "To_Account": "b",
        "MsgSeq": 7,
        "MsgRandom": 8,
        "MsgTimeStamp": 9,
        "MsgBody": TEXT,
    },
}


@pytest.fixture(autouse=True)
def _world(emulator):
    for seq, state in ((1, "normal"), (2, "recalled"), (3, "expired")):
        message = {"MsgBody": f"text {seq}", "MsgSeq": seq, "MsgRandom": 2, "MsgTimeStamp": 3, "state": state}
        emulator.add_c2c_message("a", "b", message)


def read(call: Any, operator: str = "a", peer: str = "b") -> list[dict[str, Any]]:
    request = {"Operator_Account": operator, "Peer_Account": peer, "MaxCnt": 100, "MinTime": 0, "MaxTime": 4294967295}
    return call(ROAM, request)["MsgList"]


def keys(call: Any, operator: str = "a", peer: str = "b") -> list[str]:
    return [item["MsgKey"] for item in read(call, operator, peer)]


REFUSALS = [
    # --- admin_msgwithdraw
    (WITHDRAW, {"From_Account": ABSENT}, 90008),
    (WITHDRAW, {"To_Account": ABSENT}, 90003),
    (WITHDRAW, {"MsgKey": ABSENT}, 90054),
    *wrong_types(WITHDRAW, "From_Account", 90008, *NOT_TEXT),
    *wrong_types(WITHDRAW, "To_Account", 90003, *NOT_TEXT),
    *wrong_types(WITHDRAW, "MsgKey", 90054, *NOT_TEXT, "1_2", "1_2_3_4", "1_2_x", "", "1_2_" + "3" * 48),
    (WITHDRAW, {"From_Account": "nobody"}, 90008),
    (WITHDRAW, {"To_Account": "nobody"}, 20022),
    (WITHDRAW, {"From_Account": "b", "To_Account": "a"}, 20022),
    (WITHDRAW, {"MsgKey": "9_2_3"}, 20022),
    (WITHDRAW, {"MsgKey": "3_2_3"}, 20022),
    (WITHDRAW, {"MsgKey": "2_2_3"}, 20023),
    # --- delete_c2c_msg_ramble
    (HIDE, {"Operator_Account": ABSENT}, 90008),
    (HIDE, {"Peer_Account": ABSENT}, 90003),
    *wrong_types(HIDE, "Operator_Account", 90008, *NOT_TEXT),
    *wrong_types(HIDE, "Peer_Account", 90003, *NOT_TEXT),
    (HIDE, {"Operator_Account": "nobody"}, 90008),
    (HIDE, {"Peer_Account": "nobody"}, 90012),
    (HIDE, {"MsgKeyList": ABSENT}, 90010),
    *wrong_types(HIDE, "MsgKeyList", 90010, "1_2_3", [], ["1_2_3"] * 31),
    *((HIDE, {"MsgKeyList": ["1_2_3", key]}, 90054) for key in (1, None, "1_2", "")),
    (HIDE, {"MsgKeyList": ["1_2_3", "9_2_3"]}, 20022),
    (HIDE, {"MsgKeyList": ["1_2_3", "3_2_3"]}, 20022),
    # --- batchsendmsg
    (BATCH, {"To_Account": ABSENT}, 90003),
    *wrong_types(BATCH, "To_Account", 90003, "a", [], ["a", 1], [None]),
    (BATCH, {"To_Account": ["a"] * 501}, 90011),
    (BATCH, {"To_Account": ["nobody", "noone"]}, 90012),
    (BATCH, {"From_Account": "nobody"}, 90008),
    *wrong_types(BATCH, "From_Account", 90008, *NOT_TEXT),
    (BATCH, {"MsgRandom": ABSENT}, 90005),
    *wrong_types(BATCH, "MsgRandom", 90005, *NOT_UINT32),
    *wrong_types(BATCH, "MsgSeq", 90004, *NOT_UINT32),
    *wrong_types(BATCH, "SyncOtherMachine", 90031, "1", 0, 3),
    *wrong_types(BATCH, "MsgLifeTime", 90044, *NOT_INTEGER),
    (BATCH, {"MsgLifeTime": 604_801}, 90026),
    *wrong_types(BATCH, "OfflinePushInfo", 90043, "x", []),
    (BATCH, {"MsgBody": ABSENT}, 90007),
    (BATCH, {"MsgBody": [1]}, 90002),
    (BATCH, {"CloudCustomData": "x" * 12_288}, 93000),
    # --- importmsg
    (IMPORT, {"From_Account": ABSENT}, 90008),
    (IMPORT, {"To_Account": ABSENT}, 90003),
    *wrong_types(IMPORT, "From_Account", 90008, *NOT_TEXT),
    *wrong_types(IMPORT, "To_Account", 90003, *NOT_TEXT),
    (IMPORT, {"From_Account": "nobody"}, 90008),
    (IMPORT, {"To_Account": "nobody"}, 90012),
    (IMPORT, {"MsgRandom": ABSENT}, 90005),
    *wrong_types(IMPORT, "MsgRandom", 90005, *NOT_UINT32),
    *wrong_types(IMPORT, "MsgSeq", 90004, *NOT_UINT32),
    (IMPORT, {"MsgTimeStamp": ABSENT}, 90006),
    *wrong_types(IMPORT, "MsgTimeStamp", 90006, *NOT_UINT32, 4294967295),
    (IMPORT, {"SyncFromOldSystem": ABSENT}, 90030),
    *wrong_types(IMPORT, "SyncFromOldSystem", 90030, "2", True, 2.0, 0, 1, 3),
    (IMPORT, {"MsgBody": ABSENT}, 90007),
    (IMPORT, {"MsgBody": [1]}, 90002),
    (IMPORT, {"CloudCustomData": "x" * 12_288}, 93000),
]


@pytest.mark.parametrize(("command", "change", "code"), REFUSALS, ids=[describe(row) for row in REFUSALS])
def test_a_command_refuses(emulator, emulator_call, command, change, code):
    assert_refused(emulator, emulator_call, command, {**GOOD[command], **change}, code)


AT_THE_LIMIT = [
    *((command, {}) for command in GOOD),
    (HIDE, {"MsgKeyList": ["1_2_3"] * 30}),
    (BATCH, {"To_Account": ["a"] * 500, "MsgSeq": 4294967295, "MsgRandom": 0, "MsgLifeTime": 604_800}),
    (IMPORT, {"SyncFromOldSystem": 5, "MsgSeq": 0, "MsgRandom": 4294967295, "MsgTimeStamp": 0}),
]


@pytest.mark.parametrize(("command", "change"), AT_THE_LIMIT, ids=[describe((*row, 0)) for row in AT_THE_LIMIT])
def test_what_is_just_at_a_limit_is_accepted(emulator_call, command, change):
    answer = emulator_call(command, {**GOOD[command], **change})
    assert (answer["ErrorCode"], answer["ActionStatus"], answer["ErrorInfo"]) == (0, "OK", "")


OTHER_READINGS = [
    ({"withdraw_unknown_sender_code": 20003}, WITHDRAW, {"From_Account": "nobody"}, 20003),
    ({"withdraw_unknown_recipient_code": 90003}, WITHDRAW, {"To_Account": "nobody"}, 90003),
    ({"withdraw_expired_code": 20016}, WITHDRAW, {"MsgKey": "3_2_3"}, 20016),
    ({"roaming_days": 7}, WITHDRAW, {}, 20022),
    ({"ramble_list_code": 90001}, HIDE, {"MsgKeyList": []}, 90001),
    ({"ramble_list_code": 90001}, HIDE, {"MsgKeyList": "1_2_3"}, 90001),
    ({"ramble_missing_code": 20018}, HIDE, {"MsgKeyList": ["9_2_3"]}, 20018),
    ({"ramble_missing_code": 0}, HIDE, {"MsgKeyList": ["9_2_3"]}, 0),
    ({"roaming_days": 7}, HIDE, {}, 20022),
    ({"bulk_unknown_sender_code": 90048}, BATCH, {"From_Account": "nobody"}, 90048),
    ({"bulk_unknown_sender_code": 90048}, IMPORT, {"From_Account": "nobody"}, 90048),
    ({"unknown_recipient_code": 90048}, IMPORT, {"To_Account": "nobody"}, 90048),
    ({"batch_nobody_code": 70107}, BATCH, {"To_Account": ["nobody"]}, 70107),
    ({"lifetime_over_limit": "cut"}, BATCH, {"MsgLifeTime": 604_801}, 0),
    ({"import_sync_values": "1_2"}, IMPORT, {"SyncFromOldSystem": 1}, 0),
    ({"import_sync_values": "1_2"}, IMPORT, {"SyncFromOldSystem": 5}, 90030),
    ({"import_sync_values": "1_2_5"}, IMPORT, {"SyncFromOldSystem": 1}, 0),
    ({"import_sync_values": "1_2_5"}, IMPORT, {"SyncFromOldSystem": 5}, 0),
    ({"import_future_code": 90030}, IMPORT, {"MsgTimeStamp": 4294967295}, 90030),
    ({"import_future_code": 0}, IMPORT, {"MsgTimeStamp": 4294967295}, 0),
]


@pytest.mark.parametrize(("reading", "command", "change", "code"), OTHER_READINGS)
def test_another_reading(emulator, emulator_call, reading, command, change, code):
    emulator.assume(reading)
    assert emulator_call(command, {**GOOD[command], **change})["ErrorCode"] == code


# --- admin_msgwithdraw


def test_a_recalled_message_stays_on_both_sides_with_its_mark(emulator, emulator_call):
    assert emulator_call(WITHDRAW, GOOD[WITHDRAW]) == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
    assert emulator_call(WITHDRAW, GOOD[WITHDRAW])["ErrorCode"] == 20023
    for sides in (("a", "b"), ("b", "a")):
        flags = {item["MsgKey"]: item["MsgFlagBits"] for item in read(emulator_call, *sides)}
        assert flags == {"1_2_3": 8, "2_2_3": 8}
    assert emulator_call(MODIFY, {**GOOD[WITHDRAW], "MsgBody": TEXT})["ErrorCode"] == 20023


# --- delete_c2c_msg_ramble


@pytest.mark.parametrize(("operator", "peer"), [("a", "b"), ("b", "a")])
def test_a_message_is_hidden_from_the_operator_alone(emulator, emulator_call, operator, peer):
    emulator.add_c2c_message("b", "a", {"MsgBody": "back", "MsgSeq": 5, "MsgRandom": 2, "MsgTimeStamp": 5})
    request = {"Operator_Account": operator, "Peer_Account": peer, "MsgKeyList": ["1_2_3", "5_2_5"]}
    for _ in range(2):  # the second time nothing is left to hide
        assert emulator_call(HIDE, request)["ErrorCode"] == 0
        assert keys(emulator_call, operator, peer) == ["2_2_3"]
        assert keys(emulator_call, peer, operator) == ["1_2_3", "2_2_3", "5_2_5"]
    hidden = {item["MsgKey"]: item["hidden_from"] for item in emulator.state()["c2c"][0]["messages"]}
    assert hidden == {"1_2_3": [operator], "2_2_3": [], "3_2_3": [], "5_2_5": [operator]}


def test_a_message_can_be_hidden_from_both_sides_and_still_be_recalled(emulator, emulator_call):
    for operator, peer in (("a", "b"), ("b", "a")):
        request = {"Operator_Account": operator, "Peer_Account": peer, "MsgKeyList": ["1_2_3"]}
        assert emulator_call(HIDE, request)["ErrorCode"] == 0
    assert keys(emulator_call) == keys(emulator_call, "b", "a") == ["2_2_3"]
    assert emulator.state()["c2c"][0]["messages"][0]["hidden_from"] == ["a", "b"]
    assert emulator_call(WITHDRAW, GOOD[WITHDRAW])["ErrorCode"] == 0


def test_a_key_that_both_sides_used_hides_both_messages(emulator, emulator_call):
    emulator.add_c2c_message("b", "a", {"MsgBody": "x", "MsgSeq": 1, "MsgRandom": 2, "MsgTimeStamp": 3})
    assert keys(emulator_call) == ["1_2_3", "1_2_3", "2_2_3"]
    assert emulator_call(HIDE, GOOD[HIDE])["ErrorCode"] == 0
    assert keys(emulator_call) == ["2_2_3"]


def test_a_missing_key_is_passed_over_where_that_is_assumed(emulator, emulator_call):
    emulator.assume({"ramble_missing_code": 0})
    assert emulator_call(HIDE, {**GOOD[HIDE], "MsgKeyList": ["9_2_3", "3_2_3", "1_2_3"]})["ErrorCode"] == 0
    assert keys(emulator_call) == ["2_2_3"]


# --- batchsendmsg


def test_a_message_to_many_has_one_key_in_every_conversation(emulator, emulator_call):
    emulator.add_accounts("c")
    sending = {**GOOD[BATCH], "To_Account": ["b", "c", "b"], "From_Account": "a", "MsgSeq": 9, "CloudCustomData": "x"}
    answer = emulator_call(BATCH, sending)
    assert abs(answer["MsgTime"] - time.time()) < 3
    assert answer == {
        "ActionStatus": "OK",
        "ErrorInfo": "",
        "ErrorCode": 0,
        "MsgTime": answer["MsgTime"],
        "MsgKey": f"9_7_{answer['MsgTime']}",
    }
    for peer in ("b", "c"):
        newest = read(emulator_call, "a", peer)[-1]
        assert (newest["From_Account"], newest["To_Account"], newest["MsgKey"]) == ("a", peer, answer["MsgKey"])
        assert (newest["MsgBody"], newest["CloudCustomData"], newest["MsgFlagBits"]) == (TEXT, "x", 0)
    assert len(keys(emulator_call)) == 3  # the recipient that was named twice got it once


def test_who_does_not_exist_is_left_out_and_named(emulator, emulator_call):
    answer = emulator_call(BATCH, {**GOOD[BATCH], "To_Account": ["nobody", "a", "noone"], "From_Account": "b"})
    assert (answer["ActionStatus"], answer["ErrorCode"]) == ("SomeError", 0)
    assert answer["ErrorList"] == [
        {"To_Account": "nobody", "ErrorCode": 70107},
        {"To_Account": "noone", "ErrorCode": 70107},
    ]
    assert keys(emulator_call, "a", "b")[-1] == answer["MsgKey"]
    assert len(emulator.state()["c2c"]) == 1


def test_a_repeated_batch_is_sent_once_and_reaches_who_was_missing(emulator, emulator_call):
    first = emulator_call(BATCH, {**GOOD[BATCH], "To_Account": ["a", "c"], "From_Account": "b"})
    assert first["ActionStatus"] == "SomeError"
    emulator.add_accounts("c")
    emulator.advance(10)
    second = emulator_call(BATCH, {**GOOD[BATCH], "To_Account": ["c", "a"], "From_Account": "b"})
    assert (second["MsgKey"], second["MsgTime"]) == (first["MsgKey"], first["MsgTime"])
    assert keys(emulator_call, "a", "b").count(first["MsgKey"]) == 1
    assert keys(emulator_call, "c", "b") == [first["MsgKey"]]
    emulator.advance(301)
    third = emulator_call(BATCH, {**GOOD[BATCH], "To_Account": ["a"], "From_Account": "b"})
    assert third["MsgKey"] != first["MsgKey"]


@pytest.mark.parametrize("command", [SENDMSG, BATCH])
def test_what_is_not_synchronised_is_missing_on_the_senders_side(emulator, emulator_call, command):
    recipients = ["a"] if command == BATCH else "a"
    sending = {**GOOD[BATCH], "To_Account": recipients, "From_Account": "c", "SyncOtherMachine": 2}
    emulator.add_accounts("c")
    key = emulator_call(command, sending)["MsgKey"]
    assert (keys(emulator_call, "c", "a"), keys(emulator_call, "a", "c")) == ([], [key])
    (conversation,) = (found for found in emulator.state()["c2c"] if "c" in found["accounts"])
    assert conversation["messages"][0]["hidden_from"] == ["c"]


def test_a_batch_for_who_is_online_is_not_stored(emulator, emulator_call):
    before = emulator.state()
    assert emulator_call(BATCH, {**GOOD[BATCH], "MsgLifeTime": 0})["MsgKey"]
    assert emulator.state() == before
    assert emulator_call(BATCH, {**GOOD[BATCH], "MsgLifeTime": 1, "MsgRandom": 8})["ErrorCode"] == 0
    assert emulator.state() != before


def test_twelve_thousand_messages_a_minute_are_the_limit(emulator, emulator_call):
    emulator.add_accounts(*(f"user{number}" for number in range(500)))
    sending = {"To_Account": [f"user{number}" for number in range(500)], "MsgBody": TEXT, "MsgLifeTime": 0}
    codes = [emulator_call(BATCH, {**sending, "MsgRandom": number})["ErrorCode"] for number in range(25)]
    assert codes == [0] * 24 + [60007]
    one = {**sending, "To_Account": ["a"], "MsgRandom": 99}
    assert emulator_call(BATCH, one)["ErrorCode"] == 60007
    emulator.assume({"batch_rate_code": 60018})
    assert emulator_call(BATCH, one)["ErrorCode"] == 60018
    emulator.advance(55)
    assert emulator_call(BATCH, one)["ErrorCode"] == 60018
    emulator.advance(5)
    assert emulator_call(BATCH, one)["ErrorCode"] == 0
    assert emulator_call(BATCH, {**sending, "MsgRandom": 100})["ErrorCode"] == 0
    emulator.advance(-60)  # the clock was moved back: that minute has not been yet
    emulator.assume({"batch_messages_per_minute": 499})
    assert emulator_call(BATCH, {**sending, "MsgRandom": 101})["ErrorCode"] == 60018
    emulator.assume({"batch_messages_per_minute": 500})
    assert emulator_call(BATCH, {**sending, "MsgRandom": 102})["ErrorCode"] == 0
    emulator.assume({"batch_messages_per_minute": 0})
    assert emulator_call(BATCH, {**sending, "MsgRandom": 103})["ErrorCode"] == 0


# --- importmsg


def test_an_imported_message_has_the_key_that_its_numbers_make(emulator, emulator_call):
    answer = emulator_call(IMPORT, {**GOOD[IMPORT], "CloudCustomData": "x"})
    assert answer == {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
    imported = read(emulator_call)[-1]
    assert imported["MsgKey"] == "7_8_9"
    assert (imported["From_Account"], imported["To_Account"], imported["MsgBody"]) == ("a", "b", TEXT)
    assert (imported["MsgTimeStamp"], imported["CloudCustomData"]) == (9, "x")
    assert emulator_call(WITHDRAW, {**GOOD[WITHDRAW], "MsgKey": "7_8_9"})["ErrorCode"] == 0


DOUBLES = [
    ({}, 1),
    ({"MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "other"}}]}, 1),
    ({"From_Account": "b", "To_Account": "a"}, 1),
    ({"MsgSeq": 70}, 2),
    ({"MsgRandom": 80}, 2),
    ({"MsgTimeStamp": 90}, 2),
    ({"From_Account": "c"}, 2),
]


@pytest.mark.parametrize(("change", "stored"), DOUBLES)
def test_the_first_of_the_same_three_numbers_wins_in_a_conversation(emulator, emulator_call, change, stored):
    emulator.add_accounts("c")
    for fields in (GOOD[IMPORT], {**GOOD[IMPORT], **change}):
        assert emulator_call(IMPORT, fields)["ErrorCode"] == 0
    found = [item for conversation in emulator.state()["c2c"] for item in conversation["messages"]]
    assert len(found) == 3 + stored
    assert read(emulator_call)[2]["MsgBody"] == TEXT


def test_without_a_seq_a_repeat_is_imported_again(emulator_call):
    request = {name: value for name, value in GOOD[IMPORT].items() if name != "MsgSeq"}
    for _ in range(2):
        assert emulator_call(IMPORT, request)["ErrorCode"] == 0
    assert len(keys(emulator_call)) == 4
