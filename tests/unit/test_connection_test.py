"""The Test of a connection: what it sends, and the sentence for the person who set the connection up."""

from __future__ import annotations

import json
import socket
import sys
from types import SimpleNamespace

import pytest
from scripted_server import OK, SDKAPPID, SECRET_KEY, ScriptedServer, answer

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMPaceError
from airflow_provider_tencentim.get_provider_info import CONN_FIELDS, UI_FIELD_BEHAVIOUR
from airflow_provider_tencentim.hooks.tencentim import TencentIMHook

CHECK = "im_open_login_svc/account_check"

WRONG_KEY = "Secret key: it is not the key of this SDKAppID, or no longer"
WRONG_APP = "SDKAppID or Region: there is no such app at this data center"
NOT_ADMIN = "App admin: this account is not an administrator of the app"


@pytest.fixture
def hook_of(monkeypatch):
    """Store a connection, and return its hook."""

    def store(url, extra=None, **fields):
        standard = {"conn_type": "tencentim", "login": str(SDKAPPID), "password": SECRET_KEY, "host": url}
        monkeypatch.setenv("AIRFLOW_CONN_IM", json.dumps(standard | {"extra": extra or {}} | fields))
        return TencentIMHook("im")

    return store


def outcome_of(hook_of, reply, **extra):
    with ScriptedServer(reply) as server:
        result = hook_of(server.url, extra).test_connection()
    return result, server


def test_a_connection_that_works_is_told_with_app_host_and_admin(hook_of):
    (works, message), server = outcome_of(hook_of, OK, admin_identifier="ann")

    assert works is True
    assert message == f"App {SDKAPPID} answers at {server.url} to ann."


def test_a_test_asks_once_after_the_admin_itself(hook_of):
    (works, _), server = outcome_of(hook_of, answer(10002), admin_identifier="ann")

    assert works is False
    assert [(request.command, request.json()) for request in server.requests] == [
        (CHECK, {"CheckItem": [{"UserID": "ann"}]})
    ]


def test_the_connection_of_a_test_is_closed_behind_it(hook_of, monkeypatch):
    closed = []
    close = TencentIMClient.close
    monkeypatch.setattr(TencentIMClient, "close", lambda self: (closed.append(self), close(self)))
    outcome_of(hook_of, OK)

    assert len({id(client) for client in closed}) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        *((code, WRONG_KEY) for code in (70003, 70009)),
        *((code, WRONG_APP) for code in (60006, 70020)),
        *((code, NOT_ADMIN) for code in (60010, 90009)),
    ],
)
def test_a_code_that_somebody_can_correct_is_told_by_the_field_that_is_wrong(hook_of, code, said):
    (works, message), _ = outcome_of(hook_of, answer(code, "words of the server"))

    assert (works, message) == (False, f"{said}. (ErrorCode {code}: words of the server)")


def test_a_code_without_words_says_so(hook_of):
    (_, message), _ = outcome_of(hook_of, answer(60010))

    assert message == f"{NOT_ADMIN}. (ErrorCode 60010: no ErrorInfo)"


def test_any_other_code_is_told_as_the_error_it_is(hook_of):
    (works, message), _ = outcome_of(hook_of, answer(10010, "words"))

    assert works is False
    assert message.startswith(f"{CHECK} failed with ErrorCode 10010 (words): ")


def test_a_host_that_does_not_answer_is_named(hook_of):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    assert hook_of(url).test_connection() == (
        False,
        f"API host or network: no usable answer from {url}. (ConnectionRefusedError: Connection refused)",
    )


def test_a_pace_that_cannot_be_kept_is_told_as_what_it_is(hook_of, monkeypatch):
    def fails(*_, **__):
        raise TencentIMPaceError(CHECK, None, "the store is gone")

    monkeypatch.setattr(TencentIMClient, "account_check", fails)

    assert hook_of("http://127.0.0.1:9").test_connection() == (False, "Rate-limit store: the store is gone.")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": ""}, "SDKAppID (login) is missing or not a whole number."),
        ({"extra": {"timeout": 3}}, "timeout must be from 4 to 300 seconds."),
        ({"extra": {"rate_limit_store": "nowhere"}}, "rate_limit_store is neither machine, nor process, nor"),
    ],
)
def test_a_connection_that_makes_no_client_is_told_without_a_call(hook_of, fields, message):
    works, said = hook_of("http://127.0.0.1:9", **fields).test_connection()

    assert works is False
    assert said.startswith(message)
    assert said.endswith(".")


