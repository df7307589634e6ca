"""Calls per second: evenly spaced, for each app and command, under a clock that stands still."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.client import pacing
from airflow_provider_tencentim.client.commands import COMMANDS, find_command
from airflow_provider_tencentim.client.pacing import ProcessPacer, rate_of


class Clock:
    """A monotonic clock that goes only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=clock))
    return clock


def test_the_first_call_need_not_wait(clock):
    assert ProcessPacer().reserve("app/command", 190) == 0


def test_calls_at_once_are_spaced_evenly(clock):
    pacer = ProcessPacer()

    waits = [pacer.reserve("app/command", 100) for _ in range(5)]

    assert waits == pytest.approx([0, 0.01, 0.02, 0.03, 0.04])


@pytest.mark.parametrize("rate", [0.95, 95, 190, 200])
def test_no_second_holds_more_calls_than_the_rate(clock, rate):
    pacer = ProcessPacer()
    moments = []
    for _ in range(600):
        moments.append(clock.now + pacer.reserve("app/command", rate))
        clock.now += 0.001

    busiest = max(sum(start <= moment < start + 1 - 1e-9 for moment in moments) for start in moments)

    assert busiest <= max(rate, 1)


def test_time_that_passed_is_not_saved_up_for_a_burst(clock):
    pacer = ProcessPacer()
    pacer.reserve("app/command", 10)
    clock.now += 3600

    waits = [pacer.reserve("app/command", 10) for _ in range(3)]

    assert waits == pytest.approx([0, 0.1, 0.2])


def test_time_that_passes_counts_against_the_wait(clock):
    pacer = ProcessPacer()
    pacer.reserve("app/command", 10)
    clock.now += 0.04

    assert pacer.reserve("app/command", 10) == pytest.approx(0.06)


def test_every_app_and_command_has_a_pace_of_its_own(clock):
    pacer = ProcessPacer()
    pacer.reserve("1/openim/sendmsg", 1)

    assert pacer.reserve("1/openim/modify_group_msg", 1) == 0
    assert pacer.reserve("2/openim/sendmsg", 1) == 0
    assert pacer.reserve("1/openim/sendmsg", 1) == pytest.approx(1)


def test_slowing_down_delays_the_next_call_of_that_key_only(clock):
    pacer = ProcessPacer()

    pacer.slow_down("app/command", 60)

    assert pacer.reserve("app/command", 10) == pytest.approx(60)
    assert pacer.reserve("app/command", 10) == pytest.approx(60.1)
    assert pacer.reserve("app/other", 10) == 0


def test_slowing_down_never_brings_a_call_forward(clock):
    pacer = ProcessPacer()
    pacer.slow_down("app/command", 60)

    pacer.slow_down("app/command", 1)

    assert pacer.reserve("app/command", 10) == pytest.approx(60)


def test_slowing_down_twice_at_once_is_slowing_down_once(clock):
    pacer = ProcessPacer()
    for _ in range(16):
        pacer.slow_down("app/command", 1)

    assert pacer.reserve("app/command", 10) == pytest.approx(1)


# The documented limits that are lower than 200 a second.
LOWER_LIMITS = {
    "group_open_http_svc/get_appid_group_list": 1,
    "group_open_http_svc/send_broadcast_msg": 1,
    "im_open_login_svc/account_check": 100,
    "im_open_login_svc/account_delete": 100,
    "im_open_login_svc/multiaccount_import": 100,
    "open_msg_svc/get_history": 10,
}


@pytest.mark.parametrize("path", [*COMMANDS, "openim/in_no_table"])
def test_a_command_keeps_under_its_documented_limit(path):
    limit = LOWER_LIMITS.get(path, 200)
    command = find_command(path)

    assert command.calls_per_second == limit
    assert rate_of(command, 190) == pytest.approx(0.95 * limit)
    assert rate_of(command, 0.5) == 0.5
    assert rate_of(command, 200) <= limit


def test_a_slower_connection_slows_every_command():
    assert rate_of(find_command("im_open_login_svc/account_check"), 20) == 20
    assert rate_of(find_command("group_open_http_svc/get_appid_group_list"), 20) == pytest.approx(0.95)


def test_a_machine_that_has_just_started_need_not_wait_either(clock):
    clock.now = 0.25

    assert ProcessPacer().reserve("app/command", 190) == 0
    pacer = ProcessPacer()
    pacer.slow_down("app/command", 0.5)
    assert pacer.reserve("app/command", 190) == pytest.approx(0.5)


def test_a_connection_may_go_up_to_the_documented_limit():
    usual = next(command for command in COMMANDS.values() if command.calls_per_second == 200)

    assert rate_of(usual, 200) == 200
