"""``make ui``: Airflow's web UI, the emulator, the connection and the examples; and nothing once it has ended."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil
import pytest

from airflow_provider_tencentim.emulator import TencentIMEmulator

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


class Ui:
    """The script as ``make ui`` runs it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "ui.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []

    def wait_until_ready(self) -> None:
        watchdog = threading.Timer(240, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            self.lines.append(line)
            if "Ctrl-C" in line:
                break
        watchdog.cancel()
        assert "Ctrl-C" in self.lines[-1], "".join(self.lines)
        (self.airflow,) = re.findall(r"^Airflow\s+(http\S+)", "".join(self.lines), re.MULTILINE)
        (self.emulator,) = re.findall(r"^Emulator\s+(\S+)", "".join(self.lines), re.MULTILINE)
        self.token = self.ask("/auth/token")["access_token"]

    def ask(self, path: str, body: object = None, method: str | None = None) -> dict:
        return json.loads(self.read(path, body, method))

    def read(self, path: str, body: object = None, method: str | None = None) -> str:
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.airflow + path, data, headers, method=method), timeout=30) as answer:
            return answer.read().decode()

    def run(self, dag_id: str, conf: dict) -> dict:
        """Have the scheduler run a DAG to its end."""
        self.ask(f"/api/v2/dags/{dag_id}", {"is_paused": False}, "PATCH")
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        run = self.ask(path, {"logical_date": None, "conf": conf})
        for _ in range(180):
            if (run := self.ask(f"{path}/{quote(run['dag_run_id'])}"))["state"] in ("success", "failed"):
                break
            threading.Event().wait(1)
        return run

    def messages(self) -> dict:
        """All messages of the emulator's groups."""
        with urlopen(f"{self.emulator}/_emulator/state", timeout=30) as answer:
            groups = json.load(answer)["groups"]
        return {(name, one["MsgSeq"]): one for name, group in groups.items() for one in group["messages"]}


@pytest.fixture(scope="module")
def ui() -> Iterator[Ui]:
    ui = Ui()
    try:
        ui.wait_until_ready()
        yield ui
    finally:
        if ui.process.poll() is None:
            ui.process.send_signal(signal.SIGINT)
            ui.process.wait(60)


def test_the_examples_are_there_and_paused(ui):
    wanted = {path.stem for path in (ROOT / "example_dags").glob("example_*.py")}
    for _ in range(60):
        dags = {dag["dag_id"]: dag for dag in ui.ask("/api/v2/dags")["dags"]}
        if wanted <= set(dags):
            break
        threading.Event().wait(1)
    assert wanted <= set(dags)
    assert all(dags[dag_id]["is_paused"] for dag_id in wanted)


def test_the_connection_is_there_its_key_hidden_and_its_test_works(ui):
    connection = ui.ask("/api/v2/connections/tencentim_default")
    assert (connection["conn_type"], connection["password"]) == ("tencentim", "***")

    tested = ui.ask("/api/v2/connections/test", {**connection, "password": "***"})

    assert tested["status"] is True, tested
    assert ui.emulator in tested["message"]


def test_the_form_of_the_connection_has_every_field(ui):
    from airflow_provider_tencentim.get_provider_info import CONN_FIELDS

    with urlopen(
        Request(f"{ui.airflow}/ui/connections/hook_meta", headers={"Authorization": f"Bearer {ui.token}"})
    ) as answer:
        (meta,) = [meta for meta in json.load(answer) if meta["connection_type"] == "tencentim"]
    assert set(meta["extra_fields"]) == set(CONN_FIELDS)
    assert meta["standard_fields"]["login"]["title"] == "SDKAppID"


def everything(ui: Ui, values: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Read all that Airflow's API shows, wherever these values fit."""
    for template, methods in ui.ask("/openapi.json")["paths"].items():
        if "get" not in methods or template.endswith(("/auth/login", "/auth/logout", "/wait", "/enqueue-test")):
            continue
        names = re.findall(r"{(\w+)}", template)
        for filled in product(*(values.get(name, ()) for name in names)):
            path = template.format(**dict(zip(names, map(quote, filled), strict=True)))
            with suppress(HTTPError):  # a task of another DAG, say
                yield path, ui.read(path)


def test_nothing_that_the_ui_shows_holds_the_key_or_a_message(ui, tmp_path):
    before = ui.messages()
    said = {
        element["MsgContent"]["Text"]
        for message in before.values()
        if not message["system"]
        for element in message["MsgBody"]
        if element["MsgType"] == "TIMTextElem" and len(element["MsgContent"]["Text"]) >= 15
    }
    assert len(said) > 50
    old = {"groups": "@TGS#*", "older_than": "P1D", "action": "recall", "dry_run": False, "folder": tmp_path.as_uri()}
    runs = [
        ui.run("example_tencentim_retention_nightly", old),
        ui.run("example_tencentim_redaction", {"dry_run": False}),
    ]
    assert [run["state"] for run in runs] == ["success", "failed"]  # the second names messages that do not exist
    recalled = [place for place, message in ui.messages().items() if message["state"] != before[place]["state"]]
    assert len(recalled) > 50
    archived = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz")).decode()
    assert any(text in archived for text in said)

    values = {
        "dag_id": [run["dag_id"] for run in runs],
        "dag_run_id": [run["dag_run_id"] for run in runs],
        "task_id": ["retention", "group_message", "one_to_one_message"],
        "map_index": ["-1"],
        "task_try_number": ["1"],
        "try_number": ["1"],
        "version_number": ["1"],
        "xcom_key": ["return_value"],
        "connection_id": ["tencentim_default"],
        "asset_id": ["1"],
        "asset_alias_id": ["1"],
    }
    shown = dict(everything(ui, values))
    for kind in ("/logs/1", "/xcomEntries/return_value", "/tries/1", "/state-store", "/details", "/assets/events"):
        assert [path for path in shown if path.endswith(kind)], kind
    assert any(f'"done":{len(recalled)}' in text.replace(" ", "") for text in shown.values())
    for path, text in shown.items():
        for secret in (TencentIMEmulator().secret_key, "usersig=", *said):
            assert secret not in text, f"{secret[:15]}… is in {path}"


def test_it_ends_without_leaving_anything(ui):
    family = psutil.Process(ui.process.pid).children(recursive=True)
    assert family

    ui.process.send_signal(signal.SIGINT)

    assert ui.process.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not (ROOT / ".ui").exists()
