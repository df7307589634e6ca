"""Loading of hourly message files: the messages are the app's own afterwards, or nothing has changed."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_tencentim.emulator import TencentIMEmulator, loading

APP = 1400000000
ROOM = "@TGS#1HYEP2SHC"
GET = "group_open_http_svc/group_msg_get_simple"
SECRET = "nobody may quote this"


def text(words: str) -> list[dict[str, Any]]:
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": words}}]


def group_message(seq: int, **fields: Any) -> dict[str, Any]:
    message = {"From_Account": "leckie", "GroupId": ROOM, "MsgTimestamp": 1_700_000_000 + seq, "MsgSeq": seq}
    return {**message, "MsgBody": text(f"message {seq}"), **fields}


def letter(seq: int, **fields: Any) -> dict[str, Any]:
    message = {"From_Account": "ann", "To_Account": "bob", "MsgTimestamp": 1_700_000_000, "MsgSeq": seq}
    return {**message, "MsgRandom": 77, "MsgBody": text(f"letter {seq}"), **fields}


@pytest.fixture
def write(tmp_path: Path):
    """Write an hourly file as the service lays it out, and return its path."""
    numbers = itertools.count(1)

    def write(*messages: dict[str, Any] | str, kind: str = "Group", app: int = APP, packed: bool = False) -> Path:
        header = f'{{"SdkAppId":{app},"ChatType":"{kind}","MsgTime":"2023111422","MsgList":[\n'
        lines = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in messages]
        content = (header + "".join(f"{line},\n" for line in lines) + "]}\n").encode("utf-8", "surrogatepass")
        path = tmp_path / f"file{next(numbers)}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    return write


def in_room(emulator: TencentIMEmulator) -> dict[int, dict[str, Any]]:
    return {one["MsgSeq"]: one for one in emulator.state(ROOM)["groups"][ROOM]["messages"]}


@pytest.fixture
def empty() -> TencentIMEmulator:
    """An emulator without a socket."""
    return TencentIMEmulator()


@pytest.mark.parametrize("packed", [False, True])
def test_group_messages_keep_their_sequence_numbers_and_can_be_worked_on(emulator, emulator_call, write, packed):
    path = write(group_message(5001), group_message(5004, From_Account="ancillary"), packed=packed)
    assert emulator.load(path) == loading.Loaded(groups=1, messages=2, repeated=0)
    answer = emulator_call(GET, {"GroupId": ROOM, "ReqMsgNumber": 20})
    assert answer["RspMsgList"] == [
        {
            "From_Account": sender,
            "IsPlaceMsg": 0,
            "MsgBody": text(f"message {seq}"),
            "MsgPriority": 2,
            "MsgRandom": 0,
            "MsgSeq": seq,
            "MsgTimeStamp": 1_700_000_000 + seq,
        }
        for seq, sender in ((5004, "ancillary"), (5001, "leckie"))
    ]
    info = emulator_call("group_open_http_svc/get_group_info", {"GroupIdList": [ROOM]})["GroupInfo"][0]
    assert (info["Type"], info["NextMsgSeq"], info["CreateTime"]) == ("Public", 5005, 1_700_005_000)
    recall = {"GroupId": ROOM, "MsgSeqList": [{"MsgSeq": seq} for seq in (5001, 5002)]}
    results = emulator_call("group_open_http_svc/group_msg_recall", recall)["RecallRetList"]
    assert [result["RetCode"] for result in results] == [0, 10030]
    assert {"leckie", "ancillary"} <= set(emulator.state()["accounts"])


def test_a_one_to_one_message_is_found_by_its_msg_key(emulator, emulator_call, write):
    emulator.load(
        write(letter(31906, CloudCustomData="data"), letter(1, From_Account="bob", To_Account="ann"), kind="C2C")
    )
    (conversation,) = emulator.state()["c2c"]
    assert [(one["From_Account"], one["MsgKey"]) for one in conversation["messages"]] == [
        ("bob", "1_77_1700000000"),
        ("ann", "31906_77_1700000000"),
    ]
    assert [one["CloudCustomData"] for one in conversation["messages"]] == [None, "data"]
    request = {"From_Account": "ann", "To_Account": "bob", "MsgKey": "31906_77_1700000000", "MsgBody": text("new")}
    assert emulator_call("openim/modify_c2c_msg", request)["ErrorCode"] == 0
    assert emulator.state()["accounts"] == ["administrator", "ann", "bob"]


def test_files_may_come_in_any_order_and_at_any_time(write):
    hours = [[group_message(seq) for seq in range(first, first + 5)] for first in (101, 110, 120)]
    paths = [write(*hour) for hour in hours]
    paths += [write(*(letter(seq, MsgTimestamp=time) for seq in (1, 2)), kind="C2C") for time in (1_600_000_000, 7)]
    loaded = []
    for order in itertools.islice(itertools.permutations(paths), 0, None, 17):
        together, apart = TencentIMEmulator(), TencentIMEmulator()
        together.load(*order)
        for path in order:
            apart.load(path)
        loaded += [{**one.state(), "groups": one.state()["groups"][ROOM]} for one in (together, apart)]
    assert all(state == loaded[0] for state in loaded)
    assert [one["MsgSeq"] for one in loaded[0]["groups"]["messages"]] == [
        one["MsgSeq"] for hour in hours for one in hour
    ]
    assert loaded[0]["groups"]["CreateTime"] == 1_700_000_100


def test_files_that_come_late_are_read_in_their_place(emulator, emulator_call, write):
    for first in (4, 1):
        emulator.load(write(group_message(first + 1), group_message(first)))
    answer = emulator_call(GET, {"GroupId": ROOM, "ReqMsgNumber": 20})
    assert [item["MsgSeq"] for item in answer["RspMsgList"]] == [5, 4, 2, 1]
    assert re.findall(r'<td class="number">(\d)</td>', emulator.page({"group": ROOM})[1]) == list("5421")


def test_the_same_message_twice_is_one(empty, write):
    first, second = write(group_message(1), group_message(2), group_message(2)), write(group_message(2))
    letters = write(letter(1), letter(1), kind="C2C")
    assert empty.load(first, second, letters) == loading.Loaded(groups=1, messages=3, repeated=3)
    before = empty.state()
    assert empty.load(letters, second) == loading.Loaded(groups=0, messages=0, repeated=3)
    assert empty.state() == before


def test_what_was_done_since_stays_done_when_a_file_is_loaded_again(emulator, emulator_call, write):
    paths = write(group_message(1)), write(letter(1), kind="C2C")
    emulator.load(*paths)
    emulator_call("group_open_http_svc/group_msg_recall", {"GroupId": ROOM, "MsgSeqList": [{"MsgSeq": 1}]})
    request = {"From_Account": "ann", "To_Account": "bob", "MsgKey": "1_77_1700000000", "MsgBody": text("new")}
    emulator_call("openim/modify_c2c_msg", request)
    emulator.load(*paths)
    assert in_room(emulator)[1]["state"] == "recalled"
    assert emulator.state()["c2c"][0]["messages"][0]["MsgBody"] == text("new")


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_messages_with_one_sequence_number_the_later_one_stays(empty, write, order):
    old, new = group_message(1), group_message(1, MsgTimestamp=1_800_000_000, MsgBody=text("of the group made anew"))
    empty.load(*[write(old), write(new)][::order])
    assert in_room(empty)[1]["MsgBody"] == text("of the group made anew")


def test_the_files_do_not_tell_the_type_of_a_group_so_it_can_be_given(empty, write):
    community, topic = "@TGS#_@TGS#2J4SZEAEL", "@TGS#_@TGS#2J4SZEAEL@TOPIC#_dev"
    path = write(
        group_message(1),
        group_message(8, GroupId="known"),
        group_message(1, GroupId=community),
        group_message(4, GroupId=topic),
        group_message(5, GroupId=community, TopicId=topic),
    )
    empty.add_group("known", "Private", messages=2, name="n", owner="ann")
    empty.load(path, group_type="Meeting")
    groups = empty.state()["groups"]
    assert {group_id: group["Type"] for group_id, group in groups.items()} == {
        "known": "Private",
        ROOM: "ChatRoom",
        community: "Community",
    }
    assert [one["MsgSeq"] for one in groups["known"]["messages"]] == [1, 2, 8]
    assert (groups["known"]["Name"], groups["known"]["Owner_Account"]) == ("n", "ann")
    assert [one["MsgSeq"] for one in groups[community]["topics"][topic]["messages"]] == [4, 5]
    with pytest.raises(ValueError, match="type of groups must be one of"):
        empty.load(path, group_type="public")


def test_a_body_that_is_an_object_is_that_of_a_system_message(empty, write):
    tip = group_message(1, MsgBody={"OpType": 1})
    del tip["From_Account"]
    empty.load(write(tip, group_message(2, From_Account="administrator", MsgBody={"OpType": 2})))
    assert [(one["system"], one["From_Account"]) for one in in_room(empty).values()] == [
        (True, "@TIM#SYSTEM"),
        (True, "administrator"),
    ]
    assert "@TIM#SYSTEM" not in empty.state()["accounts"]


def test_a_file_of_another_app_is_refused_unless_it_is_wanted(empty, write):
    path = write(group_message(1), app=1400000001)
    with pytest.raises(ValueError, match=r"line 1: the file of SDKAppID 1400000001, not of 1400000000"):
        empty.load(path)
    assert empty.state()["groups"] == {}
    assert empty.load(path, any_app=True).messages == 1


MALFORMED = [
    ([group_message(1), SECRET], 3, "not a JSON object"),
    ([json.dumps([SECRET])], 2, "not a JSON object"),
    ([group_message(1, MsgSeq=SECRET)], 2, "MsgSeq"),
    ([group_message(1, MsgSeq=True)], 2, "MsgSeq"),
    ([group_message(1, MsgSeq=-1)], 2, "MsgSeq"),
    ([group_message(1, MsgSeq=2**32)], 2, "MsgSeq"),
    ([group_message(1, MsgTimestamp=None)], 2, "MsgTimestamp"),
    ([group_message(1, MsgRandom=1.5)], 2, "MsgRandom"),
    ([group_message(1, MsgBody=SECRET)], 2, "MsgBody"),
    ([group_message(1, GroupId="")], 2, "GroupId"),
    ([group_message(1, GroupId="x" * 257)], 2, "GroupId"),
    ([group_message(1, TopicId=[SECRET])], 2, "TopicId"),
    ([group_message(1, From_Account=[SECRET])], 2, "From_Account"),
    ([group_message(1, CloudCustomData={SECRET: 1})], 2, "CloudCustomData"),
    ([group_message(1, CloudCustomData="\ud83d" + SECRET)], 2, "not a"),
    (['{"GroupId":"x","MsgSeq":1,"MsgTimestamp":1,"From_Account":"\\ud83d","MsgBody":[]}'], 2, "not a message"),
    (['{"GroupId":"x","MsgSeq":1,"MsgTimestamp":1,"From_Account":"x","MsgBody":["\\ud83d"]}'], 2, "not a message"),
    ([group_message(1), letter(1)], 3, "GroupId"),
    (["[" * 100_000], 2, "not a"),
    (['{"MsgBody":' + "[" * 900 + "]" * 900 + "}"], 2, "MsgSeq|not a"),
    ([group_message(1, MsgBody=json.loads("[" * 100 + "]" * 100))], 2, "MsgBody"),
    (['{"x":"' + "x" * 1_048_576 + '"}'], 2, "longer than"),
]


@pytest.mark.parametrize(("messages", "line", "complaint"), MALFORMED)
def test_a_malformed_line_stops_with_file_and_line_and_changes_nothing(empty, write, messages, line, complaint):
    good, bad = write(group_message(7)), write(*messages)
    before = empty.state()
    with pytest.raises(ValueError, match=f"^{re.escape(str(bad))}: line {line}: .*({complaint})") as caught:
        empty.load(good, bad)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert empty.state() == before
    empty.reset()
    assert empty.state() == before


@pytest.mark.parametrize("missing", ["From_Account", "To_Account", "MsgSeq", "MsgRandom", "MsgTimestamp", "MsgBody"])
def test_a_one_to_one_message_needs_everything_that_its_key_is_made_of(empty, write, missing):
    message = {name: value for name, value in letter(1).items() if name != missing}
    with pytest.raises(ValueError, match=f"line 3: {missing} is missing"):
        empty.load(write(letter(2), message, kind="C2C"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "line 1"),
        (b'{"SdkAppId":1400000000}\n]}', "line 1"),
        (b'{"SdkAppId":1400000000,"ChatType":"Group","MsgTime":"2023111422","MsgList":[\n', "ends before"),
        (gzip.compress(b"x" * 100_000)[:-50], "line 1"),
    ],
)
def test_what_is_no_hourly_file_or_not_all_of_one_is_refused(empty, tmp_path, content, complaint):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*{complaint}"):
        empty.load(path)


def test_a_chat_type_that_is_not_known_is_refused(empty, write):
    with pytest.raises(ValueError, match="line 1: ChatType must be one of Group, C2C"):
        empty.load(write(group_message(1), kind="Channel"))


def test_a_small_file_that_unpacks_to_a_giant_line_takes_little_memory(empty, tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(b" " * 1_048_576)
    assert path.stat().st_size < 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="line 1: longer than"):
            empty.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_a_small_file_that_unpacks_to_any_number_of_messages_is_stopped(empty, write, monkeypatch):
    monkeypatch.setattr(loading, "MOST_MESSAGES", 1000)
    assert empty.load(write(*[group_message(1)] * 1000, packed=True)).messages == 1
    with pytest.raises(ValueError, match="line 1002: more than 1,000 messages"):
        empty.load(write(*[group_message(1)] * 1001, packed=True))


def test_reset_loads_the_files_again_unless_it_is_to_be_empty(empty, write):
    path = write(group_message(1))
    empty.generate(3, 5)
    empty.load(path)
    before = empty.state()
    empty.add_group("other")
    empty.reset()
    assert empty.state() == before
    empty.reset(empty=True)
    assert empty.state()["groups"] == {}


def test_a_reset_over_http_says_what_it_misses_when_a_file_is_gone(emulator, write):
    path = write(group_message(1))
    emulator.load(path)
    path.unlink()
    answer = requests.post(emulator.url + "/_emulator/reset", json={}, timeout=5)
    assert answer.status_code == 400
    assert path.name in answer.json()["error"]


def test_what_the_service_delivers_can_be_loaded(emulator, emulator_call, tmp_path):
    """The whole way: messages are sent, the hour's file is asked for, downloaded and loaded into another app."""
    emulator.assume({"history_utc_offset_hours": 0})
    hour = int(emulator.now()) // 3600 * 3600 - 5 * 3600
    moments = range(hour, hour + 3600, 120)
    emulator.add_group(ROOM, messages=[{"MsgBody": f"猫\x01 {at}", "MsgTimeStamp": at} for at in moments])
    for at in moments:
        emulator.add_c2c_message("ann", "bob", {"MsgBody": "hello", "MsgTimeStamp": at})
    paths = []
    for kind in ("Group", "C2C"):
        stamp = f"{datetime.fromtimestamp(hour, UTC):%Y%m%d%H}"
        answer = emulator_call("open_msg_svc/get_history", {"ChatType": kind, "MsgTime": stamp})
        for number, file in enumerate(answer["File"]):
            paths.append(tmp_path / f"{kind}{number}.gz")
            paths[-1].write_bytes(requests.get(file["URL"], timeout=5).content)
    other = TencentIMEmulator()
    assert other.load(*paths).messages == 60
    assert in_room(other) == in_room(emulator)
    assert other.state()["c2c"] == emulator.state()["c2c"]


# --- command line


def run(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_tencentim.emulator", "--port", "0", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TENCENTIM_EMULATOR_SECRET_KEY": "key"},
    )


def test_the_command_line_loads_files_beside_what_it_generates(write):
    paths = write(group_message(1), app=5), write(letter(1), letter(2), kind="C2C", packed=True)
    process = run("--generate", "2x10", "--load", *paths, "--load-type", "Private", "--load-any-app")
    line = process.stdout.readline()
    answer = requests.get(f"{line.split()[0]}/_emulator/state", params={"group": ROOM}, timeout=5)
    group = answer.json()["groups"][ROOM]
    process.terminate()
    process.communicate(timeout=10)
    assert re.fullmatch(r"http://\S+ ready: 3 groups, 21 messages, \d+ one-to-one messages\n", line)
    assert (group["Type"], len(group["messages"])) == ("Private", 1)


def test_the_command_line_says_which_line_of_which_file_is_wrong(write, tmp_path):
    bad = write(group_message(1), SECRET)
    for path, complaint in ((bad, f"{bad}: line 3: not a JSON object"), (tmp_path / "none", "No such file")):
        process = run("--load", write(group_message(1)), path)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (2, "")
        assert complaint in err
        assert SECRET not in err
