"""A client that counts: it adds nothing, loses nothing, and changes nothing of what it hands on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_tencentim.client.caller import Caller
from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.client.transport import MAX_TRIES
from airflow_provider_tencentim.retention.counted import CountedClient


class Other(Caller):
    def __init__(self):
        self.sent = []
        self.cancelled = 0

    def call(self, command, body, *, tries=MAX_TRIES):
        self.sent.append((command, body, tries))
        if command == "fails":
            raise TencentIMTransientError(command, 10002, "")
        return {"answer": len(self.sent)}

    def in_flight_wanted(self, command):
        return len(command)

    def cancel(self):
        self.cancelled += 1


@pytest.fixture
def other():
    return Other()


def test_calls_are_handed_on_as_they_are_and_counted(other):
    counted = CountedClient(other)

    assert counted.calls == 0
    assert counted.call("a/b", {"x": 1}) == {"answer": 1}
    assert counted.call("c/d", {}, tries=1) == {"answer": 2}
    assert other.sent == [("a/b", {"x": 1}, MAX_TRIES), ("c/d", {}, 1)]
    assert counted.calls == 2


def test_a_call_that_fails_counts_and_is_the_error_that_it_is(other):
    counted = CountedClient(other)

    with pytest.raises(TencentIMTransientError):
        counted.call("fails", {})
    assert counted.calls == 1


def test_commands_of_both_kinds_of_chats_count_and_so_do_those_of_many_threads(other):
    counted = CountedClient(other)

    def send(number):
        counted.clear_group_msg("room", number)
        counted.admin_msgwithdraw("ann", "bob", f"{number}_1_1")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(1, 101)))
    assert counted.calls == len(other.sent) == 200


def test_the_pace_and_the_end_are_those_of_the_other(other):
    counted = CountedClient(other)

    assert [counted.in_flight_wanted("abc"), counted.in_flight_wanted("abcdefg")] == [3, 7]
    counted.cancel()
    assert other.cancelled == 1
