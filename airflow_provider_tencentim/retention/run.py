"""A plan made, and a plan carried out: what the operators and anybody else ask for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_tencentim.client.client import TencentIMClient

from .actions import GroupActions
from .archive import Archive
from .buckets import Shard
from .c2c_actions import C2CActions
from .c2c_planner import C2CPlanner
from .c2c_policy import C2CRetentionPolicy
from .durations import Age
from .files import Folder
from .ledger import Ledger
from .patterns import Patterns
from .plan import Plan, PlanHeader, PlanWriter
from .planner import GroupPlanner
from .policy import RetentionPolicy
from .progress import FileStore, Store
from .state import State
from .sweep import Actions, Sweep

log = logging.getLogger(__name__)

# What of a digest names a folder.
_SHORT = 16
#: In the folder of a plan: how far it was carried out.
PROGRESS = "progress.json"
# A plan of the future was made by a clock that is wrong, or by hand.
_CLOCK_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that was made.

    :param folder: where it is.
    :param header: what it says of itself.
    :param digest: of the whole.
    :param listed: how many groups there were to choose from.
    """

    folder: Folder
    header: PlanHeader
    digest: str
    listed: int

    def summary(self) -> dict[str, Any]:
        """Return it for XCom."""
        return {
            "plan": str(self.folder),
            "digest": self.digest,
            "cut_off": self.header.cut_off,
            "action": self.header.policy["action"],
            "listed": self.listed,
            "groups": self.header.groups,
            "messages": self.header.messages,
            "skipped": self.header.skipped,
            "incremental": self.header.incremental,
        }

    def warn_of_nothing(self) -> None:
        """Say why, when there is nothing to do: the service forgets, and policies are misspelt."""
        if self.header.groups == 0:
            log.warning(
                "Nothing to do: %d groups were listed, %d are named by the policy, and none holds a message that is "
                "meant (before %s). Left alone: %s. What has left roaming storage, after 7 to 90 days by edition, "
                "cannot be found.",
                self.listed,
                self.header.rows,
                self.header.cut_off,
                self.header.skipped or "none",
            )


def make_plan(
    client: TencentIMClient,
    policy: RetentionPolicy | C2CRetentionPolicy,
    folder: Folder,
    *,
    holds: Patterns | None,
    state_path: Folder | None = None,
    shard: Shard | None = None,
    run: Mapping[str, str],
) -> Planned:
    """Find what a policy means, and write it down. It only reads.

    :param client: of the app.
    :param policy: its cut-offs fixed.
    :param folder: where the plan goes.
    :param holds: groups or accounts on hold; None when there is no such list.
    :param state_path: where it is remembered how far earlier runs went in groups; None to plan everything.
    :param shard: which part is planned; it gets a folder of its own.
    :param run: by which DAG, task and run.
    :raises TencentIMError: when what must be known cannot be read.
    :raises ValueError: when the state is not as it should be.
    :raises OSError: when the plan cannot be written.
    """
    shard = shard or Shard()
    folder = folder / shard.folder if shard.count > 1 else folder
    planner: GroupPlanner | C2CPlanner
    state = None
    if isinstance(policy, RetentionPolicy):
        state = State(state_path, client.sdkappid, policy) if state_path is not None else None
        planner = GroupPlanner(client, policy, holds or Patterns(), state, shard)
    else:
        planner = C2CPlanner(client, policy, holds or Patterns(), shard)
    writer = PlanWriter(folder)
    for row in planner.rows():
        writer.add(row)
    header, digest = writer.finish(
        chat="group" if isinstance(policy, RetentionPolicy) else "c2c",
        sdkappid=client.sdkappid,
        base_url=client.base_url,
        policy=policy.to_dict(),
        cut_off=datetime.fromtimestamp(policy.cut_off, UTC).isoformat(),
        created=int(datetime.now(UTC).timestamp()),
        run=dict(run),
        shard=str(shard),
        holds=holds is not None,
        incremental=state is not None,
    )
    return Planned(folder, header, digest, planner.listed)


@dataclass(frozen=True, slots=True)
class Guards:
    """What a plan must not exceed.

    :param messages: at most so many messages; None for any number.
    :param groups: at most so many groups.
    :param age: of the plan, at most.
    """

    messages: int | None = None
    groups: int | None = None
    age: Age | None = None


