"""An Airflow connection of type ``tencentim``, read and checked field by field.

No error shows a field's value: the secret key may have been pasted into the wrong one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_tencentim.client.arguments import LONGEST_USER_ID, check_id
from airflow_provider_tencentim.client.endpoint import base_url_of_region, check_base_url
from airflow_provider_tencentim.client.regions import DEFAULT_REGION
from airflow_provider_tencentim.get_provider_info import CONN_FIELDS, CONNECTION_TYPE
from airflow_provider_tencentim.hooks.pace_store import pacer_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


def client_arguments(connection: Connection, find: Callable[[str], Connection]) -> dict[str, Any]:
    """Return the keyword arguments with which a connection makes a ``TencentIMClient``.

    :param connection: of type ``tencentim``.
    :param find: returns another connection by its id, the one that ``rate_limit_store`` may name.
    :raises ValueError: naming the field that is missing, unknown or malformed.
    """
    if connection.conn_type != CONNECTION_TYPE:
        raise ValueError(f"its type is not {CONNECTION_TYPE}")
    if connection.schema:
        raise ValueError("schema is not used: put http:// or https:// into the API host")
    extra = _read_extra(connection.extra)
    arguments = {
        "sdkappid": _sdkappid(connection.login),
        "secret_key": _secret_key(connection.password),
        "base_url": _base_url(connection.host, connection.port, extra.pop("region", DEFAULT_REGION)),
    }
    if "admin_identifier" in extra:
        arguments["identifier"] = check_id("admin_identifier", extra.pop("admin_identifier"), LONGEST_USER_ID)
    if "rate_limit_store" in extra:
        arguments["pacer"] = pacer_of(extra.pop("rate_limit_store"), find)
    return arguments | extra


def _sdkappid(login: str | None) -> int:
    text = str(login if login is not None else "").strip()  # a number, in a YAML file of connections
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        raise ValueError("SDKAppID (login) is missing or not a whole number")
    return int(text)


def _secret_key(password: str | None) -> str:
    if not password or not password.strip():
        raise ValueError("Secret key (password) is missing")
    return password.strip()


def _base_url(host: str | None, port: int | None, region: str) -> str:
    named = (host or "").strip()
    if not named:
        named = base_url_of_region(region)
    try:
        return check_base_url(named if "://" in named else f"https://{named}", port)
    except ValueError as error:
        raise ValueError(f"API host (host) and port: {error}") from None


def _read_extra(text: str | None) -> dict[str, Any]:
    """Return the extra fields that are set, each in its type."""
    try:
        stored = json.loads(text) if text and text.strip() else {}
    except (ValueError, RecursionError):
        # Airflow itself would go on with no extra at all, and so without the limits that it was to set.
        raise ValueError("extra is not valid JSON") from None
    if not isinstance(stored, dict):
        raise ValueError("extra is not a JSON object")
    if unknown := sorted(set(stored) - set(CONN_FIELDS)):
        raise ValueError(f"extra has an unknown field {unknown[0][:40]!r}; known are {', '.join(CONN_FIELDS)}")
    return {
        name: _READERS.get(name, _reader_of(name))(name, value)
        for name, value in stored.items()
        if value is not None and value != ""
    }


def _reader_of(name: str) -> Callable[[str, Any], Any]:
    return {"string": _read_text, "integer": _read_integer, "number": _read_number}[
        CONN_FIELDS[name]["schema"]["type"][0]
    ]


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be text")
    return value.strip()


def _read_integer(name: str, value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value.strip(), re.ASCII):
        return int(value)
    if type(value) is not int:
        raise ValueError(f"{name} must be a whole number")
    return value


def _read_number(name: str, value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value.strip(), re.ASCII):
        return float(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        pass
    raise ValueError(f"{name} must be a number")


def _read_commands(name: str, value: object) -> str | list[str]:
    """Read ``read``, a list, or text of commands divided by commas."""
    if isinstance(value, str):
        if value.strip() == "read":
            return "read"
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, list) or not value or not all(isinstance(part, str) and part for part in value):
        raise ValueError(f"{name} must be 'read' or a list of commands such as openim/modify_group_msg")
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {"allowed_commands": _read_commands}
