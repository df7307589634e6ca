"""A sweep that ends in the middle: the next try finds every row that was not carried out, whatever came behind it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from airflow_provider_tencentim.client.errors import TencentIMCancelledError, TencentIMTransientError
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.client.signature import SecretKey
from airflow_provider_tencentim.retention.ledger import Ledger
from airflow_provider_tencentim.retention.outcome import Outcome
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter
from airflow_provider_tencentim.retention.progress import FileStore
from airflow_provider_tencentim.retention.sweep import Sweep

CREATED = 1_700_000_000


class Service(GroupCommands):
    """Knows every group, unless it is asked for one that it cannot read."""

    unreadable = ""

    def call(self, command, body, *, tries=5):
        if self.unreadable in body["GroupIdList"]:
            raise TencentIMTransientError(command, 10002, "busy")
        facts = {"ErrorCode": 0, "Type": "Public", "CreateTime": CREATED, "NextMsgSeq": 100}
        return {"GroupInfo": [facts | {"GroupId": group} for group in body["GroupIdList"]]}

    def cancel(self):
        pass


class Actions:
    """Does every row but one, which ends when others behind it are done."""

    def __init__(self, stopped=""):
        self.done = []
        self._stopped = stopped
        self._others = threading.Event()

    def in_flight_wanted(self):
        return 4

    def is_long(self, row):
        return False

    def carry_out(self, number, row, wide):
        if row.group == self._stopped:
            self._others.wait(10)
            raise TencentIMCancelledError("recall", None, "the task was stopped")
        self.done.append(row.group)
        if len(self.done) == 3:
            self._others.set()
        return Outcome(requested=row.messages, done=row.messages)


@pytest.fixture
def make_plan(tmp_path):
    def make(rows):
        writer = PlanWriter(tmp_path / "plan")
        names = [f"room-{number:03}" for number in range(rows)]
        common = {"type": "Public", "create_time": CREATED, "action": "recall", "through": 9, "ranges": "1-9"}
        for name in names:
            writer.add(PlanRow(group=name, messages=9, **common))
        _, digest = writer.finish(
            chat="group",
            sdkappid=1400000000,
            base_url="https://console.tim.qq.com",
            policy={"action": "recall"},
            cut_off=datetime.now(UTC).isoformat(),
            created=int(datetime.now(UTC).timestamp()),
            run={},
            shard="1/1",
            holds=False,
            incremental=False,
        )
        return Plan(tmp_path / "plan", digest), names

    return make


def sweep(plan, actions, tmp_path, client=None):
    store = FileStore(tmp_path / "progress.json", SecretKey("key").seal)
    ledger = Ledger(plan, store, tmp_path / "report", None, None)
    return Sweep(client or Service(), plan, actions, Patterns(), ledger), ledger


def test_a_row_that_a_stop_took_is_carried_out_by_the_next_try(make_plan, tmp_path):
    plan, names = make_plan(20)
    first = Actions(stopped=names[0])
    with pytest.raises(TencentIMCancelledError):
        sweep(plan, first, tmp_path)[0].run()
    assert first.done, "rows behind it were done"

    second = Actions()
    again, ledger = sweep(plan, second, tmp_path)
    again.run()

    assert names[0] in second.done
    # What was done behind the row that was stopped was not noted: it is done again, harmlessly.
    assert sorted({*first.done, *second.done}) == names
    assert ledger.summary()["done"] == ledger.summary()["requested"] == 20 * 9
    assert ledger.failed_rows == 0


def test_groups_that_could_not_be_looked_at_again_are_carried_out_by_the_next_try(make_plan, tmp_path):
    plan, names = make_plan(200)
    client = Service()
    client.unreadable = names[0]
    first = Actions()
    with pytest.raises(TencentIMTransientError):
        sweep(plan, first, tmp_path, client)[0].run()

    second = Actions()
    again, ledger = sweep(plan, second, tmp_path)
    again.run()

    assert sorted({*first.done, *second.done}) == names
    assert ledger.summary()["done"] == 200 * 9
