"""The app of a round: groups and conversations of every sort, each of which belongs to one piece of work."""

from __future__ import annotations

import random
import time
from typing import Any

from airflow_provider_tencentim.emulator import TencentIMEmulator

DAY = 86_400
SENDERS = ("ann", "bob", "cid")
SWEPT_TYPES = ("Public", "Private", "ChatRoom", "Public", "Public")


def history(dice: random.Random, number: int, *, oldest_days: float = 120, newest_days: float = 1) -> list[Any]:
    """Return the messages of a group: of several senders, with gaps, notices, recalled and expired ones.

    :param dice: draws them.
    :param number: how many.
    :param oldest_days: how old the first one is at most.
    :param newest_days: and the last one at least.
    """
    now, seq = time.time(), 0
    ages = sorted((dice.uniform(newest_days, oldest_days) for _ in range(number)), reverse=True)
    messages: list[dict[str, Any]] = []
    for age in ages:
        seq += 1 if dice.random() < 0.9 else dice.randrange(2, 60)
        message: dict[str, Any] = {
            "MsgSeq": seq,
            "MsgTimeStamp": int(now - age * DAY),
            "MsgRandom": dice.getrandbits(32),
            "MsgBody": f"{dice.choice(('secret', 'plain'))} {seq} 消息",
            "From_Account": dice.choice(SENDERS),
        }
        chance = dice.random()
        if chance < 0.05:
            message["state"] = "recalled"
        elif chance < 0.08:
            message["state"] = "expired"
        elif chance < 0.12:
            message |= {"IsSystemMsg": 1, "MsgBody": {"OpType": 1}}
            del message["From_Account"]
        elif chance < 0.3:
            message["CloudCustomData"] = '{"kept": true}'
        messages.append(message)
    return messages


def plain(number: int) -> list[Any]:
    """Return ordinary messages from MsgSeq 1 on, all of which can be overwritten and recalled."""
    now = int(time.time())
    return [
        {"MsgBody": f"message {at}", "From_Account": SENDERS[at % 3], "MsgTimeStamp": now - DAY * 2 + at}
        for at in range(number)
    ]


def add_letters(
    service: TencentIMEmulator, dice: random.Random, one: str, other: str, number: int, *, living: bool = False
) -> list[tuple[str, str, str]]:
    """Put a conversation in place; return sender, recipient and MsgKey of each message.

    :param living: without recalled messages.
    """
    now = time.time()
    ages = sorted(dice.sample(range(DAY, 120 * DAY), number), reverse=True)
    letters = []
    for at, age in enumerate(ages, start=1):
        sender, recipient = (one, other) if dice.random() < 0.5 else (other, one)
        message: dict[str, Any] = {
            "MsgBody": f"{dice.choice(('secret', 'plain'))} {at}",
            "MsgTimeStamp": int(now - age),
            "MsgSeq": at,
            "MsgRandom": dice.getrandbits(32),
        }
        if not living and dice.random() < 0.06:
            message["state"] = "recalled"
        letters.append((sender, recipient, service.add_c2c_message(sender, recipient, message)))
    return letters
