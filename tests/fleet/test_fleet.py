"""The example for many workers, on Airflow as it is installed for real: LocalExecutor and Celery, with PostgreSQL.

What no test in one process shows: that the shards spread over the workers, and that all of them together keep the pace.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from servers import (
    ENABLE,
    HOST,
    Processes,
    free_ports,
    missing,
    start_emulator,
    start_postgres,
    start_redis,
    wait_for,
)

ROOT = Path(__file__).parents[2]
DAG_ID = "example_tencentim_retention_fleet"
KEY = secrets.token_hex(32)
GROUPS, MESSAGES, SHARDS = 1_200, 20, 8
LIMIT = 200
# A dozen processes on two cores hold one another up: this leaves room for calls that come late, a tenth of a second.
PACE = 180
CLEAR = "group_open_http_svc/clear_group_msg"
HISTORY = "group_open_http_svc/group_msg_get_simple"

# Every wait has an end of its own: a fleet takes a minute and a half on two cores that are free.
pytestmark = pytest.mark.timeout(400)


@dataclass
class Servers:
    """What both fleets stand on."""

    folder: Path
    postgres: int
    redis: int
    emulator: str

    def ask_emulator(self, path: str, body: object = None) -> Any:
        return ask(f"{self.emulator}/_emulator/{path}", body)

    def database(self, name: str) -> str:
        return f"postgresql+psycopg2://airflow@{HOST}:{self.postgres}/{name}"


def ask(url: str, body: object = None, token: str | None = None, method: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, headers, method=method), timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    lacking = [*missing(), *(() if importlib.util.find_spec("celery") else ("celery",))]
    if lacking:
        reason = f"{', '.join(lacking)} missing; this enables the test: {ENABLE} && make test-fleet"
        if os.environ.get("FLEET_REQUIRED"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        processes = Processes(folder)
        try:
            started = Servers(
                folder,
                start_postgres(processes, folder / "postgres"),
                start_redis(processes, folder / "redis"),
                start_emulator(processes, KEY, GROUPS, MESSAGES),
            )
            migrate(started)
            yield started
        except (TimeoutError, subprocess.SubprocessError):
            print(processes.tails())
            raise
        finally:
            left = processes.end()
        assert not left


def migrate(servers: Servers) -> None:
    """Make Airflow's tables once, for each fleet to take a copy of."""
    execute(servers, "CREATE DATABASE migrated")
    environment = os.environ | {
        "AIRFLOW_HOME": str(servers.folder / "home"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": servers.database("migrated"),
    }
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, timeout=120,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def execute(servers: Servers, statement: str) -> None:
    import psycopg2

    connection = psycopg2.connect(host=HOST, port=servers.postgres, user="airflow", dbname="postgres")
    connection.autocommit = True
    connection.cursor().execute(statement)
    connection.close()


class Fleet:
    """An Airflow of several processes.

    :param servers: what it stands on.
    :param name: of the executor.
    :param store: the connection's ``rate_limit_store``.
    """

    def __init__(self, servers: Servers, name: str, store: str = "") -> None:
        self.folder = servers.folder / name
        self.processes = Processes(self.folder)
        where = quote(servers.emulator, safe="")
        query = "&".join([f"calls_per_second={PACE}", *([f"rate_limit_store={store}"] if store else [])])
        (port,) = free_ports(1)
        self.url = f"http://{HOST}:{port}"
        home = self.folder / "home"
        (home / "dags").mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        source = (ROOT / "example_dags" / f"{DAG_ID}.py").read_text()
        assert 'schedule="@daily"' in source
        # Switched on, it would begin with the run that is due, and a fleet of two cores has enough to do.
        (home / "dags" / f"{DAG_ID}.py").write_text(source.replace('schedule="@daily"', "schedule=None"))
        execute(servers, f"CREATE DATABASE {name.lower()} TEMPLATE migrated")
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
            "TMPDIR": str(self.folder / "tmp"),
            "FLEET_WORKER": "one-machine",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_TENCENTIM_DEFAULT": f"tencentim://1400000000:{KEY}@{where}?{query}",
            "AIRFLOW_CONN_FLEET_REDIS": f"redis://{HOST}:{servers.redis}/1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__EXECUTOR": name,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "worker_name.name",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CELERY__BROKER_URL": f"redis://{HOST}:{servers.redis}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{servers.database(name.lower())}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": servers.database(name.lower()),
        }

    def start(self, name: str, *command: str, **environment: str) -> None:
        airflow = [sys.executable, "-m", "airflow", *command]
        self.processes.start(name, airflow, self.environment | environment, cwd=ROOT)

    def run(self, conf: dict[str, Any]) -> dict[str, Any]:
        """Run the example, and return its run."""
        wait_for("the DAG", self._is_known, 100)
        self.ask(f"dags/{DAG_ID}", {"is_paused": False}, method="PATCH")
        run_id = self.ask(f"dags/{DAG_ID}/dagRuns", {"conf": conf, "logical_date": None})["dag_run_id"]
        self._run = f"dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}"
        return wait_for("the run", self._ended, 150)

    def tasks(self) -> list[dict[str, Any]]:
        return self.ask(f"{self._run}/taskInstances?limit=100")["task_instances"]

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        self.processes.check()
        return ask(f"{self.url}/api/v2/{path}", body, self._token, method)

    def _is_known(self) -> bool:
        self.processes.check()
        try:
            self._token = ask(f"{self.url}/auth/token")["access_token"]
            return self.ask(f"dags/{DAG_ID}")["dag_id"] == DAG_ID
        except (URLError, OSError):
            return False

    def _ended(self) -> dict[str, Any] | None:
        run = self.ask(self._run)
        return run if run["state"] in ("success", "failed") else None


