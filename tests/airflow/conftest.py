"""Runs DAGs in real Airflow, against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow_home import MIGRATED, NUMBERS
from by_hand import POLICY
from known_dags import make_known
from retention_runs import fill
from task_context import task_context

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.operators.retention import PlanGroupRetentionOperator

EXAMPLES = Path(__file__).parents[2] / "example_dags"


@pytest.fixture(scope="session", autouse=True)
def airflow_db() -> None:
    """The metadata database of this process and of what is forked off from it: made once."""
    if not MIGRATED.exists():  # the file of the database itself is there as soon as anybody has looked for it
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        MIGRATED.touch()


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[TencentIMEmulator]:
    with TencentIMEmulator(port=0) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: TencentIMEmulator, monkeypatch: pytest.MonkeyPatch) -> TencentIMEmulator:
    """An empty emulator to which the default connection leads."""
    running_emulator.reset()
    monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", running_emulator.connection_uri)
    return running_emulator


@dataclass
class Run:
    """What became of a DAG run; a mapped task stands under ``task_id[map_index]``."""

    state: str
    tasks: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)


@pytest.fixture
def make_dag() -> Callable[..., Any]:
    """A DAG with a name of its own: ``with make_dag() as dag: ...``."""
    from airflow.providers.common.compat.sdk import DAG

    def make(**kwargs: Any) -> Any:
        return DAG(f"test_{os.getpid()}_{next(NUMBERS)}", schedule=None, **kwargs)

    return make


@pytest.fixture
def run_dag() -> Callable[..., Run]:
    """Run a DAG with ``dag.test()``: real task instances, rendered, retried, with their XComs in the database."""

    def run(dag: Any, conf: dict[str, Any] | None = None) -> Run:
        errors: dict[str, BaseException] = {}
        for task in dag.tasks:
            _call_on_failure(task, lambda context: errors.__setitem__(_name(context["ti"]), context["exception"]))
        make_known(dag)
        dag_run = _test(dag, conf)
        outcome = Run(str(dag_run.state), errors=errors)
        for ti in dag_run.get_task_instances():
            outcome.tasks[_name(ti)] = str(ti.state)
            outcome.tries[_name(ti)] = ti.try_number
            outcome.results[_name(ti)] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
        return outcome

    return run


@pytest.fixture
def load_example() -> Callable[[str], Any]:
    """Load an example as Airflow does, from its file."""

    def load(name: str) -> Any:
        bag = _dag_bag_class()(dag_folder=EXAMPLES / f"{name}.py")
        assert not bag.import_errors
        return bag.dags[name]

    return load


def _dag_bag_class() -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow before 3.2
        from airflow.models.dagbag import DagBag
    return DagBag


def _test(dag: Any, conf: dict[str, Any] | None) -> Any:
    try:
        return dag.test(run_conf=conf)
    except BaseException as error:
        # Airflow 2.11 marks the task and lets the kill or the time-out of a task out of dag.test().
        if type(error).__name__ not in ("AirflowTaskTerminated", "AirflowTaskTimeout"):
            raise
    from airflow.models.dagrun import DagRun

    (dag_run,) = DagRun.find(dag_id=dag.dag_id)
    return dag_run


def _name(ti: Any) -> str:
    return ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"


def _call_on_failure(task: Any, callback: Callable[[Any], None]) -> None:
    mapped = getattr(task, "partial_kwargs", None)
    if mapped is None:
        task.on_failure_callback = [callback]
    else:
        mapped["on_failure_callback"] = [callback]


# --- for operators that are executed by hand


@pytest.fixture
def two_rooms(emulator, monkeypatch):
    """Two groups with three old messages each; every call is tried once."""
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    for number in range(2):
        fill(emulator, f"room{number}")
    return emulator


@pytest.fixture
def planned(two_rooms, tmp_path):
    """A plan of six messages in two groups: the arguments that name it."""
    result = PlanGroupRetentionOperator(task_id="plan", policy=POLICY, plan_path=f"{tmp_path}/plan").execute(
        task_context()
    )
    return {"plan_path": result["plan"], "plan_digest": result["digest"]}


@pytest.fixture
def room(emulator, monkeypatch):
    """A group of ten messages; every call is tried once."""
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    emulator.add_group("room", messages=10)
    return emulator
