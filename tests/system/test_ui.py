"""``make ui``: Airflow's web UI, the emulator, the connection and the examples; and nothing once it has ended."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

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

    def ask(self, path: str, body: object = None) -> dict:
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.airflow + path, data, headers), timeout=30) as answer:
            return json.load(answer)


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


def test_it_ends_without_leaving_anything(ui):
    family = psutil.Process(ui.process.pid).children(recursive=True)
    assert family

    ui.process.send_signal(signal.SIGINT)

    assert ui.process.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not (ROOT / ".ui").exists()
