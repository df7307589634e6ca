"""The main job, watched: real Airflow recalls, clears and overwrites the messages of an emulated app over HTTP.

Needs no account anywhere. Everything it makes is in the folder ``.demo`` of the checkout, and gone at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".demo"
LOG = HOME / "airflow.log"
EXAMPLE = "example_tencentim_on_demand"

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
            emulator.generate(8, 60, seed=7)
            os.environ["AIRFLOW_CONN_TENCENTIM_DEFAULT"] = emulator.connection_uri
            say(f"An app of Tencent Cloud Chat is emulated at {emulator.url}.")
            say("Airflow gets a database of its own (SQLite) …")
            with quiet():
                subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
            done = show_and_run(emulator)
    except BaseException:
        if LOG.exists():
            print(LOG.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    say("\nNothing is left running, and nothing but the environment is left behind.")
    return 0 if done else 1


def show_and_run(emulator: Any) -> bool:
    """Run the example as a dry run and for real, with the state of the app around it; tell whether it did its job."""
    conf = choose_messages(emulator.state())
    before = emulator.state()
    say("\nBEFORE")
    show_app(before)

    say(f"\nTHE DRY RUN of {EXAMPLE}: reads only")
    show_tasks(run_example(conf | {"dry_run": True}))
    unchanged = emulator.state() == before
    say(f"  the app is {'unchanged' if unchanged else 'CHANGED, which must not be'}; calls: {calls(emulator)}")

    emulator.reset(keep_groups=True)
    say(f"\nTHE RUN of {EXAMPLE}")
    show_tasks(run_example(conf | {"dry_run": False}))
    say(f"  calls: {calls(emulator)}")

    say("\nAFTER")
    show_app(emulator.state())
    return unchanged and is_as_asked(before, emulator.state(), conf)


def choose_messages(state: dict[str, Any]) -> dict[str, Any]:
    """Ask for what works and for what cannot: messages that do not exist, and a clear that the group's type forbids."""
    rooms = {kind: find_group(state, kind) for kind in ("Public", "Private", "ChatRoom", "Community")}
    conversation = next(one for one in state["c2c"] if one["messages"])
    letter = next(one for one in conversation["messages"] if one["state"] == "normal")
    overwritten = next(
        one["MsgSeq"] for one in rooms["ChatRoom"]["messages"] if one["state"] == "normal" and not one["system"]
    )
    return {
        "recalls": [
            {"group_id": rooms["Private"]["GroupId"], "msg_seqs": plain_seqs(rooms["Private"])[:25]},
            {"group_id": rooms["Public"]["GroupId"], "msg_seqs": [*plain_seqs(rooms["Public"])[:22], 901, 902, 903]},
        ],
        "clears": [
            {"group_id": rooms["ChatRoom"]["GroupId"], "msg_seq": 30},
            {"group_id": rooms["Community"]["GroupId"], "msg_seq": 30},
        ],
        "group_overwrites": [
            {
                "group_id": rooms["ChatRoom"]["GroupId"],
                "msg_seq": overwritten,
                "msg_body": "removed by policy 已按规定删除",
            }
        ],
        "c2c_overwrites": [
            {
                "from_account": letter["From_Account"],
                "to_account": letter["To_Account"],
                "msg_key": letter["MsgKey"],
                "msg_body": "removed by policy",
            }
        ],
    }


def run_example(conf: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Run the DAG with ``dag.test()``, as ``airflow dags test`` does; return task, state and result of each."""
    with quiet():
        from airflow.dag_processing.dagbag import DagBag

        dag = DagBag(dag_folder=HOME / "dags").get_dag(EXAMPLE)
        reasons: dict[tuple[str, int], str] = {}
        for task in dag.tasks:
            if mapped := getattr(task, "partial_kwargs", None):
                mapped["on_failure_callback"] = [
                    lambda context: reasons.update({key_of(context["ti"]): str(context["exception"])})
                ]
        dag_run = dag.test(run_conf=conf)
        rows = []
        for ti in sorted(dag_run.get_task_instances(), key=key_of):
            if dag.get_task(ti.task_id).operator_name == "@task":
                continue
            result = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index) or "nothing to do"
            name = f"{ti.task_id} {ti.rendered_map_index or ''}"
            rows.append((name, str(ti.state), reasons.get(key_of(ti)) or short(result)))
    return rows


def is_as_asked(before: dict[str, Any], after: dict[str, Any], conf: dict[str, Any]) -> bool:
    """Compare the app with what was asked for, message by message."""
    asked = {row["group_id"]: set(row["msg_seqs"]) for row in conf["recalls"]}
    overwritten = {(row["group_id"], row["msg_seq"]) for row in conf["group_overwrites"]}
    for group_id, group in after["groups"].items():
        for old, new in zip(before["groups"][group_id]["messages"], group["messages"], strict=True):
            recalled = new["state"] == "recalled" and old["state"] != "recalled"
            if recalled != (new["MsgSeq"] in asked.get(group_id, ())):
                return False
            if new["modified"] != ((group_id, new["MsgSeq"]) in overwritten):
                return False
    cleared = {group_id: group["cleared_through"] for group_id, group in after["groups"].items()}
    possible, forbidden = (row["group_id"] for row in conf["clears"])
    letters = sum(message["modified"] for one in after["c2c"] for message in one["messages"])
    return cleared[possible] == 30 and cleared[forbidden] == 0 and letters == 1


def find_group(state: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(group for group in state["groups"].values() if group["Type"] == kind)


def plain_seqs(group: dict[str, Any]) -> list[int]:
    return [one["MsgSeq"] for one in group["messages"] if one["state"] == "normal" and not one["system"]]


def key_of(ti: Any) -> tuple[str, int]:
    return ti.task_id, ti.map_index


def calls(emulator: Any) -> str:
    return ", ".join(f"{number} {command.split('/')[1]}" for command, number in emulator.stats()["calls"].items())


def short(result: Any) -> str:
    if not isinstance(result, dict):
        return str(result)
    return ", ".join(f"{name}={value}" for name, value in result.items() if not name.startswith("first_"))


def show_app(state: dict[str, Any]) -> None:
    say(line("group", "type", "messages", "MsgSeqs", "recalled", "expired", "overwritten", "cleared through"))
    for group in state["groups"].values():
        messages = group["messages"]
        states = Counter(message["state"] for message in messages)
        overwritten = sum(message["modified"] for message in messages)
        seqs = f"{messages[0]['MsgSeq']}-{messages[-1]['MsgSeq']}" if messages else "none"
        counts = states["recalled"], states["expired"], overwritten, group["cleared_through"]
        say(line(group["GroupId"], group["Type"], len(messages), seqs, *counts))
    letters = [message for one in state["c2c"] for message in one["messages"]]
    say(f"  one-to-one: {len(letters)} messages, {sum(one['modified'] for one in letters)} overwritten")


def line(group: str, kind: str, *columns: object) -> str:
    return f"  {group:<22}{kind:<12}" + "".join(f"{column!s:>17}" for column in columns)


def show_tasks(rows: list[tuple[str, str, str]]) -> None:
    for name, state, result in rows:
        say(f"  {state:<9}{name}\n           {result}")


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
