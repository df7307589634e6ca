"""What DAGs that wait for a retention run are told: which assets, through which aliases, and with what."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from task_context import OutletEventAccessors, through_alias

from airflow_provider_tencentim.operators.retention_events import RETENTION_ALIAS, emit_event, with_alias

SUMMARY = {"plan": "plans/night", "done": 4, "failed": 0, "skipped": {"held": 1, "empty": 2}}


def emit(*outlets: Any, sdkappid: int = 1400000000, summary: dict[str, Any] = SUMMARY) -> Any:
    """Emit the event of a task with these outlets, and return what it put into its context."""
    told = OutletEventAccessors()
    emit_event({"outlet_events": told}, outlets, sdkappid, summary)
    return told


@pytest.fixture
def aliases(monkeypatch):
    """What the database knows of aliases, as Airflow 2.11 names it; in Airflow 3 only the names are others."""
    try:
        from airflow.models.dataset import DatasetAliasModel as Model
    except ImportError:
        from airflow.models.asset import AssetAliasModel as Model

        older = ModuleType("airflow.models.dataset")
        older.DatasetAliasModel = Model  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "airflow.models.dataset", older)
    from airflow.utils.session import create_session

    def names() -> list[str]:
        with create_session() as session:
            return [name for (name,) in session.query(Model.name).filter(Model.name.like("test_events_%"))]

    yield names
    with create_session() as session:
        session.query(Model).filter(Model.name.like("test_events_%")).delete(synchronize_session=False)


def test_the_alias_stands_behind_what_the_author_named():
    named = (Asset("x-chat://rooms"), AssetAlias("mine"))
    outlets = with_alias(named)
    assert outlets[:2] == list(named)
    assert outlets[2:] == [AssetAlias(RETENTION_ALIAS)]
    assert [alias.name for alias in with_alias([])] == ["tencentim_retention"]


def test_an_alias_is_told_of_the_apps_asset_with_what_was_done():
    alias = AssetAlias(RETENTION_ALIAS)
    told = emit(alias, sdkappid=1400000007)
    assert through_alias(told, alias) == [(RETENTION_ALIAS, "tencentim://1400000007/retention", SUMMARY)]
    assert len(told) == 1


def test_an_asset_that_the_author_named_has_what_was_done_with_its_event():
    asset = Asset("x-chat://rooms")
    told = emit(asset)
    assert told[asset].extra == SUMMARY
    assert len(told) == 1


def test_every_outlet_is_told_and_what_is_neither_is_left_alone():
    asset, one, two = Asset("x-chat://rooms"), AssetAlias("one"), AssetAlias("two")
    told = emit(one, object(), asset, two)
    assert [through_alias(told, alias)[0][0] for alias in (one, two)] == ["one", "two"]
    assert told[asset].extra == SUMMARY
    assert len(told) == 3
    assert len(emit()) == 0


def test_what_an_event_says_can_be_stored_and_put_into_a_set():
    """Airflow stores it as JSON; 2.11 puts its values into a set before."""
    asset = Asset("x-chat://rooms")
    extra = emit(asset)[asset].extra
    assert json.loads(json.dumps(extra)) == SUMMARY
    reordered = {**SUMMARY, "skipped": {"empty": 2, "held": 1}}
    assert frozenset(extra.items()) == frozenset(emit(asset, summary=reordered)[asset].extra.items())
    other = {**SUMMARY, "skipped": {"empty": 2, "held": 2}}
    assert hash(extra["skipped"]) != hash(emit(asset, summary=other)[asset].extra["skipped"])


def test_the_result_of_the_task_stays_what_it_was():
    summary = {"done": 4, "skipped": {"held": 1}}
    emit(Asset("x-chat://rooms"), summary=summary)
    assert summary == {"done": 4, "skipped": {"held": 1}}
    assert type(summary["skipped"]) is dict


def test_airflow_2_is_told_once_of_an_alias_that_it_does_not_know(aliases):
    for _ in range(2):
        emit(AssetAlias("test_events_one"), Asset("x-chat://rooms"))
    emit(AssetAlias("test_events_two"))
    assert sorted(aliases()) == ["test_events_one", "test_events_two"]


def test_another_task_may_tell_airflow_2_first(aliases):
    from airflow import settings
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    def come_first(session: Session, *_: Any) -> None:
        (alias,) = session.new
        with settings.engine.begin() as connection:
            connection.execute(type(alias).__table__.insert().values(name=alias.name))

    alias = AssetAlias("test_events_raced")
    event.listen(Session, "before_flush", come_first)
    try:
        told = emit(alias)
    finally:
        event.remove(Session, "before_flush", come_first)

    assert aliases() == ["test_events_raced"]
    assert len(through_alias(told, alias)) == 1
