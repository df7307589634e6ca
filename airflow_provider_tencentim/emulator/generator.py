"""A made-up app of any size: groups that are busy by day or in bursts, old, new and dead, and conversations."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from airflow_provider_tencentim.emulator.generated_bodies import any_body, tip
from airflow_provider_tencentim.emulator.messages import compact
from airflow_provider_tencentim.emulator.store import (
    EXPIRED,
    RECALLED,
    SYSTEM,
    SYSTEM_ACCOUNT,
    App,
    History,
    Message,
)

_HOUR, _DAY, _WEEK = 3600, 86_400, 604_800


@dataclass(frozen=True, slots=True)
class _Life:
    """What a group's history looks like, each pair of days being a range to draw from.

    :param began: how many days ago its first message was sent.
    :param ended: how many days ago its last one was.
    :param bursts: whether it is silent but for an hour now and then.
    :param worn: whether its oldest messages have expired, and those before them are gone altogether.
    :param topics: whether its messages are in topics.
    """

    began: tuple[float, float]
    ended: tuple[float, float] = (0, 0)
    bursts: bool = False
    worn: bool = False
    topics: bool = False


_STEADY = _Life(began=(90, 200))
_OLD = _Life(began=(200, 700), worn=True)
_BURSTY = _Life(began=(30, 300), bursts=True)
_DEAD = _Life(began=(300, 800), ended=(100, 280), worn=True)
_NEW = _Life(began=(0.05, 2))
_IN_TOPICS = _Life(began=(60, 200), topics=True)
_LIVE = _Life(began=(0.05, 30))

# The first groups of every app, so that a small one has something of everything. Nothing is odd about the
# first four, one of each type that stores messages: their size is the mean, their MsgSeq begins at 1.
_FIRST = (
    ("Public", _STEADY),
    ("Private", _STEADY),
    ("ChatRoom", _STEADY),
    ("Community", _STEADY),
    ("AVChatRoom", _LIVE),
    ("Community", _IN_TOPICS),
    ("Public", _OLD),
    ("Private", _DEAD),
    ("ChatRoom", _BURSTY),
    ("Public", _NEW),
)
_ORDINARY = 4
# All others, by how often they come up.
_LATER = {
    ("Private", _STEADY): 20,
    ("Private", _BURSTY): 12,
    ("Private", _DEAD): 10,
    ("Private", _NEW): 4,
    ("Public", _STEADY): 12,
    ("Public", _OLD): 10,
    ("Public", _DEAD): 5,
    ("ChatRoom", _BURSTY): 8,
    ("ChatRoom", _OLD): 4,
    ("ChatRoom", _NEW): 3,
    ("Community", _STEADY): 3,
    ("Community", _IN_TOPICS): 5,
    ("AVChatRoom", _LIVE): 4,
}
_Shape = tuple[str, _Life]

_NAMES = ("项目讨论组", "Sales EMEA", "家人群 👪", "Raid night", "فريق الدعم", "お知らせ", "class of 2019", "test")
_TOPICS = ("general", "random", "help", "announcements", "dev")
_CUSTOM_DATA = ('{"source":"app"}', '{"lang":"zh","v":2}', "猫", "")
_MOST_CONVERSATIONS = 50
_LONGEST_CONVERSATION = 200


def _week(day: Sequence[int], weekend: float) -> list[float]:
    """Return how busy each hour of a week is, summed up; Unix weeks begin on Thursday."""
    hours = [busy * (weekend if weekday in (2, 3) else 1) for weekday in range(7) for busy in day]
    return list(accumulate(hours))


# By UTC hour, as people live eight hours to the east of it.
_WEEKS = (
    _week((6, 8, 9, 7, 3, 6, 9, 9, 8, 6, 4, 3, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 1, 3), weekend=0.15),
    _week((2, 2, 2, 2, 4, 3, 2, 2, 2, 3, 5, 7, 9, 9, 7, 4, 2, 1, 0, 0, 0, 0, 1, 1), weekend=1.8),
)
_HOURS = range(168)


def generate(app: App, groups: int, messages: int, seed: int = 0, *, now: float) -> None:
    """Fill an app, with the same for the same seed and time.

    :param app: where to.
    :param groups: how many groups.
    :param messages: how many messages they have in the mean; ``groups * messages`` is their exact number.
        Conversations come on top.
    :param seed: another number makes another population.
    :param now: the time at which the newest messages were sent.
    """
    # Reproducible on purpose, and no secret.
    dice = random.Random(seed)  # noqa: S311
    users = [f"user{number:04}" for number in range(50 + min(2 * groups, 9000))]
    app.accounts.update(users)
    shapes = [*_FIRST[:groups], *dice.choices(list(_LATER), list(_LATER.values()), k=max(0, groups - len(_FIRST)))]
    for shape, size in zip(shapes, _sizes(dice, shapes, messages), strict=True):
        _add_group(app, dice, shape, size, dice.sample(users, dice.randint(3, 25)), int(now))
    for _ in range(min(groups, _MOST_CONVERSATIONS)):
        size = dice.randint(min(2, messages), min(2 * messages, _LONGEST_CONVERSATION))
        _converse(app, dice, dice.sample(users, 2), size, int(now))


def _sizes(dice: random.Random, shapes: Sequence[_Shape], mean: int) -> list[int]:
    """Return how many messages each group has: few have most of them."""
    sizes = [mean if number < _ORDINARY else 0 for number in range(len(shapes))]
    others = [
        number for number, (type_, _) in enumerate(shapes) if number >= _ORDINARY and type_ != "AVChatRoom"
    ] or list(range(len(sizes[:_ORDINARY])))
    weights = [dice.lognormvariate(0, 1.5) for _ in others]
    for number, size in zip(others, _split(len(shapes) * mean - sum(sizes), weights), strict=True):
        sizes[number] += size
    return sizes


def _split(total: int, weights: Sequence[float]) -> Iterator[int]:
    """Yield whole shares of a total."""
    sums = list(accumulate(weights, initial=0.0))
    return (round(total * high / sums[-1]) - round(total * low / sums[-1]) for low, high in pairwise(sums))


def _add_group(app: App, dice: random.Random, shape: _Shape, size: int, members: list[str], now: int) -> None:
    type_, life = shape
    begin = now - int(dice.uniform(*life.began) * _DAY)
    end = now - int(dice.uniform(*life.ended) * _DAY)
    age = dice.randint(1, 300 * _DAY) if life.worn else dice.randint(1, _HOUR)
    group = app.new_group(None, type_, dice.choice(_NAMES), begin - age)
    group.owner = members[0]
    group.members = {**dict.fromkeys(members, "Member"), members[0]: "Owner"}
    if type_ == "AVChatRoom":  # it has counted its messages, and stored none
        group.history = History(dice.randint(1, 5_000_000))
        return
    group.history = History(dice.randint(1000, 3_000_000) if life.worn else 1)
    if not life.topics:
        _fill(group.history, dice, life, _times(dice, life, begin, end, size), members)
        if life is _OLD and type_ != "Community" and dice.random() < 0.3:
            group.cleared_through = dice.randint(group.history.first_seq, group.history.next_seq)
        return
    names = _TOPICS[: dice.randint(2, len(_TOPICS))]
    own, *shares = _split(size, [0.2, *(dice.lognormvariate(0, 1) for _ in names)])
    _fill(group.history, dice, life, _times(dice, life, begin, end, own), members)
    for name, share in zip(names, shares, strict=True):
        topic = group.topics[f"{group.group_id}@TOPIC#_{name}"] = History()
        _fill(topic, dice, life, _times(dice, life, begin, end, share), members)


def _times(dice: random.Random, life: _Life, begin: int, end: int, count: int) -> list[int]:
    """Return ascending times, some of them equal."""
    if life.bursts:
        starts = [dice.randint(begin, max(begin, end - _HOUR)) for _ in range(count // 400 + 1)]
        times = [min(end, start + int(_HOUR * dice.random() ** 2)) for start in dice.choices(starts, k=count)]
    else:
        times = _rhythm(dice, begin, end, count)
    times.sort()
    for index in range(1, count):
        if dice.random() < 0.03:
            times[index] = times[index - 1]
    return times


def _rhythm(dice: random.Random, begin: int, end: int, count: int) -> list[int]:
    first_week = begin - begin % _WEEK
    weeks = (end - first_week) // _WEEK + 1
    rhythm, chance = dice.choice(_WEEKS), dice.random
    times = []
    for hour in dice.choices(_HOURS, cum_weights=rhythm, k=count):
        time = first_week + int(chance() * weeks) * _WEEK + hour * _HOUR + int(chance() * _HOUR)
        time += _WEEK if time < begin else -_WEEK if time > end else 0
        times.append(time if begin <= time <= end else begin + int(chance() * (end - begin)))
    return times


def _fill(history: History, dice: random.Random, life: _Life, times: list[int], members: list[str]) -> None:
    expired = int(len(times) * dice.uniform(0.05, 0.3)) if life.worn else 0
    tip_share = dice.uniform(0.01, 0.08)
    talkative = list(accumulate(1 / rank for rank in range(1, len(members) + 1)))
    senders = dice.choices(members, cum_weights=talkative, k=len(times))
    chance, bits = dice.random, dice.getrandbits
    seq = history.first_seq
    for number, (time, sender) in enumerate(zip(times, senders, strict=True)):
        if chance() < 0.003:
            seq += dice.randint(1, 5) if chance() < 0.9 or not life.worn else dice.randint(100, 5000)
        flags = EXPIRED if number < expired else 0
        lot = chance()
        if number == 0 or lot < tip_share:  # the first of all is that the group was made
            sender, custom, flags = SYSTEM_ACCOUNT, None, flags | SYSTEM
            body = b"[]" if flags & EXPIRED else compact(tip(dice, members[0], len(members)))
        else:
            flags |= RECALLED if lot > 0.97 else EXPIRED if lot > 0.955 else 0
            custom = dice.choice(_CUSTOM_DATA) if 0.85 < lot < 0.95 and not flags else None
            body = b"[]" if flags & EXPIRED else compact(any_body(dice, seq))
        priority = 2 if lot < 0.8 else 1 + int(lot * 1000) % 4
        history.add(Message(sender, time, body, random=bits(32), custom=custom, flags=flags, priority=priority), seq)
        seq += 1


def _converse(app: App, dice: random.Random, pair: list[str], count: int, now: int) -> None:
    conversation = app.conversation(*pair)
    begin = now - dice.randint(_DAY, 200 * _DAY)
    # Each side counts its own messages.
    seqs = {account: dice.randint(1, 60_000) for account in pair}
    for number, time in enumerate(_times(dice, dice.choice((_STEADY, _BURSTY)), begin, now, count)):
        sender = pair[number % 2] if number < 2 else dice.choice(pair)
        seqs[sender] += dice.randint(1, 3)
        message = Message(
            sender,
            time,
            compact(any_body(dice, number)),
            random=dice.getrandbits(32),
            custom=dice.choice(_CUSTOM_DATA) if dice.random() < 0.1 else None,
            flags=RECALLED if dice.random() < 0.03 else 0,
        )
        conversation.add(message, seqs[sender])
