"""A connection of type ``tencentim``: what each field means, and that none is misread in silence."""

from __future__ import annotations

import json
import socket
import sys

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_tencentim.client import pacing_redis
from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.pacing import PROCESS_PACER
from airflow_provider_tencentim.client.pacing_machine import MACHINE_PACER
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


def arguments_of(connection):
    return client_arguments(connection, TencentIMHook.get_connection)


def client_of(extra=None, **fields):
    return TencentIMClient(**arguments_of(connection(extra, **fields)))


def test_sdkappid_and_key_are_enough():
    client = client_of()

    assert (client.sdkappid, client.identifier) == (1400000000, "administrator")
    assert client.base_url == "https://console.tim.qq.com"


COMMANDS_SAID = "allowed_commands must be 'read' or a list of commands such as openim/modify_group_msg"
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
    "pacer": PROCESS_PACER,
}


def test_every_extra_field_reaches_the_client():
    assert arguments_of(connection(EVERY_FIELD)) == MEANING
    TencentIMClient(**MEANING)


def test_text_of_the_right_form_means_the_same():
    assert arguments_of(connection(EVERY_FIELD_AS_TEXT)) == MEANING
    assert type(arguments_of(connection(EVERY_FIELD_AS_TEXT))["usersig_ttl"]) is int


def test_a_ca_bundle_is_a_path():
    assert arguments_of(connection({"ca_bundle": "/etc/ca.pem"}))["ca_bundle"] == "/etc/ca.pem"


def test_only_reading_may_be_allowed():
    assert arguments_of(connection({"allowed_commands": "read"}))["allowed_commands"] == "read"
    assert arguments_of(connection({"allowed_commands": ["a/b"]}))["allowed_commands"] == ["a/b"]
    assert arguments_of(connection({"allowed_commands": " a/b ,c/d"}))["allowed_commands"] == ["a/b", "c/d"]


@pytest.mark.parametrize("name", CONN_FIELDS)
@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
def test_null_and_empty_mean_unset(name, nothing):
    assert arguments_of(connection({name: nothing})) == arguments_of(connection())


@pytest.mark.parametrize("extra", [None, "", " ", "{}"])
def test_no_extra_at_all_is_fine(extra):
    assert arguments_of(connection(extra)) == arguments_of(connection())


def test_a_uri_json_and_an_object_mean_the_same(monkeypatch):
    query = "&".join(f"{name}={value}" for name, value in EVERY_FIELD_AS_TEXT.items()).replace("/", "%2F")
    standard = {"conn_type": "tencentim", "login": "1400000000", "password": KEY}
    forms = {
        "URI": f"tencentim://1400000000:{KEY}@?{query}",
        "JSON": json.dumps({**standard, "extra": EVERY_FIELD}),
        "JSON in JSON": json.dumps({**standard, "extra": json.dumps(EVERY_FIELD_AS_TEXT)}),
    }

    meanings = {"object": arguments_of(connection(EVERY_FIELD))}
    for name, form in forms.items():
        monkeypatch.setenv("AIRFLOW_CONN_IM", form)
        meanings[name] = arguments_of(TencentIMHook.get_connection("im"))

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


# --- who shares the pace ---


@pytest.mark.parametrize(
    ("store", "pacer"), [("machine", MACHINE_PACER), ("process", PROCESS_PACER), (" process ", PROCESS_PACER)]
)
def test_the_pace_is_shared_on_the_machine_or_in_the_process(store, pacer):
    assert arguments_of(connection({"rate_limit_store": store}))["pacer"] is pacer


def test_unset_the_pace_is_shared_on_the_machine():
    assert "pacer" not in arguments_of(connection())
    assert client_of()._transport._pacer is MACHINE_PACER


REDIS = {
    "redis://cache.example.com": {"host": "cache.example.com", "port": 6379, "db": 0, "ssl": False},
    "redis://ann:secret@cache:7000/3": {
        "host": "cache",
        "port": 7000,
        "db": 3,
        "ssl": False,
        "username": "ann",
        "password": "secret",
    },
    "redis://:secret@cache/?db=2&decode_responses=true": {
        "host": "cache",
        "port": 6379,
        "db": 2,
        "ssl": False,
        "password": "secret",
    },
    "redis://cache/?ssl=True&ssl_cert_reqs=required&ssl_ca_certs=%2Fetc%2Fca.pem&ssl_check_hostname=false": {
        "host": "cache",
        "port": 6379,
        "db": 0,
        "ssl": True,
        "ssl_cert_reqs": "required",
        "ssl_ca_certs": "/etc/ca.pem",
        "ssl_check_hostname": False,
    },
    '{"conn_type": "redis", "host": "cache", "extra": {"db": 1, "ssl": true}}': {
        "host": "cache",
        "port": 6379,
        "db": 1,
        "ssl": True,
    },
}


