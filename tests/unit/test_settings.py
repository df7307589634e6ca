"""A connection of type ``tencentim``: what each field means, and that none is misread in silence."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.get_provider_info import CONN_FIELDS
from airflow_provider_tencentim.hooks.settings import client_arguments
from airflow_provider_tencentim.hooks.tencentim import TencentIMHook

# Airflow 2 warns of what these tests are about, and reads on.
pytestmark = pytest.mark.filterwarnings("ignore:Encountered")

KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"


def connection(extra=None, **fields):
    """A connection with the two fields that are enough, and others."""
    if extra is not None and not isinstance(extra, str):
        extra = json.dumps(extra)
    standard = {"conn_id": "im", "conn_type": "tencentim", "login": "1400000000", "password": KEY}
    return Connection(**{**standard, "extra": extra, **fields})


def client_of(extra=None, **fields):
    return TencentIMClient(**client_arguments(connection(extra, **fields)))


def test_sdkappid_and_key_are_enough():
    client = client_of()

    assert (client.sdkappid, client.identifier) == (1400000000, "administrator")
    assert client.base_url == "https://console.tim.qq.com"


EVERY_FIELD = {
    "region": "seoul",
    "admin_identifier": "boss",
    "usersig_ttl": 3600,
    "timeout": 5.5,
    "calls_per_second": 50,
    "rate_limit_store": "process",
    "allowed_commands": ["openim/modify_group_msg", "openim/modify_c2c_msg"],
}
EVERY_FIELD_AS_TEXT = {
    **{name: str(value) for name, value in EVERY_FIELD.items()},
    "allowed_commands": "openim/modify_group_msg, openim/modify_c2c_msg",
}
MEANING = {
    "sdkappid": 1400000000,
    "secret_key": KEY,
    "base_url": "https://adminapikr.im.qcloud.com",
    "identifier": "boss",
    "usersig_ttl": 3600,
    "timeout": 5.5,
    "calls_per_second": 50.0,
    "allowed_commands": ["openim/modify_group_msg", "openim/modify_c2c_msg"],
}


def test_every_extra_field_reaches_the_client():
    assert client_arguments(connection(EVERY_FIELD)) == MEANING
    TencentIMClient(**MEANING)


def test_text_of_the_right_form_means_the_same():
    assert client_arguments(connection(EVERY_FIELD_AS_TEXT)) == MEANING
    assert type(client_arguments(connection(EVERY_FIELD_AS_TEXT))["usersig_ttl"]) is int


def test_a_ca_bundle_is_a_path():
    assert client_arguments(connection({"ca_bundle": "/etc/ca.pem"}))["ca_bundle"] == "/etc/ca.pem"


def test_only_reading_may_be_allowed():
    assert client_arguments(connection({"allowed_commands": "read"}))["allowed_commands"] == "read"
    assert client_arguments(connection({"allowed_commands": ["a/b"]}))["allowed_commands"] == ["a/b"]
    assert client_arguments(connection({"allowed_commands": " a/b ,c/d"}))["allowed_commands"] == ["a/b", "c/d"]


@pytest.mark.parametrize("name", CONN_FIELDS)
@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_null_and_empty_mean_unset(name, nothing):
    assert client_arguments(connection({name: nothing})) == client_arguments(connection())


@pytest.mark.parametrize("extra", [None, "", " ", "{}"])
def test_no_extra_at_all_is_fine(extra):
    assert client_arguments(connection(extra)) == client_arguments(connection())


def test_a_uri_json_and_an_object_mean_the_same(monkeypatch):
    query = "&".join(f"{name}={value}" for name, value in EVERY_FIELD_AS_TEXT.items()).replace("/", "%2F")
    standard = {"conn_type": "tencentim", "login": "1400000000", "password": KEY}
    forms = {
        "URI": f"tencentim://1400000000:{KEY}@?{query}",
        "JSON": json.dumps({**standard, "extra": EVERY_FIELD}),
        "JSON in JSON": json.dumps({**standard, "extra": json.dumps(EVERY_FIELD_AS_TEXT)}),
    }

    meanings = {"object": client_arguments(connection(EVERY_FIELD))}
    for name, form in forms.items():
        monkeypatch.setenv("AIRFLOW_CONN_IM", form)
        meanings[name] = client_arguments(TencentIMHook.get_connection("im"))

    assert meanings == dict.fromkeys(meanings, MEANING)


def test_a_uri_of_two_fields_makes_a_client(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", f"tencentim://1400000000:{KEY}@")

    assert TencentIMHook().get_conn().base_url == "https://console.tim.qq.com"


def test_a_uri_may_name_a_whole_base_url(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_IM", f"tencentim://1400000000:{KEY}@http%3A%2F%2F127.0.0.1%3A8790?timeout=5")

    assert TencentIMHook("im").get_conn().base_url == "http://127.0.0.1:8790"


def test_a_hook_makes_its_client_once(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_IM", f"tencentim://1400000000:{KEY}@")
    hook = TencentIMHook("im")

    assert hook.get_conn() is hook.get_conn() is hook.client


# --- which host, which port ---


@pytest.mark.parametrize(
    ("fields", "region", "base_url"),
    [
        ({}, None, "https://console.tim.qq.com"),
        ({}, "seoul", "https://adminapikr.im.qcloud.com"),
        ({"port": 443}, "seoul", "https://adminapikr.im.qcloud.com:443"),
        ({"host": ""}, "tokyo", "https://adminapijpn.im.qcloud.com"),
        ({"host": "  "}, "tokyo", "https://adminapijpn.im.qcloud.com"),
        ({"host": "gateway.example.com"}, None, "https://gateway.example.com"),
        ({"host": " gateway.example.com "}, "seoul", "https://gateway.example.com"),
        ({"host": "gateway.example.com", "port": 8443}, None, "https://gateway.example.com:8443"),
        ({"host": "gateway.example.com:9443", "port": 8443}, None, "https://gateway.example.com:9443"),
        ({"host": "https://gateway.example.com/", "port": 8443}, None, "https://gateway.example.com:8443"),
        ({"host": "http://127.0.0.1:8790", "port": 443}, "seoul", "http://127.0.0.1:8790"),
        ({"host": "http://localhost", "port": 8790}, None, "http://localhost:8790"),
        ({"host": "127.0.0.1", "port": 8790}, None, "https://127.0.0.1:8790"),
    ],
)
def test_a_host_wins_over_the_region_and_a_port_inside_it_over_the_port(fields, region, base_url):
    assert client_of({"region": region}, **fields).base_url == base_url


@pytest.mark.parametrize(
    "host",
    [
        "http://gateway.example.com",
        "https://gateway.example.com/v4",
        "https://ann:secret@gateway.example.com",
        "gateway.example.com/v4",
        "a gateway",
        "ftp://gateway.example.com",
    ],
)
def test_a_host_that_is_none_is_named(host):
    with pytest.raises(ValueError, match=r"API host \(host\)") as caught:
        client_of(host=host)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", [None, "gateway.example.com"])
def test_a_port_that_is_none_is_named(host):
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        client_of(host=host, port=70_000)


# --- what is wrong is named ---


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"login": None}, "SDKAppID"),
        ({"login": ""}, "SDKAppID"),
        ({"login": "app"}, "SDKAppID"),
        ({"login": "-1"}, "SDKAppID"),
        ({"login": "1.4e9"}, "SDKAppID"),
        ({"login": "１４"}, "SDKAppID"),
        ({"login": "0"}, "sdkappid"),
        ({"password": None}, "Secret key"),
        ({"password": ""}, "Secret key"),
        ({"password": "  "}, "Secret key"),
        ({"schema": "http"}, "schema"),
        ({"conn_type": "http"}, "type"),
    ],
)
def test_a_standard_field_that_is_missing_or_wrong_is_named(fields, said):
    with pytest.raises(ValueError, match=said):
        client_of(**fields)


def test_an_sdkappid_may_come_as_a_number_as_from_a_file_of_connections_in_yaml():
    assert client_of(login=1400000000).sdkappid == 1400000000


WRONG = {
    "region": ["mars", "China", 7, ["china"], " "],
    "admin_identifier": [7, " ", "a" * 33, "管理员", ["x"], True],
    "usersig_ttl": [59, 0, -1, "x", 3600.5, "3600.5", "-1", True, [3600], 10**12],
    "timeout": [3.99, "3", 301, "x", True, [5], "1e1", "-5", {"a": 1}],
    "calls_per_second": [0, -1, 200.1, "201", "x", True, [5]],
    "rate_limit_store": [7, ["process"], " ", True],
    "ca_bundle": [7, True, ["x"], " "],
    "allowed_commands": [7, True, {}, [], [7], ["read", ""], "write", ",", "openim/x;openim/y", ["../x"], " "],
}


def test_the_table_of_wrong_values_knows_every_field():
    assert set(WRONG) == set(CONN_FIELDS)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_an_extra_field_of_a_wrong_type_or_value_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        client_of({name: value})


@pytest.mark.parametrize(
    "name", ["Region", "calls-per-second", "verify", "proxy", "extra__tencentim__region", "", " region"]
)
def test_an_unknown_extra_field_is_named_with_those_that_are_known(name):
    with pytest.raises(ValueError, match="unknown field") as caught:
        client_of({"region": "seoul", name: "x"})

    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in CONN_FIELDS)


@pytest.mark.parametrize(
    "extra",
    ["{", "region=seoul", '{"allowed_commands": "read"', "read", "[]", '["read"]', '"read"', "7", "null", "true"],
)
def test_an_extra_that_is_no_json_object_is_an_error_and_not_ignored(extra):
    with pytest.raises(ValueError, match="extra"):
        client_arguments(connection(extra))


@pytest.mark.parametrize(
    "extra", [f'{{"{name}": NaN}}' for name in ("timeout", "calls_per_second")] + ['{"timeout": Infinity}']
)
def test_a_number_that_is_none_is_refused(extra):
    with pytest.raises(ValueError, match=r"timeout|calls_per_second"):
        client_of(extra)


@pytest.mark.parametrize(
    "fields",
    [
        {"login": KEY},
        {"login": f"x{KEY}"},
        {"host": f"https://{KEY}:x@gateway"},
        {"host": f"http://{KEY}"},
        {"schema": KEY},
        {"conn_type": KEY},
        *({"extra": {name: KEY}} for name in CONN_FIELDS if name != "ca_bundle"),
        *({"extra": {name: [KEY]}} for name in CONN_FIELDS),
        {"extra": KEY},
        {"extra": f'{{"region": {KEY}'},
        {"extra": [KEY]},
        {"extra": {"secret_key": KEY}},
    ],
    ids=lambda fields: str(fields).replace(KEY, "KEY"),
)
def test_a_secret_in_the_wrong_field_is_not_shown(fields):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # whichever field it is
        client_of(**fields)

    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_the_hook_names_the_connection_and_the_field(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_IM", f"tencentim://1400000000:{KEY}@?timeout=3")

    with pytest.raises(ValueError, match="connection 'im': timeout") as caught:
        TencentIMHook("im").get_conn()

    assert KEY not in str(caught.value)


def test_a_test_of_a_malformed_connection_says_what_is_wrong_instead_of_raising(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_IM", f"tencentim://app:{KEY}@")

    works, message = TencentIMHook("im").test_connection()

    assert not works
    assert "SDKAppID" in message
