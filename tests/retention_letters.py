"""One-to-one conversations held in memory, that answer reads as the service does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from airflow_provider_tencentim.client.c2c_commands import C2CCommands
from airflow_provider_tencentim.client.errors import error_for

ROAM = "openim/admin_getroammsg"
RECENT = "recentcontact/get_list"
BEGIN = 1_700_000_000
RECALLED = 8


def letter(sender: str, recipient: str, number: int, **fields: Any) -> dict[str, Any]:
    """What a history shows of the letter that came so many seconds after the beginning."""
    return {
        "From_Account": sender,
        "To_Account": recipient,
        "MsgKey": f"{number}_1_{BEGIN + number}",
        "MsgTimeStamp": BEGIN + number,
        "MsgBody": [],
        **fields,
    }


class Letters(C2CCommands):
    """An app in which each side of a conversation has a view of its own."""

    def __init__(self) -> None:
        self.views: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.sessions: dict[str, list[dict[str, Any]]] = {}
        self.errors: dict[tuple[str, str], int] = {}
        self.before: Callable[[str, Any], None] = lambda command, body: None
        self.sent: list[tuple[str, Any]] = []
        self.paced_by: set[str] = set()
        self.cancelled = threading.Event()

    def talk(self, one: str, other: str, count: int, **fields: Any) -> None:
        """Add letters of one second each, from either side in turn."""
        sides = ((one, other), (other, one))
        self.add(*(letter(*sides[number % 2], number, **fields) for number in range(count)))

    def add(self, *letters: dict[str, Any]) -> None:
        """Add letters to the views of both sides, and to their lists."""
        for one in letters:
            for side, peer in (
                (one["From_Account"], one["To_Account"]),
                (one["To_Account"], one["From_Account"]),
            ):
                self.views.setdefault((side, peer), []).append(one)
                session = {"Type": 1, "To_Account": peer}
                if session not in self.sessions.setdefault(side, []):
                    self.sessions[side].append(session)

    def fail(self, one: str, other: str, code: int) -> None:
        """Have the view of a side fail."""
        self.errors[one, other] = code

    def call(self, command: str, body: Any, *, tries: int = 3) -> dict[str, Any]:
        self.sent.append((command, body))
        self.before(command, body)
        if command == RECENT:
            return {"SessionItem": self.sessions.get(body["From_Account"], []), "CompleteFlag": 1}
        assert command == ROAM
        side = body["Operator_Account"], body["Peer_Account"]
        if code := self.errors.get(side):
            raise error_for(command, code, "")
        shown = [one for one in self.views.get(side, ()) if body["MinTime"] <= one["MsgTimeStamp"] <= body["MaxTime"]]
        return {"MsgList": shown, "Complete": 1}

    def in_flight_wanted(self, command: str) -> int:
        self.paced_by.add(command)
        return super().in_flight_wanted(command)

    def cancel(self) -> None:
        self.cancelled.set()

    def windows(self) -> list[tuple[str, str, int, int]]:
        """Which views were asked for, and from when to when."""
        return [
            (body["Operator_Account"], body["Peer_Account"], body["MinTime"], body["MaxTime"])
            for command, body in self.sent
            if command == ROAM
        ]
