"""One row of a plan, when single messages or all calls fail: what ends the row, what is sent behind that, and why."""

from __future__ import annotations

import pytest
from retention_world import CLEAR, HISTORY, MODIFY, RECALL, UnpacedPacer
from scripted_server import ScriptedServer, answer

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.seqs import parse_seqs
from airflow_provider_tencentim.retention.actions import GroupActions
from airflow_provider_tencentim.retention.plan import PlanRow
from airflow_provider_tencentim.retention.policy import RetentionPolicy

POLICY = {"action": "redact", "before": "2026-01-01", "all_groups": True, "replacement": "removed"}
THERE, EXPIRED, RECALLED, ABSENT = 0, 1, 2, None
LASTING, PASSING, EVERYWHERE, REFUSED = 20001, 10002, 60020, 70003


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


class Room:
    """A group on a server.

    :param codes: of single messages, when they are overwritten or recalled.
    :param places: how the history shows messages, if not as messages.
    :param refused: the ErrorCode of every call of a command.
    """

    def __init__(self, codes=None, places=None, refused=None):
        self.codes, self.places, self.refused = codes or {}, places or {}, refused or {}
        self.overwritten, self.recalled, self.calls = [], [], []

    def __call__(self, request):
        body = request.json()
        self.calls.append(request.command)
        if request.command in self.refused:
            return answer(self.refused[request.command], "why")
        if request.command == MODIFY:
            self.overwritten.append(body["MsgSeq"])
            return answer(self.codes.get(body["MsgSeq"], 0), "why")
        if request.command == RECALL:
            seqs = [entry["MsgSeq"] for entry in body["MsgSeqList"]]
            self.recalled += seqs
            return answer(RecallRetList=[{"MsgSeq": seq, "RetCode": self.codes.get(seq, 0)} for seq in seqs])
        if request.command == HISTORY:
            seqs = range(body["ReqMsgSeq"], body["ReqMsgSeq"] - body["ReqMsgNumber"], -1)
            places = [(seq, self.places.get(seq, THERE)) for seq in seqs if seq > 0]
            shown = [{"MsgSeq": seq, "IsPlaceMsg": place} for seq, place in places if place is not ABSENT]
            return answer(RspMsgList=shown, IsFinished=1)
        return answer()

    def carry_out(self, action, ranges, wide=False):
        seqs = parse_seqs([ranges])
        row = PlanRow(group="room", action=action, through=max(seqs), ranges=ranges, messages=len(seqs))
        if action == "clear":
            row = PlanRow(group="room", action=action, through=max(seqs), messages=max(seqs))
        with ScriptedServer(self) as server, server.client(pacer=UnpacedPacer()) as client:
            return GroupActions(client, RetentionPolicy.parse(POLICY), None).carry_out(1, row, wide)


def counts(outcome):
    return outcome.requested, outcome.done, outcome.already, outcome.missing, outcome.failed


# --- single messages ---


@pytest.mark.parametrize(
    ("action", "place", "expected"),
    [
        ("redact", THERE, (5, 4, 0, 0, 1)),
        ("redact", EXPIRED, (5, 4, 0, 1, 0)),
        ("redact", RECALLED, (5, 4, 0, 1, 0)),
        ("redact", ABSENT, (5, 4, 0, 1, 0)),
        ("redact_and_recall", THERE, (5, 4, 0, 0, 1)),
        ("redact_and_recall", EXPIRED, (5, 4, 0, 1, 0)),
        ("redact_and_recall", RECALLED, (5, 4, 1, 0, 0)),
        ("redact_and_recall", ABSENT, (5, 4, 0, 1, 0)),
    ],
)
def test_the_history_judges_a_message_that_cannot_be_overwritten(wide, action, place, expected):
    room = Room({3: LASTING}, {3: place})
    outcome = room.carry_out(action, "1-5", wide)

    assert counts(outcome) == expected
    assert outcome.code == (LASTING if expected[4] else None)
    assert outcome.error is None
    assert sorted(room.overwritten) == [1, 2, 3, 4, 5]
    assert sorted(room.recalled) == ([1, 2, 4, 5] if action == "redact_and_recall" else [])


@pytest.mark.parametrize(("action", "done"), [("redact", 2), ("redact_and_recall", 0)])
def test_a_message_that_cannot_be_judged_ends_the_row(action, done):
    room = Room({3: LASTING}, refused={HISTORY: PASSING})
    outcome = room.carry_out(action, "1-5")

    assert counts(outcome) == (5, done, 0, 0, 5 - done)
    assert (outcome.code, outcome.error.command, outcome.error.code) == (LASTING, HISTORY, PASSING)
    assert room.overwritten == [1, 2, 3]
    assert room.recalled == []


