"""The retention operators that carry plans out, executed by hand: what guards them, and what they tell."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, AssetAlias
from by_hand import ALL, POLICY, apply, done, one_task
from retention_runs import RECALL, check_counts, fill, writes
from task_context import log_of, task_context, through_alias

from airflow_provider_tencentim.client.errors import TencentIMPartialError
from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    C2CRetentionOperator,
    GroupRetentionOperator,
    PlanGroupRetentionOperator,
)
from airflow_provider_tencentim.retention.durations import read_age
from airflow_provider_tencentim.retention.run import Guards

PAIRS = {"action": "recall", "older_than": "P30D", "pairs": [["ann", "bob"]]}


@pytest.fixture
def told(monkeypatch):
    """What the operators log."""
    return log_of(monkeypatch, ApplyRetentionPlanOperator, GroupRetentionOperator)


NONE: list[set[int]] = [set(), set()]
TASKS = pytest.mark.parametrize("task", ["apply", "one_task"])


def make(task: str, planned: dict[str, Any], **arguments: Any) -> Any:
    """The task that carries a plan out, or the one that makes it too."""
    return apply(**planned, **arguments) if task == "apply" else one_task(**arguments)


# --- what guards a plan ---


@TASKS
def test_without_a_word_a_plan_may_be_large_and_a_day_old(task, planned):
    made = make(task, planned)
    assert (made.max_messages, made.max_groups, made.max_plan_age) == (None, None, "P1D")
    assert made.guards() == Guards(None, None, read_age("max_plan_age", "P1D"))
    assert made.fail_on_group_error is True


@TASKS
def test_guards_are_read_from_text_and_numbers(task, planned):
    made = make(task, planned, max_messages="5", max_groups=7, max_plan_age="PT2H")
    assert made.guards() == Guards(5, 7, read_age("max_plan_age", "PT2H"))
    assert make(task, planned, max_plan_age=None).guards() == Guards(None, None, None)


@TASKS
@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ({"max_messages": 5}, "max_messages is 5, and the plan has 6"),
        ({"max_groups": "1"}, "max_groups is 1, and the plan has 2"),
    ],
)
def test_a_plan_that_exceeds_its_guards_is_not_begun(two_rooms, planned, task, guard, words):
    made = make(task, planned, **guard)
    with pytest.raises(AirflowFailException, match=f"{type(made).__name__}: {words}"):
        made.execute(task_context())
    assert writes(two_rooms) == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_messages", "many", "max_messages must be a whole number"),
        ("max_groups", 1.5, "max_groups must be a whole number"),
        ("max_plan_age", "soon", "max_plan_age"),
        ("fail_on_group_error", "perhaps", "fail_on_group_error must be true or false"),
        ("hold_path", 7, "hold_path must be"),
        ("archive_to", 7, "archive_to must be"),
        ("report_path", ["x"], "report_path must be"),
        ("state_path", 7, "state_path must be"),
    ],
)
@TASKS
def test_a_malformed_argument_is_named_before_any_call(two_rooms, planned, task, name, value, words):
    before = two_rooms.stats()["calls"]
    made = make(task, planned, **{name: value})
    with pytest.raises(AirflowFailException, match=f"{type(made).__name__}: {words}"):
        made.execute(task_context())
    assert two_rooms.stats()["calls"] == before


ARGUMENTS = {
    ApplyRetentionPlanOperator: {"plan_path": "plan", "plan_digest": "0" * 64},
    GroupRetentionOperator: {"policy": POLICY, "dry_run": True, "plan_path": "plan", "shard": "1/1"},
    C2CRetentionOperator: {"policy": PAIRS, "dry_run": True, "plan_path": "plan", "shard": "1/1"},
}


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        pytest.param(operator, name, id=f"{operator.__name__}-{name}")
        for operator in ARGUMENTS
        for name in operator.template_fields
        if (operator, name) != (C2CRetentionOperator, "state_path")
    ],
)
@pytest.mark.parametrize("nothing", ["", None, []], ids=repr)
def test_a_task_needs_whatever_was_given(two_rooms, operator, name, nothing):
    task = operator(task_id="task", **ARGUMENTS[operator] | {name: "{{ nothing }}"})
    setattr(task, name, nothing)
    with pytest.raises(AirflowFailException, match=f"{operator.__name__}: {name} was given and came to nothing"):
        task.execute(task_context())
    assert two_rooms.stats()["calls"] == {}


@pytest.mark.parametrize("operator", list(ARGUMENTS))
def test_arguments_are_kept_as_they_are_given(operator):
    names = [name for name in operator.template_fields if (operator, name) != (C2CRetentionOperator, "state_path")]
    task = operator(task_id="task", retries=7, **{name: f"the {name}" for name in names})
    assert {name: getattr(task, name) for name in names} == {name: f"the {name}" for name in names}
    assert task.retries == 7
    assert task.given == set(names)


def test_conversations_have_no_state():
    with pytest.raises(TypeError, match=r"^C2CRetentionOperator has no state_path: every run is complete in itself$"):
        C2CRetentionOperator(task_id="task", policy=PAIRS, state_path=None)


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 63, 7], ids=repr)
def test_a_plan_that_is_not_the_one_that_was_looked_at_is_refused(two_rooms, planned, digest):
    with pytest.raises(AirflowFailException, match="digest"):
        apply(**planned | {"plan_digest": digest}).execute(task_context())
    assert writes(two_rooms) == {}


@TASKS
def test_groups_on_hold_are_left_alone(two_rooms, planned, task, tmp_path):
    (tmp_path / "holds.txt").write_text("room1\n")
    result = make(task, planned, hold_path=f"{tmp_path}/holds.txt").execute(task_context())
    assert result["skipped"] == {"held": 1}
    assert done(two_rooms) == [{1, 2, 3}, set()]


def test_a_plan_that_was_made_with_holds_is_not_carried_out_without_them(two_rooms, tmp_path):
    (tmp_path / "holds.txt").write_text("another\n")
    policy = {**POLICY, "hold_path": f"{tmp_path}/holds.txt"}
    made = PlanGroupRetentionOperator(task_id="plan", policy=policy, plan_path=f"{tmp_path}/plan").execute(
        task_context()
    )
    arguments = {"plan_path": made["plan"], "plan_digest": made["digest"]}

    with pytest.raises(AirflowFailException, match=r"hold_path must be given"):
        apply(**arguments).execute(task_context())
    assert writes(two_rooms) == {}
    assert apply(**arguments, hold_path=f"{tmp_path}/holds.txt").execute(task_context())["done"] == 6


def test_holds_of_the_policy_and_of_the_task_hold_together(two_rooms, tmp_path):
    fill(two_rooms, "room2")
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text(f"room{number}\n")
    policy = {**POLICY, "groups": ["room0", "room1", "room2"], "hold_path": f"{tmp_path}/0.txt"}
    result = one_task(policy=policy, hold_path=f"{tmp_path}/1.txt").execute(task_context())
    assert (result["done"], result["skipped"]) == (3, {"held": 2})
    assert done(two_rooms) == NONE


# --- what is told ---


@TASKS
def test_what_was_done_is_returned_pushed_logged_and_told_to_listeners(two_rooms, planned, task, told, tmp_path):
    asset = Asset("x-chat://two_rooms")
    made = make(task, planned, outlets=[asset])
    assert [type(outlet) for outlet in made.outlets] == [Asset, AssetAlias]
    context = task_context()

    result = made.execute(context)

    check_counts(result)
    assert (result["done"], result["groups"], result["failed_groups"]) == (6, 2, 0)
    assert (result["report"], result["archive"], result["incremental"]) == (None, None, False)
    assert context["ti"].pushed == [("return_value", result)]
    assert told[-1] == f"Plan {result['plan']}: {result}"
    assert context["outlet_events"][asset].extra == result
    alias = AssetAlias("tencentim_retention")
    told_through = through_alias(context["outlet_events"], alias)
    assert told_through == [(alias.name, f"tencentim://{two_rooms.sdkappid}/retention", result)]
    assert len(context["outlet_events"]) == 2
    assert done(two_rooms) == ALL


@TASKS
def test_report_archive_and_state_are_where_they_are_meant_to_be(two_rooms, planned, task, tmp_path):
    paths = {name: f"{tmp_path}/{name}" for name in ("report_path", "archive_to", "state_path")}
    result = make(task, planned, **paths).execute(task_context())

    digest = result["digest"][:16]
    assert (result["report"], result["archive"]) == (
        f"{tmp_path}/report_path/{digest}",
        f"{tmp_path}/archive_to/{digest}",
    )
    assert json.loads((Path(result["report"]) / "summary.json").read_bytes())["status"] == "done"
    kept = b"".join(gzip.decompress(part.read_bytes()) for part in Path(result["archive"]).glob("*.gz"))
    assert kept.count(b"of day 90") == 2
    assert any((tmp_path / "state_path").rglob("*.json"))
    assert result["incremental"] is (task == "one_task")


@TASKS
def test_a_task_that_fails_says_how_many_and_tells_listeners_nothing(two_rooms, planned, task, told):
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10002)
    context = task_context()
    made = make(task, planned)

    with pytest.raises(TencentIMPartialError) as raised:
        made.execute(context)

    error = raised.value
    assert (error.command, error.code, error.lasting) == ("retention", 10002, False)
    assert error.info.startswith(
        "1 of 2 groups failed (6 requested, 3 done, 0 already, 0 missing, 3 failed): room1: 3 of 3, 10002 ("
    )
    ((key, result),) = context["ti"].pushed
    assert (key, result["done"], result["failed"]) == ("return_value", 3, 3)
    assert told[-1] == f"Plan {result['plan']}: {result}"
    assert len(context["outlet_events"]) == 0
    assert done(two_rooms) == [{1, 2, 3}, set()]


@TASKS
def test_groups_that_no_retry_can_heal_fail_the_task_for_good(two_rooms, planned, task):
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10007)
    with pytest.raises(AirflowFailException, match=r"1 of 2 groups failed .*no repeat can help"):
        make(task, planned).execute(task_context())


@TASKS
def test_groups_that_fail_may_be_allowed(two_rooms, planned, task):
    two_rooms.add_fault(command=RECALL, group="room1", error_code=10007)
    context = task_context()
    result = make(task, planned, fail_on_group_error="False").execute(context)
    assert (result["done"], result["failed"], result["failed_groups"]) == (3, 3, 1)
    assert context["ti"].pushed == [("return_value", result)]
    assert len(context["outlet_events"]) == 1


@TASKS
def test_what_was_done_before_an_error_of_everything_is_pushed(two_rooms, planned, task):
    two_rooms.add_fault(command=RECALL, error_code=10003)
    context = task_context()
    with pytest.raises(AirflowFailException, match="10003"):
        make(task, planned).execute(context)
    ((_, result),) = context["ti"].pushed
    assert result["done"] == 0
    check_counts(result)


def test_one_task_leaves_no_plan_that_nobody_asked_for(two_rooms):
    result = one_task().execute(task_context())
    assert done(two_rooms) == ALL
    assert not Path(result["plan"]).exists()


def test_conversations_are_carried_out_in_one_task(emulator):
    emulator.add_accounts("ann", "bob")
    then = int((datetime.now(UTC) - timedelta(days=90)).timestamp())
    emulator.add_c2c_message("ann", "bob", {"MsgBody": "old", "MsgTimeStamp": then})
    assert C2CRetentionOperator(task_id="task", policy=PAIRS).execute(task_context())["done"] == 1
