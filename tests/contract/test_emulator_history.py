"""The hourly message files: when they are there, what is in them, and how they are read."""

from __future__ import annotations

import calendar
import gzip
import hashlib
import io
import json
import re
import socket
import time
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from refusal_rows import ABSENT, NOT_TEXT, assert_refused, describe, wrong_types

from airflow_provider_tencentim.client.history_file import read_history_file
from airflow_provider_tencentim.emulator import TencentIMEmulator

TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
HISTORY = "open_msg_svc/get_history"
DOWNLOAD = "msg_history/download"
BEIJING = 8 * 3600

# An hour of the emulator's past, in Beijing: the clock is moved, so that its file is ready and still kept.
HOUR = "2024031511"
START = 1_710_471_600
GOOD = {HISTORY: {"ChatType": "Group", "MsgTime": HOUR}}


@pytest.fixture(autouse=True)
def _world(emulator):
    """An hour's messages, and some before and after it; now is almost three hours after it began."""
    set_clock(emulator, START + 3 * 3600 - 60)
    times = [START - 1, START, START + 1800, START + 3599, START + 3600]
    emulator.add_group("room", messages=[{"MsgBody": f"text {at - START}", "MsgTimeStamp": at} for at in times])
    for at in times:
        emulator.add_c2c_message("a", "b", {"MsgBody": f"letter {at - START}", "MsgTimeStamp": at, "MsgRandom": 5})


def set_clock(emulator: TencentIMEmulator, at: float) -> None:
    emulator.advance(at - emulator.now())


def test_the_hour_of_these_tests_is_what_it_is_called():
    assert time.strftime("%Y%m%d%H", time.gmtime(START + BEIJING)) == HOUR


def files(call: Any, chat_type: str = "Group", **fields: Any) -> list[dict[str, Any]]:
    answer = call(HISTORY, {"ChatType": chat_type, "MsgTime": HOUR, **fields})
    assert (answer["ErrorCode"], answer["ActionStatus"]) == (0, "OK")
    return answer["File"]


def fetch(url: str) -> bytes:
    response = requests.get(url, timeout=5)
    assert response.status_code == 200
    return response.content


def messages(call: Any, chat_type: str = "Group", **fields: Any) -> list[dict[str, Any]]:
    """The messages of an hour, from all its files."""
    found = []
    for file in files(call, chat_type, **fields):
        found += [message for _, message in read_history_file(io.BytesIO(fetch(file["URL"])))]
    return found


REFUSALS = [
    (HISTORY, {"ChatType": ABSENT}, 1002),
    (HISTORY, {"MsgTime": ABSENT}, 1002),
    *wrong_types(HISTORY, "ChatType", 1002, *NOT_TEXT, "", "group", "c2c"),
    *wrong_types(HISTORY, "MsgTime", 1002, *NOT_TEXT, 2024031511, "", "20240315", "202403151100", " 024031511"),
    *((HISTORY, {"MsgTime": hour}, 1002) for hour in ("2024031524", "2024023011", "2024131511", "０024031511")),
    (HISTORY, {"MsgTime": "2024031512"}, 1004),  # over, and not ready yet
    (HISTORY, {"MsgTime": "2024031513"}, 1004),  # not over
    (HISTORY, {"MsgTime": "2100010100"}, 1004),
    (HISTORY, {"MsgTime": "2024031509"}, 1004),  # nothing was sent
    (HISTORY, {"MsgTime": "2024030813"}, 1004),
    (HISTORY, {"MsgTime": "2024030812"}, 1005),
    (HISTORY, {"MsgTime": "2015120121"}, 1005),
    (HISTORY, {"MsgTime": "0001010100"}, 1005),
]


@pytest.mark.parametrize(("command", "change", "code"), REFUSALS, ids=[describe(row) for row in REFUSALS])
def test_a_command_refuses(emulator, emulator_call, command, change, code):
    assert_refused(emulator, emulator_call, command, {**GOOD[command], **change}, code)


def test_a_body_that_is_no_json_has_its_own_code(emulator, emulator_call):
    assert emulator_call(HISTORY, b"{")["ErrorCode"] == 1001
    emulator.assume({"history_json_code": 1002})
    assert emulator_call(HISTORY, b"{")["ErrorCode"] == 1002


def test_ten_calls_a_second_are_the_limit(emulator_call):
    codes = [emulator_call(HISTORY, GOOD[HISTORY])["ErrorCode"] for _ in range(11)]
    assert codes == [0] * 10 + [60007]


# --- when


