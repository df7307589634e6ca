"""What Airflow reads of this provider: the connection type, its form and the list of modules.

Every Airflow process imports this module while Airflow itself is half loaded: literals only.
"""

from __future__ import annotations

from typing import Any

CONNECTION_TYPE = "tencentim"
HOOK_NAME = "Tencent Cloud Chat (IM)"

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {"login": "SDKAppID", "password": "Secret key", "host": "API host"},
    "placeholders": {
        "login": "1400000000",
        "password": "from the console, signs every call",
        "host": "empty: the region's own",
        # Airflow 3.3's Test button fails on a connection that was stored without a port.
        "port": "443",
    },
}

# Airflow 3.2 and later build the form's extra fields from this table, the hook's form methods do for earlier
# versions, and the hook reads the stored values by it.
CONN_FIELDS: dict[str, dict[str, Any]] = {
    "region": {
        "label": "Region",
        "description": "The app's data center. It picks the API's domain, unless an API host is given.",
        "schema": {
            "type": ["string", "null"],
            "default": "china",
            "enum": [
                "china",
                "singapore",
                "seoul",
                "tokyo",
                "frankfurt",
                "mumbai",
                "silicon_valley",
                "jakarta",
            ],
            "values_display": {
                "china": "China (console.tim.qq.com)",
                "singapore": "Singapore (adminapisgp.im.qcloud.com)",
                "seoul": "Seoul (adminapikr.im.qcloud.com)",
                "tokyo": "Tokyo (adminapijpn.im.qcloud.com)",
                "frankfurt": "Frankfurt (adminapiger.im.qcloud.com)",
                "mumbai": "Mumbai (adminapiind.im.qcloud.com)",
                "silicon_valley": "Silicon Valley (adminapiusa.im.qcloud.com)",
                "jakarta": "Jakarta (adminapiidn.im.qcloud.com)",
            },
        },
    },
    "admin_identifier": {
        "label": "App admin",
        "description": "The administrator account of the app in whose name calls are made.",
        "schema": {"type": ["string", "null"], "default": "administrator"},
    },
    "usersig_ttl": {
        "label": "UserSig lifetime (s)",
        "description": "For how long a signature is valid. It is renewed before it runs out.",
        "schema": {"type": ["integer", "null"], "default": 86400, "minimum": 60},
    },
    "timeout": {
        "label": "Time-out (s)",
        "description": "How long to wait for an answer. At least 4: the service itself takes up to 3.",
        "schema": {"type": ["number", "null"], "default": 10, "minimum": 4, "maximum": 300},
    },
    "calls_per_second": {
        "label": "Calls per second",
        "description": "The pace of each command; the documented limit is 200. Commands with a lower one keep theirs.",
        "schema": {"type": ["number", "null"], "default": 190, "maximum": 200},
    },
    "rate_limit_store": {
        "label": "Rate-limit store",
        "description": "Who shares the pace. Empty or machine: one machine. process: one process. "
        "Or the id of a Redis connection: all who name the same Redis, on any machine.",
        "schema": {"type": ["string", "null"]},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "Path of the CA file of a private gateway. Certificates are always verified.",
        "schema": {"type": ["string", "null"]},
    },
    "allowed_commands": {
        "label": "Allowed commands",
        "description": "Empty: all. read: none that changes anything. Or commands divided by commas, "
        "such as openim/modify_group_msg.",
        "schema": {"type": ["string", "null"]},
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the description that Airflow's ``apache_airflow_provider`` entry point asks for."""
    return {
        "package-name": "airflow-provider-tencentim",
        "name": HOOK_NAME,
        "description": "Modify, recall and clear the messages of Tencent Cloud Chat (IM).",
        "integrations": [
            {
                "integration-name": HOOK_NAME,
                "external-doc-url": "https://cloud.tencent.com/document/product/269/1519",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": HOOK_NAME,
                "python-modules": [
                    "airflow_provider_tencentim.operators.group_msg",
                    "airflow_provider_tencentim.operators.c2c_msg",
                    "airflow_provider_tencentim.operators.retention",
                ],
            }
        ],
        "hooks": [
            {
                "integration-name": HOOK_NAME,
                "python-modules": ["airflow_provider_tencentim.hooks.tencentim"],
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "airflow_provider_tencentim.hooks.tencentim.TencentIMHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONN_FIELDS,
            }
        ],
    }
