"""What the tests of rows of conversations share: the commands, and a policy of one pair."""

from __future__ import annotations

from typing import Any

from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy

WITHDRAW, MODIFY, ROAM = "openim/admin_msgwithdraw", "openim/modify_c2c_msg", "openim/admin_getroammsg"
COMMANDS = {"recall": WITHDRAW, "redact": MODIFY}


def policy_of(action: str, **more: Any) -> C2CRetentionPolicy:
    keys = {"before": "2026-01-01", "pairs": [["ann", "bob"]], "action": action}
    if action == "redact":
        keys["replacement"] = "removed"
    return C2CRetentionPolicy.parse(keys | more)
