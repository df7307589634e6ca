"""Retention of one-to-one conversations as real task instances."""

from __future__ import annotations

import json

import pytest
from retention_runs import (
    C2C_RECALL,
    C2C_REDACT,
    DIGEST,
    PLAN,
    PLANNED,
    check_counts,
    days_ago,
    writes,
)

from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    C2CRetentionOperator,
    PlanC2CRetentionOperator,
)

PAIRS = [["ann", "bob"], ["cid", "ann"], ["eve", "law"]]
POLICY = {"action": "recall", "older_than": "P30D", "pairs": PAIRS}


@pytest.fixture
def letters(emulator):
    """Three conversations, each with two old and two new messages of both sides."""
    for one, other in PAIRS:
        for age in (90, 40, 20, 10):
            sides = (one, other) if age % 20 else (other, one)
            emulator.add_c2c_message(*sides, {"MsgBody": f"of day {age}", "MsgTimeStamp": days_ago(age)})
    return emulator


def states(emulator) -> dict[tuple[str, ...], list[str]]:
    """Return what became of each conversation's messages, the oldest first."""
    return {
        tuple(one["accounts"]): [
            "modified" if message["modified"] else message["state"]
            for message in sorted(one["messages"], key=lambda message: message["MsgTimeStamp"])
        ]
        for one in emulator.state()["c2c"]
    }


def test_conversations_are_planned_and_carried_out(letters, make_dag, run_dag, tmp_path):
    (tmp_path / "holds.txt").write_text("law\n")
    policy = {**POLICY, "hold_path": f"{tmp_path}/holds.txt"}
    sent = []
    with make_dag() as dag:
        planning = PlanC2CRetentionOperator(task_id="plan", policy=policy, plan_path=f"{tmp_path}/plan")
        applying = ApplyRetentionPlanOperator(
            task_id="apply",
            plan_path=PLAN,
            plan_digest=DIGEST,
            hold_path=f"{tmp_path}/holds.txt",
            archive_to=f"{tmp_path}/archive",
            report_path=f"{tmp_path}/report",
            pre_execute=lambda _: sent.append(writes(letters)),
        )
        planning >> applying

    run = run_dag(dag)

    assert run.state == "success"
    assert sent == [{}]
    assert set(run.results["plan"]) == PLANNED
    assert (run.results["plan"]["groups"], run.results["plan"]["messages"]) == (2, 4)
    check_counts(run.results["apply"])
    assert (run.results["apply"]["done"], run.results["apply"]["skipped"]) == (4, {"held": 1})
    assert writes(letters) == {C2C_RECALL: 4}
    assert states(letters) == {
        ("ann", "bob"): ["recalled", "recalled", "normal", "normal"],
        ("ann", "cid"): ["recalled", "recalled", "normal", "normal"],
        ("eve", "law"): ["normal"] * 4,
    }
    page = json.loads(next((tmp_path / "report").rglob("summary.json")).read_text())
    assert (page["status"], page["chat"]) == ("done", "c2c")


def test_one_task_overwrites_what_was_sent_by_some_and_a_dry_run_touches_nothing(letters, make_dag, run_dag, tmp_path):
    policy = {"action": "redact", "older_than": "P30D", "replacement": "removed"}
    policy |= {"accounts": ["ann"], "from_accounts": ["ann"], "exclude_accounts": ["ci?"]}
    sent = []
    with make_dag(params={"policy": policy}) as dag:
        dry = C2CRetentionOperator(task_id="dry", policy=policy, dry_run=True)
        wet = C2CRetentionOperator(
            task_id="wet", policy="{{ params.policy | tojson }}", pre_execute=lambda _: sent.append(writes(letters))
        )
        again = C2CRetentionOperator(task_id="again", policy=policy)
        dry >> wet >> again

    run = run_dag(dag)

    assert run.state == "success"
    assert sent == [{}]
    assert set(run.results["dry"]) == {*PLANNED, "dry_run"}
    assert run.results["dry"]["skipped"] == {"excluded": 1}
    for task in ("wet", "again"):
        check_counts(run.results[task])
    assert (run.results["dry"]["messages"], run.results["wet"]["done"], run.results["again"]["requested"]) == (1, 1, 0)
    assert writes(letters) == {C2C_REDACT: 1}
    assert sorted(states(letters)[("ann", "bob")]) == ["modified", "normal", "normal", "normal"]
    assert set(states(letters)[("ann", "cid")] + states(letters)[("eve", "law")]) == {"normal"}


@pytest.mark.parametrize("given", [None, "memory://state"])
def test_there_is_no_state_of_conversations(given):
    with pytest.raises(TypeError, match="state_path"):
        C2CRetentionOperator(task_id="task", policy=POLICY, state_path=given)
