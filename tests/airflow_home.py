"""Where Airflow lives while the tests of this process run, and what is forked off from it.

A module of its own: pytest loads ``conftest.py`` anew for every run in a process, as mutation testing has many, and
Airflow, once imported, stays where it was.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="tencentim-airflow-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
(AIRFLOW_HOME / "dags").mkdir()
MIGRATED = AIRFLOW_HOME / "migrated"
# Of DAGs: with the number of the process, none comes twice in that database.
NUMBERS = count(1)
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
