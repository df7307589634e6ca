"""Tracebacks that print local variables, as error trackers do: nothing of messages, and neither key nor signature."""

from __future__ import annotations

import http.client
import traceback

import pytest
from retention_runs import days_ago
from scripted_server import ScriptedServer
from scripted_server import http as reply
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)
from airflow_provider_tencentim.operators.retention import C2CRetentionOperator, GroupRetentionOperator

STORED = "stored-words-of-somebody"
GROUP_HISTORY = "group_open_http_svc/group_msg_get_simple"
LETTERS = "openim/admin_getroammsg"
WRITES = {
    "clear": "group_open_http_svc/clear_group_msg",
    "recall": "group_open_http_svc/group_msg_recall",
    "redact": "openim/modify_group_msg",
}
FAULTS = [{"error_code": 10002}, {"error_code": 70009}, {"http_status": 502}, {"drop": True, "after_commit": True}]


@pytest.fixture
def signed(monkeypatch):
    """Every UserSig that is made; and no waits."""
    made = set()
    sign = TLSSigAPIv2.gen_sig

    def sign_and_note(self, *args, **kwargs):
        made.add(usersig := sign(self, *args, **kwargs))
        return usersig

    monkeypatch.setattr(TLSSigAPIv2, "gen_sig", sign_and_note)
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)
    return made


@pytest.fixture
def said(emulator, make_dag, run_dag, signed):
    """Run tasks that fail, and return what their tracebacks say."""

    def run(make_tasks):
        with make_dag() as dag:
            make_tasks()
        outcome = run_dag(dag)
        assert "failed" in outcome.tasks.values(), outcome.tasks
        texts = {}
        for name, error in outcome.errors.items():
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            texts[name] = "".join(told.format())
            assert "self = " in texts[name]  # local variables are told
        assert signed
        for name, text in texts.items():
            for secret in (STORED, emulator.secret_key, "usersig=", *signed):
                assert secret not in text, f"{name}: {text[text.index(secret) - 400 :][:600]}"
        return texts

    return run


@pytest.fixture
def spoiled(emulator, monkeypatch):
    """Put a server before the emulator that changes the answers of commands which read messages."""

    def start(spoil):
        def forward(request):
            connection = http.client.HTTPConnection(emulator.host, emulator.port, timeout=10)
            connection.request(request.method, request.target, request.body)
            body = connection.getresponse().read()
            connection.close()
            return reply(spoil(body) if request.command in (GROUP_HISTORY, LETTERS) else body)

        server = ScriptedServer(forward)
        uri = emulator.connection_uri.replace(f"%3A{emulator.port}", f"%3A{server.port}")
        monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", uri)
        return server

    return start


def seed(emulator):
    said = {"MsgBody": STORED, "CloudCustomData": STORED}
    emulator.add_group("room", messages=[{**said, "MsgTimeStamp": days_ago(age)} for age in (50, 40, 5)])
    return emulator.add_c2c_message("ann", "bob", {**said, "MsgTimeStamp": days_ago(40)})


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_operators_that_fail(emulator, said, fault):
    key = seed(emulator)
    emulator.add_fault(**fault)

    def tasks():
        ModifyGroupMsgOperator(task_id="modify", group_id="room", msg_seq=1, msg_body="x")
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-3")
        ClearGroupHistoryOperator(task_id="clear", group_id="room", msg_seq=2)
        ModifyC2CMsgOperator(task_id="letter", from_account="ann", to_account="bob", msg_key=key, msg_body="x")

    said(tasks)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_retention_that_cannot_write(emulator, said, fault, tmp_path):
    """Messages were read then, and archived."""
    seed(emulator)
    for command in WRITES.values():
        emulator.add_fault(command=command, **fault)

    def tasks():
        for action in WRITES:
            policy = {"older_than": "P30D", "action": action, "groups": ["room"]}
            policy |= {"replacement": "x"} if action == "redact" else {}
            GroupRetentionOperator(task_id=action, policy=policy, archive_to=f"{tmp_path}/archive")

    said(tasks)


SPOILED = {
    "no_end": lambda body: body[:-1],
    "contradiction": lambda body: body.replace(b'"OK"', b'"FAIL"'),
    "no_error_code": lambda body: body.replace(b'"ErrorCode"', b'"Code"'),
    "seqs_are_texts": lambda body: body.replace(b'"MsgSeq":', b'"MsgSeq":"1","x":'),
    "seqs_run_upwards": lambda body: body.replace(b'"MsgSeq":', b'"MsgSeq":9,"x":'),
    "no_times": lambda body: body.replace(b'"MsgTimeStamp":', b'"MsgTimeStamp":99999999999999,"x":'),
    "no_body": lambda body: body.replace(b'"MsgBody":', b'"MsgBody":7,"x":'),
    "no_list": lambda body: body.replace(b'"RspMsgList":', b'"x":').replace(b'"MsgList":', b'"x":'),
    "keys_are_numbers": lambda body: body.replace(b'"MsgKey":', b'"MsgKey":1,"x":'),
    "custom_is_a_number": lambda body: body.replace(b'"CloudCustomData":', b'"CloudCustomData":1,"x":'),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_answers_that_make_no_sense(emulator, said, spoiled, spoil, tmp_path):
    seed(emulator)
    common = {"older_than": "P30D", "action": "recall", "text_matches": ["^stored"]}

    def tasks():
        GroupRetentionOperator(task_id="groups", policy={**common, "groups": ["room"]})
        C2CRetentionOperator(task_id="letters", policy={**common, "pairs": [["ann", "bob"]]})
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-3", dry_run=True)

    with spoiled(SPOILED[spoil]):
        said(tasks)
