"""Tracebacks that print local variables, as error trackers do: neither the key nor a signature is among them."""

from __future__ import annotations

import traceback

import pytest
from scripted_server import ScriptedServer
from scripted_server import http as reply

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMError
from airflow_provider_tencentim.client.pacing import ProcessPacer

FAULTS = [
    {"error_code": 10002},
    {"error_code": 60007},
    {"error_code": 70009},
    {"http_status": 502},
    {"drop": True},
    {"drop": True, "after_commit": True},
    {"body": "malformed"},
]


def said_with_locals(error):
    """All that a traceback with local variables says, causes and contexts included, without the test's own frame."""
    error.__traceback__ = error.__traceback__.tb_next
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.fixture
def signatures(monkeypatch):
    """Every UserSig that is used."""
    seen = set()
    query = transport.Transport._query

    def noting(self, usersig):
        seen.add(usersig.reveal())
        return query(self, usersig)

    monkeypatch.setattr(transport.Transport, "_query", noting)
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)
    return seen


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_traceback_with_locals_shows_neither_key_nor_signature(emulator, signatures, fault):
    emulator.add_group("room", messages=["hello"])
    emulator.add_fault(**fault)
    with (
        TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url, pacer=ProcessPacer()) as client,
        pytest.raises(TencentIMError) as raised,
    ):
        client.modify_group_msg("room", 1, "removed")

    said = said_with_locals(raised.value)
    assert signatures
    assert emulator.secret_key not in said
    assert not [usersig for usersig in signatures if usersig in said]
    assert "usersig=" not in said


WRONG_ARGUMENTS = {
    "sdkappid": 0,
    "usersig_ttl": 1,
    "timeout": 1,
    "calls_per_second": 0,
    "identifier": "",
    "region": "moon",
    "base_url": "http://example.com",
    "ca_bundle": "/nowhere",
    "allowed_commands": "write",
}


@pytest.mark.parametrize("wrong", WRONG_ARGUMENTS)
def test_a_client_that_is_refused_shows_no_key(emulator, wrong):
    arguments = {"sdkappid": emulator.sdkappid, wrong: WRONG_ARGUMENTS[wrong]}
    with pytest.raises(ValueError, match="plain http" if wrong == "base_url" else wrong) as raised:
        TencentIMClient(secret_key=emulator.secret_key, **arguments)

    said = said_with_locals(raised.value)
    assert "SecretKey(***)" in said
    assert emulator.secret_key not in said


def test_an_answer_without_sense_is_not_shown():
    """The body of the last try is among the local variables of the frames that read it."""
    body = b'{"ErrorCode": 0, "ActionStatus": "FAIL", "RspMsgList": "words of somebody"}'
    with ScriptedServer(reply(body)) as server, server.client() as client, pytest.raises(TencentIMError) as raised:
        client.call("group_open_http_svc/group_msg_get_simple", {}, tries=1)

    assert "words of somebody" not in said_with_locals(raised.value)
