"""CPU of a call: signed, paced, sent, judged. Against a bare ``requests.Session.post`` of the same body.

``--quick`` makes a fifth of the calls.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests
from answering import answering
from measure import check, heading

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.pacing_machine import MachinePacer

CALLS, ROUNDS = (100, 3) if "--quick" in sys.argv else (300, 5)
MOST = 2.0
KEY = "benchmark" * 7
COMMAND = "group_open_http_svc/group_msg_recall"
BODY = {"GroupId": "room", "MsgSeqList": [{"MsgSeq": seq} for seq in range(10)]}


def cpu_of(call: Callable[[], object]) -> float:
    """Return the microseconds of CPU of one call."""
    started = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - started) / CALLS * 1e6


def main() -> int:
    heading("CPU of a recall of ten messages")
    with (
        tempfile.TemporaryDirectory() as folder,
        answering() as server,
        TencentIMClient(1_400_000_000, KEY, base_url=server.url, pacer=MachinePacer(Path(folder) / "pace")) as client,
        requests.Session() as session,
    ):
        url = f"{server.url}/v4/{COMMAND}?sdkappid=1400001000&identifier=administrator&usersig=x&random=1"
        calls = {"ours": lambda: client.call(COMMAND, BODY), "bare": lambda: session.post(url, json=BODY).json()}
        for call in calls.values():
            call()
        # In turns, so that what else the machine does meets both.
        rounds = [{name: cpu_of(call) for name, call in calls.items()} for _ in range(ROUNDS)]
    ours, bare = (statistics.median(one[name] for one in rounds) for name in ("ours", "bare"))
    print(f"  a call: {ours:,.0f} µs; requests.Session.post: {bare:,.0f} µs; ratio {ours / bare:.2f}")
    return 0 if check(f"{ours / bare:.2f} times the bare call, at most {MOST:g}", ours / bare <= MOST) else 1


if __name__ == "__main__":
    sys.exit(main())
