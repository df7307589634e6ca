"""One-to-one messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_tencentim.operators.arguments import given_arguments, overwritten_fields
from airflow_provider_tencentim.operators.base import TencentIMOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ModifyC2CMsgOperator(TencentIMOperator):
    """Overwrite the content of a stored one-to-one message. This cannot be undone.

    What is not given stays as it is; MsgBody, CloudCustomData or both must be given.

    .. seealso:: "Modifying Historical One-to-One Messages" (``openim/modify_c2c_msg``).

    :param from_account: (templated) UserID of the sender, at most 32 bytes.
    :param to_account: (templated) UserID of the recipient, at most 32 bytes.
    :param msg_key: (templated) the MsgKey, ``MsgSeq_MsgRandom_MsgTimeStamp``: from the webhooks around sending, from
        ``openim/admin_getroammsg``, or from the answer to a message sent through the REST API.
    :param msg_body: (templated) the new MsgBody: a list of ``{"MsgType", "MsgContent"}``; or text, which is such a
        list in JSON when it begins with ``[`` or ``{``, and one TIMTextElem otherwise.
    :param cloud_custom_data: (templated) the new CloudCustomData, text. Together at most 12,288 bytes of JSON.
    :param tencentim_conn_id: (templated) the connection.
    :return: ``{"from_account", "to_account", "msg_key", "fields"}``: what was overwritten.
    :raises AirflowFailException: for an argument that is malformed or came to nothing, before any call, and for an
        error that no retry can heal.
    :raises TencentIMError: for any other failure; Airflow may retry, since overwriting twice has the same effect.
    """

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "from_account",
        "to_account",
        "msg_key",
        "msg_body",
        "cloud_custom_data",
    )
    template_fields_renderers: ClassVar = {"msg_body": "json"}

    def __init__(
        self,
        *,
        from_account: str,
        to_account: str,
        msg_key: str,
        msg_body: str | Sequence[Mapping[str, Any]] | None = None,
        cloud_custom_data: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.from_account = from_account
        self.to_account = to_account
        self.msg_key = msg_key
        self.msg_body = msg_body
        self.cloud_custom_data = cloud_custom_data
        self.given = given_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        with self.failing_for_good():
            arguments = self.arguments
            message = {name: arguments.value(name) for name in ("from_account", "to_account", "msg_key")}
            overwrite = {
                "msg_body": arguments.content("msg_body"),
                "cloud_custom_data": arguments.value("cloud_custom_data"),
            }
            with self.connected() as client:
                client.modify_c2c_msg(**message, **overwrite)
            return {**message, "fields": overwritten_fields(**overwrite)}
