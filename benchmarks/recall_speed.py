"""A recall of 100,000 messages while the server takes 5, 50 and 150 ms to answer: how near it comes to its pace.

Against one call after the other, which is what a loop does. ``--quick`` recalls a tenth.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import requests
from answering import answering
from measure import check, compare, heading

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.pacing import DEFAULT_CALLS_PER_SECOND
from airflow_provider_tencentim.client.pacing_machine import MachinePacer

QUICK = "--quick" in sys.argv
MESSAGES = 10_000 if QUICK else 100_000
DELAYS = (5, 50, 150)
# Opening connections one by one costs half a second, which a tenth of the messages does not make up for.
LEAST = 0.85 if QUICK else 0.97
LIMIT = 200
KEY = "benchmark" * 7


def recall(url: str, app: int, folder: Path) -> tuple[float, float]:
    """Return the seconds of a recall and how many seconds of CPU a call cost."""
    with TencentIMClient(app, KEY, base_url=url, pacer=MachinePacer(folder)) as client:
        started, cpu = time.monotonic(), time.process_time()
        recalled = sum(result.outcome == "recalled" for result in client.group_msg_recall("room", [f"1-{MESSAGES}"]))
        seconds = time.monotonic() - started
    if recalled != MESSAGES:
        raise RuntimeError(f"{recalled} of {MESSAGES} were recalled")
    return seconds, (time.process_time() - cpu) / (MESSAGES / 10)


def one_after_the_other(url: str, app: int) -> float:
    """Return the calls per second of a loop."""
    body = {"GroupId": "room", "MsgSeqList": [{"MsgSeq": seq} for seq in range(10)]}
    with requests.Session() as session:
        started, calls = time.monotonic(), 0
        while time.monotonic() - started < 3:
            session.post(f"{url}/v4/group_open_http_svc/group_msg_recall?sdkappid={app}&random=1", json=body).json()
            calls += 1
        return calls / (time.monotonic() - started)


def main() -> int:
    heading(f"A recall of {MESSAGES:,} messages, at {DEFAULT_CALLS_PER_SECOND} calls/s")
    kept = True
    with tempfile.TemporaryDirectory() as folder, answering() as server:
        apps = {delay: 1_400_000_000 + delay for delay in DELAYS}
        recalls = {delay: recall(server.url, app, Path(folder) / "pace") for delay, app in apps.items()}
        loops = {delay: one_after_the_other(server.url, app + 1000) for delay, app in apps.items()}
    for delay, (seconds, cpu) in recalls.items():
        figures = server.figures[apps[delay]]
        rate = figures["calls"] / seconds
        print(
            f"  {delay} ms: {MESSAGES / seconds:,.0f} messages/s in {seconds:.2f} s, {cpu * 1e6:.0f} µs of CPU a call"
        )
        compare(f"{delay} ms", rate, "one call after the other", loops[delay], "calls/s")
        share = rate / DEFAULT_CALLS_PER_SECOND
        kept &= check(f"{share:.1%} of the pace, at least {LEAST:.0%}", share >= LEAST)
        kept &= check(f"{figures['busiest']} calls in the busiest second, at most {LIMIT}", figures["busiest"] <= LIMIT)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
