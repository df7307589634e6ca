"""One row of a plan, carried out on a group: what is sent, what is kept before, and what is counted."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
from interruption import Stopped, stoppable
from retention_world import BEGIN, HISTORY, MODIFY, RECALL, REMOVED, World, archived, expected_after, messages_of

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import TencentIMCancelledError
from airflow_provider_tencentim.client.seqs import parse_seqs
from airflow_provider_tencentim.retention.actions import GroupActions
from airflow_provider_tencentim.retention.archive import Archive
from airflow_provider_tencentim.retention.outcome import Outcome
from airflow_provider_tencentim.retention.plan import PlanRow
from airflow_provider_tencentim.retention.policy import RetentionPolicy

ACTIONS = ("clear", "recall", "redact", "redact_and_recall")
POLICY = {"action": "redact_and_recall", "before": "2026-01-01", "all_groups": True, "replacement": "removed"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)


@pytest.fixture
def world(emulator, tmp_path):
    world = World(emulator, tmp_path)
    yield world
    world.close()


@pytest.fixture
def archive(world):
    return Archive(world.folder / "archive", world.emulator.sdkappid)


def row(action, ranges="1-25", *, lower=0, group="room", **fields):
    """A row that means these messages; one that clears, all through the last of them."""
    seqs = parse_seqs([ranges])
    if action == "clear":
        return PlanRow(group=group, action=action, through=max(seqs), lower=lower, messages=max(seqs) - lower, **fields)
    return PlanRow(
        group=group, action=action, through=max(seqs), lower=lower, ranges=ranges, messages=len(seqs), **fields
    )


def carry_out(world, row, archive=None, *, wide=False, number=1, client=None, **policy):
    actions = GroupActions(client or world.client, RetentionPolicy.parse(POLICY | policy), archive)
    return actions.carry_out(number, row, wide)


def counts(outcome):
    return outcome.requested, outcome.done, outcome.already, outcome.missing, outcome.failed


# --- how many, and how long ---


@pytest.mark.parametrize(
    ("action", "keeps", "messages", "long"),
    [
        ("clear", False, 1_000_000, False),
        ("recall", False, 100, False),
        ("recall", False, 101, True),
        ("redact", False, 10, False),
        ("redact", False, 11, True),
        ("redact_and_recall", False, 9, False),
        ("redact_and_recall", False, 10, True),
        ("clear", True, 200, False),
        ("clear", True, 201, True),
        ("recall", True, 66, False),
        ("recall", True, 67, True),
    ],
)
def test_a_row_of_more_than_ten_calls_is_long(world, archive, action, keeps, messages, long):
    actions = GroupActions(world.client, RetentionPolicy.parse(POLICY), archive if keeps else None)

    assert actions.is_long(row(action, f"1-{messages}")) is long


def test_a_row_that_is_skipped_is_not_long_and_sends_nothing(world):
    world.group("room")
    skipped = PlanRow(group="room", skip="held")

    assert not GroupActions(world.client, RetentionPolicy.parse(POLICY), None).is_long(skipped)
    assert carry_out(world, skipped) == Outcome()
    assert world.emulator.stats()["calls"] == {}


class Paced:
    """Notes which commands it was asked about, of how many calls have to be under way."""

    def __init__(self, client, monkeypatch):
        self.asked = set()
        monkeypatch.setattr(client, "in_flight_wanted", self)

    def __call__(self, command):
        self.asked.add(command)
        return 3


@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("clear", "group_open_http_svc/clear_group_msg"),
        ("recall", RECALL),
        ("redact", MODIFY),
        ("redact_and_recall", MODIFY),
    ],
)
def test_as_many_rows_are_under_way_as_the_command_of_the_policy_wants(world, monkeypatch, action, command):
    paced = Paced(world.client, monkeypatch)
    policy = POLICY | {"action": action} | ({} if action.startswith("redact") else {"replacement": None})
    policy = RetentionPolicy.parse({name: value for name, value in policy.items() if value is not None})

    assert GroupActions(world.client, policy, None).in_flight_wanted() == 3
    assert paced.asked == {command}


@pytest.mark.parametrize(
    ("action", "keeps", "asked"),
    [
        ("clear", True, {HISTORY}),
        ("recall", False, {RECALL, HISTORY}),
        ("recall", True, {RECALL, HISTORY}),
        ("redact", False, {MODIFY}),
        ("redact", True, {MODIFY, HISTORY}),
        ("redact_and_recall", False, {MODIFY, RECALL, HISTORY}),
    ],
)
def test_the_calls_of_a_wide_row_follow_the_pace_of_their_commands(world, archive, monkeypatch, action, keeps, asked):
    world.group("room", 30)
    paced = Paced(world.client, monkeypatch)
    carry_out(world, row(action), archive if keeps else None, wide=True)
    assert paced.asked == asked


# --- what is done ---

CALLS = {"clear": 1, "recall": 3, "redact": 25, "redact_and_recall": 28}


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_row_is_done_and_counted(world, archive, wide, action, keeps):
    world.group("room", 30)
    world.group("other", 30)
    before = world.emulator.state()
    outcome = carry_out(world, row(action), archive if keeps else None, wide=wide)

    assert messages_of(world.emulator.state()) == expected_after(before, action, {"room": set(range(1, 26))})
    assert counts(outcome) == (25, 25, 0, 0, 0)
    assert (outcome.error, outcome.code, outcome.reason, outcome.skip) == (None, None, "", None)
    assert outcome.calls == sum(world.emulator.stats()["calls"].values()) == CALLS[action] + 2 * keeps
    assert [file.messages for file in outcome.archived] == [25] * keeps


def test_only_what_is_above_the_lower_end_is_kept_before_a_clear(world, archive, wide):
    world.group("room", 60)
    carry_out(world, row("clear", "1-10"))
    outcome = carry_out(world, row("clear", "1-50", lower=10), archive, wide=wide)

    assert counts(outcome) == (40, 40, 0, 0, 0)
    assert archived(archive.folder)["room"].keys() == set(range(11, 51))
    assert [one["MsgSeq"] for one in world.messages("room") if not one["cleared"]] == list(range(51, 61))


def test_what_is_no_message_is_not_kept_before_a_clear_and_counts_as_missing(world, archive, wide):
    world.group("room", 30)
    list(world.client.group_msg_recall("room", [3, 4]))
    world.expire("room", 9)
    outcome = carry_out(world, row("clear"), archive, wide=wide)

    assert counts(outcome) == (25, 22, 0, 3, 0)
    assert archived(archive.folder)["room"].keys() == set(range(1, 26)) - {3, 4, 9}


def test_a_clear_that_fails_has_done_nothing(world, archive, wide):
    world.group("room", 30)
    world.expire("room", 9)
    world.emulator.add_fault(command="group_open_http_svc/clear_group_msg", error_code=10007)
    outcome = carry_out(world, row("clear"), archive, wide=wide)

    assert counts(outcome) == (25, 0, 0, 1, 24)
    assert (outcome.code, outcome.error.code) == (10007, 10007)
    assert outcome.calls == 3


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("recall", (8, 3, 3, 2, 0)),
        ("redact", (8, 3, 0, 5, 0)),
        ("redact_and_recall", (8, 3, 3, 2, 0)),
    ],
)
def test_messages_that_are_gone_are_counted_as_what_they_are(world, archive, wide, action, expected, keeps):
    world.group("room", 10)
    list(world.client.group_msg_recall("room", [2, 3, 8]))
    world.expire("room", 5)
    world.expire("room", 6)
    outcome = carry_out(world, row(action, "1-8"), archive if keeps else None, wide=wide)

    assert counts(outcome) == expected
    assert (outcome.code, outcome.reason, outcome.error) == (None, "", None)


@pytest.mark.parametrize("action", ACTIONS)
def test_when_nothing_is_left_there_is_no_file(world, archive, wide, action):
    world.group("room", 10)
    for seq in range(1, 9):
        world.expire("room", seq)
    outcome = carry_out(world, row(action, "1-8"), archive, wide=wide)

    assert counts(outcome) == (8, 0, 0, 8, 0)
    assert outcome.archived == []
    assert list(archive.folder.iterdir()) == []


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_task_that_was_stopped_leaves_no_count(world, archive, wide, action, keeps):
    world.group("room", 30)
    client = world.connect()
    client.cancel()

    with pytest.raises(TencentIMCancelledError):
        carry_out(world, row(action), archive if keeps else None, wide=wide, client=client)
    assert world.written() == 0


def test_a_stop_while_messages_are_overwritten_leaves_no_count(world, wide):
    world.group("room", 30)
    client = world.connect()
    client.before = lambda command, body: client.cancel() if body["MsgSeq"] == 5 else None

    with pytest.raises(TencentIMCancelledError):
        carry_out(world, row("redact"), wide=wide, client=client)


@pytest.mark.parametrize(
    ("action", "keeps", "command"), [("clear", True, HISTORY), ("recall", False, RECALL), ("redact", False, MODIFY)]
)
def test_a_wide_row_that_is_stopped_from_outside_cancels_its_calls(world, archive, action, keeps, command):
    world.group("room", 30)
    client, once, cancelled = world.connect(), threading.Lock(), threading.Event()
    client.cancel = lambda: (type(client).cancel(client), cancelled.set())

    def wait(sent, _):
        if sent == command and once.acquire(blocking=False):
            stop()
            cancelled.wait(10)

    client.before = wait
    with stoppable() as stop, pytest.raises(Stopped):
        carry_out(world, row(action), archive if keeps else None, wide=True, client=client)
    assert cancelled.is_set()


@pytest.mark.parametrize("action", ACTIONS)
def test_the_calls_of_a_short_row_are_sent_one_after_the_other(world, archive, wide, action):
    """Such rows are side by side already."""
    world.group("room", 30)
    threads = set()
    world.client.before = lambda *_: threads.add(threading.current_thread())
    carry_out(world, row(action), archive, wide=wide)

    assert (threads == {threading.main_thread()}) is not wide


# --- what messages are overwritten with ---


def test_messages_are_overwritten_with_what_the_policy_says_for_their_group(world):
    world.group("room", 2)
    world.group("other", 2)
    policy = {
        "replacement": {"msg_body": "removed", "cloud_custom_data": "by policy"},
        "overrides": [{"groups": ["oth*"], "replacement": {"cloud_custom_data": "withheld"}}],
    }
    carry_out(world, row("redact", "1-2"), **policy)
    carry_out(world, row("redact", "1-2", group="other"), **policy)

    assert [(one["MsgBody"], one["CloudCustomData"]) for one in world.messages("room")] == [(REMOVED, "by policy")] * 2
    assert {one["CloudCustomData"] for one in world.messages("other")} == {"withheld"}
    assert all(one["MsgBody"] != REMOVED for one in world.messages("other"))


def test_a_row_that_overwrites_with_nothing_is_refused(world, wide):
    world.group("room", 2)
    policy = RetentionPolicy.parse({"action": "recall", "before": "2026-01-01", "all_groups": True})

    with pytest.raises(ValueError, match=r"^the plan overwrites messages, and does not say with what"):
        GroupActions(world.client, policy, None).carry_out(1, row("redact", "1-2"), wide)
    assert world.written() == 0


# --- the archive ---


def test_the_file_of_a_row_is_named_by_its_number_and_says_what_it_holds(world, archive):
    world.group("room", 30)
    outcome = carry_out(world, row("recall", newest=BEGIN), archive, number=42)

    [file] = outcome.archived
    lines = gzip.decompress((archive.folder / "00000042.gz").read_bytes()).splitlines()
    assert (file.file, file.chat, file.messages, file.seqs) == ("00000042.gz", "room", 25, "1-25")
    header = json.loads(lines[0] + b"]}")
    assert (header["ChatType"], header["MsgTime"]) == ("Group", "2025061523")
    message = json.loads(lines[1][:-1])
    assert (message["GroupId"], message["MsgSeq"], message["From_Account"]) == ("room", 1, "ann")


def test_files_of_earlier_tries_are_named_as_well(world, archive, wide):
    world.group("room", 30)
    carry_out(world, row("recall", "1-5"), archive, number=7)
    carry_out(world, row("recall", "6-9"), archive, number=8)
    outcome = carry_out(world, row("recall", "1-12"), archive, number=7, wide=wide)

    assert counts(outcome) == (12, 3, 9, 0, 0)
    assert [(file.file, file.chat, file.seqs) for file in outcome.archived] == [
        ("00000007.gz", "room", "1-5"),
        ("00000007-2.gz", "room", "10-12"),
    ]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_row_whose_archive_cannot_be_written_is_not_touched(world, archive, wide, action):
    world.group("room", 30)
    world.expire("room", 9)
    before = world.emulator.state()
    (archive.folder / "00000001.gz").symlink_to(world.folder / "none" / "none")  # is not there, and cannot be
    outcome = carry_out(world, row(action), archive, wide=wide)

    assert world.emulator.state() == before
    assert world.written() == outcome.done == 0
    assert (outcome.code, outcome.error, outcome.archived) == (None, None, [])
    assert outcome.reason.startswith("not touched, since its archive is not complete: ")
    assert "none" in outcome.reason or "00000001" in outcome.reason


@pytest.mark.parametrize("action", ACTIONS)
def test_a_row_whose_history_cannot_be_read_is_not_touched(world, archive, wide, action):
    world.group("room", 30)
    world.emulator.add_fault(command=HISTORY, error_code=10007)
    outcome = carry_out(world, row(action), archive, wide=wide)

    assert world.written() == 0
    assert counts(outcome) == (25, 0, 0, 0, 25)
    assert (outcome.code, outcome.error.command, outcome.error.code) == (10007, HISTORY, 10007)
    assert outcome.calls > 0
