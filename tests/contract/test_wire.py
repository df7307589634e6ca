"""The session itself: what it sends, how much it reads and for how long, and what it says when no answer came."""

from __future__ import annotations

import errno
import http.client
import io
import socket
import ssl
import threading
from types import SimpleNamespace

import pytest
import requests
import urllib3
from scripted_server import HANG_UP, OK, ScriptedServer
from scripted_server import http as reply
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from airflow_provider_tencentim.client import wire
from airflow_provider_tencentim.client.wire import MAX_ANSWER_BYTES, POOL_SIZE, Wire, WireAnswer, WireFault

PATH = "/v4/openim/sendmsg"
QUERY = "sdkappid=1&usersig=eJx*-_&random=7"


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def post(said, timeout=4.0):
    """What one call comes to."""
    with ScriptedServer(said) as server:
        return Wire(server.url, timeout, None).post(PATH, QUERY, b"{}")


# --- what is sent ---


def test_a_call_is_a_post_with_its_query_and_its_payload_as_they_are(server):
    payload = '{"Text":"早 \\ud83c"}'.encode()

    Wire(server.url, 4.0, None).post(PATH, QUERY, payload)

    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", f"{PATH}?{QUERY}", payload)


def test_the_headers_ask_for_json_unpacked_and_hold_nothing_of_the_query(server):
    Wire(server.url, 4.0, None).post(PATH, QUERY, b"{}")

    (request,) = server.requests
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-length"] == "2"
    assert not [name for name in request.headers if name.startswith("x-")]
    assert "usersig" not in str(request.headers)


def test_calls_share_a_connection_which_closing_ends(server):
    one = Wire(server.url, 4.0, None)
    for _ in range(3):
        one.post(PATH, QUERY, b"{}")
    assert server.connections == 1

    one.close()
    one.post(PATH, QUERY, b"{}")
    assert server.connections == 2


def test_as_many_connections_are_kept_as_calls_may_be_under_way(server):
    one = Wire(server.url, 4.0, None)

    for scheme in ("http", "https"):
        adapter = one._session.get_adapter(f"{scheme}://gateway.example.com/")
        assert (adapter._pool_maxsize, adapter._pool_connections) == (POOL_SIZE, 1)


def test_a_cookie_is_not_sent_back(server):
    server.replies[:] = [reply("{}", Set_Cookie="session=1; Path=/")]
    one = Wire(server.url, 4.0, None)
    one.post(PATH, QUERY, b"{}")
    one.post(PATH, QUERY, b"{}")

    assert "cookie" not in server.requests[1].headers


def test_a_redirect_is_an_answer_like_any_other():
    answer = post(reply("elsewhere", "302 Found", Location="http://127.0.0.1:1/"))

    assert (answer.status, answer.body) == (302, b"elsewhere")


# --- proxies ---


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_a_proxy(no_proxies, monkeypatch, server, host):
    with ScriptedServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        answer = Wire(f"http://{host}:{server.port}", 4.0, None).post(PATH, QUERY, b"{}")

    assert answer.status == 200
    assert (len(server.requests), proxy.connections) == (1, 0)


def test_a_proxy_is_told_the_host_and_never_the_path(no_proxies, monkeypatch):
    with ScriptedServer(reply("", "403 Forbidden", Connection="close")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        fault = Wire("https://gateway.example.com", 4.0, None).post(PATH, QUERY, b"{}")

    (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", "gateway.example.com:443")
    assert isinstance(fault, WireFault)
    assert fault.sent is False


def test_a_host_that_the_environment_excepts_is_reached_without_its_proxy(no_proxies, monkeypatch):
    with ScriptedServer() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "gateway.invalid")
        fault = Wire("https://gateway.invalid", 4.0, None).post(PATH, QUERY, b"{}")

    assert proxy.connections == 0
    assert (type(fault), fault.sent) == (WireFault, False)


def test_an_answer_through_a_proxy_is_as_bounded_as_any(no_proxies, monkeypatch):
    def endless(_):
        yield b"HTTP/1.1 200 "
        while True:
            yield b"x" * 65536

    with ScriptedServer(endless) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        fault = Wire("https://gateway.example.com", 4.0, None).post(PATH, QUERY, b"{}")

    assert (type(fault), fault.sent) == (WireFault, False)


# --- answers ---


def test_an_answer_is_status_body_and_the_seconds_since_it_was_asked_for(clock):
    def slow(_):
        clock.now += 2.5
        return reply(b"\xff\x00abc", "404 Not Found")

    with ScriptedServer(slow) as server:
        one = Wire(server.url, 4.0, None)
        for _ in range(2):
            clock.now += 100
            assert one.post(PATH, QUERY, b"{}") == WireAnswer(404, b"\xff\x00abc", 2.5)


@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_of_the_largest_size_is_read_and_a_byte_more_is_none(more):
    answer = post(reply(b"x" * (MAX_ANSWER_BYTES + more)))

    if more:
        assert answer == WireFault(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", sent=True)
    else:
        assert len(answer.body) == MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (reply("x", Content_Length=100, Connection="close"), "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nab", "IncompleteRead"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "BadStatusLine"),
        (None, "RemoteDisconnected"),
    ],
    ids=["too short", "chunked and too short", "no HTTP", "closed"],
)
def test_an_answer_that_is_none_is_a_fault_of_a_call_that_was_sent(said, reason):
    fault = post(said)

    assert isinstance(fault, WireFault)
    assert fault.sent is True
    assert fault.reason.startswith(reason)


