"""A made-up population: groups of every type with histories of about ninety days, and conversations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from airflow_provider_tencentim.emulator.messages import compact
from airflow_provider_tencentim.emulator.seeding import text_element
from airflow_provider_tencentim.emulator.store import (
    EXPIRED,
    RECALLED,
    SYSTEM,
    SYSTEM_ACCOUNT,
    App,
    Group,
    Message,
)

_SPAN_SECONDS = 90 * 86_400
_TYPES = ("Public", "Private", "ChatRoom", "Community")
_SENDERS = 50
_CONVERSATIONS = 5
_TEXTS = (
    "good morning",
    "see you at the meeting 👋",
    "大家好,今天的会议改到下午三点",
    "報告書を送りました。ご確認ください 🙇",
    "네, 확인했습니다",
    "order 4711 has shipped 📦",
    "😀😀😀",
    "C'est noté, merci !",
)


def generate(app: App, groups: int, messages_per_group: int, seed: int = 0, *, now: float) -> None:
    """Fill an app, with the same for the same seed.

    :param app: where to.
    :param groups: how many groups; from the third on, one of them is an AVChatRoom.
    :param messages_per_group: how many messages in each, and in each conversation.
    :param seed: another number makes another population.
    :param now: the time at which the newest message was sent.
    """
    # Reproducible on purpose, and no secret.
    dice = random.Random(seed)  # noqa: S311
    senders = [f"user{number:03}" for number in range(_SENDERS)]
    app.accounts.update(senders)
    for number in range(groups):
        type_ = "AVChatRoom" if number == 2 else _TYPES[number % len(_TYPES)]
        group = app.new_group(None, type_, f"group {number}", int(now) - _SPAN_SECONDS - 1)
        members = dice.sample(senders, 8)
        group.owner = members[0]
        group.members = {**dict.fromkeys(members, "Member"), group.owner: "Owner"}
        if type_ != "AVChatRoom":
            _fill(group, messages_per_group, members, dice, int(now))
    for _ in range(min(_CONVERSATIONS, groups)):
        _converse(app, dice.sample(senders, 2), messages_per_group, dice, int(now))


def _times(count: int, dice: random.Random, now: int) -> Iterator[int]:
    """Yield ascending times over the last ninety days."""
    step = _SPAN_SECONDS / (count + 1)
    start = now - _SPAN_SECONDS
    return (start + int((number + dice.random()) * step) for number in range(count))


def _fill(group: Group, count: int, members: list[str], dice: random.Random, now: int) -> None:
    for number, time in enumerate(_times(count, dice, now)):
        lot = dice.random()
        if lot < 0.02:
            group.history.add(Message(SYSTEM_ACCOUNT, time, compact(_tip(members[0])), flags=SYSTEM))
            continue
        flags = RECALLED if lot < 0.05 else EXPIRED if lot < 0.07 else 0
        custom = '{"source":"app"}' if lot > 0.9 else None
        body = [] if flags & EXPIRED else _body(number, dice)
        message = Message(
            dice.choice(members), time, compact(body), random=dice.getrandbits(32), custom=custom, flags=flags
        )
        group.history.add(message)


def _tip(account: str) -> dict[str, Any]:
    return {"OpType": 1, "Operator_Account": account, "MemberNum": 8}


def _body(number: int, dice: random.Random) -> list[dict[str, Any]]:
    lot = dice.random()
    if lot < 0.1:
        return [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": number % 60, "Data": ""}}]
    if lot < 0.2:
        content = {"Data": "\b\u0001猫", "Desc": "card", "Ext": str(number)}
        return [{"MsgType": "TIMCustomElem", "MsgContent": content}, text_element("🎁")]
    return [text_element(f"{dice.choice(_TEXTS)} #{number}")]


def _converse(app: App, pair: list[str], count: int, dice: random.Random, now: int) -> None:
    conversation = app.conversation(*pair)
    for number, time in enumerate(_times(count, dice, now)):
        flags = RECALLED if dice.random() < 0.03 else 0
        message = Message(
            dice.choice(pair), time, compact(_body(number, dice)), random=dice.getrandbits(32), flags=flags
        )
        conversation.add(message, number + 1)