def check_plan(client: TencentIMClient, header: PlanHeader, guards: Guards, has_holds: bool) -> None:
    """See that a plan may be carried out now, by this client.

    :param client: that would carry it out.
    :param header: of the plan.
    :param guards: what it must not exceed.
    :param has_holds: whether a list of holds was read just now.
    :raises ValueError: saying why not.
    """
    if header.sdkappid != client.sdkappid:
        raise ValueError(f"the plan is of app {header.sdkappid}, the connection of app {client.sdkappid}")
    if header.base_url != client.base_url:
        raise ValueError(f"the plan was made at {header.base_url}, the connection leads to {client.base_url}")
    if header.holds and not has_holds:
        raise ValueError("the plan was made with holds: hold_path must be given, so that they are read again")
    for name, most, there in (
        ("max_messages", guards.messages, header.messages),
        ("max_groups", guards.groups, header.groups),
    ):
        if most is not None and there > most:
            raise ValueError(f"{name} is {most:,}, and the plan has {there:,}")
    now, created = datetime.now(UTC), datetime.fromtimestamp(header.created, UTC)
    if created > now + _CLOCK_MARGIN:
        raise ValueError("the plan was made in the future: check the clocks")
    if guards.age is not None and created < guards.age.before(now):
        raise ValueError(f"the plan was made at {created.isoformat()}, longer ago than max_plan_age: make a new one")


@dataclass(frozen=True, slots=True)
class Application:
    """A plan that is about to be carried out.

    :param plan: the plan.
    :param sweep: carries it out.
    :param ledger: notes what was done, also when the sweep raises.
    :param report: the folder of the report, or None.
    :param archive: the folder of the archive, or None.
    """

    plan: Plan
    sweep: Sweep
    ledger: Ledger
    report: Folder | None
    archive: Folder | None

    def summary(self) -> dict[str, Any]:
        """Return what was done, for XCom: ``requested`` is the sum of done, already, missing and failed."""
        return {
            "plan": str(self.plan.folder),
            "digest": self.plan.digest,
            "report": str(self.report) if self.report is not None else None,
            "archive": str(self.archive) if self.archive is not None else None,
            "incremental": self.plan.header.incremental,
            **self.ledger.summary(),
        }


def beside_the_plan(client: TencentIMClient, plan: Plan) -> FileStore:
    """Return the file in which it is kept how far a plan was carried out.

    :param client: of the app, whose key seals it.
    :param plan: the plan.
    """
    return FileStore(plan.folder / PROGRESS, client.seal)


def open_plan(
    client: TencentIMClient,
    plan: Plan,
    *,
    holds: Patterns | None,
    store: Store | None = None,
    archive_to: Folder | None = None,
    report_path: Folder | None = None,
    state_path: Folder | None = None,
) -> Application:
    """Open the books of a plan that was checked; ``sweep.run()`` then carries it out.

    :param client: of the app.
    :param plan: what is to be done.
    :param holds: groups on hold, read just now.
    :param store: keeps the progress; None for a file beside the plan.
    :param archive_to: where messages are kept before they go; None for nowhere.
    :param report_path: where the report goes; None for nowhere.
    :param state_path: where it is remembered how far this run went; None for nowhere.
    :raises ValueError: when the plan's policy is none.
    :raises OSError: when the report or the archive cannot be written.
    """
    archive = Archive(archive_to / plan.digest[:_SHORT], client.sdkappid) if archive_to is not None else None
    report = report_path / plan.digest[:_SHORT] if report_path is not None else None
    state = None
    actions: Actions
    if plan.header.chat == "c2c":
        actions = C2CActions(client, C2CRetentionPolicy.parse(plan.header.policy), archive)
    else:
        policy = RetentionPolicy.parse(plan.header.policy)
        state = State(state_path, client.sdkappid, policy) if state_path is not None else None
        actions = GroupActions(client, policy, archive)
    ledger = Ledger(plan, store or beside_the_plan(client, plan), report, archive.folder if archive else None, state)
    sweep = Sweep(client, plan, actions, holds or Patterns(), ledger)
    return Application(plan, sweep, ledger, report, archive.folder if archive else None)
