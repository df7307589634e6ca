"""What Airflow gives a task, for tests that execute an operator by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:  # Airflow before 3
    from airflow.utils.context import OutletEventAccessors

__all__ = ["OutletEventAccessors", "TaskInstance", "TaskState", "task_context"]


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
