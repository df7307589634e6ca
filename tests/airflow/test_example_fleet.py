"""The example for many workers: its shards together clear what one task would, and the last task adds them up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from retention_runs import cleared_through, fill, writes

NAME = "example_tencentim_retention_fleet"
ROOMS = [f"room-{number}" for number in range(30)]


@pytest.fixture
def rooms(emulator):
    for room in ROOMS:
        fill(emulator, room, ages=(90, 70, 50, 10))
    fill(emulator, "new", ages=(20, 10))
    return emulator


@pytest.fixture
def conf(tmp_path):
    return {"dry_run": False, "folder": str(tmp_path / "shared")}


def test_a_dry_run_says_what_all_shards_would_do(rooms, load_example, run_dag, conf):
    run = run_dag(load_example(NAME), conf=conf | {"dry_run": True})

    assert run.state == "success"
    assert writes(rooms) == {}
    joined = run.results["join"]
    assert {name: joined[name] for name in ("shards", "listed", "groups", "messages")} == {
        "shards": 8,
        "listed": 31,
        "groups": 30,
        "messages": 60,
    }
    assert joined["skipped"] == {"nothing_older": 1}


def test_all_shards_together_clear_what_is_too_old_and_no_more(rooms, load_example, run_dag, conf):
    run = run_dag(load_example(NAME), conf=conf)

    assert run.state == "success"
    assert {room: cleared_through(rooms, room) for room in [*ROOMS, "new"]} == dict.fromkeys(ROOMS, 2) | {"new": 0}
    joined = run.results["join"]
    assert (joined["status"], joined["shards"], joined["groups"], joined["requested"]) == ("done", 8, 30, 60)
    assert joined["requested"] == sum(joined[name] for name in ("done", "already", "missing", "failed"))
    page = json.loads(Path(joined["report"].removeprefix("file://")).read_text())
    assert sum(shard["done"] for shard in page["reports"]) == page["done"] == joined["done"]
    assert all((Path(shard["report"].removeprefix("file://")) / "summary.json").exists() for shard in page["reports"])


def test_a_shard_that_fails_is_reported_and_fails_the_run(rooms, load_example, run_dag, conf, tmp_path):
    rooms.add_fault(error_code=10007, command="group_open_http_svc/clear_group_msg", group="room-3")

    run = run_dag(load_example(NAME), conf=conf)

    assert run.state == "failed"
    assert [name for name, state in run.tasks.items() if state == "failed" and name != "join"] != []
    assert run.tasks["join"] == "failed"
    (report,) = (tmp_path / "shared" / "reports").glob("joined-*.json")
    page = json.loads(report.read_text())
    assert (page["status"], page["failed_groups"], page["failed"]) == ("failed", 1, 2)
    assert (page["requested"], page["done"], page["unreported"]) == (60, 58, [])
