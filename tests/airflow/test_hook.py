"""The hook: a connection becomes a client, and its Test says to a person what is wrong."""

from __future__ import annotations

import json
import socket
import traceback
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.hooks.tencentim import TencentIMHook
from airflow_provider_tencentim.operators.group_msg import ClearGroupHistoryOperator


@pytest.fixture
def connect(emulator, monkeypatch):
    """Store a connection like the default one, with some fields changed; return its hook."""

    def store(**changes):
        fields = {
            "conn_type": "tencentim",
            "login": str(emulator.sdkappid),
            "password": emulator.secret_key,
            "host": emulator.url,
            "extra": {},
        }
        monkeypatch.setenv("AIRFLOW_CONN_CHANGED", json.dumps(fields | changes))
        return TencentIMHook("changed")

    return store


def test_get_conn_returns_a_client_that_is_made_once(emulator):
    hook = TencentIMHook()
    assert isinstance(hook.get_conn(), TencentIMClient)
    assert hook.get_conn() is hook.client
    assert hook.client.account_check(["administrator"])["ErrorCode"] == 0


def test_a_good_connection_is_told_in_a_sentence_and_changes_nothing(emulator):
    assert TencentIMHook().test_connection() == (
        True,
        f"App {emulator.sdkappid} answers at {emulator.url} to administrator.",
    )
    assert emulator.stats()["calls"] == {"im_open_login_svc/account_check": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "0" * 64}, "Secret key"),
        ({"login": "1400000001"}, "SDKAppID or Region"),
        ({"extra": {"admin_identifier": "somebody"}}, "App admin"),
        ({"password": ""}, "Secret key (password) is missing"),
        ({"login": "my app"}, "SDKAppID (login)"),
        ({"host": "http://example.com"}, "plain http is refused"),
        ({"extra": {"region": "mars"}, "host": ""}, "region"),
        ({"extra": {"timeout": 3}}, "timeout"),
        ({"extra": {"allowed_commands": ["openim/sendmsg"]}}, "allowed_commands"),
    ],
)
def test_a_test_names_what_has_to_be_corrected(connect, changes, words):
    works, message = connect(**changes).test_connection()
    assert works is False
    assert words in message


def test_an_unreachable_host_is_told_as_such(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    works, message = connect(host=f"http://127.0.0.1:{port}").test_connection()
    assert (works, message.split(":")[0]) == (False, "API host or network")
    assert "refused" in message


def test_a_test_is_tried_once(connect, emulator):
    emulator.add_fault(command="im_open_login_svc/account_check", error_code=10002)
    works, _ = connect().test_connection()
    assert works is False
    assert emulator.stats()["calls"] == {"im_open_login_svc/account_check": 1}


@pytest.mark.parametrize(
    "uri",
    [
        "tencentim://{id}:{key}@{quoted}",
        "tencentim://http://{id}:{key}@127.0.0.1:{port}/",
        "tencentim://{id}:{key}@127.0.0.1:{port}?timeout=5",
    ],
)
def test_a_connection_may_be_a_uri_in_each_of_airflows_forms(emulator, monkeypatch, uri):
    port = emulator.url.rsplit(":", 1)[1]
    monkeypatch.setenv(
        "AIRFLOW_CONN_URI",
        uri.format(id=emulator.sdkappid, key=emulator.secret_key, quoted=quote(emulator.url, safe=""), port=port),
    )
    client = TencentIMHook("uri").get_conn()
    # A host without its scheme is taken to speak https.
    assert client.base_url in (emulator.url, emulator.url.replace("http://", "https://"))


GET_GROUP_INFO = "group_open_http_svc/get_group_info"
CLEAR = "group_open_http_svc/clear_group_msg"


def test_a_connection_that_may_only_read_looks_and_does_not_act(connect, emulator):
    emulator.add_group("room", messages=5)
    connect(extra={"allowed_commands": "read"})
    clear = {"task_id": "clear", "group_id": "room", "clear_all": True, "tencentim_conn_id": "changed"}

    assert ClearGroupHistoryOperator(**clear, dry_run=True).execute({})["would_clear_through"] == 5
    with pytest.raises(AirflowFailException, match="allowed_commands"):
        ClearGroupHistoryOperator(**clear).execute({})

    assert set(emulator.stats()["calls"]) == {GET_GROUP_INFO}


@pytest.mark.parametrize(("allowed", "sent"), [([CLEAR], set()), ([CLEAR, GET_GROUP_INFO], {CLEAR, GET_GROUP_INFO})])
def test_a_list_of_allowed_commands_has_to_name_the_reads_too(connect, emulator, allowed, sent):
    emulator.add_group("room", messages=5)
    connect(extra={"allowed_commands": allowed})
    task = ClearGroupHistoryOperator(task_id="clear", group_id="room", msg_seq=3, tencentim_conn_id="changed")

    if GET_GROUP_INFO in allowed:
        assert task.execute({})["cleared_through"] == 3
    else:
        with pytest.raises(AirflowFailException, match=GET_GROUP_INFO):
            task.execute({})

    assert set(emulator.stats()["calls"]) == sent


def test_a_hook_shows_no_secret(emulator):
    hook = TencentIMHook()
    hook.get_conn()
    for shown in (repr(hook), str(vars(hook)), repr(hook.client), str(vars(hook.client))):
        assert emulator.secret_key not in shown


def test_a_traceback_with_locals_of_a_wrong_connection_does_not_show_the_key(monkeypatch):
    key = "0123456789abcdef" * 4
    for wrong in ({"timeout": 1}, {"nonsense": True}, {"region": "nowhere"}):
        connection = {"conn_type": "tencentim", "login": "1400000000", "password": key, "extra": wrong}
        monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(connection))
        with pytest.raises(ValueError, match="wrong") as raised:
            TencentIMHook("wrong").get_conn()
        error = raised.value.with_traceback(raised.value.__traceback__.tb_next)
        assert key not in "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
