"""The generated app: the same for the same seed, with every kind that a clean-up has to cope with."""

from __future__ import annotations

import json
import time
import tracemalloc
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_tencentim.emulator import TencentIMEmulator

NOW = 1_800_000_000
HOUR, DAY = 3600, 86_400
GET = "group_open_http_svc/group_msg_get_simple"
ELEMENTS = {
    "TIMTextElem",
    "TIMLocationElem",
    "TIMFaceElem",
    "TIMCustomElem",
    "TIMSoundElem",
    "TIMImageElem",
    "TIMFileElem",
    "TIMVideoFileElem",
    "TIMRelayElem",
}


def generated(groups: int, messages: int, seed: int = 0) -> TencentIMEmulator:
    """An emulator without a socket, at a time of its own."""
    emulator = TencentIMEmulator()
    emulator.advance(NOW - emulator.now())
    emulator.generate(groups, messages, seed)
    return emulator


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return generated(40, 600, seed=3).state()


def histories(state: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The messages of every group and every topic that has some."""
    found = [group["messages"] for group in state["groups"].values()]
    found += [topic["messages"] for group in state["groups"].values() for topic in group["topics"].values()]
    return [messages for messages in found if messages]


def messages_of(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for messages in histories(state) for message in messages]


def times(messages: list[dict[str, Any]]) -> list[int]:
    return [message["MsgTimeStamp"] for message in messages]


def test_the_seed_decides():
    assert json.dumps(generated(12, 50, 1).state()) == json.dumps(generated(12, 50, 1).state())
    assert json.dumps(generated(12, 50, 1).state()) != json.dumps(generated(12, 50, 2).state())


@pytest.mark.parametrize(
    ("groups", "messages"), [(0, 0), (0, 5), (1, 40), (4, 7), (5, 7), (6, 0), (7, 1), (13, 333), (200, 31)]
)
def test_there_are_as_many_groups_and_messages_as_were_asked_for(groups, messages):
    size = generated(groups, messages).size()
    assert (size["groups"], size["messages"]) == (groups, groups * messages)


def test_few_groups_have_most_of_the_messages():
    groups = generated(300, 100).state()["groups"].values()
    sizes = [len(one["messages"]) + sum(len(topic["messages"]) for topic in one["topics"].values()) for one in groups]
    sizes.sort()
    assert sum(sizes[-60:]) > 0.5 * sum(sizes)
    assert sizes[-1] > 8 * 100
    assert sizes[150] < 70


def test_every_type_of_group_occurs_and_an_avchatroom_stores_nothing(state):
    groups = state["groups"].values()
    assert {group["Type"] for group in groups} == {"Public", "Private", "ChatRoom", "Community", "AVChatRoom"}
    live = [group for group in groups if group["Type"] == "AVChatRoom"]
    assert [group["messages"] for group in live] == [[]] * len(live)
    assert all(group["topics"] == {} for group in groups if group["Type"] != "Community")


def test_the_first_group_of_each_type_is_an_ordinary_one():
    for group in list(generated(8, 60, seed=7).state()["groups"].values())[:4]:
        plain = [one for one in group["messages"] if one["state"] == "normal" and not one["system"]]
        assert (len(group["messages"]), group["messages"][0]["MsgSeq"], group["cleared_through"]) == (60, 1, 0)
        assert len(plain) >= 40
        assert 60 <= group["NextMsgSeq"] - 1 < 100


def test_topics_count_their_own_messages(state):
    with_topics = [group for group in state["groups"].values() if group["topics"]]
    assert with_topics
    for group in with_topics:
        for topic_id, topic in group["topics"].items():
            assert topic_id.startswith(f"{group['GroupId']}@TOPIC#_")
            assert topic["messages"][0]["MsgSeq"] == 1
            assert topic["NextMsgSeq"] == topic["messages"][-1]["MsgSeq"] + 1


def test_times_ascend_and_some_are_equal(state):
    equal = 0
    for messages in histories(state):
        assert times(messages) == sorted(times(messages))
        equal += sum(one == other for one, other in pairwise(times(messages)))
    assert equal > 200
    ordinary = times(next(iter(state["groups"].values()))["messages"])
    assert 0.01 < sum(one == other for one, other in pairwise(ordinary)) / len(ordinary) < 0.1
    for group in state["groups"].values():
        if group["messages"]:
            assert group["CreateTime"] < group["messages"][0]["MsgTimeStamp"]
    assert max(times(messages_of(state))) <= NOW


def test_ordinary_groups_are_busy_by_day_and_on_some_days_of_the_week(state):
    for group in list(state["groups"].values())[:4]:
        by_hour = Counter(moment // HOUR % 24 for moment in times(group["messages"]))
        by_day = Counter(moment // DAY % 7 for moment in times(group["messages"]))
        counts = sorted(by_hour.get(hour, 0) for hour in range(24))
        assert sum(counts[:8]) < 0.15 * sum(counts)
        assert max(by_day.values()) > 1.4 * min(by_day.values())
        assert NOW - 205 * DAY < group["messages"][0]["MsgTimeStamp"] < NOW - 80 * DAY
        assert group["messages"][-1]["MsgTimeStamp"] > NOW - 5 * DAY


def test_some_groups_have_hundreds_of_messages_within_an_hour_and_are_silent_before_and_after():
    bursty = list(generated(9, 1000).state()["groups"].values())[8]
    moments = times(bursty["messages"])
    hours = Counter(moment // HOUR for moment in moments)
    assert hours.most_common(1)[0][1] > 100
    assert len(hours) <= 2 * (len(moments) // 400 + 1)
    assert moments[-1] - moments[0] > 2 * DAY


def test_some_groups_are_dead_and_some_wholly_new(state):
    newest = [messages[-1]["MsgTimeStamp"] for messages in histories(state)]
    oldest = [messages[0]["MsgTimeStamp"] for messages in histories(state)]
    assert any(moment < NOW - 100 * DAY for moment in newest)
    assert any(moment > NOW - 2 * DAY for moment in oldest)


def test_old_groups_begin_far_above_one_and_with_expired_messages(state):
    worn = [messages for messages in histories(state) if messages[0]["MsgSeq"] > 1]
    assert 3 <= len(worn) < len(histories(state)) / 2
    for messages in worn:
        assert messages[0]["MsgSeq"] >= 1000
        assert {one["state"] for one in messages[: len(messages) // 20]} <= {"expired"}


def test_sequence_numbers_ascend_and_have_gaps(state):
    steps = Counter()
    for messages in histories(state):
        steps.update(other["MsgSeq"] - one["MsgSeq"] for one, other in pairwise(messages))
    assert min(steps) == 1
    assert 20 < sum(count for step, count in steps.items() if step > 1) < 0.02 * sum(steps.values())


def test_every_state_and_mark_of_a_message_occurs(state):
    messages = messages_of(state)
    assert {one["state"] for one in messages} == {"normal", "recalled", "expired"}
    assert all(one["MsgBody"] == [] and one["CloudCustomData"] is None for one in messages if one["state"] == "expired")
    assert any(one["CloudCustomData"] for one in messages)
    assert any(one["cleared"] for one in messages)
    assert len({one["From_Account"] for one in messages}) > 50


def test_the_body_of_a_system_message_is_an_object(state):
    tips = [one for one in messages_of(state) if one["system"]]
    assert 0.01 < len(tips) / len(messages_of(state)) < 0.1
    assert {type(one["MsgBody"]) for one in tips if one["state"] == "normal"} == {dict}
    assert {one["From_Account"] for one in tips} == {"@TIM#SYSTEM"}


def test_every_documented_element_occurs(state):
    elements = [one for message in messages_of(state) if not message["system"] for one in message["MsgBody"]]
    assert {element["MsgType"] for element in elements} == ELEMENTS
    assert any(len(message["MsgBody"]) > 1 for message in messages_of(state))


def test_texts_are_of_many_scripts_and_custom_data_is_full_of_control_characters(state):
    bodies = "".join(json.dumps(one["MsgBody"], ensure_ascii=False) for one in messages_of(state))
    names = {unicodedata.name(character, "?").split()[0] for character in set(bodies)}
    assert {"LATIN", "CJK", "HIRAGANA", "HANGUL", "ARABIC", "HEBREW", "THAI", "DEVANAGARI", "COMBINING"} <= names
    assert {"R", "AL"} <= {unicodedata.bidirectional(character) for character in set(bodies)}
    assert "😀" in bodies
    data = "".join(
        element["MsgContent"].get("Data", "")
        for message in messages_of(state)
        if not message["system"]
        for element in message["MsgBody"]
    )
    assert {chr(code) for code in range(32)} <= set(data)


def test_texts_of_a_group_are_distinct(state):
    texts = [one["MsgBody"][0]["MsgContent"]["Text"] for one in histories(state)[0] if is_one_text(one["MsgBody"])]
    assert len(texts) > 300
    assert len(set(texts)) == len(texts)


def is_one_text(body: Any) -> bool:
    return isinstance(body, list) and [element["MsgType"] for element in body] == ["TIMTextElem"]


def test_conversations_go_both_ways_and_have_recalled_messages(state):
    conversations = state["c2c"]
    assert len(conversations) > 20
    assert all({one["From_Account"] for one in each["messages"]} == set(each["accounts"]) for each in conversations)
    letters = [message for conversation in conversations for message in conversation["messages"]]
    assert {one["state"] for one in letters} == {"normal", "recalled"}
    assert len({one["MsgKey"] for one in letters}) == len(letters)
    for each in conversations:
        for account in each["accounts"]:
            counted = {int(one["MsgKey"].split("_")[0]) for one in each["messages"] if one["From_Account"] == account}
            assert len(counted) == sum(one["From_Account"] == account for one in each["messages"])


def test_a_message_takes_little_memory():
    tracemalloc.start()
    try:
        emulator = generated(20, 1000)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / emulator.size()["messages"] < 600  # bytes, so that a million is well under a GiB


def test_a_message_takes_little_time():
    begin = time.process_time()
    generated(50, 500)
    assert time.process_time() - begin < 25_000 * 40e-6


def test_reset_generates_the_same_again_unless_it_is_to_be_empty():
    emulator = generated(10, 50)
    before = emulator.state()
    emulator.add_group("other", messages=1)
    emulator.reset()
    assert emulator.state() == before
    emulator.reset(empty=True)
    assert emulator.size() == {"groups": 0, "messages": 0, "one_to_one_messages": 0, "accounts": 1}
    emulator.reset()
    assert emulator.state()["groups"] == {}
    with pytest.raises(ValueError, match="not both"):
        emulator.reset(keep_groups=True, empty=True)


def test_all_of_it_can_be_read_through_the_api(emulator, emulator_call):
    emulator.generate(10, 30)
    emulator.assume({"extra_calls_per_second": 100_000})
    for group_id, group in emulator.state()["groups"].items():
        if group["Type"] == "AVChatRoom":
            continue
        for topic, history in (({}, group), *(({"TopicId": name}, topic) for name, topic in group["topics"].items())):
            read, newest = [], history["NextMsgSeq"] - 1
            while history["messages"] and newest >= history["messages"][0]["MsgSeq"]:
                request = {"GroupId": group_id, "ReqMsgNumber": 20, "ReqMsgSeq": newest, "WithRecalledMsg": 1, **topic}
                read += [item["MsgSeq"] for item in emulator_call(GET, request)["RspMsgList"]]
                newest -= 20
            assert read[::-1] == [one["MsgSeq"] for one in history["messages"]]


def test_every_generated_message_is_one_that_the_api_would_have_taken(emulator, emulator_call):
    emulator.assume({"relay_elem": True, "extra_calls_per_second": 100_000})
    group = emulator.add_group(messages=1)
    bodies = {
        element["MsgType"] + str(len(message["MsgBody"])): message["MsgBody"]
        for message in messages_of(generated(10, 200).state())
        if message["MsgBody"] and not message["system"]
        for element in message["MsgBody"]
    }
    assert len(bodies) > len(ELEMENTS)
    for body in bodies.values():
        modification = {"GroupId": group, "MsgSeq": 1, "MsgBody": body}
        assert emulator_call("openim/modify_group_msg", modification)["ErrorCode"] == 0
