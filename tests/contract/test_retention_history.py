"""The cut-off, walks and windows over the emulator's HTTP, in both readings of the number that is asked for."""

from __future__ import annotations

import random

import pytest

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMNotFoundError, TencentIMUnsupportedError
from airflow_provider_tencentim.client.pacing import ProcessPacer
from airflow_provider_tencentim.retention.cutoff import find_cut_off
from airflow_provider_tencentim.retention.history import GroupHistory

GET = "group_open_http_svc/group_msg_get_simple"
PLACES = {"normal": 0, "expired": 1, "recalled": 2}


class UnpacedPacer(ProcessPacer):
    """Lets every call go at once: the tests are about pages."""

    def reserve(self, key: str, rate: float) -> float:
        return 0.0


@pytest.fixture(params=["seqs", "shown"])
def client(request, emulator):
    emulator.assume({"extra_calls_per_second": 10_000, "req_number_counts": request.param})
    with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url, pacer=UnpacedPacer()) as client:
        yield client


def histories(emulator):
    """Yield each history of the app: the GroupId, the TopicId, when the group was made, and its messages."""
    for group_id, group in emulator.state()["groups"].items():
        if group["Type"] != "AVChatRoom":
            yield group_id, None, group["CreateTime"], group
            for topic_id, topic in group["topics"].items():
                yield group_id, topic_id, group["CreateTime"], topic


def full_scan(messages, cut_off):
    older = (message["MsgSeq"] for message in messages if message["MsgTimeStamp"] < cut_off)
    return max(older, default=0)


def test_the_cut_off_of_every_generated_history_is_that_of_a_full_scan(emulator, client):
    emulator.generate(14, 300, seed=5)
    dice = random.Random(5)  # noqa: S311
    exact = 0
    for group_id, topic_id, created, history in histories(emulator):
        messages = history["messages"]
        times = [message["MsgTimeStamp"] for message in messages] or [created]
        for cut_off in (times[0], times[-1] + 1, dice.choice(times), dice.choice(times) + 1, dice.choice(times)):
            before = emulator.stats()["calls"].get(GET, 0)
            found = find_cut_off(
                GroupHistory(client, group_id, topic_id).page,
                cut_off=cut_off,
                newest=history["NextMsgSeq"] - 1,
                created=created,
                last_time=times[-1],
            )
            expected = full_scan(messages, cut_off)
            assert emulator.stats()["calls"].get(GET, 0) - before == found.reads <= 100
            assert found.through == expected or (found.unread > 1000 and found.through < expected)
            assert found.time == {message["MsgSeq"]: message["MsgTimeStamp"] for message in messages}.get(found.through)
            exact += found.through == expected
    assert exact >= 75


def test_a_run_after_another_finds_only_what_came_to_be_older(emulator, client):
    emulator.add_group("room", messages=500)
    messages = emulator.state("room")["groups"]["room"]["messages"]
    page = GroupHistory(client, "room").page
    cut_off = messages[400]["MsgTimeStamp"]
    expected = full_scan(messages, cut_off)

    for lower in (0, 100, expected - 1, expected, 450):
        found = find_cut_off(page, cut_off=cut_off, newest=500, lower=lower)
        assert found.through == (expected if expected > lower else 0)


def test_a_message_that_is_sent_meanwhile_changes_nothing(emulator, client):
    emulator.add_group("room", messages=100)
    history = GroupHistory(client, "room")
    cut_off = int(emulator.now()) + 10_000

    def page(at):
        emulator.add_group_message("room", "hello")
        return history.page(at)

    assert find_cut_off(page, cut_off=cut_off, newest=100, last_time=1).through == 100


def test_walks_yield_all_that_a_generated_app_holds(emulator, client):
    emulator.generate(12, 150, seed=8)
    for group_id, topic_id, _, kept in histories(emulator):
        messages = {message["MsgSeq"]: message for message in kept["messages"]}
        history, newest = GroupHistory(client, group_id, topic_id), kept["NextMsgSeq"] - 1
        lower = max(0, min(messages, default=1) - 2000)
        for walk in (history.walk(newest, lower), history.walk_wide(newest, lower, client.cancel)):
            entries = list(walk)
            assert [entry.seq for entry in entries] == sorted(messages, reverse=True)
        for entry in entries:
            message = messages[entry.seq]
            assert entry.time == message["MsgTimeStamp"]
            assert entry.place == PLACES[message["state"]]
            assert entry.system == message["system"]
            assert entry.sender == message["From_Account"]
            if message["state"] == "normal":
                assert (entry.body, entry.custom) == (message["MsgBody"], message["CloudCustomData"])
                assert entry.is_message is not message["system"]


def test_a_long_history_is_read_side_by_side_and_comes_in_order(emulator, client):
    emulator.add_group("room", messages=4500)
    list(client.group_msg_recall("room", ["100-130"]))
    history = GroupHistory(client, "room")

    assert [entry.seq for entry in history.walk_wide(4400, 17, client.cancel)] == list(range(4400, 17, -1))
    assert [entry.place for entry in history.window(91, 110)] == [2] * 11 + [0] * 9


def test_a_group_without_a_history_is_the_error_that_it_is(emulator, client):
    emulator.add_group("live", type="AVChatRoom")
    for group_id, error in (("live", TencentIMUnsupportedError), ("no such group", TencentIMNotFoundError)):
        with pytest.raises(error):
            find_cut_off(GroupHistory(client, group_id).page, cut_off=5, newest=5)
        with pytest.raises(error):
            list(GroupHistory(client, group_id).walk_wide(50, 0, lambda: None))
