"""One call, try by try: what is sent, what an answer is taken for, and when it is tried again."""

from __future__ import annotations

import json
import logging
from functools import partial
from itertools import count
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
from transport_world import World, transport_in

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.commands import find_command
from airflow_provider_tencentim.client.errors import (
    TencentIMAmbiguousError,
    TencentIMAuthError,
    TencentIMCancelledError,
    TencentIMError,
    TencentIMInvalidRequestError,
    TencentIMNotFoundError,
    TencentIMRateLimitedError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.client.signature import UserSig
from airflow_provider_tencentim.client.wire import WireAnswer, WireFault

READ = find_command("group_open_http_svc/get_group_info")
WRITE = find_command("openim/modify_group_msg")
CLEAR = find_command("group_open_http_svc/clear_group_msg")
ONCE = find_command("group_open_http_svc/create_group")

LOST, NEVER_SENT = WireFault("lost on its way", sent=True), WireFault("no way there", sent=False)


class Signer:
    """Signs ``eJx*1``, ``eJx*2`` and so on."""

    def __init__(self):
        self.usersigs, self.refused = [UserSig("eJx*1")], []

    def current(self):
        return self.usersigs[-1]

    def renew(self, refused):
        self.refused.append(refused)
        self.usersigs.append(UserSig(f"eJx*{len(self.usersigs) + 1}"))


@pytest.fixture
def play(monkeypatch):
    return partial(transport_in, monkeypatch)


def said(code=0, status=200, **fields):
    return WireAnswer(status, json.dumps({"ErrorCode": code, **fields}).encode(), 0.0)


def body(content, status=200):
    return WireAnswer(status, content, 0.0)


def failure(one, command, body=None, **options):
    with pytest.raises(TencentIMError) as caught:
        one.call(command, {} if body is None else body, **options)
    return caught.value


# --- what is sent ---


def test_a_call_is_its_path_its_signed_query_and_its_body_in_compact_json(play, monkeypatch):
    monkeypatch.setattr(transport, "secrets", SimpleNamespace(randbits=lambda bits: 2**bits - 1))
    world = World()

    play(world, signer=Signer()).call(WRITE, {"Text": "\u732b", "List": [1, None, True]})

    ((path, query, payload),) = world.posts
    assert path == "/v4/openim/modify_group_msg"
    assert query == "sdkappid=1&identifier=administrator&usersig=eJx*1&random=4294967295&contenttype=json"
    assert payload == '{"Text":"\u732b","List":[1,null,true]}'.encode()


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "ValueError"), ({1}, "TypeError"), ("\ud800", "Unicode")])
def test_a_body_that_is_no_json_is_the_callers_error_and_is_not_sent(play, value, kind):
    world = World()
    error = failure(play(world), WRITE, {"x": value})

    assert type(error) is TencentIMInvalidRequestError
    assert (error.command, error.code) == (WRITE.path, None)
    assert error.info.startswith(f"the body is not JSON ({kind}")
    assert error.__context__ is None, "it may hold content"
    assert (world.sent, world.reserved) == (0, 0)


def test_every_try_takes_a_turn_at_the_pace_of_its_command(play):
    world = World()
    world.answers = [said(10002)]
    one = play(world, rate=50)
    one.call(READ, {})
    one.call(find_command("group_open_http_svc/get_appid_group_list"), {})

    assert world.reservations == [
        *[("1/group_open_http_svc/get_group_info", 50)] * 2,
        ("1/group_open_http_svc/get_appid_group_list", 0.95),
    ]


# --- what an answer is taken for ---


def test_an_answer_is_returned_as_it_is(play):
    world = World()
    world.answers = [said(0, 500, ActionStatus="OK", Rows=[1])]

    assert play(world).call(READ, {}) == {"ErrorCode": 0, "ActionStatus": "OK", "Rows": [1]}


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"ErrorCode": 0}',
        b'{"ErrorInfo": "\xff\xfe", "ErrorCode": 0}',
        b'{"ErrorInfo": "\x00\x01\n", "ErrorCode": 0}',
        b' {"ErrorCode": 0}\r\n',
    ],
)
def test_what_is_odd_around_the_code_does_not_hide_it(play, content):
    world = World()
    world.answers = [body(content)]

    assert play(world).call(READ, {})["ErrorCode"] == 0


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"0", b"[]", b'[{"ErrorCode": 0}]', b'{"x":' + b"[" * 100_000, b"{}", b'{"errorcode": 0}'),
        *(b'{"ErrorCode": %s}' % code for code in (b'"0"', b"false", b"true", b"0.0", b"null", b"[0]")),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_an_answer_without_an_error_code_is_lost_and_its_status_is_said(play, content):
    world = World()
    world.answers = [body(content, 502)]
    error = failure(play(world), ONCE)

    assert type(error) is TencentIMAmbiguousError
    assert (error.command, error.code) == (ONCE.path, None)
    assert error.info == "HTTP 502 without a JSON object that has an ErrorCode"


