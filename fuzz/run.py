"""Runs every target, or those that are named, for some seconds each; ends with 1 when one crashed.

``python fuzz/run.py [--seconds 60] [TARGET ...]``
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CRASHES = HERE / "crashes"


def targets() -> list[str]:
    source = (HERE.parent / "tests" / "fuzz" / "targets.py").read_text(encoding="utf-8")
    return re.findall(r"^def ([a-z]\w*)\(given", source, re.MULTILINE)


def run(name: str, seconds: int) -> bool:
    """Fuzz one target, tell what came out, and return whether nothing did."""
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as corpus:
        command = [
            sys.executable, str(HERE / "one.py"), name, corpus, f"-max_total_time={seconds}", "-max_len=16384",
            "-timeout=60", "-rss_limit_mb=2048", f"-artifact_prefix={CRASHES / name}-", "-print_final_stats=1",
        ]  # fmt: skip
        CRASHES.mkdir(exist_ok=True)
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=_environment(corpus)
        )
        said = done.stdout + done.stderr
        executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
        covered = re.findall(r"cov: (\d+)", said)
        peak = re.search(r"stat::peak_rss_mb:\s*(\d+)", said)
        print(
            f"{name:12} {seconds:5} s {executed[1] if executed else '?':>9} executions, coverage {covered[-1] if covered else '?':>5}, "
            f"peak {peak[1] if peak else '?':>4} MiB: {'ok' if done.returncode == 0 else 'CRASH'}",
            flush=True,
        )
        if done.returncode:
            print(said[-6_000:])
            print(f"again: {sys.executable} fuzz/one.py {name} {CRASHES / name}-…")
        return done.returncode == 0


def _environment(folder: str) -> dict[str, str]:
    import os

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
