"""Reads that it takes to find where a group's older messages end, by the size of the group.

Against plain bisection, which is run on the same pages, and against reading page by page down to the cut-off,
which is a formula. ``--plot FILE`` draws them as SVG.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from measure import check, heading

from airflow_provider_tencentim.retention.cutoff import find_cut_off
from airflow_provider_tencentim.retention.history import PAGE, Entry, Page

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PROMISED_AT, SEEDS, SEEDS_ELSEWHERE, CUT_OFFS = 1_000_000, 300, 40, 5
BEGIN, HOURS = 1_700_000_000, 365 * 24


class History:
    """A contiguous history of a year. It knows how many messages each span has, and makes up the times that are read.

    :param counts: how many messages come in each span, one after the other.
    :param seconds: how long a span is.
    :param seed: another number makes other times.
    """

    def __init__(self, counts: list[int], seconds: int, seed: int) -> None:
        self._sums = list(accumulate(counts, initial=0))
        self._seconds, self._seed = seconds, seed
        self._drawn: dict[int, list[int]] = {}
        self.size = self._sums[-1]

    def time(self, seq: int) -> int:
        span = bisect_left(self._sums, seq) - 1
        if span not in self._drawn:
            chance = random.Random(f"{self._seed}-{span}").random
            number = self._sums[span + 1] - self._sums[span]
            self._drawn[span] = sorted(int(chance() * self._seconds) for _ in range(number))
        return BEGIN + span * self._seconds + self._drawn[span][seq - self._sums[span] - 1]

    def page(self, at: int) -> Page:
        low = max(1, at - PAGE + 1)
        return Page(tuple(Entry(seq, self.time(seq)) for seq in range(at, low - 1, -1)), low, at)


def day_and_night(size: int, seed: int) -> History:
    """Ten times as busy by day as by night, and a third as busy at weekends."""
    dice = random.Random(seed)
    weights = [(10 if 8 <= hour % 24 < 20 else 1) * (0.3 if hour // 24 % 7 > 4 else 1) for hour in range(HOURS)]
    if size < HOURS:
        counts = [0] * HOURS
        for hour in dice.choices(range(HOURS), weights, k=size):
            counts[hour] += 1
        return History(counts, 3600, seed)
    share = size / sum(weights)
    return History([max(0, round(dice.gauss(w * share, math.sqrt(w * share)))) for w in weights], 3600, seed)


def bursts(size: int, seed: int) -> History:
    """300 messages within an hour, now and then."""
    dice = random.Random(seed)
    changes = [0] * (HOURS * 60 + 61)
    for _ in range(max(1, size // 300)):
        start = dice.randrange(HOURS * 60)
        changes[start] += 5
        changes[start + 60] -= 5
    return History(list(accumulate(changes)), 60, seed)


def bisection(history: History, cut_off: int) -> tuple[int, int]:
    """Return the last message that is older, and how many pages were read, halving what is left."""
    low, high, reads = 0, history.size + 1, 0
    while high - low > 1:
        page = history.page(min(high - 1, (low + high + PAGE) // 2))
        reads += 1
        for entry in page.entries:
            if entry.time is not None and entry.time < cut_off:
                low = max(low, entry.seq)
            else:
                high = min(high, entry.seq)
    return low, reads


class Row(NamedTuple):
    """Reads for groups of one size."""

    size: int
    mean: float
    most: int
    halving: float
    paging: float


def measure(make: Callable[[int, int], History], size: int) -> Row:
    ours, theirs = [], []
    for seed in range(SEEDS if size == PROMISED_AT else SEEDS_ELSEWHERE):
        history = make(size, seed)
        dice = random.Random(seed)
        created, last_time = history.time(1) - 60, history.time(history.size)
        for _ in range(CUT_OFFS):
            cut_off = history.time(dice.randint(1, history.size))
            found = find_cut_off(
                history.page, cut_off=cut_off, newest=history.size, created=created, last_time=last_time
            )
            through, reads = bisection(history, cut_off)
            if (found.through, found.unread) != (through, 0):
                raise AssertionError(f"{found} is not {through}")
            ours.append(found.reads)
            theirs.append(reads)
    return Row(size, fmean(ours), max(ours), fmean(theirs), max(1.0, size / 2 / PAGE))


def show(rows: list[Row]) -> None:
    print("    messages   mean  most   bisection  ratio   paging (n/2/20)     ratio")
    for row in rows:
        print(
            f"  {row.size:>10,}  {row.mean:5.2f} {row.most:5}   {row.halving:9.2f}  {row.mean / row.halving:5.2f}"
            f"   {row.paging:15,.0f}  {row.mean / row.paging:8.5f}"
        )


def plot(lines: dict[str, list[tuple[float, float]]]) -> str:
    """Draw lines on two logarithmic axes, messages and reads, as SVG."""
    left, top, width, height = 70, 30, 520, 320
    decades_x, decades_y = (2, 7), (0, 6)
    colors = ("#0052d9", "#e37318", "#6b7785", "#b9bfc6")

    def x(size: float) -> float:
        return left + width * (math.log10(size) - decades_x[0]) / (decades_x[1] - decades_x[0])

    def y(reads: float) -> float:
        return top + height * (1 - (math.log10(reads) - decades_y[0]) / (decades_y[1] - decades_y[0]))

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 420" font-family="sans-serif" font-size="12">',
        '<rect width="800" height="420" fill="#ffffff"/>',
    ]
    for power in range(decades_x[0], decades_x[1] + 1):
        at = x(10**power)
        parts.append(f'<path d="M{at:.0f} {top}V{top + height}" stroke="#e7e7e7"/>')
        parts.append(f'<text x="{at:.0f}" y="{top + height + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(decades_y[0], decades_y[1] + 1):
        at = y(10**power)
        parts.append(f'<path d="M{left} {at:.0f}H{left + width}" stroke="#e7e7e7"/>')
        parts.append(f'<text x="{left - 8}" y="{at + 4:.0f}" text-anchor="end">{10**power:,}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 40}" text-anchor="middle">messages in group</text>')
    parts.append(f'<text x="{left}" y="{top - 12}">mean reads to find the cut-off</text>')
    for number, ((name, points), color) in enumerate(zip(lines.items(), colors, strict=True)):
        path = "L".join(f"{x(size):.1f} {y(reads):.1f}" for size, reads in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{color}"/>' for a, b in points]
        parts.append(f'<text x="{left + width + 12}" y="{top + 14 + 20 * number}" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="where to write the figures as SVG")
    arguments = parser.parse_args()

    heading("Reads to find the cut-off in a year's messages, at a random one of them")
    kept, rows = True, {}
    for make, name, most in ((day_and_night, "day and night, 10 to 1", 4), (bursts, "bursts of 300 in an hour", 10)):
        rows[name] = [measure(make, size) for size in SIZES]
        print(f"\n  {name} ({SEEDS} histories of {PROMISED_AT:,} messages, {SEEDS_ELSEWHERE} of other sizes)")
        show(rows[name])
        promised = next(row for row in rows[name] if row.size == PROMISED_AT)
        kept &= check(f"a mean of {most} reads at {PROMISED_AT:,} messages", promised.mean <= most)
        within = all(row.most <= 2 * math.log2(row.size) + 2 for row in rows[name])
        kept &= check("never more than 2 log2(n) + 2", within)
    if arguments.plot:
        by_day = rows["day and night, 10 to 1"]
        lines = {name: [(row.size, row.mean) for row in found] for name, found in rows.items()}
        lines["bisection"] = [(row.size, row.halving) for row in by_day]
        lines["paging (n/2/20)"] = [(row.size, row.paging) for row in by_day]
        arguments.plot.write_text(plot(lines), encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
