"""The server around the commands: HTTP, TLS, rate limits, control endpoints, start and stop, command line."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.emulator.control_api import is_loopback

APPINFO = "openconfigsvr/getappinfo"
INFO = "group_open_http_svc/get_group_info"


def query_of(emulator: TencentIMEmulator) -> str:
    usersig = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key).gen_sig(emulator.identifier)
    return urlencode({"sdkappid": emulator.sdkappid, "identifier": emulator.identifier, "usersig": usersig})


def post(emulator: TencentIMEmulator, path: str, body: Any = None) -> requests.Response:
    return requests.post(emulator.url + path, json=body, timeout=5)


# --- HTTP


def test_a_chunked_body_without_content_type_is_read(emulator):
    def parts() -> Iterator[bytes]:
        yield b'{"GroupIdList"'
        yield b': ["nowhere"]}'

    url = f"{emulator.url}/v4/{INFO}?{query_of(emulator)}"
    answer = requests.post(url, data=parts(), timeout=5)
    assert "Content-Type" not in answer.request.headers
    assert answer.json()["GroupInfo"][0]["ErrorCode"] == 10010


def test_the_answer_needs_no_content_type_and_keeps_the_connection(emulator):
    connection = http.client.HTTPConnection(emulator.host, emulator.port, timeout=5)
    for _ in range(2):
        connection.request("POST", f"/v4/{APPINFO}?{query_of(emulator)}", b"{}")
        response = connection.getresponse()
        assert response.getheader("Content-Type") is None
        assert int(response.getheader("Content-Length", 0)) == len(response.read())
    connection.close()
    emulator.assume({"answer_content_type": "application/json"})
    answer = requests.post(f"{emulator.url}/v4/{APPINFO}?{query_of(emulator)}", data=b"{}", timeout=5)
    assert answer.headers["Content-Type"] == "application/json"


def test_pipelined_requests_are_answered_in_order(emulator):
    emulator.add_group("room", messages=1)
    bodies = [json.dumps({"GroupIdList": [name]}).encode() for name in ("room", "nowhere", "room")]
    sent = b"".join(
        f"POST /v4/{INFO}?{query_of(emulator)} HTTP/1.1\r\nHost: x\r\n".encode()
        + (b"Connection: close\r\n" if last else b"")
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for body, last in zip(bodies, (False, False, True), strict=True)
    )
    with socket.create_connection((emulator.host, emulator.port), timeout=5) as connection:
        connection.sendall(sent)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb'"GroupId":"(\w+)"', received) == [b"room", b"nowhere", b"room"]


def test_a_request_that_its_client_abandoned_is_not_carried_out(emulator):
    emulator.add_group("room", messages=1)
    head = f"POST /v4/group_open_http_svc/destroy_group?{query_of(emulator)} HTTP/1.1\r\nHost: x\r\n"
    with socket.create_connection((emulator.host, emulator.port), timeout=5) as connection:
        connection.sendall(head.encode() + b'Content-Length: 50\r\n\r\n{"GroupId": "room"}')
        time.sleep(0.1)
    time.sleep(0.1)
    assert emulator.stats()["calls"] == {}
    assert "room" in emulator.state()["groups"]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Paths of a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "emulator")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(paths[0]), str(paths[1])


def test_tls_is_served_and_a_drop_still_drops(certificate):
    with TencentIMEmulator(tls=certificate) as emulator:
        url = f"{emulator.url}/v4/{APPINFO}?{query_of(emulator)}"
        assert url.startswith("https://127.0.0.1:")
        assert requests.post(url, data="{}", verify=certificate[0], timeout=5).json()["ErrorCode"] == 0
        with pytest.raises(requests.exceptions.SSLError):
            requests.post(url, data="{}", timeout=5)
        emulator.add_fault(drop=True)
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.post(url, data="{}", verify=certificate[0], timeout=5)


def test_a_bad_certificate_is_the_callers_exception():
    emulator = TencentIMEmulator(tls=("/nonexistent.pem", "/nonexistent.pem"))
    with pytest.raises(OSError, match="No such file"):
        emulator.__enter__()


# --- rate limits


def codes(call: Callable[..., dict[str, Any]], command: str, body: dict[str, Any], count: int) -> list[int]:
    return [call(command, body)["ErrorCode"] for _ in range(count)]


def test_the_two_hundred_and_first_call_within_a_second_is_refused(emulator, emulator_call):
    for _ in range(5):  # a busy machine may need more than a second for them
        emulator.reset()
        begin = time.monotonic()
        answered = codes(emulator_call, INFO, {"GroupIdList": ["x"]}, 201)
        if time.monotonic() - begin < 1:
            break
    assert answered == [0] * 200 + [60007]
    stats = emulator.stats()
    assert stats["calls"][INFO] == 201
    assert stats["peak_per_second"][INFO] == 201
    assert stats["errors"] == {INFO: {60007: 1}}
    assert codes(emulator_call, APPINFO, {}, 1) == [0]  # each command has its own limit


def test_a_hundred_and_ninety_calls_a_second_are_never_refused(emulator, emulator_call):
    begin, answered = time.monotonic(), []
    for number in range(247):  # 1.3 seconds
        time.sleep(max(0, begin + number / 190 - time.monotonic()))
        answered += codes(emulator_call, INFO, {"GroupIdList": ["x"]}, 1)
    assert answered == [0] * 247
    assert emulator.stats()["peak_per_second"][INFO] <= 200


@pytest.mark.parametrize(
    ("command", "body", "limit", "code"),
    [
        ("group_open_http_svc/get_appid_group_list", {}, 1, 10006),
        ("im_open_login_svc/account_check", {"CheckItem": [{"UserID": "x"}]}, 100, 60007),
        ("im_open_login_svc/multiaccount_import", {"Accounts": ["x"]}, 100, 60007),
    ],
)
def test_some_commands_have_a_lower_limit(emulator_call, command, body, limit, code):
    assert codes(emulator_call, command, body, limit + 1) == [0] * limit + [code]


def test_a_refused_call_uses_up_the_limit_only_if_assumed(emulator, emulator_call):
    command = "group_open_http_svc/get_appid_group_list"
    for counts, expected in ((False, 0), (True, 10006)):
        emulator.reset()
        emulator.assume({"rate_counts_refused": counts})
        assert codes(emulator_call, command, {}, 1) == [0]
        time.sleep(0.6)
        assert codes(emulator_call, command, {}, 1) == [10006]
        time.sleep(0.6)
        assert codes(emulator_call, command, {}, 1) == [expected]


def test_calls_that_did_not_get_past_the_signature_do_not_use_up_the_limit(emulator_call):
    assert {emulator_call(INFO, {"GroupIdList": ["x"]}, usersig="")["ErrorCode"] for _ in range(250)} == {70002}
    assert emulator_call(INFO, {"GroupIdList": ["x"]})["ErrorCode"] == 0


# --- control endpoints


def test_state_can_be_narrowed(emulator):
    for name in ("a", "b"):
        emulator.add_group(name, messages=2)
    url = emulator.url + "/_emulator/state"
    everything = requests.get(url, timeout=5).json()
    assert everything == json.loads(json.dumps(emulator.state()))
    assert len(everything["groups"]["a"]["messages"]) == 2
    narrowed = requests.get(url, params={"group": "a", "messages": 0}, timeout=5).json()
    assert list(narrowed["groups"]) == ["a"]
    assert "messages" not in narrowed["groups"]["a"]
    assert requests.get(url, params={"group": "c"}, timeout=5).json() == {"groups": {}}


def test_requests_are_remembered_without_the_signature(emulator, emulator_call, emulator_usersig):
    emulator_call(INFO, {"GroupIdList": ["x"]}, random=17)
    emulator_call(APPINFO, b"no json")
    url = emulator.url + "/_emulator/requests"
    first, second = requests.get(url, timeout=5).json()["requests"]
    assert abs(first.pop("time") - time.time()) < 5
    assert first == {
        "command": INFO,
        "body": {"GroupIdList": ["x"]},
        "ErrorCode": 0,
        "identifier": "administrator",
        "random": "17",
        "fault": None,
    }
    assert (second["body"], second["ErrorCode"]) == ("no json", 60003)
    assert len(requests.get(url, params={"command": APPINFO}, timeout=5).json()["requests"]) == 1
    for page in ("requests", "state", "stats", "faults"):
        assert emulator_usersig not in requests.get(f"{emulator.url}/_emulator/{page}", timeout=5).text


def test_only_the_last_thousand_requests_are_remembered(emulator, emulator_call):
    for _ in range(1005):
        emulator_call(APPINFO, {}, sdkappid=None)
    assert len(emulator.requests()) == 1000
    assert emulator.stats()["calls"] == {APPINFO: 1005}


def test_unknown_commands_share_one_name_in_the_statistics(emulator, emulator_call):
    for path in ("/", "/v4/openim/none", "/v4/none"):
        emulator_call("", {}, path=path)
    assert emulator.stats()["calls"] == {"(unknown)": 3}
    assert emulator.stats()["errors"] == {"(unknown)": {60002: 2, 60008: 1}}


def test_the_clock_can_be_moved_and_signatures_expired_over_http(emulator, emulator_call):
    before = emulator.now()
    assert post(emulator, "/_emulator/clock", {"advance": 1000}).json()["now"] >= before + 1000
    assert emulator_call(APPINFO, {})["ErrorCode"] == 0
    assert post(emulator, "/_emulator/clock", {"expire_signatures": True}).status_code == 200
    assert emulator_call(APPINFO, {})["ErrorCode"] == 70001
    fresh = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key).gen_sig("administrator")
    assert emulator_call(APPINFO, {}, usersig=fresh)["ErrorCode"] == 0


def test_assumptions_can_be_read_and_changed_over_http(emulator, emulator_call):
    changed = post(emulator, "/_emulator/assumptions", {"unknown_command_code": 60009}).json()
    assert changed == requests.get(emulator.url + "/_emulator/assumptions", timeout=5).json()
    assert emulator_call("openim/none", {})["ErrorCode"] == 60009
    post(emulator, "/_emulator/reset")
    assert emulator_call("openim/none", {})["ErrorCode"] == 60008


def test_reset_empties_everything_or_keeps_the_groups(emulator, emulator_call):
    emulator.add_group("room", messages=1)
    emulator.add_c2c_message("a", "b", "hello")
    for body, groups in (({"keep_groups": True}, {"room"}), ({}, set())):
        emulator_call(APPINFO, {})
        emulator.add_fault(error_code=60008)
        emulator.advance(1000)
        assert post(emulator, "/_emulator/reset", body).status_code == 200
        assert set(emulator.state()["groups"]) == groups
        assert (emulator.faults(), emulator.requests(), emulator.stats()["calls"]) == ([], [], {})
        assert abs(emulator.now() - time.time()) < 5
    assert emulator.state() == {"accounts": ["administrator"], "profiles": {}, "groups": {}, "c2c": []}


CONTROL_ERRORS = [
    ("GET", "/_emulator/nothing", None, 404),
    ("GET", "/_emulator/reset", None, 405),
    ("POST", "/_emulator/state", {}, 405),
    ("POST", "/_emulator/reset", {"keep_group": True}, 400),
    ("POST", "/_emulator/reset", {"keep_groups": 1}, 400),
    ("POST", "/_emulator/clock", {"advance": "1"}, 400),
    ("POST", "/_emulator/clock", {"expire_signatures": 1}, 400),
    ("POST", "/_emulator/clock", [], 400),
    ("POST", "/_emulator/clock", {"expire": True}, 400),
    ("POST", "/_emulator/assumptions", {"nonsense": 1}, 400),
    ("DELETE", "/_emulator/faults?id=99", None, 400),
    ("DELETE", "/_emulator/faults?id=x", None, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), CONTROL_ERRORS)
def test_a_wrong_control_request_gets_a_proper_status_and_a_reason(emulator, method, path, body, status):
    response = requests.request(method, emulator.url + path, json=body, timeout=5)
    assert response.status_code == status
    assert response.json()["error"]


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2001:db8::1", False),
    ],
)
def test_control_is_for_loopback_clients_only(client, allowed):
    assert is_loopback(client) is allowed


def test_a_client_from_elsewhere_is_shut_out_of_control(emulator, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.emulator.asgi.is_loopback", lambda host: False)
    response = requests.get(emulator.url + "/_emulator/state", timeout=5)
    assert response.status_code == 403
    assert "loopback" in response.json()["error"]


# --- start and stop


def test_nothing_is_left_behind_even_with_clients_that_hang():
    threads = threading.active_count()
    with TencentIMEmulator() as emulator:
        address = (emulator.host, emulator.port)
        idle, stuck = socket.create_connection(address), socket.create_connection(address)
        stuck.sendall(b"POST /v4/openim/sendmsg HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.1)
    assert threading.active_count() == threads
    for connection in (idle, stuck):
        connection.settimeout(1)
        assert connection.recv(1) == b""
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_port_that_is_taken_is_the_callers_exception(emulator):
    with pytest.raises(OSError, match="in use"):
        TencentIMEmulator(port=emulator.port).__enter__()


def test_the_connection_uri_names_everything(emulator):
    uri = urlsplit(emulator.connection_uri)
    assert (uri.scheme, uri.username, uri.query) == ("tencentim", "1400000000", "")
    assert uri.password == emulator.secret_key
    assert unquote(uri.netloc.split("@")[1]) == emulator.url
    other = TencentIMEmulator(secret_key="a/b@c:d", identifier="the boss")
    assert urlsplit(other.connection_uri).query == "admin_identifier=the+boss"
    assert unquote(urlsplit(other.connection_uri).password or "") == "a/b@c:d"


def test_programs_and_requests_may_work_at_the_same_time(emulator, emulator_call):
    errors: list[BaseException] = []

    def add() -> None:
        try:
            for number in range(100):
                emulator.add_group(f"group{number}", messages=5)
                emulator.state(messages=False)
        except BaseException as error:
            errors.append(error)

    adding = threading.Thread(target=add)
    adding.start()
    answers = [emulator_call(INFO, {"GroupIdList": ["group50"]})["ErrorCode"] for _ in range(150)]
    adding.join()
    assert errors == []
    assert set(answers) == {0}


def test_a_control_body_that_is_no_json_is_refused(emulator):
    response = requests.post(emulator.url + "/_emulator/reset", data=b"{", timeout=5)
    assert (response.status_code, response.json()) == (400, {"error": "the body is not JSON"})


def test_the_clock_does_not_leave_the_finite_numbers(emulator):
    for seconds in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match="finite"):
            emulator.advance(seconds)
    response = requests.post(emulator.url + "/_emulator/clock", data=b'{"advance": Infinity}', timeout=5)
    assert response.status_code == 400


def test_seeded_messages_are_distinct_and_their_times_ascend(emulator):
    group = emulator.add_group(messages=50)
    messages = emulator.state(group)["groups"][group]["messages"]
    assert len({message["MsgBody"][0]["MsgContent"]["Text"] for message in messages}) == 50
    times = [message["MsgTimeStamp"] for message in messages]
    assert times == sorted(set(times))
    assert emulator.add_group_message(group, "one more") == 51


@pytest.mark.parametrize(
    "arguments",
    [
        {"type": "public"},
        {"messages": [{"MsgBody": "x", "Sender": "y"}]},
        {"messages": [{"MsgBody": "x", "MsgSeq": 5}, {"MsgBody": "x", "MsgSeq": 5}]},
    ],
)
def test_a_group_cannot_be_put_in_place_wrongly(emulator, arguments):
    with pytest.raises(ValueError, match=r"type must|unknown field|MsgSeq 5 is taken"):
        emulator.add_group(**arguments)


# --- command line


def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_tencentim.emulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_serves_until_it_is_stopped(number):
    process = run("--generate", "3x10", "--assume", "unknown_command_code=60009", TENCENTIM_EMULATOR_SECRET_KEY="key")
    line = process.stdout.readline()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+ ready: 3 groups, 30 messages\n", line)
    emulator = TencentIMEmulator(secret_key="key")
    url = line.split()[0]
    answer = requests.post(f"{url}/v4/openim/none?{query_of(emulator)}", data="{}", timeout=5).json()
    assert answer["ErrorCode"] == 60009
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_listening_to_the_world_must_be_asked_for_and_is_warned_of():
    process = run("--host", "0.0.0.0", "--secret-key", "key")  # noqa: S104 - what is tested
    assert process.stdout.readline().startswith("http://0.0.0.0:")
    process.terminate()
    assert "warning: 0.0.0.0 can be reached" in process.communicate(timeout=10)[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "give --secret-key"),
        (["--secret-key", "k", "--generate", "ten"], "10x1000"),
        (["--secret-key", "k", "--assume", "nonsense"], "name=value"),
        (["--secret-key", "k", "--assume", "nonsense=1"], "unknown assumption"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(arguments, complaint):
    process = run(*arguments)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert complaint in err
