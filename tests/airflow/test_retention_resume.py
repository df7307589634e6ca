"""Sweeps that fail in part, are stopped, or find other groups than were planned: what is left, a retry does."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from datetime import timedelta

import pytest
from retention_runs import (
    CLEAR,
    POLICY,
    RECALL,
    REDACT,
    check_counts,
    days_ago,
    fill,
    held,
    overwritten,
    plan_and_apply,
    recalled,
    when_sent,
    writes,
)

from airflow_provider_tencentim.operators.retention import ApplyRetentionPlanOperator, GroupRetentionOperator

KEEPS_TASK_STATE = importlib.util.find_spec("airflow.sdk") is not None
RETRYING = {"retries": 1, "retry_delay": timedelta(0)}
INFO = "group_open_http_svc/get_group_info"
HISTORY = "group_open_http_svc/group_msg_get_simple"


@pytest.fixture
def one_try_a_call(monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)


def sent(emulator, command) -> int:
    return emulator.stats()["calls"].get(command, 0)


def kept_in_airflow(dag_id: str) -> list[str]:
    """Return the names of what Airflow keeps for the tasks of a DAG."""
    if not KEEPS_TASK_STATE:
        return []
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session

    with create_session() as session:
        return [kept.key for kept in session.query(TaskStateStoreModel).filter_by(dag_id=dag_id)]


@pytest.fixture
def rooms(emulator):
    for number in range(4):
        fill(emulator, f"room{number}")
    return emulator


def test_groups_held_dissolved_or_made_anew_since_the_plan_are_left_alone(rooms, make_dag, run_dag, tmp_path):
    created = days_ago(100)
    for group in ("room-anew", "room-shrunk"):
        fill(rooms, group, create_time=created)
    (tmp_path / "holds.txt").write_text("nothing-yet\n")

    def change(_) -> None:
        (tmp_path / "holds.txt").write_text("room0\n")
        groups = rooms._gateway.app.groups
        for group in ("room1", "room-anew", "room-shrunk"):
            del groups[group]
        fill(rooms, "room-anew", create_time=created + 1)
        fill(rooms, "room-shrunk", [80], create_time=created)

    with make_dag() as dag:
        plan_and_apply(
            {**POLICY, "hold_path": f"{tmp_path}/holds.txt"},
            tmp_path,
            apply={"hold_path": f"{tmp_path}/holds.txt", "pre_execute": change},
        )

    run = run_dag(dag)

    assert run.state == "success"
    check_counts(run.results["apply"])
    assert run.results["apply"]["skipped"] == {"held": 1, "not_found": 1, "made_anew": 1, "history_shrank": 1}
    assert run.results["apply"]["requested"] == run.results["apply"]["done"] == 6
    assert recalled(rooms, "room2") == recalled(rooms, "room3") == {1, 2, 3}
    for group in ("room0", "room-anew", "room-shrunk"):
        assert recalled(rooms, group) == set()


def test_one_group_that_fails_stops_no_other_and_a_retry_does_what_is_left(
    rooms, make_dag, run_dag, tmp_path, one_try_a_call
):
    rooms.add_fault(command=REDACT, group="room1", error_code=10002, times=1)
    seen = []

    def note(context) -> None:
        ti = context["ti"]
        error = context["exception"]
        seen.append(
            {
                "sent": writes(rooms),
                "done": {group: overwritten(rooms, group) for group in ("room0", "room1", "room2", "room3")},
                "xcom": ti.xcom_pull(task_ids="apply", key="return_value"),
                "error": error,
                "kept": kept_in_airflow(dag.dag_id),
                "beside": (tmp_path / "plan" / "progress.json").exists(),
            }
        )

    with make_dag() as dag:
        plan_and_apply(
            {**POLICY, "action": "redact", "replacement": "removed"},
            tmp_path,
            apply={**RETRYING, "on_retry_callback": note, "report_path": f"{tmp_path}/report"},
        )

    run = run_dag(dag)

    assert run.tasks == {"plan": "success", "apply": "success"}
    assert run.tries["apply"] == 2
    (first,) = seen
    assert first["sent"] == {REDACT: 12}
    assert [len(first["done"][group]) for group in sorted(first["done"])] == [3, 2, 3, 3]
    assert type(first["error"]).__name__ == "TencentIMPartialError"
    assert first["error"].code == 10002
    assert "1 of 4 groups failed (12 requested, 11 done, 0 already, 0 missing, 1 failed): room1: 1 of 3, 10002" in str(
        first["error"]
    )
    check_counts(first["xcom"])
    assert (first["xcom"]["done"], first["xcom"]["failed"], first["xcom"]["failed_groups"]) == (11, 1, 1)
    # How far it came is kept where Airflow keeps it, else beside the plan.
    assert first["kept"] == (["tencentim_retention_progress"] if KEEPS_TASK_STATE else [])
    assert first["beside"] is not KEEPS_TASK_STATE
    assert kept_in_airflow(dag.dag_id) == []
    # The retry sends the three of the group that failed, and none of the others.
    assert writes(rooms) == {REDACT: 15}
    check_counts(run.results["apply"])
    assert run.results["apply"]["done"] == run.results["apply"]["requested"] == 12
    assert all(overwritten(rooms, f"room{number}") == {1, 2, 3} for number in range(4))


def test_groups_that_cannot_be_done_fail_the_task_for_good_unless_that_is_allowed(
    rooms, make_dag, run_dag, tmp_path, one_try_a_call
):
    rooms.add_fault(command=RECALL, group="room1", error_code=10007)
    sent_before = []
    with make_dag() as dag:
        lasting = plan_and_apply(POLICY, tmp_path, apply=RETRYING)
        allowed = ApplyRetentionPlanOperator(
            task_id="allowed",
            plan_path=lasting.plan_path,
            plan_digest=lasting.plan_digest,
            fail_on_group_error="False",
            trigger_rule="all_done",
            pre_execute=lambda _: sent_before.append(writes(rooms)),
        )
        lasting >> allowed

    run = run_dag(dag)

    assert run.tasks == {"plan": "success", "apply": "failed", "allowed": "success"}
    assert run.tries["apply"] == 1
    assert type(run.errors["apply"]).__name__ == "AirflowFailException"
    assert "room1: 3 of 3, 10007" in str(run.errors["apply"])
    assert sent_before == [{RECALL: 4}]
    for task in ("apply", "allowed"):
        check_counts(run.results[task])
        assert (run.results[task]["failed"], run.results[task]["failed_groups"]) == (3, 1)
    assert recalled(rooms, "room1") == set()
    assert all(recalled(rooms, f"room{number}") == {1, 2, 3} for number in (0, 2, 3))


def test_an_error_that_every_group_would_meet_stops_at_once(emulator, make_dag, run_dag, tmp_path, monkeypatch):
    for number in range(300):
        fill(emulator, f"room{number:03}", [40])
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_KEY", emulator.connection_uri.replace(emulator.secret_key, "f" * 64))
    emulator.add_fault(command=CLEAR, group="room000", delay_ms=1)
    with make_dag(default_args=RETRYING) as dag:
        applying = plan_and_apply({**POLICY, "action": "clear"}, tmp_path, apply={"tencentim_conn_id": "other_key"})
        refused = ApplyRetentionPlanOperator(
            task_id="refused",
            plan_path=applying.plan_path,
            plan_digest=applying.plan_digest,
            trigger_rule="all_done",
            # The app's admin loses the right to it in the middle.
            pre_execute=lambda _: emulator.add_fault(command=CLEAR, error_code=10003),
        )
        applying >> refused

    run = run_dag(dag)

    assert run.tasks == {"plan": "success", "apply": "failed", "refused": "failed"}
    assert (run.tries["apply"], run.tries["refused"]) == (1, 1)
    assert type(run.errors["apply"]).__name__ == type(run.errors["refused"]).__name__ == "AirflowFailException"
    assert "10003" in str(run.errors["refused"])
    assert 1 <= writes(emulator)[CLEAR] <= 100
    check_counts(run.results["refused"])
    assert run.results["refused"]["done"] == 0


def test_signatures_that_expire_in_mid_sweep_are_replaced(rooms, make_dag, run_dag, tmp_path):
    with make_dag() as dag:
        plan_and_apply(POLICY, tmp_path, apply={"pre_execute": lambda _: rooms.expire_signatures()})

    assert run_dag(dag).results["apply"]["done"] == 12


def test_one_task_goes_on_with_its_plan_unless_it_is_asked_for_something_else(
    rooms, make_dag, run_dag, tmp_path, one_try_a_call
):
    """A retry, or a task that was cleared after its policy was changed."""
    rooms.add_fault(command=RECALL, group="room1", error_code=10002, times=2)
    policies = {"same": POLICY, "changed": POLICY}
    listed = []

    def change(context) -> None:
        listed.append(sent(rooms, "group_open_http_svc/get_appid_group_list"))
        if context["ti"].task_id == "changed":
            # As if the author had changed the file in between.
            (tmp_path / "changed.yaml").write_text(
                "{action: recall, older_than: P30D, groups: [room*], exclude_groups: [room1]}"
            )

    for name in policies:
        (tmp_path / f"{name}.yaml").write_text("{action: recall, older_than: P30D, groups: [room*]}")
    with make_dag() as dag:
        same, changed = (
            GroupRetentionOperator(
                task_id=name,
                policy=f"{tmp_path}/{name}.yaml",
                plan_path=f"{tmp_path}/{name}",
                on_retry_callback=change,
                **RETRYING,
            )
            for name in policies
        )
        changed >> same

    run = run_dag(dag)

    assert run.tasks == {"changed": "success", "same": "success"}
    assert run.tries == {"changed": 2, "same": 2}
    assert run.results["changed"]["skipped"] == {"excluded": 1, "nothing_matches": 3}
    check_counts(run.results["same"])
    assert recalled(rooms, "room1") == {1, 2, 3}
    listings = sent(rooms, "group_open_http_svc/get_appid_group_list")
    # Where Airflow keeps task state, the retry goes on with the plan of the first try and lists no groups.
    assert (listings == listed[-1]) is KEEPS_TASK_STATE


def test_a_sweep_that_is_killed_or_runs_out_of_time_stops_and_a_later_run_finishes_it(
    emulator, make_dag, run_dag, tmp_path
):
    for number in range(150):
        fill(emulator, f"room{number:03}", [40, 5])
    emulator.add_fault(command=CLEAR, delay_ms=100)
    policy = {**POLICY, "action": "clear"}

    at_the_end = []
    for how in ("killed", "timed_out"):
        with make_dag() as dag:
            more = {"execution_timeout": timedelta(seconds=0.6)} if how == "timed_out" else {}
            plan_and_apply(policy, tmp_path / how, apply=more)
        handler = signal.getsignal(signal.SIGTERM)
        if how == "killed":
            when_sent(emulator, CLEAR, 20, lambda: os.kill(os.getpid(), signal.SIGTERM))
        try:
            run = run_dag(dag)
        finally:
            signal.signal(signal.SIGTERM, handler)
        at_the_end.append(sent(emulator, CLEAR))
        time.sleep(0.2)
        assert sent(emulator, CLEAR) == at_the_end[-1]
        assert run.tasks == {"plan": "success", "apply": "failed"}
        check_counts(run.results["apply"])
        assert run.results["apply"]["done"] < 150
    assert 20 <= at_the_end[0] < at_the_end[1] < 280
    assert type(run.errors["apply"]).__name__ == "AirflowTaskTimeout"

    emulator.clear_faults()
    with make_dag() as dag:
        GroupRetentionOperator(task_id="rest", policy=policy)

    run = run_dag(dag)

    assert run.state == "success"
    assert {group["cleared_through"] for group in emulator.state(messages=False)["groups"].values()} == {1}


def test_a_nightly_run_looks_only_at_what_is_new_and_one_without_a_state_at_all(rooms, make_dag, run_dag, tmp_path):
    policy = {**POLICY, "groups": [f"room{number}" for number in range(4)]}
    state = {"state_path": f"{tmp_path}/state"}
    with make_dag() as dag:
        first = GroupRetentionOperator(task_id="first", policy=policy, **state)
        again = GroupRetentionOperator(
            task_id="again",
            policy={**policy, "older_than": "P15D"},
            **state,
        )
        whole = GroupRetentionOperator(task_id="whole", policy={**policy, "older_than": "P15D"})
        first >> again >> whole

    run = run_dag(dag)

    assert run.state == "success"
    assert [run.results[task]["requested"] for task in ("first", "again", "whole")] == [12, 4, 0]
    assert [run.results[task]["incremental"] for task in ("first", "again", "whole")] == [True, True, False]
    assert all(
        message["state"] == ("recalled" if seq < 5 else "normal")
        for number in range(4)
        for seq, message in held(rooms, f"room{number}").items()
    )
