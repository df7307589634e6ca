"""Runs a campaign in processes of its own, and prints what came of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .report import as_dict, as_table
from .tally import Tally

_SHORT = {"calls": 1_200, "labs": 1, "dags": 1, "size": 1}
_LONG = {"calls": 100_000, "labs": 2, "dags": 4, "size": 5}


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of all that is drawn; another one each time by default")
    parser.add_argument("--short", action="store_true", help="the one of the tests: less than a minute")
    parser.add_argument("--calls", type=int, help="at least so many (100,000)")
    parser.add_argument("--labs", type=int, help="processes side by side (2)")
    parser.add_argument("--dags", type=int, help="runs of the DAG with every operator in real Airflow (4)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    sizes = _SHORT if arguments.short else _LONG
    sizes = {name: getattr(arguments, name, None) or size for name, size in sizes.items()}
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)

    started = time.monotonic()
    tally = run(seed, **sizes)
    facts = {
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **sizes,
    }
    if arguments.json:
        print(json.dumps(as_dict(tally, facts), indent=2, ensure_ascii=False))
    else:
        print(as_table(tally, facts))
    return 1 if sum(tally.violations.values()) else 0


def run(seed: int, calls: int, labs: int, dags: int, size: int) -> Tally:
    """Run the processes; return what they counted together.

    :param seed: of all that is drawn.
    :param calls: at least so many.
    :param labs: in so many processes.
    :param dags: runs in real Airflow, in one more.
    :param size: of the rounds.
    :raises RuntimeError: when a process could not do its work.
    """
    dice = random.Random(seed)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        orders = [["chaos.airflow_lab", dice.randrange(2**32), dags]]
        orders += [["chaos.lab", dice.randrange(2**32), -(-calls // labs), size] for _ in range(labs)]
        processes = [_start(folder / str(at), order) for at, order in enumerate(orders)]
        try:
            for at, process in enumerate(processes):
                own = folder / str(at)
                if (code := process.wait()) != 0:
                    log = (own / "log").read_text(errors="replace")
                    raise RuntimeError(f"{orders[at][0]} failed with {code}:\n{log[-6000:]}")
                tally.merge(json.loads((own / "tally.json").read_text()))
        finally:
            for process in processes:
                process.terminate()
                process.wait()
    return tally


def _start(home: Path, order: list[Any]) -> subprocess.Popen[bytes]:
    """Start a process that has an Airflow of its own."""
    (home / "dags").mkdir(parents=True)
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
        "TMPDIR": str(home),
    }
    module, *arguments = order
    command = [sys.executable, "-m", module, *map(str, arguments), home / "tally.json"]
    with (home / "log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


if __name__ == "__main__":
    sys.exit(main())