@pytest.mark.parametrize(("status", "redirect"), [(299, False), (300, True), (399, True), (400, False)])
def test_a_redirect_is_an_error_of_the_host_and_nothing_is_repeated(play, status, redirect):
    world = World()
    world.answers = [body(b"", status)]
    error = failure(play(world), ONCE)

    assert type(error) is (TencentIMInvalidRequestError if redirect else TencentIMAmbiguousError)
    assert (error.command, error.code, world.sent) == (ONCE.path, None, 1)
    if redirect:
        assert error.info == f"HTTP {status}: a redirect, which is not followed; check the host"


def test_a_redirect_that_has_an_error_code_is_an_answer(play):
    world = World()
    world.answers = [said(0, 302)]

    assert play(world).call(ONCE, {}) == {"ErrorCode": 0}


def test_an_answer_that_contradicts_itself_is_lost(play):
    world = World()
    world.answers = [said(0, ActionStatus="FAIL")]
    error = failure(play(world), ONCE)

    assert type(error) is TencentIMAmbiguousError
    assert error.info == "the answer contradicts itself: ErrorCode 0 with ActionStatus FAIL"


@pytest.mark.parametrize(
    ("info", "shown"),
    [
        ("group does not exist", "group does not exist"),
        ("", ""),
        (None, ""),
        (0, ""),
        (7, "7"),
        ({"a": [1]}, "{'a': [1]}"),
        (" a\r\n\x1b[31m\x00b ", "a   [31m b"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "\u2026"),
        ("x" * 199 + " y" * 9, "x" * 199 + "\u2026"),
    ],
    ids=map(str, count()),
)
def test_the_servers_words_are_shown_in_one_line_and_not_at_length(play, info, shown):
    world = World()
    world.answers = [said(10010, ErrorInfo=info)]
    error = failure(play(world), READ)

    assert (type(error), error.command, error.code) == (TencentIMNotFoundError, READ.path, 10010)
    assert error.info == shown


def test_words_that_are_nested_too_deeply_are_none():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    assert transport._printable(deep) == ""


def test_an_error_without_words_has_none(play):
    world = World()
    world.answers = [said(10010)]

    assert failure(play(world), READ).info == ""


def test_a_signature_that_comes_back_is_masked(play):
    world = World()
    world.answers = [said(0, Echo="x eJx*1 y")]

    assert play(world, signer=Signer()).call(READ, {})["Echo"] == "x *** y"


# --- tries ---


@pytest.mark.parametrize(
    ("command", "outcome", "error", "tries"),
    [
        (READ, LOST, TencentIMTransientError, 5),
        (WRITE, LOST, TencentIMAmbiguousError, 5),
        (ONCE, LOST, TencentIMAmbiguousError, 1),
        (READ, NEVER_SENT, TencentIMTransientError, 5),
        (WRITE, NEVER_SENT, TencentIMTransientError, 5),
        (ONCE, NEVER_SENT, TencentIMTransientError, 5),
        (READ, said(10002), TencentIMTransientError, 5),
        (WRITE, said(10002), TencentIMTransientError, 5),
        (ONCE, said(10002), TencentIMAmbiguousError, 1),
        (ONCE, said(60007), TencentIMRateLimitedError, 5),
        (READ, said(60008), TencentIMTransientError, 2),
        (WRITE, said(60008), TencentIMTransientError, 2),
        (READ, said(10010), TencentIMNotFoundError, 1),
        (READ, said(4711), TencentIMError, 1),
    ],
    ids=lambda value: getattr(value, "path", getattr(value, "__name__", None)),
)
def test_a_call_is_tried_again_where_that_is_safe_and_can_help(play, command, outcome, error, tries):
    world = World()
    world.answers = [outcome] * 9
    failed = failure(play(world), command)

    assert (type(failed), world.sent) == (error, tries)
    assert failed.command == command.path
    if isinstance(outcome, WireFault):
        assert (failed.code, failed.info) == (None, outcome.reason)
    else:
        assert failed.code == json.loads(outcome.body)["ErrorCode"]


