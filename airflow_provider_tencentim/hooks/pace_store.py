"""The extra ``rate_limit_store``: who shares the pace of a connection.

No error shows a field's value: a password may have been pasted into the wrong one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined]  # Airflow 3 fetches it

from airflow_provider_tencentim.client.pacing import PROCESS_PACER, Pacer
from airflow_provider_tencentim.client.pacing_machine import MACHINE_PACER

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_PACERS: dict[str, Pacer] = {"machine": MACHINE_PACER, "process": PROCESS_PACER}

_DEFAULT_PORT = 6379
# The extra fields of Airflow's Redis connections that have a say in how it is reached.
_TLS_TEXTS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_keyfile", "ssl_certfile")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def pacer_of(store: str, find: Callable[[str], Connection]) -> Pacer:
    """Return who says when a call may be sent.

    :param store: ``machine``, ``process``, or the id of an Airflow connection of type ``redis``.
    :param find: returns a connection by its id.
    :raises ValueError: when there is no such connection, it is malformed, or the Redis library is missing.
    """
    if pacer := _PACERS.get(store):
        return pacer
    connection = _found(store, find)
    if connection is None:
        raise ValueError("rate_limit_store is neither machine, nor process, nor the id of an Airflow connection")
    try:
        options = _redis_options(connection)
    except ValueError as error:
        raise ValueError(f"rate_limit_store names the connection {store!r}, and {error}") from None
    try:
        from airflow_provider_tencentim.client.pacing_redis import RedisPacer
    except ModuleNotFoundError:
        raise ValueError(
            "rate_limit_store names a Redis, which needs pip install 'airflow-provider-tencentim[redis]'"
        ) from None
    where = f"the Redis of the connection {store!r}, {options['host']}:{options['port']}"
    return RedisPacer(where, **options)


def _found(store: str, find: Callable[[str], Connection]) -> Connection | None:
    try:
        return find(store)
    except AirflowNotFoundException:
        return None


def _redis_options(connection: Connection) -> dict[str, Any]:
    """Read what ``redis.Redis`` has to know; other extra fields are those of other users of the connection."""
    if connection.conn_type != "redis":
        raise ValueError("its type is not redis")
    host = (connection.host or "").strip()
    if not host:
        raise ValueError("its host is missing")
    extra = _read_extra(connection.extra)
    # Airflow's own hook takes the database from the extra; a URL has it as its path.
    database = extra.get("db", connection.schema)
    options: dict[str, Any] = {
        "host": host,
        "port": connection.port or _DEFAULT_PORT,
        "username": connection.login or None,
        "password": connection.password or None,
        "db": _number("db", database) if database not in (None, "") else 0,
        "ssl": _flag("ssl", extra.get("ssl", False)),
    }
    if options["ssl"]:
        options |= {name: _text(name, extra[name]) for name in _TLS_TEXTS if extra.get(name)}
        if "ssl_check_hostname" in extra:
            options["ssl_check_hostname"] = _flag("ssl_check_hostname", extra["ssl_check_hostname"])
    return options


def _read_extra(text: str | None) -> dict[str, Any]:
    try:
        stored = json.loads(text) if text and text.strip() else {}
    except (ValueError, RecursionError):
        stored = None
    if not isinstance(stored, dict):
        raise ValueError("its extra is not a JSON object")
    return stored


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value), re.ASCII):
        raise ValueError(f"its {name} must be a whole number")
    return int(str(value))


def _flag(name: str, value: object) -> bool:
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise ValueError(f"its {name} must be true or false")
    return flag


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"its {name} must be text")
    return value
