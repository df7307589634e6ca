"""Old messages of some groups, one action: what an operator of the app fills in and triggers.

Airflow makes a form of the Params. It is a dry run until ``dry_run`` is switched off, and then only with the
confirmation ticked; more messages than were expected are refused.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, task

from airflow_provider_tencentim.operators.retention import GroupRetentionOperator

GROUP = {"type": "string", "minLength": 1, "maxLength": 1024}

with DAG(
    "example_tencentim_retention_on_demand",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "groups": Param(
            type="array",
            items=GROUP,
            minItems=1,
            title="Groups",
            description="GroupIds, and globs such as deal-room-*, one a line.",
        ),
        "exclude": Param([], type="array", items=GROUP, title="But not", description="GroupIds and globs, one a line."),
        "before": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Sent before",
            description="Older messages go. Fill in either this or the age.",
        ),
        "older_than_days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=36500,
            title="Older than, in days",
            description="Counted back from the moment of the run.",
        ),
        "action": Param(
            "recall",
            enum=["recall", "clear", "redact", "redact_and_recall"],
            title="What to do",
            description="recall: withdraw from everyone. clear: hide from the members. redact: put other words in "
            "their place. redact_and_recall: neither the content nor the message is left.",
        ),
        "replacement": Param(
            "removed by policy", type="string", minLength=1, title="Words in their place", description="To redact."
        ),
        "max_messages": Param(
            10_000,
            type="integer",
            minimum=1,
            title="At most so many messages",
            description="When there are more, none is touched.",
        ),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only look. Switch it off to act."),
        "confirmed": Param(False, type="boolean", title="I know that this cannot be undone"),
    },
) as dag:

    @task
    def policy(params: dict[str, Any]) -> dict[str, Any]:
        """What the form means; nothing without the confirmation."""
        if not params["dry_run"] and not params["confirmed"]:
            raise AirflowFailException("Tick the confirmation to act, or leave the dry run switched on")
        meant = {"action": params["action"], "groups": params["groups"]}
        if params["before"] is not None:
            meant["before"] = params["before"]
        if params["older_than_days"] is not None:
            meant["older_than"] = f"P{params['older_than_days']}D"
        if params["exclude"]:
            meant["exclude_groups"] = params["exclude"]
        if params["action"].startswith("redact"):
            # An element, since words that begin with [ or { would be taken for JSON.
            words = {"MsgType": "TIMTextElem", "MsgContent": {"Text": params["replacement"]}}
            meant["replacement"] = {"msg_body": [words]}
        return meant

    GroupRetentionOperator(
        task_id="retention",
        policy=policy(),
        dry_run="{{ params.dry_run }}",
        max_messages="{{ params.max_messages }}",
    )
