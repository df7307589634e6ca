"""Faults as a client on a plain socket sees them, before and after the call was carried out."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
import requests

from airflow_provider_tencentim.emulator import TencentIMEmulator

ROOM = "@TGS#1HYEP2SHC"
MODIFY = "openim/modify_group_msg"
SUCCEED = {"ActionStatus": "OK", "ErrorInfo": "succeed", "ErrorCode": 0}


@pytest.fixture
def raw_call(emulator: TencentIMEmulator, emulator_usersig: str) -> Callable[..., bytes]:
    """Send one modify_group_msg over a new connection and return every byte that comes before it ends."""
    emulator.add_group(ROOM, messages=1)

    def call(group: str = ROOM, keep_alive: bool = False) -> bytes:
        query = urlencode({"sdkappid": emulator.sdkappid, "identifier": "administrator", "usersig": emulator_usersig})
        body = json.dumps({"GroupId": group, "MsgSeq": 1, "CloudCustomData": "new"}).encode()
        head = f"POST /v4/{MODIFY}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        head += "\r\n" if keep_alive else "Connection: close\r\n\r\n"
        with socket.create_connection((emulator.host, emulator.port), timeout=5) as connection:
            connection.sendall(head.encode() + body)
            received = b""
            try:
                while part := connection.recv(65536):
                    received += part
            except ConnectionResetError:
                pass
        return received

    return call


def body_of(received: bytes) -> bytes:
    return received.split(b"\r\n\r\n", 1)[1]


def is_modified(emulator: TencentIMEmulator) -> bool:
    return emulator.state(ROOM)["groups"][ROOM]["messages"][0]["modified"]


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
class TestEachKind:
    """Each kind of fault, with the call not carried out, or carried out and the answer lost."""

    def test_drop_sends_no_byte(self, emulator, raw_call, after_commit):
        emulator.add_fault(drop=True, after_commit=after_commit)
        assert raw_call(keep_alive=True) == b""
        assert is_modified(emulator) is after_commit

    def test_error_code_answers_it(self, emulator, raw_call, after_commit):
        emulator.add_fault(error_code=20028, after_commit=after_commit)
        answer = json.loads(body_of(raw_call()))
        assert (answer["ErrorCode"], answer["ActionStatus"]) == (20028, "FAIL")
        assert answer["ErrorInfo"]
        assert emulator.stats()["errors"] == {MODIFY: {20028: 1}}
        assert is_modified(emulator) is after_commit

    def test_error_info_can_be_given(self, emulator, raw_call, after_commit):
        emulator.add_fault(error_code=20028, error_info="as I say", after_commit=after_commit)
        assert json.loads(body_of(raw_call()))["ErrorInfo"] == "as I say"

    @pytest.mark.parametrize("status", [204, 302, 429, 502, 503])
    def test_http_status_answers_no_json(self, emulator, raw_call, after_commit, status):
        emulator.add_fault(http_status=status, after_commit=after_commit)
        received = raw_call()
        assert received.startswith(f"HTTP/1.1 {status} ".encode())
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(body_of(received))
        assert bool(body_of(received)) is (status != 204)
        assert is_modified(emulator) is after_commit

    def test_a_malformed_body_is_no_json(self, emulator, raw_call, after_commit):
        emulator.add_fault(body="malformed", after_commit=after_commit)
        received = raw_call()
        assert received.startswith(b"HTTP/1.1 200 ")
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(body_of(received))
        assert is_modified(emulator) is after_commit

    def test_an_empty_body_is_empty(self, emulator, raw_call, after_commit):
        emulator.add_fault(body="empty", after_commit=after_commit)
        received = raw_call()
        assert received.startswith(b"HTTP/1.1 200 ")
        assert body_of(received) == b""
        assert is_modified(emulator) is after_commit

    def test_a_truncated_body_is_shorter_than_announced(self, emulator, raw_call, after_commit):
        emulator.add_fault(body="truncated", after_commit=after_commit)
        head, body = raw_call(keep_alive=True).split(b"\r\n\r\n", 1)
        announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert 0 < len(body) < announced
        assert is_modified(emulator) is after_commit

    def test_a_delay_alone_lets_the_call_proceed(self, emulator, raw_call, after_commit):
        emulator.add_fault(delay_ms=150, after_commit=after_commit)
        begin = time.monotonic()
        assert json.loads(body_of(raw_call())) == SUCCEED
        assert time.monotonic() - begin > 0.14
        assert is_modified(emulator)

    def test_a_delay_goes_with_any_action(self, emulator, raw_call, after_commit):
        emulator.add_fault(delay_ms=150, error_code=60008, after_commit=after_commit)
        begin = time.monotonic()
        assert json.loads(body_of(raw_call()))["ErrorCode"] == 60008
        assert time.monotonic() - begin > 0.14
        assert is_modified(emulator) is after_commit


def code(received: bytes) -> int:
    return json.loads(body_of(received))["ErrorCode"]


def test_a_rule_strikes_as_often_as_it_says(emulator, raw_call):
    emulator.add_fault(error_code=60008, times=2)
    assert [code(raw_call()) for _ in range(4)] == [60008, 60008, 0, 0]
    assert emulator.faults()[0]["times"] == 0


def test_only_the_answers_that_were_given_count_as_errors(emulator, raw_call):
    emulator.add_fault(http_status=502, times=1)
    raw_call()
    raw_call()
    assert emulator.stats()["errors"] == {}


def test_a_rule_strikes_only_its_command_and_group(emulator, raw_call):
    emulator.add_group("other", messages=1)
    emulator.add_fault(command="openim/modify_c2c_msg", error_code=60008)
    emulator.add_fault(command=MODIFY, group="other", error_code=60014)
    assert [code(raw_call()), code(raw_call("other"))] == [0, 60014]


def test_a_group_is_found_in_a_list_of_groups_too(emulator, emulator_call):
    emulator.add_fault(group="b", error_code=60014)
    info = "group_open_http_svc/get_group_info"
    codes = [emulator_call(info, {"GroupIdList": ids})["ErrorCode"] for ids in (["a"], ["a", "b"])]
    assert codes == [0, 60014]
    assert emulator_call(info, b"no json")["ErrorCode"] == 10011


def test_the_first_rule_that_strikes_wins(emulator, raw_call):
    emulator.add_fault(error_code=60008, times=1)
    emulator.add_fault(error_code=60014, times=1)
    assert [code(raw_call()) for _ in range(3)] == [60008, 60014, 0]


def test_a_probability_is_reproducible(emulator, raw_call):
    series = []
    for _ in range(2):
        emulator.clear_faults()
        emulator.add_fault(error_code=60008, probability=0.5, seed=7)
        series.append([code(raw_call()) for _ in range(30)])
    assert series[0] == series[1]
    assert 5 < series[0].count(60008) < 25


def test_a_call_that_was_eaten_is_counted_and_remembered(emulator, raw_call):
    fault = emulator.add_fault(drop=True, times=1)
    raw_call()
    raw_call()
    assert emulator.stats()["calls"] == {MODIFY: 2}
    assert [(entry["fault"], entry["ErrorCode"]) for entry in emulator.requests()] == [
        (fault, None),
        (None, 0),
    ]


def test_rules_are_added_listed_and_removed_over_http(emulator):
    url = emulator.url + "/_emulator/faults"
    rules = [{"error_code": 60008, "times": 3}, {"drop": True}]
    ids = [requests.post(url, json=rule, timeout=5).json()["id"] for rule in rules]
    listed = requests.get(url, timeout=5).json()["faults"]
    assert [(rule["id"], rule.get("error_code"), rule["drop"]) for rule in listed] == [
        (ids[0], 60008, False),
        (ids[1], None, True),
    ]
    requests.delete(url, params={"id": ids[0]}, timeout=5)
    assert [rule["id"] for rule in emulator.faults()] == ids[1:]
    requests.delete(url, timeout=5)
    assert emulator.faults() == []


MALFORMED = [
    ({}, "exactly one of"),
    ({"times": 1}, "exactly one of"),
    ({"drop": False}, "exactly one of"),
    ({"delay_ms": 0}, "exactly one of"),
    ({"drop": True, "error_code": 1}, "exactly one of"),
    ({"body": "empty", "http_status": 500}, "exactly one of"),
    ({"drop": 1}, "drop must be"),
    ({"error_code": "60008"}, "error_code must be"),
    ({"error_code": True}, "error_code must be"),
    ({"error_code": 0}, "error_code must not be 0"),
    ({"error_info": "x", "drop": True}, "error_info goes with"),
    ({"http_status": 199}, "http_status must be"),
    ({"http_status": 600}, "http_status must be"),
    ({"body": "long"}, "body must be"),
    ({"delay_ms": -1, "drop": True}, "delay_ms must"),
    ({"drop": True, "times": 0}, "times must"),
    ({"drop": True, "probability": 0}, "probability must"),
    ({"drop": True, "probability": 1.5}, "probability must"),
    ({"drop": True, "command": "modify_group_msg"}, "command must"),
    ({"drop": True, "grup": "x"}, "unknown field 'grup'"),
    ({"drop": True, "id": 3}, "unknown field 'id'"),
    ([], "JSON object"),
    ("drop", "JSON object"),
]


@pytest.mark.parametrize(("rule", "complaint"), MALFORMED)
def test_a_malformed_rule_is_refused_and_the_answer_says_why(emulator, rule, complaint):
    response = requests.post(emulator.url + "/_emulator/faults", json=rule, timeout=5)
    assert response.status_code == 400
    assert complaint in response.json()["error"]
    assert emulator.faults() == []