def test_a_connection_that_ends_before_the_request_may_have_been_read_all_the_same():
    assert post(HANG_UP).sent is True


def test_an_answer_that_does_not_come_is_a_time_out_of_a_call_that_was_sent():
    over = threading.Event()
    with ScriptedServer(lambda _: OK if over.wait(20) else None) as server:
        fault = Wire(server.url, 0.2, None).post(PATH, QUERY, b"{}")
        over.set()

    assert fault.sent is True
    assert "TimeoutError" in fault.reason


# --- calls that were never sent ---


def test_a_connection_that_is_refused_was_never_sent():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fault = Wire(f"http://127.0.0.1:{port}", 4.0, None).post(PATH, QUERY, b"{}")

    assert fault == WireFault("ConnectionRefusedError: Connection refused", sent=False)


def test_a_line_that_could_not_be_encrypted_was_never_sent(server):
    fault = Wire(f"https://127.0.0.1:{server.port}", 4.0, None).post(PATH, QUERY, b"{}")

    assert fault.sent is False
    assert fault.reason.startswith("SSL")


# --- the bounds of an answer ---


class Socket:
    """A socket whose time-outs are noted."""

    def __init__(self, timeout):
        self.timeout, self.set_to = timeout, []

    def gettimeout(self):
        return self.timeout

    def settimeout(self, seconds):
        self.set_to.append(seconds)


def read(bounded, size):
    return bounded.readinto(bytearray(size))


def test_every_read_has_the_time_that_is_left_of_the_first(clock):
    sock = Socket(4.0)
    bounded = wire._Bounded(io.BytesIO(b"x" * 10), sock)
    for now in (1000.0, 1001.0, 1003.5):
        clock.now = now
        assert read(bounded, 3) == 3

    assert sock.set_to == [4.0, 3.0, 0.5]
    clock.now = 1004.0
    with pytest.raises(TimeoutError):
        read(bounded, 3)
    assert sock.set_to == [4.0, 3.0, 0.5], "a time-out of 0 would be none"


def test_a_socket_without_a_time_out_is_read_without_one(clock):
    sock = Socket(None)
    bounded = wire._Bounded(io.BytesIO(b"x" * 10), sock)
    clock.now += 1e6

    assert read(bounded, 100) == 10
    assert sock.set_to == []


def test_a_time_out_of_nothing_is_one(clock):
    with pytest.raises(TimeoutError):
        read(wire._Bounded(io.BytesIO(b"x"), Socket(0.0)), 1)


def test_head_and_body_together_have_a_mebibyte_more_than_a_body(clock):
    most = 5 * 1024 * 1024
    bounded = wire._Bounded(io.BytesIO(b"x" * (most + 1)), Socket(4.0))

    assert read(bounded, most - 1) == most - 1
    assert read(bounded, 1) == 1
    with pytest.raises(OSError, match="larger than any") as caught:
        read(bounded, 1)
    assert caught.value.errno == errno.EMSGSIZE


def test_the_end_and_a_read_that_has_to_wait_count_nothing(clock):
    class Waiting(io.RawIOBase):
        def readinto(self, buffer):
            return None

    assert read(wire._Bounded(io.BytesIO(b""), Socket(4.0)), 5) == 0
    assert read(wire._Bounded(Waiting(), Socket(4.0)), 5) is None


def test_what_is_bounded_is_closed_with_its_bounds(clock):
    raw = io.BytesIO(b"x")
    bounded = wire._Bounded(raw, Socket(4.0))
    assert bounded.readable()

    bounded.close()
    assert raw.closed
    assert bounded.closed


class Raw:
    """A body in pieces of a size, that knows how much was read of it."""

    def __init__(self, length, piece=65536):
        self.left, self.piece, self.asked = length, piece, []

    def read1(self, size):
        self.asked.append(size)
        part = b"x" * min(size, self.piece, self.left)
        self.left -= len(part)
        return part


