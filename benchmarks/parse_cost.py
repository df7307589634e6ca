"""What a DAG file pays to import all operators of the provider, beside one operator of Airflow's own HTTP provider."""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 7
BUDGET_MS = 10.0

# What every DAG file has paid for already.
BEFORE = ["airflow.sdk", "airflow.providers.common.compat.sdk"]
OURS = [f"airflow_provider_tencentim.operators.{name}" for name in ("group_msg", "c2c_msg", "retention")]
OTHER = ["airflow.providers.http.operators.http"]

CODE = """
import importlib, sys, time
for name in {before!r}:
    importlib.import_module(name)
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator
modules, started = len(sys.modules), time.perf_counter()
for name in {names!r}:
    importlib.import_module(name)
print("\\n", 1000 * (time.perf_counter() - started), len(sys.modules) - modules)
"""


def cost(names: list[str]) -> tuple[float, int]:
    """Return the median of the milliseconds that an import takes in a fresh process, and how many modules it loads."""
    code = CODE.format(before=BEFORE, names=names)
    measured = []
    for _ in range(RUNS):
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True, text=True)
        milliseconds, modules = done.stdout.split()[-2:]
        measured.append((float(milliseconds), int(modules)))
    return statistics.median(one for one, _ in measured), measured[0][1]


def main() -> int:
    ours, our_modules = cost(OURS)
    other, other_modules = cost(OTHER)
    print(f"all operators of this provider: {ours:.1f} ms, {our_modules} modules (at most {BUDGET_MS:.0f} ms)")
    print(f"HttpOperator of Airflow's HTTP provider: {other:.1f} ms, {other_modules} modules; ratio {ours / other:.3f}")
    missed = ours > BUDGET_MS or ours >= other
    print("MISSED" if missed else "held")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
