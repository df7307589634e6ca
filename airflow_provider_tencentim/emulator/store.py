"""What an app holds: accounts, groups and their histories, one-to-one conversations.

Built to carry a million messages: a message keeps its body as compact JSON bytes and its state as bits.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_tencentim.emulator.downloads import Downloads
from airflow_provider_tencentim.emulator.lately import Duplicates, MinuteCount

RECALLED, EXPIRED, MODIFIED, SYSTEM, HIDDEN_FROM_SENDER, HIDDEN_FROM_RECIPIENT = 1, 2, 4, 8, 16, 32
SYSTEM_ACCOUNT = "@TIM#SYSTEM"


class Message:
    """A stored message; its MsgSeq or MsgKey is the key under which it is stored."""

    __slots__ = ("as_sent", "body", "custom", "flags", "priority", "random", "sender", "time")

    def __init__(
        self,
        sender: str,
        time: int,
        body: bytes,
        *,
        random: int = 0,
        custom: str | None = None,
        flags: int = 0,
        priority: int = 2,
    ) -> None:
        self.sender = sys.intern(sender)
        self.time = time
        self.body = body
        self.random = random
        self.custom = custom
        self.flags = flags
        self.priority = priority
        self.as_sent: tuple[bytes, str | None] | None = None

    def state(self, horizon: float) -> str:
        """Return ``normal``, ``recalled`` or ``expired``.

        :param horizon: what was sent before this time is no longer stored.
        """
        if self.flags & EXPIRED or self.time < horizon:
            return "expired"
        return "recalled" if self.flags & RECALLED else "normal"

    def overwrite(self, body: bytes | None, custom: str | None) -> None:
        """Replace what is given, for good; the rest stays. Only the hourly log still knows what was there."""
        if self.as_sent is None:
            self.as_sent = self.body, self.custom
        self.body = self.body if body is None else body
        self.custom = self.custom if custom is None else custom
        self.flags |= MODIFIED

    def hide_from(self, account: str) -> None:
        """Take a one-to-one message out of the view of one of its two accounts."""
        self.flags |= HIDDEN_FROM_SENDER if account == self.sender else HIDDEN_FROM_RECIPIENT

    def is_hidden_from(self, account: str) -> bool:
        """Tell whether one of its two accounts no longer sees a one-to-one message."""
        return bool(self.flags & (HIDDEN_FROM_SENDER if account == self.sender else HIDDEN_FROM_RECIPIENT))


class History:
    """The messages of a group or a topic by MsgSeq, which may begin far above 1 and have gaps."""

    __slots__ = ("first_seq", "last_time", "messages", "next_seq")

    def __init__(self, first_seq: int = 1) -> None:
        self.first_seq = first_seq
        self.next_seq = first_seq
        self.last_time = 0
        self.messages: dict[int, Message] = {}

    def add(self, message: Message, seq: int | None = None) -> int:
        """Store a message and return its MsgSeq.

        :param message: the message.
        :param seq: its place, from ``next_seq`` on; the next one by default.
        """
        seq = self.next_seq if seq is None else seq
        if seq < self.next_seq:
            raise ValueError(f"MsgSeq {seq} is taken or passed: the next one is {self.next_seq}")
        self.messages[seq] = message
        self.next_seq = seq + 1
        self.last_time = max(self.last_time, message.time)
        return seq

    def window(self, low: int, high: int) -> Iterator[tuple[int, Message]]:
        """Yield the messages from ``high`` down to ``low``."""
        if high - low < len(self.messages):
            seqs: Iterator[int] = iter(range(high, low - 1, -1))
        else:  # sparse: walking the seqs could take for ever
            seqs = iter(sorted((seq for seq in self.messages if low <= seq <= high), reverse=True))
        for seq in seqs:
            message = self.messages.get(seq)
            if message is not None:
                yield seq, message

    def sent_between(self, start: int, end: int) -> Iterator[tuple[int, Message]]:
        """Yield the messages of a time from ``start`` on and before ``end``."""
        if self.last_time >= start:
            yield from ((seq, message) for seq, message in self.messages.items() if start <= message.time < end)


@dataclass(slots=True)
class Group:
    """A group, its members (account to role) and its messages."""

    group_id: str
    type: str
    name: str
    create_time: int
    serial: int
    owner: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    history: History = field(default_factory=History)
    topics: dict[str, History] = field(default_factory=dict)
    cleared_through: int = 0
    cleared_for: dict[str, int] = field(default_factory=dict)
    topics_cleared: dict[str, int] = field(default_factory=dict)

    @property
    def has_topics(self) -> bool:
        """Whether it is a community that was made for topics, or has some."""
        return bool(self.topics or self.info.get("SupportTopic"))

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was ever stored in it."""
        return self.history.next_seq == self.history.first_seq


MsgKey = str
_Place = tuple[int, int, int]


