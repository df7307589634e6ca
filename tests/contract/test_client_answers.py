"""What the client makes of what comes back: how often it asks, and what it says when it gives up."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import pickle
import socket
import threading
import time
import traceback

import pytest
from scripted_server import HANG_UP, OK, SDKAPPID, SECRET_KEY, ScriptedServer, answer, late
from scripted_server import http as reply

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import (
    TencentIMAmbiguousError,
    TencentIMAuthError,
    TencentIMCancelledError,
    TencentIMError,
    TencentIMInvalidRequestError,
    TencentIMNotFoundError,
    TencentIMPartialError,
    TencentIMPermissionError,
    TencentIMRateLimitedError,
    TencentIMTransientError,
    TencentIMUnsupportedError,
    error_for,
    is_everywhere,
)
from airflow_provider_tencentim.client.pacing import ProcessPacer

MODIFY = "openim/modify_group_msg"
CLEAR = "group_open_http_svc/clear_group_msg"
CREATE = "group_open_http_svc/create_group"
HISTORY = "group_open_http_svc/group_msg_get_simple"

REPEATABLE_WRITE = (MODIFY, {"GroupId": "room", "MsgSeq": 1, "CloudCustomData": "x"})
OTHER_WRITE = (CREATE, {"Type": "Public", "Name": "room"})
READ = (HISTORY, {"GroupId": "room", "ReqMsgNumber": 20})


class RecordingPacer(ProcessPacer):
    """Counts the tries, also those that reach no server."""

    def __init__(self):
        super().__init__()
        self.reserved = []
        self.slowed_down = []

    def reserve(self, key, rate):
        self.reserved.append(key)
        return super().reserve(key, rate)

    def slow_down(self, key, seconds):
        self.slowed_down.append((key, seconds))
        super().slow_down(key, seconds)


@pytest.fixture
def impatient(monkeypatch):
    """No waits between tries, and none because of a rate-limit code."""
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


def outcome(client, command, body, **options):
    """What a call comes to: the answer, or the error."""
    try:
        return client.call(command, body, **options)
    except TencentIMError as error:
        return error


# --- one answer, judged ---

DONE, LOST = "done", "lost"

BIG = json.dumps({"ErrorCode": 0, "Text": "x" * (4 * 1024 * 1024)})

ANSWERS = {
    # The code alone decides, whatever stands around it.
    "succeed": (answer(0, "succeed"), DONE),
    "ok": (reply('{"ErrorCode": 0, "ErrorInfo": "ok"}'), DONE),
    "no ErrorInfo": (reply('{"ErrorCode": 0, "ActionStatus": "OK"}'), DONE),
    "ErrorInfo is no text": (reply('{"ErrorCode": 0, "ErrorInfo": {"a": [1]}}'), DONE),
    "ErrorInfo says failed": (answer(0, "internal error, please retry"), DONE),
    "ActionStatus SomeError": (reply('{"ErrorCode": 0, "ActionStatus": "SomeError"}'), DONE),
    "HTTP 500": (reply('{"ErrorCode": 0, "ActionStatus": "OK"}', "500 Internal Server Error"), DONE),
    "HTTP 404": (reply('{"ErrorCode": 0, "ActionStatus": "OK"}', "404 Not Found"), DONE),
    "declared as HTML": (reply('{"ErrorCode": 0}', Content_Type="text/html"), DONE),
    "declared in another charset": (reply('{"ErrorCode": 0}', Content_Type="application/json; charset=gbk"), DONE),
    "chunked": (
        reply(b'8\r\n{"ErrorC\r\n9;x=y\r\node": 0 }\r\n0\r\n\r\n', Content_Length=None, Transfer_Encoding="chunked"),
        DONE,
    ),
    "without a length": (reply('{"ErrorCode": 0}', Content_Length=None, Connection="close"), DONE),
    # What is odd inside must not hide the code.
    "invalid UTF-8 in a text": (reply(b'{"ErrorInfo": "\xff\xfe\xc3", "ErrorCode": 0}'), DONE),
    "control characters in a text": (reply(b'{"ErrorInfo": "\x00\x01\b\n", "ErrorCode": 0}'), DONE),
    "half a surrogate pair": (reply('{"ErrorInfo": "\\ud83d", "ErrorCode": 0}'), DONE),
    "byte order mark": (reply(b'\xef\xbb\xbf{"ErrorCode": 0}'), DONE),
    "space around": (reply('\r\n {"ErrorCode": 0}\n\n'), DONE),
    # Nothing here says what became of the call.
    "no ErrorCode": (reply('{"ActionStatus": "OK", "ErrorInfo": ""}'), LOST),
    "ErrorCode is text": (reply('{"ErrorCode": "0", "ActionStatus": "OK"}'), LOST),
    "ErrorCode is true": (reply('{"ErrorCode": true, "ActionStatus": "OK"}'), LOST),
    "ErrorCode is false": (reply('{"ErrorCode": false, "ActionStatus": "OK"}'), LOST),
    "ErrorCode is 0.0": (reply('{"ErrorCode": 0.0, "ActionStatus": "OK"}'), LOST),
    "ErrorCode is null": (reply('{"ErrorCode": null, "ActionStatus": "OK"}'), LOST),
    "ErrorCode is NaN": (reply('{"ErrorCode": NaN, "ActionStatus": "OK"}'), LOST),
    "ErrorCode in small letters": (reply('{"errorcode": 0, "ActionStatus": "OK"}'), LOST),
    "ErrorCode further in": (reply('{"Response": {"ErrorCode": 0}}'), LOST),
    "FAIL with ErrorCode 0": (reply('{"ErrorCode": 0, "ActionStatus": "FAIL"}'), LOST),
    "empty": (reply(""), LOST),
    "HTTP 204": (b"HTTP/1.1 204 No Content\r\n\r\n", LOST),
    "a list": (reply('[{"ErrorCode": 0}]'), LOST),
    "a number": (reply("0"), LOST),
    "two objects": (reply('{"ErrorCode": 0}{"ErrorCode": 0}'), LOST),
    "cut off, yet as long as it says": (reply('{"ActionStatus": "OK", "ErrorCode": 0'), LOST),
    "shorter than it says": (reply('{"ErrorCode": 0}', Content_Length=100, Connection="close"), LOST),
    "chunked and cut off": (
        reply(b'10\r\n{"ErrorCode": 0}\r\n', Content_Length=None, Transfer_Encoding="chunked", Connection="close"),
        LOST,
    ),
    "HTML 502": (reply("<html><h1>502 Bad Gateway</h1>", "502 Bad Gateway", Content_Type="text/html"), LOST),
    "HTML 503": (reply("<html><h1>503</h1>", "503 Service Unavailable"), LOST),
    "HTML 504": (reply("<html><h1>504</h1>", "504 Gateway Time-out"), LOST),
    "HTML 200": (reply("<html>please log in</html>"), LOST),
    "HTTP 429": (reply("slow down", "429 Too Many Requests"), LOST),
    "gzip that was not asked for": (reply(gzip.compress(b'{"ErrorCode": 0}'), Content_Encoding="gzip"), LOST),
    "larger than 4 MiB": (reply(BIG), LOST),
    "larger than 4 MiB, without a length": (reply(BIG, Content_Length=None, Connection="close"), LOST),
    "nested a hundred thousand deep": (reply('{"ErrorCode": 0, "x": ' + "[" * 100_000 + "]" * 100_000 + "}"), LOST),
    "a number of ten thousand digits": (reply('{"ErrorCode": 0, "x": ' + "1" * 10_000 + "}"), LOST),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", LOST),
    "closed after the request": (None, LOST),
    "closed before the request": (HANG_UP, LOST),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize(
    ("call", "lost", "tries_when_lost"),
    [
        pytest.param(REPEATABLE_WRITE, TencentIMAmbiguousError, 5, id="repeatable write"),
        pytest.param(OTHER_WRITE, TencentIMAmbiguousError, 1, id="other write"),
        pytest.param(READ, TencentIMTransientError, 5, id="read"),
    ],
)
def test_an_answer_is_done_or_lost_and_what_is_lost_is_asked_again_only_where_that_is_safe(
    impatient, name, call, lost, tries_when_lost
):
    said, verdict = ANSWERS[name]
    pacer = RecordingPacer()
    with ScriptedServer(said) as server, server.client(pacer=pacer) as client:
        result = outcome(client, *call)

    if verdict == DONE:
        assert (type(result), len(pacer.reserved)) == (dict, 1)
        assert result["ErrorCode"] == 0
    else:
        assert (type(result), len(pacer.reserved)) == (lost, tries_when_lost)
        assert result.code is None


def test_an_answer_that_does_not_come_in_time_is_lost(impatient):
    with ScriptedServer(late(0.6, OK)) as server, server.client() as client:
        client._transport._wire._timeout = (1.0, 0.1)

        read = outcome(client, *READ, tries=2)
        write = outcome(client, *REPEATABLE_WRITE, tries=2)
        other = outcome(client, *OTHER_WRITE)

    assert [type(read), type(write), type(other)] == [
        TencentIMTransientError,
        TencentIMAmbiguousError,
        TencentIMAmbiguousError,
    ]
    assert len(server.requests) == 5
    assert "timed out" in str(write).lower() or "timeout" in str(write).lower()


@pytest.mark.parametrize("call", [REPEATABLE_WRITE, OTHER_WRITE, READ], ids=["repeatable", "other", "read"])
def test_a_connection_that_is_refused_was_never_sent_and_is_tried_five_times(impatient, call):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    pacer = RecordingPacer()
    client = TencentIMClient(SDKAPPID, SECRET_KEY, base_url=f"http://127.0.0.1:{port}", pacer=pacer)

    result = outcome(client, *call)

    assert type(result) is TencentIMTransientError
    assert len(pacer.reserved) == 5
    assert "refused" in str(result)


def test_a_host_that_does_not_exist_was_never_sent(impatient, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    client = TencentIMClient(SDKAPPID, SECRET_KEY, base_url="https://gateway.invalid", pacer=ProcessPacer())

    assert type(outcome(client, *OTHER_WRITE, tries=1)) is TencentIMTransientError


def test_what_a_proxy_did_not_let_through_was_never_sent(impatient, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with ScriptedServer(reply("", "403 Forbidden", Connection="close")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        client = TencentIMClient(SDKAPPID, SECRET_KEY, base_url="https://gateway.invalid", pacer=ProcessPacer())

        assert type(outcome(client, *OTHER_WRITE, tries=1)) is TencentIMTransientError


def test_what_failed_before_the_line_was_encrypted_was_never_sent(impatient):
    with ScriptedServer(OK) as server:
        client = server.client(base_url=f"https://127.0.0.1:{server.port}")

        assert type(outcome(client, *OTHER_WRITE, tries=1)) is TencentIMTransientError

    # What the server makes of the bytes of a handshake is nothing; now and then they look like a line.
    assert [request for request in server.requests if request.method == "POST"] == []


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Internal Server Error"])
def test_an_error_code_counts_whatever_the_http_status(impatient, status):
    body = '{"ActionStatus": "FAIL", "ErrorInfo": "this group does not exist", "ErrorCode": 10010}'
    with ScriptedServer(reply(body, status)) as server, pytest.raises(TencentIMNotFoundError) as caught:
        server.client().call(*REPEATABLE_WRITE)

    assert (caught.value.code, caught.value.info) == (10010, "this group does not exist")
    assert len(server.requests) == 1


def test_an_error_code_with_action_status_ok_is_still_an_error(impatient):
    with ScriptedServer(reply('{"ActionStatus": "OK", "ErrorCode": 10004}')) as server:
        assert type(outcome(server.client(), *READ)) is TencentIMInvalidRequestError


# --- every documented code ---

AUTH = (TencentIMAuthError, 1)
EXPIRED = (TencentIMAuthError, 2)
PERMISSION = (TencentIMPermissionError, 1)
INVALID = (TencentIMInvalidRequestError, 1)
NOT_FOUND = (TencentIMNotFoundError, 1)
UNSUPPORTED = (TencentIMUnsupportedError, 1)
RATE_LIMITED = (TencentIMRateLimitedError, 5)
WAIT_A_MINUTE = (TencentIMRateLimitedError, 1)
TRANSIENT = (TencentIMTransientError, 5)
UNCLEAR = (TencentIMTransientError, 2)
UNKNOWN = (TencentIMError, 1)

CODES = {
    # the gateway
    60002: INVALID,
    60003: INVALID,
    60004: AUTH,
    60005: AUTH,
    60006: AUTH,
    60007: RATE_LIMITED,
    60008: UNCLEAR,
    60009: INVALID,
    60010: PERMISSION,
    60011: RATE_LIMITED,
    60012: AUTH,
    60013: TRANSIENT,
    60014: TRANSIENT,
    60015: AUTH,
    60016: PERMISSION,
    60017: PERMISSION,
    60018: RATE_LIMITED,
    60019: RATE_LIMITED,
    60020: UNSUPPORTED,
    60021: PERMISSION,
    # accounts and signatures
    70001: EXPIRED,
    70002: AUTH,
    70003: AUTH,
    70005: AUTH,
    70009: AUTH,
    70013: AUTH,
    70014: AUTH,
    70016: AUTH,
    70020: AUTH,
    70032: AUTH,
    70050: WAIT_A_MINUTE,
    70051: PERMISSION,
    70101: AUTH,
    70107: NOT_FOUND,
    70114: PERMISSION,
    70169: TRANSIENT,
    70202: TRANSIENT,
    70206: INVALID,
    70398: UNSUPPORTED,
    70402: INVALID,
    70403: PERMISSION,
    70500: TRANSIENT,
    71000: UNSUPPORTED,
    72000: UNSUPPORTED,
    72001: UNSUPPORTED,
    # groups
    10002: TRANSIENT,
    10003: INVALID,
    10004: INVALID,
    10005: INVALID,
    10006: RATE_LIMITED,
    10007: PERMISSION,
    10008: AUTH,
    10009: PERMISSION,
    10010: NOT_FOUND,
    10011: INVALID,
    10012: PERMISSION,
    10013: INVALID,
    10014: UNSUPPORTED,
    10015: NOT_FOUND,
    10016: PERMISSION,
    10017: PERMISSION,
    10018: INVALID,
    10019: NOT_FOUND,
    10020: INVALID,
    10021: INVALID,
    10023: RATE_LIMITED,
    10024: PERMISSION,
    10025: INVALID,
    10026: PERMISSION,
    10030: NOT_FOUND,
    10031: UNSUPPORTED,
    10032: UNSUPPORTED,
    10033: UNSUPPORTED,
    10034: UNSUPPORTED,
    10035: UNSUPPORTED,
    10036: UNSUPPORTED,
    10037: UNSUPPORTED,
    10038: UNSUPPORTED,
    10041: UNSUPPORTED,
    10044: UNSUPPORTED,
    10051: INVALID,
    10052: NOT_FOUND,
    10053: INVALID,
    10054: INVALID,
    10058: UNSUPPORTED,
    10059: UNSUPPORTED,
    11000: UNSUPPORTED,
    # messages
    20001: INVALID,
    20002: EXPIRED,
    20003: NOT_FOUND,
    20004: TRANSIENT,
    20005: TRANSIENT,
    20006: PERMISSION,
    20007: PERMISSION,
    20008: AUTH,
    20009: PERMISSION,
    20010: PERMISSION,
    20011: PERMISSION,
    20012: PERMISSION,
    20016: UNSUPPORTED,
    20018: UNSUPPORTED,
    20022: NOT_FOUND,
    20023: UNSUPPORTED,
    20028: TRANSIENT,
    22006: RATE_LIMITED,
    # messages through REST
    80001: INVALID,
    80002: INVALID,
    80003: INVALID,
    80004: INVALID,
    80005: INVALID,
    90001: INVALID,
    90002: INVALID,
    90003: INVALID,
    90004: INVALID,
    90005: INVALID,
    90006: INVALID,
    90007: INVALID,
    90008: NOT_FOUND,
    90009: PERMISSION,
    90010: INVALID,
    90011: INVALID,
    90012: NOT_FOUND,
    90018: INVALID,
    90026: INVALID,
    90030: INVALID,
    90031: INVALID,
    90043: INVALID,
    90044: INVALID,
    90048: NOT_FOUND,
    90054: INVALID,
    90055: INVALID,
    90992: TRANSIENT,
    90994: TRANSIENT,
    90995: TRANSIENT,
    91000: TRANSIENT,
    93000: INVALID,
    # recent contacts, history files, profiles
    1001: INVALID,
    1002: PERMISSION,
    1003: TRANSIENT,
    1004: TRANSIENT,
    1005: NOT_FOUND,
    40006: TRANSIENT,
    50001: NOT_FOUND,
    50002: INVALID,
    50003: PERMISSION,
    50004: TRANSIENT,
    50005: TRANSIENT,
    # in no table, or not for what this client does
    10045: UNKNOWN,
    51006: UNKNOWN,
    130001: UNKNOWN,
    1: UNKNOWN,
    -1: UNKNOWN,
    123456789: UNKNOWN,
}


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_its_class_and_its_number_of_tries(impatient, code):
    kind, tries = CODES[code]
    with ScriptedServer(answer(code, "words of the server")) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert (type(error), len(server.requests)) == (kind, tries)
    assert (error.command, error.code, error.info) == (MODIFY, code, "words of the server")
    assert error.lasting is (kind not in (TencentIMTransientError, TencentIMRateLimitedError, TencentIMError))


def test_a_transient_code_for_a_write_that_is_not_repeatable_is_ambiguous_at_once(impatient):
    with ScriptedServer(answer(10002)) as server:
        error = outcome(server.client(), *OTHER_WRITE)

    assert (type(error), error.code, len(server.requests)) == (TencentIMAmbiguousError, 10002, 1)


def test_a_rate_limit_code_for_any_write_is_asked_again_because_it_was_not_carried_out(impatient):
    with ScriptedServer(answer(60007), OK) as server:
        assert outcome(server.client(), *OTHER_WRITE)["ErrorCode"] == 0


def test_a_call_that_heals_returns_the_answer(impatient):
    with ScriptedServer(answer(10002), None, reply("", "502 Bad Gateway"), answer(60007), answer(X=1)) as server:
        assert outcome(server.client(), *REPEATABLE_WRITE)["X"] == 1

    assert len(server.requests) == 5


def test_60008_ends_a_call_at_its_second_time(impatient):
    with ScriptedServer(answer(60008), answer(10002), answer(60008), OK) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert (type(error), error.code, len(server.requests)) == (TencentIMTransientError, 60008, 3)


def test_no_try_begins_after_the_time_that_a_call_has(impatient, monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 61.0)
    with ScriptedServer(answer(10002)) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert (type(error), len(server.requests)) == (TencentIMTransientError, 1)


# --- lost answers ---


def test_a_lost_answer_is_asked_for_again_with_the_same_body_and_a_new_random(impatient):
    with ScriptedServer(None, None, OK) as server:
        assert outcome(server.client(), *REPEATABLE_WRITE)["ErrorCode"] == 0

    assert len({request.body for request in server.requests}) == 1
    assert len({request.query["random"] for request in server.requests}) == 3


def test_a_write_that_may_have_been_carried_out_stays_ambiguous_whatever_the_last_try_says(impatient):
    with ScriptedServer(None, answer(10002)) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert (type(error), error.code, len(server.requests)) == (TencentIMAmbiguousError, 10002, 5)


@pytest.mark.parametrize(
    ("command", "body", "tries"),
    [
        (MODIFY, {}, 5),
        ("openim/modify_c2c_msg", {}, 5),
        ("group_open_http_svc/group_msg_recall", {}, 5),
        (CLEAR, {"MsgSeq": 1}, 5),
        (CLEAR, {}, 1),
        (CREATE, {}, 1),
        ("group_open_http_svc/import_group", {}, 1),
        ("group_open_http_svc/import_group_msg", {}, 1),
        ("group_open_http_svc/send_group_msg", {}, 1),
        ("group_open_http_svc/send_group_msg", {"Random": 7}, 5),
        ("group_open_http_svc/send_group_msg", {"MsgRandom": 7}, 1),
        ("openim/sendmsg", {}, 1),
        ("openim/sendmsg", {"MsgRandom": 7}, 5),
        ("openim/batchsendmsg", {}, 1),
        ("openim/batchsendmsg", {"MsgRandom": 7}, 5),
        ("openim/in_no_table", {"MsgSeq": 1, "Random": 7}, 1),
    ],
)
def test_a_lost_write_is_repeated_only_where_twice_has_the_effect_of_once(impatient, command, body, tries):
    with ScriptedServer(None) as server:
        error = outcome(server.client(), command, body)

    assert (type(error), len(server.requests)) == (TencentIMAmbiguousError, tries)


@pytest.mark.parametrize(
    "command",
    [
        HISTORY,
        "group_open_http_svc/get_group_info",
        "openim/admin_getroammsg",
        "openconfigsvr/getappinfo",
    ],
)
def test_a_lost_read_is_repeated_and_never_ambiguous(impatient, command):
    with ScriptedServer(None) as server:
        error = outcome(server.client(), command, {})

    assert (type(error), len(server.requests)) == (TencentIMTransientError, 5)


# --- everybody slows down ---


@pytest.mark.parametrize(("code", "seconds"), [(60007, 1.0), (10023, 1.0), (70050, 60.0)])
def test_a_rate_limit_code_delays_all_who_share_the_pace_of_that_command(code, seconds):
    pacer = RecordingPacer()
    with ScriptedServer(answer(code)) as server, server.client(pacer=pacer) as client:
        outcome(client, *REPEATABLE_WRITE, tries=1)
        (key,) = pacer.reserved
        assert pacer.slowed_down == [(key, seconds)]
        assert pacer.reserve(key, 190) > seconds / 2

        with server.client(pacer=pacer) as other:
            outcome(other, *READ, tries=1)
        assert pacer.reserved[-1] != key, "another command has a pace of its own"


def test_a_call_waits_for_its_turn_before_it_is_sent():
    pacer = ProcessPacer()
    with ScriptedServer(OK) as server, server.client(pacer=pacer) as client, server.client(pacer=pacer) as other:
        client.call(*REPEATABLE_WRITE)
        pacer.slow_down(f"{SDKAPPID}/{MODIFY}", 0.4)
        started = time.monotonic()
        other.call(*REPEATABLE_WRITE)

    assert time.monotonic() - started >= 0.39


def test_every_try_takes_a_turn(impatient):
    pacer = RecordingPacer()
    with ScriptedServer(answer(70001), answer(10002), None, OK) as server:
        outcome(server.client(pacer=pacer), *REPEATABLE_WRITE)

    assert len(pacer.reserved) == len(server.requests) == 4


# --- signatures ---


def test_an_expired_signature_is_replaced_once_and_the_call_goes_on(impatient):
    with ScriptedServer(answer(70001), OK) as server:
        assert outcome(server.client(), *OTHER_WRITE)["ErrorCode"] == 0

    first, second = (request.query["usersig"] for request in server.requests)
    assert first != second


def test_a_call_signs_again_only_once(impatient):
    with ScriptedServer(answer(70001), answer(10002), answer(70001), OK) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert (type(error), len(server.requests)) == (TencentIMAuthError, 3)


def test_eight_threads_whose_signature_has_expired_sign_once(impatient):
    gate = threading.Barrier(8)

    def refuse_the_first_signature(request):
        if request.query["usersig"] != server.requests[0].query["usersig"]:
            return OK
        gate.wait(10)  # all eight have sent it before the first learns
        return answer(70001, "expired")

    results = []
    with ScriptedServer(refuse_the_first_signature) as server, server.client() as client:
        threads = [threading.Thread(target=lambda: results.append(outcome(client, *READ))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert [result["ErrorCode"] for result in results] == [0] * 8
    assert len(server.requests) == 16
    assert len({request.query["usersig"] for request in server.requests}) == 2


# --- cancel ---


def in_a_thread(function):
    """Run and return the thread and, in a list, what it raised."""
    raised = []

    def run():
        try:
            function()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def test_cancel_wakes_a_call_between_two_tries(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 50.0)
    with ScriptedServer(answer(10002)) as server, server.client() as client:
        thread, raised = in_a_thread(lambda: client.call(*REPEATABLE_WRITE))
        until(lambda: server.requests)
        client.cancel()
        thread.join(10)

        assert [type(error) for error in raised] == [TencentIMCancelledError]
        assert len(server.requests) == 1


def test_cancel_wakes_a_call_that_waits_for_its_turn():
    pacer = RecordingPacer()
    with ScriptedServer(OK) as server, server.client(pacer=pacer) as client:
        pacer.slow_down(f"{SDKAPPID}/{MODIFY}", 50)
        thread, raised = in_a_thread(lambda: client.call(*REPEATABLE_WRITE))
        until(lambda: pacer.reserved)
        client.cancel()
        thread.join(10)

        assert [type(error) for error in raised] == [TencentIMCancelledError]
        assert server.connections == 0


def test_nothing_is_sent_after_cancel():
    with ScriptedServer(OK) as server, server.client() as client:
        client.cancel()

        assert type(outcome(client, *READ)) is TencentIMCancelledError
        assert server.connections == 0


def test_a_call_under_way_when_cancelled_may_still_be_answered_but_is_not_repeated(impatient):
    with ScriptedServer(late(0.3, None)) as server, server.client() as client:
        thread, raised = in_a_thread(lambda: client.call(*REPEATABLE_WRITE))
        until(lambda: server.requests)
        client.cancel()
        thread.join(10)

        assert [type(error) for error in raised] == [TencentIMCancelledError]
        assert len(server.requests) == 1


# --- allowed commands ---


@pytest.mark.parametrize(
    ("allowed", "sent", "refused"),
    [
        (None, [MODIFY, READ[0], "openim/in_no_table"], []),
        ("read", [HISTORY, "im_open_login_svc/account_check"], [MODIFY, CLEAR, CREATE, "openim/in_no_table"]),
        ([MODIFY], [MODIFY], [CLEAR, HISTORY, "openim/modify_c2c_msg", "openim/in_no_table"]),
        ((HISTORY, "openim/in_no_table"), [HISTORY, "openim/in_no_table"], [MODIFY]),
    ],
)
def test_a_command_that_is_not_allowed_is_not_sent(allowed, sent, refused):
    with ScriptedServer(OK) as server, server.client(allowed_commands=allowed) as client:
        for command in refused:
            with pytest.raises(TencentIMPermissionError, match="allowed_commands"):
                client.call(command, {})
        for command in sent:
            client.call(command, {})

    assert [request.command for request in server.requests] == sent


# --- what errors say, and what they never say ---


def test_an_error_names_command_code_info_meaning_and_advice():
    with ScriptedServer(answer(10010, "this group does not exist")) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert str(error) == (
        "openim/modify_group_msg failed with ErrorCode 10010 (this group does not exist): the group does not exist "
        "or was dissolved. Check the ids: what they name does not exist here, or no longer does."
    )


@pytest.mark.parametrize("code", CODES)
def test_an_error_of_any_code_says_what_to_do(code):
    text = str(CODES[code][0](MODIFY, code, ""))

    assert text.startswith(f"{MODIFY} failed with ErrorCode {code}: ")
    assert len(text.split(". ")) >= 2
    assert "()" not in text


def test_an_info_is_shown_in_one_line_and_not_at_length(impatient):
    with ScriptedServer(answer(10004, "bad\r\n\x1b[31m\x00parameter" + "x" * 5000)) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert str(error).isprintable()
    assert len(str(error)) < 600
    assert "parameter" in str(error)


def texts_of(error):
    """Everything of an exception that could end in a log: its chain, its arguments, its frames' variables."""
    seen = []
    pending = [error]
    while pending:
        one = pending.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        pending += [one.__cause__, one.__context__]
    frames = "".join(
        repr(value)
        for one in seen
        for frame, _ in traceback.walk_tb(one.__traceback__)
        if "airflow_provider_tencentim" in frame.f_code.co_filename
        for value in frame.f_locals.values()
    )
    return seen, "".join(map(repr, seen)) + "".join(map(str, seen)) + frames


