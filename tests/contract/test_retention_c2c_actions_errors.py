"""One row of a plan on a conversation, when single messages or all calls fail, and what is read before."""

from __future__ import annotations

import gzip
import json

import pytest
from conversation_rows import COMMANDS, ROAM, policy_of
from retention_world import BEGIN, UnpacedPacer
from scripted_server import ScriptedServer, answer

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.retention.archive import Archive
from airflow_provider_tencentim.retention.c2c_actions import C2CActions
from airflow_provider_tencentim.retention.plan import PlanRow

ALREADY_RECALLED, MISSING, TOO_OLD, PASSING, EVERYWHERE, REFUSED = 20023, 20022, 20016, 91000, 60020, 70003


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", 1400000000)


@pytest.fixture(params=["recall", "redact"])
def action(request):
    return request.param


def row(action, messages, oldest=BEGIN, newest=BEGIN + 100):
    keys = {side: tuple(key for sender, key in messages if sender == side) for side in ("ann", "bob")}
    keys = {side: named for side, named in keys.items() if named}
    return PlanRow(pair=("ann", "bob"), action=action, keys=keys, messages=len(messages), oldest=oldest, newest=newest)


def counts(outcome):
    return outcome.requested, outcome.done, outcome.already, outcome.missing, outcome.failed


# --- messages that fail ---


class Pair:
    """A conversation on a server.

    :param codes: the ErrorCode of a call, by the number of its message.
    :param history: what either side is shown.
    """

    def __init__(self, codes, history=()):
        self.codes, self.history = codes, [*history]
        self.bodies, self.windows = [], []

    def __call__(self, request):
        body = request.json()
        if request.command == ROAM:
            self.windows.append((body["MinTime"], body["MaxTime"]))
            return answer(Complete=1, MsgList=self.history)
        self.bodies.append((request.command, body))
        return answer(self.codes.get(int(body["MsgKey"].partition("_")[0]), 0), "why")

    @property
    def sent(self):
        return sorted({int(body["MsgKey"].partition("_")[0]) for _, body in self.bodies})

    def carry_out(self, action, planned, wide=False, archive=None):
        with ScriptedServer(self) as server, server.client(pacer=UnpacedPacer()) as client:
            return C2CActions(client, policy_of(action), archive).carry_out(1, planned, wide)


def numbered(action, count):
    return row(action, [("ann", f"{number}_1_1") for number in range(1, count + 1)])


def test_each_message_is_named_by_its_sender_its_recipient_and_its_key(action):
    pair = Pair({})
    pair.carry_out(action, row(action, [("ann", "1_2_3"), ("bob", "4_5_6")]))

    assert [command for command, _ in pair.bodies] == [COMMANDS[action]] * 2
    assert [(body["From_Account"], body["To_Account"], body["MsgKey"]) for _, body in pair.bodies] == [
        ("ann", "bob", "1_2_3"),
        ("bob", "ann", "4_5_6"),
    ]


@pytest.mark.parametrize(
    ("action", "code", "expected"),
    [
        ("recall", ALREADY_RECALLED, (5, 4, 1, 0, 0)),
        ("redact", ALREADY_RECALLED, (5, 4, 0, 1, 0)),
        ("recall", MISSING, (5, 4, 0, 1, 0)),
        ("redact", MISSING, (5, 4, 0, 1, 0)),
        ("recall", TOO_OLD, (5, 4, 0, 0, 1)),
        ("redact", TOO_OLD, (5, 4, 0, 0, 1)),
        ("recall", PASSING, (5, 4, 0, 0, 1)),
    ],
)
def test_one_message_that_cannot_be_changed_does_not_end_the_row(wide, action, code, expected):
    pair = Pair({3: code})
    outcome = pair.carry_out(action, numbered(action, 5), wide)

    assert counts(outcome) == expected
    assert outcome.code == (code if expected[4] else None)
    assert outcome.error is None
    assert pair.sent == [1, 2, 3, 4, 5]


def test_messages_that_are_too_old_fail_one_by_one(wide, action):
    pair = Pair(dict.fromkeys(range(1, 9), TOO_OLD))
    outcome = pair.carry_out(action, numbered(action, 9), wide)

    assert counts(outcome) == (9, 1, 0, 0, 8)
    assert (outcome.code, outcome.error) == (TOO_OLD, None)
    assert pair.sent == list(range(1, 10))


