"""The retention operators that plan, executed by hand: which argument means what, and that nothing is written."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from retention_runs import fill, writes
from task_context import TaskState, task_context

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.operators import retention_tasks
from airflow_provider_tencentim.operators.retention import (
    C2CRetentionOperator,
    GroupRetentionOperator,
    PlanC2CRetentionOperator,
    PlanGroupRetentionOperator,
    shards,
)
from airflow_provider_tencentim.retention import run as retention_run
from airflow_provider_tencentim.retention.buckets import Shard, bucket_of
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.policy import RetentionPolicy

INFO = "group_open_http_svc/get_group_info"
# Names, since a glob asks for the list of all groups, and that command is slow by its pace.
POLICY = {"action": "recall", "older_than": "P30D", "groups": [f"room{number}" for number in range(9)]}
PAIRS = {"action": "recall", "older_than": "P30D", "pairs": [["ann", "bob"]]}


@pytest.fixture
def rooms(emulator, monkeypatch):
    """Two groups with three old messages each; every call is tried once."""
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    for number in range(2):
        fill(emulator, f"room{number}")
    return emulator


@pytest.fixture
def told(monkeypatch):
    """What the operators log, and what planning warns of."""
    lines: list[str] = []

    def note(text: str, *values: Any) -> None:
        lines.append(text % values)

    for operator in (PlanGroupRetentionOperator, GroupRetentionOperator):
        monkeypatch.setattr(operator, "log", SimpleNamespace(info=note, warning=lambda *_: None))
    monkeypatch.setattr(retention_run, "log", SimpleNamespace(warning=note, info=note))
    return lines


def plan(folder: Path, operator: Any = PlanGroupRetentionOperator, **arguments: Any) -> Any:
    return operator(task_id="task", **{"policy": POLICY, "plan_path": f"{folder}/plan"} | arguments)


def header(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "header.json").read_bytes())


def test_parts_are_counted_from_one():
    assert shards(1) == ["1/1"]
    assert shards(3) == ["1/3", "2/3", "3/3"]


def test_a_plan_says_by_which_task_it_was_made_and_counts_back_from_the_run(rooms, tmp_path, told):
    end = (datetime.now(UTC) - timedelta(days=20)).replace(microsecond=0)

    result = plan(tmp_path).execute(task_context(data_interval_end=end))

    assert result["cut_off"] == (end - timedelta(days=30)).isoformat()
    assert (result["plan"], result["groups"], result["messages"]) == (f"{tmp_path}/plan", 2, 4)
    made = header(tmp_path / "plan")
    assert made["run"] == {"dag_id": "dag", "task_id": "task", "run_id": "run", "map_index": "-1"}
    assert (made["chat"], made["shard"], made["holds"], made["incremental"]) == ("group", "1/1", False, False)
    assert told == [f"Plan {tmp_path}/plan: {result}"]
    assert writes(rooms) == {}


def test_a_plan_of_nothing_says_why(rooms, tmp_path, told):
    plan(tmp_path, policy={**POLICY, "older_than": "P400D"}).execute(task_context())
    assert told[1].startswith("Nothing to do: 9 groups were listed")


def test_a_plan_leaves_out_what_the_policys_holds_name(rooms, tmp_path):
    (tmp_path / "holds.txt").write_text("room1\n")
    result = plan(tmp_path, policy={**POLICY, "hold_path": f"{tmp_path}/holds.txt"}).execute(task_context())
    assert (result["groups"], result["skipped"]["held"]) == (1, 1)
    assert header(tmp_path / "plan")["holds"] is True


def test_a_plan_is_of_one_part(rooms, tmp_path):
    for number in range(2, 9):
        fill(rooms, f"room{number}")
    result = plan(tmp_path, shard=" 2/3 ").execute(task_context())
    meant = [f"room{number}" for number in range(9) if Shard(2, 3).holds(bucket_of(f"room{number}"))]
    assert result["plan"] == f"{tmp_path}/plan/shard-002-of-003"
    assert (result["groups"], header(Path(result["plan"]))["shard"]) == (len(meant), "2/3")
    assert len(meant) < 9


def test_a_plan_with_a_state_is_incremental(rooms, tmp_path):
    result = plan(tmp_path, state_path=f"{tmp_path}/state").execute(task_context())
    assert result["incremental"] is True


def test_a_plan_is_made_with_the_connection_that_is_named(rooms, tmp_path, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_TENCENTIM_DEFAULT")
    monkeypatch.setenv("AIRFLOW_CONN_READER", f"{rooms.connection_uri}?allowed_commands=read")
    assert plan(tmp_path, tencentim_conn_id="reader").execute(task_context())["groups"] == 2


@pytest.mark.parametrize("operator", [PlanC2CRetentionOperator, C2CRetentionOperator])
def test_conversations_have_a_policy_of_their_own(emulator, tmp_path, operator):
    emulator.add_accounts("ann", "bob")
    more = {"dry_run": True} if operator is C2CRetentionOperator else {}
    task = plan(tmp_path, operator, policy=PAIRS, **more)
    assert task.policy_class() is C2CRetentionPolicy
    assert task.execute(task_context())["groups"] == 0
    assert header(tmp_path / "plan")["chat"] == "c2c"
    with pytest.raises(AirflowFailException, match=f"{operator.__name__}: .*groups"):
        plan(tmp_path, operator, policy=POLICY).execute(task_context())


def test_conversations_are_planned_in_parts_too(emulator, tmp_path):
    emulator.add_accounts("ann", "bob")
    result = plan(tmp_path, PlanC2CRetentionOperator, policy=PAIRS, shard="2/3").execute(task_context())
    assert result["plan"] == f"{tmp_path}/plan/shard-002-of-003"


def test_groups_have_theirs(tmp_path):
    assert plan(tmp_path).policy_class() is RetentionPolicy
    with pytest.raises(AirflowFailException, match="pairs"):
        plan(tmp_path, policy=PAIRS).execute(task_context())


@pytest.fixture(params=["UTC", "Asia/Shanghai"])
def time_zone(request):
    """The machine's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("time_zone")
