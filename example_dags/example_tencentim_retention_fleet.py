"""Clear what is too old in all groups, spread over all workers: one task plans a shard, another one carries it out.

A shard is a part of all groups by a hash of their ids, so that the shards are disjoint, and always the same. It is a
dry run until ``dry_run`` is switched off: every shard only says what it would clear. The last task adds all up.

Before it runs on several machines: a folder that all workers reach (``s3://…``, ``gs://…``), and in the connection a
``rate_limit_store`` that they share, the id of a Redis connection. On one machine neither is needed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, ObjectStoragePath, Param, task

from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    PlanGroupRetentionOperator,
    shards,
)
from airflow_provider_tencentim.retention.joined import join_plans, write_joined

SHARDS = 8
# A pool of its own leaves slots to other DAGs; name it here after
#     airflow pools set tencentim 4 "Calls of Tencent Cloud Chat"
# It bounds how many shards are at work at once. How fast they call together is the connection's pace, not the pool's.
POOL = "default_pool"

with DAG(
    "example_tencentim_retention_fleet",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="Switched off, histories are cleared."),
        "older_than": Param("P60D", type="string", minLength=3, title="Age", description="ISO 8601, such as P60D."),
        "folder": Param(
            f"{tempfile.gettempdir()}/tencentim-retention",
            type="string",
            minLength=1,
            title="Folder",
            description="For plans, reports and state. On several machines, one that all workers reach.",
        ),
    },
) as dag:
    plan = PlanGroupRetentionOperator.partial(
        task_id="plan",
        policy={"older_than": "{{ params.older_than }}", "all_groups": True, "action": "clear"},
        plan_path="{{ params.folder }}/plans/{{ run_id }}",
        state_path="{{ params.folder }}/state",
        pool=POOL,
        map_index_template="{{ task.shard }}",
    ).expand(shard=shards(SHARDS))

    @task
    def meant(plans: Iterable[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, str]]:
        """What is carried out: every plan; in a dry run, none."""
        if params["dry_run"]:
            return []
        return [{"plan_path": plan["plan"], "plan_digest": plan["digest"]} for plan in plans]

    # A policy with holds needs hold_path here too: they are read again just before anything is touched.
    apply = ApplyRetentionPlanOperator.partial(
        task_id="apply",
        report_path="{{ params.folder }}/reports",
        state_path="{{ params.folder }}/state",
        pool=POOL,
        map_index_template="{{ task.plan_path }}",
    ).expand_kwargs(meant(plan.output))

    @task(trigger_rule="all_done")  # what was done before a shard failed is reported too
    def join(
        plans: Iterable[dict[str, Any]] | None, results: Iterable[dict[str, Any]] | None, params: dict[str, Any]
    ) -> dict[str, Any]:
        """One count of all shards; it fails when any shard did."""
        planned = [one for one in plans or () if one]
        if len(planned) < SHARDS:
            raise AirflowFailException(f"Only {len(planned)} of {SHARDS} shards were planned")
        if params["dry_run"]:
            return join_plans(planned)
        folder = ObjectStoragePath(params["folder"]) / "reports"
        path, joined = write_joined(folder, [one for one in results or () if one], planned)
        print("The joined report is", path)
        if joined["status"] != "done":
            raise AirflowFailException(f"Not all is done: {joined}")
        return joined | {"report": path}

    join(plan.output, apply.output)
