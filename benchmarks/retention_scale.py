"""Retention of 10,000 groups with 2,000,000 messages: planned and cleared in real Airflow, at the service's pace.

10% of the groups have messages on both sides of the cut-off, 60% only newer ones, 30% none. The emulator is a
process of its own, so that its memory is not counted, and refuses more than 200 calls of a command in a second.
Against paging through every group's whole history, which is a formula.
"""

from __future__ import annotations

import json
import os
import random
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

from measure import check, compare, heading

GROUPS, MESSAGES = 10_000, 2_000_000
DAYS = 60
PAGE = 20
CALLS_PER_SECOND = 190  # of a command: the client's own pace, which the formula is given too
MOST_MIB, MOST_OF_PAGING = 300, 0.25
DAY = 86_400
TYPES = ("Public", "Private", "ChatRoom")
KEY_VARIABLE = "RETENTION_SCALE_KEY"
DAG_ID = "retention_scale"
DAG_FILE = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_tencentim.operators.retention import ApplyRetentionPlanOperator, PlanGroupRetentionOperator

with DAG("DAG_ID", schedule=None, params={"folder": "", "before": ""}):
    plan = PlanGroupRetentionOperator(
        task_id="plan",
        policy={"before": "{{ params.before }}", "all_groups": True, "action": "clear"},
        plan_path="{{ params.folder }}/plan",
    )
    plan >> ApplyRetentionPlanOperator(
        task_id="apply",
        plan_path="{{ ti.xcom_pull(task_ids='plan')['plan'] }}",
        plan_digest="{{ ti.xcom_pull(task_ids='plan')['digest'] }}",
        report_path="{{ params.folder }}/report",
    )