@pytest.mark.parametrize("tries", [1, 2, 7])
def test_a_call_is_tried_as_often_as_asked_for(play, tries):
    world = World()
    world.answers = [LOST] * 9
    failure(play(world), READ, tries=tries)

    assert world.sent == tries


def test_a_call_that_heals_returns_its_answer(play):
    world = World()
    world.answers = [LOST, NEVER_SENT, said(10002), said(60007), said(0, Rows=[])]

    assert play(world).call(WRITE, {})["Rows"] == []
    assert len({payload for _, _, payload in world.posts}) == 1
    assert len({query for _, query, _ in world.posts}) == 5


@pytest.mark.parametrize(
    ("command", "outcomes", "error", "code"),
    [
        (WRITE, [LOST, said(10002)], TencentIMAmbiguousError, 10002),
        (WRITE, [LOST, said(60007)], TencentIMAmbiguousError, 60007),
        (WRITE, [LOST, NEVER_SENT], TencentIMAmbiguousError, None),
        (WRITE, [NEVER_SENT, said(10002)], TencentIMTransientError, 10002),
        (READ, [LOST, said(10002)], TencentIMTransientError, 10002),
        (WRITE, [LOST, said(10010)], TencentIMNotFoundError, 10010),
    ],
)
def test_a_write_that_may_have_been_carried_out_stays_open_unless_an_answer_is_clear(
    play, command, outcomes, error, code
):
    world = World()
    world.answers = [*outcomes]
    failed = failure(play(world), command, tries=2)

    assert (type(failed), failed.command, failed.code) == (error, command.path, code)
    if outcomes[-1] == NEVER_SENT:
        assert failed.info == NEVER_SENT.reason


def test_an_unclear_code_ends_a_call_at_its_second_time_whatever_came_between(play):
    world = World()
    world.answers = [said(60008), said(10002), said(60008), said(0)]

    assert failure(play(world), READ).code == 60008
    assert world.sent == 3


# --- waits ---


def waits_between_tries(world):
    return [seconds for seconds in world.waits if seconds != world.seconds]


@pytest.mark.parametrize(
    ("back_off", "tries"), [(60.0, 1), (59.5, 2), (25.0, 3), (10.0, 5)], ids=lambda value: f"{value:g}"
)
def test_no_try_begins_later_than_a_minute_after_the_first(play, monkeypatch, back_off, tries):
    world = World(wait=0.0)
    one = play(world)
    monkeypatch.setattr(transport, "_back_off", lambda _: back_off)
    world.answers = [LOST] * 9
    failure(one, READ)

    assert world.sent == tries
    assert waits_between_tries(world) == [back_off] * (tries - 1)


@pytest.mark.parametrize(
    ("code", "back_off", "waited", "slowed_down"),
    [
        (10002, 0.5, 0.5, []),
        (60007, 0.5, 1.0, [1.0]),
        (60007, 4.0, 4.0, [1.0]),
        (70050, 0.5, None, [60.0]),
    ],
)
def test_a_rate_limit_code_slows_everybody_down_and_the_next_try_waits_as_long(
    play, monkeypatch, code, back_off, waited, slowed_down
):
    world = World()
    one = play(world)
    monkeypatch.setattr(transport, "_back_off", lambda _: back_off)
    world.answers = [said(code)]
    if waited is None:
        failure(one, READ)
    else:
        one.call(READ, {})

    assert world.slowed_down == [("1/group_open_http_svc/get_group_info", seconds) for seconds in slowed_down]
    assert waits_between_tries(world) == ([] if waited is None else [waited])


def test_the_next_try_is_announced_with_what_failed(play, monkeypatch, caplog):
    world = World()
    one = play(world)
    monkeypatch.setattr(transport, "_back_off", lambda _: 2.5)
    world.answers = [said(10002), LOST]
    one.call(READ, {})

    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(f"Try 1 failed, the next follows in 2.5 s: {READ.path} failed with ErrorCode 10002")
    assert second.startswith(f"Try 2 failed, the next follows in 2.5 s: {READ.path} failed: lost on its way")


def test_the_wait_before_a_try_goes_by_how_many_there_were(play, monkeypatch):
    world = World()
    one = play(world)
    monkeypatch.setattr(transport, "_back_off", lambda state: 1.5 * state.attempt_number)
    world.answers = [LOST, LOST]
    one.call(READ, {})

    assert waits_between_tries(world) == [1.5, 3.0]


transport_back_off = transport._back_off  # before a test replaces it


def test_waits_grow_and_are_never_longer_than_16_seconds():
    for attempt in (1, 3, 40):
        waits = [transport_back_off(SimpleNamespace(attempt_number=attempt)) for _ in range(200)]
        assert 0 <= min(waits) <= max(waits) <= min(16, 0.5 * 2 ** (attempt - 1))


