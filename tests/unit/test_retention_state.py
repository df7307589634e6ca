"""The state: it only ever makes a plan smaller, and only where earlier work was the same and is sure."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.retention.buckets import bucket_of
from airflow_provider_tencentim.retention.plan import PlanRow
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.state import State

APP = 1400000000


def policy(action="recall", **keys):
    return RetentionPolicy.parse({"before": "2026-01-01", "all_groups": True, "action": action, **keys})


def row(group="room", *, through, lower=0, created=5, action="recall"):
    return PlanRow(group=group, create_time=created, action=action, through=through, lower=lower)


def record(folder, *rows, by=None, app=APP):
    state = State(folder, app, by or policy())
    for one in rows:
        state.record(one)
    state.save()


def through(folder, group="room", created=5, *, by=None, app=APP):
    return State(folder, app, by or policy()).through(group, created)


def test_what_was_never_done_is_done_through_nothing(tmp_path):
    assert through(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_done_is_known_to_the_next_run(tmp_path):
    record(tmp_path, row(through=10))

    assert through(tmp_path) == 10
    assert through(tmp_path, "other") == 0


def test_nothing_is_stored_before_it_is_saved(tmp_path):
    state = State(tmp_path, APP, policy())
    state.record(row(through=10))

    assert through(tmp_path) == 0
    state.save()
    assert through(tmp_path) == 10
    assert state.through("room", 5) == 10


def test_a_run_goes_on_where_the_last_one_ended(tmp_path):
    record(tmp_path, row(through=10))
    record(tmp_path, row(through=25, lower=10))

    assert through(tmp_path) == 25


@pytest.mark.parametrize(("done", "lower"), [(0, 1), (10, 11), (10, 4_000_000_000)])
def test_what_does_not_begin_where_earlier_work_ended_does_not_count(tmp_path, done, lower):
    if done:
        record(tmp_path, row(through=done))
    record(tmp_path, row(through=lower + 5, lower=lower))

    assert through(tmp_path) == done


def test_work_that_overlaps_earlier_work_counts(tmp_path):
    record(tmp_path, row(through=10))
    record(tmp_path, row(through=30, lower=0))

    assert through(tmp_path) == 30


@pytest.mark.parametrize("later", [1, 9, 10])
def test_it_never_goes_back(tmp_path, later):
    record(tmp_path, row(through=10))
    record(tmp_path, row(through=later))

    assert through(tmp_path) == 10


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), max_size=12), st.data())
def test_what_counts_as_done_was_covered_without_a_gap(tmp_path_factory, spans, data):
    """Rows of one group in several runs, in any order: every MsgSeq that counts as done was in one of them."""
    folder = tmp_path_factory.mktemp("state")
    covered: set[int] = set()
    state = State(folder, APP, policy())
    for lower, length in spans:
        state.record(row(through=lower + length, lower=lower))
        covered |= set(range(lower + 1, lower + length + 1))
        if data.draw(st.booleans()):
            state.save()
            state = State(folder, APP, policy())
    state.save()

    assert set(range(1, through(folder) + 1)) <= covered


def test_a_group_in_several_rows_is_done_through_the_last_that_follows_without_a_gap(tmp_path):
    parts = [row(through=10), row(through=20, lower=10), row(through=40, lower=30)]
    record(tmp_path, *parts)

    assert through(tmp_path) == 20


def test_a_group_that_was_made_anew_starts_afresh(tmp_path):
    record(tmp_path, row(through=10, created=5))

    assert through(tmp_path, created=6) == 0

    record(tmp_path, row(through=3, created=6))
    assert through(tmp_path, created=6) == 3
    assert through(tmp_path, created=5) == 0


@pytest.mark.parametrize(
    "other",
    [
        policy("clear"),
        policy(from_accounts=["ann"]),
        policy(text_matches=["secret"]),
        policy("redact", replacement="removed"),
        policy("redact_and_recall", replacement="removed"),
        policy(overrides=[{"groups": ["room"], "action": "clear"}]),
        policy(overrides=[{"groups": ["ro*"], "from_accounts": ["ann"]}]),
    ],
    ids=lambda one: f"{one.action} {one.selection_key} {len(one.overrides)}",
)
def test_work_of_another_kind_is_kept_apart(tmp_path, other):
    record(tmp_path, row(through=10))
    assert through(tmp_path, by=other) == 0

    record(tmp_path, row(through=3), by=other)
    assert through(tmp_path, by=other) == 3
    assert through(tmp_path) == 10


def test_work_of_the_same_kind_counts_whatever_else_the_policy_says(tmp_path):
    record(tmp_path, row(through=10))

    assert through(tmp_path, by=policy(before="2026-02-01", keep_last=3, exclude_groups=["x"])) == 10
    assert through(tmp_path, by=policy(overrides=[{"groups": ["other"], "action": "clear"}])) == 10


def test_another_replacement_is_other_work(tmp_path):
    first, second = (policy("redact", replacement=text) for text in ("removed", "gone"))
    record(tmp_path, row(through=10), by=first)

    assert (through(tmp_path, by=first), through(tmp_path, by=second)) == (10, 0)


def test_apps_do_not_mix(tmp_path):
    record(tmp_path, row(through=10), app=1)

    assert (through(tmp_path, app=1), through(tmp_path, app=2)) == (10, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1"]


def test_rows_without_a_cut_off_and_those_of_conversations_do_not_count(tmp_path):
    record(tmp_path, row(through=0), PlanRow(pair=("a", "b"), action="recall", keys={"a": ("1_2_3",)}))

    assert list(tmp_path.iterdir()) == []


def test_a_row_in_which_nothing_was_meant_counts(tmp_path):
    record(tmp_path, replace(row(through=10), action=None, skip="nothing_matches"))

    assert through(tmp_path) == 10


def test_groups_are_kept_by_bucket_and_all_of_them_come_back(tmp_path):
    groups = {f"room-{number}": number + 1 for number in range(600)}
    record(tmp_path, *(row(group, through=seq) for group, seq in groups.items()))
    state = State(tmp_path, APP, policy())

    assert {group: state.through(group, 5) for group in groups} == groups
    for path in (tmp_path / str(APP)).iterdir():
        assert {f"{bucket_of(group):02x}.json" for group in json.loads(path.read_bytes())} == {path.name}


def stored_file(folder):
    record(folder, row(through=10))
    (path,) = (folder / str(APP)).iterdir()
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"room":7}',
        b'{"room":[5,10]}',
        b'{"room":{"recall x":5}}',
        b'{"room":{"recall x":[5]}}',
        b'{"room":{"recall x":[5,10,1]}}',
        b'{"room":{"recall x":["5",10]}}',
        b'{"room":{"recall x":[5,-1]}}',
        b'{"room":{"recall x":[5,true]}}',
        b'{"room":{"recall x":[5,1e3]}}',
        b'{"room":{"recall x":{"a":1,"b":2}}}',
        b'{"elsewhere":null}',
    ],
)
def test_a_file_that_is_broken_is_named_and_neither_believed_nor_overwritten(tmp_path, content):
    path = stored_file(tmp_path)
    path.write_bytes(content)

    with pytest.raises(ValueError, match=f"state_path: {path.name}.*without this file the next run starts afresh"):
        through(tmp_path)
    with pytest.raises(ValueError, match=f"state_path: {path.name}"):
        record(tmp_path, row(through=20))
    assert path.read_bytes() == content

    path.unlink()
    assert through(tmp_path) == 0


def test_a_file_that_is_too_long_is_refused(tmp_path, monkeypatch):
    path = stored_file(tmp_path)
    monkeypatch.setattr("airflow_provider_tencentim.retention.state._LONGEST", 10)

    with pytest.raises(ValueError, match=f"state_path: {path.name} is longer than 10 bytes"):
        through(tmp_path)


def test_a_state_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        record(tmp_path / "file", row(through=10))


@pytest.mark.parametrize("bucket", [0, 1, 2, 255])
def test_a_group_of_any_bucket_is_read_anew_after_a_save(tmp_path, bucket):
    group = next(name for name in map("room-{}".format, range(10_000)) if bucket_of(name) == bucket)
    record(tmp_path, row(group, through=10))
    state = State(tmp_path, APP, policy())

    assert state.through(group, 5) == 10
    state.record(row(group, through=20, lower=10))
    state.save()
    record(tmp_path, row(group, through=30, lower=20))
    assert state.through(group, 5) == 30


def test_a_group_without_a_creation_time_is_kept_under_zero(tmp_path):
    record(tmp_path, row(through=10, created=None))

    assert through(tmp_path, created=0) == 10
    assert through(tmp_path, created=1) == 0
