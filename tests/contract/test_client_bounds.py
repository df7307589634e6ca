"""An answer without end, in whatever way it has none, takes neither more memory nor more time than any other."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc
import zlib

import pytest
from scripted_server import OK, ScriptedServer, answer, http

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import (
    TencentIMError,
    TencentIMInvalidRequestError,
    TencentIMTransientError,
)

READ = ("group_open_http_svc/group_msg_get_simple", {"GroupId": "room", "ReqMsgNumber": 20})
MIB = 1024 * 1024
SECONDS = 0.5

LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n"


def bomb():
    """Gzip that unpacks to a thousand times its length, without end."""
    packer = zlib.compressobj(9, wbits=31)
    while True:
        yield packer.compress(bytes(MIB))


def dripping(start, piece, seconds=0.02):
    yield start
    while True:
        time.sleep(seconds)
        yield piece


def after(start, pieces):
    return lambda _: itertools.chain([start], pieces())


def repeated(start, piece):
    return lambda _: itertools.chain([start], itertools.repeat(piece))


ENDLESS = {
    "a body of a gigabyte": repeated(LINE + b"Content-Length: 1073741824\r\n\r\n", b" " * 65536),
    "a body without a length": repeated(LINE + b"\r\n", b" " * 65536),
    "a body in chunks": repeated(CHUNKED, CHUNK),
    "a chunk of a terabyte": repeated(CHUNKED + b"ffffffffff\r\n", b" " * 65536),
    "chunks of a byte": repeated(CHUNKED, b"1\r\n \r\n" * 4096),
    "the line before a chunk": repeated(CHUNKED, b"0" * 65536),
    "what stands behind a chunk's length": repeated(CHUNKED + b"1;", b"x" * 65536),
    "a trailer": repeated(CHUNKED + b"0\r\n", b"X: y\r\n" * 4096),
    "one line of a trailer": repeated(CHUNKED + b"0\r\n", b"x" * 65536),
    "a status line": repeated(b"HTTP/1.1 200 ", b"x" * 65536),
    "a header": repeated(LINE + b"X: ", b"x" * 65536),
    "headers": repeated(LINE, b"X: y\r\n" * 4096),
    "100 Continue again and again": repeated(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1024),
    "100 Continue with headers": repeated(b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n" * 4096),
    "gzip that was not asked for": after(LINE + b"Content-Encoding: gzip\r\n\r\n", bomb),
    "deflate in chunks": repeated(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: deflate\r\n\r\n"), CHUNK),
}
SLOW = {
    "a status line": (b"HTTP/1.1 200 ", b"x"),
    "a header": (LINE + b"X: ", b"x"),
    "headers": (LINE, b"X: y\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (LINE + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "the line before a chunk": (CHUNKED, b"0"),
    "a trailer": (CHUNKED + b"0\r\n", b"X: y\r\n"),
    "a body behind a redirect": (REDIRECT + b"Content-Length: 100000\r\n\r\n", b" "),
}


def ask(reply):
    """What one try comes to, how long it took, and how much memory at most."""
    with ScriptedServer(reply) as server, server.client() as client:
        client._transport._wire._timeout = (1.0, SECONDS)
        tracemalloc.start()
        begun = time.monotonic()
        try:
            with pytest.raises((TencentIMTransientError, TencentIMInvalidRequestError)) as caught:
                client.call(*READ, tries=1)
            seconds, peak = time.monotonic() - begun, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    return caught.value, seconds, peak


@pytest.mark.parametrize("name", ENDLESS)
def test_what_comes_without_end_is_cut_off_at_a_few_mebibytes(name):
    error, seconds, peak = ask(ENDLESS[name])

    assert type(error) is TencentIMTransientError
    assert error.code is None
    assert peak < 24 * MIB
    assert seconds < SECONDS + 4  # on a busy machine, where each piece is counted


@pytest.mark.parametrize("start", [LINE, REDIRECT], ids=["OK", "redirect"])
def test_a_packed_answer_is_not_unpacked(start):
    _, seconds, peak = ask(after(start + b"Content-Encoding: gzip\r\n\r\n", bomb))

    assert peak < 24 * MIB
    assert seconds < SECONDS + 4


@pytest.mark.parametrize("head", [b"Content-Length: 1073741824\r\n\r\n", b"\r\n"], ids=["length", "no length"])
def test_the_body_of_a_redirect_is_as_bounded_as_any(head):
    error, _, peak = ask(repeated(REDIRECT + head, b" " * 65536))

    assert error.code is None
    assert peak < 24 * MIB


@pytest.mark.parametrize("name", SLOW)
def test_bytes_that_come_one_by_one_hold_a_try_no_longer_than_its_time_out(name):
    error, seconds, _ = ask(lambda _: dripping(*SLOW[name]))

    assert type(error) is TencentIMTransientError
    assert "Timeout" in error.info or "timed out" in error.info
    assert SECONDS * 0.9 < seconds < SECONDS + 2


@pytest.mark.parametrize("location", [b"http://[", b"\xff\xfe", b"//", b"http://a b/", b"\\", b"javascript:x"])
def test_where_a_redirect_leads_is_not_even_read(location):
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with ScriptedServer(head) as server, pytest.raises(TencentIMInvalidRequestError, match="redirect"):
        server.client().call(*READ, tries=1)


def test_a_connection_that_stands_serves_more_calls_than_one_time_out_lasts():
    """The bound is one for each answer, and not for the connection."""
    with ScriptedServer(OK) as server, server.client(calls_per_second=200) as client:
        client._transport._wire._timeout = (1.0, 0.3)
        begun = time.monotonic()
        while time.monotonic() - begun < 0.8:
            client.call(*READ, tries=1)
            time.sleep(0.1)

    assert server.connections == 1


def test_many_answers_over_one_connection_may_be_longer_together_than_one_may_be():
    with ScriptedServer(answer(Text="x" * 3 * MIB)) as server, server.client() as client:
        for _ in range(3):
            assert len(client.call(*READ, tries=1)["Text"]) == 3 * MIB

    assert server.connections == 1


# --- answers that say what no service can ---


class Pages:
    """Answers of pages that lead on and on, to nothing."""

    def __init__(self, fields):
        self.asked = 0
        self._fields = fields

    def __call__(self, _):
        self.asked += 1
        return answer(**self._fields(self.asked))


PAGES = {
    "groups": (lambda client: client.iter_groups(), lambda n: {"GroupIdList": [], "Next": n}),
    "conversations": (
        lambda client: client.iter_conversations("alice"),
        lambda n: (
            {"SessionItem": [], "CompleteFlag": 0, "TimeStamp": n, "StartIndex": 0, "TopTimeStamp": 0}
            | {"TopStartIndex": 0}
        ),
    ),
    "letters": (
        lambda client: client.iter_c2c_history("alice", "bob"),
        lambda n: {"MsgList": [], "Complete": 0, "LastMsgTime": n, "LastMsgKey": f"{n}_0_0"},
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_that_lead_on_to_nothing_are_given_up(name, monkeypatch):
    monkeypatch.setattr(transport, "rate_of", lambda *_: 10_000.0)
    pages, fields = PAGES[name]
    replies = Pages(fields)
    with (
        ScriptedServer(replies) as server,
        server.client() as client,
        pytest.raises(TencentIMTransientError, match="100 pages in a row hold nothing"),
    ):
        list(pages(client))
    assert replies.asked == 100


@pytest.mark.parametrize("group", [[], {}, 1, None, ["room"]])
def test_a_group_id_that_is_no_text_is_no_group_that_was_asked_for(group):
    with (
        ScriptedServer(answer(GroupInfo=[{"GroupId": group, "ErrorCode": 0}])) as server,
        server.client() as client,
        pytest.raises(TencentIMTransientError, match="leaves out a group"),
    ):
        list(client.get_group_info(["room"]))


@pytest.mark.parametrize("number", [2**63, 10**30, -(10**4000), 10**4200])
def test_a_number_that_nothing_can_be_done_with_is_none(number):
    with (
        ScriptedServer(answer(GroupIdList=[], Next=number)) as server,
        server.client() as client,
        pytest.raises(TencentIMTransientError, match="no whole number as its Next"),
    ):
        list(client.iter_groups())


def test_an_error_info_of_megabytes_or_any_depth_is_shown_in_a_line():
    for info in ("x" * 3 * MIB, json.loads("[" * 900 + "]" * 900)):
        body = json.dumps({"ActionStatus": "FAIL", "ErrorCode": 10010, "ErrorInfo": info})
        with ScriptedServer(http(body)) as server, pytest.raises(TencentIMError) as caught:
            server.client().call(*READ, tries=1)
        assert len(str(caught.value)) < 500
