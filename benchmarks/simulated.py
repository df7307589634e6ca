"""An app of any number of groups that lies nowhere: what it answers is computed from the number of the group.

``SimulatedClient`` answers in this process. Run as a script, it is a server that prints its URL, and how often each
command was called when its standard input ends: not the emulator, which checks, and keeps what it is given.
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.client.transport import MAX_TRIES

DAY = 86_400
YEAR = 365 * DAY
NOW = 1_790_000_000
#: 60 days before the end of a year of messages.
CUT_OFF = NOW - 60 * DAY
SIZES = (20, 200, 2_000, 20_000)

LIST = "group_open_http_svc/get_appid_group_list"
INFO = "group_open_http_svc/get_group_info"
HISTORY = "group_open_http_svc/group_msg_get_simple"
CLEAR = "group_open_http_svc/clear_group_msg"
RECALL = "group_open_http_svc/group_msg_recall"
#: How late calls are answered over HTTP.
DELAY_SECONDS = 0.02


@dataclass(frozen=True)
class App:
    """Groups of which some have messages on both sides of the cut-off; the others are new or empty, half and half.

    :param groups: how many there are.
    :param active: how many of 100 have messages on both sides.
    """

    groups: int
    active: int = 100

    def is_active(self, number: int) -> bool:
        # A step that shares no factor with 100 spreads them evenly.
        return number * 37 % 100 < self.active

    def size(self, number: int) -> int:
        """How many messages a group has: from 20 to 20,000, and none in an empty one."""
        return SIZES[number // 100 % 4] if self.is_active(number) or number % 2 else 0

    def time(self, number: int, seq: int) -> int:
        """When a message was sent: busy by day, quiet by night, never earlier than the one before it."""
        first, last = self.span(number)
        linear = (last - first) * seq / self.size(number)
        return first + int(linear + 0.9 * DAY / math.tau * math.sin(math.tau * linear / DAY))

    def span(self, number: int) -> tuple[int, int]:
        """When a group was made, and when its newest message was sent."""
        return (NOW - YEAR if self.is_active(number) else NOW - 30 * DAY), NOW - number % DAY

    def newer(self, number: int) -> int:
        """How many messages of a group are not older than the cut-off, or nearly so: what paging would read."""
        first, last = self.span(number)
        return round(self.size(number) * min(1.0, (last - CUT_OFF) / (last - first)))

    def answer(self, command: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0} | _ANSWERS[command](self, body)

    def _list(self, body: Mapping[str, Any]) -> dict[str, Any]:
        begin, limit = body["Next"], body["Limit"]
        end = min(begin + limit, self.groups)
        ids = [{"GroupId": f"room-{number}"} for number in range(begin, end)]
        return {"TotalCount": self.groups, "GroupIdList": ids, "Next": end if end < self.groups else 0}

    def _infos(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"GroupInfo": [self._info(group) for group in body["GroupIdList"]]}

    def _info(self, group: str) -> dict[str, Any]:
        number = _number(group)
        size, (first, last) = self.size(number), self.span(number)
        return {
            "GroupId": group,
            "ErrorCode": 0,
            "ErrorInfo": "",
            "Type": "Public",
            "Name": group,
            "CreateTime": first,
            "NextMsgSeq": size + 1,
            "LastMsgTime": last if size else 0,
            "MemberNum": 5,
        }

    def _page(self, body: Mapping[str, Any]) -> dict[str, Any]:
        number = _number(body["GroupId"])
        newest = min(body.get("ReqMsgSeq", self.size(number)), self.size(number))
        oldest = max(1, newest - body["ReqMsgNumber"] + 1)
        shown = [
            {
                "From_Account": "ann",
                "IsPlaceMsg": 0,
                "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}],
                "MsgRandom": seq,
                "MsgSeq": seq,
                "MsgTimeStamp": self.time(number, seq),
            }
            for seq in range(newest, oldest - 1, -1)
        ]
        return {"GroupId": body["GroupId"], "IsFinished": 1, "RspMsgList": shown}

    def _clear(self, body: Mapping[str, Any]) -> dict[str, Any]:
        number = _number(body["GroupId"])
        # The first message that must stay is looked at with every clear: a wrong cut-off would not pass.
        if not self.time(number, body["MsgSeq"]) < CUT_OFF <= self.time(number, body["MsgSeq"] + 1):
            raise ValueError(f"{body} is not where the cut-off is")
        return {}

    def _recall(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"RecallRetList": [{"MsgSeq": one["MsgSeq"], "RetCode": 0} for one in body["MsgSeqList"]]}


_ANSWERS = {LIST: App._list, INFO: App._infos, HISTORY: App._page, CLEAR: App._clear, RECALL: App._recall}


def _number(group: str) -> int:
    return int(group.rpartition("-")[2])


class SimulatedClient(GroupCommands):
    """A client that asks nobody.

    :param app: answers.
    """

    sdkappid = 1_400_000_000
    base_url = "https://simulated.invalid"

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()

    def call(self, command: str, body: Mapping[str, Any], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        with self._lock:
            self.calls[command] += 1
        return self._app.answer(command, body)

    def in_flight_wanted(self, command: str) -> int:
        return 8

    def cancel(self) -> None:
        pass


class _Connection(asyncio.Protocol):
    def __init__(self, app: App, calls: Counter[str]) -> None:
        self._app = app
        self._calls = calls
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) if end else 0
        if not end or len(rest) < length:
            return
        self._buffer = rest[length:]
        command = head.partition(b"/v4/")[2].partition(b"?")[0].decode()
        self._calls[command] += 1
        content = json.dumps(self._app.answer(command, json.loads(rest[:length]))).encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
        asyncio.get_running_loop().call_later(DELAY_SECONDS, self._transport.write, answer)


async def _serve(app: App) -> None:
    calls: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(app, calls), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(calls), flush=True)


class Served:
    """A server that runs; how often each command was called is there when it was stopped."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: dict[str, int] = {}


@contextmanager
def served(app: App) -> Iterator[Served]:
    """Serve an app from a process of its own."""
    command = [sys.executable, __file__, str(app.groups), str(app.active)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        server = Served(child.stdout.readline().strip())
        try:
            yield server
        finally:
            printed, _ = child.communicate()
        server.calls = json.loads(printed)


def policy() -> Any:
    """Return the policy that clears every group up to the cut-off."""
    from datetime import UTC, datetime

    from airflow_provider_tencentim.retention.policy import RetentionPolicy

    cut_off = datetime.fromtimestamp(CUT_OFF, UTC)
    now = datetime.fromtimestamp(NOW, UTC)
    return RetentionPolicy.parse({"before": cut_off, "all_groups": True, "action": "clear"}).resolve(now, now)


assert set(_ANSWERS) <= set(COMMANDS)  # noqa: S101

if __name__ == "__main__":
    asyncio.run(_serve(App(int(sys.argv[1]), int(sys.argv[2]))))
