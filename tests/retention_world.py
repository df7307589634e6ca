"""What the tests of retention share: an app behind the emulator, plans and sweeps of it, and what they must come to."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.client.pacing import ProcessPacer
from airflow_provider_tencentim.client.seqs import parse_seqs
from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.emulator.store import EXPIRED
from airflow_provider_tencentim.retention.buckets import Shard
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import Plan, PlanRow
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.run import Application, Planned, make_plan, open_plan

INFO = "group_open_http_svc/get_group_info"
HISTORY = "group_open_http_svc/group_msg_get_simple"
RECALL = "group_open_http_svc/group_msg_recall"
CLEAR = "group_open_http_svc/clear_group_msg"
MODIFY = "openim/modify_group_msg"

REMOVED = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "removed"}}]
BEGIN, DAY = 1_750_000_000, 86_400


class UnpacedPacer(ProcessPacer):
    """Lets every call go at once."""

    def reserve(self, key: str, rate: float) -> float:
        return 0.0


class Client(TencentIMClient):
    """A client that tells before each call what it is about to send."""

    before: Callable[[str, Any], None] | None = None

    def call(self, command: str, body: Any, **options: Any) -> dict[str, Any]:
        if self.before is not None:
            self.before(command, body)
        return super().call(command, body, **options)


class MemoryStore:
    """Keeps the progress as JSON.

    :param die_at: the number of the save at which the run is killed, from 1; and then at every one.
    """

    def __init__(self, die_at: int = 0) -> None:
        self.value: str | None = None
        self.saves = 0
        self.die_at = die_at

    def load(self) -> Any:
        return None if self.value is None else json.loads(self.value)

    def save(self, value: Any) -> None:
        self.saves += 1
        if self.die_at and self.saves >= self.die_at:
            raise Killed
        self.value = json.dumps(value)

    def clear(self) -> None:
        self.value = None


class Killed(BaseException):
    """What nobody catches."""


class World:
    """An app, and retention in it.

    :param emulator: the app.
    :param folder: for plans, reports and archives.
    """

    def __init__(self, emulator: TencentIMEmulator, folder: Path) -> None:
        emulator.assume({"extra_calls_per_second": 1_000_000})
        self.emulator = emulator
        self.folder = folder
        self.clients: list[Client] = []
        self.client = self.connect()
        self.planned: Planned | None = None
        self._plans = 0

    def connect(self, **options: Any) -> Client:
        options = {"secret_key": self.emulator.secret_key, **options}
        client = Client(self.emulator.sdkappid, base_url=self.emulator.url, pacer=UnpacedPacer(), **options)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def plan(
        self,
        action: str = "recall",
        before: int = BEGIN + 1000,
        *,
        client: Client | None = None,
        holds: tuple[str, ...] | None = None,
        state_path: Path | None = None,
        shard: str = "1/1",
        **keys: Any,
    ) -> Plan:
        kind = C2CRetentionPolicy if {"pairs", "accounts"} & keys.keys() else RetentionPolicy
        if kind is RetentionPolicy and "groups" not in keys:
            keys["all_groups"] = True
        if action.startswith("redact") and "replacement" not in keys:
            keys["replacement"] = "removed"
        policy = kind.parse({"action": action, "before": datetime.fromtimestamp(before, UTC), **keys})
        self._plans += 1
        self.planned = make_plan(
            client or self.client,
            policy,
            self.folder / f"plan-{self._plans}",
            holds=None if holds is None else Patterns(holds),
            state_path=state_path,
            shard=Shard.parse(shard),
            run={"dag_id": "test"},
        )
        return Plan(self.planned.folder, self.planned.digest)

    def open(self, plan: Plan, *, client: Client | None = None, holds: tuple[str, ...] = (), **options: Any) -> Any:
        options = {"report_path": self.folder / "report", **options}
        return open_plan(client or self.client, plan, holds=Patterns(holds), **options)

    def sweep(self, plan: Plan, **options: Any) -> Application:
        application = self.open(plan, **options)
        application.sweep.run()
        return application

    def group(self, name: str, seconds: int | list[int] = 10, **options: Any) -> str:
        """Add a group of texts at so many seconds after the beginning, or one a second."""
        times = range(seconds) if isinstance(seconds, int) else seconds
        messages = [{"MsgBody": f"{name} {at}", "MsgTimeStamp": BEGIN + at, "From_Account": "ann"} for at in times]
        return self.emulator.add_group(name, messages=messages, **options)

    def expire(self, group: str, seq: int) -> None:
        self.emulator._gateway.app.groups[group].history.messages[seq].flags |= EXPIRED

    def seqs(self, group: str, state: str = "recalled") -> list[int]:
        """The MsgSeqs of the messages of a group that are in a state."""
        return [one["MsgSeq"] for one in self.messages(group) if one["state"] == state]

    def messages(self, group: str) -> list[dict[str, Any]]:
        return self.emulator.state(group)["groups"][group]["messages"]

    def calls(self, *commands: str) -> int:
        calls = self.emulator.stats()["calls"]
        return sum(calls.get(command, 0) for command in commands)

    def written(self) -> int:
        """How many calls came that write."""
        return sum(count for command, count in self.emulator.stats()["calls"].items() if COMMANDS[command].writes)


# --- beside: what is meant, from all messages at once ---


def through_of(messages: list[dict[str, Any]], cut_off: int, keep_last: int = 0) -> int:
    """The last MsgSeq that is meant: all before it are older, and so many of the newest messages stay."""
    older = []
    for message in messages:
        if message["MsgTimeStamp"] >= cut_off:
            break
        older.append(message["MsgSeq"])
    if keep_last:
        seen = [message["MsgSeq"] for message in messages if message["state"] == "normal" and not message["system"]]
        lowest_kept = seen[-keep_last] if len(seen) >= keep_last else 0
        older = [seq for seq in older if seq < lowest_kept]
    return max(older, default=0)


def meant(
    messages: list[dict[str, Any]],
    action: str,
    cut_off: int,
    *,
    keep_last: int = 0,
    senders: tuple[str, ...] = (),
    expression: str | None = None,
    replacement: Any = REMOVED,
) -> set[int]:
    """The MsgSeqs that an action is meant for."""
    through = through_of(messages, cut_off, keep_last)
    if action == "clear":
        return {message["MsgSeq"] for message in messages if message["MsgSeq"] <= through}
    return {
        message["MsgSeq"]
        for message in messages
        if message["MsgSeq"] <= through
        and message["state"] == "normal"
        and not message["system"]
        and (not senders or message["From_Account"] in senders)
        and (expression is None or any(re.search(expression, text) for text in texts(message)))
        and (action != "redact" or message["MsgBody"] != replacement)
    }


def texts(message: dict[str, Any]) -> list[str]:
    return [element["MsgContent"]["Text"] for element in message["MsgBody"] if element["MsgType"] == "TIMTextElem"]


def rows_by_group(plan: Plan) -> dict[str, list[PlanRow]]:
    found: dict[str, list[PlanRow]] = {}
    for row in plan.rows():
        found.setdefault(row.name, []).append(row)
    return found


def planned_seqs(rows: list[PlanRow]) -> set[int]:
    """The MsgSeqs that the rows of a group act on."""
    seqs: set[int] = set()
    for row in rows:
        if row.action is not None:
            parts = parse_seqs([row.ranges]) if row.ranges else range(row.lower + 1, row.through + 1)
            assert len(parts) == row.messages
            assert not seqs & set(parts)
            seqs |= set(parts)
    return seqs


def skips(plan: Plan) -> dict[str, str]:
    return {row.name: row.skip for row in plan.rows() if row.skip is not None}


# --- what was done ---


def after(message: dict[str, Any], action: str, replacement: Any = REMOVED) -> dict[str, Any]:
    """A message as it looks when an action was carried out on it."""
    changed = dict(message)
    if action == "clear":
        changed["cleared"] = True
    if action.startswith("redact"):
        changed |= {"MsgBody": replacement, "modified": True}
    if action.endswith("recall"):
        changed["state"] = "recalled"
    return changed


def expected_after(
    before: dict[str, Any], action: str, acted_on: dict[str, set[int]], **options: Any
) -> dict[str, Any]:
    """The messages of all groups when exactly these were acted on."""
    return {
        group: [
            after(message, action, **options) if message["MsgSeq"] in acted_on.get(group, ()) else message
            for message in values["messages"]
        ]
        for group, values in before["groups"].items()
    }


def messages_of(state: dict[str, Any]) -> dict[str, Any]:
    return {group: values["messages"] for group, values in state["groups"].items()}


class Report:
    """A report as it lies in its folder: only the files that its first page counts may be there."""

    def __init__(self, folder: Path) -> None:
        self.summary = json.loads((folder / "summary.json").read_bytes())
        self.rows = self._read(folder, "report-", self.summary["parts"])
        self.failed = self._read(folder, "report-failed-", self.summary["failed_parts"])

    @staticmethod
    def _read(folder: Path, prefix: str, parts: int) -> list[dict[str, Any]]:
        names = sorted(path.name for path in folder.glob(f"{prefix}[0-9]*.jsonl"))
        assert names == [f"{prefix}{number:05}.jsonl" for number in range(parts)]
        return [json.loads(line) for name in names for line in (folder / name).read_bytes().splitlines()]

    def check(self, plan: Plan) -> None:
        """One row for each that acts, and every sum is right."""
        acting = sorted((row.name, row.messages) for row in plan.rows() if row.action is not None)
        reported = sorted(
            (row.get("group") or " / ".join(row["pair"]), row["requested"] if "skipped" not in row else None)
            for row in self.rows + self.failed
        )
        assert [name for name, _ in reported] == [name for name, _ in acting]
        by_name = dict.fromkeys(name for name, _ in acting)
        assert all(requested is None or (name, requested) in acting for name, requested in reported if name in by_name)
        for row in [*self.rows, *self.failed, self.summary]:
            assert row["requested"] == row["done"] + row["already"] + row["missing"] + row["failed"]
            assert min(row[name] for name in ("requested", "done", "already", "missing", "failed")) >= 0
        for name in ("requested", "done", "already", "missing", "failed", "calls"):
            assert self.summary[name] == sum(row[name] for row in self.rows + self.failed), name
        assert all(row["failed"] == 0 for row in self.rows)
        assert self.summary["failed_groups"] == len(self.failed)


def report_of(application: Application) -> Report:
    assert application.report is not None
    return Report(Path(str(application.report)))


def archived(folder: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """The messages of all files of an archive that are whole, by chat and MsgSeq; the first one of each counts."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for path in sorted(folder.rglob("*.gz"), key=lambda path: (path.stem.partition("-")[0], len(path.stem), path.stem)):
        with suppress(EOFError, gzip.BadGzipFile):
            lines = gzip.decompress(path.read_bytes()).splitlines()
            if lines[-1] == b"]}":
                for line in lines[1:-1]:
                    message = json.loads(line[:-1])
                    found.setdefault(message["GroupId"], {}).setdefault(message["MsgSeq"], message)
    return found
