"""Tasks that a person stops in the UI, in a real scheduler: never green, and nothing is sent behind it."""

from __future__ import annotations

import time
from collections import Counter

import pytest

pytestmark = pytest.mark.timeout(300)

DAG = "example_tencentim_retention_on_demand"
REDACT = "openim/modify_group_msg"
# Airflow tells a running task within 5 seconds that it is to stop; the task takes some 20 by itself.
DELAY_MS = 6000
REPLACEMENT = "withdrawn"


class Sweep:
    """A run that overwrites all messages of one group, slowly."""

    def __init__(self, ui, group: str) -> None:
        self.ui = ui
        self.group = group
        self.before = self.messages()
        self.cut_off = time.time() - 86_400
        assert len(self.meant) > 150
        self.sent_before = self.sent()
        self.slow_down()
        conf = {"groups": [group], "older_than_days": 1, "action": "redact", "replacement": REPLACEMENT}
        self.run = ui.start(DAG, {**conf, "dry_run": False, "confirmed": True})
        self.task = f"{self.run}/taskInstances/retention"
        ui.wait_until(lambda: self.sent() > self.sent_before)

    def slow_down(self) -> None:
        self.ui.control("faults", {"command": REDACT, "group": self.group, "delay_ms": DELAY_MS})

    def messages(self) -> dict:
        return {seq: one for (group, seq), one in self.ui.messages().items() if group == self.group}

    @property
    def meant(self) -> set[int]:
        old = {seq: one for seq, one in self.before.items() if one["MsgTimeStamp"] < self.cut_off}
        return {seq for seq, one in old.items() if one["state"] == "normal" and not one["system"]}

    def overwritten(self) -> set[int]:
        return {seq for seq, one in self.messages().items() if one["modified"]}

    def sent(self) -> int:
        return self.ui.control("stats")["calls"].get(REDACT, 0)

    def state(self) -> str:
        return self.ui.ask(self.task)["state"]

    def wait_until_silent(self) -> None:
        """Until nothing came for longer than a call takes."""
        sent = -1
        while sent != (sent := self.sent()):
            time.sleep(DELAY_MS / 1000 + 2)

    def clear(self) -> None:
        body = {"dry_run": False, "dag_run_id": self.ui.ask(self.run)["dag_run_id"], "task_ids": ["retention"]}
        self.ui.ask(f"/api/v2/dags/{DAG}/clearTaskInstances", {**body, "only_failed": False, "reset_dag_runs": True})

    def result(self) -> dict:
        return self.ui.ask(f"{self.task}/xcomEntries/return_value?deserialize=true")["value"]

    def check_done(self) -> None:
        """All that was meant is overwritten, each message once, and all else is as it was."""
        after = self.messages()
        assert self.overwritten() == self.meant
        for seq, message in self.before.items():
            if seq not in self.meant:
                assert after[seq] == message


@pytest.fixture
def start(ui):
    """Start a sweep of the group that is the largest or the second, and leave nothing of it."""
    sizes = Counter(group for group, _ in ui.messages())

    def start(rank: int) -> Sweep:
        return Sweep(ui, sizes.most_common(rank)[-1][0])

    yield start
    ui.control("faults", method="DELETE")
    ui.ask(f"/api/v2/dags/{DAG}", {"is_paused": True}, "PATCH")


def test_a_task_that_is_marked_failed_stops_and_when_cleared_does_the_rest(ui, start):
    sweep = start(1)

    ui.ask(sweep.task, {"new_state": "failed"}, "PATCH")
    sweep.wait_until_silent()

    assert ui.end_of(sweep.run)["state"] == "failed"
    assert sweep.state() == "failed"
    stopped_at = sweep.sent() - sweep.sent_before
    assert 0 < stopped_at < len(sweep.meant)
    assert sweep.overwritten() < sweep.meant

    ui.control("faults", method="DELETE")
    sweep.clear()
    assert ui.end_of(sweep.run)["state"] == "success"
    sweep.check_done()
    counts = sweep.result()
    assert counts["failed"] == counts["missing"] == 0

    # The same run once more finds nothing to do.
    sent = sweep.sent()
    sweep.clear()
    assert ui.end_of(sweep.run)["state"] == "success"
    assert sweep.result()["requested"] == 0
    assert sweep.sent() == sent


def test_a_task_that_is_cleared_while_it_runs_starts_again(ui, start):
    sweep = start(2)

    sweep.clear()
    ui.wait_until(lambda: sweep.state() not in ("running", "restarting"))
    ui.control("faults", method="DELETE")

    assert ui.end_of(sweep.run)["state"] == "success"
    assert ui.ask(sweep.task)["try_number"] == 2
    sweep.check_done()
