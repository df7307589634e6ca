"""Loading of the hourly message files that the service delivers: a copy of one's own messages to rehearse on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_tencentim.client.history_file import read_history_file
from airflow_provider_tencentim.emulator.calls import GROUP_TYPE_NAMES, stored_type
from airflow_provider_tencentim.emulator.fields import UINT32
from airflow_provider_tencentim.emulator.messages import compact, is_too_deep
from airflow_provider_tencentim.emulator.store import SYSTEM, SYSTEM_ACCOUNT, App, Conversation, Group, History, Message

#: What one load takes at most, repeated messages included: a small compressed file can hold any number.
MOST_MESSAGES = 5_000_000
#: And so many bytes of content: a message has 12 KB in the service, and a line of a file up to 1 MiB.
MOST_BYTES = 2 * 1024 * 1024 * 1024

_CHAT_TYPES = ("Group", "C2C")
_COMMUNITY, _TOPIC = "@TGS#_", "@TOPIC#_"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load brought.

    :param groups: how many groups were made.
    :param messages: how many messages were stored.
    :param repeated: how many were there already, or twice in the files.
    """

    groups: int
    messages: int
    repeated: int


class _Chats:
    """Messages on their way into the app: collected first, so that a malformed line leaves the app as it was."""

    def __init__(self) -> None:
        self.groups: defaultdict[tuple[str, str | None], dict[int, Message]] = defaultdict(dict)
        self.conversations: defaultdict[tuple[str, str], Conversation] = defaultdict(Conversation)
        self.read = 0
        self.bytes = 0

    def add(self, chat_type: str, fields: dict[str, Any]) -> None:
        if self.read == MOST_MESSAGES:
            raise ValueError(f"more than {MOST_MESSAGES:,} messages")
        self.read += 1
        if chat_type == "Group":
            seq, message = _integer(fields, "MsgSeq"), _message(fields, _integer(fields, "MsgRandom", 0))
            self._weigh(message)
            _put(self.groups[_place(fields)], seq, message)
            return
        message = _message(fields, _integer(fields, "MsgRandom"))
        self._weigh(message)
        pair = message.sender, _text(fields, "To_Account")
        _put_letter(self.conversations[min(pair), max(pair)], _integer(fields, "MsgSeq"), message)

    def _weigh(self, message: Message) -> None:
        self.bytes += len(message.body) + len(message.custom or "")
        if self.bytes > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes of messages")


def load(
    app: App, paths: tuple[str | Path, ...], *, group_type: str = "Public", any_app: bool = False, now: float
) -> Loaded:
    """Put the messages of hourly files into an app, all of them or, after an error, none.

    MsgSeq, MsgRandom and MsgTimestamp stay as they are, so that a MsgKey finds its message. Groups and
    accounts that are not there are made.

    :param app: where to.
    :param paths: the files, in any order, plain or compressed with gzip.
    :param group_type: the type of the groups that are made, which the files do not tell; one whose id begins
        with ``@TGS#_`` is a Community.
    :param any_app: take the files of another SDKAppID too.
    :param now: the time that a group without a message of its own was made at.
    :raises ValueError: naming the file and the line that is not as it should be, and never what it says.
    """
    if group_type not in GROUP_TYPE_NAMES:
        raise ValueError(f"the type of groups must be one of {', '.join(GROUP_TYPE_NAMES)}")
    chats = _Chats()
    for path in paths:
        _read(path, chats, None if any_app else app.sdkappid)
    groups_before, stored = len(app.groups), 0
    for (group_id, topic_id), messages in chats.groups.items():
        group = _group(app, group_id, topic_id, stored_type(group_type))
        history = group.history if topic_id is None else group.topics.setdefault(topic_id, History())
        stored += _merge(history, messages)
        senders = {message.sender for message in messages.values()} - {SYSTEM_ACCOUNT}
        app.accounts |= senders
        group.members = {**dict.fromkeys(sorted(senders), "Member"), **group.members}
        oldest = min(message.time for message in messages.values())
        group.create_time = min(group.create_time or int(now), oldest - 1)
    for pair, letters in chats.conversations.items():
        app.accounts.update(pair)
        conversation = app.conversation(*pair)
        before = len(conversation.messages)
        for ((_, seq, _), _), message in sorted(letters.messages.items(), key=lambda item: item[0]):
            _put_letter(conversation, seq, message)
        stored += len(conversation.messages) - before
    return Loaded(len(app.groups) - groups_before, stored, chats.read - stored)