@pytest.mark.parametrize("length", [0, 1, 65536, 65537, MAX_ANSWER_BYTES])
def test_a_body_is_read_to_its_end_piece_by_piece(length):
    raw = Raw(length)

    assert len(wire._read(raw)) == length
    assert {*raw.asked} == {65536}
    assert len(raw.asked) == -(-length // 65536) + 1, "only the empty read behind the end tells that it is one"


def test_of_a_body_without_end_no_more_is_read_than_tells_that_it_is_too_long():
    raw = Raw(10**9)

    assert MAX_ANSWER_BYTES < len(wire._read(raw)) <= MAX_ANSWER_BYTES + 65536


# --- what a fault says ---


def caused(outer, inner):
    try:
        raise outer from inner
    except type(outer) as error:
        return error


POOL = urllib3.HTTPConnectionPool("gateway.example.com")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


@pytest.mark.parametrize(
    ("error", "connected", "fault"),
    [
        (REFUSED, True, WireFault("ConnectionRefusedError: Connection refused", True)),
        (REFUSED, False, WireFault("ConnectionRefusedError: Connection refused", False)),
        (OSError("secret words"), True, WireFault("OSError", True)),
        (ValueError("secret words"), True, WireFault("ValueError", True)),
        (requests.ConnectionError(REFUSED), True, WireFault("ConnectionRefusedError: Connection refused", True)),
        (
            caused(requests.ConnectionError("x"), REFUSED),
            True,
            WireFault(f"ConnectionRefusedError: {REFUSED.strerror}", True),
        ),
        (NewConnectionError(POOL, "secret words"), True, WireFault("NewConnectionError", False)),
        (ConnectTimeoutError(POOL, "secret words"), True, WireFault("ConnectTimeoutError", False)),
        (
            caused(requests.ConnectionError("x"), caused(NewConnectionError(POOL, "y"), REFUSED)),
            True,
            WireFault("ConnectionRefusedError: Connection refused", False),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fault_says_what_really_happened_and_nothing_of_what_was_received(error, connected, fault):
    assert wire._fault(error, connected) == fault


def test_a_fault_of_a_certificate_says_what_is_wrong_with_it():
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: secret words")
    error.verify_message = "self-signed certificate"

    assert wire._fault(error, False) == WireFault("SSLCertVerificationError: self-signed certificate", False)


def causes(error):
    return [type(one) for one in wire._causes(error)]


def test_causes_are_followed_wherever_a_library_hides_them():
    inner = http.client.BadStatusLine("x")
    with_reason = urllib3.exceptions.MaxRetryError(POOL, "/", inner)

    assert causes(inner) == [http.client.BadStatusLine]
    assert causes(caused(KeyError(), inner)) == [KeyError, http.client.BadStatusLine]
    assert causes(with_reason) == [urllib3.exceptions.MaxRetryError, http.client.BadStatusLine]
    assert causes(KeyError("text", inner)) == [KeyError, http.client.BadStatusLine]
    while_handling = KeyError("text")
    while_handling.__context__ = inner
    assert causes(while_handling) == [KeyError, http.client.BadStatusLine]


def test_causes_that_lead_back_end_there():
    first, second = KeyError(), ValueError()
    first.__cause__, second.__cause__ = second, first

    assert causes(first) == [KeyError, ValueError]


# --- files of certificates ---


@pytest.mark.parametrize(("content", "kind"), [(None, "FileNotFoundError"), ("no certificate", "SSLError")])
def test_a_file_of_certificates_that_is_none_is_refused_without_being_shown(tmp_path, content, kind):
    path = tmp_path / "secret.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ValueError, match=r"^ca_bundle names no readable file of certificates") as caught:
        Wire("https://gateway.example.com", 4.0, str(path))
    assert str(caught.value).endswith(f"({kind})")
    assert caught.value.__suppress_context__


def test_a_path_that_can_be_none_is_refused_too():
    with pytest.raises(ValueError, match=r"^ca_bundle"):
        Wire("https://gateway.example.com", 4.0, "a\0b")


@pytest.mark.parametrize(("timeout", "connecting"), [(4.0, 4.0), (5.0, 5.0), (30.0, 5.0)])
def test_a_connection_gets_five_seconds_at_most(timeout, connecting):
    assert Wire("https://gateway.example.com", timeout, None)._timeout == (connecting, timeout)


def test_an_answer_that_is_empty_is_one():
    answer = post(b"HTTP/1.1 204 No Content\r\n\r\n")

    assert isinstance(answer, WireAnswer)
    assert (answer.status, answer.body) == (204, b"")