@pytest.mark.parametrize("timeout", [None, 200])
def test_a_test_takes_no_longer_than_a_person_waits(hook_of, monkeypatch, timeout):
    timeouts = []

    class Noting(TencentIMClient):
        def account_check(self, *arguments, **options):
            timeouts.append(self._transport._wire._timeout)
            return super().account_check(*arguments, **options)

    monkeypatch.setattr("airflow_provider_tencentim.hooks.tencentim.TencentIMClient", Noting)
    (works, _), _ = outcome_of(hook_of, OK, timeout=timeout)

    assert works
    assert timeouts == [(4.0, 4.0)]


# --- the client of a hook ---


def test_a_hook_without_an_id_is_that_of_the_default_connection():
    assert TencentIMHook().tencentim_conn_id == "tencentim_default"
    assert TencentIMHook(tencentim_conn_id="im").tencentim_conn_id == "im"


def test_a_client_is_made_once_of_the_connection_and_of_those_that_it_names(hook_of, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CACHE", "redis://cache")
    hook = hook_of("https://gateway", {"rate_limit_store": "cache", "timeout": 7})

    assert hook.client is hook.get_conn() is hook.client
    assert (hook.client.sdkappid, hook.client.base_url) == (SDKAPPID, "https://gateway")
    assert hook.client._transport._wire._timeout == (5.0, 7.0)
    assert "'cache'" in hook.client._transport._pacer._store


def test_a_connection_that_makes_no_client_is_named_with_its_field(hook_of):
    for ask in (TencentIMHook.get_conn, lambda hook: hook.client):
        with pytest.raises(ValueError, match=r"^connection 'im': timeout must be from 4 to 300 seconds$"):
            ask(hook_of("https://gateway", {"timeout": 3}))


# --- the form of Airflow before 3.2 ---


def test_the_standard_fields_of_the_form_are_named_as_airflow_2_has_it():
    behaviour = TencentIMHook.get_ui_field_behaviour()

    assert behaviour == {
        "hidden_fields": UI_FIELD_BEHAVIOUR["hidden-fields"],
        "relabeling": UI_FIELD_BEHAVIOUR["relabeling"],
        "placeholders": UI_FIELD_BEHAVIOUR["placeholders"],
    }


@pytest.fixture
def form_library(monkeypatch):
    """In the place of the libraries of Airflow 2's form: what they were asked for."""

    def noting(kind):
        return lambda *arguments, **options: SimpleNamespace(kind=kind, arguments=arguments, **options)

    for name, members in {
        "flask_appbuilder": {},
        "flask_appbuilder.fieldwidgets": {"BS3TextFieldWidget": lambda: "text"},
        "wtforms": {"IntegerField": noting("integer"), "StringField": noting("string")},
        "wtforms.validators": {"Optional": lambda: "optional", "any_of": lambda values: ("any of", values)},
    }.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**members))


def test_the_extra_fields_of_the_form_are_those_of_the_table(form_library):
    widgets = TencentIMHook.get_connection_form_widgets()

    assert list(widgets) == list(CONN_FIELDS)
    for name, widget in widgets.items():
        field = CONN_FIELDS[name]
        assert (widget.arguments, widget.description) == ((field["label"],), field["description"])
        assert (widget.widget, widget.default) == ("text", field["schema"].get("default"))
    assert {name for name, widget in widgets.items() if widget.kind == "integer"} == {"usersig_ttl"}
    assert widgets["region"].validators == [("any of", ["", *CONN_FIELDS["region"]["schema"]["enum"]])]
    assert all(widget.validators == ["optional"] for name, widget in widgets.items() if name != "region")
