"""Groups held in memory that answer reads as the service does, whatever is missing in them."""

from __future__ import annotations

import random
import threading
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_provider_tencentim.client.errors import error_for
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.retention.buckets import Shard
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import PlanRow
from airflow_provider_tencentim.retention.planner import GroupPlanner
from airflow_provider_tencentim.retention.policy import RetentionPolicy

LIST = "group_open_http_svc/get_appid_group_list"
INFO = "group_open_http_svc/get_group_info"
HISTORY = "group_open_http_svc/group_msg_get_simple"

NORMAL, EXPIRED, RECALLED = 0, 1, 2
BEGIN = 1_700_000_000


def item(time: int | None, place: int = NORMAL, system: bool = False, **fields: Any) -> dict[str, Any]:
    """What the history shows of a message."""
    shown: dict[str, Any] = {"IsPlaceMsg": place, "From_Account": "ann", "MsgBody": [], "MsgRandom": 7}
    if time is not None:
        shown["MsgTimeStamp"] = time
    if system:
        shown |= {"IsSystemMsg": 1, "MsgBody": {"OpType": 1}}
    return shown | fields


def each_second(first: int, last: int) -> dict[int, dict[str, Any]]:
    """Messages of one second each: that of MsgSeq n came n seconds after the beginning."""
    return {seq: item(BEGIN + seq) for seq in range(first, last + 1)}


class Room(GroupCommands):
    """A group whose history is held in memory, by MsgSeq.

    :param items: what the history shows of each seq.
    :param reading: whether the number that is asked for counts seqs or what is shown.
    :param cut: the chance that a page ends early.
    """

    def __init__(
        self,
        items: dict[int, dict[str, Any]],
        reading: str = "seqs",
        cut: float = 0.0,
        dice: random.Random | None = None,
    ) -> None:
        self.items = items
        self.seqs = sorted(items)
        self.reading = reading
        self.cut = cut
        self.dice = dice or random.Random(0)  # noqa: S311
        self.asked: list[int] = []

    def call(self, command: str, body: Any, *, tries: int = 3) -> dict[str, Any]:
        at, number = body["ReqMsgSeq"], body["ReqMsgNumber"]
        assert at >= 1
        assert 1 <= number <= 20
        self.asked.append(at)
        assert len(self.asked) < 10_000, "it reads on and on"
        end = bisect_left(self.seqs, at + 1)
        begin = bisect_left(self.seqs, at - number + 1) if self.reading == "seqs" else max(0, end - number)
        seqs, finished = self.seqs[begin:end][::-1], 1
        if len(seqs) > 1 and self.dice.random() < self.cut:
            seqs, finished = seqs[: self.dice.randint(1, len(seqs) - 1)], 0
        return {"IsFinished": finished, "RspMsgList": [{"MsgSeq": seq, **self.items[seq]} for seq in seqs]}

    def cancel(self) -> None:
        raise AssertionError("nothing interrupts")


class Rooms(GroupCommands):
    """An app of such groups."""

    def __init__(self) -> None:
        self.infos: dict[str, dict[str, Any]] = {}
        self.rooms: dict[str, Room] = {}
        self.errors: dict[tuple[str, str], int] = {}
        self.before: Callable[[str, Any], None] = lambda command, body: None
        self.sent: list[tuple[str, Any]] = []
        self.paced_by: set[str] = set()
        self.cancelled = threading.Event()

    def add(self, group: str, items: dict[int, dict[str, Any]] | None = None, **info: Any) -> None:
        """Add a Public group that was made before its first message; a field that is None is left out."""
        items = items or {}
        times = [shown["MsgTimeStamp"] for shown in items.values() if "MsgTimeStamp" in shown]
        info = {
            "GroupId": group,
            "ErrorCode": 0,
            "Type": "Public",
            "CreateTime": min(times, default=BEGIN) - 1,
            "NextMsgSeq": max(items, default=0) + 1,
            "LastMsgTime": max(times, default=0),
            **info,
        }
        self.infos[group] = {name: value for name, value in info.items() if value is not None}
        self.rooms[group] = Room(items)

    def fail(self, command: str, group: str, code: int) -> None:
        """Have a command on a group fail; get_group_info tells of it in the group's own ErrorCode."""
        self.errors[command, group] = code

    def call(self, command: str, body: Any, *, tries: int = 3) -> dict[str, Any]:
        self.sent.append((command, body))
        self.before(command, body)
        if command == LIST:
            wanted = body.get("GroupType")
            ids = [group for group, info in self.infos.items() if wanted in (None, info["Type"])]
            return {"GroupIdList": [{"GroupId": group} for group in ids], "Next": 0}
        if command == INFO:
            return {"GroupInfo": [self._info(group) for group in body["GroupIdList"]]}
        if code := self.errors.get((command, body["GroupId"])):
            raise error_for(command, code, "")
        return self.rooms[body["GroupId"]].call(command, body)

    def _info(self, group: str) -> dict[str, Any]:
        code = self.errors.get((INFO, group)) or (0 if group in self.infos else 10010)
        return {"GroupId": group, "ErrorCode": code, "ErrorInfo": "told"} if code else self.infos[group]

    def in_flight_wanted(self, command: str) -> int:
        self.paced_by.add(command)
        return super().in_flight_wanted(command)

    def cancel(self) -> None:
        self.cancelled.set()

    def reads(self, group: str | None = None) -> list[int]:
        """Where pages of histories were asked for."""
        return [
            body["ReqMsgSeq"] for command, body in self.sent if command == HISTORY and group in (None, body["GroupId"])
        ]

    def looked_up(self) -> list[str]:
        """The groups whose profiles were asked for."""
        return [group for command, body in self.sent if command == INFO for group in body["GroupIdList"]]


class Done:
    """A state in which groups are done through a MsgSeq."""

    def __init__(self, **through: int) -> None:
        self._through = through
        self.asked: list[tuple[str, int]] = []

    def through(self, group: str, create_time: int) -> int:
        self.asked.append((group, create_time))
        return self._through.get(group, 0)


def planning(
    rooms: Rooms,
    action: str = "recall",
    before: int = BEGIN + 1000,
    *,
    holds: tuple[str, ...] = (),
    state: Any = None,
    shard: Shard | None = None,
    **keys: Any,
) -> GroupPlanner:
    if "groups" not in keys:
        keys["all_groups"] = True
    if action.startswith("redact"):
        keys["replacement"] = "gone"
    policy = RetentionPolicy.parse({"action": action, "before": datetime.fromtimestamp(before, UTC), **keys})
    return GroupPlanner(rooms, policy, Patterns(holds), state, shard)


def planned(rooms: Rooms, *args: Any, **keys: Any) -> list[PlanRow]:
    return list(planning(rooms, *args, **keys).rows())


def row_of_room(**fields: Any) -> PlanRow:
    return PlanRow(group="room", type="Public", create_time=BEGIN, **fields)
