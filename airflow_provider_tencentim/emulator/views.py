"""The state of an app as JSON, for the control endpoint and for tests."""

from __future__ import annotations

import json
import math
from typing import Any

from airflow_provider_tencentim.emulator.store import (
    MODIFIED,
    SYSTEM,
    App,
    Conversation,
    Group,
    History,
    Message,
)


def state(app: App, group_id: str | None = None, *, messages: bool = True) -> dict[str, Any]:
    """Return what an app holds.

    :param app: the app.
    :param group_id: only this group, without accounts and conversations.
    :param messages: whether the messages are shown too.
    """
    if group_id is not None:
        group = app.groups.get(group_id)
        return {"groups": {group_id: _group(group, messages)} if group else {}}
    return {
        "accounts": sorted(app.accounts),
        "profiles": {account: dict(profile) for account, profile in app.profiles.items()},
        "groups": {group.group_id: _group(group, messages) for group in app.groups.values()},
        "c2c": [
            {"accounts": list(pair), "messages": _conversation(pair, conversation) if messages else []}
            for pair, conversation in app.conversations.items()
            if conversation.messages
        ],
    }


def _group(group: Group, messages: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "GroupId": group.group_id,
        "Type": group.type,
        "Name": group.name,
        "Owner_Account": group.owner,
        "CreateTime": group.create_time,
        "NextMsgSeq": group.history.next_seq,
        "cleared_through": group.cleared_through,
        "cleared_for": dict(group.cleared_for),
        "topics": {
            topic: _history(history, group.topics_cleared.get(topic, 0), messages)
            for topic, history in group.topics.items()
        },
    }
    return {**view, **_history(group.history, group.cleared_through, messages)}


def _history(history: History, cleared_through: int, messages: bool) -> dict[str, Any]:
    view: dict[str, Any] = {"NextMsgSeq": history.next_seq}
    if messages:
        view["messages"] = [
            {"MsgSeq": seq, **_message(message), "cleared": seq <= cleared_through}
            for seq, message in sorted(history.messages.items())
        ]
    return view


def _conversation(pair: tuple[str, str], conversation: Conversation) -> list[dict[str, Any]]:
    newest_first = conversation.newest_first(0, 2**63)
    return [
        {
            "MsgKey": key,
            "To_Account": pair[message.sender == pair[0]],
            **_message(message),
            "hidden_from": [account for account in pair if message.is_hidden_from(account)],
        }
        for key, message in reversed(list(newest_first))
    ]


def _message(message: Message) -> dict[str, Any]:
    return {
        "From_Account": message.sender,
        "MsgTimeStamp": message.time,
        "state": message.state(-math.inf),
        "modified": bool(message.flags & MODIFIED),
        "system": bool(message.flags & SYSTEM),
        "MsgBody": json.loads(message.body),
        "CloudCustomData": message.custom,
    }
