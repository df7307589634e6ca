"""How the retention operators do their work: plan, carry out, or both in one task."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_tencentim.operators.arguments import given_arguments
from airflow_provider_tencentim.operators.base import TencentIMOperator
from airflow_provider_tencentim.operators.retention_events import emit_event, with_alias
from airflow_provider_tencentim.operators.retention_inputs import (
    read_holds_of,
    read_policy_argument,
    reference_of,
    run_of,
)
from airflow_provider_tencentim.operators.task_state import earlier_plan, forget_plan, progress_store, remember_plan

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_tencentim.client.client import TencentIMClient
    from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
    from airflow_provider_tencentim.retention.patterns import Patterns
    from airflow_provider_tencentim.retention.plan import Plan
    from airflow_provider_tencentim.retention.policy import RetentionPolicy
    from airflow_provider_tencentim.retention.run import Application, Guards, Planned

    Policy = RetentionPolicy | C2CRetentionPolicy

APPLY_PATHS = ("hold_path", "archive_to", "report_path", "state_path")
GUARDS = ("max_messages", "max_groups", "max_plan_age", "fail_on_group_error")


class RetentionOperator(TencentIMOperator):
    """What planning and carrying out share."""

    template_fields_renderers: ClassVar = {"policy": "json"}

    def folder(self, name: str) -> Any:
        """Return an argument as a path on any object storage; None when it was not given."""
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from airflow_provider_tencentim.client.arguments import check_text

        path = self.arguments.value(name)
        return None if path is None else ObjectStoragePath(check_text(name, path))

    def check_arguments(self) -> None:
        """Refuse what came to nothing before the first call, however late it is needed."""
        for name in self.template_fields:
            self.arguments.value(name)


class PlanningOperator(RetentionOperator):
    """Makes plans."""

    policy: Mapping[str, Any] | str
    plan_path: str | None
    state_path: str | None = None
    shard: str | None = None

    def resolved_policy(self, context: Context) -> Policy:
        """Read the policy, check it, and fix its cut-offs."""
        given = read_policy_argument(self.arguments.value("policy"))
        return self.policy_class().parse(given).resolve(reference_of(context), datetime.now(UTC))

    def policy_class(self) -> type[RetentionPolicy] | type[C2CRetentionPolicy]:
        from airflow_provider_tencentim.retention.policy import RetentionPolicy

        return RetentionPolicy

    def _make_plan(
        self, context: Context, client: TencentIMClient, policy: Policy, folder: Any, holds: Patterns | None
    ) -> Planned:
        """Plan what the policy means, as far as it is this task's part."""
        from airflow_provider_tencentim.retention.buckets import Shard
        from airflow_provider_tencentim.retention.run import make_plan

        shard = self.arguments.value("shard")
        planned = make_plan(
            client,
            policy,
            folder,
            holds=holds,
            state_path=self.folder("state_path"),
            shard=None if shard is None else Shard.parse(shard),
            run=run_of(context),
        )
        self.log.info("Plan %s: %s", planned.folder, planned.summary())
        planned.warn_of_nothing()
        return planned

    def plan_only(self, context: Context) -> dict[str, Any]:
        with self.failing_for_good():
            self.check_arguments()
            folder, policy = self.folder("plan_path"), self.resolved_policy(context)
            holds = read_holds_of(policy.hold_path)
            with self.connected() as client:
                return self._make_plan(context, client, policy, folder, holds).summary()


