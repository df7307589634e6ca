"""One-to-one messages and conversations."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from .arguments import (
    LONGEST_GROUP_ID,
    LONGEST_USER_ID,
    check_id,
    check_ids,
    check_msg_key,
    conversation_fields,
    message_fields,
)
from .caller import Caller, Pages, entries, number_of, text_of
from .commands import COMMANDS

# Clocks differ: what was sent a moment ago must not be later than "now".
_CLOCK_MARGIN = 300
_MAX_CNT = 100


class C2CCommands(Caller):
    """The commands on one-to-one messages and conversations."""

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

    def admin_msgwithdraw(self, from_account: str, to_account: str, msg_key: str) -> dict[str, Any]:
        """Recall a one-to-one message, which cannot be undone ("Recalling One-to-One Messages").

        :param from_account: the sender's UserID.
        :param to_account: the recipient's UserID.
        :param msg_key: the MsgKey.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind. 20023, already recalled, is what a repeat of a call whose
            answer was lost brings.
        """
        return self.call("openim/admin_msgwithdraw", conversation_fields(from_account, to_account, msg_key))

    def delete_c2c_msg_ramble(
        self, operator_account: str, peer_account: str, msg_keys: Sequence[str]
    ) -> dict[str, Any]:
        """Hide messages from one side of a conversation; the other side keeps them (document 269/101439).

        :param operator_account: the UserID of the side that shall no longer see them.
        :param peer_account: the UserID of the other side.
        :param msg_keys: at most 30 MsgKeys.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["openim/delete_c2c_msg_ramble"]
        if not isinstance(msg_keys, list | tuple) or not 1 <= len(msg_keys) <= command.chunk:
            raise ValueError(f"msg_keys must be a list of 1 to {command.chunk} MsgKeys")
        body = {
            **_sides(operator_account, peer_account),
            "MsgKeyList": [check_msg_key("msg_keys", msg_key) for msg_key in msg_keys],
        }
        return self.call(command.path, body)

    def iter_c2c_history(
        self, operator_account: str, peer_account: str, min_time: int = 0, max_time: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the messages of a conversation from the newest to the oldest ("Querying One-to-One Messages").

        Each page is the newest part of what is left, in rising order; the next one ends before its first message.

        :param operator_account: the UserID of the side whose view is read.
        :param peer_account: the UserID of the other side.
        :param min_time: Unix seconds of the oldest message.
        :param max_time: Unix seconds of the newest message; None for now.
        :return: the entries of ``MsgList`` as they come; MsgFlagBits 8 marks a recalled one.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: the subclass of its kind; also when the pages stop leading on.
        """
        command = "openim/admin_getroammsg"
        body: dict[str, Any] = {
            **_sides(operator_account, peer_account),
            "MaxCnt": _MAX_CNT,
            "MinTime": min_time,
            "MaxTime": int(time.time()) + _CLOCK_MARGIN if max_time is None else max_time,
        }
        pages, last_page = Pages(command), frozenset[tuple[str, str]]()
        while True:
            answer = self.call(command, body)
            # A key is its sender's: the other side may have one that is the same.
            page = {
                (str(entry.get("From_Account")), text_of(command, entry, "MsgKey")): entry
                for entry in entries(command, answer, "MsgList")
            }
            new = [entry for key, entry in reversed(page.items()) if key not in last_page]
            yield from new
            if number_of(command, answer, "Complete") == 1:
                return
            last_page = frozenset(page)
            body["MaxTime"] = number_of(command, answer, "LastMsgTime")
            body["LastMsgKey"] = text_of(command, answer, "LastMsgKey")
            pages.lead_to((body["MaxTime"], body["LastMsgKey"]), bool(new))

    def iter_conversations(self, account: str) -> Iterator[dict[str, Any]]:
        """Yield the recent conversations of an account ("Pulling a Conversation List").

        The service keeps only recent ones, 100 by default: this is no list of all there ever were.

        :param account: the UserID.
        :return: the entries of ``SessionItem`` as they come: Type 1 with To_Account, Type 2 with GroupId.
        :raises ValueError: when the account is malformed.
        :raises TencentIMError: the subclass of its kind; also when the pages stop leading on.
        """
        command = "recentcontact/get_list"
        body: dict[str, Any] = {
            "From_Account": check_id("account", account, LONGEST_USER_ID),
            **dict.fromkeys(_CONVERSATION_PLACE, 0),
            "AssistFlags": 7,  # pinned ones too, empty ones too, pinned ones page by page
        }
        pages = Pages(command)
        while True:
            answer = self.call(command, body)
            found = entries(command, answer, "SessionItem")
            yield from found
            if number_of(command, answer, "CompleteFlag") == 1:
                return
            place = {name: number_of(command, answer, name) for name in _CONVERSATION_PLACE}
            pages.lead_to(tuple(place.values()), bool(found))
            body |= place

    def recentcontact_delete(
        self, from_account: str, kind: Literal["c2c", "group"], peer: str, clear_history: bool = False
    ) -> dict[str, Any]:
        """Take a conversation off an account's list ("Deleting a Conversation").

        :param from_account: the UserID whose list it is.
        :param kind: whether the conversation is with an account or a group.
        :param peer: that account's UserID, or the GroupId.
        :param clear_history: hide the conversation's messages from ``from_account`` too.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        if kind not in ("c2c", "group"):
            raise ValueError("kind must be c2c or group")
        with_group = kind == "group"
        body = {
            "From_Account": check_id("from_account", from_account, LONGEST_USER_ID),
            "Type": 2 if with_group else 1,
            # The pages since 2023 write the group's field with a small "id".
            "ToGroupid" if with_group else "To_Account": check_id(
                "peer", peer, LONGEST_GROUP_ID if with_group else LONGEST_USER_ID
            ),
            "ClearRamble": int(clear_history),
        }
        return self.call("recentcontact/delete", body)

    def batchsendmsg(
        self,
        to_accounts: Sequence[str],
        msg_body: str | Sequence[Mapping[str, Any]],
        *,
        from_account: str | None = None,
        cloud_custom_data: str | None = None,
        msg_random: int | None = None,
        msg_seq: int | None = None,
    ) -> dict[str, Any]:
        """Send a message to many accounts ("Sending One-to-One Messages to Multiple Users").

        ErrorCode is 0 even when only some got it: ``ErrorList`` names the others.

        :param to_accounts: at most 500 UserIDs.
        :param msg_body: a list of elements, or text for one TIMTextElem.
        :param from_account: the sender's UserID; None for the app admin.
        :param cloud_custom_data: the CloudCustomData.
        :param msg_random: from 0 to 4294967295; the same one within five minutes is not sent twice. None for a new one.
        :param msg_seq: orders messages of the same second.
        :return: the answer, with the ``MsgKey`` that is the same for all.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["openim/batchsendmsg"]
        body: dict[str, Any] = {
            "To_Account": check_ids("to_accounts", to_accounts, command.chunk),
            "MsgRandom": secrets.randbits(32) if msg_random is None else msg_random,
            **message_fields(msg_body, cloud_custom_data),
        }
        if from_account is not None:
            body["From_Account"] = check_id("from_account", from_account, LONGEST_USER_ID)
        if msg_seq is not None:
            body["MsgSeq"] = msg_seq
        return self.call(command.path, body)

    def importmsg(
        self,
        from_account: str,
        to_account: str,
        msg_body: str | Sequence[Mapping[str, Any]],
        *,
        msg_time_stamp: int,
        msg_random: int,
        msg_seq: int,
        history: bool = True,
        cloud_custom_data: str | None = None,
    ) -> dict[str, Any]:
        """Import a one-to-one message of the past ("Importing One-to-One Messages").

        The three numbers are the message's MsgKey, and a second import with the same ones is dropped.

        :param from_account: the sender's UserID.
        :param to_account: the recipient's UserID.
        :param msg_body: a list of elements, or text for one TIMTextElem.
        :param msg_time_stamp: Unix seconds.
        :param msg_random: from 0 to 4294967295.
        :param msg_seq: from 0 to 4294967295.
        :param history: as read and without a push (SyncFromOldSystem 2); otherwise as one just sent (5).
        :param cloud_custom_data: the CloudCustomData.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body = {
            "From_Account": check_id("from_account", from_account, LONGEST_USER_ID),
            "To_Account": check_id("to_account", to_account, LONGEST_USER_ID),
            "SyncFromOldSystem": 2 if history else 5,
            "MsgTimeStamp": msg_time_stamp,
            "MsgRandom": msg_random,
            "MsgSeq": msg_seq,
            **message_fields(msg_body, cloud_custom_data),
        }
        return self.call("openim/importmsg", body)


_CONVERSATION_PLACE = ("TimeStamp", "StartIndex", "TopTimeStamp", "TopStartIndex")


def _sides(operator_account: str, peer_account: str) -> dict[str, str]:
    return {
        "Operator_Account": check_id("operator_account", operator_account, LONGEST_USER_ID),
        "Peer_Account": check_id("peer_account", peer_account, LONGEST_USER_ID),
    }
