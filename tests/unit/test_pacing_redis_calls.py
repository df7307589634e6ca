"""A pace in a Redis, without one: what the script is given, and how long a Redis that fails is tried."""

from __future__ import annotations

import pytest
import redis

from airflow_provider_tencentim.client import pacing_redis
from airflow_provider_tencentim.client.pacing import PaceStoreError
from airflow_provider_tencentim.client.pacing_redis import RedisPacer

KEY = "1400000000/openim/sendmsg"
STORED = f"airflow-provider-tencentim/{KEY}"


class World:
    """A clock that goes while somebody sleeps, and the script of a Redis.

    :param answers: what the script comes to, call by call, and the last for ever.
    """

    def __init__(self, *answers):
        self.now = 1000.0
        self.answers = [*answers]
        self.asked = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def __call__(self, keys, arguments):
        self.asked.append((keys, arguments))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def pacer_in(monkeypatch):
    def pacer_in(world):
        monkeypatch.setattr(pacing_redis, "time", world)
        pacer = RedisPacer("the Redis of this test", host="cache", port=1)
        pacer._script = world
        return pacer

    return pacer_in


@pytest.mark.parametrize(("rate", "step"), [(1, 1_000_000), (190, 5264), (3, 333_334), (0.5, 2_000_000)])
def test_a_turn_is_a_step_of_whole_microseconds_that_is_never_too_short(pacer_in, rate, step):
    world = World(b"2500000")

    assert pacer_in(world).reserve(KEY, rate) == 2.5
    assert world.asked == [([STORED], [0, step, 3_600_000_000])]


@pytest.mark.parametrize(("seconds", "least"), [(1.0, 1_000_000), (0.0000001, 1), (60, 60_000_000)])
def test_slowing_down_is_a_moment_without_a_step(pacer_in, seconds, least):
    world = World(0)
    pacer_in(world).slow_down(KEY, seconds)

    assert world.asked == [([STORED], [least, 0, 3_600_000_000])]


@pytest.mark.parametrize("away", [redis.ConnectionError("secret"), redis.TimeoutError("secret")])
def test_a_redis_that_is_away_is_tried_for_ten_seconds_and_named(pacer_in, away):
    world = World(away)

    with pytest.raises(PaceStoreError) as caught:
        pacer_in(world).reserve(KEY, 10)

    assert str(caught.value) == f"the pace cannot be kept in the Redis of this test ({type(away).__name__})"
    assert caught.value.__context__ is None, "its text may quote the password"
    assert len(world.asked) in (50, 51)
    assert world.now <= 1010.0


def test_a_redis_that_comes_back_is_asked_again_with_the_same(pacer_in):
    world = World(redis.ConnectionError("x"), redis.TimeoutError("x"), 7_000_000)

    assert pacer_in(world).reserve(KEY, 10) == 7.0
    assert world.now == pytest.approx(1000.4)
    assert world.asked == [([STORED], [0, 100_000, 3_600_000_000])] * 3


@pytest.mark.parametrize(
    "refusal",
    [
        redis.AuthenticationError("secret"),
        redis.exceptions.AuthorizationError("secret"),
        redis.ResponseError("secret"),
        redis.exceptions.NoPermissionError("secret"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_redis_that_refuses_is_asked_once(pacer_in, refusal):
    world = World(refusal)

    with pytest.raises(PaceStoreError) as caught:
        pacer_in(world).slow_down(KEY, 1)

    assert str(caught.value) == f"the pace cannot be kept in the Redis of this test ({type(refusal).__name__})"
    assert (len(world.asked), world.now) == (1, 1000.0)


def test_a_redis_is_reached_as_asked_for_waited_for_three_seconds_and_not_retried_by_its_library():
    pacer = RedisPacer("x", host="cache", port=7, username="ann", password="secret", db=3)

    options = pacer._redis.connection_pool.connection_kwargs
    expected = {"host": "cache", "port": 7, "username": "ann", "password": "secret", "db": 3}
    assert {name: options[name] for name in expected} == expected
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (3.0, 3.0)
    assert options["socket_keepalive"] is True
    assert options["retry"].get_retries() == 0
