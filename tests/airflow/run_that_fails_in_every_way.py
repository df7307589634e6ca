"""Run by test_secrets.py in a process of its own: everything is logged, and everything fails.

Prints the signatures that were made to the file of its first argument, and all else to its output.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from urllib.parse import quote

from TLSSigAPIv2 import TLSSigAPIv2

SIGNATURES, KEY, STORED, REPLACEMENT = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

_sign = TLSSigAPIv2.gen_sig


def sign_and_note(self, *args, **kwargs):
    usersig = _sign(self, *args, **kwargs)
    with SIGNATURES.open("a") as file:
        file.write(usersig + "\n")
    return usersig


TLSSigAPIv2.gen_sig = sign_and_note

import airflow  # noqa: E402
from airflow.providers.common.compat.sdk import DAG  # noqa: E402

from airflow_provider_tencentim.client import transport  # noqa: E402
from airflow_provider_tencentim.emulator import TencentIMEmulator  # noqa: E402
from airflow_provider_tencentim.hooks.tencentim import TencentIMHook  # noqa: E402
from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator  # noqa: E402
from airflow_provider_tencentim.operators.group_msg import (  # noqa: E402
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)

sys.path.insert(0, str(Path(__file__).parent))
from known_dags import make_known  # noqa: E402

transport._back_off = lambda state: 0.001
transport.SLOW_DOWN_SECONDS = 0.001

# After Airflow has set its logging up: handlers of our own, on the root and on the libraries that talk most.
for name in (None, "urllib3", "urllib3.connectionpool", "requests", "airflow", "airflow.task", "http.client"):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logging.StreamHandler(sys.stdout))
http.client.HTTPConnection.debuglevel = 1


def answer_everything(reply: bytes) -> str:
    """Start a server that gives every request the same bytes; return its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def show(context) -> None:
    error = context["exception"]
    print("FAILED", context["ti"].task_id)
    traceback.print_exception(error)
    while error is not None:
        print(repr(error), str(error), error.args, vars(error))
        error = error.__cause__ or error.__context__


def connection(name: str, url: str, key: str = KEY, **extra) -> str:
    uri = f"tencentim://1400000000:{key}@{quote(url, safe='')}"
    os.environ[f"AIRFLOW_CONN_{name.upper()}"] = uri + (f"?__extra__={quote(json.dumps(extra))}" if extra else "")
    return name


with TencentIMEmulator(secret_key=KEY) as emulator:
    emulator.add_group("room", messages=[f"{STORED} {number}" for number in range(40)])
    emulator.add_accounts("ann", "bob")
    key_of_letter = emulator.add_c2c_message("ann", "bob", STORED)
    connections = [
        connection("good", emulator.url),
        connection("wrong_key", emulator.url, key=KEY[::-1]),
        connection("wrong_admin", emulator.url, admin_identifier="nobody"),
        connection("refused", "http://127.0.0.1:9"),
        connection("no_tls", emulator.url.replace("http://", "https://")),
        connection("not_an_api", answer_everything(b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>")),
        connection("no_http", answer_everything(b"SSH-2.0-OpenSSH_9.2\r\n")),
        connection(
            "redirecting", answer_everything(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        ),
        connection("read_only", emulator.url, allowed_commands="read"),
        connection("malformed", emulator.url, usersig_ttl="soon"),
        connection("unknown_field", emulator.url, secret=KEY),
    ]
    for rule in (
        {"error_code": 10002},
        {"error_code": 60007},
        {"drop": True},
        {"drop": True, "after_commit": True},
        {"http_status": 503},
        {"body": "malformed"},
        {"body": "truncated"},
        {"body": "empty"},
        {"error_code": 70001},
        {"error_code": 90002},
    ):
        emulator.add_fault(**rule, probability=0.1, seed=1)
    with DAG("secrets", schedule=None, default_args={"on_failure_callback": show}) as dag:
        for number, conn_id in enumerate(connections):
            common = {"tencentim_conn_id": conn_id}
            ModifyGroupMsgOperator(
                task_id=f"modify_{number}", group_id="room", msg_seq=number + 1, msg_body=REPLACEMENT, **common
            )
            ModifyC2CMsgOperator(
                task_id=f"letter_{number}",
                from_account="ann",
                to_account="bob",
                msg_key=key_of_letter,
                msg_body=[{"MsgType": "TIMCustomElem", "MsgContent": {"Data": REPLACEMENT}}],
                cloud_custom_data=REPLACEMENT,
                **common,
            )
            RecallGroupMsgOperator(task_id=f"recall_{number}", group_id="room", msg_seqs="20-45", **common)
            ClearGroupHistoryOperator(task_id=f"clear_{number}", group_id="room", clear_all=True, **common)
        # Wrong in itself, and the wrong thing is content.
        malformed = [{"MsgType": "TIMTextElem", "MsgContent": [REPLACEMENT]}]
        ModifyGroupMsgOperator(task_id="malformed", group_id="room", msg_seq=1, msg_body=malformed)
        ModifyGroupMsgOperator(task_id="too_long", group_id="room", msg_seq=1, msg_body=REPLACEMENT * 2000)
        ModifyGroupMsgOperator(task_id="no_json", group_id="room", msg_seq=1, msg_body="[" + REPLACEMENT)
        ModifyGroupMsgOperator(task_id="misplaced", group_id=REPLACEMENT + "\n", msg_seq=1, msg_body="x")
    make_known(dag)
    dag_run = dag.test()
    for ti in dag_run.get_task_instances():
        print("XCOM", ti.task_id, ti.state, ti.xcom_pull(task_ids=ti.task_id))
    for conn_id in connections:
        try:
            hook = TencentIMHook(conn_id)
            print("TEST", conn_id, hook.test_connection(), hook, vars(hook))
            print(hook.get_conn(), vars(hook.get_conn()))
        except ValueError as error:
            traceback.print_exception(error)
print("AIRFLOW", airflow.__version__, "SIGNED", len(SIGNATURES.read_text().splitlines()))
