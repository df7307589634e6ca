"""A recall from the inside: which calls go when and how many at once, and what is said of every message."""

from __future__ import annotations

import logging
from itertools import islice

import pytest

from airflow_provider_tencentim.client import recall
from airflow_provider_tencentim.client.bulk import in_turn
from airflow_provider_tencentim.client.caller import Caller
from airflow_provider_tencentim.client.errors import (
    TencentIMAmbiguousError,
    TencentIMAuthError,
    TencentIMCancelledError,
    TencentIMError,
    TencentIMPaceError,
    TencentIMTransientError,
    explain,
)
from airflow_provider_tencentim.client.recall import HISTORY, RECALL, GroupRecall, RecallResult

WHERE = {"GroupId": "room"}
GONE = 2


class Service(Caller):
    """Answers at once, in the thread that asks.

    :param codes: RetCode by MsgSeq, 0 when not named; or the error that every recall raises.
    :param places: IsPlaceMsg by MsgSeq; or the error that every look at the history raises.
    """

    def __init__(self, codes=None, places=None, recalls=3, lookups=2):
        self.codes, self.places = codes or {}, places or {}
        self.wanted = {RECALL: recalls, HISTORY: lookups}
        self.asked = []

    def call(self, command, body, *, tries=5):
        self.asked.append((command, body))
        if command == RECALL:
            if isinstance(self.codes, TencentIMError):
                raise self.codes
            seqs = [entry["MsgSeq"] for entry in body["MsgSeqList"]]
            return {"RecallRetList": [{"MsgSeq": seq, "RetCode": self.codes.get(seq, 0)} for seq in seqs]}
        if isinstance(self.places, TencentIMError):
            raise self.places
        seqs = range(body["ReqMsgSeq"], body["ReqMsgSeq"] - body["ReqMsgNumber"], -1)
        return {"RspMsgList": [{"MsgSeq": seq, "IsPlaceMsg": self.places[seq]} for seq in seqs if seq in self.places]}

    def in_flight_wanted(self, command):
        return self.wanted[command]

    def cancel(self):
        raise NotImplementedError

    @property
    def commands(self):
        """The first letters of the commands, in their order."""
        return "".join("R" if command == RECALL else "H" for command, _ in self.asked)


class Watched:
    """One after the other, noting for each how many might have been under way."""

    def __init__(self):
        self.sizes, self.interrupts = [], []

    def __call__(self, function, items, interrupt, /, *, size=lambda: 1):
        self.interrupts.append(interrupt)
        for item in items:
            self.sizes.append(size())
            yield function(item)


class WaitingForTheHistory(Watched):
    """Recalls are done at once; what is looked up comes back behind the last of them."""

    def __init__(self):
        super().__init__()
        self.waited_for = []

    def __call__(self, function, items, interrupt, /, *, size=lambda: 1):
        waiting = []
        for job in items:
            if job.func.__name__ == "_look_up":
                waiting.append(job)
            else:
                yield function(job)
        self.waited_for.append(len(waiting))
        yield from map(function, waiting)


def run(service, seqs, spread=in_turn):
    return list(GroupRecall(service, WHERE, {}, spread).run(seqs))


# --- what is said of a message ---


def one_result(code=0, place=None):
    return run(Service({7: code}, {} if place is None else {7: place}), [7])


