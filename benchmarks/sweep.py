"""A whole sweep, planned and carried out over HTTP at the usual pace: how many groups a second, and how many calls.

At 1, 10 and 100 % of groups with messages on both sides of the cut-off; the others were made since, or are empty.
Against paging the history of each active group down to the cut-off, computed: the same lists, profiles and clears, and
a read for every 20 messages that stay, at the same pace. ``--quick`` takes a tenth.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

from measure import check, compare, heading
from simulated import CLEAR, DELAY_SECONDS, HISTORY, INFO, LIST, App, policy, served

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.client.pacing import DEFAULT_CALLS_PER_SECOND as RATE
from airflow_provider_tencentim.client.pacing import rate_of
from airflow_provider_tencentim.client.pacing_machine import MachinePacer
from airflow_provider_tencentim.retention.plan import Plan
from airflow_provider_tencentim.retention.run import make_plan, open_plan

QUICK = "--quick" in sys.argv
# So many that each sweep takes half a minute.
GROUPS = {percent: groups // (10 if QUICK else 1) for percent, groups in {1: 100_000, 10: 20_000, 100: 2_000}.items()}
PAGE = 20
KEY = "benchmark" * 7
# Opening connections one by one and the last answers cost some tenths of a second, more beside a short run.
LEAST = 0.5 if QUICK else 0.7


def sweep(app: App) -> tuple[float, float, dict[str, int]]:
    """Return the seconds of planning and of carrying out, and how often each command was called."""
    with tempfile.TemporaryDirectory() as folder, served(app) as server:
        path = Path(folder)
        pacer = MachinePacer(path / "pace")
        with TencentIMClient(1_400_000_000, KEY, base_url=server.url, pacer=pacer) as client:
            started = time.monotonic()
            planned = make_plan(client, policy(), path / "plan", holds=None, run={})
            made = time.monotonic()
            application = open_plan(
                client, Plan(planned.folder, planned.digest), holds=None, report_path=path / "report"
            )
            application.sweep.run()
            done = time.monotonic()
        summary = application.summary()
    active = sum(map(app.is_active, range(app.groups)))
    if not (summary["groups"] == server.calls[CLEAR] == active and summary["failed"] == 0):
        raise RuntimeError(f"{active} groups were to be cleared: {summary}")
    return made - started, done - made, server.calls


def paging(app: App, calls: dict[str, int]) -> tuple[int, float]:
    """Return how many calls paging would take, and the seconds of it at the same pace."""
    active = filter(app.is_active, range(app.groups))
    paged = calls | {HISTORY: sum(math.ceil((app.newer(number) + 1) / PAGE) for number in active)}
    return sum(paged.values()), sum(least_seconds(paged))


def least_seconds(calls: dict[str, int]) -> tuple[float, float]:
    """Return how long planning and carrying out take at least, with the calls that they are, at the pace.

    The list of all groups comes first, a page a second; then profiles and histories are read side by side.
    """
    pages, again = calls[LIST] - 1, math.ceil(calls[CLEAR] / 50)
    paged = pages / rate_of(COMMANDS[LIST], RATE)
    return paged + max(calls[HISTORY], calls[INFO] - again) / RATE, calls[CLEAR] / RATE


def main() -> int:
    heading(f"Whole sweeps at {RATE} calls/s of each command, answered after {DELAY_SECONDS * 1000:.0f} ms")
    kept = True
    for percent, groups in GROUPS.items():
        app = App(groups, percent)
        planning, applying, calls = sweep(app)
        seconds, number = planning + applying, sum(calls.values())
        page_calls, page_seconds = paging(app, calls)
        print(
            f"\n  {groups:,} groups, {percent} % active: plan {planning:.1f} s, apply {applying:.1f} s; "
            f"{calls.get(LIST, 0)} lists, {calls[INFO]:,} profiles, {calls[HISTORY]:,} reads "
            f"({calls[HISTORY] / calls[CLEAR]:.2f} for an active group), {calls[CLEAR]:,} clears"
        )
        compare("speed", groups / seconds, "paging (computed)", groups / page_seconds, "groups/s")
        print(
            f"  {number / groups:.3f} calls a group; paging (computed): {page_calls / groups:.3f}; "
            f"ratio {number / page_calls:.3f}"
        )
        for what, took, least in zip(("plan", "apply"), (planning, applying), least_seconds(calls), strict=True):
            if least > 2:
                share = least / took
                kept &= check(f"the {what} at {share:.0%} of the pace, at least {LEAST:.0%}", share >= LEAST)
        kept &= check("fewer calls than paging", number < page_calls)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
