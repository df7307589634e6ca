"""Every night, clear the history of the rooms whose ids begin alike, one task a room.

The rooms are asked for when the run begins, so that new ones are found. It is a dry run until ``dry_run`` is switched
off: then every room says how far it would be cleared.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_tencentim.operators.group_msg import ClearGroupHistoryOperator

with DAG(
    "example_tencentim_scheduled_cleanup",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="Switched off, histories are cleared."),
        "prefix": Param(
            "no-room-begins-like-this-",
            type="string",
            minLength=3,
            title="Rooms",
            description="The beginning of the rooms' GroupIds. Never empty: nothing would mean everything.",
        ),
    },
) as dag:

    @task
    def rooms(params: dict[str, Any]) -> list[str]:
        """The rooms there are tonight. Asking takes a second for every 10,000 groups of the app."""
        from airflow_provider_tencentim.hooks.tencentim import TencentIMHook

        with TencentIMHook().get_conn() as client:
            return [group_id for group_id in client.iter_groups() if group_id.startswith(params["prefix"])]

    ClearGroupHistoryOperator.partial(
        task_id="clear",
        clear_all=True,
        dry_run="{{ params.dry_run }}",
        map_index_template="{{ task.group_id }}",
        max_active_tis_per_dagrun=4,
    ).expand(group_id=rooms())
