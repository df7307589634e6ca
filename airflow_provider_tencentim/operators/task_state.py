"""What a task keeps for its own retries: in Airflow's task state (3.3 and later), else beside the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_tencentim.retention.plan import Plan
    from airflow_provider_tencentim.retention.progress import FileStore

_PROGRESS = "tencentim_retention_progress"
_PLAN = "tencentim_retention_plan"
# Airflow warns of larger values.
_LARGEST = 60_000
_ELSEWHERE = "beside_the_plan"


class TaskStateStore:
    """Keeps how far a plan was carried out; see :class:`~airflow_provider_tencentim.retention.progress.Store`.

    :param state: Airflow's, of the task.
    :param beside_the_plan: for what is too large for it.
    """

    def __init__(self, state: Any, beside_the_plan: FileStore) -> None:
        self._state = state
        self._beside_the_plan = beside_the_plan

    def load(self) -> Mapping[str, Any] | None:
        """Return what was saved, or None."""
        value = self._state.get(_PROGRESS)
        return self._beside_the_plan.load() if isinstance(value, dict) and _ELSEWHERE in value else value

    def save(self, value: Mapping[str, Any]) -> None:
        """Put it in the place of what was saved before.

        :param value: a JSON object.
        """
        from airflow_provider_tencentim.retention.files import to_json

        if len(to_json(value)) <= _LARGEST:
            self._state.set(_PROGRESS, dict(value))
        else:
            self._beside_the_plan.save(value)
            self._state.set(_PROGRESS, {_ELSEWHERE: True})

    def clear(self) -> None:
        """Forget it."""
        self._state.delete(_PROGRESS)


def progress_store(context: Context, beside_the_plan: FileStore) -> TaskStateStore | FileStore:
    """Return where a task keeps how far it came.

    :param context: of the task.
    :param beside_the_plan: where Airflow keeps nothing, or what is too large for it.
    """
    state = context.get("task_state_store")
    return beside_the_plan if state is None else TaskStateStore(state, beside_the_plan)


def earlier_plan(context: Context) -> Plan | None:
    """Return the plan that an earlier try of the task made, if it is still what it was.

    :param context: of the task.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_tencentim.retention.plan import Plan

    state = context.get("task_state_store")
    known: Any = state.get(_PLAN) if state is not None else None
    if not isinstance(known, dict):
        return None
    try:
        return Plan(ObjectStoragePath(known["plan"]), known["digest"])
    except (ValueError, KeyError, TypeError):
        return None


def remember_plan(context: Context, plan: Plan) -> None:
    """Keep which plan a task made.

    :param context: of the task.
    :param plan: the plan.
    """
    if (state := context.get("task_state_store")) is not None:
        state.set(_PLAN, {"plan": str(plan.folder), "digest": plan.digest})


def forget_plan(context: Context) -> None:
    """Let a task that is done, and cleared in Airflow, start afresh.

    :param context: of the task.
    """
    if (state := context.get("task_state_store")) is not None:
        state.delete(_PLAN)
