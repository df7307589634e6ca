"""Recalling: ten a call, a verdict for every message, and never a verdict that nobody gave."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import SDKAPPID, ScriptedServer, UnpacedPacer, answer, http

from airflow_provider_tencentim.client import recall, transport
from airflow_provider_tencentim.client.bulk import side_by_side
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import (
    TencentIMCancelledError,
    TencentIMError,
    TencentIMNotFoundError,
    TencentIMTransientError,
    TencentIMUnsupportedError,
)
from airflow_provider_tencentim.client.pacing import ProcessPacer

RECALL = "group_open_http_svc/group_msg_recall"
HISTORY = "group_open_http_svc/group_msg_get_simple"

THERE, EXPIRED, GONE = 0, 1, 2


class Room:
    """A group behind a scripted server: what it says of each message, and how its history shows it.

    :param codes: RetCode by MsgSeq; a list says several, an empty one leaves the message out. 0 when not named.
    :param places: IsPlaceMsg by MsgSeq; what is not named is not in the history.
    """

    def __init__(self, codes=None, places=None):
        self.codes = codes or {}
        self.places = places or {}

    def __call__(self, request):
        return self.recall(request) if request.command == RECALL else self.history(request)

    def recall(self, request):
        entries = []
        for entry in request.json()["MsgSeqList"]:
            codes = self.codes.get(entry["MsgSeq"], 0)
            entries += [
                {"MsgSeq": entry["MsgSeq"], "RetCode": code} for code in (codes if isinstance(codes, list) else [codes])
            ]
        return answer(RecallRetList=entries)

    def history(self, request):
        body = request.json()
        window = range(body["ReqMsgSeq"], max(0, body["ReqMsgSeq"] - body["ReqMsgNumber"]), -1)
        return self.page(seq for seq in window if seq in self.places)

    def page(self, seqs):
        return answer(RspMsgList=[{"MsgSeq": seq, "IsPlaceMsg": self.places.get(seq, 0)} for seq in seqs])


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


@pytest.fixture(scope="module")
def server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def play(server):
    """Let the server be a room, and return a client of it."""

    def play(room, **options):
        server.replies[:] = [room]
        server.requests.clear()
        return server.client(calls_per_second=200, **options)

    return play


def sent(server, command):
    return [request.json() for request in server.requests if request.command == command]


def outcomes(results):
    return {result.msg_seq: (result.outcome, result.code) for result in results}


def drain(results):
    """All results, and the error behind the last."""
    seen = []
    try:
        for result in results:
            seen.append(result)
    except TencentIMError as error:
        return seen, error
    return seen, None


# --- verdicts ---

VERDICTS = {
    "recalled": (0, None, ("recalled", 0)),
    "missing, and not in the history": (10030, None, ("missing", 10030)),
    "missing, and expired": (10030, EXPIRED, ("missing", 10030)),
    "missing, because recalled before": (10030, GONE, ("already_recalled", 10030)),
    "missing, yet the history shows it": (10030, THERE, ("failed", 10030)),
    "too old": (10031, THERE, ("failed", 10031)),
    "too old, and recalled before": (10031, GONE, ("already_recalled", 10031)),
    "too old, and expired": (10031, EXPIRED, ("failed", 10031)),
    "not recallable": (10032, THERE, ("failed", 10032)),
    "not recallable, because recalled before": (10032, GONE, ("already_recalled", 10032)),
    "not recallable, and not in the history": (10032, None, ("failed", 10032)),
    "internal error": (10002, GONE, ("failed", 10002)),
    "not documented": (4711, GONE, ("failed", 4711)),
    "negative": (-1, None, ("failed", -1)),
    "left out": ([], GONE, ("failed", None)),
    "twice the same": ([0, 0], None, ("recalled", 0)),
    "twice, and only once a success": ([0, 10030], None, ("failed", None)),
    "twice, with two failures": ([10030, 10032], GONE, ("failed", None)),
    "RetCode is text": (["0"], None, ("failed", None)),
    "RetCode is true": ([True], None, ("failed", None)),
    "RetCode is false": ([False], None, ("failed", None)),
    "RetCode is 0.0": ([0.0], None, ("failed", None)),
    "RetCode is null": ([None], None, ("failed", None)),
    "RetCode is text, and again a number": (["10030", 0], None, ("recalled", 0)),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_message_gets_the_verdict_that_the_server_gave_it(play, name):
    code, place, verdict = VERDICTS[name]
    client = play(Room({7: code}, {} if place is None else {7: place}))

    results = list(client.group_msg_recall("room", [7]))

    assert outcomes(results) == {7: verdict}
    assert (results[0].reason == "") is (verdict[0] in ("recalled", "already_recalled"))


def test_all_verdicts_in_one_run_come_out_one_by_one(play):
    seqs = dict(enumerate(VERDICTS.values(), start=100))
    codes = {seq: code for seq, (code, _, _) in seqs.items()}
    places = {seq: place for seq, (_, place, _) in seqs.items() if place is not None}
    client = play(Room(codes, places))

    results = list(client.group_msg_recall("room", seqs))

    assert outcomes(results) == {seq: verdict for seq, (_, _, verdict) in seqs.items()}
    assert len(results) == len(seqs)


@pytest.mark.parametrize(
    "entries",
    [
        None,
        "OK",
        {},
        {"7": 0},
        [],
        [None],
        ["7"],
        [7, 0],
        [[7, 0]],
        [{"MsgSeq": 7}],
        [{"RetCode": 0}],
        [{"MsgSeq": "7", "RetCode": 0}],
        [{"MsgSeq": 7.0, "RetCode": 0}],
        [{"MsgSeq": True, "RetCode": 0}],
        [{"msgseq": 7, "retcode": 0}],
    ],
    ids=repr,
)
def test_an_answer_that_does_not_speak_of_a_message_is_no_success(play, entries):
    client = play(lambda _: answer(RecallRetList=entries))

    results = list(client.group_msg_recall("room", [7]))

    assert outcomes(results) == {7: ("failed", None)}


def test_an_answer_without_a_list_is_no_success(play):
    assert outcomes(play(lambda _: answer()).group_msg_recall("room", [1, 2])) == {
        1: ("failed", None),
        2: ("failed", None),
    }


def test_what_an_answer_says_of_messages_that_were_not_asked_for_is_not_believed(play):
    entries = [{"MsgSeq": seq, "RetCode": 0} for seq in range(1, 50)]
    client = play(lambda _: answer(RecallRetList=entries))

    results = list(client.group_msg_recall("room", [48, 49, 50]))

    assert outcomes(results) == {48: ("recalled", 0), 49: ("recalled", 0), 50: ("failed", None)}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.integers(1, 90),
        st.one_of(
            st.sampled_from([0, 10030, 10031, 10032, 10033, 4711]),
            st.lists(st.sampled_from([0, 10030, "0", None, True]), max_size=3),
        ),
        min_size=1,
        max_size=45,
    ),
    st.dictionaries(st.integers(1, 90), st.sampled_from([THERE, EXPIRED, GONE])),
)
def test_every_message_has_exactly_one_result_and_only_a_clear_success_is_one(play, codes, places):
    client = play(Room(codes, places))

    results = list(client.group_msg_recall("room", codes))

    assert Counter(result.msg_seq for result in results) == Counter(list(codes))
    for result in results:
        code = codes[result.msg_seq]
        said = {one for one in (code if isinstance(code, list) else [code]) if type(one) is int}
        assert (result.outcome == "recalled") is (said == {0})
        if result.outcome == "already_recalled":
            assert places[result.msg_seq] == GONE
        if result.outcome == "missing":
            assert said == {10030}
            assert places.get(result.msg_seq) in (None, EXPIRED)


# --- calls ---


def test_ten_go_into_a_call_and_doubles_go_once(play, server):
    client = play(Room())

    results = list(client.group_msg_recall("room", [*range(1, 26), 25, 3, "1-4, 100"]))

    sizes = sorted(len(body["MsgSeqList"]) for body in sent(server, RECALL))
    asked = [entry["MsgSeq"] for body in sent(server, RECALL) for entry in body["MsgSeqList"]]
    assert sizes == [6, 10, 10]
    assert sorted(asked) == [*range(1, 26), 100]
    assert len(results) == 26
    assert sent(server, HISTORY) == []


def test_nothing_to_recall_is_no_call(play, server):
    assert list(play(Room()).group_msg_recall("room", [])) == []
    assert server.requests == []


def test_topic_and_reason_go_into_every_call_and_the_topic_into_every_lookup(play, server):
    client = play(Room(dict.fromkeys(range(1, 26), 10032)))

    list(client.group_msg_recall("@TGS#_1", range(1, 26), "@TGS#_1@TOPIC#_2", "policy"))

    assert {(body["GroupId"], body["TopicId"], body["Reason"]) for body in sent(server, RECALL)} == {
        ("@TGS#_1", "@TGS#_1@TOPIC#_2", "policy")
    }
    assert {(body["GroupId"], body["TopicId"]) for body in sent(server, HISTORY)} == {("@TGS#_1", "@TGS#_1@TOPIC#_2")}
    assert not any("Reason" in body for body in sent(server, HISTORY))


def test_the_emulator_and_the_client_agree_on_every_state(emulator):
    emulator.add_group(
        "room", messages=[{"MsgBody": "x", "state": state} for state in ("normal", "recalled", "expired")]
    )
    emulator.assume({"recall_of_recalled": 10032})
    with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url, pacer=ProcessPacer()) as client:
        before = outcomes(client.preview_group_msg_recall("room", [1, 2, 3, 4]))
        results = outcomes(client.group_msg_recall("room", [1, 2, 3, 4]))

    assert {seq: outcome for seq, (outcome, _) in before.items()} == {
        1: "recallable",
        2: "already_recalled",
        3: "missing",
        4: "missing",
    }
    assert {seq: outcome for seq, (outcome, _) in results.items()} == {
        1: "recalled",
        2: "already_recalled",
        3: "missing",
        4: "missing",
    }


def test_a_recall_at_the_emulator_withdraws_what_was_named_and_nothing_else(emulator):
    emulator.add_group("room", messages=100)
    emulator.add_group("other", messages=100)
    with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url, pacer=ProcessPacer()) as client:
        results = list(client.group_msg_recall("room", "3-40, 77"))

    groups = emulator.state()["groups"]
    recalled = {message["MsgSeq"] for message in groups["room"]["messages"] if message["state"] == "recalled"}
    assert recalled == {*range(3, 41), 77} == {result.msg_seq for result in results}
    assert {message["state"] for message in groups["other"]["messages"]} == {"normal"}


# --- lookups ---


def test_lookups_read_twenty_messages_at_a_time_recalled_ones_included(play, server):
    client = play(Room(dict.fromkeys(range(1, 101), 10032), dict.fromkeys(range(1, 101), GONE)))

    results = list(client.group_msg_recall("room", range(1, 101)))

    assert {result.outcome for result in results} == {"already_recalled"}
    pages = sent(server, HISTORY)
    assert sorted(body["ReqMsgSeq"] for body in pages) == [20, 40, 60, 80, 100]
    assert {(body["ReqMsgNumber"], body["WithRecalledMsg"]) for body in pages} == {(20, 1)}


def test_lookups_skip_the_ranges_between_distant_messages(play, server):
    seqs = [1, 5, 1_000_000, 4_294_967_295]
    client = play(Room(dict.fromkeys(seqs, 10030)))

    results = list(client.group_msg_recall("room", seqs))

    assert {result.outcome for result in results} == {"missing"}
    assert len(sent(server, HISTORY)) == 3


def test_lookups_go_beside_the_recalls_and_never_keep_them_waiting(play, server):
    """The history answers nothing before the last message is recalled."""
    done = threading.Event()

    class Stuck(Room):
        def recall(self, request):
            if {"MsgSeq": 3000} in request.json()["MsgSeqList"]:
                done.set()
            return super().recall(request)

        def history(self, request):
            return super().history(request) if done.wait(20) else answer(10044)

    client = play(
        Stuck(dict.fromkeys(range(1, 3001), 10030), dict.fromkeys(range(1, 3001), GONE)), pacer=UnpacedPacer()
    )
    results = list(client.group_msg_recall("room", range(1, 3001)))

    commands = [request.command for request in server.requests]
    assert commands.index(HISTORY) < len(commands) - commands[::-1].index(RECALL)
    assert Counter(result.outcome for result in results) == {"already_recalled": 3000}
    assert commands.count(HISTORY) == 150


def test_only_what_is_missing_or_not_recallable_is_looked_up(play, server):
    client = play(Room({1: 10002, 2: 10033, 3: 4711, 4: [], 5: 10030}))

    list(client.group_msg_recall("room", range(1, 6)))

    (page,) = sent(server, HISTORY)
    assert (page["ReqMsgSeq"], page["ReqMsgNumber"]) == (5, 1)


def test_a_page_that_is_shorter_than_asked_for_is_followed(play, server):
    class Stingy(Room):
        def history(self, request):
            newest = request.json()["ReqMsgSeq"]
            return self.page(range(newest, max(0, newest - 3), -1))

    client = play(Stingy(dict.fromkeys(range(1, 21), 10032), dict.fromkeys(range(1, 21), GONE)))

    results = list(client.group_msg_recall("room", range(1, 21)))

    assert {result.outcome for result in results} == {"already_recalled"}
    assert [body["ReqMsgSeq"] for body in sent(server, HISTORY)] == [20, 17, 14, 11, 8, 5, 2]


ODD_HISTORIES = {
    "the same page again and again": lambda room, body: room.page([20, 19]),
    "rising": lambda room, body: room.page(range(body["ReqMsgSeq"] + 1, body["ReqMsgSeq"] + 21)),
    "only the newest": lambda room, body: room.page([body["ReqMsgSeq"]]),
    "empty": lambda room, body: room.page([]),
    "empty, and says there is more": lambda room, body: answer(RspMsgList=[], IsFinished=0),
    "no list": lambda room, body: answer(),
    "no list but an object": lambda room, body: answer(RspMsgList={"MsgSeq": 1}),
    "entries of the wrong type": lambda room, body: answer(RspMsgList=[None, 7, "x", [], {"MsgSeq": "7"}]),
    "seqs below one": lambda room, body: room.page([0, -5]),
    "seqs of the wrong type": lambda room, body: answer(RspMsgList=[{"MsgSeq": 20.0, "IsPlaceMsg": 2}]),
    "unknown places": lambda room, body: answer(RspMsgList=[{"MsgSeq": 20, "IsPlaceMsg": 9}]),
    "places that cannot be compared": lambda room, body: answer(RspMsgList=[{"MsgSeq": 20, "IsPlaceMsg": [2]}]),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ODD_HISTORIES)
def test_an_odd_history_is_not_read_for_ever_and_makes_nothing_recalled(play, server, name):
    class Odd(Room):
        def history(self, request):
            return ODD_HISTORIES[name](self, request.json())

    client = play(Odd(dict.fromkeys(range(1, 21), 10032)))

    results = list(client.group_msg_recall("room", range(1, 21)))

    assert [result.outcome for result in results] == ["failed"] * 20
    assert len(sent(server, HISTORY)) <= 20


def test_is_place_msg_may_be_absent_but_not_something_else(play):
    class Odd(Room):
        def history(self, request):
            shown = [{"MsgSeq": 3}, {"MsgSeq": 2, "IsPlaceMsg": "2"}, {"MsgSeq": 1, "IsPlaceMsg": True}]
            return answer(RspMsgList=shown)

    client = play(Odd(dict.fromkeys((1, 2, 3), 10030)))

    results = outcomes(client.group_msg_recall("room", [1, 2, 3]))

    assert results[3] == ("failed", 10030), "the history shows it"
    assert results[2][0] != "already_recalled"
    assert results[1][0] != "already_recalled"


def test_a_group_without_history_leaves_the_servers_codes_as_they_are(play):
    class Live(Room):
        def history(self, request):
            return answer(10044, "AVChatRoom")

    client = play(Live({1: 10030, 2: 10032, 3: 0}))

    assert outcomes(client.group_msg_recall("live", [1, 2, 3])) == {
        1: ("missing", 10030),
        2: ("failed", 10032),
        3: ("recalled", 0),
    }


def test_while_the_history_cannot_be_read_nothing_is_called_missing(play):
    class Down(Room):
        def history(self, request):
            return answer(10002)

    client = play(Down({1: 10030, 2: 10032, 3: 0}))

    results = {result.msg_seq: result for result in client.group_msg_recall("room", [1, 2, 3])}

    assert {seq: result.outcome for seq, result in results.items()} == {1: "failed", 2: "failed", 3: "recalled"}
    assert "10030" in results[1].reason
    assert "10032" in results[2].reason


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(answer(70009), id="the key was rotated"),
        pytest.param(answer(60010), id="no longer an administrator"),
        pytest.param(answer(10026), id="the command is forbidden"),
        pytest.param(http("", "302 Found", Location="/elsewhere"), id="the host leads elsewhere"),
    ],
)
def test_a_history_that_may_not_be_read_calls_nothing_missing(play, refusal):
    class Closed(Room):
        def history(self, request):
            return refusal

    client = play(Closed({1: 10030, 2: 10032, 3: 0}))

    results = {result.msg_seq: result.outcome for result in client.group_msg_recall("room", [1, 2, 3])}

    assert results == {1: "failed", 2: "failed", 3: "recalled"}


def test_a_history_that_the_connection_does_not_allow_calls_nothing_missing(play):
    client = play(Room({1: 10030, 2: 0}, {1: THERE}), allowed_commands=[RECALL])

    results = {result.msg_seq: result.outcome for result in client.group_msg_recall("room", [1, 2])}

    assert results == {1: "failed", 2: "recalled"}


# --- when calls fail ---


def test_a_call_that_fails_fails_its_ten_and_the_others_go_on(play, monkeypatch):
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)

    class Moody(Room):
        def recall(self, request):
            return answer(10002) if {"MsgSeq": 11} in request.json()["MsgSeqList"] else super().recall(request)

    results, error = drain(play(Moody()).group_msg_recall("room", range(1, 101)))

    failed = {result.msg_seq: result.code for result in results if result.outcome == "failed"}
    assert failed == dict.fromkeys(range(11, 21), 10002)
    assert len(results) == 100
    assert error is None


@pytest.mark.parametrize(("code", "kind"), [(10010, TencentIMNotFoundError), (10033, TencentIMUnsupportedError)])
def test_an_error_that_every_call_would_meet_stops_the_run(play, server, code, kind):
    client = play(lambda _: answer(code))

    results, error = drain(client.group_msg_recall("room", range(1, 10_001)))

    assert (type(error), error.code) == (kind, code)
    assert len(sent(server, RECALL)) <= 32
    assert Counter(result.msg_seq for result in results) == Counter(range(1, 10_001))
    assert {result.outcome for result in results} == {"failed"}
    asked = {entry["MsgSeq"] for body in sent(server, RECALL) for entry in body["MsgSeqList"]}
    assert {result.msg_seq for result in results if result.reason.startswith("not sent")} == set(
        range(1, 10_001)
    ) - asked


def test_three_calls_in_a_row_that_failed_with_all_their_tries_stop_the_run(play, server):
    client = play(lambda _: answer(10002))

    results, error = drain(client.group_msg_recall("room", range(1, 10_001)))

    assert type(error) is TencentIMTransientError
    assert len(results) == 10_000
    assert len(sent(server, RECALL)) <= 40 * 5
    assert sum(result.reason.startswith("not sent") for result in results) >= 9_000


@pytest.mark.parametrize(
    ("fails", "calls", "stopped"),
    [
        ("F....", 5, False),
        ("FF.FF.FF.", 9, False),
        ("FFF......", 4, True),
        ("..FF.FFF...", 9, True),
    ],
)
def test_only_three_failed_calls_in_a_row_stop_the_run(play, server, monkeypatch, fails, calls, stopped):
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    monkeypatch.setattr(recall, "side_by_side", partial(side_by_side, workers=1))
    turns = iter(fails)

    class Moody(Room):
        def recall(self, request):
            return answer(10002) if next(turns) == "F" else super().recall(request)

    results, error = drain(play(Moody()).group_msg_recall("room", range(1, len(fails) * 10 + 1)))

    assert len(results) == len(fails) * 10
    assert len(sent(server, RECALL)) <= calls, "one more call may be under way when the third one fails"
    assert (error is not None) is stopped
    if not stopped:
        assert Counter(result.outcome for result in results)["failed"] == fails.count("F") * 10


def test_what_was_recalled_before_the_run_was_stopped_is_reported_as_recalled(play):
    class Closing(Room):
        turn = 0

        def recall(self, request):
            self.turn += 1
            return super().recall(request) if self.turn <= 20 else answer(60016, "disabled")

    results, error = drain(play(Closing()).group_msg_recall("room", range(1, 2001)))

    counts = Counter(result.outcome for result in results)
    assert error.code == 60016
    assert counts["recalled"] == 200
    assert sum(counts.values()) == 2000


def test_lost_answers_are_failures_that_say_so(play, monkeypatch):
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    results, error = drain(play(lambda _: None).group_msg_recall("room", [1, 2]))

    assert error is None
    assert {(result.outcome, result.code) for result in results} == {("failed", None)}
    assert all(result.reason for result in results)


def test_a_run_whose_caller_stops_taking_results_sends_nothing_more(play, server):
    client = play(Room())
    results = client.group_msg_recall("room", range(1, 100_001))

    assert len(list(islice(results, 5))) == 5
    results.close()
    count = len(server.requests)
    time.sleep(0.2)

    assert len(server.requests) == count <= 32


def test_a_run_that_nobody_takes_a_result_of_sends_nothing(play, server):
    results = play(Room()).group_msg_recall("room", range(1, 100_001))
    results.close()

    assert server.requests == []


def test_calls_do_not_run_ahead_of_results_that_nobody_takes(play, server):
    results = play(Room()).group_msg_recall("room", range(1, 100_001))

    next(results)
    time.sleep(0.3)

    assert len(server.requests) <= 32
    results.close()


def test_cancel_during_the_lookups_sends_no_more_and_calls_nothing_missing(play, server):
    class Slow(Room):
        def history(self, request):
            time.sleep(0.05)
            return super().history(request)

    client = play(Slow(dict.fromkeys(range(1, 20_001, 20), 10030)))
    results = client.group_msg_recall("room", range(1, 20_001, 20))
    first = next(results)
    client.cancel()
    count = len(server.requests)

    rest, _ = drain(results)

    assert first.outcome == "missing"
    assert len(server.requests) <= count + 16, "calls that were on the line may still arrive"
    assert len(rest) == 999
    assert sum(result.outcome == "failed" for result in rest) >= 900
    assert not [result for result in rest if result.outcome in ("recalled", "already_recalled")]


def test_cancel_ends_a_run_and_counts_the_rest_as_not_sent(play, server):
    client = play(Room())
    results = client.group_msg_recall("room", range(1, 100_001))
    first = list(islice(results, 100))
    client.cancel()
    count = len(server.requests)

    rest, error = drain(results)

    assert type(error) is TencentIMCancelledError
    assert len(server.requests) <= count + 16, "calls that were on the line may still arrive"
    assert len(first) + len(rest) == 100_000
    assert rest[-1].outcome == "failed"
    assert rest[-1].reason.startswith("not sent")


def test_cancel_ends_a_run_of_a_single_call_with_an_error_too(play, server):
    client = play(Room())
    client.cancel()

    results, error = drain(client.group_msg_recall("room", [1, 2]))

    assert type(error) is TencentIMCancelledError
    assert outcomes(results) == {1: ("failed", None), 2: ("failed", None)}
    assert server.requests == []


def test_cancel_wakes_a_run_that_waits_for_its_turn(play, server):
    pacer = ProcessPacer()
    client = play(Room(), pacer=pacer)
    pacer.slow_down(f"{SDKAPPID}/{RECALL}", 50)
    timer = threading.Timer(0.1, client.cancel)
    timer.start()

    results, error = drain(client.group_msg_recall("room", range(1, 1001)))
    timer.join()

    assert type(error) is TencentIMCancelledError
    assert len(results) == 1000
    assert server.requests == []


# --- preview ---


def test_a_preview_tells_from_the_history_alone_and_sends_no_command_that_writes(play, server):
    client = play(Room(places={1: THERE, 2: EXPIRED, 3: GONE}), allowed_commands="read")

    results = outcomes(client.preview_group_msg_recall("room", "1-4, 900"))

    assert results == {
        1: ("recallable", None),
        2: ("missing", None),
        3: ("already_recalled", None),
        4: ("missing", None),
        900: ("missing", None),
    }
    assert {request.command for request in server.requests} == {HISTORY}


def test_a_preview_of_a_group_without_history_is_an_error(play):
    client = play(lambda _: answer(10044))

    with pytest.raises(TencentIMUnsupportedError):
        list(client.preview_group_msg_recall("live", [1]))


def test_a_client_that_may_only_read_recalls_nothing(play, server):
    results, error = drain(play(Room(), allowed_commands="read").group_msg_recall("room", range(1, 101)))

    assert error.kind.value == "permission"
    assert {result.outcome for result in results} == {"failed"}
    assert len(results) == 100
    assert server.requests == []
