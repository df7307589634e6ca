"""Airflow lives in a folder of its own for every run of the tests: set before anything imports it.

So do temporary files, and with them the pace that all processes of a machine share: a run of the tests shares it
with nobody.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="tencentim-airflow-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
(AIRFLOW_HOME / "dags").mkdir()
tempfile.tempdir = tempfile.mkdtemp(prefix="tencentim-tests-")
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

os.environ.update(
    TMPDIR=tempfile.tempdir,
    AIRFLOW_HOME=str(AIRFLOW_HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{AIRFLOW_HOME}/airflow.db",
    AIRFLOW__CORE__DAGS_FOLDER=str(AIRFLOW_HOME / "dags"),
)
for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
    del os.environ[name]

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