def parse_msg_key(key: MsgKey) -> _Place:
    """Return the place in a conversation, (time, seq, random), that a MsgKey names.

    :param key: ``seq_random_time``.
    :raises ValueError: when it is malformed.
    """
    parts = key.split("_")
    if len(key) > 50 or len(parts) != 3 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise ValueError("malformed MsgKey")
    seq, random, time = map(int, parts)
    return time, seq, random


class Conversation:
    """The messages between two accounts in the order of time and MsgSeq."""

    __slots__ = ("_places", "messages")

    def __init__(self) -> None:
        self._places: list[tuple[_Place, str]] = []
        self.messages: dict[tuple[_Place, str], Message] = {}

    def add(self, message: Message, seq: int) -> MsgKey:
        """Store a message and return its MsgKey.

        :param message: the message.
        :param seq: its MsgSeq, which the sender chooses.
        """
        place = ((message.time, seq, message.random), message.sender)
        if place not in self.messages:
            insort(self._places, place)
        self.messages[place] = message
        return f"{seq}_{message.random}_{message.time}"

    def find(self, sender: str, key: MsgKey) -> Message | None:
        """Return the message that a MsgKey names, if that sender sent it."""
        return self.messages.get((parse_msg_key(key), sender))

    def named(self, key: MsgKey, accounts: tuple[str, ...]) -> list[Message]:
        """Return what a MsgKey names, whichever of these accounts sent it: nothing, a message, or two."""
        found = (self.find(account, key) for account in dict.fromkeys(accounts))
        return [message for message in found if message is not None]

    def newest(self) -> Iterator[Message]:
        """Yield all messages backwards in time."""
        return (self.messages[place] for place in reversed(self._places))

    def arrived_since(self, count: int) -> Iterator[Message]:
        """Yield what came after the first ``count`` messages, in the order of arrival."""
        return islice(self.messages.values(), count, None)

    def newest_first(
        self, min_time: int, max_time: int, before: MsgKey | None = None
    ) -> Iterator[tuple[MsgKey, Message]]:
        """Yield a window of the conversation backwards.

        :param min_time: the earliest MsgTimeStamp.
        :param max_time: the latest MsgTimeStamp.
        :param before: go on before this message.
        """
        end = bisect_left(self._places, ((max_time + 1, 0, 0), ""))
        if before is not None:
            end = min(end, bisect_left(self._places, (parse_msg_key(before), "")))
        for index in range(end - 1, -1, -1):
            place = self._places[index]
            (time, seq, random), _ = place
            if time < min_time:
                return
            yield f"{seq}_{random}_{time}", self.messages[place]


class App:
    """One app.

    :param sdkappid: its number.
    :param admin: its administrator, an account that always exists.
    """

    def __init__(self, sdkappid: int, admin: str) -> None:
        self.sdkappid = sdkappid
        self.admin = admin
        self.clear()

    def clear(self) -> None:
        """Empty the app."""
        self.accounts = {self.admin}
        self.profiles: dict[str, dict[str, str]] = {}
        self.groups: dict[str, Group] = {}
        self.dissolved: list[Group] = []
        self.conversations: dict[tuple[str, str], Conversation] = {}
        # Of an account's list of conversations, by (account, Type, UserID or GroupId): those pinned to its top,
        # and those taken off it with what had arrived until then.
        self.pinned: set[tuple[str, int, str]] = set()
        self.forgotten: dict[tuple[str, int, str], int] = {}
        self.duplicates = Duplicates()
        self.batch_messages = MinuteCount()
        self.downloads = Downloads()
        self._serial = 0

    def new_group(self, group_id: str | None, type_: str, name: str, create_time: int) -> Group:
        """Store an empty group and return it.

        :param group_id: its id; None makes one.
        :param type_: Private, Public, ChatRoom, AVChatRoom or Community.
        :param name: its name.
        :param create_time: in Unix seconds.
        """
        self._serial += 1
        group_id = group_id or self._free_group_id(type_)
        group = Group(group_id, type_, name, create_time, self._serial)
        self.groups[group_id] = group
        return group

    def dissolve(self, group: Group) -> None:
        """Take a group out of the app; its id is free again, and only the hourly log still has its messages."""
        del self.groups[group.group_id]
        self.dissolved.append(group)
        for key in [key for key in (*self.pinned, *self.forgotten) if key[1:] == (2, group.group_id)]:
            self.pinned.discard(key)
            self.forgotten.pop(key, None)

    def _free_group_id(self, type_: str) -> str:
        prefix = "@TGS#_@TGS#" if type_ == "Community" else "@TGS#"
        number = self._serial
        while (group_id := f"{prefix}2{number:07X}") in self.groups:
            number += 1
        return group_id

    def conversation(self, one: str, other: str) -> Conversation:
        """Return the conversation of two accounts, in whatever order they are named."""
        pair = (one, other) if one <= other else (other, one)
        return self.conversations.setdefault(pair, Conversation())
