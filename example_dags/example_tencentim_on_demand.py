"""Recall, clear and redact messages on demand: all four operators, over as many groups as you name.

Trigger it with a list for each action. It is a dry run until ``dry_run`` is switched off: recalls and clears are
looked up and counted, overwrites are listed and not sent.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)


def rows_param(title: str, example: dict[str, Any], required: list[str]) -> Param:
    """A list of rows, each the arguments of one operator: what is misspelt is refused before the run starts."""
    properties = {name: {} for name in example}
    row = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Param([], type="array", items=row, title=title, description=f"Rows such as {example}")


with DAG(
    "example_tencentim_on_demand",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "dry_run": Param(
            True, type="boolean", title="Dry run", description="Switched off, messages are gone for good."
        ),
        "recalls": rows_param("Recall", {"group_id": "@TGS#1", "msg_seqs": "1-500, 777"}, ["group_id", "msg_seqs"]),
        "clears": rows_param("Clear", {"group_id": "@TGS#1", "msg_seq": 500}, ["group_id", "msg_seq"]),
        "group_overwrites": rows_param(
            "Overwrite group messages",
            {"group_id": "@TGS#1", "msg_seq": 23, "msg_body": "removed by policy"},
            ["group_id", "msg_seq", "msg_body"],
        ),
        "c2c_overwrites": rows_param(
            "Overwrite one-to-one messages",
            {"from_account": "a", "to_account": "b", "msg_key": "1_2_3", "msg_body": "removed by policy"},
            ["from_account", "to_account", "msg_key", "msg_body"],
        ),
    },
) as dag:

    @task
    def rows(name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of an action that can look before it acts."""
        return params[name]

    @task
    def rows_unless_dry(name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of an action that cannot: a dry run lists them, without their content."""
        if not params["dry_run"]:
            return params[name]
        for row in params[name]:
            print("Would overwrite", {key: value for key, value in row.items() if key != "msg_body"})
        return []

    # Pools and max_active_tis_per_dagrun bound how many run at once; the pace of calls is the connection's.
    RecallGroupMsgOperator.partial(
        task_id="recall", dry_run="{{ params.dry_run }}", map_index_template="{{ task.group_id }}"
    ).expand_kwargs(rows.override(task_id="recalls")("recalls"))

    ClearGroupHistoryOperator.partial(
        task_id="clear", dry_run="{{ params.dry_run }}", map_index_template="{{ task.group_id }}"
    ).expand_kwargs(rows.override(task_id="clears")("clears"))

    ModifyGroupMsgOperator.partial(
        task_id="overwrite_group_msg", map_index_template="{{ task.group_id }} {{ task.msg_seq }}"
    ).expand_kwargs(rows_unless_dry.override(task_id="group_overwrites")("group_overwrites"))

    ModifyC2CMsgOperator.partial(task_id="overwrite_c2c_msg", map_index_template="{{ task.msg_key }}").expand_kwargs(
        rows_unless_dry.override(task_id="c2c_overwrites")("c2c_overwrites")
    )
