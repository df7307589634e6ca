"""Retries of the retention operators, executed by hand: they go on with the first plan while it is what is meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from by_hand import ALL, POLICY, apply, done, one_task
from retention_runs import RECALL, writes
from task_context import TaskState, log_of, task_context

from airflow_provider_tencentim.client.errors import TencentIMPartialError
from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    GroupRetentionOperator,
)

PROGRESS, PLAN = "tencentim_retention_progress", "tencentim_retention_plan"
NIGHT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def told(monkeypatch):
    """What the operators log."""
    return log_of(monkeypatch, ApplyRetentionPlanOperator, GroupRetentionOperator)


def test_how_far_a_plan_was_carried_out_is_kept_for_a_retry(two_rooms, planned):
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10002, times=1)
    state = TaskState()
    with pytest.raises(TencentIMPartialError):
        apply(**planned).execute(task_context(task_state_store=state))
    assert list(state) == [PROGRESS]
    assert not (Path(planned["plan_path"]) / "progress.json").exists()

    result = apply(**planned).execute(task_context(task_state_store=state))

    assert (result["done"], result["already"]) == (6, 0)
    assert writes(two_rooms) == {RECALL: 3}
    assert state == {}


@pytest.fixture
def first_try(two_rooms, tmp_path):
    """The state that a first try leaves, which failed with one of two groups; its plan is in ``plan``."""
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10002, times=1)
    state = TaskState()
    with pytest.raises(TencentIMPartialError):
        one_task(plan_path=f"{tmp_path}/plan", shard="1/1").execute(
            task_context(task_state_store=state, data_interval_end=NIGHT)
        )
    assert set(state) == {PROGRESS, PLAN}
    return state


def retry(state: TaskState, tmp_path: Path, **arguments: Any) -> tuple[dict[str, Any], bool]:
    """Retry the task; return what it did, and whether it went on with the plan of the first try."""
    digest = state[PLAN]["digest"]
    arguments = {"plan_path": f"{tmp_path}/plan"} | arguments
    result = one_task(**arguments).execute(task_context(task_state_store=state, data_interval_end=NIGHT))
    assert state == {}
    return result, result["digest"] == digest


def test_a_retry_goes_on_with_the_plan_of_the_first_try(two_rooms, first_try, tmp_path):
    result, same = retry(first_try, tmp_path)
    assert same
    assert (result["requested"], result["done"]) == (6, 6)
    assert done(two_rooms) == ALL
    assert writes(two_rooms) == {RECALL: 3}


@pytest.mark.parametrize(
    ("arguments", "requested"),
    [
        ({"policy": {**POLICY, "groups": ["room1"]}}, 3),
        ({"policy": {**POLICY, "older_than": "P15D"}}, 5),
        ({"shard": "1/2"}, None),
        ({"max_messages": 5}, 3),
        ({"max_groups": 1}, 3),
    ],
    ids=str,
)
def test_a_retry_that_is_asked_for_something_else_plans_anew(
    two_rooms, first_try, tmp_path, told, arguments, requested
):
    result, same = retry(first_try, tmp_path, **arguments)
    assert not same
    assert result["done"] == result["requested"]
    assert requested in (None, result["requested"])
    refused = [line for line in told if line.startswith("The plan of an earlier try is not carried out")]
    assert len(refused) == ("max_messages" in arguments or "max_groups" in arguments)


def test_a_retry_says_why_the_plan_of_the_first_try_is_not_carried_out(two_rooms, first_try, tmp_path, told):
    retry(first_try, tmp_path, max_messages=5)
    assert told[0] == (
        "The plan of an earlier try is not carried out, and a new one is made: max_messages is 5, and the plan has 6"
    )


def test_a_retry_whose_holds_are_new_goes_on_and_leaves_them_alone(two_rooms, first_try, tmp_path):
    (tmp_path / "holds.txt").write_text("room1\n")
    result, same = retry(first_try, tmp_path, hold_path=f"{tmp_path}/holds.txt")
    assert same
    assert result["skipped"] == {"held": 1}
    assert done(two_rooms) == [{1, 2, 3}, set()]


@pytest.mark.parametrize("held_again", [True, False], ids=["with_holds", "without"])
def test_a_plan_that_was_made_with_holds_is_gone_on_with_while_there_are_any(two_rooms, tmp_path, told, held_again):
    (tmp_path / "holds.txt").write_text("another\n")
    holds = {"hold_path": f"{tmp_path}/holds.txt"}
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10002, times=1)
    state = TaskState()
    with pytest.raises(TencentIMPartialError):
        one_task(plan_path=f"{tmp_path}/plan", **holds).execute(
            task_context(task_state_store=state, data_interval_end=NIGHT)
        )

    result, same = retry(state, tmp_path, **holds if held_again else {})

    assert same is held_again
    assert (result["done"], done(two_rooms)) == (6 if held_again else 3, ALL)
    assert any("hold_path must be given" in line for line in told) is not held_again


def test_a_plan_that_is_gone_is_made_anew(two_rooms, first_try, tmp_path):
    (tmp_path / "plan" / "header.json").unlink()
    result, _ = retry(first_try, tmp_path)
    assert (result["requested"], done(two_rooms)) == (3, ALL)


def test_without_task_state_a_retry_plans_what_is_left(two_rooms, tmp_path):
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10002, times=1)
    with pytest.raises(TencentIMPartialError):
        one_task(plan_path=f"{tmp_path}/plan").execute(task_context())
    result = one_task(plan_path=f"{tmp_path}/plan").execute(task_context())
    assert (result["requested"], result["done"], done(two_rooms)) == (3, 3, ALL)
