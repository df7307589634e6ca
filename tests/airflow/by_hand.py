"""Operators that are executed by hand: two groups of three old messages each, and the tasks that work on them."""

from __future__ import annotations

from typing import Any

from retention_runs import recalled

from airflow_provider_tencentim.operators.retention import ApplyRetentionPlanOperator, GroupRetentionOperator

POLICY = {"action": "recall", "older_than": "P30D", "groups": ["room0", "room1"]}
#: What of the two groups is gone when all is done.
ALL = [{1, 2, 3}, {1, 2, 3}]


def apply(**arguments: Any) -> Any:
    return ApplyRetentionPlanOperator(task_id="task", **arguments)


def one_task(**arguments: Any) -> Any:
    return GroupRetentionOperator(task_id="task", **{"policy": POLICY} | arguments)


def done(emulator) -> list[set[int]]:
    return [recalled(emulator, f"room{number}") for number in range(2)]


def sent(emulator: Any, command: str) -> list[dict[str, Any]]:
    """The bodies of the calls of a command."""
    return [request["body"] for request in emulator.requests(command)]