@pytest.mark.parametrize(
    ("code", "place", "result"),
    [
        (0, None, RecallResult(7, "recalled", 0, "")),
        (10002, None, RecallResult(7, "failed", 10002, explain(10002))),
        (10032, GONE, RecallResult(7, "already_recalled", 10032, "")),
        (10032, None, RecallResult(7, "failed", 10032, explain(10032))),
        (10030, None, RecallResult(7, "missing", 10030, explain(10030))),
        (10030, 0, RecallResult(7, "failed", 10030, f"{explain(10030)}, yet the history shows it")),
        (4711, None, RecallResult(7, "failed", 4711, "the code is not documented")),
    ],
)
def test_a_result_has_the_servers_code_and_says_what_it_means(code, place, result):
    assert one_result(code, place) == [result]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], "the answer does not mention it"),
        ([{"MsgSeq": 8, "RetCode": 0}], "the answer does not mention it"),
        ([{"MsgSeq": 7, "RetCode": 0}, {"MsgSeq": 7, "RetCode": 10030}], "the answer gives it more than one code"),
    ],
)
def test_an_answer_without_one_code_for_a_message_is_a_failure_that_says_so(said, reason):
    class Odd(Service):
        def call(self, command, body, *, tries=5):
            return {"RecallRetList": said}

    assert run(Odd(), [7]) == [RecallResult(7, "failed", None, reason)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TencentIMTransientError(RECALL, 10002, "words of the server"), explain(10002)),
        (TencentIMTransientError(RECALL, None, "the line is gone"), "the line is gone"),
        (TencentIMAmbiguousError(RECALL, None, "the answer was lost"), "the answer was lost"),
    ],
)
def test_a_call_that_failed_fails_its_messages_with_its_code_and_its_reason(error, reason):
    assert run(Service(error), [7, 8]) == [RecallResult(seq, "failed", error.code, reason) for seq in (7, 8)]


