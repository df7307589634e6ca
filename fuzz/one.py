"""Fuzzes one target with atheris: ``python fuzz/one.py TARGET [libFuzzer options] [corpus | file of a crash]``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "fuzz"), str(ROOT / "tests")]

with atheris.instrument_imports(include=["airflow_provider_tencentim"]):
    from targets import TARGETS

from hypothesis import HealthCheck, given, settings  # noqa: E402
from strategies import opaque  # noqa: E402


def main() -> None:
    name = sys.argv.pop(1)
    function, strategy = TARGETS[name]
    logging.disable(logging.CRITICAL)

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(opaque(strategy))
    def try_one(value: object) -> None:
        try:
            function(value)
        except Exception:
            print(f"\n{name} was given: {value!r}"[:5_000], file=sys.stderr)
            raise

    atheris.Setup(sys.argv, try_one.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
