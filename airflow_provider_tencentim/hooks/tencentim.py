"""An Airflow connection becomes a client of the REST API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMError, TencentIMPaceError
from airflow_provider_tencentim.get_provider_info import CONN_FIELDS, CONNECTION_TYPE, HOOK_NAME, UI_FIELD_BEHAVIOUR
from airflow_provider_tencentim.hooks.settings import client_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

# Connecting and reading may each take so long, so that a test is over within 10 s.
_TEST_TIMEOUT = 4.0

_WRONG_KEY = "Secret key: it is not the key of this SDKAppID, or no longer"
_WRONG_APP = "SDKAppID or Region: there is no such app at this data center"
_NOT_ADMIN = "App admin: this account is not an administrator of the app"

# What a person who sets up a connection has to correct, by the code that a test brings.
_WHAT_IS_WRONG = {
    70002: _WRONG_KEY,
    70003: _WRONG_KEY,
    70005: _WRONG_KEY,
    70009: _WRONG_KEY,
    70016: _WRONG_APP,
    60006: _WRONG_APP,
    60012: _WRONG_APP,
    70014: _WRONG_APP,
    70020: _WRONG_APP,
    60010: _NOT_ADMIN,
    70013: _NOT_ADMIN,
    70107: _NOT_ADMIN,
    70403: _NOT_ADMIN,
    90009: _NOT_ADMIN,
    70001: "Clock: this machine's time is too far from the service's",
    60016: "App: it is disabled in the console",
    60020: "App: its package has expired",
    60021: "Network: this machine's address is not on the app's list of allowed IP addresses",
}


class TencentIMHook(BaseHook):
    """Makes a :class:`~airflow_provider_tencentim.client.client.TencentIMClient` of an Airflow connection.

    :param tencentim_conn_id: a connection of type ``tencentim``: SDKAppID and secret key are enough.
    """

    conn_name_attr = "tencentim_conn_id"
    default_conn_name = "tencentim_default"
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, tencentim_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tencentim_conn_id = tencentim_conn_id

    @cached_property
    def client(self) -> TencentIMClient:
        """The client, made once.

        :raises ValueError: naming the connection and the field that is missing or wrong.
        """
        made = self._make_client()
        if isinstance(made, TencentIMClient):
            return made
        raise ValueError(f"connection {self.tencentim_conn_id!r}: {made}")

    def _make_client(self) -> TencentIMClient | str:
        """Return the client, or what is wrong: what raises must not have the connection among its local variables."""
        connection = self.get_connection(self.tencentim_conn_id)
        try:
            return TencentIMClient(**client_arguments(connection, self.get_connection))
        except ValueError as error:
            return str(error)

    def get_conn(self) -> TencentIMClient:
        """Return the client.

        :raises ValueError: naming the connection and the field that is missing or wrong.
        """
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Sign and send one call that changes nothing, and say what is wrong with the connection.

        ``account_check`` of the app admin itself: the service answers it only when signature and admin right hold.

        :return: whether it works, and a sentence for the person who set it up.
        """
        connection = self.get_connection(self.tencentim_conn_id)
        try:
            arguments = client_arguments(connection, self.get_connection)
            TencentIMClient(**arguments).close()  # with its own time-out: that may be what is wrong
            client = TencentIMClient(**arguments | {"timeout": _TEST_TIMEOUT})
        except ValueError as error:
            return False, f"{error}."
        with client:
            try:
                client.account_check([client.identifier], tries=1)
            except TencentIMError as error:
                return False, _explain(client, error)
            return True, f"App {client.sdkappid} answers at {client.base_url} to {client.identifier}."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how Airflow before 3.2 shows the standard fields of the form."""
        return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the form for Airflow before 3.2, which builds it with wtforms."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import IntegerField, StringField
        from wtforms.validators import Optional, any_of

        widgets: dict[str, Any] = {}
        for name, field in CONN_FIELDS.items():
            schema = field["schema"]
            field_class: Callable[..., Any] = IntegerField if "integer" in schema["type"] else StringField
            validators = [any_of(["", *schema["enum"]])] if "enum" in schema else [Optional()]
            widgets[name] = field_class(
                field["label"],
                widget=BS3TextFieldWidget(),
                validators=validators,
                description=field["description"],
                default=schema.get("default"),
            )
        return widgets


def _explain(client: TencentIMClient, error: TencentIMError) -> str:
    if wrong := _WHAT_IS_WRONG.get(error.code or 0):
        return f"{wrong}. (ErrorCode {error.code}: {error.info or 'no ErrorInfo'})"
    if isinstance(error, TencentIMPaceError):
        return f"Rate-limit store: {error.info}."
    if error.code is None:
        return f"API host or network: no usable answer from {client.base_url}. ({error.info})"
    return str(error)
