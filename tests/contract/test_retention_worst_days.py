"""Sweeps on bad days: a disk that is full, a store that fails half-way, and two runs of one plan at once."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from retention_world import MemoryStore, World, archived, expected_after, messages_of, planned_seqs, report_of

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.retention import files, sweep

ACTIONS = ("clear", "recall", "redact", "redact_and_recall")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)
    monkeypatch.setattr(sweep, "_ROWS_BETWEEN_SAVES", 3)


@pytest.fixture
def world(emulator, tmp_path):
    world = World(emulator, tmp_path)
    for number in range(12):
        world.group(f"room-{number:02}", 7)
    yield world
    world.close()


def acted_on(plan):
    return {row.group: planned_seqs([row]) for row in plan.rows() if row.action}


class Disk:
    """Writes files until it is full."""

    def __init__(self, monkeypatch, room):
        self.room = room
        self._write = files.write_file
        for module in (files, sweep_books()):
            monkeypatch.setattr(module, "write_file", self.write)

    def write(self, path, content):
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        self._write(path, content)


def sweep_books():
    from airflow_provider_tencentim.retention import ledger

    return ledger


@pytest.mark.parametrize("action", ACTIONS)
def test_two_runs_of_one_plan_at_once_do_no_harm_and_each_report_adds_up(world, action):
    plan = world.plan(action)
    before = world.emulator.state()

    def run(name):
        application = world.open(
            plan, client=world.connect(), store=MemoryStore(), report_path=world.folder / name / "report"
        )
        application.sweep.run()
        return application

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(run, ("one", "two")))

    assert messages_of(world.emulator.state()) == expected_after(before, action, acted_on(plan))
    for application in runs:
        report = report_of(application)
        report.check(plan)
        assert report.summary["failed"] == report.summary["missing"] == 0


@pytest.mark.parametrize("room", range(6))
def test_a_disk_that_is_full_stops_the_sweep_and_a_retry_with_room_does_the_rest(world, monkeypatch, room):
    plan = world.plan("recall")
    before = world.emulator.state()
    disk = Disk(monkeypatch, room)
    store = MemoryStore()

    with pytest.raises(OSError, match="No space left"):
        world.sweep(plan, store=store, report_path=world.folder / "report")
    gone = {name: set(world.seqs(name)) for name in before["groups"]}
    assert all(seqs <= acted_on(plan).get(name, set()) for name, seqs in gone.items())
    if room == 0:  # not even the first page of the report could be written
        assert not any(gone.values())

    disk.room = 10_000
    application = world.sweep(plan, store=store, report_path=world.folder / "report")
    assert messages_of(world.emulator.state()) == expected_after(before, "recall", acted_on(plan))
    report_of(application).check(plan)


def test_nothing_goes_that_a_failing_store_has_not_taken(world, monkeypatch):
    plan = world.plan("recall")
    opened, real_open = [], Path.open

    def failing_open(self, mode="r", *arguments, **options):
        if self.suffix == ".gz" and mode == "wb":
            opened.append(self)
            if len(opened) % 2:
                raise OSError(errno.EIO, "the store is gone half-way")
        return real_open(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing_open)
    application = world.sweep(plan, archive_to=world.folder / "archive")
    monkeypatch.undo()

    kept = {group: set(messages) for group, messages in archived(world.folder / "archive").items()}
    recalled = {group: set(world.seqs(group)) for group in acted_on(plan)}
    assert {group: seqs for group, seqs in recalled.items() if seqs} == kept
    assert 0 < len(kept) < len(acted_on(plan))
    assert application.ledger.failure() is not None
