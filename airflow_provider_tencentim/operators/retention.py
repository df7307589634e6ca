"""Retention by policy: plan what is too old, let somebody look at it, carry it out, and prove it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_tencentim.operators.arguments import given_arguments
from airflow_provider_tencentim.operators.base import TencentIMOperator
from airflow_provider_tencentim.operators.retention_events import RETENTION_ALIAS, with_alias
from airflow_provider_tencentim.operators.retention_inputs import read_holds_of
from airflow_provider_tencentim.operators.retention_tasks import (
    APPLY_PATHS,
    GUARDS,
    ApplyingOperator,
    OneTaskOperator,
    PlanningOperator,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy

__all__ = [
    "RETENTION_ALIAS",
    "ApplyRetentionPlanOperator",
    "C2CRetentionOperator",
    "GroupRetentionOperator",
    "PlanC2CRetentionOperator",
    "PlanGroupRetentionOperator",
    "shards",
]


def shards(count: int) -> list[str]:
    """Return the parts of a sweep, for task mapping: ``.partial(...).expand(shard=shards(8))``.

    :param count: how many parts, at most 256.
    """
    return [f"{number}/{count}" for number in range(1, count + 1)]


class PlanGroupRetentionOperator(PlanningOperator):
    """Find what a policy means, and write it down as a plan. It only reads.

    The cut-off counts back from the run's data interval, so that a retry or a re-run means the same messages.

    .. seealso:: :doc:`/retention` for the keys of a policy, and for what a plan holds.

    :param policy: (templated) a mapping, or the path of a YAML or JSON file on any ObjectStoragePath.
    :param plan_path: (templated) the folder of the plan, on any ObjectStoragePath. A plan that is there is replaced.
    :param state_path: (templated) the folder in which it is remembered how far earlier runs went. What they did is left
        out; without it the plan is complete in itself.
    :param shard: (templated) plan only one of some disjoint parts, such as ``"3/16"``; see :func:`shards`. Its plan is
        in a folder of its own below ``plan_path``.
    :param tencentim_conn_id: (templated) the connection; one that only reads will do.
    :return: ``{"plan", "digest", "cut_off", "action", "listed", "groups", "messages", "skipped": {reason: n},
        "incremental"}``: ``groups`` and ``messages`` are what would be acted on at most.
    :raises AirflowFailException: for an argument, a policy, a list of holds or a state that is malformed or came to
        nothing, and for an error that no retry can heal.
    :raises TencentIMError: for any other failure of a read; Airflow may retry.
    """

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "policy",
        "plan_path",
        "state_path",
        "shard",
    )

    def __init__(
        self,
        *,
        policy: Mapping[str, Any] | str,
        plan_path: str,
        state_path: str | None = None,
        shard: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.plan_path = plan_path
        self.state_path = state_path
        self.shard = shard
        self.given = given_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        return self.plan_only(context)


class ApplyRetentionPlanOperator(ApplyingOperator):
    """Carry out a plan: exactly what it says. This cannot be undone.

    Before anything is touched, the plan is compared with its digest, its app with the connection's, its age and size
    with the guards; holds and every group are read again just before their turn. One group that fails does not stop the
    others; an error that every group would meet stops at once. A retry does what is left.

    .. seealso:: :doc:`/retention` for the report, the archive and what each action does.

    :param plan_path: (templated) the folder of the plan: what the planning task returned as ``plan``.
    :param plan_digest: (templated) what it returned as ``digest``: a plan that was changed since is refused.
    :param hold_path: (templated) a file of GroupIds and globs, one a line, that must not be touched. A plan that was
        made with holds needs it.
    :param archive_to: (templated) the folder in which messages are kept before they go. A group whose archive is not
        complete is not touched.
    :param report_path: (templated) the folder of the report, a row for every group.
    :param state_path: (templated) the folder in which it is remembered how far this run went: that of the plan.
    :param max_messages: (templated) refuse a plan of more messages.
    :param max_groups: (templated) refuse a plan of more groups.
    :param max_plan_age: (templated) refuse a plan that is older, an ISO 8601 duration; None for any age.
    :param fail_on_group_error: (templated) whether the task fails when any group did.
    :param tencentim_conn_id: (templated) the connection, of the app that was planned.
    :return: ``{"plan", "digest", "report", "archive", "incremental", "groups", "failed_groups", "skipped": {reason: n},
        "requested", "done", "already", "missing", "failed", "calls"}``, pushed also when the task fails;
        ``requested`` is the sum of the next four.
    :raises AirflowFailException: for an argument that is malformed or came to nothing, for a plan that is refused, and
        when groups failed for reasons that no retry can heal.
    :raises TencentIMError: when groups failed, or the service did, and Airflow may retry.
    :raises OSError: when the report, the archive or the state cannot be written.
    """

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "plan_path",
        "plan_digest",
        *APPLY_PATHS,
        *GUARDS,
    )

    def __init__(
        self,
        *,
        plan_path: str,
        plan_digest: str,
        hold_path: str | None = None,
        archive_to: str | None = None,
        report_path: str | None = None,
        state_path: str | None = None,
        max_messages: int | str | None = None,
        max_groups: int | str | None = None,
        max_plan_age: str | None = "P1D",
        fail_on_group_error: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan_path = plan_path
        self.plan_digest = plan_digest
        self.hold_path = hold_path
        self.archive_to = archive_to
        self.report_path = report_path
        self.state_path = state_path
        self.max_messages = max_messages
        self.max_groups = max_groups
        self.max_plan_age = max_plan_age
        self.fail_on_group_error = fail_on_group_error
        self.given = given_arguments(self)
        self.outlets = with_alias(self.outlets)

    def execute(self, context: Context) -> dict[str, Any]:
        with self.failing_for_good():
            from airflow_provider_tencentim.retention.plan import Plan, check_digest
            from airflow_provider_tencentim.retention.run import check_plan

            self.check_arguments()
            guards = self.guards()
            folder, digest = self.folder("plan_path"), check_digest(self.arguments.value("plan_digest"))
            holds = read_holds_of(self.arguments.value("hold_path"))
            plan = Plan(folder, digest)
            with self.connected() as client:
                check_plan(client, plan.header, guards, has_holds=holds is not None)
                return self.apply(context, client, plan, holds)


class GroupRetentionOperator(OneTaskOperator):
    """Plan and carry out in one task. This cannot be undone.

    A retry goes on with the plan that the first try made where Airflow keeps task state (3.3 and later) and
    ``plan_path`` is given; else it plans anew, which finds what is left.

    .. seealso:: :doc:`/retention`

    :param policy: (templated) a mapping, or the path of a YAML or JSON file on any ObjectStoragePath.
    :param dry_run: (templated) plan only: no command that writes is sent.
    :param plan_path: (templated) the folder of the plan; None for one that is gone when the task ends.
    :param state_path: as for :class:`PlanGroupRetentionOperator`.
    :param shard: as for :class:`PlanGroupRetentionOperator`.
    :param hold_path: (templated) holds on top of those that the policy names.
    :param archive_to: as for :class:`ApplyRetentionPlanOperator`.
    :param report_path: as for :class:`ApplyRetentionPlanOperator`.
    :param max_messages: as for :class:`ApplyRetentionPlanOperator`.
    :param max_groups: as for :class:`ApplyRetentionPlanOperator`.
    :param max_plan_age: as for :class:`ApplyRetentionPlanOperator`, of a plan that a retry goes on with.
    :param fail_on_group_error: as for :class:`ApplyRetentionPlanOperator`.
    :param tencentim_conn_id: (templated) the connection.
    :return: what :class:`ApplyRetentionPlanOperator` returns; in a dry run what :class:`PlanGroupRetentionOperator`
        does, with ``"dry_run": True``.
    :raises AirflowFailException: as for the two.
    :raises TencentIMError: as for the two.
    :raises OSError: when the plan, the report, the archive or the state cannot be written.
    """


class PlanC2CRetentionOperator(PlanningOperator):
    """Find what a policy means in one-to-one conversations, and write it down as a plan. It only reads.

    :class:`ApplyRetentionPlanOperator` carries it out.

    .. seealso:: :doc:`/retention`

    :param policy: (templated) a mapping, or the path of a YAML or JSON file: with ``pairs``, or with ``accounts``,
        whose conversations are those of ``recentcontact/get_list``: only recent ones, 100 by default.
    :param plan_path: as for :class:`PlanGroupRetentionOperator`.
    :param shard: as for :class:`PlanGroupRetentionOperator`.
    :param tencentim_conn_id: (templated) the connection; one that only reads will do.
    :return: what :class:`PlanGroupRetentionOperator` returns; ``groups`` counts conversations.
    :raises AirflowFailException: as for :class:`PlanGroupRetentionOperator`.
    :raises TencentIMError: as for :class:`PlanGroupRetentionOperator`.
    """

    template_fields: tuple[str, ...] = (*TencentIMOperator.template_fields, "policy", "plan_path", "shard")

    def __init__(
        self, *, policy: Mapping[str, Any] | str, plan_path: str, shard: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.plan_path = plan_path
        self.shard = shard
        self.given = given_arguments(self)

    def execute(self, context: Context) -> dict[str, Any]:
        return self.plan_only(context)

    def policy_class(self) -> type[C2CRetentionPolicy]:
        return _c2c_policy()


class C2CRetentionOperator(OneTaskOperator):
    """Plan and carry out in one-to-one conversations, in one task. This cannot be undone.

    .. seealso:: :doc:`/retention`

    :param policy: as for :class:`PlanC2CRetentionOperator`.

    All other parameters, the result and what is raised are those of :class:`GroupRetentionOperator`, but for
    ``state_path``, which is refused: every run is complete in itself.
    """

    def __init__(self, **kwargs: Any) -> None:
        if "state_path" in kwargs:
            raise TypeError("C2CRetentionOperator has no state_path: every run is complete in itself")
        super().__init__(**kwargs)

    def policy_class(self) -> type[C2CRetentionPolicy]:
        return _c2c_policy()


def _c2c_policy() -> type[C2CRetentionPolicy]:
    from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy

    return C2CRetentionPolicy
