"""A recall of messages by what one would write otherwise, against the operator of this package, in the same run.

In real Airflow, at the emulator, which takes 50 ms for a call and refuses more than 200 in a second. The others read
no code of a single message, repeat nothing and record nothing: they are compared by speed and by what was refused.
``--quick`` recalls fewer. HttpOperator and aiohttp are measured where they are installed:
``pip install apache-airflow-providers-http aiohttp``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from measure import check, heading, in_a_process
from TLSSigAPIv2 import TLSSigAPIv2

COMMAND = "group_open_http_svc/group_msg_recall"
DELAY_MS = 50
AT_ONCE = 100
SHARE = 0.25 if "--quick" in sys.argv else 1.0


class App(NamedTuple):
    """Where to call, and how many messages to recall of the group ``room``."""

    url: str
    sdkappid: int
    key: str
    messages: int

    def endpoint(self) -> str:
        query = {
            "sdkappid": self.sdkappid,
            "identifier": "administrator",
            "usersig": TLSSigAPIv2(self.sdkappid, self.key).gen_sig("administrator"),
            "random": 1,
            "contenttype": "json",
        }
        return f"/v4/{COMMAND}?{urlencode(query)}"

    def bodies(self) -> list[dict[str, Any]]:
        return [
            {"GroupId": "room", "MsgSeqList": [{"MsgSeq": seq + add} for add in range(10)]}
            for seq in range(1, self.messages, 10)
        ]


def run_in_airflow(make: Callable[[Any], None]) -> float:
    """Run a DAG of one task with ``dag.test()``; return its seconds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # dag.test() prints the task's log
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.sdk import DAG

    with DAG("benchmark", schedule=None) as dag:
        make(dag)
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]))
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    started = time.monotonic()
    run = dag.test()
    seconds = time.monotonic() - started
    if str(run.state) != "success":
        raise RuntimeError(f"the DAG run is {run.state}")
    return seconds


def operator(app: App) -> float:
    from airflow_provider_tencentim.operators.group_msg import RecallGroupMsgOperator

    def make(_: Any) -> None:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs=f"1-{app.messages}")

    return run_in_airflow(make)


def requests_in_a_loop(app: App) -> float:
    from airflow.providers.standard.operators.python import PythonOperator

    def loop() -> None:
        import requests

        with requests.Session() as session:
            for body in app.bodies():
                answer = session.post(app.url + app.endpoint(), json=body, timeout=10).json()
                if answer["ErrorCode"] != 0:
                    raise RuntimeError(answer)

    def make(_: Any) -> None:
        PythonOperator(task_id="recall", python_callable=loop)

    return run_in_airflow(make)


def mapped_http_operator(app: App) -> float:
    from airflow.providers.http.operators.http import HttpOperator

    os.environ["AIRFLOW_CONN_EMULATOR"] = app.url

    def make(_: Any) -> None:
        HttpOperator.partial(
            task_id="recall",
            http_conn_id="emulator",
            endpoint=app.endpoint(),
            method="POST",
            headers={"Content-Type": "application/json"},
        ).expand(data=[json.dumps(body) for body in app.bodies()])

    return run_in_airflow(make)


def unpaced_aiohttp(app: App) -> float:
    import aiohttp

    async def run() -> None:
        gate, url = asyncio.Semaphore(AT_ONCE), app.url + app.endpoint()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

            async def call(body: dict[str, Any]) -> None:
                async with gate, session.post(url, json=body) as response:
                    await response.read()

            await asyncio.gather(*map(call, app.bodies()))

    started = time.monotonic()
    asyncio.run(run())
    return time.monotonic() - started


class Row(NamedTuple):
    """One way to do it; the slower it is, the fewer messages it gets."""

    what: str
    recall: Callable[[App], float]
    messages: int
    needs: str


ROWS = (
    Row("RecallGroupMsgOperator", operator, 20_000, "airflow"),
    Row("PythonOperator, requests in a loop", requests_in_a_loop, 2_000, "requests"),
    Row("HttpOperator, mapped over batches of ten", mapped_http_operator, 400, "airflow.providers.http"),
    Row(f"aiohttp, {AT_ONCE} at once, no pace", unpaced_aiohttp, 20_000, "aiohttp"),
)


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def measure(row: Row, emulator: Any) -> tuple[float, int, int]:
    """Return messages recalled per second, calls that were refused, and messages that were left."""
    messages = int(row.messages * SHARE) // 10 * 10
    emulator.reset()
    emulator.add_group("room", messages=messages)
    emulator.add_fault(command=COMMAND, delay_ms=DELAY_MS)
    os.environ["AIRFLOW_CONN_TENCENTIM_DEFAULT"] = emulator.connection_uri
    app = App(emulator.url, emulator.sdkappid, emulator.secret_key, messages)
    seconds, _, _ = in_a_process(row.recall, app)
    refused = sum(emulator.stats()["errors"].get(COMMAND, {}).values())
    states = [message["state"] for message in emulator.state("room")["groups"]["room"]["messages"]]
    return states.count("recalled") / seconds, refused, len(states) - states.count("recalled")


def set_up_airflow(home: Path) -> None:
    (home / "dags").mkdir()
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "TMPDIR": str(home),
    }
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


def main() -> int:
    from airflow_provider_tencentim.emulator import TencentIMEmulator

    heading(f"A recall at an emulator that takes {DELAY_MS} ms for a call and refuses more than 200 in a second")
    ours, kept = 0.0, True
    with tempfile.TemporaryDirectory() as home, TencentIMEmulator() as emulator:
        set_up_airflow(Path(home))
        for row in ROWS:
            if not is_installed(row.needs):
                print(f"  {row.what}: not measured, {row.needs} is not installed")
                continue
            rate, refused, left = measure(row, emulator)
            ours = ours or rate
            print(
                f"  {row.what}: {rate:,.0f} messages/s, {refused} calls refused, {left} messages left; "
                f"ratio {rate / ours:.3f}"
            )
            if row.recall is operator:
                kept = check("nothing refused, nothing left", refused == left == 0)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
