"""A task that is killed or runs out of time sends nothing more, and is never green."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import timedelta

import pytest
from retention_runs import RECALL, when_sent

from airflow_provider_tencentim.operators.group_msg import RecallGroupMsgOperator


def sent(emulator) -> int:
    return emulator.stats()["calls"].get(RECALL, 0)


def test_sigterm_stops_a_recall_before_its_next_call(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=5000)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-5000")
    handler = signal.getsignal(signal.SIGTERM)
    watcher = when_sent(emulator, RECALL, 20, lambda: os.kill(os.getpid(), signal.SIGTERM))

    try:
        run = run_dag(dag)
    finally:
        signal.signal(signal.SIGTERM, handler)
    watcher.join()

    at_the_end = sent(emulator)
    assert run.tasks == {"recall": "failed"}
    assert at_the_end < 500
    counts = run.results["recall"]
    recalled = sum(one["state"] == "recalled" for one in emulator.state("room")["groups"]["room"]["messages"])
    # Nothing counts as recalled that is not; a call that was under way may have been carried out and not be counted.
    assert recalled - 160 <= counts["recalled"] <= recalled
    assert counts["recalled"] + counts["failed"] == counts["requested"] == 5000
    time.sleep(0.3)
    assert sent(emulator) == at_the_end


def test_a_task_that_runs_out_of_time_stops(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=5000)
    emulator.add_fault(command=RECALL, error_code=60007)
    with make_dag() as dag:
        RecallGroupMsgOperator(
            task_id="recall", group_id="room", msg_seqs="1-5000", execution_timeout=timedelta(seconds=1)
        )

    started = time.monotonic()
    run = run_dag(dag)

    assert run.tasks == {"recall": "failed"}
    assert type(run.errors["recall"]).__name__ == "AirflowTaskTimeout"
    assert time.monotonic() - started < 30  # far from the minute that one call may be repeated for
    at_the_end = sent(emulator)
    time.sleep(0.3)
    assert sent(emulator) == at_the_end


def test_a_kill_that_comes_before_the_first_call_sends_none(emulator):
    emulator.add_group("room", messages=5)
    task = RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-5")
    task.on_kill()

    with pytest.raises(Exception, match="stopped"):
        task.execute({})

    assert sent(emulator) == 0


def test_a_task_that_is_killed_while_its_last_call_is_under_way_is_not_green(emulator):
    emulator.add_group("room", messages=5)
    emulator.add_fault(command=RECALL, delay_ms=500)
    task = RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-5")
    threading.Timer(0.2, task.on_kill).start()

    with pytest.raises(Exception, match="stopped"):
        task.execute({})

    assert {one["state"] for one in emulator.state("room")["groups"]["room"]["messages"]} == {"recalled"}
