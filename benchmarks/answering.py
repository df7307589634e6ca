"""A server for the benchmarks that answers recalls late, and counts when they came: not the emulator, which checks.

Run as a script, it prints its URL, and a line of JSON for every app when its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Server(asyncio.Protocol):
    """One connection.

    :param arrivals: the moments at which calls came, by SDKAppID.
    :param delays: how late they are answered, by the end of the SDKAppID, in milliseconds.
    """

    def __init__(self, arrivals: dict[str, list[float]]) -> None:
        self.arrivals = arrivals
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport  # asyncio sets TCP_NODELAY itself

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        app = head.partition(b"sdkappid=")[2].split(b"&")[0].decode()
        self.arrivals.setdefault(app, []).append(time.monotonic())
        asyncio.get_running_loop().call_later(int(app[-3:]) / 1000, self.answer, rest[:length])

    def answer(self, body: bytes) -> None:
        seqs = json.loads(body)["MsgSeqList"]
        answer = {
            "ActionStatus": "OK",
            "ErrorInfo": "",
            "ErrorCode": 0,
            "RecallRetList": [{"MsgSeq": seq["MsgSeq"], "RetCode": 0} for seq in seqs],
        }
        content = json.dumps(answer).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))


def busiest_second(arrivals: list[float]) -> int:
    """Return the most calls that any second holds, wherever it begins."""
    arrivals = sorted(arrivals)
    busiest = first = 0
    for last, moment in enumerate(arrivals):
        while arrivals[first] <= moment - 1:
            first += 1
        busiest = max(busiest, last - first + 1)
    return busiest


async def serve() -> None:
    arrivals: dict[str, list[float]] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(arrivals), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for app, moments in arrivals.items():
        seconds = max(moments) - min(moments)
        figures = {"calls": len(moments), "seconds": seconds, "busiest": busiest_second(moments)}
        print(json.dumps({"app": app, **figures}), flush=True)


class Answering:
    """A server that runs; its figures are there when it was stopped."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.figures: dict[int, dict[str, float]] = {}


@contextmanager
def answering() -> Iterator[Answering]:
    """Run the server in a process of its own. The last three digits of an SDKAppID are its delay in milliseconds."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        server = Answering(child.stdout.readline().strip())
        try:
            yield server
        finally:
            printed, _ = child.communicate()
        for line in printed.splitlines():
            figures = json.loads(line)
            server.figures[int(figures["app"])] = figures


if __name__ == "__main__":
    asyncio.run(serve())
