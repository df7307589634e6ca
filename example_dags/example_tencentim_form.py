"""One room, some messages, one action: what a moderator fills in and triggers.

Airflow makes a form of the Params. It is a dry run until ``dry_run`` is switched off, and then only with the
confirmation ticked.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, task

from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)

with DAG(
    "example_tencentim_form",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "group_id": Param(type="string", minLength=1, maxLength=48, title="Group", description="The GroupId."),
        "msg_seqs": Param(
            type="string",
            pattern=r"^\s*\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*\s*$",
            title="Messages",
            description="MsgSeqs and ranges, such as 1-500, 777. To clear or to overwrite: one MsgSeq.",
        ),
        "action": Param(
            "recall",
            enum=["recall", "clear", "overwrite"],
            title="What to do",
            description="recall: withdraw from everyone. clear: hide all up to the message from the members. "
            "overwrite: put other words in its place.",
        ),
        "replacement": Param("removed by a moderator", type="string", minLength=1, title="Words in its place"),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Only look. Switch it off to act."),
        "confirmed": Param(False, type="boolean", title="I know that this cannot be undone"),
    },
) as dag:

    @task.branch
    def choose(params: dict[str, Any]) -> str | None:
        """Which task acts; none does for good without the confirmation."""
        if not params["dry_run"] and not params["confirmed"]:
            raise AirflowFailException("Tick the confirmation to act, or leave the dry run switched on")
        if params["dry_run"] and params["action"] == "overwrite":
            print("Would overwrite message", params["msg_seqs"], "of group", params["group_id"])
            return None
        return params["action"]

    choose() >> [
        RecallGroupMsgOperator(
            task_id="recall",
            group_id="{{ params.group_id }}",
            msg_seqs="{{ params.msg_seqs }}",
            dry_run="{{ params.dry_run }}",
        ),
        ClearGroupHistoryOperator(
            task_id="clear",
            group_id="{{ params.group_id }}",
            msg_seq="{{ params.msg_seqs }}",
            dry_run="{{ params.dry_run }}",
        ),
        ModifyGroupMsgOperator(
            task_id="overwrite",
            group_id="{{ params.group_id }}",
            msg_seq="{{ params.msg_seqs }}",
            msg_body=[{"MsgType": "TIMTextElem", "MsgContent": {"Text": "{{ params.replacement }}"}}],
        ),
    ]