def test_what_was_not_sent_because_the_run_ended_says_so():
    error = TencentIMAuthError(RECALL, 70009, "words of the server")
    results = GroupRecall(Service(error), WHERE, {}, in_turn).run(range(1, 13))

    said = [next(results) for _ in range(12)]
    with pytest.raises(TencentIMAuthError):
        next(results)
    assert said == [
        *(RecallResult(seq, "failed", 70009, explain(70009)) for seq in range(1, 11)),
        *(RecallResult(seq, "failed", 70009, f"not sent: {explain(70009)}") for seq in (11, 12)),
    ]


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (TencentIMAuthError(RECALL, 70009, "x"), 1),
        (TencentIMCancelledError(RECALL, None, "the task was stopped"), 1),
        (TencentIMPaceError(RECALL, None, "the store is gone"), 1),
        (TencentIMTransientError(RECALL, 10002, "x"), 3),
        (TencentIMAmbiguousError(RECALL, None, "x"), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_that_the_rest_would_share_ends_the_run_at_once_and_any_other_at_the_third(error, calls):
    service = Service(error)

    with pytest.raises(type(error)) as caught:
        run(service, range(1, 101))

    assert caught.value is error
    assert service.commands == "R" * calls


def test_the_error_that_ended_the_run_is_the_first_of_its_kind():
    """Calls that were under way fail as well, and are not the reason."""
    errors = iter([TencentIMAuthError(RECALL, 70009, "first"), TencentIMAuthError(RECALL, 70001, "second")])

    class Closing(Service):
        def call(self, command, body, *, tries=5):
            raise next(errors)

    def both_under_way(function, items, interrupt, /, *, size=lambda: 1):
        yield from [function(job) for job in islice(items, 2)]

    with pytest.raises(TencentIMAuthError, match="first"):
        run(Closing(), range(1, 21), both_under_way)


# --- when the history cannot be read ---


def test_a_history_that_cannot_be_read_leaves_open_what_the_code_means(caplog):
    error = TencentIMTransientError(HISTORY, 10002, "busy")
    results = run(Service({7: 10030, 8: 10032}, error), [7, 8])

    assert results == [
        RecallResult(
            seq, "failed", 10002, f"the recall said {code} ({explain(code)}), and the history could not be read"
        )
        for seq, code in ((7, 10030), (8, 10032))
    ]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"The history could not be read, so the server's codes stand as they are: {error}"


# --- which calls go when ---


def test_a_call_names_the_group_the_messages_and_the_reason_and_a_lookup_the_group():
    service = Service({1: 10032})
    where = {"GroupId": "@TGS#_1", "TopicId": "@TGS#_1@TOPIC#_1"}

    list(GroupRecall(service, where, {"Reason": "policy"}, in_turn).run([1, 2]))

    assert service.asked == [
        (RECALL, {**where, "MsgSeqList": [{"MsgSeq": 1}, {"MsgSeq": 2}], "Reason": "policy"}),
        (HISTORY, {**where, "ReqMsgSeq": 1, "ReqMsgNumber": 1, "WithRecalledMsg": 1}),
    ]


def windows(service):
    return [(body["ReqMsgSeq"], body["ReqMsgNumber"]) for command, body in service.asked if command == HISTORY]


def test_so_many_are_collected_before_they_are_looked_up_again_and_again(monkeypatch):
    monkeypatch.setattr(recall, "_LOOK_UP_AT", 20)
    service = Service(dict.fromkeys(range(1, 61), 10030))

    results = run(service, range(1, 61))

    assert service.commands == "RRHRRHRRH"
    assert windows(service) == [(20, 20), (40, 20), (60, 20)]
    assert [result.msg_seq for result in results] == list(range(1, 61))


def test_what_is_left_is_looked_up_behind_the_last_recall(monkeypatch):
    monkeypatch.setattr(recall, "_LOOK_UP_AT", 20)
    service = Service(dict.fromkeys([*range(1, 20), 25], 10030) | {30: 10032})

    assert {result.msg_seq for result in run(service, range(1, 31))} == set(range(1, 31))
    assert service.commands == "RRRHH"
    assert windows(service) == [(19, 19), (30, 6)]


def test_a_lookup_spans_the_lowest_messages_that_a_page_can_show():
    seqs = [5, 24, 25, 4_294_967_276, 4_294_967_295]
    service = Service({5: 10030, 24: 10031, 25: 10032, 4_294_967_276: 10030, 4_294_967_295: 10030})

    results = run(service, seqs)

    assert windows(service) == [(24, 20), (25, 1), (4_294_967_295, 20)]
    assert [(result.msg_seq, result.code) for result in results] == [(seq, service.codes[seq]) for seq in seqs]


def test_a_history_that_answers_late_has_only_so_many_lookups_under_way(monkeypatch):
    monkeypatch.setattr(recall, "_LOOK_UP_AT", 20)
    spread = WaitingForTheHistory()
    service = Service(dict.fromkeys(range(1, 201), 10030), lookups=2)

    results = run(service, range(1, 201), spread)

    assert spread.waited_for == [2, 8]
    assert service.commands == "R" * 20 + "H" * 10
    assert {result.outcome for result in results} == {"missing"}
    assert len(results) == 200


def test_lookups_that_are_done_make_room_for_others(monkeypatch):
    monkeypatch.setattr(recall, "_LOOK_UP_AT", 20)
    service = Service(dict.fromkeys(range(1, 81), 10030), lookups=1)

    run(service, range(1, 81))

    assert service.commands == "RRH" * 4


# --- how many at once ---


def test_lookups_have_room_beside_the_recalls_only_while_there_are_any(monkeypatch):
    monkeypatch.setattr(recall, "_LOOK_UP_AT", 40)
    spread = Watched()
    service = Service(dict.fromkeys([*range(1, 41), 90], 10030), recalls=5, lookups=2)

    run(service, range(1, 91), spread)

    assert service.commands == "RRRRHRHRRRRH"
    recalls_alone, with_lookups, lookups_alone = 5, 7, 2
    assert spread.sizes == [
        *[recalls_alone] * 4,
        *[with_lookups] * 3,
        *[recalls_alone] * 4,
        lookups_alone,
    ]
    assert spread.interrupts == [service.cancel] * 2


def test_a_preview_reads_as_many_pages_at_once_as_the_history_wants():
    spread = Watched()
    service = Service(places={1: 0, 2: 1, 30: GONE}, lookups=2)

    results = list(GroupRecall(service, WHERE, {}, spread).preview([1, 2, 3, 30]))

    assert results == [
        RecallResult(1, "recallable", None, ""),
        RecallResult(2, "missing", None, "it was deleted or has expired"),
        RecallResult(3, "missing", None, "the history does not show it"),
        RecallResult(30, "already_recalled", None, ""),
    ]
    assert spread.sizes == [2, 2]
    assert spread.interrupts == [service.cancel]
    assert windows(service) == [(3, 3), (30, 1)]
