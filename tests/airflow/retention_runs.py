"""What the tests of retention share: histories of any age, what became of them, and what was sent."""

from __future__ import annotations

import functools
import inspect
import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.operators.retention import ApplyRetentionPlanOperator, PlanGroupRetentionOperator

DAY = 86_400
CLEAR = "group_open_http_svc/clear_group_msg"
RECALL = "group_open_http_svc/group_msg_recall"
REDACT = "openim/modify_group_msg"
C2C_RECALL = "openim/admin_msgwithdraw"
C2C_REDACT = "openim/modify_c2c_msg"

PLAN = "{{ ti.xcom_pull(task_ids='plan')['plan'] }}"
DIGEST = "{{ ti.xcom_pull(task_ids='plan')['digest'] }}"

PLANNED = {"plan", "digest", "cut_off", "action", "listed", "groups", "messages", "skipped", "incremental"}
APPLIED = {
    *("plan", "digest", "report", "archive", "incremental", "groups", "failed_groups", "skipped"),
    *("requested", "done", "already", "missing", "failed", "calls"),
}

POLICY = {"action": "recall", "older_than": "P30D", "groups": ["room*"]}


def days_ago(days: float) -> int:
    """Return a moment as Unix seconds."""
    return int(time.time() - days * DAY)


def fill(emulator: Any, group: str, ages: Iterable[float] = (90, 60, 40, 20, 10), **more: Any) -> None:
    """Put a group in place that has one message of each age, in days, the oldest first."""
    messages = [{"MsgBody": f"of day {age}", "MsgTimeStamp": days_ago(age)} for age in ages]
    emulator.add_group(group, messages=messages, **more)


def held(emulator: Any, group: str) -> dict[int, dict[str, Any]]:
    """Return the messages of a group as the emulator holds them, by MsgSeq."""
    return {message["MsgSeq"]: message for message in emulator.state(group)["groups"][group]["messages"]}


def recalled(emulator: Any, group: str) -> set[int]:
    return {seq for seq, message in held(emulator, group).items() if message["state"] == "recalled"}


def overwritten(emulator: Any, group: str) -> set[int]:
    return {seq for seq, message in held(emulator, group).items() if message["modified"]}


def cleared_through(emulator: Any, group: str) -> int:
    return emulator.state(group, messages=False)["groups"][group]["cleared_through"]


def writes(emulator: Any) -> dict[str, int]:
    """Return how often each command that writes was sent."""
    return {command: number for command, number in emulator.stats()["calls"].items() if COMMANDS[command].writes}


def when_sent(emulator: Any, command: str, calls: int, action: Callable[[], None]) -> threading.Thread:
    """Do something once so many calls of a command were sent; never, when the test did not come so far."""

    def wait_and_act() -> None:
        for _ in range(6_000):
            if emulator.stats()["calls"].get(command, 0) >= calls:
                action()
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=wait_and_act, daemon=True)
    watcher.start()
    return watcher


def check_counts(summary: dict[str, Any]) -> None:
    """See that a result of carrying a plan out has its shape, adds up, and is small."""
    assert set(summary) == APPLIED
    assert summary["requested"] == sum(summary[name] for name in ("done", "already", "missing", "failed"))
    assert len(json.dumps(summary)) < 4096


def plan_and_apply(policy: Any, folder: Any, *, plan: Any = None, apply: Any = None) -> Any:
    """Put the two tasks into the DAG at hand, and return the second one."""
    planning = PlanGroupRetentionOperator(task_id="plan", policy=policy, plan_path=f"{folder}/plan", **(plan or {}))
    arguments = {"plan_path": PLAN, "plan_digest": DIGEST} | (apply or {})
    applying = ApplyRetentionPlanOperator(task_id="apply", **arguments)
    planning >> applying
    return applying


def at(dag: Any, moment: datetime) -> Any:
    """Let the next runs of a DAG be those of a moment, and return it."""
    names = inspect.signature(dag.test).parameters
    name = "logical_date" if "logical_date" in names else "execution_date"  # the latter before Airflow 3
    dag.test = functools.partial(dag.test, **{name: moment})
    return dag


def moment(days: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