def test_a_cut_off_in_the_future_is_refused_wherever_the_machine_is(rooms, tmp_path):
    policy = {"action": "recall", "groups": ["room1"], "before": datetime.now(UTC) + timedelta(hours=1)}
    with pytest.raises(AirflowFailException, match="future"):
        plan(tmp_path, policy=policy).execute(task_context())
    assert rooms.stats()["calls"] == {}


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        (operator, name)
        for operator in (PlanGroupRetentionOperator, PlanC2CRetentionOperator)
        for name in operator.template_fields
    ],
)
def test_a_plan_needs_whatever_was_given(rooms, tmp_path, operator, name):
    given = {"policy": POLICY if operator is PlanGroupRetentionOperator else PAIRS, name: "{{ nothing }}"}
    task = plan(tmp_path, operator, **given)
    task.render_template_fields({"nothing": ""})
    with pytest.raises(AirflowFailException, match=f"{operator.__name__}: {name} was given and came to nothing"):
        task.execute(task_context())
    assert rooms.stats()["calls"] == {}


@pytest.mark.parametrize("name", ["plan_path", "state_path"])
def test_what_is_no_path_is_named(rooms, tmp_path, name):
    with pytest.raises(AirflowFailException, match=f"PlanGroupRetentionOperator: {name} must be"):
        plan(tmp_path, **{name: 7}).execute(task_context())


def test_an_error_that_a_retry_may_heal_stays_what_it_is(rooms, tmp_path):
    rooms.add_fault(command=INFO, error_code=10002)
    with pytest.raises(TencentIMTransientError, match=INFO):
        plan(tmp_path).execute(task_context())


# --- a dry run of the one task ---


def test_a_dry_run_plans_and_says_so(rooms, tmp_path, told):
    state = TaskState()
    context = task_context(task_state_store=state)
    result = plan(tmp_path, GroupRetentionOperator, dry_run="True", max_messages=1).execute(context)

    assert (result["dry_run"], result["groups"], result["messages"]) == (True, 2, 6)
    assert header(tmp_path / "plan")["messages"] == 6
    assert writes(rooms) == {}
    # It is the plan of nobody, and tells nobody.
    assert state == {}
    assert len(context["outlet_events"]) == 0
    assert context["ti"].pushed == []


def test_a_dry_run_plans_anew_whatever_an_earlier_try_planned(rooms, tmp_path):
    state = TaskState()
    task = plan(tmp_path, GroupRetentionOperator)
    rooms.add_fault(command="group_open_http_svc/group_msg_recall", error_code=10002)
    with pytest.raises(Exception, match="10002"):
        task.execute(task_context(task_state_store=state))
    fill(rooms, "room7")

    task.dry_run = True
    assert task.execute(task_context(task_state_store=state))["groups"] == 3


def test_the_plan_of_a_task_that_names_no_folder_is_gone_when_it_ends(rooms, tmp_path, monkeypatch):
    monkeypatch.setattr(retention_tasks.tempfile, "tempdir", str(tmp_path))
    result = plan(tmp_path, GroupRetentionOperator, plan_path=None, dry_run=True).execute(task_context())

    assert Path(result["plan"]).parent == tmp_path
    assert Path(result["plan"]).name.startswith("tencentim-plan-")
    assert not Path(result["plan"]).exists()
