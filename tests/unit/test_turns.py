"""A call's turn in the pace: taken in time, or given up for another; and how many calls fill the pace."""

from __future__ import annotations

from functools import partial

import pytest
from transport_world import World, transport_in

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.commands import find_command
from airflow_provider_tencentim.client.errors import TencentIMAmbiguousError, TencentIMPaceError
from airflow_provider_tencentim.client.transport import LATEST_SECONDS
from airflow_provider_tencentim.client.wire import POOL_SIZE, WireAnswer, WireFault

READ = find_command("group_open_http_svc/get_group_info")
WRITE = find_command("openim/modify_group_msg")


@pytest.fixture
def play(monkeypatch):
    return partial(transport_in, monkeypatch)


def test_a_turn_that_comes_in_time_is_taken(play):
    world = World(oversleeping=[LATEST_SECONDS - 0.001])
    play(world).call(READ, {})

    assert (world.reserved, world.sent) == (1, 1)


def test_who_was_stopped_while_waiting_takes_another_turn_instead_of_sending_late(play):
    world = World(oversleeping=[0.1, 2.0, 0.0])
    play(world).call(READ, {})

    assert (world.reserved, world.sent) == (3, 1)


def test_a_turn_that_was_due_at_once_can_be_missed_too(play):
    world = World(wait=0.0, reserving=[0.0, 0.1, 0.0])
    one = play(world)
    one.call(READ, {})
    one.call(READ, {})

    assert (world.reserved, world.sent) == (3, 2)


def test_a_store_that_is_far_away_costs_no_turns(play):
    world = World(reserving=[0.25])
    one = play(world)
    for _ in range(10):
        one.call(READ, {})

    assert world.reserved == world.sent == 10


def test_a_machine_that_misses_every_turn_sends_all_the_same(play):
    world = World(oversleeping=[0.5])
    play(world).call(READ, {})

    assert (world.reserved, world.sent) == (5, 1)


# --- without a pace ---


def test_a_store_that_is_gone_is_not_asked_again_for_the_same_call(play):
    world = World()
    world.reserve = world.gone

    with pytest.raises(TencentIMPaceError) as caught:
        play(world).call(READ, {})

    assert (caught.value.command, caught.value.code, caught.value.info) == (READ.path, None, "the store is gone")
    assert world.sent == 0


def test_a_rate_limit_code_that_nobody_can_be_told_of_ends_the_call(play):
    world = World()
    world.slow_down = world.gone
    world.answers = [WireAnswer(200, b'{"ErrorCode": 60007}', 0.0)]

    with pytest.raises(TencentIMPaceError):
        play(world).call(READ, {})

    assert world.sent == 1


def test_a_store_that_goes_after_an_answer_was_lost_leaves_it_open_what_was_done(play):
    world = World()

    def post(*_):
        world.reserve = world.gone
        return WireFault("lost", sent=True)

    world.post = post
    with pytest.raises(TencentIMAmbiguousError, match="the store is gone"):
        play(world).call(WRITE, {})


# --- how many calls fill the pace ---


@pytest.mark.parametrize(
    ("seconds", "rate", "wanted"),
    [(0.0, 190, 4), (0.005, 190, 4), (0.05, 190, 12), (0.15, 190, 36), (3.0, 190, 64), (0.15, 10, 4)],
)
def test_the_longer_answers_take_the_more_calls_are_under_way(play, seconds, rate, wanted):
    world = World()
    world.answer_seconds = seconds
    one = play(world, rate)
    for _ in range(3):
        one.call(READ, {})

    assert one.in_flight_wanted(READ) == wanted
    assert one.in_flight_wanted(WRITE) == 4, "each command has a time of its own"


def test_one_slow_answer_is_not_taken_for_the_usual(play):
    world = World()
    world.answer_seconds = 0.05
    one = play(world)
    for _ in range(20):
        one.call(READ, {})
    world.answer_seconds = 0.5
    one.call(READ, {})

    assert one.in_flight_wanted(READ) == 23, "a tenth of its time is counted"


def test_connections_are_kept_for_two_commands_side_by_side():
    assert POOL_SIZE >= 2 * transport._MOST_IN_FLIGHT
