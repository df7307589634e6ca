"""What the retention operators read before they begin: the policy, the holds, the run's own moment."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_tencentim.retention.patterns import Patterns

_LONGEST_POLICY = 1_048_576


def read_policy_argument(policy: object) -> Mapping[str, Any]:
    """Return the mapping that a policy is, or that it names.

    :param policy: a mapping, one that a template rendered to text, or the path of a YAML or JSON file.
    :raises ValueError: when it is none, or cannot be read.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_tencentim.client.arguments import check_text
    from airflow_provider_tencentim.retention.files import read_file
    from airflow_provider_tencentim.retention.policy_file import read_policy

    if isinstance(policy, Mapping):
        return policy
    if isinstance(policy, str) and policy.lstrip().startswith("{"):
        return _read_mapping(policy)
    path: Any = ObjectStoragePath(check_text("policy", policy))
    try:
        text = read_file(path, _LONGEST_POLICY).decode()
    except (OSError, ValueError) as error:  # not there, too long, not UTF-8, or a path that cannot be
        raise ValueError(f"policy cannot be read: {error}") from error
    return read_policy(text, path.name)


def reference_of(context: Context) -> datetime:
    """Return the moment from which ages count back: of the run, never now.

    :param context: of the task.
    :raises ValueError: when the run has none.
    """
    run: Any = context.get("dag_run")
    for moment in (
        context.get("data_interval_end"),
        context.get("logical_date"),
        getattr(run, "run_after", None),
    ):
        if moment is not None:
            return moment
    raise ValueError("the run has neither a data interval nor a date: give the policy 'before' instead of 'older_than'")


def run_of(context: Context) -> dict[str, str]:
    """Return by which DAG, task and run a plan is made.

    :param context: of the task.
    """
    task_instance: Any = context["ti"]
    return {name: str(getattr(task_instance, name, "")) for name in ("dag_id", "task_id", "run_id", "map_index")}


def read_holds_of(*paths: Any) -> Patterns | None:
    """Read what is on hold from all files that are named; None when none is.

    :param paths: of the files; None for one that is not named.
    :raises ValueError: when one cannot be read.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_tencentim.client.arguments import check_text
    from airflow_provider_tencentim.retention.holds import read_holds
    from airflow_provider_tencentim.retention.patterns import Patterns

    named = [ObjectStoragePath(check_text("hold_path", path)) for path in paths if path is not None]
    return Patterns(pattern for path in named for pattern in read_holds(path)) if named else None


def _read_mapping(text: str) -> Mapping[str, Any]:
    """Read a mapping that a template rendered to text, in JSON or as Python writes it."""
    from airflow_provider_tencentim.retention.policy_file import read_policy

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        pass
    else:
        return read_policy(text, "policy.json")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise ValueError("policy begins like a mapping and is none")
    return value
