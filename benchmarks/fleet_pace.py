"""Four processes that share one pace, on one machine and in one Redis: their rate together, and how fair it is.

Against four processes with a pace each, which is what a sleep between calls comes to. ``--quick`` takes 4 seconds
instead of 20. Redis needs a ``redis-server`` on the PATH.
"""

from __future__ import annotations

import multiprocessing
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from answering import busiest_second
from measure import check, compare, heading

from airflow_provider_tencentim.client.pacing import DEFAULT_CALLS_PER_SECOND as RATE
from airflow_provider_tencentim.client.pacing import Pacer, ProcessPacer
from airflow_provider_tencentim.client.pacing_machine import MachinePacer
from airflow_provider_tencentim.client.pacing_redis import RedisPacer

SECONDS = 4.0 if "--quick" in sys.argv else 20.0
PROCESSES, THREADS = 4, 8
LEAST, LIMIT, MOST_UNFAIR = 184, 200, 1.5
KEY = "1400000000/group_open_http_svc/group_msg_recall"


def take_turns(make: Callable[[], Pacer], begin: float) -> tuple[list[float], float]:
    """Wait for turns in some threads; return when they came, and the seconds of CPU that all of it cost."""
    pacer = make()
    time.sleep(max(0.0, begin - time.monotonic()))
    cpu = time.process_time()

    def take(_: int) -> list[float]:
        moments = []
        while time.monotonic() < begin + SECONDS:
            time.sleep(pacer.reserve(KEY, RATE))
            moments.append(time.monotonic())
        return moments

    with ThreadPoolExecutor(THREADS) as pool:
        moments = [moment for part in pool.map(take, range(THREADS)) for moment in part]
    return moments, time.process_time() - cpu


def measure(make: Callable[[], Pacer]) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        begin = time.monotonic() + 3.0  # when all have started
        parts = pool.starmap(take_turns, [(make, begin)] * PROCESSES, chunksize=1)
    # What was waited for at the end came later than the others' last.
    moments = sorted(moment for part, _ in parts for moment in part if moment <= begin + SECONDS)
    counts = [len(part) for part, _ in parts]
    return {
        "rate": len(moments) / SECONDS,
        "busiest": busiest_second(moments),
        "unfair": max(counts) / min(counts),
        "cpu": sum(cpu for _, cpu in parts) / sum(counts),
    }


@contextmanager
def redis_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [shutil.which("redis-server") or "", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and server.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            server.terminate()


def report(store: str, figures: dict[str, float], alone: float) -> bool:
    print(f"  {store}: {figures['cpu'] * 1e6:.0f} µs of CPU a turn, its wait included")
    compare(f"{store}, four processes", figures["rate"], "a pace each", alone, "calls/s")
    return all(
        [
            check(f"{figures['rate']:.1f} calls/s, at least {LEAST}", figures["rate"] >= LEAST),
            check(f"{figures['busiest']} calls in the busiest second, at most {LIMIT}", figures["busiest"] <= LIMIT),
            check(f"most by least {figures['unfair']:.2f}, at most {MOST_UNFAIR}", figures["unfair"] <= MOST_UNFAIR),
        ]
    )


def main() -> int:
    heading(f"{PROCESSES} processes of {THREADS} threads on one pace of {RATE} calls/s")
    alone = measure(ProcessPacer)["rate"]
    with tempfile.TemporaryDirectory() as folder:
        kept = report("the machine", measure(partial(MachinePacer, Path(folder) / "pace")), alone)
    if shutil.which("redis-server") is None:
        print("  Redis: not measured; apt-get install -y redis-server enables it")
        return 0 if kept else 1
    with redis_port() as port:
        kept &= report("a Redis", measure(partial(RedisPacer, "Redis", host="127.0.0.1", port=port)), alone)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
