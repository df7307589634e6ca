"""How much of an answer is read and for how long, and what is said of one that was not read."""

from __future__ import annotations

import errno
import http.client
import io
import ssl
from types import SimpleNamespace

import pytest
import requests
import urllib3
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from airflow_provider_tencentim.client import wire
from airflow_provider_tencentim.client.wire import MAX_ANSWER_BYTES, WireFault


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(wire, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


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
    with pytest.raises(OSError, match=r"\] the answer is larger than any$") as caught:
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