def _read(path: str | Path, chats: _Chats, sdkappid: int | None) -> None:
    number = 1
    try:
        for number, (header, fields) in _numbered(path):
            if header["ChatType"] not in _CHAT_TYPES:
                raise ValueError(f"line 1: ChatType must be one of {', '.join(_CHAT_TYPES)}")
            if sdkappid not in (None, header["SdkAppId"]):
                raise ValueError(f"line 1: the file of SDKAppID {header['SdkAppId']}, not of {sdkappid}")
            try:
                chats.add(header["ChatType"], fields)
            except (ValueError, RecursionError) as error:
                told = not isinstance(error, UnicodeError | RecursionError)  # whose texts quote the line
                reason = str(error) if told else "not a message that can be stored"
                raise ValueError(f"line {number}: {reason}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _numbered(path: str | Path) -> Iterator[tuple[int, Any]]:
    return enumerate(read_history_file(path), start=2)


def _place(fields: dict[str, Any]) -> tuple[str, str | None]:
    """Return the group and the topic of a message: the topic has a field of its own, or stands in for the group."""
    group_id = _text(fields, "GroupId")
    if fields.get("TopicId"):
        return group_id, _text(fields, "TopicId")
    group, is_topic, _ = group_id.partition(_TOPIC)
    return group, group_id if is_topic else None


def _message(fields: dict[str, Any], random: int) -> Message:
    body = fields.get("MsgBody")
    if not isinstance(body, list | dict) or is_too_deep(body):
        raise ValueError("MsgBody is missing or not of its type")
    system = isinstance(body, dict)  # only tips and notices have an object
    custom = _text(fields, "CloudCustomData", 0) if "CloudCustomData" in fields else None
    return Message(
        SYSTEM_ACCOUNT if system and "From_Account" not in fields else _text(fields, "From_Account"),
        _integer(fields, "MsgTimestamp"),
        compact(body),
        random=random,
        custom=custom,
        flags=SYSTEM if system else 0,
    )


def _text(fields: dict[str, Any], name: str, most: int = 256) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or (most and not 0 < len(value.encode()) <= most):
        raise ValueError(f"{name} is missing or not of its type")
    value.encode()  # half a surrogate pair is no text
    return value


def _integer(fields: dict[str, Any], name: str, default: int | None = None) -> int:
    value = fields.get(name, default)
    if type(value) is not int or not 0 <= value <= UINT32:
        raise ValueError(f"{name} is missing or not of its type")
    return value


def _put(messages: dict[int, Message], seq: int, message: Message) -> None:
    """Store a message; of two with one MsgSeq the later one stays, as when a group was made anew under its id."""
    known = messages.get(seq)
    if known is None or known.time < message.time:
        messages[seq] = message


def _put_letter(conversation: Conversation, seq: int, message: Message) -> None:
    if conversation.find(message.sender, f"{seq}_{message.random}_{message.time}") is None:
        conversation.add(message, seq)


def _group(app: App, group_id: str, topic_id: str | None, group_type: str) -> Group:
    """Return a group, which is made if it is not there."""
    group = app.groups.get(group_id)
    if group is None:
        type_ = "Community" if topic_id or group_id.startswith(_COMMUNITY) else group_type
        group = app.new_group(group_id, type_, "group", 0)
    return group


def _merge(history: History, messages: dict[int, Message]) -> int:
    """Store messages among those that are there, and return how many there are more."""
    before = len(history.messages)
    merged = dict(history.messages)
    for seq, message in messages.items():
        _put(merged, seq, message)
    history.messages = dict(sorted(merged.items()))
    history.first_seq = next(iter(history.messages))
    history.next_seq = max(history.next_seq, *(seq + 1 for seq in messages))
    history.last_time = max(history.last_time, *(message.time for message in messages.values()))
    return len(merged) - before
