"""Sweeps: exactly what was planned, once, whatever happens in between, and a report that adds up."""

from __future__ import annotations

import json
import os
import time

import pytest
from retention_world import (
    BEGIN,
    CLEAR,
    DAY,
    HISTORY,
    INFO,
    MODIFY,
    RECALL,
    REMOVED,
    Killed,
    MemoryStore,
    Report,
    World,
    archived,
    expected_after,
    messages_of,
    planned_seqs,
    report_of,
    rows_by_group,
)

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import (
    TencentIMAuthError,
    TencentIMCancelledError,
    TencentIMError,
    TencentIMPermissionError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.retention import actions as actions_module
from airflow_provider_tencentim.retention import sweep as sweep_module
from airflow_provider_tencentim.retention.ledger import Ledger
from airflow_provider_tencentim.retention.progress import FileStore

ACTIONS = ("clear", "recall", "redact", "redact_and_recall")
WRITES = {"clear": CLEAR, "recall": RECALL, "redact": MODIFY, "redact_and_recall": MODIFY}


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
def save_always(monkeypatch):
    """The progress is stored behind every row."""
    monkeypatch.setattr(sweep_module, "_SECONDS_BETWEEN_SAVES", 0.0)


@pytest.fixture(params=[False, True], ids=["short", "long"])
def rows_are_long(request, monkeypatch):
    """Rows are carried out side by side, or one after the other with their calls side by side."""
    if request.param:
        monkeypatch.setattr(actions_module, "_LONG_ROW", -1)


def acted_on(plan):
    return {group: planned_seqs(rows) for group, rows in rows_by_group(plan).items()}


def only(rows, **fields):
    """The one row that there is has these fields."""
    (row,) = rows
    assert {name: row.get(name) for name in fields} == fields
    return row


# --- what is planned is done, and nothing else ---


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize("action", ACTIONS)
def test_exactly_the_planned_messages_change(world, rows_are_long, action, keeps):
    world.emulator.generate(4, 30, seed=8)
    world.group("room", 25)
    world.group("other", 3)
    plan = world.plan(action, int(world.emulator.now()) - 30 * DAY, keep_last=4, exclude_groups=["other"])
    before = world.emulator.state()

    application = world.sweep(plan, archive_to=world.folder / "archive" if keeps else None)

    assert messages_of(world.emulator.state()) == expected_after(before, action, acted_on(plan))
    assert plan.header.groups >= (3 if action == "clear" else 4)
    report = report_of(application)
    report.check(plan)
    assert report.summary["status"] == "done"
    assert report.summary["requested"] == plan.header.messages
    there = plan.header.messages
    if action == "clear" and keeps:  # by then it is known which MsgSeqs are messages
        there = sum(map(len, archived(world.folder / "archive").values()))
    assert (report.summary["done"], report.summary["missing"]) == (there, plan.header.messages - there)
    assert report.failed == []
    assert application.ledger.failure() is None


@pytest.mark.parametrize("action", ["recall", "redact"])
def test_only_the_senders_and_texts_of_the_policy_are_touched(world, action):
    bodies = ["secret 1", "open", "secret 2", {"OpType": 1}, "no secret", "open"]
    world.emulator.add_group(
        "room",
        messages=[
            {
                "MsgBody": body,
                "MsgTimeStamp": BEGIN + number,
                "From_Account": ("ann", "bob")[number > 3],
                "CloudCustomData": f"data {number}",
                **({"IsSystemMsg": 1} if isinstance(body, dict) else {}),
            }
            for number, body in enumerate(bodies)
        ],
    )
    plan = world.plan(action, from_accounts=["ann"], text_matches=["^secret"])
    before = world.emulator.state()
    world.sweep(plan)

    assert acted_on(plan) == {"room": {1, 3}}
    assert messages_of(world.emulator.state()) == expected_after(before, action, acted_on(plan))


def test_a_row_can_be_carried_out_twice(world):
    """Killed before it was noted, it is done again, with the same effect."""
    for action in ACTIONS:
        world.group(action, 12)
    for action in ACTIONS:
        plan = world.plan(action, BEGIN + 5, groups=[action])
        world.sweep(plan)
        state = world.emulator.state()
        report = report_of(world.sweep(plan))

        assert world.emulator.state() == state
        report.check(plan)
        assert report.summary["failed"] == report.summary["missing"] == 0
        assert report.summary["already"] == (5 if action.endswith("recall") else 0)


def test_every_call_is_counted(world):
    for number in range(5):
        world.group(f"room-{number}", 25)
    plan = world.plan("recall", BEGIN + 15, holds=("room-4",))
    world.client.destroy_group("room-3")
    before = sum(world.emulator.stats()["calls"].values())

    application = world.sweep(plan, archive_to=world.folder / "archive")

    assert application.summary()["calls"] == sum(world.emulator.stats()["calls"].values()) - before


def test_only_what_is_new_is_done_behind_what_a_state_knows(world):
    world.group("room", 10)
    state = world.folder / "state"
    for before, seqs in ((BEGIN + 4, [1, 2, 3, 4]), (BEGIN + 7, [5, 6, 7]), (BEGIN + 7, [])):
        plan = world.plan("recall", before, state_path=state)
        assert acted_on(plan) == {"room": set(seqs)}
        world.sweep(plan, state_path=state)

    assert world.seqs("room") == [1, 2, 3, 4, 5, 6, 7]


def test_a_row_that_failed_is_not_done_for_the_state(world):
    world.group("good", 5)
    world.group("bad", 5)
    state = world.folder / "state"
    world.emulator.add_fault(command=RECALL, group="bad", error_code=10007)
    world.sweep(world.plan("recall", state_path=state), state_path=state)
    world.emulator.clear_faults()

    assert acted_on(world.plan("recall", state_path=state)) == {"good": set(), "bad": {1, 2, 3, 4, 5}}


# --- what became of a group between plan and sweep ---


def dissolve(world):
    world.client.destroy_group("room")


def make_anew(world, **options):
    world.client.destroy_group("room")
    world.group("room", options.pop("messages", 10), **{"create_time": BEGIN - 1} | options)


MEANWHILE = {
    "dissolved": ("not_found", dissolve),
    "made anew": ("made_anew", lambda world: make_anew(world, create_time=BEGIN - 2)),
    "of another type": ("type_changed", lambda world: make_anew(world, type="Private")),
    "with fewer messages": ("history_shrank", lambda world: make_anew(world, messages=7)),
    "with no messages": ("history_shrank", lambda world: make_anew(world, messages=0)),
}


@pytest.mark.parametrize("action", ["clear", "redact_and_recall"])
@pytest.mark.parametrize("name", MEANWHILE)
def test_a_group_that_is_no_longer_the_one_that_was_planned_is_not_touched(world, name, action):
    reason, happen = MEANWHILE[name]
    world.group("room", 10, create_time=BEGIN - 1)
    world.group("same", 10)
    plan = world.plan(action, BEGIN + 8)
    happen(world)
    before = world.emulator.state()
    application = world.sweep(plan, archive_to=world.folder / "archive")

    assert messages_of(world.emulator.state()) == expected_after(before, action, {"same": set(range(1, 9))})
    report = report_of(application)
    report.check(plan)
    rows = {row["group"]: row for row in report.rows}
    assert rows["room"]["skipped"] == reason
    assert rows["room"]["requested"] == 0
    assert rows["same"]["done"] == 8
    assert report.summary["skipped"] == {reason: 1}
    assert report.summary["status"] == "done"


@pytest.mark.parametrize("holds", [("room",), ("ro*",), ("x", "room")])
def test_a_group_that_came_on_hold_is_not_touched(world, holds):
    world.group("room")
    world.group("same")
    plan = world.plan("clear", BEGIN + 5)
    application = world.sweep(plan, holds=holds)

    assert not any(one["cleared"] for one in world.messages("room"))
    assert [one["MsgSeq"] for one in world.messages("same") if one["cleared"]] == [1, 2, 3, 4, 5]
    report = report_of(application)
    report.check(plan)
    assert {row["group"]: row.get("skipped") for row in report.rows} == {"room": "held", "same": None}
    assert report.summary["skipped"] == {"held": 1}


def test_a_group_is_looked_at_again_when_its_turn_comes_late(world, monkeypatch):
    monkeypatch.setattr(sweep_module, "_SECONDS_A_LOOK_LASTS", 0.0)
    world.group("a")
    world.group("b")
    plan = world.plan("clear", BEGIN + 5)
    looks = 0

    def dissolve_after_the_first_look(command, body):
        nonlocal looks
        looks += command == INFO
        if command == INFO and looks == 2:
            world.connect().destroy_group("b")

    world.client.before = dissolve_after_the_first_look
    report = report_of(world.sweep(plan))

    report.check(plan)
    assert {row["group"]: row.get("skipped") for row in report.rows} == {"a": None, "b": "not_found"}


# --- what became of messages between plan and sweep ---


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize(
    ("action", "counts"),
    [
        ("recall", {"requested": 8, "done": 3, "already": 3, "missing": 2}),
        ("redact", {"requested": 8, "done": 3, "already": 0, "missing": 5}),
        ("redact_and_recall", {"requested": 8, "done": 3, "already": 3, "missing": 2}),
    ],
)
def test_messages_that_are_gone_meanwhile_are_counted_as_what_they_are(world, rows_are_long, action, counts, keeps):
    world.group("room", 10)
    plan = world.plan(action, BEGIN + 8)
    list(world.client.group_msg_recall("room", [2, 3, 8]))
    world.expire("room", 5)
    world.expire("room", 6)
    before = world.emulator.state()
    application = world.sweep(plan, archive_to=world.folder / "archive" if keeps else None)

    assert messages_of(world.emulator.state()) == expected_after(before, action, {"room": {1, 4, 7}})
    report = report_of(application)
    report.check(plan)
    only(report.rows, **counts, failed=0, action=action)
    if keeps:
        assert archived(world.folder / "archive")["room"].keys() == {1, 4, 7}


def test_messages_that_cannot_be_recalled_fail_one_by_one(world):
    world.group("room", 12)
    plan = world.plan("recall", BEGIN + 8)
    # What the service now takes for a tip.
    world.emulator._gateway.app.groups["room"].history.messages[4].flags |= 8
    report = report_of(world.sweep(plan))

    report.check(plan)
    only(report.failed, requested=8, done=7, failed=1, code=10032)
    assert world.seqs("room") == [1, 2, 3, 5, 6, 7, 8]


def test_messages_that_cannot_be_overwritten_fail_one_by_one_and_are_not_recalled(world, rows_are_long):
    world.group("room", 8)
    plan = world.plan("redact_and_recall", BEGIN + 6)
    world.emulator._gateway.app.groups["room"].history.messages[4].flags |= 8
    report = report_of(world.sweep(plan))

    report.check(plan)
    only(report.failed, requested=6, done=5, failed=1, code=20001)
    assert world.seqs("room") == [1, 2, 3, 5, 6]


def test_what_was_overwritten_counts_although_another_message_could_not_be_looked_up(world, rows_are_long):
    world.group("room", 8)
    plan = world.plan("redact", BEGIN + 6)
    world.expire("room", 6)
    world.emulator.add_fault(command=HISTORY, error_code=10002)
    report = report_of(world.sweep(plan))

    report.check(plan)
    changed = [one["MsgSeq"] for one in world.messages("room") if one["modified"]]
    only(report.failed, requested=6, done=len(changed), failed=6 - len(changed))
    assert changed[:1] == [1]


# --- groups that fail ---

GOOD = {f"room-{number}": 10 for number in range(6)}


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_group_that_fails_does_not_stop_the_others_and_a_retry_does_what_is_left(world, rows_are_long, action, keeps):
    for name in GOOD:
        world.group(name, 15)
    plan = world.plan(action, BEGIN + 12)
    before = world.emulator.state()
    store = MemoryStore()
    options = {"store": store, "archive_to": world.folder / "archive" if keeps else None}
    world.emulator.add_fault(command=WRITES[action], group="room-2", error_code=10007)

    first = world.sweep(plan, **options)

    report = report_of(first)
    report.check(plan)
    only(report.failed, group="room-2", requested=12, done=0, failed=12, code=10007)
    assert "permission" in report.failed[0]["reason"]
    assert (report.summary["status"], report.summary["failed_groups"]) == ("failed", 1)
    others = {name: seqs for name, seqs in acted_on(plan).items() if name != "room-2"}
    assert messages_of(world.emulator.state()) == expected_after(before, action, others)
    failure = first.ledger.failure()
    assert (failure.code, failure.lasting) == (10007, True)
    assert failure.told.startswith("room-2: 12 of 12, 10007 (no permission")

    world.emulator.clear_faults()
    written = world.written()
    second = world.sweep(plan, **options)

    assert world.written() - written == {"clear": 1, "recall": 2, "redact": 12, "redact_and_recall": 14}[action]
    assert messages_of(world.emulator.state()) == expected_after(before, action, acted_on(plan))
    report = report_of(second)
    report.check(plan)
    assert (report.failed, report.summary["status"], report.summary["done"]) == ([], "done", 72)
    assert second.ledger.failure() is None
    assert store.value is None


def test_a_group_that_fails_for_now_may_heal(world):
    for name in GOOD:
        world.group(name, 5)
    plan = world.plan("clear")
    world.emulator.add_fault(command=CLEAR, group="room-1", error_code=10002)
    world.emulator.add_fault(command=CLEAR, group="room-3", error_code=10007)
    application = world.sweep(plan)

    report_of(application).check(plan)
    failure = application.ledger.failure()
    assert not failure.lasting
    assert failure.told.count(";") == 1


def test_of_very_many_that_failed_the_first_are_named(world):
    for number in range(30):
        world.group(f"room-{number:02}", 1)
    plan = world.plan("clear")
    for number in range(25):
        world.emulator.add_fault(command=CLEAR, group=f"room-{number:02}", error_code=10007)
    application = world.sweep(plan)

    report_of(application).check(plan)
    assert application.ledger.failed_rows == 25
    assert application.ledger.failure().told.endswith(" and 5 more")


# --- what everybody shares ---


def test_a_connection_that_may_not_write_stops_before_anything_is_touched(world):
    for name in GOOD:
        world.group(name)
    plan = world.plan("recall", BEGIN + 5)
    before = world.emulator.state()

    with pytest.raises(TencentIMPermissionError):
        world.sweep(plan, client=world.connect(allowed_commands="read"))

    assert world.emulator.state() == before
    assert world.written() == 0
    assert Report(next((world.folder / "report").iterdir())).summary["status"] == "stopped"


def test_a_signature_that_is_refused_stops_before_anything_is_touched(world):
    for name in GOOD:
        world.group(name)
    plan = world.plan("recall", BEGIN + 5)
    before = world.emulator.state()

    with pytest.raises(TencentIMAuthError):
        world.sweep(plan, client=world.connect(secret_key="0" * 64))
    assert world.emulator.state() == before


@pytest.mark.parametrize(("action", "code"), list(zip(ACTIONS, (60016, 70009) * 2, strict=True)))
def test_an_error_that_everybody_shares_stops_at_once_and_nothing_goes_on_behind_it(world, rows_are_long, action, code):
    for number in range(100):
        world.group(f"room-{number:03}", 3)
    plan = world.plan(action)
    names = [row.group for row in plan.rows()]
    world.emulator.add_fault(command=WRITES[action], group=names[3], error_code=code)
    application = world.open(plan)

    with pytest.raises(TencentIMError) as caught:
        application.sweep.run()
    written = world.written()
    time.sleep(0.05)

    assert caught.value.code == code
    assert world.written() == written
    untouched = [
        name
        for name in names
        if not any(one["cleared"] or one["modified"] or one["state"] != "normal" for one in world.messages(name))
    ]
    assert len(untouched) > 10
    report = report_of(application)
    assert report.summary["status"] == "stopped"
    assert len(report.rows) == 3
    only(report.failed, group=names[3], code=code, failed=3)


def test_a_service_that_is_down_stops_after_three_rows(world, rows_are_long):
    for number in range(15):
        world.group(f"room-{number:03}", 3)
    for action in ACTIONS:
        plan = world.plan(action)
        fault = world.emulator.add_fault(command=WRITES[action], error_code=10002)
        application = world.open(plan, report_path=world.folder / action)
        with pytest.raises(TencentIMTransientError):
            application.sweep.run()
        world.emulator.clear_faults(fault)

        report = report_of(application)
        assert (len(report.rows), len(report.failed), report.summary["failed"]) == (0, 3, 9)


def test_rows_that_are_skipped_do_not_make_a_service_that_is_down_look_up(world):
    for number in range(60):
        world.group(f"room-{number:02}", 3)
    plan = world.plan("clear")
    world.emulator.add_fault(command=CLEAR, error_code=10002)
    acting = [row.group for row in plan.rows()]
    application = world.open(plan, holds=tuple(acting[1::2]))

    with pytest.raises(TencentIMTransientError):
        application.sweep.run()
    assert len(report_of(application).failed) == 3


def test_groups_that_fail_here_and_there_do_not_stop_the_rest(world):
    for number in range(30):
        world.group(f"room-{number:02}", 2)
    plan = world.plan("clear")
    names = [row.group for row in plan.rows()]
    for name in names[::3] + names[1::3]:
        world.emulator.add_fault(command=CLEAR, group=name, error_code=10002)
    report = report_of(world.sweep(plan))

    report.check(plan)
    assert (len(report.failed), len(report.rows)) == (20, 10)


# --- interrupted, and begun again ---


def settled(world, plan, before, action, store, **options):
    """Run a plan to its end, and compare everything."""
    application = world.sweep(plan, store=store, **options)

    assert messages_of(world.emulator.state()) == expected_after(before, action, acted_on(plan))
    report = report_of(application)
    report.check(plan)
    assert report.failed == []
    assert report.summary["status"] == "done"
    assert report.summary["done"] + report.summary["already"] == report.summary["requested"] == plan.header.messages
    assert store.value is None
    return report


@pytest.mark.parametrize("hard", [False, True], ids=["closing its books", "not closing its books"])
@pytest.mark.parametrize("action", ["clear", "recall"])
def test_killed_at_any_save_and_begun_again_everything_is_done_once(world, save_always, monkeypatch, action, hard):
    if hard:
        monkeypatch.setattr(Ledger, "stop", lambda self: None)
    for number in range(6):
        world.group(f"room-{number}", 4)
    world.emulator.add_group("born later", create_time=BEGIN + 5000)
    for at in (1, 2, 4, 7):
        for name in [f"room-{number}" for number in range(6)]:
            world.client.destroy_group(name)
            world.group(name, 4)
        plan = world.plan(action, BEGIN + 3)
        before = world.emulator.state()
        store = MemoryStore(die_at=at)
        options = {"report_path": world.folder / f"report {at}", "archive_to": world.folder / f"archive {at}"}
        with pytest.raises(Killed):
            world.sweep(plan, store=store, **options)
        store.die_at = 0

        settled(world, plan, before, action, store, **options)
        assert {name: set(kept) for name, kept in archived(options["archive_to"]).items()} == {
            name: seqs for name, seqs in acted_on(plan).items() if seqs
        }


@pytest.mark.parametrize("action", ACTIONS)
def test_cancelled_at_any_call_and_begun_again_everything_is_done_once(world, save_always, rows_are_long, action):
    for number in range(4):
        world.group(f"room-{number}", 13)
    for at in (1, 2, 4, 7, 12, 25):
        for name in [f"room-{number}" for number in range(4)]:
            world.client.destroy_group(name)
            world.group(name, 13)
        plan = world.plan(action, BEGIN + 12)
        before = world.emulator.state()
        store, options = MemoryStore(), {"report_path": world.folder / f"report {at}"}
        calls = 0
        client = world.connect()

        def cancel(command, body, at=at, client=client):
            nonlocal calls
            calls += 1
            if calls == at:
                client.cancel()

        client.before = cancel
        try:
            world.sweep(plan, client=client, store=store, **options)
        except TencentIMCancelledError:
            settled(world, plan, before, action, store, **options)
        else:
            assert calls < at


def test_what_was_interrupted_and_then_fails_leaves_no_row_of_the_first_try(world, save_always, monkeypatch):
    """Rows that were noted, but not how far that was, are noted anew: as what they are then."""
    monkeypatch.setattr(Ledger, "stop", lambda self: None)
    for number in range(6):
        world.group(f"room-{number}", 4)
    plan = world.plan("recall", BEGIN + 3)
    store = MemoryStore(die_at=3)
    with pytest.raises(Killed):
        world.sweep(plan, store=store)
    store.die_at = 0
    names = [row.group for row in plan.rows()]
    for name in names[2:]:
        world.emulator.add_fault(command=RECALL, group=name, error_code=10007)
    report = report_of(world.sweep(plan, store=store))

    report.check(plan)
    assert [row["group"] for row in report.rows] == names[:2]
    assert [row["group"] for row in report.failed] == names[2:]


def test_a_plan_that_is_done_can_be_carried_out_anew_with_a_report_of_its_own(world, save_always):
    for number in range(6):
        world.group(f"room-{number}", 4)
    plan = world.plan("recall", BEGIN + 3)
    store = MemoryStore()
    assert len(report_of(world.sweep(plan, store=store)).rows) == 6
    sweep_module._SECONDS_BETWEEN_SAVES = 5.0  # the second report has fewer parts

    report = report_of(world.sweep(plan, store=store))
    report.check(plan)
    assert report.summary["already"] == 18


def test_progress_is_kept_beside_the_plan_by_default(world):
    for name in GOOD:
        world.group(name, 5)
    plan = world.plan("recall", BEGIN + 3)
    fault = world.emulator.add_fault(command=RECALL, group="room-1", error_code=10007)
    world.sweep(plan)
    assert json.loads((plan.folder / "progress.json").read_bytes())["progress"]["digest"] == plan.digest
    world.emulator.clear_faults(fault)
    recalls = world.calls(RECALL)
    report_of(world.sweep(plan)).check(plan)

    assert world.calls(RECALL) == recalls + 1
    assert FileStore(plan.folder / "progress.json", world.client.seal).load() is None


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"digest": 7}', b"\xff"])
def test_progress_that_is_garbage_means_that_all_is_done_again(world, garbage):
    world.group("room")
    plan = world.plan("recall", BEGIN + 3)
    (plan.folder / "progress.json").write_bytes(garbage)
    report = report_of(world.sweep(plan))

    report.check(plan)
    assert report.summary["done"] == 3


