"""What Airflow gives a task, for tests that execute an operator by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:  # Airflow before 3
    from airflow.utils.context import OutletEventAccessors

__all__ = ["OutletEventAccessors", "TaskInstance", "TaskState", "log_of", "task_context", "through_alias"]


class TaskInstance:
    """A task instance that keeps what is pushed."""

    dag_id, task_id, run_id, map_index = "dag", "task", "run", -1

    def __init__(self) -> None:
        self.pushed: list[tuple[str, Any]] = []

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed.append((key, value))


class TaskState(dict[str, Any]):
    """What Airflow keeps for the retries of a task: as JSON, in 3.3 and later."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)


def task_context(**more: Any) -> Any:
    """Return the context of a task of now."""
    return {
        "ti": TaskInstance(),
        "logical_date": datetime.now(UTC),
        "outlet_events": OutletEventAccessors(),
        **more,
    }


def log_of(monkeypatch: pytest.MonkeyPatch, *operators: type) -> list[str]:
    """Return the list to which operators log from now on: each Airflow has a log of another kind."""
    lines: list[str] = []
    log = SimpleNamespace(info=lambda text, *values: lines.append(text % values), warning=lambda *_: None)
    for operator in operators:
        monkeypatch.setattr(operator, "log", log)
    return lines


def through_alias(told: Any, alias: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the events of an alias: its name, the URI of the asset and the extra."""
    accessor = told[alias]
    if hasattr(accessor, "asset_alias_events"):
        return [
            (event.source_alias_name, event.dest_asset_key.uri, event.extra) for event in accessor.asset_alias_events
        ]
    return [
        (event["source_alias_name"], event["dest_dataset_uri"], event["extra"])
        for event in accessor.dataset_alias_events
    ]