@pytest.mark.parametrize(
    ("reading", "since", "until"),
    [
        ({}, START + 7200, START + 3600 + 7 * 86_400),
        ({"history_ready_seconds": 0}, START + 3600, START + 3600 + 7 * 86_400),
        ({"history_days": 1}, START + 7200, START + 3600 + 86_400),
    ],
)
def test_a_file_is_ready_an_hour_after_its_hour_and_kept_for_a_week(emulator, emulator_call, reading, since, until):
    emulator.assume({**reading, "extra_calls_per_second": 100})
    for at, code in ((since - 5, 1004), (since + 1, 0), (until - 60, 0), (until + 1, 1005)):
        set_clock(emulator, at)
        assert emulator_call(HISTORY, GOOD[HISTORY])["ErrorCode"] == code


@pytest.mark.parametrize(("offset", "hour"), [(8, HOUR), (0, "2024031503"), (-5, "2024031422")])
def test_the_hour_is_one_of_beijing_unless_assumed_otherwise(emulator, emulator_call, offset, hour):
    emulator.assume({"history_utc_offset_hours": offset})
    (file,) = files(emulator_call, MsgTime=hour)
    expires = calendar.timegm(time.strptime(file["ExpireTime"], "%Y-%m-%d %H:%M:%S"))
    assert abs(expires - offset * 3600 - emulator.now() - 3600) < 10
    assert len(messages(emulator_call, MsgTime=hour)) == 3


# --- what


def test_a_file_is_what_its_sizes_and_checksums_say(emulator, emulator_call):
    (file,) = files(emulator_call)
    assert re.fullmatch(re.escape(emulator.url) + r"/msg_history/[0-9a-f]{32}\.gz", file["URL"])
    packed = fetch(file["URL"])
    plain = gzip.decompress(packed)
    assert (file["GzipSize"], file["FileSize"]) == (len(packed), len(plain))
    assert file["GzipMD5"] == hashlib.md5(packed, usedforsecurity=False).hexdigest()
    assert file["FileMD5"] == hashlib.md5(plain, usedforsecurity=False).hexdigest()
    assert sorted(file) == ["ExpireTime", "FileMD5", "FileSize", "GzipMD5", "GzipSize", "URL"]


def test_a_file_of_groups_is_laid_out_as_documented(emulator_call):
    (file,) = files(emulator_call)
    lines = gzip.decompress(fetch(file["URL"])).decode().split("\n")
    assert lines[0] == '{"SdkAppId":1400000000,"ChatType":"Group","MsgTime":"2024031511","MsgList":['
    assert lines[-2:] == ["]}", ""]
    assert all(line.endswith("},") for line in lines[1:-2])
    assert [json.loads(line[:-1]) for line in lines[1:-2]] == [
        {
            "From_Account": "administrator",
            "GroupId": "room",
            "MsgTimestamp": START + seconds,
            "MsgSeq": seq,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"text {seconds}"}}],
        }
        for seq, seconds in ((2, 0), (3, 1800), (4, 3599))
    ]


def test_a_file_of_conversations_has_both_accounts_and_the_random(emulator, emulator_call):
    emulator.add_c2c_message("b", "a", {"MsgBody": "back", "MsgTimeStamp": START + 9, "MsgSeq": 70})
    found = messages(emulator_call, "C2C")
    assert [message["MsgTimestamp"] - START for message in found] == [0, 9, 1800, 3599]
    assert found[0] == {
        "From_Account": "a",
        "To_Account": "b",
        "MsgTimestamp": START,
        "MsgSeq": 2,
        "MsgRandom": 5,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "letter 0"}}],
    }
    assert (found[1]["From_Account"], found[1]["To_Account"]) == ("b", "a")


def test_messages_of_all_groups_ascend(emulator, emulator_call):
    emulator.add_group("other", messages=[{"MsgBody": "x", "MsgTimeStamp": START + at} for at in (1, 1800, 3000)])
    emulator.add_group("first", messages=[{"MsgBody": "x", "MsgTimeStamp": START}])
    emulator.add_group("late", messages=[{"MsgBody": "x", "MsgTimeStamp": START + 3600}])
    found = [(message["MsgTimestamp"] - START, message["GroupId"]) for message in messages(emulator_call)]
    assert found[:2] == [(0, "first"), (0, "room")]
    assert found[2:] == [(1, "other"), (1800, "other"), (1800, "room"), (3000, "other"), (3599, "room")]


