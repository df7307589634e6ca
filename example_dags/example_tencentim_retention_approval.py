"""Retention with a person in between: plan what is too old, ask with the counts in a table, apply exactly that plan.

No answer within twenty hours means no. Asking needs Airflow 3.1 or later; before that, only the dry run works. It is a
dry run until ``dry_run`` is switched off: it plans, and asks nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowOptionalProviderFeatureException,
    Param,
    task,
)

from airflow_provider_tencentim.operators.retention import ApplyRetentionPlanOperator, PlanGroupRetentionOperator

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):  # Airflow before 3.1
    ApprovalOperator = None

# Markdown. What a plan counts holds no content and no name of a group.
TABLE = """\
{%- set planned = ti.xcom_pull(task_ids="plan") -%}
| | |
|---|---|
| Action | {{ planned.action }} |
| Older than | {{ planned.cut_off }} |
| Groups | {{ planned.groups }} of {{ planned.listed }} listed |
| Messages | {{ planned.messages }} at most |
{%- for reason, number in planned.skipped.items() %}
| Left alone: {{ reason }} | {{ number }} |
{%- endfor %}
| Plan | `{{ planned.plan }}` |
| Digest | `{{ planned.digest }}` |

This cannot be undone.
"""

with DAG(
    "example_tencentim_retention_approval",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="Switched off, somebody is asked."),
        "groups": Param(
            "no-group-is-called-like-this-*",
            type="string",
            minLength=3,
            title="Groups",
            description="A GroupId, or a glob such as support-*. Never empty: nothing would mean everything.",
        ),
        "older_than": Param("P60D", type="string", pattern=r"^P\d+[DWMY]$", title="Age"),
        "action": Param("clear", enum=["clear", "recall"], title="What to do"),
        "folder": Param(
            "file:///tmp/tencentim-retention",
            type="string",
            minLength=3,
            title="Folder",
            description="Of the plans, the archive and the reports, on any object storage that all workers reach, "
            "such as s3://aws@chat/retention. The default is only to try it out.",
        ),
    },
) as dag:
    plan = PlanGroupRetentionOperator(
        task_id="plan",
        policy={
            "older_than": "{{ params.older_than }}",
            "groups": ["{{ params.groups }}"],
            "action": "{{ params.action }}",
        },
        plan_path="{{ params.folder }}/plans/{{ run_id }}",
        retries=2,
    )

    @task.short_circuit
    def is_meant(params: dict[str, Any], ti: Any) -> bool:
        """Nothing behind this task runs in a dry run, or when there is nothing to ask for."""
        return not params["dry_run"] and ti.xcom_pull(task_ids="plan")["groups"] > 0

    if ApprovalOperator is not None:
        approve = ApprovalOperator(
            task_id="approve",
            subject="May these messages go?",
            body=TABLE,
            defaults="Reject",
            response_timeout=timedelta(hours=20),
            retries=1,  # an answer that comes while the task is still settling down to wait can fail it
        )
    else:

        @task(task_id="approve")
        def refuse() -> None:
            """Nobody can be asked here, so nothing is applied."""
            raise AirflowFailException("Asking a person needs Airflow 3.1 or later")

        approve = refuse()

    apply = ApplyRetentionPlanOperator(
        task_id="apply",
        # Whatever lies in the folder by now: only the plan that was approved has this digest.
        plan_path="{{ ti.xcom_pull(task_ids='plan')['plan'] }}",
        plan_digest="{{ ti.xcom_pull(task_ids='plan')['digest'] }}",
        archive_to="{{ params.folder }}/archive",
        report_path="{{ params.folder }}/reports",
        retries=2,
    )

    plan >> is_meant() >> approve >> apply
