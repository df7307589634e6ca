"""The books of a sweep: what is written of each row, what the next try finds, and what is said of what failed."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.client.signature import SecretKey
from airflow_provider_tencentim.retention.archive import ArchivedFile
from airflow_provider_tencentim.retention.ledger import Ledger
from airflow_provider_tencentim.retention.outcome import COUNTS, Outcome
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.progress import FileStore

LASTING, PASSING = 10010, 10002
ARCHIVED = {"file": "a.jsonl.gz", "chat": "room-1", "messages": 9, "seqs": "1-9", "sha256": "0" * 64, "bytes": 5}
LOST = TencentIMTransientError("recall", None, "no route")


class States:
    """Notes the rows, and when it is saved."""

    def __init__(self):
        self.rows, self.saved = [], 0

    def record(self, row):
        self.rows.append(row.group)

    def save(self):
        self.saved += 1


class Memory:
    """A store that may be full."""

    def __init__(self, full=False):
        self.value, self.full, self.cleared = None, full, 0

    def load(self):
        return self.value

    def save(self, value):
        if self.full:
            raise OSError("disk full")
        self.value = json.loads(json.dumps(value))

    def clear(self):
        self.cleared += 1
        if self.full:
            raise OSError("disk full")
        self.value = None


def rows(count):
    return [
        PlanRow(group=f"room-{number}", action="recall", through=9, ranges="1-9", messages=9)
        for number in range(1, count + 1)
    ]


@pytest.fixture
def plan(tmp_path):
    writer = PlanWriter(tmp_path / "plan")
    for row in rows(4):
        writer.add(row)
    writer.add(PlanRow(group="held", skip="on_hold"))
    _, digest = writer.finish(
        chat="group",
        sdkappid=1400000000,
        base_url="https://console.tim.qq.com",
        policy={"action": "recall"},
        cut_off="2026-01-01T00:00:00+00:00",
        created=1,
        run={"dag_id": "nightly"},
        shard="1/1",
        holds=False,
        incremental=False,
    )
    return Plan(tmp_path / "plan", digest)


@pytest.fixture
def books(plan, tmp_path):
    def open_books(store=None, state=None, archive=True):
        return Ledger(plan, store or Memory(), tmp_path / "report", tmp_path / "archive" if archive else None, state)

    return open_books


def done(**changes):
    return Outcome(**({"requested": 9, "done": 6, "already": 2, "missing": 1, "calls": 3} | changes))


def failed(code=PASSING, **changes):
    return Outcome(**({"requested": 9, "done": 4, "calls": 2, "code": code, "reason": "why"} | changes))


def page(tmp_path):
    return json.loads((tmp_path / "report" / "summary.json").read_bytes())


def lines(folder):
    return {
        path.name: [json.loads(line)["group"] for line in path.read_bytes().splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
        if path.stat().st_size
    }


def test_the_first_page_says_what_is_carried_out(books, plan, tmp_path):
    ledger = books()

    assert page(tmp_path) == {
        "status": "running",
        "plan": str(tmp_path / "plan"),
        "digest": plan.digest,
        "sdkappid": 1400000000,
        "chat": "group",
        "cut_off": "2026-01-01T00:00:00+00:00",
        "policy": {"action": "recall"},
        "planned_by": {"dag_id": "nightly"},
        "covers": "everything: it is complete in itself",
        "parts": 0,
        "failed_parts": 0,
        "groups": 4,
        "failed_groups": 0,
        "skipped": {"on_hold": 1},
        **dict.fromkeys(COUNTS, 0),
    }
    assert ledger.failure() is None


def test_what_is_done_and_what_failed_are_counted_and_kept_apart(books, tmp_path):
    store, state = Memory(), States()
    ledger = books(store, state)
    one, two, three, four = rows(4)
    ledger.record(1, one, done())
    ledger.record(2, two, failed())
    ledger.record(3, three, done(requested=0, done=0, already=0, missing=0, calls=1, skip="made_anew"))
    ledger.record(4, four, done())
    ledger.finish()

    assert state.rows == ["room-1", "room-4"]
    assert state.saved == 1
    assert ledger.failed_rows == 1
    assert lines(tmp_path / "report") == {
        "report-00000.jsonl": ["room-1", "room-3", "room-4"],
        "report-failed-00000.jsonl": ["room-2"],
    }
    told = page(tmp_path)
    assert (told["status"], told["parts"], told["failed_parts"], told["failed_groups"]) == ("failed", 1, 1, 1)
    assert {name: told[name] for name in COUNTS} == {
        "requested": 27,
        "done": 16,
        "already": 4,
        "missing": 2,
        "failed": 5,
        "calls": 9,
    }
    assert told["skipped"] == {"made_anew": 1, "on_hold": 1}
    assert (store.value["next"], store.value["failed"], store.value["reports"]) == (4, "2", 1)


def test_the_next_try_does_what_failed_and_nothing_else(books, tmp_path):
    store = Memory()
    first = books(store)
    for number, row in enumerate(rows(3), 1):
        first.record(number, row, failed() if number == 2 else done())
    first.stop()
    assert page(tmp_path)["status"] == "stopped"

    again = books(store)
    assert [number for number in range(1, 6) if again.is_due(number)] == [2, 4, 5]
    again.record(2, rows(2)[1], done())
    again.record(4, rows(4)[3], done())
    again.finish()

    assert page(tmp_path)["status"] == "done"
    assert again.failure() is None
    assert again.summary()["requested"] == again.progress.totals["requested"] == 36
    assert lines(tmp_path / "report") == {
        "report-00000.jsonl": ["room-1", "room-3"],
        "report-00001.jsonl": ["room-2", "room-4"],
    }
    assert (store.value, store.cleared) == (None, 1)


def test_rows_that_were_passed_over_are_due_again(books):
    store = Memory()
    ledger = books(store)
    ledger.record(1, rows(1)[0], done())
    ledger.record(4, rows(4)[3], done())
    ledger.save()

    assert store.value["failed"] == "2-3"
    assert ledger.failed_rows == 2
    assert [number for number in range(1, 6) if books(store).is_due(number)] == [2, 3, 5]


def test_a_single_row_that_was_passed_over_is_due_again(books):
    ledger = books()
    ledger.record(1, rows(1)[0], done())
    ledger.record(3, rows(3)[2], done())

    assert [number for number in range(1, 5) if ledger.is_due(number)] == [2, 4]


def test_a_row_of_which_one_message_failed_is_due_again(books):
    ledger = books()
    ledger.record(1, rows(1)[0], Outcome(requested=9, done=8, code=PASSING, reason="why"))

    assert ledger.is_due(1)
    assert ledger.failed_rows == 1


def test_progress_is_of_this_plan_alone(books, plan):
    store = Memory()
    ledger = books(store)
    ledger.record(1, rows(1)[0], done())
    ledger.save()

    assert store.value["digest"] == plan.digest
    store.value["digest"] = "0" * 64
    assert books(store).is_due(1)


def test_rows_that_are_skipped_for_one_reason_are_counted(books):
    ledger = books()
    for number, row in enumerate(rows(3), 1):
        ledger.record(number, row, Outcome(skip="made_anew"))

    assert ledger.summary()["skipped"] == {"made_anew": 3, "on_hold": 1}


def test_a_report_says_that_earlier_runs_are_left_out(plan, tmp_path):
    plan.header = replace(plan.header, incremental=True)
    Ledger(plan, Memory(), tmp_path / "report", None, None)

    assert page(tmp_path)["covers"] == "what earlier runs had not done"


def test_a_row_that_an_error_ended_failed_even_if_nothing_is_left_of_it(books):
    ledger = books()
    ledger.record(1, rows(1)[0], done(error=LOST, reason="no route"))

    assert ledger.failed_rows == 1


def test_the_manifest_keeps_what_was_archived(books, tmp_path):
    ledger = books()
    files = [ArchivedFile(**{**ARCHIVED, "file": name}) for name in ("a.jsonl.gz", "b.jsonl.gz")]
    ledger.record(1, rows(1)[0], done(archived=files[:1]))
    ledger.record(2, rows(2)[1], failed(archived=files[1:]))
    ledger.finish()

    found = {
        path.name: [json.loads(line)["file"] for line in path.read_bytes().splitlines()]
        for path in (tmp_path / "archive").iterdir()
    }
    assert found == {"manifest-00000.jsonl": ["a.jsonl.gz"], "manifest-failed-00000.jsonl": ["b.jsonl.gz"]}
    assert ledger.progress.manifests == 1


def test_without_a_report_there_is_none(plan, tmp_path):
    ledger = Ledger(plan, Memory(), None, None, None)
    ledger.record(1, rows(1)[0], done())
    ledger.finish()

    assert not (tmp_path / "report").exists()
    assert ledger.summary()["done"] == 6


def test_what_failed_is_told_of_the_first_twenty(books):
    ledger = books()
    for number, row in enumerate(rows(21), 1):
        ledger.record(number, row, failed(LASTING if number > 1 else 70001))

    failure = ledger.failure()
    assert failure.told.startswith("room-1: 5 of 9, 70001 (why); room-2: 5 of 9, 10010 (why); ")
    assert failure.told.endswith("room-20: 5 of 9, 10010 (why) and 1 more")
    assert (failure.code, failure.lasting) == (70001, True)


@pytest.mark.parametrize("codes", [(PASSING, LASTING), (LASTING, PASSING), (None, LASTING)])
def test_one_row_that_may_heal_makes_a_retry_worth_it(books, codes):
    ledger = books()
    for number, (row, code) in enumerate(zip(rows(2), codes, strict=True), 1):
        ledger.record(number, row, failed(code))

    failure = ledger.failure()
    assert (failure.code, failure.lasting) == (codes[0], False)
    assert failure.told.endswith("(why)")
    if codes[0] is None:
        assert failure.told.startswith("room-1: 5 of 9, (why); ")


def test_a_store_that_is_full_is_told_once_and_ends_nothing(books, tmp_path, caplog):
    ledger = books(Memory(full=True))
    ledger.record(1, rows(1)[0], done())
    with caplog.at_level(logging.WARNING):
        ledger.save()
        ledger.save()
        ledger.finish()

    assert [record.getMessage() for record in caplog.records] == [
        "How far the run came cannot be stored, so that a retry begins anew: disk full"
    ]
    assert page(tmp_path)["status"] == "done"


def test_books_that_cannot_be_closed_do_not_hide_why_a_run_stops(books, caplog):
    class Broken(States):
        def save(self):
            raise ValueError("broken state")

    ledger = books(state=Broken())
    ledger.stop()

    assert [record.getMessage() for record in caplog.records] == [
        "The books of the run could not be closed: broken state"
    ]
    with pytest.raises(ValueError, match="broken state"):
        ledger.finish()


def test_what_a_try_wrote_and_did_not_note_is_taken_away(books, tmp_path):
    report = tmp_path / "report"
    first = books()
    first.record(1, rows(1)[0], done())
    first.record(2, rows(2)[1], failed())
    first.save()

    books().finish()
    assert lines(report) == {}


def test_the_store_may_be_a_file(books, tmp_path):
    store = FileStore(tmp_path / "progress.json", SecretKey("key").seal)
    ledger = books(store)
    ledger.record(1, rows(1)[0], done())
    ledger.save()

    assert not books(store).is_due(1)


@pytest.mark.parametrize(("following", "due"), [(5, False), (6, True)])
def test_progress_beyond_the_last_row_is_of_no_try_of_this_plan(books, following, due):
    store = Memory()
    first = books(store)
    first.save()
    store.value["next"] = following

    assert books(store).is_due(1) is due
