"""Runs every target, or those that are named, for some seconds each; ends with 1 when one crashed.

``python fuzz/run.py [--seconds 60] [TARGET ...]``
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CRASHES = HERE / "crashes"
_SEEDS = 64


def targets() -> list[str]:
    source = (HERE.parent / "tests" / "fuzz" / "targets.py").read_text(encoding="utf-8")
    return re.findall(r"^def ([a-z]\w*)\(given", source, re.MULTILINE)


def run(name: str, seconds: int) -> bool:
    """Fuzz one target, tell what came out, and return whether nothing did."""
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as corpus:
        command = [
            sys.executable, str(HERE / "one.py"), name, corpus, f"-max_total_time={seconds}", "-max_len=16384",
            "-len_control=0",
            "-timeout=60", "-rss_limit_mb=2048", f"-artifact_prefix={CRASHES / name}-", "-print_final_stats=1",
        ]  # fmt: skip
        CRASHES.mkdir(exist_ok=True)
        for number in range(_SEEDS):  # hypothesis makes a value of any bytes: the longer, the richer
            seed = random.Random(number).randbytes(64 * (number + 1))  # noqa: S311
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=_environment(corpus)
        )
        said = done.stdout + done.stderr
        executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
        covered = re.search(r".*cov: (\d+)", said, re.DOTALL)
        peak = re.search(r"stat::peak_rss_mb:\s*(\d+)", said)
        executions, coverage, memory = (one[1] if one else "?" for one in (executed, covered, peak))
        verdict = "CRASH" if done.returncode else "ok"
        print(
            f"{name:12} {seconds:5} s {executions:>9} executions, "
            f"coverage {coverage:>5}, peak {memory:>4} MiB: {verdict}",
            flush=True,
        )
        if done.returncode:
            print(said[-6_000:])
            print(f"again: {sys.executable} fuzz/one.py {name} {CRASHES / name}-…")
        return done.returncode == 0


def _environment(folder: str) -> dict[str, str]:
    return os.environ | {"TMPDIR": folder, "AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("targets", nargs="*", default=targets())
    options = parser.parse_args()
    results = [run(name, options.seconds) for name in options.targets]
    if all(results) and CRASHES.is_dir() and not any(CRASHES.iterdir()):
        CRASHES.rmdir()
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