def test_messages_that_fail_for_now_here_and_there_do_not_end_the_row(action):
    outcome = Pair(dict.fromkeys((1, 2, 4, 5, 7), PASSING)).carry_out(action, numbered(action, 9))

    assert counts(outcome) == (9, 4, 0, 0, 5)
    assert (outcome.code, outcome.error, outcome.calls) == (PASSING, None, 9)


def test_three_messages_that_fail_for_now_with_none_that_worked_between_end_the_row(action):
    pair = Pair({2: PASSING, 3: PASSING, 4: TOO_OLD, 5: PASSING})
    outcome = pair.carry_out(action, numbered(action, 9))

    assert counts(outcome) == (9, 1, 0, 0, 8)
    assert (outcome.code, outcome.error.command, outcome.error.code) == (PASSING, COMMANDS[action], PASSING)
    assert pair.sent == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("code", [EVERYWHERE, REFUSED])
def test_a_message_that_fails_as_every_other_would_ends_the_row_at_once(action, code):
    pair = Pair({3: code})
    outcome = pair.carry_out(action, numbered(action, 9))

    assert counts(outcome) == (9, 2, 0, 0, 7)
    assert (outcome.code, outcome.error.code, outcome.failed_everywhere) == (code, code, True)
    assert pair.sent == [1, 2, 3]


@pytest.mark.parametrize("code", [EVERYWHERE, PASSING])
def test_of_a_wide_row_that_ended_nothing_more_is_sent(action, code):
    pair = Pair(dict.fromkeys(range(1, 201), code))
    outcome = pair.carry_out(action, numbered(action, 200), wide=True)

    assert counts(outcome) == (200, 0, 0, 0, 200)
    assert (outcome.code, outcome.error.code) == (code, code)
    assert len(pair.sent) < 100


def test_the_error_that_ended_a_row_stays_whatever_comes_behind_it():
    """What is under way when a row ends may fail in another way."""
    pair = Pair({1: EVERYWHERE} | dict.fromkeys(range(2, 201), REFUSED))
    outcome = pair.carry_out("recall", numbered("recall", 200), wide=True)

    assert outcome.code == outcome.error.code


def test_a_short_row_of_which_nothing_was_done_for_now_has_that_error(wide, action):
    outcome = Pair({1: PASSING, 2: PASSING}).carry_out(action, numbered(action, 2), wide)

    assert counts(outcome) == (2, 0, 0, 0, 2)
    assert (outcome.error.command, outcome.error.code) == (COMMANDS[action], PASSING)


# --- what is read before ---


def letter(number, sender="ann", recipient="bob", **fields):
    return {
        "From_Account": sender,
        "To_Account": recipient,
        "MsgKey": f"{number}_1_1",
        "MsgTimeStamp": BEGIN,
        "MsgBody": [],
        **fields,
    }


@pytest.mark.parametrize(
    ("oldest", "newest", "window"),
    [(BEGIN, BEGIN + 9, (BEGIN - 1, BEGIN + 10)), (0, 5, (0, 6)), (1, 5, (0, 6)), (None, 5, (0, 6))],
)
def test_a_second_more_is_read_at_either_end(archive, oldest, newest, window):
    pair = Pair({}, [letter(1)])
    planned = row("recall", [("ann", "1_1_1")], oldest, newest)
    assert pair.carry_out("recall", planned, archive=archive).done == 1
    assert pair.windows == [window] * 2


def test_without_a_newest_time_all_is_read(archive):
    pair = Pair({}, [letter(1)])
    pair.carry_out("recall", row("recall", [("ann", "1_1_1")], newest=None), archive=archive)
    assert min(newest for _, newest in pair.windows) > 1_780_000_000


def test_only_what_was_planned_and_is_shown_is_kept_and_touched(archive):
    pair = Pair({}, [letter(1), letter(2, "bob", "ann"), letter(3, MsgFlagBits=8), letter(4), letter(5, "bob", "ann")])
    planned = row("recall", [("ann", "1_1_1"), ("ann", "2_1_1"), ("ann", "3_1_1"), ("bob", "5_1_1")])
    outcome = pair.carry_out("recall", planned, archive=archive)

    assert counts(outcome) == (4, 2, 1, 1, 0)
    assert pair.sent == [1, 5]
    lines = gzip.decompress((archive.folder / "00000001.gz").read_bytes()).splitlines()[1:-1]
    kept = [json.loads(line[:-1]) for line in lines]
    assert [one["MsgSeq"] for one in kept] == [5, 1]
    assert all("CloudCustomData" not in one for one in kept)