@pytest.fixture
def fleet(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    servers.ask_emulator("reset", {})
    fleet = Fleet(servers, *request.param)
    try:
        fleet.start("api-server", "api-server")
        fleet.start("scheduler", "scheduler", "--skip-serve-logs")
        fleet.start("dag-processor", "dag-processor")
        if request.param[0] == "CeleryExecutor":
            for name in ("worker-one", "worker-two"):
                command = ("celery", "worker", "--celery-hostname", f"{name}@%h", "--concurrency", "2")
                fleet.start(name, *command, "--skip-serve-logs", "--without-mingle", FLEET_WORKER=name)
        yield fleet
    finally:
        if request.session.testsfailed:
            print(fleet.processes.tails())
        left = fleet.processes.end()
    assert not left


def apply_and_check(servers: Servers, fleet: Fleet, capsys: Any) -> list[dict[str, Any]]:
    """Let the fleet clear what is too old, see that it did, and return the mapped task instances."""
    shared = fleet.folder / "shared"
    before = servers.ask_emulator("state?messages=0")["groups"]

    run = fleet.run({"dry_run": False, "folder": str(shared)})

    tasks = fleet.tasks()
    assert run["state"] == "success", [(task["task_id"], task["map_index"], task["state"]) for task in tasks]
    assert {task["state"] for task in tasks} == {"success"}
    mapped = [task for task in tasks if task["task_id"] in ("plan", "apply")]
    assert Counter(task["task_id"] for task in mapped) == {"plan": SHARDS, "apply": SHARDS}
    stats = servers.ask_emulator("stats")
    report(capsys, fleet, tasks, stats)

    (cut_off,) = {json.loads(path.read_text())["cut_off"] for path in shared.glob("plans/*/shard-*/header.json")}
    check_cleared(before, servers.ask_emulator("state")["groups"], datetime.fromisoformat(cut_off).timestamp())
    for command in (CLEAR, HISTORY):
        assert stats["peak_per_second"][command] <= LIMIT
    assert not any(stats["errors"].values())

    (page,) = shared.glob("reports/joined-*.json")
    joined = json.loads(page.read_text())
    assert (joined["status"], joined["shards"], joined["failed"]) == ("done", SHARDS, 0)
    assert joined["requested"] == sum(joined[name] for name in ("done", "already", "missing", "failed")) > 0
    assert joined["groups"] == stats["calls"][CLEAR] == sum(part["groups"] for part in joined["reports"])
    return mapped


def check_cleared(before: dict[str, Any], after: dict[str, Any], cut_off: float) -> None:
    """See that what is older than the cut-off is cleared in every group that can be, and nothing else anywhere."""
    cleared = 0
    for group_id, group in after.items():
        # Some groups of a made-up app were cleared by others before, and further.
        earlier, now = before[group_id]["cleared_through"], group["cleared_through"]
        cleared += now > earlier
        times = {message["MsgSeq"]: message["MsgTimeStamp"] for message in group["messages"]}
        if now != earlier:
            assert times[now] < cut_off, f"{group_id} is cleared through {now}, which is newer"
        if group["Type"] in ("Community", "AVChatRoom"):
            assert now == earlier, group_id
            continue
        there = {message["MsgSeq"] for message in group["messages"] if message["state"] != "expired"}
        left = [seq for seq in there if seq > now and times[seq] < cut_off]
        assert not left, f"{group_id} is cleared through {now}, and {left} are older"
    assert cleared > GROUPS / 3


def report(capsys: Any, fleet: Fleet, tasks: list[dict[str, Any]], stats: dict[str, Any]) -> None:
    """Say who did what: it is what this test is for."""
    with capsys.disabled():
        print(f"\n{fleet.environment['AIRFLOW__CORE__EXECUTOR']}")
        for task in sorted(tasks, key=lambda task: task["start_date"]):
            span = " - ".join(task[name][11:21] for name in ("start_date", "end_date"))
            print(f"  {task['task_id']:<6}{task['map_index']:>3}  {span}  {task['hostname']}, PID {task['pid']}")
        for command in (HISTORY, CLEAR):
            print(f"  {command}: {stats['calls'][command]} calls, {stats['peak_per_second'][command]} in a second")


def side_by_side(tasks: list[dict[str, Any]]) -> int:
    """Return how many of the tasks ran at once at most."""
    moments = [(task["start_date"], 1) for task in tasks] + [(task["end_date"], -1) for task in tasks]
    most = now = 0
    for _, step in sorted(moments):
        now += step
        most = max(most, now)
    return most


@pytest.mark.parametrize("fleet", [("LocalExecutor",)], indirect=True)
def test_processes_of_one_machine_share_the_work_and_the_pace(servers, fleet, capsys):
    mapped = apply_and_check(servers, fleet, capsys)

    assert side_by_side(mapped) >= 2
    assert len({task["pid"] for task in mapped}) == len(mapped)


@pytest.mark.parametrize("fleet", [("CeleryExecutor", "fleet_redis")], indirect=True)
def test_celery_workers_share_the_work_and_through_redis_the_pace(servers, fleet, capsys):
    mapped = apply_and_check(servers, fleet, capsys)

    assert side_by_side(mapped) >= 2
    assert {task["hostname"] for task in mapped} == {"worker-one", "worker-two"}
    # The pace was kept in Redis, and not in files.
    assert not list((fleet.folder / "tmp").glob("airflow-provider-tencentim-*"))