def test_a_try_that_did_not_fail_is_not_one_to_repeat():
    with pytest.raises(TypeError, match=r"^a try that did not fail is not repeated$"):
        transport._failure(SimpleNamespace(outcome=None))


# --- signatures ---


@pytest.mark.parametrize("code", [70001, 20002])
def test_a_signature_that_has_expired_is_replaced_within_the_same_try(play, caplog, code):
    caplog.set_level(logging.INFO)
    world, signer = World(), Signer()
    world.answers = [said(code)]

    assert play(world, signer=signer).call(ONCE, {}, tries=1) == {"ErrorCode": 0}
    assert [dict(parse_qsl(query))["usersig"] for _, query, _ in world.posts] == ["eJx*1", "eJx*2"]
    assert signer.refused == signer.usersigs[:1]
    assert caplog.messages == [f"{ONCE.path}: the signature has expired, signing again"]


def test_a_call_signs_again_only_once_and_the_next_one_may_again(play):
    world, signer = World(), Signer()
    one = play(world, signer=signer)
    world.answers = [said(70001), said(10002), said(70001)]

    error = failure(one, READ)
    assert (type(error), error.code, world.sent) == (TencentIMAuthError, 70001, 3)

    world.answers = [said(70001)]
    assert one.call(READ, {}) == {"ErrorCode": 0}
    assert len(signer.refused) == 2


# --- the end ---


def test_a_cancelled_transport_takes_no_turn_and_sends_nothing(play):
    world = World(wait=0.0)
    one = play(world)
    one.cancel()
    error = failure(one, READ)

    assert type(error) is TencentIMCancelledError
    assert (error.command, error.code, error.info) == (READ.path, None, "the task was stopped")
    assert (world.sent, world.waits) == (0, [])


@pytest.mark.parametrize("command", [READ, WRITE, ONCE])
def test_who_is_cancelled_while_waiting_sends_nothing(play, command):
    world = World(wait=5.0)
    one = play(world)
    one.cancel()

    assert type(failure(one, command)) is TencentIMCancelledError
    assert (world.sent, world.waits) == (0, [5.0])


def test_closing_closes_the_wire(play):
    world = World()
    play(world).close()

    assert world.closed


def test_a_call_does_not_show_its_payload():
    call = transport._Call(WRITE, b"private words", True)

    assert f"{call!r} {call}" == "_Call(openim/modify_group_msg) _Call(openim/modify_group_msg)"


@pytest.mark.parametrize(
    ("command", "repeatable", "kind"),
    [
        (WRITE, True, TencentIMTransientError),
        (ONCE, False, TencentIMAmbiguousError),
        (READ, False, TencentIMTransientError),
    ],
)
def test_only_a_write_that_must_not_be_repeated_is_ambiguous_at_once(command, repeatable, kind):
    call = transport._Call(command, b"", repeatable)
    error = call.lost("the line is gone")

    assert (type(error), error.command, error.code, error.info) == (kind, command.path, None, "the line is gone")
    assert call.maybe_done is command.writes


def test_an_answer_with_control_characters_and_without_utf_8_is_read_all_the_same(play):
    world = World()
    world.answers = [body(b'{"ErrorCode": 0, "old": "a\x01\nb", "cut": "\xe7\xbe"}')]

    assert play(world).call(READ, {}) == {"ErrorCode": 0, "old": "a\x01\nb", "cut": "\ufffd"}


@pytest.mark.parametrize(("fields", "sent"), [({"MsgSeq": 7}, 2), ({}, 1)])
def test_whether_a_lost_call_is_sent_again_may_depend_on_what_it_says(play, fields, sent):
    world = World()
    world.answers = [LOST]
    one = play(world)
    if sent == 2:
        one.call(CLEAR, {"GroupId": "room", **fields})
    else:
        assert type(failure(one, CLEAR, {"GroupId": "room"})) is TencentIMAmbiguousError

    assert world.sent == sent


def test_a_wait_between_two_tries_that_is_cut_short_names_the_command(play, monkeypatch):
    world = World(wait=0.0)
    world.answers = [NEVER_SENT]
    one = play(world)
    monkeypatch.setattr(transport, "_seconds_to_wait", lambda _: one.cancel() or 3.0)
    error = failure(one, READ)

    assert (type(error), error.command) == (TencentIMCancelledError, READ.path)
    assert (world.sent, world.waits) == (1, [3.0])
