"""Putting groups and messages in place without the API, in states that it would take months to reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_tencentim.emulator.calls import GROUP_TYPE_NAMES, stored_type
from airflow_provider_tencentim.emulator.messages import compact
from airflow_provider_tencentim.emulator.store import (
    EXPIRED,
    RECALLED,
    SYSTEM,
    SYSTEM_ACCOUNT,
    App,
    Group,
    History,
    Message,
    MsgKey,
)

# A text, a MsgBody, or a mapping with some of _MESSAGE_FIELDS.
MessageLike = str | list[Any] | Mapping[str, Any]
_MESSAGE_FIELDS = {
    "MsgBody",
    "CloudCustomData",
    "From_Account",
    "MsgTimeStamp",
    "MsgSeq",
    "MsgRandom",
    "IsSystemMsg",
    "state",
}
_STATES = {"normal": 0, "recalled": RECALLED, "expired": EXPIRED}


def text_element(text: str) -> dict[str, Any]:
    """Return a TIMTextElem."""
    return {"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}


def listed(messages: int | Iterable[MessageLike]) -> list[MessageLike]:
    """Return messages as a list: a number stands for that many distinct texts."""
    if isinstance(messages, int):
        return [f"message {number}" for number in range(1, messages + 1)]
    return list(messages)


def add_group(
    app: App,
    now: float,
    group_id: str | None,
    type_: str,
    messages: list[MessageLike],
    *,
    create_time: int | None = None,
    name: str | None = None,
    owner: str | None = None,
    members: Iterable[str] = (),
    topics: Mapping[str, int | Iterable[MessageLike]] | None = None,
    first_seq: int = 1,
    cleared_through: int = 0,
) -> Group:
    """Store a group with messages; accounts that it names are imported on the way.

    The arguments are those of ``TencentIMEmulator.add_group``.
    """
    if type_ not in GROUP_TYPE_NAMES:
        raise ValueError(f"type must be one of {', '.join(GROUP_TYPE_NAMES)}")
    if group_id in app.groups:
        raise ValueError(f"there is a group {group_id} already")
    group = app.new_group(group_id, stored_type(type_), name or "group", 0)
    group.history = History(first_seq)
    group.owner = owner or app.admin
    group.members = {**dict.fromkeys(members, "Member"), group.owner: "Owner"}
    group.cleared_through = cleared_through
    app.accounts.update(group.members)
    add_messages(app, group.history, messages, now)
    for topic_id, topic_messages in (topics or {}).items():
        group.topics[topic_id] = History()
        add_messages(app, group.topics[topic_id], listed(topic_messages), now)
    oldest = min((message.time for message in group.history.messages.values()), default=int(now))
    group.create_time = oldest - 1 if create_time is None else create_time
    return group


def add_messages(app: App, history: History, messages: list[MessageLike], now: float) -> None:
    """Store messages, a second apart where they do not say when they were sent, the last one just now."""
    for position, item in enumerate(messages):
        time = max(int(now) - len(messages) + position, history.last_time)
        add_message(app, history, item, time)


def add_message(app: App, history: History, item: MessageLike, default_time: int) -> int:
    """Store one message and return its MsgSeq.

    :param app: where its sender is imported.
    :param history: the group's or the topic's.
    :param item: the message.
    :param default_time: its MsgTimeStamp unless it says so itself.
    """
    fields = _fields(item)
    message = _message(app, fields, default_time)
    return history.add(message, fields.get("MsgSeq"))


def add_c2c_message(app: App, from_account: str, to_account: str, item: MessageLike, default_time: int) -> MsgKey:
    """Store a one-to-one message and return its MsgKey; MsgSeq and MsgRandom are counted up by default."""
    fields = _fields(item)
    app.accounts.update((from_account, to_account))
    conversation = app.conversation(from_account, to_account)
    number = len(conversation.messages) + 1
    fields = {"MsgRandom": number, "MsgSeq": number, **fields, "From_Account": from_account}
    return conversation.add(_message(app, fields, default_time), fields["MsgSeq"])


def _fields(item: MessageLike) -> dict[str, Any]:
    fields = dict(item) if isinstance(item, Mapping) else {"MsgBody": item}
    unknown = sorted(fields.keys() - _MESSAGE_FIELDS)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r} of a message; known are {', '.join(sorted(_MESSAGE_FIELDS))}")
    return fields


def _message(app: App, fields: Mapping[str, Any], default_time: int) -> Message:
    body = fields.get("MsgBody", [])
    flags = _STATES[fields.get("state", "normal")]
    system = bool(fields.get("IsSystemMsg"))
    sender = fields.get("From_Account", SYSTEM_ACCOUNT if system else app.admin)
    if not system:
        app.accounts.add(sender)
    return Message(
        sender,
        fields.get("MsgTimeStamp", default_time),
        compact([text_element(body)] if isinstance(body, str) else body),
        random=fields.get("MsgRandom", 0),
        custom=fields.get("CloudCustomData"),
        flags=flags | (SYSTEM if system else 0),
    )
