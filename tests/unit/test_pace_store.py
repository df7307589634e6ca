"""Who shares the pace of a connection: the machine, the process, or all who name the same Redis."""

from __future__ import annotations

import json
import sys
from itertools import count
from types import SimpleNamespace

import pytest
from airflow.exceptions import AirflowNotFoundException

from airflow_provider_tencentim.client import pacing_redis
from airflow_provider_tencentim.client.pacing import PROCESS_PACER
from airflow_provider_tencentim.client.pacing_machine import MACHINE_PACER
from airflow_provider_tencentim.hooks.pace_store import pacer_of

EMPTY = {"conn_type": "redis", "host": "cache", "port": None, "login": None, "password": None, "schema": None}


def found(extra=None, **fields):
    """Finds one connection, whatever its id."""
    if extra is not None and not isinstance(extra, str):
        extra = json.dumps(extra)
    return lambda _: SimpleNamespace(**EMPTY | {"extra": extra} | fields)


@pytest.fixture
def made(monkeypatch):
    """What a Redis pacer is made of; none is made."""
    made = []
    monkeypatch.setattr(pacing_redis, "RedisPacer", lambda store, **options: made.append((store, options)))
    return made


def options_of(made, extra=None, **fields):
    pacer_of("cache", found(extra, **fields))
    ((_, options),) = made
    return options


def refused(store, find):
    with pytest.raises(ValueError, match="rate_limit_store") as caught:
        pacer_of(store, find)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(("store", "pacer"), [("machine", MACHINE_PACER), ("process", PROCESS_PACER)])
def test_the_machine_and_the_process_have_a_pace_of_their_own_and_no_connection(store, pacer):
    assert pacer_of(store, None) is pacer


def test_a_host_is_enough(made):
    pacer_of("cache", found())

    nothing = {"host": "cache", "port": 6379, "username": None, "password": None, "db": 0, "ssl": False}
    assert made == [("the Redis of the connection 'cache', cache:6379", nothing)]


def test_every_field_reaches_the_redis(made):
    pacer_of("cache", found({"db": 3, "ssl": "0"}, host=" h ", port=7, login="ann", password="secret"))

    options = {"host": "h", "port": 7, "username": "ann", "password": "secret", "db": 3, "ssl": False}
    assert made == [("the Redis of the connection 'cache', h:7", options)]


def test_the_connection_is_asked_for_by_its_id(made):
    asked = []
    pacer_of("my_redis", lambda store: asked.append(store) or found()(store))

    assert asked == ["my_redis"]
    assert "'my_redis'" in made[0][0]


@pytest.mark.parametrize(
    ("extra", "schema", "db"),
    [
        (None, None, 0),
        (None, "", 0),
        (None, "2", 2),
        ({"db": 1}, "2", 1),
        ({"db": "15"}, None, 15),
        ({"db": None}, "2", 0),
        ({"db": ""}, None, 0),
        ({"db": 0}, None, 0),
        ({"db": "99999"}, None, 99999),
    ],
)
def test_the_database_is_the_extras_or_that_of_the_url(made, extra, schema, db):
    assert options_of(made, extra, schema=schema)["db"] == db


@pytest.mark.parametrize("value", [True, "true", " TRUE ", "1", 1])
def test_tls_may_be_asked_for_in_each_of_these_ways(made, value):
    assert options_of(made, {"ssl": value})["ssl"] is True


@pytest.mark.parametrize("value", [False, "false", "0", 0])
def test_and_left_out_in_each_of_these(made, value):
    files = {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": True}

    options = options_of(made, {"ssl": value, **files})
    assert options["ssl"] is False
    assert not [name for name in options if name.startswith("ssl_")]


def test_with_tls_its_files_are_read_and_other_fields_are_other_peoples(made):
    files = {"ssl_cert_reqs": "required", "ssl_ca_certs": "/ca", "ssl_keyfile": "/key", "ssl_certfile": "/cert"}

    options = options_of(made, {"ssl": True, **files, "ssl_check_hostname": "false", "decode_responses": True})
    assert {name: value for name, value in options.items() if name.startswith("ssl")} == {
        "ssl": True,
        **files,
        "ssl_check_hostname": False,
    }
    assert "decode_responses" not in options


def test_a_file_that_is_not_named_is_not_given(made):
    options = options_of(made, {"ssl": True, "ssl_ca_certs": "", "ssl_keyfile": None, "ssl_check_hostname": 1})

    assert {name for name in options if name.startswith("ssl")} == {"ssl", "ssl_check_hostname"}
    assert options["ssl_check_hostname"] is True


@pytest.mark.parametrize("extra", [None, "", " \n", "{}"])
def test_no_extra_at_all_is_fine(made, extra):
    assert options_of(made, extra)["db"] == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"conn_type": "http"}, "its type is not redis"),
        ({"conn_type": "rediss"}, "its type is not redis"),
        ({"host": None}, "its host is missing"),
        ({"host": "  "}, "its host is missing"),
        ({"extra": "[]"}, "its extra is not a JSON object"),
        ({"extra": "{"}, "its extra is not a JSON object"),
        ({"extra": "[" * 100_000}, "its extra is not a JSON object"),
        ({"extra": "null"}, "its extra is not a JSON object"),
        *(({"extra": {"db": value}}, "its db must be a whole number") for value in (-1, True, 1.5, "x", "1e2", "٣")),
        ({"extra": {"db": 100_000}}, "its db must be a whole number"),
        ({"schema": "secret"}, "its db must be a whole number"),
        *(({"extra": {"ssl": value}}, "its ssl must be true or false") for value in ("secret", 2, None, "")),
        *(
            ({"extra": {"ssl": True, name: 7}}, f"its {name} must be text")
            for name in ("ssl_cert_reqs", "ssl_ca_certs", "ssl_keyfile", "ssl_certfile")
        ),
        (
            {"extra": {"ssl": True, "ssl_check_hostname": "secret"}},
            "its ssl_check_hostname must be true or false",
        ),
    ],
    ids=map(str, count()),
)
def test_what_is_wrong_with_the_connection_is_said_and_no_value_is_shown(made, fields, said):
    words = refused("cache", found(**{"extra": None} | fields))

    assert words == f"rate_limit_store names the connection 'cache', and {said}"
    assert "secret" not in words
    assert made == []


def test_a_store_that_is_no_connection_is_refused():
    def find(_):
        raise AirflowNotFoundException("The conn_id `cache` isn't defined")

    assert refused("cache", find) == (
        "rate_limit_store is neither machine, nor process, nor the id of an Airflow connection"
    )


def test_an_error_of_airflow_itself_is_no_missing_connection():
    def find(_):
        raise ConnectionError("the secrets backend is away")

    with pytest.raises(ConnectionError):
        pacer_of("cache", find)


def test_a_missing_library_is_named_with_its_remedy(monkeypatch):
    monkeypatch.delitem(sys.modules, pacing_redis.__name__)
    monkeypatch.setitem(sys.modules, "redis", None)

    assert refused("cache", found()) == (
        "rate_limit_store names a Redis, which needs pip install 'airflow-provider-tencentim[redis]'"
    )
