"""The generated population: the same for the same seed, with every kind that a clean-up has to cope with."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from airflow_provider_tencentim.emulator import TencentIMEmulator

NOW = 1_800_000_000


@pytest.fixture
def generated() -> TencentIMEmulator:
    """An emulator without a socket, ten groups of two hundred messages in it."""
    emulator = TencentIMEmulator()
    emulator.generate(10, 200, seed=3)
    return emulator


def contents(seed: int) -> str:
    emulator = TencentIMEmulator()
    emulator.advance(NOW - emulator.now())
    emulator.generate(4, 50, seed)
    return json.dumps(emulator.state())


def test_the_seed_decides():
    assert contents(1) == contents(1)
    assert contents(1) != contents(2)


def test_every_type_of_group_and_every_state_of_a_message_occurs(generated):
    groups = generated.state()["groups"].values()
    assert len(groups) == 10
    assert {group["Type"] for group in groups} == {"Public", "Private", "ChatRoom", "Community", "AVChatRoom"}
    messages = [message for group in groups for message in group["messages"]]
    assert {message["state"] for message in messages} == {"normal", "recalled", "expired"}
    assert any(message["system"] for message in messages)
    kinds = {
        element["MsgType"]
        for message in messages
        if isinstance(message["MsgBody"], list)
        for element in message["MsgBody"]
    }
    assert kinds == {"TIMTextElem", "TIMFaceElem", "TIMCustomElem"}
    assert len({message["From_Account"] for message in messages}) > 5
    assert generated.state()["c2c"]


def test_messages_ascend_over_the_last_ninety_days(generated):
    for group in generated.state()["groups"].values():
        times = [message["MsgTimeStamp"] for message in group["messages"]]
        assert times == sorted(times)
        if times:
            assert group["CreateTime"] < times[0]
            assert generated.now() - 91 * 86_400 < times[0]
            assert generated.now() - 5 * 86_400 < times[-1] <= generated.now()


def test_a_million_messages_would_take_well_under_a_gibibyte():
    emulator = TencentIMEmulator()
    tracemalloc.start()
    try:
        emulator.generate(4, 2500)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    messages = 3 * 2500 + 4 * 2500  # one of the groups is an AVChatRoom; the conversations come on top
    assert used / messages < 600


def test_reset_generates_the_same_again(generated):
    before = generated.state()
    generated.add_group("other", messages=1)
    generated.reset()
    assert generated.state() == before


def test_every_generated_message_is_one_that_the_api_would_have_taken(emulator, emulator_call):
    emulator_state = TencentIMEmulator()
    emulator_state.generate(4, 50)
    group = emulator.add_group(messages=1)
    for source in emulator_state.state()["groups"].values():
        for message in source["messages"][:30]:
            if message["state"] != "expired" and not message["system"]:
                modification = {"GroupId": group, "MsgSeq": 1, "MsgBody": message["MsgBody"]}
                assert emulator_call("openim/modify_group_msg", modification)["ErrorCode"] == 0
