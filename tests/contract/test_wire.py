"""The session itself: what it sends, how much it reads and for how long, and what it says when no answer came."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace

import pytest
from scripted_server import HANG_UP, OK, ScriptedServer
from scripted_server import http as reply

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


def test_a_line_that_could_not_be_encrypted_was_never_sent():
    with ScriptedServer(HANG_UP) as server:
        fault = Wire(f"https://127.0.0.1:{server.port}", 4.0, None).post(PATH, QUERY, b"{}")

    assert (type(fault), fault.sent) == (WireFault, False)


# --- TLS ---


def test_a_certificate_that_nobody_knows_is_refused_and_nothing_is_sent(certificate):
    _, context = certificate
    with ScriptedServer(tls=context) as server:
        fault = Wire(server.url, 4.0, None).post(PATH, QUERY, b"{}")

    assert fault == WireFault("SSLCertVerificationError: self-signed certificate", sent=False)
    assert server.requests == []


def test_the_certificates_of_a_file_are_known(certificate):
    path, context = certificate
    with ScriptedServer(tls=context) as server:
        one = Wire(server.url, 4.0, path)
        answers = [one.post(PATH, QUERY, b"{}") for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert (server.connections, server.requests[0].target) == (1, f"{PATH}?{QUERY}")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_no_variable_of_the_environment_makes_a_certificate_known(certificate, monkeypatch, variable):
    path, context = certificate
    monkeypatch.setenv(variable, path)
    with ScriptedServer(tls=context) as server:
        fault = Wire(server.url, 4.0, None).post(PATH, QUERY, b"{}")

    assert (type(fault), server.requests) == (WireFault, [])


def test_a_known_certificate_of_another_host_is_refused(certificate):
    path, context = certificate
    with ScriptedServer(tls=context) as server:
        fault = Wire(f"https://localhost:{server.port}", 4.0, path).post(PATH, QUERY, b"{}")

    assert fault.sent is False
    assert "Hostname mismatch" in fault.reason
    assert server.requests == []


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
