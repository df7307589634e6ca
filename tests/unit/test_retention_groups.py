"""What get_group_info tells of groups, and which of its errors are about one of them."""

from __future__ import annotations

import pytest
from retention_rooms import BEGIN, INFO, Rooms

from airflow_provider_tencentim.client.errors import (
    TencentIMAuthError,
    TencentIMError,
    TencentIMPermissionError,
    TencentIMTransientError,
    error_for,
)
from airflow_provider_tencentim.client.seqs import LAST_SEQ
from airflow_provider_tencentim.retention.groups import GroupFacts, look_up, reason_of, why_missing
from airflow_provider_tencentim.retention.history import LATEST


def facts(**info):
    return GroupFacts.of({"GroupId": "room", "ErrorCode": 0, **info})


def test_facts_are_what_the_profile_says():
    told = facts(Type="Public", CreateTime=BEGIN, NextMsgSeq=8, LastMsgTime=BEGIN + 9)

    assert told == GroupFacts("room", "Public", BEGIN, 7, BEGIN + 9)


@pytest.mark.parametrize(
    ("given", "stored"), [("Work", "Private"), ("Meeting", "ChatRoom"), ("ChatRoom", "ChatRoom"), ("New", "New")]
)
def test_newer_names_of_types_are_those_of_the_older_ones(given, stored):
    assert facts(Type=given).type == stored


@pytest.mark.parametrize("value", [None, 0, -1, "5", 5.0, True, [5]])
def test_what_is_no_number_is_not_known(value):
    told = facts(CreateTime=value, NextMsgSeq=value, LastMsgTime=value)

    assert (told.created, told.newest, told.last_time) == (None, None, None)
    assert (facts().created, facts().newest, facts().last_time) == (None, None, None)


def test_numbers_are_known_up_to_the_last_that_there_can_be():
    least = facts(CreateTime=1, NextMsgSeq=1, LastMsgTime=1)
    most = facts(CreateTime=LATEST, NextMsgSeq=LAST_SEQ + 1, LastMsgTime=LATEST)
    beyond = facts(CreateTime=LATEST + 1, NextMsgSeq=LAST_SEQ + 2, LastMsgTime=LATEST + 1)

    assert (least.created, least.newest, least.last_time) == (1, 0, 1)
    assert (most.created, most.newest, most.last_time) == (LATEST, LAST_SEQ, LATEST)
    assert (beyond.created, beyond.newest, beyond.last_time) == (None, None, None)


def test_all_are_looked_up_in_one_call_and_those_that_are_not_there_say_so():
    rooms = Rooms()
    rooms.add("a")
    rooms.add("b")
    rooms.fail(INFO, "b", 10007)

    found = look_up(rooms, ["a", "b", "gone"])
    assert {group: why_missing(info) for group, info in found.items()} == {
        "a": None,
        "b": "error_10007",
        "gone": "not_found",
    }
    assert [body["GroupIdList"] for _, body in rooms.sent] == [["a", "b", "gone"]]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (10002, TencentIMTransientError),
        (70009, TencentIMAuthError),
        (60016, TencentIMPermissionError),
        (123456, TencentIMError),
    ],
    ids=["transient", "of the signature", "of the app", "unknown"],
)
def test_an_error_that_says_nothing_of_the_group_itself_is_raised_with_what_was_told(code, error):
    rooms = Rooms()
    rooms.add("a")
    rooms.add("b")
    rooms.fail(INFO, "b", code)

    with pytest.raises(error) as raised:
        look_up(rooms, ["a", "b"])
    assert (raised.value.command, raised.value.code, raised.value.info) == (INFO, code, "told")
    rooms.infos["b"] = {"GroupId": "b", "ErrorCode": code}
    rooms.errors.clear()
    with pytest.raises(error) as raised:
        look_up(rooms, ["a", "b"])
    assert raised.value.info == ""


@pytest.mark.parametrize(("code", "reason"), [(10010, "not_found"), (10015, "not_found"), (10007, "error_10007")])
def test_the_reason_to_skip_a_group_is_its_absence_or_the_code(code, reason):
    assert reason_of(error_for(INFO, code, "told")) == reason
