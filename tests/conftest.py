"""Airflow lives in a folder of its own for every run of the tests: set before anything imports it.

So do temporary files, and with them the pace that all processes of a machine share: a run of the tests shares it
with nobody.
"""

from __future__ import annotations

import os

import airflow_home  # noqa: F401

# Mutation testing runs the same tests hundreds of times: what a few examples do not show counts as not shown.
if os.environ.get("TENCENTIM_FEW_EXAMPLES"):
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "few",
        max_examples=20,
        derandomize=True,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("few")
