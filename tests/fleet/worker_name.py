"""What a worker calls itself in Airflow's database: several of them run on one machine here."""

from __future__ import annotations

import os


def name() -> str:
    return os.environ["FLEET_WORKER"]
