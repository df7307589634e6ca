"""A sweep that is killed with SIGKILL again and again while the service fails: nothing is lost, skipped or overdone."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from retention_runs import CLEAR, RECALL, REDACT, days_ago

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.history_file import read_history_file
from airflow_provider_tencentim.client.seqs import parse_seqs
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.run import make_plan

KILLS, SEED, MOST_CALLS = 20, 8, 200
GROUPS, OLDER, NEWER = 240, 15, 3
HISTORY = "group_open_http_svc/group_msg_get_simple"
RESULTS = ("done", "already", "missing", "failed")
REPLACEMENT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "removed by policy"}}]
# What becomes of the groups whose ids begin with the name.
ACTIONS = {"clear": "clear", "recall": "recall", "both": "redact_and_recall"}
POLICY = {
    "action": "clear",
    "older_than": "P30D",
    "groups": ["clear-*", "recall-*", "both-*"],
    "overrides": [
        {"groups": ["recall-*"], "action": "recall"},
        {"groups": ["both-*"], "action": "redact_and_recall", "replacement": {"msg_body": REPLACEMENT}},
    ],
}
FAULTS = (
    *(
        {"command": command, "drop": True, "after_commit": True, "probability": 0.05}
        for command in (CLEAR, RECALL, REDACT)
    ),
    {"error_code": 60007, "probability": 0.04},
    {"error_code": 10002, "probability": 0.04},
    {"drop": True, "probability": 0.04},
)

# What is killed: processes that carry a plan out as the operators do, impatient, and saving often. Each is forked for
# a line from the test, since the imports take longer than a sweep does until it is killed.
SWEEPS = """
import os, sys
from pathlib import Path

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.retention import sweep
from airflow_provider_tencentim.retention.plan import Plan
from airflow_provider_tencentim.retention.progress import FileStore
from airflow_provider_tencentim.retention.run import PROGRESS, open_plan

transport._back_off = lambda _: 0.001
transport.SLOW_DOWN_SECONDS = 0.001
sweep._SECONDS_BETWEEN_SAVES = 0.05

url, folder, digest = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def carry_out():
    client = TencentIMClient(1400000000, os.environ["KEY"], base_url=url, calls_per_second=200)
    plan = Plan(folder / "plan", digest)
    print("begins", os.getpid(), flush=True)
    application = open_plan(
        client,
        plan,
        holds=None,
        store=FileStore(plan.folder / PROGRESS, client.seal),
        archive_to=folder / "archive",
        report_path=folder / "report",
        state_path=folder / "state",
    )
    application.sweep.run()
    return 3 if application.ledger.failed_rows else 0


