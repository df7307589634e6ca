"""What changes while tasks run: the store of the pace goes and comes back, the key is replaced."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from redis_server import RedisServer, needs_redis
from retention_runs import POLICY, RECALL, check_counts, fill, recalled, when_sent, writes

from airflow_provider_tencentim.client import pacing_redis
from airflow_provider_tencentim.emulator.usersig import Verifier
from airflow_provider_tencentim.operators.group_msg import RecallGroupMsgOperator
from airflow_provider_tencentim.operators.retention import GroupRetentionOperator

MESSAGES = 3000


@pytest.fixture
def redis(emulator, monkeypatch):
    server = RedisServer()
    monkeypatch.setenv("AIRFLOW_CONN_PACE", f"redis://127.0.0.1:{server.port}")
    uri = f"{emulator.connection_uri}?rate_limit_store=pace"
    monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", uri)
    yield server
    server.stop()


@needs_redis
def test_a_redis_that_comes_back_is_waited_for(emulator, make_dag, run_dag, redis):
    emulator.add_group("room", messages=MESSAGES)

    def restart():
        redis.stop()
        time.sleep(1)
        redis.start()

    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs=f"1-{MESSAGES}")
    restarting = when_sent(emulator, RECALL, 50, restart)
    run = run_dag(dag)
    restarting.join()

    assert run.tasks == {"recall": "success"}
    assert run.results["recall"]["recalled"] == MESSAGES
    assert len(recalled(emulator, "room")) == MESSAGES


@needs_redis
def test_without_its_redis_a_task_sends_nothing_more_and_a_retry_does_the_rest(
    emulator, make_dag, run_dag, redis, monkeypatch
):
    monkeypatch.setattr(pacing_redis, "PATIENCE_SECONDS", 0.5)
    emulator.add_group("room", messages=MESSAGES)
    at_retry = []

    def bring_back(context):
        at_retry.append((len(recalled(emulator, "room")), writes(emulator)[RECALL], str(context["exception"])))
        redis.start()

    with make_dag() as dag:
        RecallGroupMsgOperator(
            task_id="recall",
            group_id="room",
            msg_seqs=f"1-{MESSAGES}",
            retries=1,
            retry_delay=timedelta(0),
            on_retry_callback=bring_back,
        )
    stopping = when_sent(emulator, RECALL, 50, redis.stop)
    run = run_dag(dag)
    stopping.join()

    [(gone, sent, error)] = at_retry
    assert gone == sent * 10 < MESSAGES
    assert "the Redis of the connection 'pace'" in error
    assert run.tasks == {"recall": "success"}
    assert run.tries == {"recall": 2}
    counts = run.results["recall"]
    assert counts["recalled"] + counts["already_recalled"] == counts["requested"] == MESSAGES
    assert len(recalled(emulator, "room")) == MESSAGES


def test_a_key_that_is_replaced_stops_a_sweep_for_good_and_with_the_new_one_a_run_does_the_rest(
    emulator, make_dag, run_dag, monkeypatch, tmp_path
):
    rooms = [f"room{number:03}" for number in range(200)]
    for room in rooms:
        fill(emulator, room, [40, 5])
    policy = {**POLICY, "groups": ["room*"]}
    new_key = emulator.secret_key[::-1]
    slowly = f"{emulator.connection_uri}?calls_per_second=100"
    monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", slowly)

    def make(**more):
        with make_dag() as dag:
            GroupRetentionOperator(
                task_id="sweep", policy=policy, archive_to=f"{tmp_path}/archive", report_path=f"{tmp_path}/r", **more
            )
        return dag

    gateway = emulator._gateway
    monkeypatch.setattr(gateway, "verifier", gateway.verifier)  # the old one is put back at the end
    replacing = when_sent(
        emulator, RECALL, 20, lambda: setattr(gateway, "verifier", Verifier(emulator.sdkappid, new_key))
    )
    stopped = run_dag(make(retries=3, retry_delay=timedelta(0)))
    replacing.join()

    assert stopped.tasks == {"sweep": "failed"}
    assert stopped.tries == {"sweep": 1}  # no retry heals a wrong key
    assert "70009" in str(stopped.errors["sweep"])
    counts = stopped.results["sweep"]
    check_counts(counts)
    gone = sum(len(recalled(emulator, room)) for room in rooms)
    # What was under way beside the first call that was refused may have been carried out, and is not called done.
    assert 0 < counts["done"] <= gone < len(rooms)

    monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", slowly.replace(emulator.secret_key, new_key))
    rest = run_dag(make())

    assert rest.state == "success"
    assert rest.results["sweep"]["done"] == len(rooms) - gone
    assert all(recalled(emulator, room) == {1} for room in rooms)