""".replace("DAG_ID", DAG_ID)


# --- the app


class Room(NamedTuple):
    """A group: what sort of history it has, when it was made, and the times of its messages."""

    group: str
    type: str
    sort: str
    made: int
    times: list[int]


def population(now: int) -> Iterator[Room]:
    """Yield the groups.

    1,000 have messages of the last 120 days, 1,000 in the mean and few of them most. 6,000 have messages of the last
    59 days, 167 in the mean; half of these groups were made since the cut-off, half long before it. 3,000 are empty.
    """
    dice = random.Random(1)
    both, newer = GROUPS // 10, GROUPS * 6 // 10
    sizes = shares(dice, MESSAGES // 2, both) + shares(dice, MESSAGES // 2, newer) + [0] * (GROUPS - both - newer)
    for number, size in enumerate(sizes):
        days = 120 if number < both else DAYS - 1
        times = sorted(now - int(dice.random() * days * DAY) for _ in range(size))
        made = now - dice.randint(200, 600) * DAY
        sort = "old and new messages" if number < both else "new ones only" if size else "empty"
        if number < both:
            # One at each end, whatever the dice say.
            times[0], times[-1] = now - days * DAY, now - DAY
            times.sort()
        elif size and number % 2:
            made, sort = times[0] - 60, "made lately"
        yield Room(f"room-{number:05}", TYPES[number % 3], sort, made, times)


def shares(dice: random.Random, total: int, count: int) -> list[int]:
    """Divide a total so that few have most of it, and everybody has two at least."""
    weights = [dice.lognormvariate(0, 1.5) for _ in range(count)]
    sizes = [2 + int((total - 2 * count) * weight / sum(weights)) for weight in weights]
    sizes[0] += total - sum(sizes)
    return sizes


def serve(now: int) -> None:
    """Be the emulator, until the process is ended."""
    from airflow_provider_tencentim.emulator import TencentIMEmulator

    emulator = TencentIMEmulator(port=0, secret_key=os.environ[KEY_VARIABLE])
    for room in population(now):
        messages = ({"MsgBody": f"message {number}", "MsgTimeStamp": sent} for number, sent in enumerate(room.times))
        emulator.add_group(room.group, room.type, messages=messages, create_time=room.made)
    with emulator:
        print(json.dumps({"url": emulator.url, "uri": emulator.connection_uri, **emulator.size()}), flush=True)
        signal.pause()


@contextmanager
def app(now: int) -> Iterator[dict[str, Any]]:
    """Run the emulator in a process of its own."""
    command = [sys.executable, __file__, "serve", str(now)]
    environment = os.environ | {KEY_VARIABLE: secrets.token_hex(32)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


def ask(url: str, path: str) -> Any:
    with urlopen(f"{url}/_emulator/{path}", timeout=60) as answer:  # noqa: S310  # a URL of our own
        return json.load(answer)


# --- the run


def run_airflow(home: Path, log: Path, before: int) -> dict[str, dict[str, Any]]:
    """Run the DAG with ``dag.test()``; return seconds and result of each task."""
    with quiet(log):
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
        from airflow.dag_processing.dagbag import DagBag

        dag = DagBag(dag_folder=home / "dags").get_dag(DAG_ID)
        run = dag.test(run_conf={"folder": str(home), "before": datetime.fromtimestamp(before, UTC).isoformat()})
        tasks = {
            ti.task_id: {"state": str(ti.state), "seconds": ti.duration, "result": ti.xcom_pull(task_ids=ti.task_id)}
            for ti in run.get_task_instances()
        }
    if {task["state"] for task in tasks.values()} != {"success"}:
        raise RuntimeError(f"{log.read_text(errors='replace')[-4000:]}\n{tasks}")
    return tasks


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send what this process and its children print to the log: Airflow tells much."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def is_cleared(groups: dict[str, Any], wanted: dict[str, int]) -> bool:
    """Compare the app with what should have become of it, group by group."""
    return {name: group["cleared_through"] for name, group in groups.items()} == wanted


def main() -> int:
    now = int(time.time())
    heading(f"Retention of {GROUPS:,} groups with {MESSAGES:,} messages: clear what is older than {DAYS} days")
    wanted, sorts, pages = {}, Counter(), 0
    for room in population(now):
        wanted[room.group] = sum(sent < now - DAYS * DAY for sent in room.times)
        sorts[room.sort] += 1
        pages += -(-len(room.times) // PAGE)
    print(f"  groups: {dict(sorts)}; messages that are older: {sum(wanted.values()):,}")

    with tempfile.TemporaryDirectory(prefix="retention-scale-") as folder:
        home = Path(folder)
        (home / "dags").mkdir()
        (home / "dags" / f"{DAG_ID}.py").write_text(DAG_FILE)
        os.environ |= {
            "AIRFLOW_HOME": folder,
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        }
        with app(now) as emulator:
            if (emulator["groups"], emulator["messages"]) != (GROUPS, MESSAGES):
                raise RuntimeError(f"the app is not as big as it should be: {emulator}")
            os.environ["AIRFLOW_CONN_TENCENTIM_DEFAULT"] = emulator["uri"]
            tasks = run_airflow(home, home / "airflow.log", now - DAYS * DAY)
            peak = peak_mib()
            stats = ask(emulator["url"], "stats")
            exact = is_cleared(ask(emulator["url"], "state?messages=0")["groups"], wanted)

    planned, applied = tasks["plan"], tasks["apply"]
    calls = stats["calls"]
    print(f"  plan: {planned['result']['groups']:,} groups, {planned['result']['messages']:,} messages,", end=" ")
    print(f"skipped {planned['result']['skipped']}")
    for command, number in sorted(calls.items(), key=lambda item: -item[1]):
        print(f"  {number:>8,} calls of {command}, at most {stats['peak_per_second'].get(command, 0)} in a second")
    refused = sum(sum(codes.values()) for codes in stats["errors"].values())
    total = sum(calls.values())
    seconds = planned["seconds"] + applied["seconds"]
    print(f"  {total:,} calls, {total / GROUPS:.2f} a group; {refused} were refused")
    print(f"  plan {planned['seconds']:.1f} s, {GROUPS / planned['seconds']:,.0f} groups/s", end="; ")
    cleared = applied["result"]["groups"]
    print(f"apply {applied['seconds']:.1f} s, {cleared / applied['seconds']:,.0f} groups/s; together {seconds:.1f} s")
    print(f"  peak memory of the process, Airflow included: {peak:,.0f} MiB")
    compare("calls", total, f"paging through every history, {PAGE} messages a page (formula)", pages, "calls")
    compare("seconds", seconds, f"the same at {CALLS_PER_SECOND} calls/s (formula)", pages / CALLS_PER_SECOND, "s")
    kept = check("every group is cleared as far as it should be, and no further", exact)
    kept &= check("a quarter of the calls that paging would take", total <= MOST_OF_PAGING * pages)
    return 0 if check(f"{MOST_MIB} MiB, Airflow included", peak <= MOST_MIB) and kept else 1


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[2])) if sys.argv[1:2] == ["serve"] else main())