FAILURES = {
    "a code": answer(10010, "no"),
    "closed": None,
    "hung up": HANG_UP,
    "no JSON": reply("<html>"),
    "redirect": reply("", "302 Found", Location="http://127.0.0.1:1/"),
    "expired": answer(70001),
    "rate limited": answer(60007),
    "not HTTP": reply("x").replace(b"HTTP/1.1 200", b"ICY abc"),
    "too long": reply("x", Content_Length=100, Connection="close"),
    "bad length": reply("x", Content_Length="many", Connection="close"),
    "bad chunks": reply("zz\r\n", Content_Length=None, Transfer_Encoding="chunked", Connection="close"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_no_error_log_or_traceback_holds_key_signature_query_or_content(impatient, monkeypatch, caplog, capfd, name):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    body = {"GroupId": "room", "MsgSeq": 1, "CloudCustomData": "private words"}
    with ScriptedServer(FAILURES[name]) as server, server.client() as client:
        error = outcome(client, MODIFY, body)

    chain, texts = texts_of(error)
    printed = capfd.readouterr()
    everything = texts + caplog.text + printed.out + printed.err
    assert isinstance(error, TencentIMError)
    for secret in (SECRET_KEY, "usersig=", "random=", "contenttype="):
        assert secret not in everything
    for request in server.requests:
        assert request.query["usersig"] not in everything
    assert "private words" not in caplog.text + printed.out + printed.err + str(error)
    foreign = [one for one in chain if type(one).__module__.split(".")[0] in ("requests", "urllib3", "http")]
    assert foreign == []


def test_a_signature_that_the_server_echoes_is_masked_in_errors_and_answers(impatient, caplog):
    caplog.set_level(logging.DEBUG)

    def echo(code):
        return lambda request: answer(
            code, f"bad UserSig {request.query['usersig']} of x", Echo=request.query["usersig"]
        )

    with ScriptedServer(echo(10004), echo(10002), echo(70001), echo(70009), echo(0)) as server:
        client = server.client()
        errors = [outcome(client, *REPEATABLE_WRITE) for _ in range(2)]
        result = outcome(client, *REPEATABLE_WRITE)

    assert [error.code for error in errors] == [10004, 70009]
    assert "bad UserSig *** of x" in str(errors[0])
    assert result["Echo"] == "***"
    for request in server.requests:
        assert request.query["usersig"] not in f"{errors} {[str(one) for one in errors]} {result} {caplog.text}"


def test_a_lost_answer_is_described_without_the_servers_words(impatient):
    with ScriptedServer(reply("secret words <b>", "502 Bad Gateway")) as server:
        error = outcome(server.client(), *REPEATABLE_WRITE)

    assert "502" in str(error)
    assert "secret words" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        TencentIMError(MODIFY, 1, "x"),
        TencentIMTransientError(MODIFY, None, "x"),
        TencentIMAmbiguousError(MODIFY, 10002, ""),
        TencentIMCancelledError(MODIFY, None, "x"),
        TencentIMPartialError(MODIFY, 10030, "2 of 3", lasting=True),
        TencentIMPartialError(MODIFY, None, "2 of 3"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_between_processes(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert (copy.command, copy.code, copy.info, copy.lasting) == (error.command, error.code, error.info, error.lasting)


@pytest.mark.parametrize(
    ("error", "everywhere"),
    [
        *(
            (error_for(MODIFY, code, ""), True)
            for code in (70009, 70001, 10008, 60006, 60016, 60020, 60021, 90009, 1002)
        ),
        *(
            (error_for(MODIFY, code, ""), False)
            for code in (10007, 10010, 10015, 10030, 10032, 20001, 20022, 20023, 80001)
        ),
        *((error_for(MODIFY, code, ""), False) for code in (10002, 60008, 60007, 70050, 4711)),
        (TencentIMPermissionError(MODIFY, None, "the connection's allowed_commands do not include it"), True),
        (TencentIMInvalidRequestError(MODIFY, None, "HTTP 302: a redirect"), True),
        (TencentIMTransientError(MODIFY, None, "no answer"), False),
        (TencentIMAmbiguousError(MODIFY, None, "no answer"), False),
        (TencentIMCancelledError(MODIFY, None, "the task was stopped"), False),
    ],
    ids=lambda value: f"{type(value).__name__} {value.code}" if isinstance(value, TencentIMError) else None,
)
def test_errors_that_every_other_call_would_meet_are_told_from_those_of_one_group_or_message(error, everywhere):
    assert is_everywhere(error) is everywhere
