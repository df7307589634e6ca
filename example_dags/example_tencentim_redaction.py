"""Put other words in the place of one group message and of one one-to-one message.

It is a dry run until ``dry_run`` is switched off: overwriting cannot look before it acts, so that nothing is sent then.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import ModifyGroupMsgOperator

with DAG(
    "example_tencentim_redaction",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["tencentim", "example"],
    doc_md=__doc__,
    params={
        "dry_run": Param(True, type="boolean", title="Dry run", description="Switched off, both are overwritten."),
        "group_id": Param("@TGS#1HYEP2SHC", type="string", minLength=1, title="GroupId"),
        "msg_seq": Param(23, type="integer", minimum=1, maximum=4294967295, title="MsgSeq"),
        "from_account": Param("dramon1", type="string", minLength=1, title="Sender"),
        "to_account": Param("dramon2", type="string", minLength=1, title="Recipient"),
        "msg_key": Param("1_2_3", type="string", pattern=r"^\d+_\d+_\d+$", title="MsgKey"),
        "replacement": Param("removed by policy", type="string", minLength=1, title="Words in its place"),
    },
) as dag:

    @task.short_circuit
    def is_meant(params: dict[str, Any]) -> bool:
        """Nothing behind this task runs in a dry run."""
        return not params["dry_run"]

    is_meant() >> [
        ModifyGroupMsgOperator(
            task_id="group_message",
            group_id="{{ params.group_id }}",
            msg_seq="{{ params.msg_seq }}",
            # An element, since words that begin with [ or { would be taken for JSON.
            msg_body=[{"MsgType": "TIMTextElem", "MsgContent": {"Text": "{{ params.replacement }}"}}],
            cloud_custom_data='{"redacted_by": "{{ run_id }}"}',
        ),
        ModifyC2CMsgOperator(
            task_id="one_to_one_message",
            from_account="{{ params.from_account }}",
            to_account="{{ params.to_account }}",
            msg_key="{{ params.msg_key }}",
            msg_body=[{"MsgType": "TIMTextElem", "MsgContent": {"Text": "{{ params.replacement }}"}}],
        ),
    ]
