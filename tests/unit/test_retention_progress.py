"""How far a sweep came: what comes back, and what counts as nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.client.seqs import SeqSet
from airflow_provider_tencentim.client.signature import SecretKey
from airflow_provider_tencentim.retention.files import to_json
from airflow_provider_tencentim.retention.outcome import COUNTS
from airflow_provider_tencentim.retention.progress import FileStore, Progress

DIGEST = "a" * 64
SEAL = SecretKey("key").seal
numbers = st.integers(0, 2**40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def seq_set(*numbers):
    seqs = SeqSet()
    for number in numbers:
        seqs.add(number, number)
    return seqs


def stored(**changes):
    progress = Progress(DIGEST, 7, seq_set(2, 3, 5), 1, 2, dict.fromkeys(COUNTS, 3), {"held": 1})
    return progress.to_dict() | changes


def assert_is_nothing(value, digest=DIGEST):
    progress = Progress.from_dict(digest, value)

    assert progress.to_dict() == Progress(digest).to_dict()
    assert (progress.next, len(progress.failed), progress.reports, progress.manifests) == (0, 0, 0, 0)


@settings(deadline=None)
@given(
    numbers,
    st.sets(st.integers(1, 1_000_000), max_size=50),
    numbers,
    numbers,
    st.fixed_dictionaries(dict.fromkeys(COUNTS, numbers)),
    st.dictionaries(st.text(max_size=9), numbers, max_size=4),
)
def test_progress_comes_back_from_json_as_it_was(following, failed, reports, manifests, totals, skipped):
    following = max([following, *failed])  # only rows that had their turn can have failed
    progress = Progress(DIGEST, following, seq_set(*failed), reports, manifests, totals, skipped)

    back = Progress.from_dict(DIGEST, json.loads(to_json(progress.to_dict())))

    assert back.to_dict() == progress.to_dict()
    assert (back.next, list(back.failed)) == (following, sorted(failed))
    assert (back.reports, back.manifests, back.totals, back.skipped) == (reports, manifests, totals, skipped)


def test_what_was_read_is_not_the_stored_object_itself():
    value = stored()
    progress = Progress.from_dict(DIGEST, value)
    progress.totals["done"] += 1
    progress.skipped["held"] += 1

    assert value == stored()


@given(json_values)
def test_garbage_is_nothing(value):
    assert_is_nothing(value)


@pytest.mark.parametrize("name", stored())
@given(value=json_values)
def test_garbage_in_any_field_is_nothing_or_fits(name, value):
    progress = Progress.from_dict(DIGEST, stored(**{name: value}))

    if progress.to_dict() != Progress(DIGEST).to_dict():
        # Only what a run could have stored as well.
        assert progress.to_dict() == stored(**{name: value})
        assert type(value) is type(stored()[name])


@pytest.mark.parametrize(
    "changes",
    [
        {"next": -1},
        {"next": "7"},
        {"next": True},
        {"next": 7.0},
        {"reports": None},
        {"manifests": -3},
        {"failed": "0"},
        {"failed": "5-1"},
        {"failed": "all"},
        {"failed": [1]},
        {"failed": None},
        {"totals": {}},
        {"totals": dict.fromkeys((*COUNTS, "more"), 1)},
        {"totals": dict.fromkeys(COUNTS, -1)},
        {"totals": dict.fromkeys(COUNTS, "1")},
        {"totals": list(COUNTS)},
        {"skipped": {"held": -1}},
        {"skipped": {"held": None}},
        {"skipped": []},
    ],
    ids=repr,
)
def test_what_no_run_stores_is_nothing(changes):
    assert_is_nothing(stored(**changes))


@pytest.mark.parametrize("name", stored())
def test_a_field_that_is_missing_makes_it_nothing(name):
    value = stored()
    del value[name]

    assert_is_nothing(value)


@pytest.mark.parametrize("digest", ["b" * 64, "", DIGEST[:-1], None, DIGEST.upper()])
def test_that_of_another_plan_is_nothing(digest):
    assert_is_nothing(stored(digest=digest))


def test_what_came_back_as_nothing_starts_from_zero_each_time():
    first, second = Progress.from_dict(DIGEST, None), Progress.from_dict(DIGEST, None)
    first.failed.add(1, 1)
    first.totals["done"] = 5

    assert len(second.failed) == 0
    assert second.totals["done"] == 0


# --- in a file ---


def test_a_file_keeps_it_until_it_is_cleared(tmp_path):
    store = FileStore(tmp_path / "folder" / "progress.json", SEAL)

    assert store.load() is None
    store.save(stored())
    assert FileStore(tmp_path / "folder" / "progress.json", SEAL).load() == stored()
    store.save(stored(next=8))
    assert store.load() == stored(next=8)
    store.clear()
    assert store.load() is None
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["progress.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"{}", b'{"a":1'])
def test_a_file_that_is_broken_is_nothing(tmp_path, content):
    (tmp_path / "progress.json").write_bytes(content)

    assert FileStore(tmp_path / "progress.json", SEAL).load() is None


def forged(content, **changes):
    """What was saved, changed by somebody who cannot seal it."""
    stored = json.loads(content)
    return to_json(stored | {"progress": stored["progress"] | changes})


@pytest.mark.parametrize(
    "forge",
    [
        lambda content: forged(content, next=1_000_000),
        lambda content: forged(content, failed=""),
        lambda content: to_json(json.loads(content)["progress"]),
        lambda content: to_json({"progress": json.loads(content)["progress"]}),
        lambda content: to_json(json.loads(content) | {"seal": None}),
        lambda content: to_json(json.loads(content) | {"seal": ""}),
        lambda content: content.replace(b'"seal":"', b'"seal":"\xc3\xa9'),
    ],
    ids=["next", "failed", "bare", "no seal", "seal is null", "seal is empty", "seal is no ASCII"],
)
def test_a_file_that_somebody_else_wrote_is_nothing(tmp_path, forge):
    path = tmp_path / "progress.json"
    FileStore(path, SEAL).save(stored())
    assert FileStore(path, SEAL).load() == stored()

    path.write_bytes(forge(path.read_bytes()))

    assert FileStore(path, SEAL).load() is None


def test_a_file_of_another_key_is_nothing(tmp_path):
    FileStore(tmp_path / "progress.json", SEAL).save(stored())

    assert FileStore(tmp_path / "progress.json", SecretKey("another key").seal).load() is None


def test_rows_that_failed_before_their_turn_are_nothing():
    assert_is_nothing(stored(next=4, failed="5"))