def test_a_run_whose_progress_cannot_be_stored_is_done_all_the_same(world, caplog):
    world.group("room")
    plan = world.plan("recall", BEGIN + 3)
    (world.folder / "file").write_text("")
    report = report_of(world.sweep(plan, store=FileStore(world.folder / "file" / "progress.json", world.client.seal)))

    report.check(plan)
    assert report.summary["done"] == 3
    assert caplog.text.count("cannot be stored") == 1


# --- the plan is compared again ---


def test_a_plan_that_was_changed_is_refused_before_anything_is_touched(world, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.retention.plan._ROWS_PER_PART", 2)
    for name in GOOD:
        world.group(name)
    plan = world.plan("clear", BEGIN + 5)
    part = plan.folder / "rows-00002.jsonl"
    part.write_bytes(part.read_bytes().replace(b'"through":5', b'"through":9'))

    with pytest.raises(ValueError, match=part.name):
        world.sweep(plan)
    assert world.written() == 0


# --- the archive ---


@pytest.mark.parametrize("action", ACTIONS)
def test_the_archive_holds_exactly_what_is_gone_and_the_emulator_loads_it(world, rows_are_long, action):
    world.emulator.generate(4, 30, seed=11)
    world.emulator.add_group(
        "room",
        messages=[
            {"MsgBody": text, "CloudCustomData": text, "MsgTimeStamp": BEGIN + number, "From_Account": "ann"}
            for number, text in enumerate(["猫👪", "a\nb\x00c", "字" * 3000, "]}", "last"])
        ],
    )
    plan = world.plan(action, int(world.emulator.now()) - 20 * DAY, keep_last=1)
    before = world.emulator.state()["groups"]

    application = world.sweep(plan, archive_to=world.folder / "archive")

    rows = rows_by_group(plan)
    gone = {}
    for name, group in before.items():
        seqs = planned_seqs(rows[name])
        there = [one for one in group["messages"] if one["MsgSeq"] in seqs and one["state"] == "normal"]
        if there:
            gone[name] = {one["MsgSeq"]: (one["MsgBody"], one["CloudCustomData"], one["MsgTimeStamp"]) for one in there}
    kept = {
        name: {seq: (one["MsgBody"], one.get("CloudCustomData"), one["MsgTimestamp"]) for seq, one in messages.items()}
        for name, messages in archived(world.folder / "archive").items()
    }
    assert kept == gone
    copy = TencentIMEmulator(sdkappid=world.emulator.sdkappid)
    folder = application.archive
    copy.load(*sorted(folder.glob("*.gz")))
    assert {
        name: {
            one["MsgSeq"]: (one["MsgBody"], one["CloudCustomData"], one["MsgTimeStamp"]) for one in group["messages"]
        }
        for name, group in copy.state()["groups"].items()
    } == gone
    manifest = [json.loads(line) for path in folder.glob("manifest-0*") for line in path.read_bytes().splitlines()]
    assert {row["chat"]: row["messages"] for row in manifest} == {name: len(seqs) for name, seqs in gone.items()}
    assert sorted(row["file"] for row in manifest) == sorted(path.name for path in folder.glob("*.gz"))
    report = report_of(application)
    assert {row["group"]: row["archive"] for row in report.rows} == {row["chat"]: [row["file"]] for row in manifest}


def test_the_archive_is_written_before_anything_goes(world):
    world.group("room", 30)
    plan = world.plan("recall", BEGIN + 25)
    archive = world.folder / "archive"

    def look(command, body):
        if command == RECALL:
            assert set(archived(archive)["room"]) >= {entry["MsgSeq"] for entry in body["MsgSeqList"]}

    world.client.before = look
    world.sweep(plan, archive_to=archive)
    assert world.seqs("room") == list(range(1, 26))


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_touched_when_its_archive_cannot_be_written(world, rows_are_long, action):
    for name in ("a", "b", "c"):
        world.group(name)
    plan = world.plan(action, BEGIN + 5)
    before = world.emulator.state()
    archive = world.folder / "archive"
    store = MemoryStore()
    application = world.open(plan, archive_to=archive, store=store)
    names = [row.group for row in plan.rows()]
    # A link to nowhere is not there, and cannot be written either.
    (archive / plan.digest[:16] / "00000002.gz").symlink_to(world.folder / "none" / "none")
    application.sweep.run()

    others = {name: seqs for name, seqs in acted_on(plan).items() if name != names[1]}
    assert messages_of(world.emulator.state()) == expected_after(before, action, others)
    report = report_of(application)
    report.check(plan)
    row = only(report.failed, group=names[1], done=0, failed=5)
    assert row["reason"].startswith("not touched, since its archive is not complete")
    assert not application.ledger.failure().lasting

    (archive / plan.digest[:16] / "00000002.gz").unlink()
    settled(world, plan, before, action, store, archive_to=archive)


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_touched_when_its_archive_cannot_be_read_back(world, rows_are_long, monkeypatch, action):
    world.group("room")
    plan = world.plan(action, BEGIN + 5)
    before = world.emulator.state()
    real = type(world.folder).open

    def truncate(path, mode="r", *rest, **options):
        if path.suffix == ".gz" and mode == "rb":
            os.truncate(path, path.stat().st_size - 9)
        return real(path, mode, *rest, **options)

    monkeypatch.setattr(type(world.folder), "open", truncate)
    application = world.sweep(plan, archive_to=world.folder / "archive")

    assert world.emulator.state() == before
    assert world.written() == 0
    only(report_of(application).failed, done=0, failed=5)


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_touched_when_the_history_cannot_be_read_for_the_archive(world, rows_are_long, action):
    world.group("room", 60)
    plan = world.plan(action, BEGIN + 55)
    before = world.emulator.state()
    world.emulator.add_fault(command=HISTORY, error_code=10007)
    application = world.sweep(plan, archive_to=world.folder / "archive")

    assert world.emulator.state() == before
    assert world.written() == 0
    only(report_of(application).failed, done=0, failed=55, code=10007)


def test_a_retry_keeps_the_first_files_and_names_all_of_them(world):
    world.group("room", 30)
    plan = world.plan("redact", BEGIN + 25)
    archive, store = world.folder / "archive", MemoryStore()
    fault = world.emulator.add_fault(command=MODIFY, group="room", error_code=10007, probability=0.5, seed=3)
    before = {one["MsgSeq"]: one["MsgBody"] for one in world.messages("room")}
    only(report_of(world.sweep(plan, archive_to=archive, store=store)).failed, requested=25)
    first = (archive / plan.digest[:16] / "00000001.gz").read_bytes()
    world.emulator.clear_faults(fault)
    report = report_of(world.sweep(plan, archive_to=archive, store=store))

    assert (archive / plan.digest[:16] / "00000001.gz").read_bytes() == first
    assert only(report.rows, done=25)["archive"] == ["00000001.gz", "00000001-2.gz"]
    kept = archived(archive)["room"]
    assert {seq: one["MsgBody"] for seq, one in kept.items()} == {seq: before[seq] for seq in range(1, 26)}
    assert all(one["MsgBody"] == REMOVED for one in world.messages("room")[:25])


def test_half_a_surrogate_pair_stops_nothing(world, monkeypatch):
    """The service hands out what an app cut within an emoji."""
    for name in ("a", "b"):
        world.group(name, 3)
    plan = world.plan("recall")
    real = type(world.client).call

    def cut(self, command, body, **options):
        answer = real(self, command, body, **options)
        for item in answer.get("RspMsgList", ()) if command == HISTORY and body["GroupId"] == "a" else ():
            item["MsgBody"][0]["MsgContent"]["Text"] = "cut \ud83d"
        return answer

    monkeypatch.setattr(type(world.client), "call", cut)
    report = report_of(world.sweep(plan, archive_to=world.folder / "archive"))

    report.check(plan)
    assert report.summary["done"] == 6
    assert archived(world.folder / "archive")["a"][1]["MsgBody"][0]["MsgContent"]["Text"] == "cut \ud83d"


# --- books that cannot be written ---


@pytest.mark.parametrize("name", ["report_path", "archive_to"])
def test_a_folder_that_cannot_be_written_fails_before_anything_is_touched(world, name):
    world.group("room")
    plan = world.plan("clear", BEGIN + 5)
    (world.folder / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        world.sweep(plan, **{name: world.folder / "file" / "below"})
    assert world.written() == 0


def test_without_a_report_and_an_archive_nothing_is_written_but_the_progress(world):
    world.group("room")
    plan = world.plan("clear", BEGIN + 5)
    there = set(world.folder.rglob("*"))
    application = world.sweep(plan, report_path=None)

    assert application.summary()["done"] == 5
    assert set(world.folder.rglob("*")) - there == {plan.folder / "progress.json"}
