"""What the retention operators read before they begin."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.operators import retention_inputs
from airflow_provider_tencentim.operators.retention_inputs import (
    read_holds_of,
    read_policy_argument,
    reference_of,
    run_of,
)

POLICY = {"action": "recall", "older_than": "P30D", "groups": ["room"]}


def test_a_mapping_is_the_policy():
    assert read_policy_argument(POLICY) is POLICY


@pytest.mark.parametrize(
    "text", [json.dumps(POLICY), f" \n{json.dumps(POLICY)}\n", repr(POLICY)], ids=["json", "blanks", "repr"]
)
def test_a_mapping_may_have_been_rendered_to_text(text):
    assert read_policy_argument(text) == POLICY


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("policy.json", json.dumps(POLICY)),
        ("policy.json", "\ufeff" + json.dumps(POLICY)),
        ("policy.yaml", "# nights\naction: recall\nolder_than: P30D\ngroups: [room]\n"),
        ("policy.yml", "\ufeffaction: recall\nolder_than: P30D\ngroups: [room]\n"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_policy_may_be_a_file(tmp_path, name, text, scheme):
    (tmp_path / name).write_bytes(text.encode())
    assert read_policy_argument(f"{scheme}{tmp_path}/{name}") == POLICY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{oops", "^policy begins like a mapping and is none$"),
        ("{1, 2}", "^policy begins like a mapping and is none$"),
        ("{'action': recall}", "^policy begins like a mapping and is none$"),
        ("{" * 100_000, "policy"),
        ('{"groups": ["r"], "groups": ["*"]}', "policy.json: the key 'groups' comes twice"),
        ('{"keep_last": NaN}', "policy.json"),
    ],
    ids=lambda value: value[:40],
)
def test_text_that_is_no_mapping_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        read_policy_argument(text)


@pytest.mark.parametrize("policy", [7, None, ["action"], b"{}", ""], ids=repr)
def test_what_is_neither_a_mapping_nor_a_path_is_named(policy):
    with pytest.raises(ValueError, match=r"^policy "):
        read_policy_argument(policy)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.yaml", None, "^policy cannot be read: .*missing.yaml"),
        ("latin.yaml", b"action: recall # \xe9\n", "^policy cannot be read: .*utf-8"),
        ("broken.yaml", b"action: [recall\n", "broken.yaml"),
        ("list.yaml", b"- action: recall\n", "list.yaml"),
        ("policy.txt", b"recall", "policy.txt"),
        ("a\x00b", None, "^policy cannot be read"),
    ],
)
def test_a_file_that_is_no_policy_is_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_policy_argument(f"{tmp_path}/{name}")


def test_a_folder_is_no_policy(tmp_path):
    with pytest.raises(ValueError, match="policy cannot be read"):
        read_policy_argument(str(tmp_path))


@pytest.mark.parametrize("more", [0, 1])
def test_a_policy_is_read_up_to_a_mebibyte(tmp_path, monkeypatch, more):
    text = json.dumps(POLICY)
    monkeypatch.setattr(retention_inputs, "_LONGEST_POLICY", len(text))
    (tmp_path / "policy.json").write_text(text + " " * more)
    if more:
        with pytest.raises(ValueError, match=r"policy cannot be read: policy\.json is longer than"):
            read_policy_argument(f"{tmp_path}/policy.json")
    else:
        assert read_policy_argument(f"{tmp_path}/policy.json") == POLICY


def day(number):
    return datetime(2026, 9, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("context", "moment"),
    [
        ({"data_interval_end": day(3), "logical_date": day(2)}, day(3)),
        ({"data_interval_end": None, "logical_date": day(2), "dag_run": SimpleNamespace(run_after=day(1))}, day(2)),
        ({"logical_date": day(2)}, day(2)),
        ({"logical_date": None, "dag_run": SimpleNamespace(run_after=day(1))}, day(1)),
        ({"dag_run": SimpleNamespace(run_after=day(1))}, day(1)),
    ],
)
def test_ages_count_back_from_the_run(context, moment):
    assert reference_of(context) == moment


@pytest.mark.parametrize("context", [{}, {"dag_run": None}, {"dag_run": SimpleNamespace()}], ids=repr)
def test_a_run_without_a_date_is_never_now(context):
    with pytest.raises(ValueError, match=r"^the run has neither a data interval nor a date: give the policy 'before'"):
        reference_of(context)


def test_a_plan_names_the_task_that_made_it():
    instance = SimpleNamespace(dag_id="clean", task_id="plan", run_id="manual", map_index=3, try_number=2)
    assert run_of({"ti": instance}) == {"dag_id": "clean", "task_id": "plan", "run_id": "manual", "map_index": "3"}
    assert run_of({"ti": SimpleNamespace(dag_id="clean")}) == {
        "dag_id": "clean",
        "task_id": "",
        "run_id": "",
        "map_index": "",
    }


def test_holds_are_those_of_all_files(tmp_path):
    (tmp_path / "one.txt").write_text("a\n")
    (tmp_path / "two.txt").write_text("b*\n")

    holds = read_holds_of(f"{tmp_path}/one.txt", None, f"file://{tmp_path}/two.txt")

    assert [holds.matches(name) for name in ("a", "bc", "c")] == [True, True, False]
    assert read_holds_of(None, f"{tmp_path}/one.txt").matches("a")


def test_no_file_of_holds_is_not_an_empty_one():
    assert read_holds_of() is None
    assert read_holds_of(None, None) is None


@pytest.mark.parametrize("path", [7, "", ["holds.txt"]], ids=repr)
def test_what_is_no_path_of_holds_is_named(path):
    with pytest.raises(ValueError, match=r"^hold_path "):
        read_holds_of(path)


def test_holds_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "one.txt").write_text("a\n")
    with pytest.raises(ValueError, match=r"holds in .*missing\.txt"):
        read_holds_of(f"{tmp_path}/one.txt", f"{tmp_path}/missing.txt")
