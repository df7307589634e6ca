"""One pace for everybody who uses the same Redis: in a real one, which is stopped and started again."""

from __future__ import annotations

import itertools
import multiprocessing
import socket
import threading
import time

import pytest
from redis_server import RedisServer, needs_redis

from airflow_provider_tencentim.client import pacing_redis
from airflow_provider_tencentim.client.pacing import FURTHEST_SECONDS, PaceStoreError
from airflow_provider_tencentim.client.pacing_redis import RedisPacer

pytestmark = needs_redis

KEY = "1400000000/openim/sendmsg"
STORED = f"airflow-provider-tencentim/{KEY}"


class Server(RedisServer):
    def pacer(self, **options):
        return RedisPacer("the Redis of this test", host="127.0.0.1", port=self.port, **options)


@pytest.fixture(scope="module")
def running():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def server(running):
    """A Redis that is empty."""
    running.pacer()._redis.flushall()
    return running


@pytest.fixture
def own_server():
    server = Server()
    yield server
    server.stop()


def reserve_many(port, rate, number):
    """Each moment, in seconds of the server's clock."""
    pacer = RedisPacer("the Redis of this test", host="127.0.0.1", port=port)
    moments = []
    for _ in range(number):
        pacer.reserve(KEY, rate)
        moments.append(int(pacer._redis.get(STORED)))
    return moments


def test_moments_are_evenly_spaced_and_the_first_is_now(server):
    pacer = server.pacer()
    pacer.reserve("another/command", 1)

    assert pacer.reserve(KEY, 10) == 0
    kept = int(pacer._redis.get(STORED))
    moments = [kept]
    for _ in range(50):
        assert pacer.reserve(KEY, 10) > 0
        moments.append(int(pacer._redis.get(STORED)))

    assert [later - earlier for earlier, later in itertools.pairwise(moments)] == [100_000] * 50


def test_four_processes_share_one_pace(server):
    """At a rate that they cannot keep up with, every moment is a step from the one before."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        parts = pool.starmap(reserve_many, [(server.port, 1, 50)] * 4, chunksize=1)

    kept = int(server.pacer()._redis.get(STORED))
    moments = sorted({moment for part in parts for moment in part})
    assert kept - moments[0] <= 199 * 1_000_000
    assert all((moment - moments[0]) % 1_000_000 == 0 for moment in moments)
    assert server.pacer().reserve(KEY, 1) == pytest.approx(200, abs=20)


def test_the_pace_is_never_faster_than_asked_for(server):
    pacer = server.pacer()
    pacer.slow_down(KEY, 30)
    first = pacer.reserve(KEY, 190)
    started = time.monotonic()
    for _ in range(189):
        pacer.reserve(KEY, 190)
    last = pacer.reserve(KEY, 190) + time.monotonic() - started

    assert last - first == pytest.approx(1.0, abs=0.05)  # whatever the clocks of two processes make of it


def test_slowing_down_holds_for_everybody_and_brings_no_call_forward(server):
    server.pacer().slow_down(KEY, 60)
    server.pacer().slow_down(KEY, 1)

    assert server.pacer().reserve(KEY, 10) == pytest.approx(60, abs=2)
    assert server.pacer().reserve("other", 10) == 0


def test_a_key_outlives_its_moment_and_is_gone_later(server):
    pacer = server.pacer()
    pacer.slow_down(KEY, 100)

    assert 150_000 < pacer._redis.pttl(STORED) <= 161_000


@pytest.mark.parametrize("content", ["", "x", "nan", "inf", "-5", "1e300", "0x10"])
def test_what_is_no_moment_counts_as_none(server, content):
    server.pacer()._redis.set(STORED, content)

    assert server.pacer().reserve(KEY, 10) == 0


def test_a_moment_of_another_clock_is_not_waited_for(server):
    now, _ = server.pacer()._redis.time()
    server.pacer()._redis.set(STORED, int((now + FURTHEST_SECONDS + 60) * 1_000_000))

    assert server.pacer().reserve(KEY, 10) == 0


def test_something_else_under_the_key_is_an_error_at_once(server):
    server.pacer()._redis.lpush(STORED, "x")

    with pytest.raises(PaceStoreError, match="the Redis of this test"):
        server.pacer().reserve(KEY, 10)


def test_a_redis_that_restarts_is_waited_for_and_gets_its_script_again(own_server):
    pacer = own_server.pacer()
    pacer.reserve(KEY, 10)
    own_server.stop()
    timer = threading.Timer(0.5, own_server.start)
    timer.start()

    assert pacer.reserve(KEY, 10) == 0
    timer.join()


def test_a_redis_that_stays_away_is_an_error_that_names_it_and_heals(own_server, monkeypatch):
    monkeypatch.setattr(pacing_redis, "PATIENCE_SECONDS", 0.3)
    pacer = own_server.pacer()
    own_server.stop()
    with pytest.raises(PaceStoreError, match="the Redis of this test"):
        pacer.reserve(KEY, 10)
    with pytest.raises(PaceStoreError):
        pacer.slow_down(KEY, 10)

    own_server.start()
    assert pacer.reserve(KEY, 10) == 0


def test_a_redis_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(pacing_redis, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(pacing_redis, "_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pacer = RedisPacer("the Redis of this test", host="127.0.0.1", port=silent.getsockname()[1])
        with pytest.raises(PaceStoreError, match="TimeoutError"):
            pacer.reserve(KEY, 10)


def test_a_wrong_password_is_an_error_at_once_and_in_no_text():
    server = Server("--requirepass", "right")
    try:
        assert server.pacer(password="right").reserve(KEY, 10) == 0
        started = time.monotonic()
        with pytest.raises(PaceStoreError) as caught:
            server.pacer(password="wrong-one").reserve(KEY, 10)
        assert time.monotonic() - started < 5
        assert "wrong-one" not in str(caught.value)
        assert caught.value.__context__ is None
    finally:
        server.stop()