def test_the_log_keeps_what_was_overwritten_recalled_cleared_hidden_or_dissolved(emulator, emulator_call):
    before = messages(emulator_call), messages(emulator_call, "C2C")
    for command, body in (
        ("openim/modify_group_msg", {"GroupId": "room", "MsgSeq": 2, "MsgBody": TEXT}),
        ("openim/modify_group_msg", {"GroupId": "room", "MsgSeq": 2, "CloudCustomData": "twice"}),
        ("group_open_http_svc/group_msg_recall", {"GroupId": "room", "MsgSeqList": [{"MsgSeq": 3}]}),
        ("group_open_http_svc/clear_group_msg", {"GroupId": "room"}),
        ("openim/modify_c2c_msg", {**LETTER, "MsgBody": TEXT}),
        ("openim/admin_msgwithdraw", LETTER),
        ("recentcontact/delete", {"From_Account": "a", "Type": 1, "To_Account": "b", "ClearRamble": 1}),
    ):
        assert emulator_call(command, body)["ErrorCode"] == 0
    assert (messages(emulator_call), messages(emulator_call, "C2C")) == before
    assert emulator_call("group_open_http_svc/destroy_group", {"GroupId": "room"})["ErrorCode"] == 0
    emulator.assume({"roaming_days": 1})
    assert messages(emulator_call) == before[0]


LETTER = {"From_Account": "a", "To_Account": "b", "MsgKey": f"2_5_{START}"}


def test_the_history_as_it_is_now_can_be_assumed_instead(emulator, emulator_call):
    emulator.assume({"history_shows": "current", "history_custom_data": True, "extra_calls_per_second": 100})
    emulator_call(
        "openim/modify_group_msg", {"GroupId": "room", "MsgSeq": 2, "MsgBody": TEXT, "CloudCustomData": "new"}
    )
    emulator_call("group_open_http_svc/group_msg_recall", {"GroupId": "room", "MsgSeqList": [{"MsgSeq": 3}]})
    emulator_call("openim/admin_msgwithdraw", LETTER)
    first, second = messages(emulator_call)
    assert (first["MsgBody"], first["CloudCustomData"], second["MsgSeq"]) == (TEXT, "new", 4)
    assert [message["MsgSeq"] for message in messages(emulator_call, "C2C")] == [3, 4]
    emulator.assume({"history_shows": "sent"})
    assert messages(emulator_call)[0]["MsgBody"][0]["MsgContent"] == {"Text": "text 0"}
    assert "CloudCustomData" not in messages(emulator_call)[0]
    emulator.assume({"history_shows": "current"})
    emulator_call("group_open_http_svc/destroy_group", {"GroupId": "room"})
    assert emulator_call(HISTORY, GOOD[HISTORY])["ErrorCode"] == 1004


def test_custom_data_is_logged_only_where_that_is_assumed(emulator, emulator_call):
    emulator.add_group("more", messages=[{"MsgBody": "x", "CloudCustomData": "c", "MsgTimeStamp": START + 5}])
    assert all("CloudCustomData" not in message for message in messages(emulator_call))
    emulator.assume({"history_custom_data": True})
    assert [message.get("CloudCustomData") for message in messages(emulator_call)] == [None, "c", None, None]


def test_tips_expired_messages_and_avchatrooms_are_not_in_the_log(emulator, emulator_call):
    hidden = [
        {"MsgBody": {"OpType": 1}, "IsSystemMsg": 1, "MsgTimeStamp": START + 1},
        {"MsgBody": [], "state": "expired", "MsgTimeStamp": START + 2},
    ]
    emulator.add_group("other", messages=hidden)
    emulator.add_group("live", "AVChatRoom", messages=[{"MsgBody": "x", "MsgTimeStamp": START + 3}])
    assert {message["GroupId"] for message in messages(emulator_call)} == {"room"}


@pytest.mark.parametrize(
    ("reading", "where"),
    [
        ({}, [{"GroupId": "@TGS#_c"}, {"GroupId": "@TGS#_c@TOPIC#_1"}]),
        ({"history_topics": "both"}, [{"GroupId": "@TGS#_c"}, {"GroupId": "@TGS#_c", "TopicId": "@TGS#_c@TOPIC#_1"}]),
        ({"history_topics": "none"}, [{"GroupId": "@TGS#_c"}]),
    ],
)
def test_messages_of_topics(emulator, emulator_call, reading, where):
    item = {"MsgBody": "x", "MsgTimeStamp": START + 7}
    emulator.add_group("@TGS#_c", "Community", messages=[item], topics={"@TGS#_c@TOPIC#_1": [item]})
    emulator.assume(reading)
    found = [message for message in messages(emulator_call) if message["GroupId"] != "room"]
    assert [{name: message[name] for name in ("GroupId", "TopicId") if name in message} for message in found] == where


def test_an_hour_may_be_spread_over_several_files(emulator, emulator_call):
    emulator.assume({"history_messages_per_file": 2})
    offered = files(emulator_call)
    assert len({file["URL"] for file in offered}) == 2
    assert [message["MsgSeq"] for message in messages(emulator_call)] == [2, 3, 4]
    emulator.assume({"history_messages_per_file": 3})
    assert len(files(emulator_call)) == 1


