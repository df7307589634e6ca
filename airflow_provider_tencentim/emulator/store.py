"""What an app holds: accounts, groups and their histories, one-to-one conversations.

Built to carry a million messages: a message keeps its body as compact JSON bytes and its state as bits.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

RECALLED, EXPIRED, MODIFIED, SYSTEM, HIDDEN_FROM_SENDER = 1, 2, 4, 8, 16
SYSTEM_ACCOUNT = "@TIM#SYSTEM"
DUPLICATE_SECONDS = 300


class Message:
    """A stored message; its MsgSeq or MsgKey is the key under which it is stored."""

    __slots__ = ("body", "custom", "flags", "priority", "random", "sender", "time")

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

    def state(self, horizon: float) -> str:
        """Return ``normal``, ``recalled`` or ``expired``.

        :param horizon: what was sent before this time is no longer stored.
        """
        if self.flags & EXPIRED or self.time < horizon:
            return "expired"
        return "recalled" if self.flags & RECALLED else "normal"

    def overwrite(self, body: bytes | None, custom: str | None) -> None:
        """Replace what is given, for good; the rest stays."""
        self.body = self.body if body is None else body
        self.custom = self.custom if custom is None else custom
        self.flags |= MODIFIED


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


class Duplicates:
    """Remembers for five minutes what was sent, so that a repeat can be dropped."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}
        self._times: deque[tuple[float, Hashable]] = deque()

    def find(self, key: Hashable, now: float) -> Any:
        """Return what was answered to the first of the same, None when there was none."""
        while self._times and self._times[0][0] < now - DUPLICATE_SECONDS:
            self._answers.pop(self._times.popleft()[1], None)
        return self._answers.get(key)

    def add(self, key: Hashable, now: float, answer: object) -> None:
        """Remember an answer."""
        self._answers[key] = answer
        self._times.append((now, key))


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
        self.groups: dict[str, Group] = {}
        self.conversations: dict[tuple[str, str], Conversation] = {}
        self.duplicates = Duplicates()
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
