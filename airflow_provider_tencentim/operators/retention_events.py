"""Asset events: what a plan did, for the DAGs that wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Every plan that was carried out adds an event of the asset ``tencentim://SDKAPPID/retention`` to this alias.
RETENTION_ALIAS = "tencentim_retention"


def with_alias(outlets: Sequence[Any]) -> list[Any]:
    """Return the outlets of a task that carries plans out.

    :param outlets: those that its author named.
    """
    from airflow.providers.common.compat.sdk import AssetAlias

    return [*outlets, AssetAlias(RETENTION_ALIAS)]


def emit_event(context: Context, outlets: Sequence[Any], sdkappid: int, summary: dict[str, Any]) -> None:
    """Tell DAGs that wait for it what was done, at the alias and at the assets that the author named.

    :param context: of the task.
    :param outlets: of the task.
    :param sdkappid: the app.
    :param summary: what was done.
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    events: Any = context["outlet_events"]
    extra = summary | {"skipped": _Hashable(summary["skipped"])}
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            _make_known(outlet.name)
            events[outlet].add(Asset(f"tencentim://{sdkappid}/retention"), extra=extra)
        elif isinstance(outlet, Asset):
            events[outlet].extra = extra


class _Hashable(dict[str, int]):
    """A mapping in the extra of an event: Airflow 2.11 puts the extra's values into a set."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _make_known(alias: str) -> None:
    """Have Airflow 2.11 know an alias: it learns them from DAG files, but for mapped tasks, and fails a task else."""
    try:
        from airflow.models.dataset import DatasetAliasModel  # type: ignore[import-not-found,unused-ignore]
    except ImportError:  # Airflow 3 takes any
        return
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    with suppress(IntegrityError), create_session() as session:  # another task may come first
        if session.query(DatasetAliasModel).filter_by(name=alias).first() is None:
            session.add(DatasetAliasModel(name=alias))