@pytest.mark.parametrize("uri", REDIS)
def test_the_pace_is_shared_in_the_redis_of_a_connection(monkeypatch, uri):
    made = []
    monkeypatch.setattr(pacing_redis, "RedisPacer", lambda store, **options: made.append((store, options)))
    monkeypatch.setenv("AIRFLOW_CONN_CACHE", uri)

    arguments_of(connection({"rate_limit_store": "cache"}))

    expected = REDIS[uri]
    ((store, options),) = made
    assert store == f"the Redis of the connection 'cache', {expected['host']}:{expected['port']}"
    assert options == {"username": None, "password": None, **expected}


def test_a_redis_library_takes_what_a_connection_gives(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CACHE", "redis://cache/?ssl=True&ssl_cert_reqs=none&ssl_check_hostname=false")

    assert type(arguments_of(connection({"rate_limit_store": "cache"}))["pacer"]) is pacing_redis.RedisPacer


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (None, "neither machine, nor process"),
        ("http://:secret@cache", "type is not redis"),
        ("redis://:secret@", "host is missing"),
        ("redis://:secret@cache/x", "db must be a whole number"),
        ("redis://:secret@cache/?db=-1", "db must be a whole number"),
        ("redis://:secret@cache/?ssl=secret", "ssl must be true or false"),
        (
            '{"conn_type": "redis", "host": "cache", "extra": {"ssl": 1, "ssl_ca_certs": 7}}',
            "ssl_ca_certs must be text",
        ),
    ],
)
def test_a_rate_limit_store_that_is_none_is_named_with_what_is_wrong(monkeypatch, uri, said):
    if uri:
        monkeypatch.setenv("AIRFLOW_CONN_CACHE", uri)

    with pytest.raises(ValueError, match=said) as caught:
        client_of({"rate_limit_store": "cache"})

    assert "rate_limit_store" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_redis_library_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CACHE", "redis://cache")
    monkeypatch.delitem(sys.modules, pacing_redis.__name__)
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ValueError, match=r"pip install 'airflow-provider-tencentim\[redis\]'"):
        client_of({"rate_limit_store": "cache"})


def test_a_test_of_the_connection_says_that_the_store_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(pacing_redis, "PATIENCE_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("AIRFLOW_CONN_CACHE", f"redis://:hidden@127.0.0.1:{port}")
    monkeypatch.setenv("AIRFLOW_CONN_IM", f"tencentim://1400000000:{KEY}@?rate_limit_store=cache")

    works, message = TencentIMHook("im").test_connection()

    assert not works
    assert message.startswith("Rate-limit store: ")
    assert "'cache'" in message
    assert "hidden" not in message


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
        arguments_of(connection(extra))


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


@pytest.mark.parametrize(
    ("extra", "fields", "said"),
    [
        (None, {"schema": "https"}, "schema is not used: put http:// or https:// into the API host"),
        (None, {"login": None}, "SDKAppID (login) is missing or not a whole number"),
        (None, {"login": "٣"}, "SDKAppID (login) is missing or not a whole number"),
        (None, {"password": " "}, "Secret key (password) is missing"),
        ("[]", {}, "extra is not a JSON object"),
        ({"admin_identifier": "a" * 33}, {}, "admin_identifier is 33 bytes long, 32 are allowed"),
        ({"usersig_ttl": "٣"}, {}, "usersig_ttl must be a whole number"),
        ({"timeout": "٣"}, {}, "timeout must be a number"),
        ({"q" * 50: 1}, {}, f"extra has an unknown field '{'q' * 40}'; known are {', '.join(CONN_FIELDS)}"),
        ({"allowed_commands": []}, {}, COMMANDS_SAID),
        ({"allowed_commands": [5]}, {}, COMMANDS_SAID),
        ({"allowed_commands": ["a", ""]}, {}, COMMANDS_SAID),
    ],
)
def test_what_is_wrong_is_said_in_these_words(extra, fields, said):
    with pytest.raises(ValueError, match=r".") as caught:
        arguments_of(connection(extra, **fields))
    assert str(caught.value) == said