def test_a_downloaded_file_can_be_loaded_into_another_emulator(emulator, emulator_call, tmp_path):
    topic = "@TGS#_c@TOPIC#_1"
    item = {"MsgBody": "x", "MsgTimeStamp": START + 7}
    emulator.add_group("@TGS#_c", "Community", messages=[item], topics={topic: [item, item]})
    copy = TencentIMEmulator()
    for chat_type in ("Group", "C2C"):
        (file,) = files(emulator_call, chat_type)
        (tmp_path / chat_type).write_bytes(fetch(file["URL"]))
        copy.load(tmp_path / chat_type)
    state = copy.state()
    assert [message["MsgSeq"] for message in state["groups"]["room"]["messages"]] == [2, 3, 4]
    assert len(state["groups"]["@TGS#_c"]["topics"][topic]["messages"]) == 2
    assert [message["MsgKey"] for message in state["c2c"][0]["messages"]] == [
        f"{seq}_5_{START + at}" for seq, at in ((2, 0), (3, 1800), (4, 3599))
    ]


# --- the address


def test_an_address_needs_no_signature_and_cannot_be_guessed(emulator, emulator_call):
    (file,) = files(emulator_call)
    assert files(emulator_call) == [file]  # the same as long as it holds
    (other,) = files(emulator_call, "C2C")
    assert other["URL"] != file["URL"]
    for _ in range(2):
        fetch(file["URL"])
    for path in ("/msg_history/" + "0" * 32 + ".gz", "/msg_history/", "/msg_history/x.gz"):
        answer = requests.get(emulator.url + path, timeout=5)
        assert answer.status_code == 404 or answer.json()["ErrorCode"] == 60002
    assert requests.post(file["URL"], timeout=5).json()["ErrorCode"] == 60002
    assert file["URL"].split("/")[-1] not in str(emulator.requests())
    assert emulator.stats()["calls"][DOWNLOAD] == 3
    assert emulator.stats()["errors"][DOWNLOAD] == {404: 1}


def test_an_address_expires_and_a_new_one_is_given(emulator, emulator_call):
    (file,) = files(emulator_call)
    emulator.advance(3599)
    assert files(emulator_call)[0]["URL"] == file["URL"]
    emulator.advance(60)
    assert requests.get(file["URL"], timeout=5).status_code == 404
    (new,) = files(emulator_call)
    assert new["URL"] != file["URL"]
    assert new["GzipMD5"] == file["GzipMD5"]
    emulator.assume({"history_url_seconds": 10_000})
    emulator.add_group("more", messages=[{"MsgBody": "x", "MsgTimeStamp": START + 5}])
    (newest,) = files(emulator_call)
    assert newest["URL"] != new["URL"]
    emulator.advance(9000)
    assert len(gzip.decompress(fetch(newest["URL"]))) == newest["FileSize"]
    emulator.reset()
    assert requests.get(newest["URL"], timeout=5).status_code == 404


def test_the_address_is_the_one_under_which_the_client_found_the_server(emulator, emulator_usersig):
    url = emulator.url.replace("127.0.0.1", "localhost")
    query = {"sdkappid": emulator.sdkappid, "identifier": emulator.identifier, "usersig": emulator_usersig}
    answer = requests.post(f"{url}/v4/{HISTORY}", params=query, json=GOOD[HISTORY], timeout=5).json()
    assert answer["File"][0]["URL"].startswith(f"{url}/msg_history/")


def test_without_a_host_the_address_is_the_servers_own(emulator, emulator_usersig):
    query = urlencode({"sdkappid": emulator.sdkappid, "identifier": emulator.identifier, "usersig": emulator_usersig})
    body = json.dumps(GOOD[HISTORY])
    head = f"POST /v4/{HISTORY}?{query} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((emulator.host, emulator.port), timeout=5) as connection:
        connection.sendall((head + body).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert f'"URL":"{emulator.url}/msg_history/'.encode() in received


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"http_status": 503}, 503),
        ({"delay_ms": 1}, 200),
        ({"drop": True}, requests.exceptions.ConnectionError),
        ({"body": "truncated"}, requests.exceptions.ChunkedEncodingError),
    ],
)
def test_a_download_can_be_made_to_fail(emulator, emulator_call, fault, outcome):
    (file,) = files(emulator_call)
    emulator.add_fault(command=DOWNLOAD, times=1, **fault)
    if isinstance(outcome, int):
        assert requests.get(file["URL"], timeout=5).status_code == outcome
    else:
        with pytest.raises(outcome):
            requests.get(file["URL"], timeout=5)
    assert requests.get(file["URL"], timeout=5).status_code == 200