class ApplyingOperator(RetentionOperator):
    """Carries plans out."""

    max_messages: int | str | None
    max_groups: int | str | None
    max_plan_age: str | None
    fail_on_group_error: bool | str

    def check_arguments(self) -> None:
        super().check_arguments()
        self.arguments.flag("fail_on_group_error")
        for name in APPLY_PATHS:
            self.folder(name)

    def guards(self) -> Guards:
        from airflow_provider_tencentim.retention.durations import read_age
        from airflow_provider_tencentim.retention.run import Guards

        age = self.arguments.value("max_plan_age")
        return Guards(
            self.arguments.integer("max_messages"),
            self.arguments.integer("max_groups"),
            None if age is None else read_age("max_plan_age", age),
        )

    def apply(self, context: Context, client: TencentIMClient, plan: Plan, holds: Patterns | None) -> dict[str, Any]:
        """Carry a plan out, and push what was done whatever happens."""
        from airflow_provider_tencentim.retention.run import beside_the_plan, open_plan

        fail_on_group_error = self.arguments.flag("fail_on_group_error")
        application = open_plan(
            client,
            plan,
            holds=holds,
            store=progress_store(context, beside_the_plan(client, plan)),
            archive_to=self.folder("archive_to"),
            report_path=self.folder("report_path"),
            state_path=self.folder("state_path"),
        )
        try:
            application.sweep.run()
        finally:
            self.push(context, application.summary())
            self.log.info("Plan %s: %s", plan.folder, application.summary())
        if fail_on_group_error:
            _raise_failure(application)
        emit_event(context, self.outlets, client.sdkappid, application.summary())
        return application.summary()


class OneTaskOperator(PlanningOperator, ApplyingOperator):
    """Plans and carries out."""

    template_fields: tuple[str, ...] = (
        *TencentIMOperator.template_fields,
        "policy",
        "dry_run",
        "plan_path",
        "shard",
        *APPLY_PATHS,
        *GUARDS,
    )

    def __init__(
        self,
        *,
        policy: Mapping[str, Any] | str,
        dry_run: bool | str = False,
        plan_path: str | None = None,
        shard: str | None = None,
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
        self.policy = policy
        self.dry_run = dry_run  # type: ignore[method-assign,assignment]  # hides a method that only renders templates
        self.plan_path = plan_path
        self.shard = shard
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
            from airflow_provider_tencentim.retention.plan import Plan
            from airflow_provider_tencentim.retention.run import check_plan

            self.check_arguments()
            dry_run, guards, policy = self.arguments.flag("dry_run"), self.guards(), self.resolved_policy(context)
            holds = read_holds_of(policy.hold_path, self.arguments.value("hold_path"))
            with self._plan_folder() as folder, self.connected() as client:
                plan = None if dry_run else self._earlier_plan(context, client, policy, guards, holds)
                if plan is None:
                    planned = self._make_plan(context, client, policy, folder, holds)
                    if dry_run:
                        return planned.summary() | {"dry_run": True}
                    plan = Plan(planned.folder, planned.digest)
                    remember_plan(context, plan)
                check_plan(client, plan.header, guards, has_holds=holds is not None)
                result = self.apply(context, client, plan, holds)
            forget_plan(context)
            return result

    def _earlier_plan(
        self, context: Context, client: TencentIMClient, policy: Policy, guards: Guards, holds: Patterns | None
    ) -> Plan | None:
        """Return the plan of an earlier try, unless something else is asked for by now, or it is refused by now."""
        from airflow_provider_tencentim.retention.buckets import Shard
        from airflow_provider_tencentim.retention.run import check_plan

        shard = self.arguments.value("shard")
        meant = policy.to_dict(), str(Shard() if shard is None else Shard.parse(shard))
        plan = earlier_plan(context)
        if plan is None or (plan.header.policy, plan.header.shard) != meant:
            return None
        try:
            check_plan(client, plan.header, guards, has_holds=holds is not None)
        except ValueError as error:
            self.log.info("The plan of an earlier try is not carried out, and a new one is made: %s", error)
            return None
        return plan

    @contextmanager
    def _plan_folder(self) -> Iterator[Any]:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        folder = self.folder("plan_path")
        if folder is not None:
            yield folder
            return
        with tempfile.TemporaryDirectory(prefix="tencentim-plan-") as temporary:
            yield ObjectStoragePath(temporary)


def _raise_failure(application: Application) -> None:
    from airflow_provider_tencentim.client.errors import TencentIMPartialError

    if failure := application.ledger.failure():
        summary = application.summary()
        counts = ", ".join(f"{summary[name]} {name}" for name in ("requested", "done", "already", "missing", "failed"))
        info = f"{summary['failed_groups']} of {summary['groups']} groups failed ({counts}): {failure.told}"
        raise TencentIMPartialError("retention", failure.code, info, lasting=failure.lasting)
