"""Retention fails closed: what came to nothing, or is not what it was, is named before any message is touched."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from retention_runs import POLICY, fill, recalled, writes

from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    C2CRetentionOperator,
    GroupRetentionOperator,
    PlanC2CRetentionOperator,
    PlanGroupRetentionOperator,
)

NOTHING = ["", " \n", "None", None, [], "[]", "null", {}]

# For every key a policy that needs it; the value is what the template has to render.
GROUP_KEYS: dict[str, dict[str, Any]] = {
    "action": POLICY,
    "older_than": POLICY,
    "groups": POLICY,
    "before": {"action": "recall", "groups": ["room1"]},
    "all_groups": {"action": "recall", "older_than": "P30D"},
    **dict.fromkeys(
        ("group_types", "exclude_groups", "hold_path", "keep_last", "from_accounts", "text_matches", "overrides"),
        POLICY,
    ),
    "allow_recent": POLICY,
    "replacement": {**POLICY, "action": "redact"},
}
C2C_POLICY = {"action": "recall", "older_than": "P30D", "pairs": [["ann", "bob"]]}
C2C_KEYS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("action", "older_than", "pairs", "exclude_accounts", "hold_path", "keep_last"), C2C_POLICY),
    "accounts": {"action": "recall", "older_than": "P30D"},
    **dict.fromkeys(("from_accounts", "text_matches", "allow_recent"), C2C_POLICY),
    "before": {"action": "recall", "pairs": [["ann", "bob"]]},
    "replacement": {**C2C_POLICY, "action": "redact"},
}
KEYS = [
    pytest.param(operator, key, policy | {key: "{{ nothing }}"}, id=f"{operator.__name__}-{key}")
    for operators, keys in (
        ((PlanGroupRetentionOperator, GroupRetentionOperator), GROUP_KEYS),
        ((PlanC2CRetentionOperator, C2CRetentionOperator), C2C_KEYS),
    )
    for operator in operators
    for key, policy in keys.items()
]
NESTED = [
    pytest.param(key, value, id=f"{key}-{number}")
    for number, (key, value) in enumerate(
        [
            ("groups", ["room1", "{{ nothing }}"]),
            ("exclude_groups", ["room1", "{{ nothing }}"]),
            ("from_accounts", ["{{ nothing }}"]),
            ("text_matches", ["x", "{{ nothing }}"]),
            ("override 1: groups", [{"groups": ["{{ nothing }}"], "action": "recall"}]),
            ("override 1: keep_last", [{"groups": ["room1"], "keep_last": "{{ nothing }}"}]),
        ]
    )
]
ARGUMENTS = {
    PlanGroupRetentionOperator: {
        "policy": POLICY,
        "plan_path": "memory://p",
        "state_path": "memory://s",
        "shard": "1/2",
    },
    PlanC2CRetentionOperator: {"policy": C2C_POLICY, "plan_path": "memory://p", "shard": "1/2"},
    ApplyRetentionPlanOperator: {
        "plan_path": "memory://p",
        "plan_digest": "0" * 64,
        "hold_path": "memory://h",
        "archive_to": "memory://a",
        "report_path": "memory://r",
        "state_path": "memory://s",
        "max_messages": 1,
        "max_groups": 1,
        "max_plan_age": "P1D",
        "fail_on_group_error": True,
    },
}
ONE_TASK = {name: value for name, value in ARGUMENTS[ApplyRetentionPlanOperator].items() if name != "plan_digest"}
ARGUMENTS[GroupRetentionOperator] = {"policy": POLICY, "dry_run": False, "shard": "1/2", **ONE_TASK}
ARGUMENTS[C2CRetentionOperator] = {
    name: value for name, value in ARGUMENTS[GroupRetentionOperator].items() if name != "state_path"
} | {"policy": C2C_POLICY}


@pytest.fixture
def quiet(caplog):
    caplog.set_level(logging.CRITICAL)


def context(**more: Any) -> Any:
    return {"logical_date": datetime.now(UTC), "ti": SimpleNamespace(), **more}


def construct(operator: type, native: bool = False, **arguments: Any) -> Any:
    with DAG("retention_refusals", schedule=None, render_template_as_native_obj=native):
        return operator(task_id="task", **arguments)


@pytest.fixture
def files(tmp_path):
    """Files that are not what they should be."""
    for name, content in {
        "empty.txt": b"",
        "blank.txt": b"\n \n",
        "latin.txt": b"r\xe9union\n",
        "wide.txt": "réunion\n".encode(),
        "holds.txt": b"some-group\n",
        "broken.yaml": b"action: [recall\n",
        "list.yaml": b"- action: recall\n",
        "twice.yaml": b"action: recall\nolder_than: P30D\ngroups: [room1]\ngroups: ['*']\n",
        "twice.json": b'{"action": "recall", "older_than": "P30D", "groups": ["room1"], "groups": ["*"]}',
        "latin.yaml": b"action: recall # \xe9\n",
        "empty.yaml": b"",
        "key.yaml": b"action: recall\nolder_than: P30D\ngroups: [room1]\nexclude_groups:\n",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize(("operator", "key", "policy"), KEYS)
def test_a_key_that_renders_to_nothing_is_named_and_nothing_is_sent(
    emulator, quiet, tmp_path, operator, key, policy, native
):
    for value in NOTHING:
        if value == {} and not native:
            continue  # "{}" is a text like any other
        task = construct(operator, native, policy=policy, plan_path=f"{tmp_path}/plan")
        task.render_template_fields({"nothing": value})

        with pytest.raises(AirflowFailException, match=key):
            task.execute(context())

    assert emulator.stats()["calls"] == {}


@pytest.mark.parametrize(("key", "value"), NESTED)
def test_a_part_of_a_key_that_renders_to_nothing_is_named(emulator, quiet, key, value):
    name = "overrides" if key.startswith("override") else key
    for nothing in NOTHING[:-1]:
        task = construct(GroupRetentionOperator, policy=POLICY | {name: value})
        task.render_template_fields({"nothing": nothing})
        with pytest.raises(AirflowFailException, match=key):
            task.execute(context())

    assert emulator.stats()["calls"] == {}


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        pytest.param(operator, name, id=f"{operator.__name__}-{name}")
        for operator, arguments in ARGUMENTS.items()
        for name in (*arguments, "tencentim_conn_id")
    ],
)
def test_an_argument_that_renders_to_nothing_is_named_and_nothing_is_sent(emulator, quiet, tmp_path, operator, name):
    (tmp_path / "holds.txt").write_text("some-group\n")
    given = {
        key: str(value).replace("memory://h", f"{tmp_path}/holds.txt").replace("memory://", f"{tmp_path}/")
        if isinstance(value, str)
        else value
        for key, value in ARGUMENTS[operator].items()
    }
    for native in (False, True):
        for value in NOTHING[:-1]:
            task = construct(operator, native, **given | {name: "{{ nothing }}"})
            task.render_template_fields({"nothing": value})
            with pytest.raises(AirflowFailException, match=name):
                task.execute(context())

    assert emulator.stats()["calls"] == {}


WRONG_POLICIES = {
    "misspelt": (POLICY | {"exclude_group": ["room1"]}, "did you mean exclude_groups"),
    "misspelt_in_override": (POLICY | {"overrides": [{"groups": ["room1"], "keeplast": 3}]}, "override 1.*keep_last"),
    "no_cut_off": ({"action": "recall", "groups": ["room1"]}, "older_than"),
    "no_groups": ({"action": "recall", "older_than": "P30D"}, "groups"),
    "both": (POLICY | {"all_groups": True}, "all_groups"),
    "future": ({"action": "recall", "groups": ["room1"], "before": "2999-01-01"}, "future"),
    "recent": (POLICY | {"older_than": "PT23H"}, "allow_recent"),
    "recent_in_override": (POLICY | {"overrides": [{"groups": ["room1"], "older_than": "PT1H"}]}, "allow_recent"),
    "no_mapping": ("{oops", "policy"),
    "twice_in_text": ('{"action": "recall", "older_than": "P30D", "groups": ["r"], "groups": ["*"]}', "policy.*twice"),
    "missing": ("{{ params.folder }}/missing.yaml", "policy cannot be read"),
    "broken": ("{{ params.folder }}/broken.yaml", "broken.yaml"),
    "list": ("{{ params.folder }}/list.yaml", "list.yaml"),
    "twice": ("{{ params.folder }}/twice.yaml", "'groups' comes twice"),
    "twice_json": ("{{ params.folder }}/twice.json", "'groups' comes twice"),
    "latin": ("{{ params.folder }}/latin.yaml", "policy cannot be read"),
    "empty": ("{{ params.folder }}/empty.yaml", "empty.yaml"),
    "empty_key": ("{{ params.folder }}/key.yaml", "exclude_groups"),
    "folder": ("{{ params.folder }}", "policy cannot be read"),
    "hold_missing": (POLICY | {"hold_path": "{{ params.folder }}/missing.txt"}, "holds in .*missing.txt"),
    "hold_empty": (POLICY | {"hold_path": "{{ params.folder }}/empty.txt"}, "holds in .*empty.txt"),
    "hold_blank": (POLICY | {"hold_path": "{{ params.folder }}/blank.txt"}, "holds in .*blank.txt"),
    "hold_latin": (POLICY | {"hold_path": "{{ params.folder }}/latin.txt"}, "holds in .*latin.txt"),
    "hold_wide": (POLICY | {"hold_path": "{{ params.folder }}/wide.txt"}, "holds in .*wide.txt"),
    "hold_folder": (POLICY | {"hold_path": "{{ params.folder }}"}, "holds in"),
    **{
        f"nothing_{key}": (
            policy | {key: "{{ ti.xcom_pull(task_ids='future') }}" if number % 2 else "{{ params.nothing }}"},
            key,
        )
        for number, (key, policy) in enumerate(GROUP_KEYS.items())
    },
}


def test_real_tasks_fail_at_once_without_a_retry_for_a_policy_that_says_too_little(emulator, make_dag, run_dag, files):
    fill(emulator, "room1")
    retrying = {"retries": 2, "retry_delay": timedelta(0)}
    with make_dag(params={"folder": str(files), "nothing": ""}, default_args=retrying) as dag:
        for name, (policy, _) in WRONG_POLICIES.items():
            GroupRetentionOperator(task_id=name, policy=policy)
        for name, shard in {"zeroth": "0/3", "beyond": "4/3", "many": "1/257", "words": "all"}.items():
            GroupRetentionOperator(task_id=f"shard_{name}", policy=POLICY, shard=shard)
        for name in ("max_messages", "max_groups"):
            GroupRetentionOperator(task_id=name, policy={**POLICY, "groups": ["room1"]}, **{name: 0})
        # What a mapping names counts as given, even if it is None.
        GroupRetentionOperator.partial(task_id="mapped", policy=POLICY).expand_kwargs([{"hold_path": None}])
        (files / "state" / "1400000000").mkdir(parents=True)
        for number in range(256):
            (files / "state" / "1400000000" / f"{number:02x}.json").write_text("[]")
        GroupRetentionOperator(task_id="state", policy={**POLICY, "groups": ["room1"]}, state_path=f"{files}/state")

    run = run_dag(dag)

    assert set(run.tasks.values()) == {"failed"}
    assert set(run.tries.values()) == {1}
    expected = {name: message for name, (_, message) in WRONG_POLICIES.items()}
    expected |= dict.fromkeys(("shard_zeroth", "shard_beyond", "shard_many", "shard_words"), "shard")
    expected |= {"max_messages": "max_messages", "max_groups": "max_groups"}
    expected |= {"mapped[0]": "hold_path", "state": "state_path"}
    for name, message in expected.items():
        assert type(run.errors[name]).__name__ == "AirflowFailException", name
        with pytest.raises(AirflowFailException, match=message):
            raise run.errors[name]
    assert len(run.errors) == len(expected)
    assert writes(emulator) == {}


def test_a_plan_that_is_not_what_it_was_or_not_for_now_is_refused(emulator, make_dag, run_dag, files, monkeypatch):
    fill(emulator, "room1")
    fill(emulator, "room2")
    policy = {**POLICY, "groups": ["room1", "room2"]}
    with TencentIMEmulator() as elsewhere, TencentIMEmulator(sdkappid=1400000001) as another:
        monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", elsewhere.connection_uri)
        monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", another.connection_uri)
        for one in (elsewhere, another):
            fill(one, "room1")
        with make_dag() as dag:
            for name in ("good", "changed", "short", "gone", "long", "unfinished"):
                PlanGroupRetentionOperator(task_id=name, policy=policy, plan_path=f"{files}/{name}")
            PlanGroupRetentionOperator(task_id="smaller", policy=POLICY | {"groups": ["room1"]}, plan_path=f"{files}/s")
            for name in ("elsewhere", "another"):
                PlanGroupRetentionOperator(
                    task_id=name, policy=policy, plan_path=f"{files}/{name}", tencentim_conn_id=name
                )
            PlanGroupRetentionOperator(
                task_id="held", policy=policy | {"hold_path": f"{files}/holds.txt"}, plan_path=f"{files}/held"
            )
        plans = run_dag(dag).results
    rows = {name: next((files / name).glob("rows-*")) for name in ("changed", "short", "gone", "long")}
    rows["changed"].write_bytes(rows["changed"].read_bytes().replace(b"1-3", b"1-4", 1))
    rows["short"].write_bytes(rows["short"].read_bytes()[:-1])
    rows["gone"].unlink()
    rows["long"].write_bytes(rows["long"].read_bytes() + b"\n")
    (files / "unfinished" / "header.json").write_bytes(b"")
    time.sleep(1.1)

    def given(name: str, **more: Any) -> dict[str, Any]:
        return {"plan_path": plans[name]["plan"], "plan_digest": plans[name]["digest"], **more}

    good = given("good")
    header = json.loads((files / "good" / "header.json").read_bytes())
    refused = {
        "changed": (given("changed"), "rows-00000.jsonl is not that"),
        "short": (given("short"), "rows-00000.jsonl is not that"),
        "long": (given("long"), "rows-00000.jsonl is not that"),
        "gone": (given("gone"), "rows-00000.jsonl is missing"),
        "unfinished": (given("unfinished"), "plan_path"),
        "no_plan": (good | {"plan_path": f"{files}/nowhere"}, "plan_path"),
        "other_digest": (good | {"plan_digest": plans["smaller"]["digest"]}, "digest"),
        "no_digest": (good | {"plan_digest": "{{ ti.xcom_pull(task_ids='nobody') }}"}, "plan_digest"),
        "empty_digest": (good | {"plan_digest": "{{ params.nothing }}"}, "plan_digest"),
        "short_digest": (good | {"plan_digest": plans["good"]["digest"][:63]}, "plan_digest"),
        "empty_path": (good | {"plan_path": "{{ params.nothing }}"}, "plan_path"),
        "elsewhere": (given("elsewhere"), "made at http"),
        "another": (given("another"), "of app 1400000001"),
        "old": (good | {"max_plan_age": "PT1S"}, "max_plan_age"),
        "no_age": (good | {"max_plan_age": "soon"}, "max_plan_age"),
        "messages": (good | {"max_messages": "5"}, "max_messages is 5, and the plan has 6"),
        "groups": (good | {"max_groups": 1}, "max_groups is 1, and the plan has 2"),
        "no_holds": (given("held"), "hold_path"),
        "broken_holds": (good | {"hold_path": f"{files}/latin.txt"}, "holds in .*latin.txt"),
        "empty_holds": (good | {"hold_path": "{{ params.nothing }}"}, "hold_path"),
        "state": (good | {"state_path": "{{ params.nothing }}"}, "state_path"),
        "archive": (good | {"archive_to": "{{ params.nothing }}"}, "archive_to"),
        "flag": (good | {"fail_on_group_error": "perhaps"}, "fail_on_group_error"),
    }
    with make_dag(params={"nothing": ""}, default_args={"retries": 2, "retry_delay": timedelta(0)}) as dag:
        for name, (arguments, _) in refused.items():
            ApplyRetentionPlanOperator(task_id=name, **arguments)
    for path in (files / "good").iterdir():
        assert path.name in ("header.json", "rows-00000.jsonl")

    run = run_dag(dag)

    assert run.tasks == dict.fromkeys(refused, "failed")
    assert set(run.tries.values()) == {1}
    for name, (_, message) in refused.items():
        with pytest.raises(AirflowFailException, match=message):
            raise run.errors[name]
    assert writes(emulator) == {}
    assert recalled(emulator, "room1") == set()
    assert header["sdkappid"] == 1400000000

    # At last, that it was for none of the other reasons.
    with make_dag() as dag:
        ApplyRetentionPlanOperator(task_id="apply", **good, max_messages=6, max_groups=2)
    assert run_dag(dag).results["apply"]["done"] == 6


def test_a_run_without_a_date_has_to_name_the_cut_off(emulator, tmp_path):
    fill(emulator, "room1")
    task = construct(PlanGroupRetentionOperator, policy=POLICY, plan_path=f"{tmp_path}/plan")
    with pytest.raises(AirflowFailException, match="older_than"):
        task.execute({"ti": SimpleNamespace()})
    assert emulator.stats()["calls"] == {}
