"""One row of a plan, carried out on a conversation: what is sent, what is kept before, and what ends it."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
from conversation_rows import COMMANDS, ROAM, policy_of
from interruption import Stopped, stoppable
from retention_world import BEGIN, REMOVED, World

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import TencentIMCancelledError
from airflow_provider_tencentim.retention.archive import Archive
from airflow_provider_tencentim.retention.c2c_actions import C2CActions
from airflow_provider_tencentim.retention.outcome import Outcome
from airflow_provider_tencentim.retention.plan import PlanRow


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


@pytest.fixture
def world(emulator, tmp_path):
    world = World(emulator, tmp_path)
    yield world
    world.close()


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", 1400000000)


@pytest.fixture(params=["recall", "redact"])
def action(request):
    return request.param


def talk(world, count=10, **fields):
    """A conversation of one message a second, from either side in turn; return the sender and key of each."""
    return [
        (
            sender,
            world.emulator.add_c2c_message(
                sender,
                "bob" if sender == "ann" else "ann",
                {"MsgBody": f"letter {number}", "MsgTimeStamp": BEGIN + number, **fields},
            ),
        )
        for number, sender in zip(range(count), ["ann", "bob"] * count, strict=False)
    ]


def row(action, messages, oldest=BEGIN, newest=BEGIN + 100):
    keys = {side: tuple(key for sender, key in messages if sender == side) for side in ("ann", "bob")}
    keys = {side: named for side, named in keys.items() if named}
    return PlanRow(pair=("ann", "bob"), action=action, keys=keys, messages=len(messages), oldest=oldest, newest=newest)


def letters(world):
    [conversation] = world.emulator.state()["c2c"]
    return conversation["messages"]


def changed(world, action):
    return [
        (one["From_Account"], one["MsgKey"])
        for one in letters(world)
        if (one["state"] == "recalled" if action == "recall" else one["MsgBody"] == REMOVED)
    ]


def counts(outcome):
    return outcome.requested, outcome.done, outcome.already, outcome.missing, outcome.failed


# --- how many, and how long ---


def test_a_row_of_more_than_ten_messages_is_long(world, archive):
    actions = C2CActions(world.client, policy_of("recall"), archive)
    messages = [("ann", f"{number}_1_1") for number in range(11)]

    assert actions.is_long(row("recall", messages))
    assert not actions.is_long(row("recall", messages[1:]))


def test_calls_are_under_way_as_their_command_wants(world, monkeypatch, action):
    asked = []
    monkeypatch.setattr(world.client, "in_flight_wanted", lambda command: asked.append(command) or 3)
    actions = C2CActions(world.client, policy_of(action), None)

    assert actions.in_flight_wanted() == 3
    assert actions.carry_out(1, row(action, talk(world)), False).done == 10
    assert asked == [COMMANDS[action]]
    actions.carry_out(1, row(action, talk(world)), True)
    assert len(asked) > 1
    assert set(asked) == {COMMANDS[action]}


# --- what is done ---


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
def test_a_row_is_done_and_counted(world, archive, wide, action, keeps):
    messages = talk(world, 12)
    actions = C2CActions(world.client, policy_of(action), archive if keeps else None)
    outcome = actions.carry_out(1, row(action, messages[1:9]), wide)

    assert changed(world, action) == messages[1:9]
    assert counts(outcome) == (8, 8, 0, 0, 0)
    assert (outcome.error, outcome.code, outcome.reason) == (None, None, "")
    assert outcome.calls == sum(world.emulator.stats()["calls"].values()) == 8 + 2 * keeps
    assert [file.messages for file in outcome.archived] == [8] * keeps


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
def test_messages_that_are_gone_are_counted_as_what_they_are(world, archive, wide, action, keeps):
    messages = talk(world, 10)
    world.client.admin_msgwithdraw("ann", "bob", messages[2][1])
    world.client.admin_msgwithdraw("bob", "ann", messages[5][1])
    gone = ("ann", f"77_78_{BEGIN + 3}")
    actions = C2CActions(world.client, policy_of(action), archive if keeps else None)
    outcome = actions.carry_out(1, row(action, [*messages, gone]), wide)

    assert counts(outcome) == {"recall": (11, 8, 2, 1, 0), "redact": (11, 8, 0, 3, 0)}[action]
    assert (outcome.error, outcome.code) == (None, None)


def test_messages_are_overwritten_with_what_the_policy_says(world, wide):
    messages = talk(world, 2, CloudCustomData="secret")
    policy = policy_of("redact", replacement={"cloud_custom_data": "withheld"})
    C2CActions(world.client, policy, None).carry_out(1, row("redact", messages[:1]), wide)

    assert [one["CloudCustomData"] for one in letters(world)] == ["withheld", "secret"]
    assert all(one["MsgBody"] != REMOVED for one in letters(world))


def test_a_row_that_overwrites_with_nothing_is_refused(world, wide):
    messages = talk(world, 2)

    with pytest.raises(ValueError, match=r"^the plan overwrites messages, and does not say with what"):
        C2CActions(world.client, policy_of("recall"), None).carry_out(1, row("redact", messages), wide)
    assert world.written() == 0


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
def test_a_task_that_was_stopped_leaves_no_count(world, archive, wide, action, keeps):
    messages = talk(world)
    client = world.connect()
    client.cancel()

    with pytest.raises(TencentIMCancelledError):
        C2CActions(client, policy_of(action), archive if keeps else None).carry_out(1, row(action, messages), wide)
    assert world.written() == 0


def test_a_wide_row_that_is_stopped_from_outside_cancels_its_calls(world, action):
    messages = talk(world)
    client, once, cancelled = world.connect(), threading.Lock(), threading.Event()
    client.cancel = lambda: (type(client).cancel(client), cancelled.set())

    def wait(*_):
        if once.acquire(blocking=False):
            stop()
            cancelled.wait(10)

    client.before = wait
    with stoppable() as stop, pytest.raises(Stopped):
        C2CActions(client, policy_of(action), None).carry_out(1, row(action, messages), True)
    assert cancelled.is_set()


def test_a_row_that_is_skipped_sends_nothing(world):
    skipped = PlanRow(pair=("ann", "bob"), skip="held")
    assert C2CActions(world.client, policy_of("recall"), None).carry_out(1, skipped, False) == Outcome()
    assert world.emulator.stats()["calls"] == {}


# --- the archive ---


def stored(archive, name):
    lines = gzip.decompress((archive.folder / name).read_bytes()).splitlines()
    return json.loads(lines[0] + b"]}"), [json.loads(line[:-1]) for line in lines[1:-1]]


def test_the_file_of_a_row_says_what_it_holds(world, archive, action):
    messages = talk(world, 3, CloudCustomData="data", MsgRandom=7)
    actions = C2CActions(world.client, policy_of(action), archive)
    outcome = actions.carry_out(42, row(action, messages[:2], newest=BEGIN + 1), False)

    [file] = outcome.archived
    assert (file.file, file.chat, file.messages, file.seqs) == ("00000042.gz", "ann / bob", 2, "")
    header, kept = stored(archive, "00000042.gz")
    assert (header["ChatType"], header["MsgTime"]) == ("C2C", "2025061523")
    assert sorted(kept, key=lambda one: one["MsgTimestamp"]) == [
        {
            "From_Account": sender,
            "To_Account": recipient,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"letter {number}"}}],
            "MsgSeq": int(messages[number][1].split("_")[0]),
            "MsgRandom": 7,
            "MsgTimestamp": BEGIN + number,
            "CloudCustomData": "data",
        }
        for number, (sender, recipient) in enumerate([("ann", "bob"), ("bob", "ann")])
    ]


def test_files_of_earlier_tries_are_named_as_well(world, archive, wide):
    messages = talk(world, 5)
    actions = C2CActions(world.client, policy_of("recall"), archive)
    actions.carry_out(7, row("recall", messages[:2]), wide)
    actions.carry_out(8, row("recall", messages[2:3]), wide)
    outcome = actions.carry_out(7, row("recall", messages), wide)

    assert counts(outcome) == (5, 2, 3, 0, 0)
    assert [(file.file, file.chat, file.messages) for file in outcome.archived] == [
        ("00000007.gz", "ann / bob", 2),
        ("00000007-2.gz", "ann / bob", 2),
    ]


def test_when_nothing_is_left_there_is_no_file(world, archive, wide, action):
    [message] = talk(world, 1)
    world.client.admin_msgwithdraw(*message[:1], "bob", message[1])
    written = world.written()
    outcome = C2CActions(world.client, policy_of(action), archive).carry_out(1, row(action, [message]), wide)

    assert counts(outcome) == {"recall": (1, 0, 1, 0, 0), "redact": (1, 0, 0, 1, 0)}[action]
    assert (outcome.archived, list(archive.folder.iterdir()), world.written()) == ([], [], written)


def test_a_row_whose_archive_cannot_be_written_is_not_touched(world, archive, wide, action):
    messages = talk(world)
    (archive.folder / "00000001.gz").symlink_to(archive.folder / "none" / "none")  # is not there, and cannot be
    outcome = C2CActions(world.client, policy_of(action), archive).carry_out(1, row(action, messages), wide)

    assert world.written() == 0
    assert counts(outcome) == (10, 0, 0, 0, 10)
    assert (outcome.code, outcome.error, outcome.archived) == (None, None, [])
    assert outcome.reason.startswith("not touched, since its archive is not complete: ")
    assert "00000001.gz" in outcome.reason


def test_a_row_whose_history_cannot_be_read_is_not_touched(world, archive, wide, action):
    messages = talk(world)
    world.emulator.add_fault(command=ROAM, error_code=10007)
    outcome = C2CActions(world.client, policy_of(action), archive).carry_out(1, row(action, messages), wide)

    assert world.written() == 0
    assert counts(outcome) == (10, 0, 0, 0, 10)
    assert (outcome.code, outcome.error.command, outcome.error.code, outcome.calls) == (10007, ROAM, 10007, 1)
