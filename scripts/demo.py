"""Retention watched: real Airflow plans, archives and clears what is too old in an emulated app, two nights in a row.

Needs no account anywhere. Everything it makes is in the folder ``.demo`` of the checkout, and gone at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".demo"
LOG = HOME / "airflow.log"
FOLDER = HOME / "retention"
EXAMPLE = "example_tencentim_retention_nightly"
CONF = {"groups": "@TGS#*", "older_than": "P60D", "action": "clear", "folder": f"file://{FOLDER}"}
# What clear reaches: an AVChatRoom stores no history, and a Community's cannot be cleared.
CLEARED_TYPES = ("Public", "Private", "ChatRoom")

Groups = dict[str, dict[str, Any]]

# Airflow reads its configuration when it is imported: below, in the functions.
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
}


def main() -> int:
    from airflow_provider_tencentim.emulator import TencentIMEmulator

    shutil.rmtree(HOME, ignore_errors=True)
    (HOME / "dags").mkdir(parents=True)
    shutil.copy(ROOT / "example_dags" / f"{EXAMPLE}.py", HOME / "dags")
    try:
        with TencentIMEmulator(port=0) as emulator:
            emulator.generate(16, 150, seed=7)
            os.environ["AIRFLOW_CONN_TENCENTIM_DEFAULT"] = emulator.connection_uri
            say(f"An app of Tencent Cloud Chat is emulated at {emulator.url}.")
            say("Airflow gets a database of its own (SQLite) …")
            with quiet():
                subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
            wrong = show_and_run(emulator)
    except BaseException:
        if LOG.exists():
            print(LOG.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    say(
        "\nCHECKED against the app, message by message: "
        + ("; ".join(wrong) or "exactly what was too old, and no other")
    )
    say("Nothing is left running, and nothing but the environment is left behind.")
    return 1 if wrong else 0


def show_and_run(emulator: Any) -> list[str]:
    """Run the example as a dry run and for two nights, with the state of the app around it; return what is wrong."""
    before = emulator.state()
    say("\nBEFORE")
    show_app(before["groups"])

    say(f"\nTHE DRY RUN of {EXAMPLE} (groups {CONF['groups']}, older than {CONF['older_than']}): it only reads")
    show_plan(run_example(CONF | {"dry_run": True}))
    say(f"  calls: {calls(emulator)}")
    wrong = [] if emulator.state() == before else ["the dry run changed the app"]

    nights = []
    for name in ("THE RUN", "THE NEXT NIGHT: what was done is remembered"):
        emulator.reset(keep_groups=True)
        say(f"\n{name}")
        nights.append(run_example(CONF | {"dry_run": False}))
        show_run(nights[-1], emulator)

    say("\nAFTER")
    show_app(emulator.state()["groups"])
    return wrong + find_faults(before, emulator.state(), nights)


def run_example(conf: dict[str, Any]) -> dict[str, Any]:
    """Run the DAG with ``dag.test()``, as ``airflow dags test`` does; return the result of its task."""
    with quiet():
        from airflow.dag_processing.dagbag import DagBag

        dag = DagBag(dag_folder=HOME / "dags").get_dag(EXAMPLE)
        (ti,) = dag.test(run_conf=conf).get_task_instances()
        result = ti.xcom_pull(task_ids=ti.task_id)
    if ti.state != "success":
        raise RuntimeError(f"the task is {ti.state}: {result}")
    return result


# --- is it as it should be?


def find_faults(before: dict[str, Any], after: dict[str, Any], nights: list[dict[str, Any]]) -> list[str]:
    """Compare app, archive and reports with what the cut-off means; return what is wrong."""
    wrong = []
    cut_offs = [header_of(night)["cut_off"] for night in nights]
    last = datetime.fromisoformat(cut_offs[-1]).timestamp()
    expected = json.loads(json.dumps(before))
    kept = {}
    for group in expected["groups"].values():
        if group["Type"] not in CLEARED_TYPES:
            continue
        older = [one["MsgSeq"] for one in group["messages"] if one["MsgTimeStamp"] < last]
        group["cleared_through"] = max([group["cleared_through"], *older])
        for one in group["messages"]:
            one["cleared"] = one["MsgSeq"] <= group["cleared_through"]
            if one["MsgTimeStamp"] < last and one["state"] == "normal":
                kept[group["GroupId"], one["MsgSeq"]] = one["MsgBody"]
    if after != expected:
        wrong.append("the app is not as it should be")
    if archived() != kept:
        wrong.append("the archive does not hold exactly what went")
    if sum(night["done"] for night in nights) != len(kept):
        wrong.append("what the reports call done is not what went")
    for night in nights:
        rows = [row for row in report_of(night) if "skipped" not in row]
        for name in ("requested", "done", "already", "missing", "failed"):
            if night[name] != sum(row[name] for row in rows):
                wrong.append(f"the report's {name} does not add up")
        if night["failed"] or night["already"]:
            wrong.append("not everything was done")
    # Between the two runs lie some seconds, in which a message can grow too old.
    first = datetime.fromisoformat(cut_offs[0]).timestamp()
    grown = {group for group, seq in kept if first <= time_of(before, group, seq) < last}
    if nights[0]["groups"] == 0 or nights[1]["groups"] != len(grown):
        wrong.append("the first night should have had something to do, and the second only what was new")
    return wrong


def time_of(state: dict[str, Any], group: str, seq: int) -> int:
    return next(one["MsgTimeStamp"] for one in state["groups"][group]["messages"] if one["MsgSeq"] == seq)


def archived() -> dict[tuple[str, int], Any]:
    """Return the bodies of all messages in the archive, read as the hourly files of the service are."""
    from airflow_provider_tencentim.client.history_file import read_history_file

    files = (FOLDER / "archive").rglob("*.gz")
    messages = (message for path in files for _, message in read_history_file(path))
    return {(one["GroupId"], one["MsgSeq"]): one["MsgBody"] for one in messages}


def header_of(night: dict[str, Any]) -> dict[str, Any]:
    return json.loads(Path(local(night["report"]), "summary.json").read_text(encoding="utf-8"))


def report_of(night: dict[str, Any]) -> list[dict[str, Any]]:
    return lines_of(night["report"], "report-*.jsonl")


def lines_of(folder: str, pattern: str) -> list[dict[str, Any]]:
    parts = sorted(Path(local(folder)).glob(pattern))
    return [json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()]


def local(path: str) -> str:
    return path.removeprefix("file://")


# --- tables


def show_app(groups: Groups) -> None:
    show("group", "type", "messages", "oldest", "newest", "hidden")
    for group in groups.values():
        messages = group["messages"]
        ends = [day(messages[0]), day(messages[-1])] if messages else ["", ""]
        show(group["GroupId"], group["Type"], len(messages), *ends, sum(one["cleared"] for one in messages))


def show_plan(planned: dict[str, Any]) -> None:
    say(f"  older than {planned['cut_off']}: to {planned['action']}")
    rows = {"groups": planned["groups"], "MsgSeqs in them": planned["messages"]}
    rows |= {f"left alone: {reason}": number for reason, number in planned["skipped"].items()}
    for name, number in rows.items():
        say(f"  {name:<34}{number:>12,}")
    say("  A plan to clear counts MsgSeqs: where the oldest part of a history is gone, far more than there are")
    say("  messages. With an archive, the report calls the others missing.")


def show_run(night: dict[str, Any], emulator: Any) -> None:
    rows = report_of(night)
    held = {file["file"]: file["messages"] for file in lines_of(night["archive"], "manifest-*.jsonl")}
    show("group", "action", "requested", "done", "already", "missing", "failed", "archived", "in")
    for row in rows:
        counts = (row[name] for name in ("requested", "done", "already", "missing", "failed"))
        files = row.get("archive", [])
        show(row["group"], row["action"], *counts, sum(held[file] for file in files), " ".join(files) or "none")
    totals = (night[name] for name in ("requested", "done", "already", "missing", "failed"))
    show(f"{night['groups']} groups", "", *totals, sum(held.values()))
    say(f"  left alone: {', '.join(f'{number} {reason}' for reason, number in night['skipped'].items())}")
    say(f"  calls: {calls(emulator)}")


def show(group: object, kind: object, *columns: object) -> None:
    cells = (f"{column:,}" if isinstance(column, int) else str(column) for column in columns)
    say(f"  {group!s:<22}{kind!s:<12}" + "".join(f"{cell:>13}" for cell in cells))


def day(message: dict[str, Any]) -> str:
    return datetime.fromtimestamp(message["MsgTimeStamp"], UTC).date().isoformat()


def calls(emulator: Any) -> str:
    return ", ".join(f"{number} {command.split('/')[1]}" for command, number in emulator.stats()["calls"].items())


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Send what this process and its children print to the log: Airflow tells much."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(log)


if __name__ == "__main__":
    sys.exit(main())
