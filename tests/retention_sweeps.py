"""Sweeps without a server: groups that say what a test wants, and rows of which becomes what it wants."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.retention import sweep as sweep_module
from airflow_provider_tencentim.retention.ledger import Ledger
from airflow_provider_tencentim.retention.outcome import Outcome
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.sweep import Sweep

CREATED = 1_700_000_000
INFO = "group_open_http_svc/get_group_info"
FACTS = {"ErrorCode": 0, "Type": "Public", "CreateTime": CREATED, "NextMsgSeq": 100}


class Service(GroupCommands):
    """Tells of every group what it is told to, and notes what it was asked."""

    def __init__(self, facts=None):
        self.facts = facts or {}
        self.asked, self.paced = [], set()
        self.cancelled = threading.Event()
        self.before, self.at_once = None, 1

    def call(self, command, body, *, tries=5):
        assert command == INFO
        self.asked.append(body["GroupIdList"])
        if self.before is not None:
            self.before(self)
        return {"GroupInfo": [FACTS | self.facts.get(group, {}) | {"GroupId": group} for group in body["GroupIdList"]]}

    def in_flight_wanted(self, command):
        self.paced.add(command)
        return self.at_once

    def cancel(self):
        self.cancelled.set()


class Actions:
    """Does every row, unless it is told what becomes of it.

    :param outcomes: by group, what becomes of a row besides that it took two calls.
    :param long: the groups whose rows are long.
    :param before: called before each row.
    """

    def __init__(self, outcomes=None, long=(), before=None, at_once=1):
        self.outcomes, self.long, self.before, self.at_once = outcomes or {}, long, before, at_once
        self.done = []

    def in_flight_wanted(self):
        return self.at_once

    def is_long(self, row):
        return row.group in self.long

    def carry_out(self, number, row, wide):
        if self.before is not None:
            self.before(row)
        self.done.append((number, row.name, wide))
        fields = self.outcomes.get(row.group, {"done": row.messages})
        return Outcome(**{"requested": row.messages, "calls": 2, "archived": []} | fields)

    @property
    def names(self):
        return [name for _, name, _ in self.done]


class Store:
    """Counts how often the progress was stored."""

    def __init__(self):
        self.value, self.saves = None, 0

    def load(self):
        return self.value

    def save(self, value):
        self.value, self.saves = json.loads(json.dumps(value)), self.saves + 1

    def clear(self):
        self.value = None


class Clock:
    """Stands still until it is moved."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(sweep_module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def move(self, seconds):
        def moved(_):
            self.now += seconds

        return moved


def acting(group, through=9, **fields):
    known = {"type": "Public", "create_time": CREATED, "action": "clear", "through": through, "messages": through}
    return PlanRow(group=group, **known | fields)


def skipped(group):
    return PlanRow(group=group, skip="held")


def rooms(count):
    return [acting(f"room-{number}") for number in range(1, count + 1)]


def pair(one, other):
    return PlanRow(pair=(one, other), action="recall", keys={one: ("1_2_3",)}, messages=1)


def open_sweep(tmp_path, rows, actions=None, client=None, holds=(), store=None):
    writer = PlanWriter(tmp_path / "plan")
    for row in rows:
        writer.add(row)
    _, digest = writer.finish(
        chat="group" if rows[0].group is not None else "c2c",
        sdkappid=1400000000,
        base_url="https://console.tim.qq.com",
        policy={"action": "clear"},
        cut_off="2026-01-01T00:00:00+00:00",
        created=CREATED,
        run={},
        shard="1/1",
        holds=False,
        incremental=False,
    )
    plan = Plan(tmp_path / "plan", digest)
    ledger = Ledger(plan, store or Store(), tmp_path / "report", None, None)
    return Sweep(client or Service(), plan, actions or Actions(), Patterns(holds), ledger), ledger


def status(tmp_path):
    return json.loads((tmp_path / "report" / "summary.json").read_bytes())["status"]
