"""DAGs that are in no file, made known to Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_known(dag: Any) -> None:
    """Airflow 3 runs only DAGs that its database knows, and knows those of the DAG files: tell it of this one."""
    try:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    except ImportError:
        return
    from airflow.configuration import conf
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=Path(conf.get("core", "dags_folder")))
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
