"""The page on fidelity: its switches, defaults, commands and tests are those of the code, and none is left out."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.emulator.assumptions import Assumptions
from airflow_provider_tencentim.emulator.commands import HANDLERS

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
TEXT = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
RULES, FIXED, _ = re.split(r"^## (?:Read one way, without a switch|What the emulator does not do)$", TEXT, flags=re.M)
EVERY, NONE = "every command", "–"
SWITCHES = Assumptions().as_dict()
KINDS = get_type_hints(Assumptions)
HELLO = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]


@dataclass(frozen=True)
class Row:
    """A row of the tables; ``basis`` and ``switch`` are empty in the table of what has no switch."""

    command: str
    rule: str
    test: str
    basis: str = ""
    switch: str = ""

    @property
    def commands(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.command)

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.test)

    @property
    def switches(self) -> list[tuple[str, str, str]]:
        """Name, default and other readings of each."""
        return [] if self.switch == NONE else re.findall(r"`(\w+)` = `([^`]*)`; or ([^·]+)", self.switch)


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in found if row[0] != "command" and not row[0].startswith("---")]


ROWS = [Row(command, rule, test, basis, switch) for command, rule, basis, switch, test in cells(RULES)]
FIXED_ROWS = [Row(*row) for row in cells(FIXED)]


def handlers(command: str) -> list[str]:
    """The emulated commands that a name stands for: a service and command, a command, or ``service/*``."""
    if command.endswith("/*"):
        return [path for path in HANDLERS if path.startswith(command[:-1])]
    return [path for path in HANDLERS if command in (path, path.split("/")[1])]


@cache
def functions(file: str) -> frozenset[str]:
    """The tests that a file defines; one in a class has its name before it."""
    found = set()
    for node in ast.parse((FOLDER / file).read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {prefix + one.name for one in inner if isinstance(one, ast.FunctionDef)}
    return frozenset(found)


def written(value: object) -> str:
    """A value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def test_there_are_rules_of_every_kind():
    assert len(ROWS) > 150
    assert len({row.rule + row.command for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert re.fullmatch(r"assumed|(documented|seen): \S.*", row.basis), row
        assert row.rule, row


def test_every_assumed_rule_has_a_switch():
    assert [row for row in ROWS if row.basis == "assumed" and not row.switches] == []


def test_a_cell_of_switches_says_nothing_else():
    for row in ROWS:
        shown = " · ".join(f"`{name}` = `{default}`; or {others.strip()}" for name, default, others in row.switches)
        assert row.switch in (NONE, shown), row


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_stands_in_the_table_with_its_default_and_other_readings(name):
    found = [(default, others) for row in ROWS for switch, default, others in row.switches if switch == name]
    assert found
    assert {default for default, _ in found} == {written(SWITCHES[name])}
    others = " ".join(others for _, others in found)
    if get_origin(KINDS[name]) is not None:
        missing = set(get_args(KINDS[name])) - {SWITCHES[name]} - set(re.findall(r"\w+", others))
        assert missing == set()
    elif KINDS[name] is bool:
        assert written(not SWITCHES[name]) in others
    else:
        assert others.strip()


def test_every_switch_that_is_named_exists():
    named = {name for row in ROWS for name, _, _ in row.switches}
    assert named == set(SWITCHES)
    prose = set(re.findall(r"`(\w+_(?:code|body|limit|rule))`", TEXT)) | set(re.findall(r"--assume (\w+)=", TEXT))
    assert prose <= set(SWITCHES)


@pytest.mark.parametrize("command", HANDLERS)
def test_every_emulated_command_has_a_rule_of_its_own(command):
    own = [row for row in ROWS if any(command in handlers(name) and "*" not in name for name in row.commands)]
    assert own


def test_every_command_of_the_tables_is_one_of_the_emulators():
    for row in ROWS + FIXED_ROWS:
        if row.command == EVERY:
            continue
        assert row.command == ", ".join(f"`{name}`" for name in row.commands), row
        for name in row.commands:
            assert handlers(name), name
            assert "*" in name or len(handlers(name)) == 1, f"{name} is ambiguous"


def test_every_rule_has_a_test_that_exists():
    for row in ROWS + FIXED_ROWS:
        assert row.test == ", ".join(f"`{name}`" for name in row.tests) != "", row
        for name in row.tests:
            file, _, function = name.partition("[")[0].partition("::")
            assert function in functions(file), name


def test_every_row_of_a_test_that_is_named_exists():
    named = {name for row in ROWS + FIXED_ROWS for name in row.tests if "[" in name}
    files = sorted({str(FOLDER / name.split("::")[0]) for name in named})
    collecting = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    collected = subprocess.run(collecting, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert collected.returncode == 0, collected.stdout[-2000:] + collected.stderr[-2000:]
    existing = {line.rpartition("tests/contract/")[2] for line in collected.stdout.splitlines()}
    assert len(existing) > 500
    assert named - existing == set()


# What was seen as an ErrorInfo: the query to change, the body, the code, how its text begins.
SEEN_TEXTS = [
    ({"method": "GET"}, {}, 60002, "HTTP parse Error"),
    ({"path": "/v4/openim/x"}, {}, 60008, "service timeout or request format error,please check and try again"),
    ({"path": "/v4/im_open_login_svc/account_import"}, {"UserID": 1}, 60015, "body account invalid"),
    ({"usersig": "x"}, {}, 70003, "The UserSig in use is illegal. Please regenerate UserSig through official API"),
    ({"usersig": "of another key"}, {}, 70009, "UserSig verification Failed. The UserSig in use maybe generated by"),
    ({"identifier": "x"}, {}, 70013, "Err_TLS_Third_Sig_Check_Sig_Identifier_Unmatch"),
    ({}, b"{", 90001, "Fail to Parse json data of body, Please check it"),
    ({}, {"To_Account": "nobody", "MsgRandom": 1, "MsgBody": HELLO}, 90012, "invalid To_Account"),
    ({"path": "/v4/group_open_http_svc/clear_group_msg"}, {"GroupId": "x"}, 10010, "this group does not exist"),
]


@pytest.mark.parametrize(("query", "body", "code", "text"), SEEN_TEXTS, ids=[str(row[2]) for row in SEEN_TEXTS])
def test_a_text_that_was_seen_is_the_emulators(emulator, emulator_call, query, body, code, text):
    if query.get("usersig") == "of another key":
        query = {"usersig": TLSSigAPIv2(emulator.sdkappid, "another key").gen_sig(emulator.identifier)}
    answer = emulator_call("openim/sendmsg", body, **query)
    assert (answer["ErrorCode"], answer["ErrorInfo"][: len(text)]) == (code, text)


MODIFY, MODIFY_C2C, SENDMSG = "openim/modify_group_msg", "openim/modify_c2c_msg", "openim/sendmsg"
CLEAR, RECALL = "group_open_http_svc/clear_group_msg", "group_open_http_svc/group_msg_recall"
GET, SEND = "group_open_http_svc/group_msg_get_simple", "group_open_http_svc/send_group_msg"
LETTER = {"From_Account": "a", "To_Account": "b", "MsgBody": HELLO}
LONG = {"MsgBody": HELLO, "CloudCustomData": "x" * 12_288}

# Switches that no other test moves: what is refused with the code that is put into each.
CODES: dict[str, tuple[str, Any]] = {
    "account_json_code": ("im_open_login_svc/account_import", b"{"),
    "other_json_code": ("openconfigsvr/getappinfo", b"{"),
    "request_size_code": ("openconfigsvr/getappinfo", b"{}" + b" " * 1_048_576),
    "group_too_long_code": (SEND, {"GroupId": "room", "Random": 1, **LONG}),
    "openim_too_long_code": (MODIFY, {"GroupId": "room", "MsgSeq": 1, **LONG}),
    "malformed_group_code": (CLEAR, {"GroupId": ""}),
    "unknown_group_code": (CLEAR, {"GroupId": "nowhere"}),
    "unknown_topic_code": (GET, {"GroupId": "@TGS#_c", "TopicId": "x", "ReqMsgNumber": 1}),
    "topic_elsewhere_code": (GET, {"GroupId": "room", "TopicId": "x", "ReqMsgNumber": 1}),
    "history_avchatroom_code": (GET, {"GroupId": "live", "ReqMsgNumber": 1}),
    "recall_too_many_code": (RECALL, {"GroupId": "room", "MsgSeqList": [{"MsgSeq": 1}] * 11}),
    "modify_field_code": (MODIFY, {"GroupId": "room", "MsgBody": HELLO}),
    "modify_nothing_code": (MODIFY, {"GroupId": "room", "MsgSeq": 1}),
    "modify_missing_code": (MODIFY, {"GroupId": "room", "MsgSeq": 9, "MsgBody": HELLO}),
    "modify_recalled_code": (MODIFY, {"GroupId": "room", "MsgSeq": 2, "MsgBody": HELLO}),
    "modify_expired_code": (MODIFY, {"GroupId": "room", "MsgSeq": 3, "MsgBody": HELLO}),
    "modify_system_code": (MODIFY, {"GroupId": "room", "MsgSeq": 4, "MsgBody": HELLO}),
    "modify_avchatroom_code": (MODIFY, {"GroupId": "live", "MsgSeq": 1, "MsgBody": HELLO}),
    "modify_c2c_missing_code": (MODIFY_C2C, {**LETTER, "MsgKey": "9_2_3"}),
    "modify_c2c_recalled_code": (MODIFY_C2C, {**LETTER, "MsgKey": "2_2_3"}),
    "clear_community_code": (CLEAR, {"GroupId": "@TGS#_c"}),
    "unknown_sender_code": (SENDMSG, {**LETTER, "From_Account": "nobody", "MsgRandom": 1}),
    "account_batch_code": ("im_open_login_svc/account_check", {"CheckItem": []}),
}


@pytest.fixture
def world(emulator: TencentIMEmulator) -> TencentIMEmulator:
    """Messages in every state: normal, recalled, expired, a tip."""
    states = [{"MsgBody": "x", "state": state} for state in ("normal", "recalled", "expired")]
    emulator.add_group("room", messages=[*states, {"MsgBody": {"OpType": 1}, "IsSystemMsg": 1}])
    emulator.add_group("live", "AVChatRoom", messages=1)
    emulator.add_group("@TGS#_c", "Community", messages=1, topics={"topic": 1})
    for seq, message in enumerate(states, 1):
        emulator.add_c2c_message("a", "b", {**message, "MsgSeq": seq, "MsgRandom": 2, "MsgTimeStamp": 3})
    return emulator


@pytest.mark.parametrize("name", CODES)
def test_a_code_can_be_changed(world, emulator_call, name):
    world.assume({name: 99_999})
    assert emulator_call(*CODES[name])["ErrorCode"] == 99_999


def test_the_codes_around_the_signature_can_be_changed(world, emulator_call):
    world.assume({"missing_identifier_code": 60005, "non_admin_code": 90009})
    assert emulator_call(SENDMSG, {}, identifier=None)["ErrorCode"] == 60005
    usersig = TLSSigAPIv2(world.sdkappid, world.secret_key).gen_sig("a")
    assert emulator_call(SENDMSG, {}, identifier="a", usersig=usersig)["ErrorCode"] == 90009


@pytest.mark.parametrize(
    ("name", "command", "body", "code"),
    [
        ("request_size_limit", "openconfigsvr/getappinfo", b"{}   ", 93000),
        ("answer_size_limit", "openconfigsvr/getappinfo", b"{}", 10018),
        ("group_name_limit", "group_open_http_svc/create_group", {"Type": "Public", "Name": "name5"}, 10004),
    ],
)
def test_a_limit_can_be_changed(world, emulator_call, name, command, body, code):
    assert emulator_call(command, body)["ErrorCode"] == 0
    world.assume({name: 4})
    assert emulator_call(command, body)["ErrorCode"] == code


def test_the_answers_to_tips_doubles_and_pages_can_be_changed(world, emulator_call):
    world.assume({"recall_of_system": 10030, "duplicate_seq": "zero", "roam_page_bytes": 1})
    recall = emulator_call(RECALL, {"GroupId": "room", "MsgSeqList": [{"MsgSeq": 4}]})
    assert recall["RecallRetList"] == [{"MsgSeq": 4, "RetCode": 10030}]
    sending = {"GroupId": "room", "Random": 1, "MsgBody": HELLO}
    assert [emulator_call(SEND, sending)["MsgSeq"] for _ in range(2)] == [5, 0]
    window = {"Operator_Account": "a", "Peer_Account": "b", "MaxCnt": 9, "MinTime": 0, "MaxTime": 9}
    assert (page := emulator_call("openim/admin_getroammsg", window))["Complete"] == 0
    assert page["MsgCnt"] == 1
