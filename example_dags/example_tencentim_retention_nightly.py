"""Every night, keep the messages of some groups only as long as a policy allows, in one task.

The messages that are too old are archived first, then cleared (hidden from the members) or recalled (withdrawn from
everyone). How far each group is done is remembered, so that the next night looks only at what is new; a report has a
row for every group. It is a dry run until ``dry_run`` is switched off: then the log and the result say what would go.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_tencentim.operators.retention import GroupRetentionOperator

with DAG(
    "example_tencentim_retention_nightly",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="Switched off, messages go for good."),
        "groups": Param(
            "no-group-is-called-like-this-*",
            type="string",
            minLength=3,
            title="Groups",
            description="A GroupId, or a glob such as support-*. Never empty: nothing would mean everything.",
        ),
        "older_than": Param(
            "P60D",
            type="string",
            pattern=r"^P\d+[DWMY]$",
            title="Age",
            description="Older messages go: P60D is 60 days before the run's data interval ends.",
        ),
        "action": Param(
            "clear",
            enum=["clear", "recall"],
            title="What to do",
            description="clear: hide the history from the members. recall: withdraw the messages from everyone.",
        ),
        "folder": Param(
            "file:///tmp/tencentim-retention",
            type="string",
            minLength=3,
            title="Folder",
            description="Of the state, the archive and the reports, on any object storage: s3://aws@chat/retention. "
            "The default is only to try it out: keep them where all workers reach them and nothing is swept away.",
        ),
    },
) as dag:
    GroupRetentionOperator(
        task_id="retention",
        policy={
            "older_than": "{{ params.older_than }}",
            "groups": ["{{ params.groups }}"],
            "action": "{{ params.action }}",
        },
        dry_run="{{ params.dry_run }}",
        state_path="{{ params.folder }}/state",
        archive_to="{{ params.folder }}/archive",
        report_path="{{ params.folder }}/reports",
        retries=2,
    )