for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.exit(carry_out())
    _, status = os.waitpid(child, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


class Killed:
    """A plan, the process that carries it out, and the app before it began."""

    def __init__(self, emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.log = folder / "log"
        self.groups = fill_app(emulator)
        self.before = state_of(emulator)
        with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url) as client:
            now = datetime.now(UTC)
            policy = RetentionPolicy.parse(POLICY).resolve(now, now)
            self.planned = make_plan(client, policy, folder / "plan", holds=None, run={})
        self.meant = {
            (group, seq)
            for group, action in self.groups.items()
            for seq, message in self.before[group].items()
            if message["MsgTimeStamp"] < days_ago(30) and (action == "clear" or is_plain(message))
        }

    def __enter__(self) -> Killed:
        command = [sys.executable, "-c", SWEEPS, self.emulator.url, str(self.folder), self.planned.digest]
        environment = os.environ | {"KEY": self.emulator.secret_key}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def begin(self) -> int:
        """Begin to carry the plan out, or go on with it; return the process."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        word, number = self.process.stdout.readline().split()
        assert word == "begins", self.log.read_text()
        return int(number)

    def wait_for_calls(self, number: int, process: int) -> None:
        """Wait until a process sent so many calls: a moment that does not depend on how fast the machine is."""
        wanted = self.calls() + number
        while self.calls() < wanted and psutil.pid_exists(process):
            time.sleep(0.002)

    def calls(self) -> int:
        return sum(self.emulator.stats()["calls"].values())

    def end(self) -> int:
        """Wait for the end of the process, and return how it ended."""
        word, number = self.process.stdout.readline().split()
        assert word == "ended"
        return int(number)

    def touched(self) -> set[tuple[str, int]]:
        """Return the messages that are not what they were."""
        return {
            (group, seq)
            for group, messages in state_of(self.emulator).items()
            for seq, message in messages.items()
            if message != self.before[group][seq]
        }

    def archived(self) -> dict[tuple[str, int], list]:
        """Return what the whole files of the archive hold: the bodies of each message."""
        bodies: dict[tuple[str, int], list] = {}
        for path in (self.folder / "archive").rglob("*.gz"):
            try:
                messages = [message for _, message in read_history_file(path)]
            except ValueError:  # it was being written when the process was killed
                continue
            for message in messages:
                bodies.setdefault((message["GroupId"], message["MsgSeq"]), []).append(message["MsgBody"])
        return bodies

    def check_nothing_went_too_far(self) -> int:
        """See that what was touched was planned, and archived as it had been; return how much it is."""
        touched = self.touched()
        assert touched <= self.meant
        kept = self.archived()
        for group, seq in touched:
            message = self.before[group][seq]
            if message["state"] == "normal":
                assert message["MsgBody"] in kept.get((group, seq), ()), f"{group} {seq} went, and is not archived"
        return len(touched)

    def rows(self, pattern: str) -> list[dict]:
        """Return the lines of all parts of a report or a manifest."""
        files = sorted(self.folder.rglob(pattern))
        return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def fill_app(emulator) -> dict[str, str]:
    """Put groups in place, and return the action that each is to meet."""
    groups = {}
    for number, name in enumerate(itertools.islice(itertools.cycle(ACTIONS), GROUPS)):
        group = f"{name}-{number}"
        groups[group] = ACTIONS[name]
        put(emulator, group)
    put(emulator, "other-1")
    return groups


def put(emulator, group: str) -> None:
    ages = [60 - number for number in range(OLDER)] + [10] * NEWER
    messages = [{"MsgBody": f"{group} of day {age}", "MsgTimeStamp": days_ago(age)} for age in ages]
    messages[2] |= {"MsgBody": {"OpType": 1}, "IsSystemMsg": 1}
    messages[4] |= {"state": "recalled"}
    emulator.add_group(group, messages=messages)


def state_of(emulator) -> dict[str, dict[int, dict]]:
    groups = emulator.state()["groups"]
    return {name: {one["MsgSeq"]: one for one in group["messages"]} for name, group in groups.items()}


def is_plain(message: dict) -> bool:
    return message["state"] == "normal" and not message["system"]


@pytest.fixture
def killed(emulator, tmp_path):
    # The pace is not what is tested here; refusals come by chance instead.
    emulator.assume({"extra_calls_per_second": 100_000})
    killed = Killed(emulator, tmp_path)
    for number, fault in enumerate(FAULTS):
        emulator.add_fault(seed=number, **fault)
    with killed:
        yield killed
    emulator.clear_faults()


def test_a_sweep_that_is_killed_twenty_times_does_exactly_what_was_planned(killed):
    dice = random.Random(SEED)  # noqa: S311  # reproducible on purpose
    seen = []
    for _ in range(KILLS):
        process = killed.begin()
        killed.wait_for_calls(dice.randint(0, MOST_CALLS), process)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        assert killed.end() == -signal.SIGKILL, killed.log.read_text()[-3000:]
        time.sleep(0.05)  # a call that was under way may still be carried out
        seen.append(killed.check_nothing_went_too_far())
    assert seen == sorted(seen)
    assert len(set(seen)) >= KILLS / 2, seen  # it was met half-way indeed
    assert seen[-1] < len(killed.meant)

    for _ in range(5):  # what failed for all its tries, a retry of the task would do
        killed.begin()
        if (status := killed.end()) == 0:
            break
    assert status == 0, killed.log.read_text()

    assert killed.check_nothing_went_too_far() == len(killed.meant)
    check_messages(killed)
    check_report(killed)
    check_manifest(killed)
    assert sum(killed.emulator.stats()["errors"][HISTORY].values()) > 0  # the faults did strike


def check_messages(killed: Killed) -> None:
    """See what became of every single message."""
    for group, messages in state_of(killed.emulator).items():
        action = killed.groups.get(group)
        for seq, message in messages.items():
            expected = dict(killed.before[group][seq])
            if (group, seq) in killed.meant:
                if action == "clear":
                    expected["cleared"] = True
                else:
                    expected["state"] = "recalled"
                if action == "redact_and_recall":
                    expected |= {"modified": True, "MsgBody": REPLACEMENT}
            assert message == expected


def check_report(killed: Killed) -> None:
    """See that each group has one row, that every row adds up, and that all rows do together."""
    rows = killed.rows("report-*.jsonl")
    assert sorted(row["group"] for row in rows) == sorted(killed.groups)
    for row in rows:
        assert row["requested"] == sum(row[name] for name in RESULTS)
        no_message = sum(
            group == row["group"] and killed.before[group][seq]["state"] != "normal" for group, seq in killed.meant
        )
        assert (row["failed"], row["missing"]) == (0, no_message if row["action"] == "clear" else 0)
        assert row["requested"] == sum(group == row["group"] for group, _ in killed.meant)
    (path,) = killed.folder.rglob("summary.json")
    summary = json.loads(path.read_text(encoding="utf-8"))
    assert (summary["status"], summary["groups"], summary["failed_groups"]) == ("done", GROUPS, 0)
    assert summary["requested"] == killed.planned.header.messages == len(killed.meant)
    for name in ("requested", *RESULTS, "calls"):
        assert summary[name] == sum(row[name] for row in rows)


def check_manifest(killed: Killed) -> None:
    """See that the manifest names whole files, and each of them once; together they hold all that went."""
    rows = killed.rows("manifest-*.jsonl")
    files = [row["file"] for row in rows]
    assert len(files) == len(set(files))
    (folder,) = (killed.folder / "archive").iterdir()
    for row in rows:
        content = (folder / row["file"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (row["sha256"], row["bytes"])
        assert sum(1 for _ in read_history_file(folder / row["file"])) == row["messages"]
    kept = {(row["chat"], seq) for row in rows for seq in parse_seqs([row["seqs"]])}
    assert kept == {key for key in killed.meant if killed.before[key[0]][key[1]]["state"] == "normal"}