def test_messages_that_fail_for_now_here_and_there_do_not_end_the_row():
    room = Room(dict.fromkeys((1, 2, 4, 5, 7), PASSING))
    outcome = room.carry_out("redact", "1-9")

    assert counts(outcome) == (9, 4, 0, 0, 5)
    assert (outcome.code, outcome.error) == (PASSING, None)
    assert outcome.calls == 9
    assert set(room.overwritten) == set(range(1, 10))


@pytest.mark.parametrize(("action", "done"), [("redact", 1), ("redact_and_recall", 0)])
def test_three_messages_in_a_row_that_fail_for_now_end_the_row(action, done):
    room = Room(dict.fromkeys((2, 3, 4), PASSING))
    outcome = room.carry_out(action, "1-9")

    assert counts(outcome) == (9, done, 0, 0, 9 - done)
    assert (outcome.code, outcome.error.command, outcome.error.code) == (PASSING, MODIFY, PASSING)
    assert outcome.calls == 4
    assert max(room.overwritten) == 4
    assert room.recalled == []


@pytest.mark.parametrize(("action", "done"), [("redact", 2), ("redact_and_recall", 0)])
@pytest.mark.parametrize("code", [EVERYWHERE, REFUSED])
def test_a_message_that_fails_as_every_other_would_ends_the_row_at_once(action, done, code):
    room = Room({3: code})
    outcome = room.carry_out(action, "1-9")

    assert counts(outcome) == (9, done, 0, 0, 9 - done)
    assert (outcome.code, outcome.error.code, outcome.failed_everywhere) == (code, code, True)
    assert set(room.overwritten) == {1, 2, 3}
    assert HISTORY not in room.calls
    assert room.recalled == []


@pytest.mark.parametrize("code", [EVERYWHERE, PASSING])
def test_what_was_under_way_when_a_row_ended_is_still_counted(code):
    room = Room(dict.fromkeys(range(1, 200), code))
    outcome = room.carry_out("redact", "1-200", wide=True)

    assert counts(outcome) == (200, 0, 0, 0, 200)
    assert (outcome.code, outcome.error.code) == (code, code)
    assert HISTORY not in room.calls
    assert len(set(room.overwritten)) < 100


@pytest.mark.parametrize(
    ("place", "expected", "code"),
    [(RECALLED, (12, 11, 1, 0, 0), None), (ABSENT, (12, 11, 0, 1, 0), None), (THERE, (12, 11, 0, 0, 1), 10030)],
)
def test_a_recall_counts_what_the_history_says_of_a_message(wide, place, expected, code):
    room = Room({3: 10030}, {3: place})
    outcome = room.carry_out("recall", "1-12", wide)

    assert counts(outcome) == expected
    assert (outcome.code, outcome.error) == (code, None)
    assert bool(outcome.reason) is bool(code)
    assert outcome.calls == 3


def test_a_message_that_cannot_be_recalled_is_named_by_its_code():
    outcome = Room({3: 10032}).carry_out("recall", "1-12")

    assert counts(outcome) == (12, 11, 0, 0, 1)
    assert (outcome.code, outcome.reason) == (10032, "the message cannot be recalled")


# --- every call ---


@pytest.mark.parametrize(
    ("action", "command"), [("clear", CLEAR), ("recall", RECALL), ("redact", MODIFY), ("redact_and_recall", MODIFY)]
)
@pytest.mark.parametrize("code", [EVERYWHERE, REFUSED, 10006])
def test_a_row_of_which_every_call_fails_has_that_error(wide, action, command, code):
    room = Room(refused={command: code})
    outcome = room.carry_out(action, "1-25", wide)

    assert counts(outcome) == (25, 0, 0, 0, 25)
    assert (outcome.code, outcome.error.command, outcome.error.code) == (code, command, code)
    assert set(room.calls) == {command}
    assert outcome.calls > 0


@pytest.mark.parametrize(("action", "command"), [("recall", RECALL), ("redact", MODIFY), ("redact_and_recall", MODIFY)])
def test_a_short_row_of_which_nothing_was_done_for_now_has_that_error(wide, action, command):
    outcome = Room({1: PASSING, 2: PASSING}).carry_out(action, "1-2", wide)

    assert counts(outcome) == (2, 0, 0, 0, 2)
    assert (outcome.code, outcome.error.command, outcome.error.code) == (PASSING, command, PASSING)


def test_a_recall_that_fails_behind_what_was_overwritten_leaves_it_undone():
    room = Room(refused={RECALL: EVERYWHERE})
    outcome = room.carry_out("redact_and_recall", "1-25")

    assert counts(outcome) == (25, 0, 0, 0, 25)
    assert (outcome.error.command, outcome.error.code) == (RECALL, EVERYWHERE)
    assert room.overwritten == list(range(1, 26))
