"""Airflow with its web UI and scheduler, as ``make ui`` starts it, once for all tests here."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]


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

    def start(self, dag_id: str, conf: dict) -> str:
        """Have the scheduler begin with a run of a DAG, and return the run's path in the API."""
        self.ask(f"/api/v2/dags/{dag_id}", {"is_paused": False}, "PATCH")
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        return f"{path}/{quote(self.ask(path, {'logical_date': None, 'conf': conf})['dag_run_id'])}"

    def wait_until(self, holds: Callable[[], bool], seconds: int = 180) -> None:
        for _ in range(seconds):
            if holds():
                return
            threading.Event().wait(1)
        raise TimeoutError

    def end_of(self, run: str) -> dict:
        """Wait for a run's end."""
        self.wait_until(lambda: self.ask(run)["state"] in ("success", "failed"))
        return self.ask(run)

    def control(self, name: str, body: object = None, method: str | None = None) -> dict:
        """Ask the emulator."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.emulator}/_emulator/{name}", data, method=method), timeout=30) as answer:
            return json.load(answer)

    def messages(self) -> dict:
        """All messages of the emulator's groups."""
        groups = self.control("state")["groups"]
        return {(name, one["MsgSeq"]): one for name, group in groups.items() for one in group["messages"]}


@pytest.fixture(scope="session")
def ui() -> Iterator[Ui]:
    ui = Ui()
    try:
        ui.wait_until_ready()
        yield ui
    finally:
        if ui.process.poll() is None:
            ui.process.send_signal(signal.SIGINT)
            ui.process.wait(60)
