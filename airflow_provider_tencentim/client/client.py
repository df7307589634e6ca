"""The REST API of Tencent Cloud Chat (IM): one method per command, and ``call()`` for any other.

Imports nothing from Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from .arguments import (
    LONGEST_GROUP_ID,
    LONGEST_USER_ID,
    check_id,
    check_msg_seq,
    conversation_fields,
    group_fields,
    message_fields,
    reason_field,
)
from .commands import COMMANDS, DOCUMENTED_CALLS_PER_SECOND, Command, find_command
from .endpoint import base_url_of_region, check_base_url
from .errors import TencentIMInvalidRequestError, TencentIMPermissionError, TencentIMTransientError
from .pacing import DEFAULT_CALLS_PER_SECOND, PROCESS_PACER, Pacer
from .recall import GroupRecall, RecallResult
from .regions import DEFAULT_REGION
from .seqs import SeqSet, parse_seqs
from .signature import UserSigSigner
from .transport import MAX_TRIES, Transport
from .wire import Wire

DEFAULT_IDENTIFIER = "administrator"
DEFAULT_USERSIG_TTL = 86_400
DEFAULT_TIMEOUT = 10.0
# The service itself gives up after 3 s: a shorter wait would lose answers that were on their way.
LEAST_TIMEOUT = 4.0

AllowedCommands = Literal["read"] | Sequence[str] | None

#: What an operator needs to know of a group before it acts; asked for alone, 50 groups stay far below 1 MB.
GROUP_FIELDS = ("Type", "Name", "CreateTime", "LastMsgTime", "NextMsgSeq", "MemberNum")

_COMMAND = re.compile(r"[a-z0-9_]+/[a-z0-9_]+", re.ASCII)


class TencentIMClient:
    """Calls the REST API in the name of an app admin, from as many threads as you like.

    Every call is signed, paced, and repeated where that is safe. What comes back is the answer, and its
    ErrorCode is 0; everything else is an exception.

    :param sdkappid: the app, as the console shows it.
    :param secret_key: the app's key, with which every UserSig is signed. It is in no log and no exception.
    :param identifier: the app admin.
    :param region: the app's data center, a name of ``client.regions.REGIONS``.
    :param base_url: instead of a region, scheme, host and port; plain http only for this machine.
    :param usersig_ttl: seconds for which a signature is valid; it is renewed before it runs out.
    :param timeout: seconds to wait for an answer, at least 4 (the service itself takes up to 3).
    :param calls_per_second: the pace of each command, at most 200; commands with a lower limit keep theirs.
    :param pacer: who says when a call may be sent; None for the one that all clients of this process share.
    :param ca_bundle: path of a CA file for a private gateway; the certificate is always verified.
    :param allowed_commands: None for all, ``"read"`` for those that change nothing, or a list of commands.
    :raises ValueError: when an argument is out of its range; its message names it.
    """

    def __init__(
        self,
        sdkappid: int,
        secret_key: str,
        *,
        identifier: str = DEFAULT_IDENTIFIER,
        region: str = DEFAULT_REGION,
        base_url: str | None = None,
        usersig_ttl: int = DEFAULT_USERSIG_TTL,
        timeout: float = DEFAULT_TIMEOUT,
        calls_per_second: float = DEFAULT_CALLS_PER_SECOND,
        pacer: Pacer | None = None,
        ca_bundle: str | None = None,
        allowed_commands: AllowedCommands = None,
    ) -> None:
        if type(sdkappid) is not int or sdkappid <= 0:
            raise ValueError("sdkappid must be a whole number above 0")
        if not secret_key:
            raise ValueError("secret_key is empty")
        if not 60 <= usersig_ttl <= 50 * 365 * 86_400:
            raise ValueError("usersig_ttl must be from 60 seconds to 50 years")
        if not LEAST_TIMEOUT <= timeout <= 300:
            raise ValueError(f"timeout must be from {LEAST_TIMEOUT:g} to 300 seconds")
        if not 0 < calls_per_second <= DOCUMENTED_CALLS_PER_SECOND:
            raise ValueError(f"calls_per_second must be above 0 and at most {DOCUMENTED_CALLS_PER_SECOND}")
        self.identifier = check_id("identifier", identifier, LONGEST_USER_ID)
        self.sdkappid = sdkappid
        self.base_url = check_base_url(base_url) if base_url else base_url_of_region(region)
        self._allowed = _allowed(allowed_commands)
        self._transport = Transport(
            Wire(self.base_url, timeout, ca_bundle),
            sdkappid=sdkappid,
            identifier=identifier,
            signer=UserSigSigner(sdkappid, secret_key, identifier, usersig_ttl),
            pacer=pacer or PROCESS_PACER,
            calls_per_second=calls_per_second,
        )

    def __repr__(self) -> str:
        return f"TencentIMClient({self.sdkappid}, identifier={self.identifier!r}, base_url={self.base_url!r})"

    def __enter__(self) -> TencentIMClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def cancel(self) -> None:
        """Send nothing more: waits are woken, and calls under way and later ones raise.

        :raises TencentIMCancelledError: in the threads that call.
        """
        self._transport.cancel()

    def call(self, command: str, body: Mapping[str, Any], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        """Send any command of the REST API.

        :param command: ``service/command``, as in the URL behind ``/v4/``. One that the command table does not
            hold is taken to write, and is not repeated when its answer was lost.
        :param body: what is sent, as JSON.
        :param tries: at most so many.
        :return: the answer.
        :raises TencentIMError: the subclass of its kind.
        """
        if not _COMMAND.fullmatch(command):
            raise TencentIMInvalidRequestError(repr(command), None, "a command is service/command in small letters")
        row = find_command(command)
        if not self._allows(row):
            reason = "the connection's allowed_commands do not include it, and nothing was sent"
            raise TencentIMPermissionError(command, None, reason)
        return self._transport.call(row, body, tries)

    def modify_group_msg(
        self,
        group_id: str,
        msg_seq: int,
        msg_body: str | Sequence[Mapping[str, Any]] | None = None,
        cloud_custom_data: str | None = None,
        topic_id: str | None = None,
    ) -> dict[str, Any]:
        """Overwrite a stored group message, which cannot be undone; not in an AVChatRoom (document 269/74741).

        :param group_id: the GroupId.
        :param msg_seq: the message.
        :param msg_body: the new MsgBody: a list of elements, or text for one TIMTextElem.
        :param cloud_custom_data: the new CloudCustomData. What is not given stays as it is; one must be given.
        :param topic_id: the TopicId, for a topic of a community.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body = {
            **group_fields(group_id, topic_id),
            "MsgSeq": check_msg_seq("msg_seq", msg_seq),
            **message_fields(msg_body, cloud_custom_data),
        }
        return self.call("openim/modify_group_msg", body)

    def modify_c2c_msg(
        self,
        from_account: str,
        to_account: str,
        msg_key: str,
        msg_body: str | Sequence[Mapping[str, Any]] | None = None,
        cloud_custom_data: str | None = None,
    ) -> dict[str, Any]:
        """Overwrite a stored one-to-one message, which cannot be undone ("Modifying Historical One-to-One Messages").

        :param from_account: the sender's UserID.
        :param to_account: the recipient's UserID.
        :param msg_key: the MsgKey, ``MsgSeq_MsgRandom_MsgTimeStamp``.
        :param msg_body: the new MsgBody: a list of elements, or text for one TIMTextElem.
        :param cloud_custom_data: the new CloudCustomData. What is not given stays as it is; one must be given.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body = {
            **conversation_fields(from_account, to_account, msg_key),
            **message_fields(msg_body, cloud_custom_data),
        }
        return self.call("openim/modify_c2c_msg", body)

    def group_msg_recall(
        self,
        group_id: str,
        msg_seqs: SeqSet | Iterable[int | str],
        topic_id: str | None = None,
        reason: str | None = None,
    ) -> Iterator[RecallResult]:
        """Withdraw group messages from everyone, ten a call, which cannot be undone (document 269/12341).

        :param group_id: the GroupId.
        :param msg_seqs: the messages; doubles are sent once.
        :param topic_id: the TopicId, for a topic of a community.
        :param reason: shown with the recall, at most 100 bytes.
        :return: one result for each seq, as the answers come; failures are results too.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: behind the last result, when an error that every call would meet ended the run.
        """
        where = group_fields(group_id, topic_id)
        return GroupRecall(self, where, reason_field(reason)).run(_seq_set(msg_seqs))

    def preview_group_msg_recall(
        self, group_id: str, msg_seqs: SeqSet | Iterable[int | str], topic_id: str | None = None
    ) -> Iterator[RecallResult]:
        """Look up in the history what a recall would meet; nothing is recalled.

        :param group_id: the GroupId.
        :param msg_seqs: the messages.
        :param topic_id: the TopicId, for a topic of a community.
        :return: one result for each seq.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: when the history cannot be read, as in an AVChatRoom, which has none.
        """
        return GroupRecall(self, group_fields(group_id, topic_id), {}).preview(_seq_set(msg_seqs))

    def clear_group_msg(self, group_id: str, msg_seq: int | None = None) -> dict[str, Any]:
        """Hide a group's history from its members; admins still read it. Not for a Community (document 269/95617).

        :param group_id: the GroupId.
        :param msg_seq: the last message to hide. None hides all there is when the call arrives.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body: dict[str, Any] = group_fields(group_id)
        if msg_seq is not None:
            body["MsgSeq"] = check_msg_seq("msg_seq", msg_seq)
        return self.call("group_open_http_svc/clear_group_msg", body)

    def group_msg_get_simple(
        self,
        group_id: str,
        req_msg_seq: int | None = None,
        req_msg_number: int = 20,
        topic_id: str | None = None,
        with_recalled_msg: bool = True,
    ) -> dict[str, Any]:
        """Read a page of a group's history, newest first (document 269/2738).

        :param group_id: the GroupId.
        :param req_msg_seq: the newest message of the page; None for the newest there is.
        :param req_msg_number: how many, at most 20.
        :param topic_id: the TopicId, for a topic of a community.
        :param with_recalled_msg: whether recalled messages are shown, with IsPlaceMsg 2.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        body: dict[str, Any] = {**group_fields(group_id, topic_id), "ReqMsgNumber": req_msg_number}
        if req_msg_seq is not None:
            body["ReqMsgSeq"] = check_msg_seq("req_msg_seq", req_msg_seq)
        if with_recalled_msg:
            body["WithRecalledMsg"] = 1
        return self.call("group_open_http_svc/group_msg_get_simple", body)

    def get_group_info(
        self, group_ids: Iterable[str], fields: Sequence[str] = GROUP_FIELDS
    ) -> Iterator[dict[str, Any]]:
        """Read what groups are, 50 a call ("Getting Group Profiles").

        :param group_ids: GroupIds of any number.
        :param fields: what to ask for; members are never asked for, so that the answer stays under 1 MB.
        :return: a GroupInfo for each; a group's own ErrorCode tells whether it was found.
        :raises ValueError: when an id is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["group_open_http_svc/get_group_info"]
        ids = iter(group_ids)
        while chunk := [check_id("group_id", group_id, LONGEST_GROUP_ID) for group_id in islice(ids, command.chunk)]:
            body = {"GroupIdList": chunk, "ResponseFilter": {"GroupBaseInfoFilter": list(fields)}}
            infos = self.call(command.path, body).get("GroupInfo")
            found = {
                info.get("GroupId"): info
                for info in (infos if isinstance(infos, list) else [])
                if isinstance(info, dict) and type(info.get("ErrorCode")) is int
            }
            for group_id in chunk:
                if group_id not in found:
                    raise TencentIMTransientError(
                        command.path, None, "the answer leaves out a group that was asked for"
                    )
                yield found[group_id]

    def account_check(self, user_ids: Sequence[str], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        """Tell which accounts exist ("Querying Accounts").

        :param user_ids: at most 100 UserIDs.
        :param tries: at most so many.
        :raises ValueError: when a UserID is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        items = [{"UserID": check_id("user_ids", user_id, LONGEST_USER_ID)} for user_id in user_ids]
        return self.call("im_open_login_svc/account_check", {"CheckItem": items}, tries=tries)

    def _allows(self, command: Command) -> bool:
        if self._allowed == "read":
            return not command.writes
        return self._allowed is None or command.path in self._allowed


def _allowed(value: AllowedCommands) -> Literal["read"] | frozenset[str] | None:
    if value is None or value == "read":
        return value
    if (
        isinstance(value, str)
        or not value
        or not all(isinstance(name, str) and _COMMAND.fullmatch(name) for name in value)
    ):
        raise ValueError("allowed_commands must be 'read' or a list of commands such as openim/modify_group_msg")
    return frozenset(value)


def _seq_set(msg_seqs: SeqSet | Iterable[int | str]) -> SeqSet:
    if isinstance(msg_seqs, SeqSet):
        return msg_seqs
    try:
        return parse_seqs([msg_seqs] if isinstance(msg_seqs, str) else msg_seqs)
    except ValueError as error:
        raise ValueError(f"msg_seqs {error}") from None
