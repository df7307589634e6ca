"""Airflow's web UI with the emulator behind it: everything to click on, on this machine alone, until Ctrl-C.

Everything it makes is in the folder ``.ui`` of the checkout, and gone at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from airflow_provider_tencentim.emulator import TencentIMEmulator

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".ui"
READY_WITHIN_SECONDS = 180


def main() -> int:
    shutil.rmtree(HOME, ignore_errors=True)
    shutil.copytree(ROOT / "example_dags", HOME / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with TencentIMEmulator(port=0) as emulator:
            emulator.generate(12, 200, seed=7)
            return run_airflow(emulator, stop)
    finally:
        shutil.rmtree(HOME, ignore_errors=True)


def run_airflow(emulator: TencentIMEmulator, stop: threading.Event) -> int:
    port, trigger_logs, worker_logs = free_ports(3)
    url = f"http://127.0.0.1:{port}"
    print("Airflow starts; its log is .ui/airflow.log …", flush=True)
    environment = os.environ | settings(url, port, trigger_logs, worker_logs)
    with (HOME / "airflow.log").open("wb") as log:
        for command in (["db", "migrate"], ["connections", "import", str(write_connection(emulator))]):
            subprocess.run(
                [sys.executable, "-m", "airflow", *command], env=environment, check=True, stdout=log, stderr=log
            )
        airflow = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own: all its processes can be ended together
        )
        try:
            if not wait_until_ready(url, airflow, stop):
                print((HOME / "airflow.log").read_text(errors="replace")[-3000:], file=sys.stderr)
                return 1
            print(f"Airflow   {url}  (no login)\nEmulator  {emulator.url}\nCtrl-C ends both.", flush=True)
            while not stop.wait(1) and airflow.poll() is None:
                pass
            return 0 if stop.is_set() else 1
        finally:
            end(airflow)
            print("Ended. Nothing is left running.", flush=True)


def write_connection(emulator: TencentIMEmulator) -> Path:
    """Write the connection for Airflow's database: the UI does not show those of the environment."""
    host, port = emulator.url.rsplit(":", 1)
    fields = {
        "conn_type": "tencentim",
        "description": "The emulator",
        "login": str(emulator.sdkappid),
        "password": emulator.secret_key,
        "host": host,
        "port": int(port),  # the Test button fails on a connection without one
        "extra": json.dumps({"admin_identifier": "administrator"}),
    }
    path = HOME / "connections.json"
    path.write_text(json.dumps({"tencentim_default": fields}))
    return path


def settings(url: str, port: int, trigger_logs: int, worker_logs: int) -> dict[str, str]:
    return {
        # "standalone" starts the command airflow by its name.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": os.urandom(32).hex(),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
    }


def wait_until_ready(url: str, airflow: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    """Wait for every part of Airflow to call itself healthy; ``standalone`` goes on even without an API server."""
    for _ in range(READY_WITHIN_SECONDS):
        if airflow.poll() is not None or stop.is_set():
            return stop.is_set()
        try:
            with urlopen(f"{url}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310  # a URL of our own
                health = json.load(answer)
            if all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor")):
                return True
        except (URLError, OSError, ValueError, KeyError):
            pass
        time.sleep(1)
    return False


def end(airflow: subprocess.Popen[bytes]) -> None:
    """End all of Airflow's processes; those that do not go when asked are made to."""
    for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        try:
            os.killpg(airflow.pid, number)
            airflow.wait(seconds)
            while seconds > 0:
                os.killpg(airflow.pid, 0)
                time.sleep(0.2)
                seconds -= 0.2
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def free_ports(number: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


if __name__ == "__main__":
    sys.exit(main())
