"""A call on its way through a command, and the checks that several commands share."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.emulator.answers import RefusalError
from airflow_provider_tencentim.emulator.assumptions import Assumptions
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.store import App, Conversation, Group, History, MsgKey, parse_msg_key

# Work and Meeting are the newer names of two types; the API answers with the old ones.
_TYPE_NAMES = {"Work": "Private", "Meeting": "ChatRoom"}
GROUP_TYPES = ("Private", "Public", "ChatRoom", "AVChatRoom", "Community")
GROUP_TYPE_NAMES = (*GROUP_TYPES, *_TYPE_NAMES)


def stored_type(name: str) -> str:
    """Return the name under which a group type is stored and answered."""
    return _TYPE_NAMES.get(name, name)


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated call with a JSON object for a body."""

    app: App
    assume: Assumptions
    body: dict[str, Any]
    identifier: str
    now: float
    base_url: str = ""

    def fields(self, code: int) -> Fields:
        """Return the request's fields, refused with this code unless told otherwise."""
        return Fields(self.body, code)

    @property
    def horizon(self) -> float:
        """The time before which messages have expired."""
        days = self.assume.roaming_days
        return self.now - days * 86_400 if days else -math.inf

    def sameness(self, sender: str, content: bytes) -> object:
        """Return what must be equal, beside Random, for a second message to be a duplicate."""
        also = {"random": None, "sender_random": sender, "content_random": content}
        return also[self.assume.duplicate_rule]

    def conversation(self, sender: str, recipient: str, *codes: int) -> Conversation:
        """Return the conversation of two accounts, which must exist.

        :param sender: one of them.
        :param recipient: the other.
        :param codes: the ErrorCodes for an unknown sender and an unknown recipient, by default sendmsg's.
        """
        unknown_sender, unknown_recipient = codes or (
            self.assume.unknown_sender_code,
            self.assume.unknown_recipient_code,
        )
        if sender not in self.app.accounts:
            raise RefusalError(unknown_sender)
        if recipient not in self.app.accounts:
            raise RefusalError(unknown_recipient)
        return self.app.conversation(sender, recipient)

    def group(self, fields: Fields) -> Group:
        """Return the group that the request names."""
        group_id = fields.text("GroupId")
        if not is_group_id(group_id):
            raise RefusalError(self.assume.malformed_group_code)
        group = self.app.groups.get(group_id)
        if group is None:
            raise RefusalError(self.assume.unknown_group_code, "this group does not exist")
        return group

    def history(self, group: Group, fields: Fields) -> History:
        """Return the messages of the group, or of the topic that the request names."""
        if "TopicId" not in fields:
            return group.history
        topic_id = fields.text("TopicId")
        if not group.topics:
            raise RefusalError(self.assume.topic_elsewhere_code, "invalid request: TopicId")
        if topic_id not in group.topics:
            raise RefusalError(self.assume.unknown_topic_code, "this topic does not exist")
        return group.topics[topic_id]


def read_msg_key(fields: Fields, name: str, code: int = 90054) -> MsgKey:
    """Return a MsgKey of the request."""
    return check_msg_key(fields, name, fields.raw(name), code)


def check_msg_key(fields: Fields, name: str, key: object, code: int = 90054) -> MsgKey:
    """Return a value that must be a MsgKey, or refuse the field that holds it."""
    if isinstance(key, str):
        with suppress(ValueError):
            parse_msg_key(key)
            return key
    raise fields.refuse(name, code)


def is_group_id(group_id: str) -> bool:
    """Tell whether an id is well formed: up to 48 printable ASCII characters."""
    return 0 < len(group_id) <= 48 and group_id.isascii() and group_id.isprintable()
