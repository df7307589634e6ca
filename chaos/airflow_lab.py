"""Real task runs: DAGs of all operators, run with ``dag.test()`` and retried by Airflow, in the same weather."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)
from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    C2CRetentionOperator,
    GroupRetentionOperator,
    PlanGroupRetentionOperator,
)

from . import model
from .again import is_explained
from .lab import Lab
from .sweeps import Sweeps, policy_of_groups
from .world import add_letters, plain

_RETRIES = 4
_MESSAGES = 40


class DagRun:
    """One run of a DAG of every operator.

    :param lab: where.
    :param number: of the run.
    :param folder: for plans, reports, archives and state.
    """

    def __init__(self, lab: Lab, number: int, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._orders: dict[str, list[model.Order]] = {}
        self._errors: dict[str, BaseException] = {}
        self._number = number
        self._dag: Any = None

    def prepare(self) -> list[Callable[[], None]]:
        """Put everything in place, and return the run."""
        lab, dice = self._lab, self._lab.dice
        service = lab.service
        for room in ("overwritten", "recalled", "cleared", "all"):
            service.add_group(f"d-{room}", messages=plain(_MESSAGES))
        letters = add_letters(service, dice, "d-ann", "d-bob", 10, living=True)
        sweeps = [
            Sweeps(name, service, dice, lab.connect, self._folder / name, lab.tally, 1) for name in ("sw0", "sw1")
        ]
        state = service.state()
        holds = self._folder / "holds.txt"
        holds.write_text("\n".join(name for sweep in sweeps for name in sweep.held), encoding="utf-8")
        common = {"retries": _RETRIES, "retry_delay": timedelta(0), "on_failure_callback": self._note}
        kept = {"archive_to": f"file://{self._folder}/archive", "report_path": f"file://{self._folder}/report"}
        with DAG(f"chaos_{self._number}", schedule=None, default_args=common) as dag:
            for at, seq in enumerate(dice.sample(range(1, _MESSAGES + 1), 5)):
                text = f"removed {dice.getrandbits(60):x}"
                ModifyGroupMsgOperator(task_id=f"overwrite_{at}", group_id="d-overwritten", msg_seq=seq, msg_body=text)
                key: model.Key = ("group", "d-overwritten", "", seq)
                self._order(f"overwrite_{at}", model.Order("overwrite", [key], body=model.replaced_by(text)))
            for at, letter in enumerate(letters[:4]):
                text = f"removed {dice.getrandbits(60):x}"
                names = dict(zip(("from_account", "to_account", "msg_key"), letter, strict=True))
                ModifyC2CMsgOperator(task_id=f"letter_{at}", msg_body=text, **names)
                order = model.Order("overwrite", [("c2c", *letter)], body=model.replaced_by(text))
                self._order(f"letter_{at}", order)
            for at in range(3):
                seqs = range(at * 10 + 1, at * 10 + 1 + dice.randrange(1, 11))
                RecallGroupMsgOperator(task_id=f"recall_{at}", group_id="d-recalled", msg_seqs=list(seqs))
                keys: list[model.Key] = [("group", "d-recalled", "", seq) for seq in seqs]
                self._order(f"recall_{at}", model.Order("recall", keys))
            ClearGroupHistoryOperator(task_id="clear", group_id="d-cleared", msg_seq=17)
            self._order("clear", model.Order("clear", [("group", "d-cleared", "", seq) for seq in range(1, 18)]))
            ClearGroupHistoryOperator(task_id="clear_all", group_id="d-all", clear_all=True)
            keys = [("group", "d-all", "", seq) for seq in range(1, _MESSAGES + 1)]
            self._order("clear_all", model.Order("clear", keys))
            policies = [policy_of_groups(name, 60) | {"hold_path": f"file://{holds}"} for name in ("sw0", "sw1")]
            planning = PlanGroupRetentionOperator(
                task_id="plan", policy=policies[0], plan_path=f"file://{self._folder}/plan"
            )
            applying = ApplyRetentionPlanOperator(
                task_id="apply",
                plan_path="{{ ti.xcom_pull(task_ids='plan')['plan'] }}",
                plan_digest="{{ ti.xcom_pull(task_ids='plan')['digest'] }}",
                hold_path=f"file://{holds}",
                **kept,
            )
            planning >> applying
            GroupRetentionOperator(
                task_id="retention",
                policy=policies[1],
                state_path=f"file://{self._folder}/state",
                plan_path=f"file://{self._folder}/own-plan",
                **kept,
            )
            held = [name for sweep in sweeps for name in sweep.held]
            for name, policy in zip(("apply", "retention"), policies, strict=True):
                self._orders[name] = model.orders_of_groups(state, policy, held)
            for sweep, action in zip(sweeps, ("recall", "redact"), strict=True):
                policy = sweep.policy_of_conversations(60, action) | {"hold_path": f"file://{holds}"}
                C2CRetentionOperator(task_id=f"c2c_{action}", policy=policy, **kept)
                self._orders[f"c2c_{action}"] = model.orders_of_conversations(state, policy, held)
        self._dag = dag
        _make_known(dag)
        return [self._run]

    def orders(self) -> model.Orders:
        """Return what was ordered, and what Airflow reported of it."""
        return model.Orders([order for orders in self._orders.values() for order in orders])

    def _order(self, task_id: str, order: model.Order) -> None:
        order.name = task_id
        self._orders[task_id] = [order]

    def _note(self, context: Any) -> None:
        self._errors[context["ti"].task_id] = context["exception"]

    def _run(self) -> None:
        tally = self._lab.tally
        run = self._dag.test()
        for ti in run.get_task_instances():
            tally.add("counts", "Airflow task instances")
            tally.add("counts", "Airflow task runs", ti.try_number)
            tally.add("counts", "Airflow retries", max(0, ti.try_number - 1))
            error = self._errors.get(ti.task_id)
            tally.add("outcomes", f"Airflow: {ti.state}")
            if str(ti.state) == "failed" and (error is None or not is_explained(error)):
                tally.violation("failed with a reason that nothing injected explains", f"{ti.task_id}: {error!r}")
            for order in self._orders.get(ti.task_id, ()):
                if str(ti.state) == "success":
                    order.reported = "done"
                else:
                    order.reason = str(error or self._errors.get("plan") or "")
            result = ti.xcom_pull(task_ids=ti.task_id)
            if isinstance(result, dict) and "already" in result and str(ti.state) == "success":
                counted = sum(result[name] for name in ("done", "already", "missing", "failed"))
                if result["requested"] != counted or result["failed"]:
                    tally.violation(model.FALSE_SUCCESS, f"{ti.task_id}: {result}")


def _make_known(dag: Any) -> None:
    """Airflow 3 runs only DAGs that its database knows."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]))
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)


def main() -> None:
    """Run so many DAGs, and write the tally; ``python -m chaos`` calls it."""
    seed, runs, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    logging.disable(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder,
        Lab(seed, Path(folder)) as lab,
    ):
        for number in range(runs):
            lab.service.reset(empty=True)
            own = Path(folder) / f"run-{number}"
            own.mkdir()
            run = DagRun(lab, number, own)
            # Rougher than elsewhere: there are few calls, and some tasks are to fail until Airflow retries them.
            lab.in_weather(run.prepare, run.orders, rotation=0, roughness=0.3, outage_seconds=0.6)
        out.write_text(json.dumps(lab.tally.to_dict()))


if __name__ == "__main__":
    main()
