"""Whole sweeps: plan, apply, archive, report and state, of groups over two nights and of conversations, tried again."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMPartialError
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import Plan
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.run import Guards, check_plan, make_plan, open_plan

from . import model
from .again import Ended, again, is_explained
from .service import Service
from .tally import Tally
from .world import SWEPT_TYPES, add_letters, history

ACTIONS = ("clear", "recall", "redact", "redact_and_recall")
REMOVED = "removed by policy"


def policy_of_groups(prefix: str, days: float) -> dict[str, Any]:
    """Return a policy of groups with every action in it, by overrides.

    :param prefix: ``sw`` and a digit, with which their names begin.
    :param days: the age of the cut-off.
    """
    before = (datetime.now(UTC) - timedelta(days=days)).replace(microsecond=0).isoformat()
    return {
        "before": before,
        "action": "recall",
        "all_groups": True,
        "exclude_groups": [f"{prefix}-spared-*", "[!s]*", "s[!w]*", f"sw[!{prefix[2]}]*"],
        "overrides": [
            {"groups": [f"{prefix}-clear-kept-*"], "action": "clear", "keep_last": 7},
            {"groups": [f"{prefix}-clear-*"], "action": "clear"},
            {"groups": [f"{prefix}-redact_and_recall-*"], "action": "redact_and_recall", "replacement": REMOVED},
            {
                "groups": [f"{prefix}-redact-secret-*"],
                "action": "redact",
                "replacement": REMOVED,
                "text_matches": ["^secret"],
            },
            {"groups": [f"{prefix}-redact-*"], "action": "redact", "replacement": REMOVED},
            {"groups": [f"{prefix}-recall-ann-*"], "from_accounts": ["ann", "cid"]},
            {"groups": [f"{prefix}-public-*"], "group_types": ["Public"]},
        ],
    }


class Sweeps:
    """Two nights of groups and two sweeps of conversations, in an app of their own part.

    :param name: begins the names of all groups and accounts.
    :param service: where they are put in place.
    :param dice: draws them.
    :param connect: returns a client with the key that counts now.
    :param folder: for plans, archives, reports and state.
    :param tally: counts.
    :param groups: how many groups for each kind of work.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        dice: random.Random,
        connect: Callable[[], TencentIMClient],
        folder: Path,
        tally: Tally,
        groups: int,
    ) -> None:
        self._name = name
        self._dice = dice
        self._connect = connect
        self._folder = folder
        self._tally = tally
        self.held = [f"{name}-recall-held-*", f"{name}-held"]
        kinds = [*ACTIONS, "clear-kept", "redact-secret", "recall-ann", "public", "spared", "recall-held"]
        for kind in kinds:
            for number in range(groups):
                service.add_group(
                    f"{name}-{kind}-{number}",
                    dice.choice(SWEPT_TYPES),
                    messages=history(dice, dice.randrange(1, 70)),
                    name=kind[:10],
                )
        service.add_group(f"{name}-clear-none", messages=[])
        service.add_group(f"{name}-recall-new", messages=history(dice, 10, oldest_days=3))
        service.add_group(f"{name}-recall-live", "AVChatRoom", messages=history(dice, 10))
        self.accounts = [f"{name}-{who}" for who in ("ann", "bob", "cid", "dan")]
        for at, one in enumerate(self.accounts):
            for other in self.accounts[at + 1 :]:
                add_letters(service, dice, one, other, dice.randrange(5, 50))
        add_letters(service, dice, self.accounts[0], f"{name}-held", 10)

    def policy_of_conversations(self, days: float, action: str) -> dict[str, Any]:
        """Return a policy of conversations.

        :param days: the age of the cut-off.
        :param action: ``recall`` or ``redact``.
        """
        before = (datetime.now(UTC) - timedelta(days=days)).replace(microsecond=0).isoformat()
        policy: dict[str, Any] = {"before": before, "action": action}
        if action == "redact":
            policy |= {"accounts": self.accounts[:2], "replacement": REMOVED, "text_matches": ["^secret"]}
        else:
            pairs = [[one, other] for at, one in enumerate(self.accounts) for other in self.accounts[at + 1 :]]
            policy |= {"pairs": pairs, "keep_last": 3}
        return policy

    def groups(self, state: Mapping[str, Any], days: float) -> tuple[list[model.Order], Callable[[], None]]:
        """Return what a night's sweep of groups is ordered to do, and the sweep itself.

        :param state: the snapshot before it.
        :param days: the age of the cut-off.
        """
        policy = policy_of_groups(self._name, days)
        orders = model.orders_of_groups(state, policy, self.held)
        parsed = RetentionPolicy.parse(policy).resolve(datetime.now(UTC), datetime.now(UTC))
        return orders, lambda: self._sweep(f"groups-{days:g}", parsed, orders, self._folder / "state")

    def conversations(
        self, state: Mapping[str, Any], days: float, action: str
    ) -> tuple[list[model.Order], Callable[[], None]]:
        """Return the same of a sweep of conversations.

        :param state: the snapshot before it.
        :param days: the age of the cut-off.
        :param action: ``recall`` or ``redact``.
        """
        policy = self.policy_of_conversations(days, action)
        orders = model.orders_of_conversations(state, policy, self.held)
        parsed = C2CRetentionPolicy.parse(policy).resolve(datetime.now(UTC), datetime.now(UTC))
        return orders, lambda: self._sweep(f"c2c-{action}-{days:g}", parsed, orders, None)

    # --- one sweep, tried again and again

    def _sweep(
        self,
        what: str,
        policy: RetentionPolicy | C2CRetentionPolicy,
        orders: list[model.Order],
        state_path: Path | None,
    ) -> None:
        folder = self._folder / f"{what}-plan"
        report, archive = self._folder / f"{what}-report", self._folder / f"{what}-archive"
        holds = Patterns(self.held)
        state_path = state_path if self._dice.random() < 0.8 else None

        def plan() -> Plan:
            with self._connect() as client:
                planned = make_plan(client, policy, folder, holds=holds, state_path=state_path, run={"run_id": what})
                return Plan(planned.folder, planned.digest)

        planned = self._again(f"plan of {what}", plan)
        if planned.error is not None:
            for order in orders:
                order.reason = planned.reason
            return
        digest = planned.result.digest

        def apply() -> dict[str, Any]:
            with self._connect() as client:
                opened = Plan(folder, digest)
                check_plan(client, opened.header, Guards(), has_holds=True)
                application = open_plan(
                    client, opened, holds=holds, archive_to=archive, report_path=report, state_path=state_path
                )
                with self._stopped_now_and_then(client):
                    application.sweep.run()
                if failure := application.ledger.failure():
                    raise TencentIMPartialError("retention", failure.code, failure.told, lasting=failure.lasting)
                return application.summary()

        self._settle(what, orders, self._again(f"sweep of {what}", apply), report, archive)

    def _again(self, what: str, run: Callable[[], Any]) -> Ended:
        ended = again(run, retries=4)
        self._tally.add("counts", "sweep runs", ended.runs)
        name = what.split("-")[0]
        self._tally.add("outcomes", f"{name}: {type(ended.error).__name__ if ended.error else 'done'}")
        if ended.error is not None and not is_explained(ended.error):
            self._tally.violation("failed with a reason that nothing injected explains", f"{what}: {ended.error!r}")
        return ended

    def _stopped_now_and_then(self, client: TencentIMClient) -> Any:
        """Stop the task in the middle now and then, as Airflow does when it is killed."""
        return _Stopping(client, self._dice.uniform(0.05, 1.5) if self._dice.random() < 0.15 else None, self._tally)

    # --- what was reported

    def _settle(self, what: str, orders: list[model.Order], ended: Ended, report: Path, archive: Path) -> None:
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in _rows(report, "report"):
            rows[row.get("group") or " / ".join(row["pair"])].append(row)
        archived = _archived(archive)
        for order in orders:
            told = rows.pop(order.name, [])
            self._check_rows(what, order, told, ended)
            if any(row["done"] > len(archived.get(order.name, ())) for row in told if row["action"] == "clear"):
                self._tally.violation(model.FALSE_SUCCESS, f"{what}: more was cleared in {order.name} than archived")
            if order.reported == "done":
                for key in order.keys if what.startswith("groups") else ():
                    if order.what != "clear" and key[3] not in archived.get(order.name, ()):
                        self._tally.violation(model.FALSE_SUCCESS, f"{key} is gone and not in the archive")
        for name, beyond in rows.items():
            if any(row["done"] for row in beyond):
                self._tally.violation(model.TOO_MUCH, f"{what}: the report has {name}, which nobody meant")

    def _check_rows(self, what: str, order: model.Order, told: list[dict[str, Any]], ended: Ended) -> None:
        for row in told:
            if row["requested"] != row["done"] + row["already"] + row["missing"] + row["failed"]:
                self._tally.violation(model.FALSE_SUCCESS, f"{what}: the row of {order.name} does not add up: {row}")
            if row["failed"] and not row.get("reason") and not row.get("code"):
                self._tally.violation(model.NO_REASON, f"{what}: {row}")
            # A clear plans MsgSeqs, and its archive tells which of them are messages.
            if (row["missing"] and row["action"] != "clear") or row.get("skipped"):
                self._tally.violation(model.NO_REASON, f"{what}: nothing is missing, and nothing is to skip: {row}")
        failed = [row for row in told if row["failed"]]
        if failed and ended.error is None:
            self._tally.violation(model.FALSE_SUCCESS, f"{what}: it succeeded, and its report has {failed[0]}")
        if failed:
            order.reason = failed[0].get("reason", "")
        elif told or ended.error is None:
            order.reported = "done"  # also when there is no row: a sweep that succeeds says that all is done
            requested = sum(row["requested"] for row in told)
            if order.what != "clear" and requested != len(order.keys):
                self._tally.violation(
                    model.GONE, f"{what}: {requested} of {len(order.keys)} were planned in {order.name}"
                )
        else:
            order.reason = ended.reason


class _Stopping:
    """Cancels a client after a while, unless it is done by then."""

    def __init__(self, client: TencentIMClient, seconds: float | None, tally: Tally) -> None:
        self._timer = None if seconds is None else threading.Timer(seconds, self._stop)
        self._client = client
        self._tally = tally

    def _stop(self) -> None:
        self._tally.add("injected", "task stopped in the middle")
        self._client.cancel()

    def __enter__(self) -> None:
        if self._timer is not None:
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _rows(report: Path, prefix: str) -> Iterator[dict[str, Any]]:
    for path in sorted(report.glob(f"*/{prefix}-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _archived(archive: Path) -> dict[str, set[int]]:
    """Return the MsgSeqs that the archive holds of each group, read from its files and not from its manifest."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for path in archive.glob("*/*.gz"):
        try:
            lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        except (OSError, EOFError, ValueError):
            continue  # what an earlier try could not finish
        for line in lines:
            if line.startswith('{"From_Account"') or line.startswith('{"GroupId"'):
                message = json.loads(line.removesuffix(","))
                if "GroupId" in message:
                    found[message["GroupId"]].add(message["MsgSeq"])
    return found
