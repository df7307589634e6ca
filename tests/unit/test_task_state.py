"""What a task keeps for its retries: where it is kept, and when it is not taken for what it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_tencentim.client.signature import SecretKey
from airflow_provider_tencentim.operators import task_state
from airflow_provider_tencentim.operators.task_state import (
    TaskStateStore,
    earlier_plan,
    forget_plan,
    progress_store,
    remember_plan,
)
from airflow_provider_tencentim.retention.files import to_json
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.progress import FileStore

PROGRESS, PLAN = "tencentim_retention_progress", "tencentim_retention_plan"
HEADER = {
    "chat": "group",
    "sdkappid": 1400000000,
    "base_url": "https://console.tim.qq.com",
    "policy": {"action": "recall", "groups": ["*"]},
    "cut_off": "2026-01-01T00:00:00+00:00",
    "created": 1_767_000_000,
    "run": {},
    "shard": "1/1",
    "holds": False,
    "incremental": False,
}


class State(dict):
    """Airflow's task state."""

    def set(self, key: str, value: Any) -> None:
        assert type(value) is dict
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture
def plan(tmp_path) -> Plan:
    writer = PlanWriter(ObjectStoragePath(str(tmp_path / "plan")))
    writer.add(PlanRow(group="one", type="Public", create_time=5, action="recall", through=1, ranges="1", messages=1))
    _, digest = writer.finish(**HEADER)
    return Plan(ObjectStoragePath(str(tmp_path / "plan")), digest)


def beside(plan: Plan) -> Path:
    return Path(str(plan.folder)) / "progress.json"


def file_of(plan: Plan) -> FileStore:
    return FileStore(beside(plan), SecretKey("key").seal)


def of_size(size: int) -> dict[str, str]:
    """A value that takes so many bytes as JSON."""
    value = {"padding": ""}
    value["padding"] = "x" * (size - len(to_json(value)))
    assert len(to_json(value)) == size
    return value


def test_progress_is_kept_in_airflow_where_that_keeps_anything(plan):
    state = State()
    store = progress_store({"task_state_store": state}, file_of(plan))

    assert isinstance(store, TaskStateStore)
    assert store.load() is None
    store.save({"next": 3})
    assert state == {PROGRESS: {"next": 3}}
    assert store.load() == {"next": 3}
    assert not beside(plan).exists()


def test_progress_is_kept_beside_the_plan_elsewhere(plan):
    store = progress_store({}, file_of(plan))

    assert isinstance(store, FileStore)
    store.save({"next": 3})
    assert json.loads(beside(plan).read_bytes())["progress"] == {"next": 3}
    assert progress_store({"task_state_store": None}, file_of(plan)).load() == {"next": 3}


@pytest.mark.parametrize("size", [60_000, 60_001])
def test_what_is_too_large_for_airflow_is_kept_beside_the_plan(plan, size):
    state = State()
    store = progress_store({"task_state_store": state}, file_of(plan))
    value = of_size(size)
    store.save(value)

    large = size > 60_000
    assert beside(plan).exists() is large
    assert state == {PROGRESS: {"beside_the_plan": True} if large else value}
    # A later try finds either, and what is smaller again takes its place.
    later = progress_store({"task_state_store": state}, file_of(plan))
    assert later.load() == value
    later.save({"next": 9})
    assert later.load() == {"next": 9}


def test_large_progress_whose_file_is_gone_is_none(plan):
    store = progress_store({"task_state_store": State({PROGRESS: {"beside_the_plan": True}})}, file_of(plan))
    assert store.load() is None


def test_progress_that_is_no_mapping_is_given_as_it_is(plan):
    assert (
        progress_store({"task_state_store": State({PROGRESS: "beside_the_plan"})}, file_of(plan)).load()
        == "beside_the_plan"
    )


def test_progress_is_forgotten_and_nothing_else(plan):
    state = State({PLAN: {"plan": "somewhere"}})
    store = progress_store({"task_state_store": state}, file_of(plan))
    store.save({"next": 3})

    store.clear()

    assert state == {PLAN: {"plan": "somewhere"}}
    assert store.load() is None


def test_a_plan_is_remembered_until_it_is_forgotten(plan):
    state = State({PROGRESS: {"next": 3}})
    context = {"task_state_store": state}
    assert earlier_plan(context) is None

    remember_plan(context, plan)

    assert state[PLAN] == {"plan": str(plan.folder), "digest": plan.digest}
    found = earlier_plan(context)
    assert (found.folder, found.digest, found.header) == (plan.folder, plan.digest, plan.header)
    assert isinstance(found.folder, ObjectStoragePath)

    forget_plan(context)

    assert state == {PROGRESS: {"next": 3}}
    assert earlier_plan(context) is None


def test_without_task_state_no_plan_is_remembered(plan):
    for context in ({}, {"task_state_store": None}):
        remember_plan(context, plan)
        assert earlier_plan(context) is None
        forget_plan(context)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"digest": None},
        {"plan": "/nowhere/at/all"},
        {"plan": None},
    ],
    ids=repr,
)
def test_a_plan_that_is_no_longer_what_it_was_is_none(plan, change):
    known = {"plan": str(plan.folder), "digest": plan.digest}
    assert earlier_plan({"task_state_store": State({PLAN: known})}) is not None
    assert earlier_plan({"task_state_store": State({PLAN: known | change})}) is None


@pytest.mark.parametrize("known", [{}, {"plan": "somewhere"}, {"digest": "0" * 64}, "somewhere", ["plan"], 7], ids=repr)
def test_what_is_no_note_of_a_plan_is_none(known):
    assert earlier_plan({"task_state_store": State({PLAN: known})}) is None


def test_a_plan_whose_rows_were_changed_is_not_gone_on_with(plan):
    state = State()
    remember_plan({"task_state_store": state}, plan)
    header = Path(str(plan.folder)) / "header.json"
    header.write_bytes(header.read_bytes().replace(b'"messages": 1', b'"messages": 2').replace(b":1,", b":2,"))
    assert earlier_plan({"task_state_store": state}) is None


def test_the_names_under_which_airflow_keeps_it_stay_as_they_are():
    """A task that was begun by an older version finds what that one kept."""
    assert (task_state._PROGRESS, task_state._PLAN, task_state._ELSEWHERE) == (PROGRESS, PLAN, "beside_the_plan")
