"""Plan, and carry out, as real task instances: what is touched, what is told, and what is left alone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import Asset
from retention_runs import (
    CLEAR,
    PLANNED,
    POLICY,
    RECALL,
    REDACT,
    at,
    check_counts,
    cleared_through,
    days_ago,
    fill,
    held,
    moment,
    overwritten,
    plan_and_apply,
    recalled,
    writes,
)

from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    GroupRetentionOperator,
    PlanGroupRetentionOperator,
    shards,
)

SKIPPED = {"no_history": 1, "empty": 1, "nothing_older": 1, "excluded": 1, "held": 1, "not_found": 1}


def events(source: str) -> list[tuple[str, dict, list[str]]]:
    """Return the asset events of a DAG: URI, extra and the aliases through which they came."""
    from airflow.utils.session import create_session

    try:
        from airflow.models.asset import AssetEvent, AssetModel
    except ImportError:  # Airflow before 3
        from airflow.models.dataset import DatasetEvent as AssetEvent
        from airflow.models.dataset import DatasetModel as AssetModel
    with create_session() as session:
        uris = {asset.id: asset.uri for asset in session.query(AssetModel)}
        return [
            (
                uris[getattr(event, "asset_id", None) or event.dataset_id],
                dict(event.extra),
                [alias.name for alias in event.source_aliases],
            )
            for event in session.query(AssetEvent).filter_by(source_dag_id=source)
        ]


def make_assets_known(dag) -> None:
    """Airflow before 3 stores only events of assets that it knows from the files of DAGs."""
    if hasattr(dag, "bulk_write_to_db"):
        dag.bulk_write_to_db([dag])


def attach_memory() -> None:
    """Have Airflow know a storage that is not on disk."""
    import fsspec

    try:
        from airflow.sdk.io import attach
    except ImportError:  # Airflow before 3
        from airflow.io.store import attach
    attach("memory", fs=fsspec.filesystem("memory"))


def test_a_plan_is_made_without_a_write_and_carried_out_as_it_is(emulator, make_dag, run_dag, tmp_path):
    fill(emulator, "room1")
    fill(emulator, "room2", [45, 5])
    fill(emulator, "room-of-today", [3, 1])
    fill(emulator, "room-empty", [])
    fill(emulator, "room-live", [], type="AVChatRoom")
    fill(emulator, "room-vip")
    fill(emulator, "room-law")
    fill(emulator, "elsewhere")
    (tmp_path / "holds.txt").write_text("room-law\n")
    policy = {
        **POLICY,
        "groups": ["room*", "gone"],
        "exclude_groups": ["*-vip"],
        "hold_path": f"file://{tmp_path}/holds.txt",
    }
    sent = []
    with make_dag() as dag:
        applying = plan_and_apply(
            policy,
            tmp_path,
            apply={
                "hold_path": f"{tmp_path}/holds.txt",
                "report_path": f"{tmp_path}/report",
                "archive_to": f"{tmp_path}/archive",
                "pre_execute": lambda _: sent.append(writes(emulator)),
                "outlets": [Asset("x-chat://rooms")],
            },
        )

    make_assets_known(dag)
    run = run_dag(dag)

    assert run.state == "success"
    assert sent == [{}]
    planned, applied = run.results["plan"], run.results["apply"]
    assert set(planned) == PLANNED
    assert planned["plan"] == f"{tmp_path}/plan"
    assert (planned["action"], planned["groups"], planned["messages"]) == ("recall", 2, 4)
    assert planned["listed"] == 9  # all eight that there are, and the one that the policy spells out
    assert planned["skipped"] == SKIPPED
    assert planned["incremental"] is False
    assert datetime.fromisoformat(planned["cut_off"]).timestamp() == pytest.approx(days_ago(30), abs=60)
    check_counts(applied)
    assert applied | {"calls": 0} == {
        "plan": planned["plan"],
        "digest": planned["digest"],
        "report": f"{tmp_path}/report/{planned['digest'][:16]}",
        "archive": f"{tmp_path}/archive/{planned['digest'][:16]}",
        "incremental": False,
        "groups": 2,
        "failed_groups": 0,
        "skipped": SKIPPED,
        "requested": 4,
        "done": 4,
        "already": 0,
        "missing": 0,
        "failed": 0,
        "calls": 0,
    }
    assert (recalled(emulator, "room1"), recalled(emulator, "room2")) == ({1, 2, 3}, {1})
    for group in ("room-of-today", "room-vip", "room-law", "elsewhere"):
        assert recalled(emulator, group) == set()
    assert writes(emulator) == {RECALL: 2}

    # What waits for it is told, at the alias and at the asset that the author named.
    assert sorted(events(dag.dag_id)) == [
        ("tencentim://1400000000/retention", applied, ["tencentim_retention"]),
        ("x-chat://rooms", applied, []),
    ]
    assert [outlet.name for outlet in applying.outlets if not isinstance(outlet, Asset)] == ["tencentim_retention"]


def test_every_action_takes_the_older_messages_and_no_others(emulator, make_dag, run_dag, tmp_path):
    for action in ("clear", "recall", "redact", "both"):
        fill(emulator, action)
    policy = {
        "action": "redact",
        "before": moment(30).isoformat(),
        "groups": ["clear", "recall", "redact", "both"],
        "replacement": "removed",
        "overrides": [
            {"groups": ["clear"], "action": "clear"},
            {"groups": ["recall"], "action": "recall"},
            {"groups": ["both"], "action": "redact_and_recall"},
        ],
    }
    with make_dag() as dag:
        plan_and_apply(policy, tmp_path)

    run = run_dag(dag)

    check_counts(run.results["apply"])
    assert run.results["apply"]["done"] == run.results["plan"]["messages"] == 12
    assert cleared_through(emulator, "clear") == 3
    assert recalled(emulator, "recall") == recalled(emulator, "both") == {1, 2, 3}
    assert overwritten(emulator, "redact") == {1, 2, 3}
    assert held(emulator, "redact")[2]["MsgBody"][0]["MsgContent"]["Text"] == "removed"
    assert writes(emulator) == {CLEAR: 1, RECALL: 2, REDACT: 6}
    for group, untouched in {"clear": {1, 2, 3, 4, 5}, "redact": {4, 5}, "recall": {4, 5}, "both": {4, 5}}.items():
        there = held(emulator, group)
        assert {seq for seq, one in there.items() if one["state"] == "normal" and not one["modified"]} == untouched
    for group in ("recall", "redact", "both"):
        assert cleared_through(emulator, group) == 0


def test_results_stay_small_however_many_groups_there_are(emulator, make_dag, run_dag, tmp_path):
    kinds = ("Public", "Private", "ChatRoom", "AVChatRoom")
    for number in range(3000):
        ages = [] if number % 7 == 0 else [40, 5] if number % 5 == 2 else [5]
        fill(emulator, f"{'g' * 40}-{number:04}", ages, type=kinds[number % 4])
    folder = tmp_path / ("a" * 200) / ("b" * 200) / ("c" * 200)
    (tmp_path / "holds.txt").write_text("*99\n")
    policy = {
        **POLICY,
        "action": "clear",
        "groups": ["g*", *(f"gone{number}" for number in range(50))],
        "group_types": ["Public", "ChatRoom", "AVChatRoom"],
        "exclude_groups": ["*7"],
        "hold_path": f"{tmp_path}/holds.txt",
    }
    with make_dag() as dag:
        plan_and_apply(
            policy,
            folder,
            apply={
                "hold_path": f"{tmp_path}/holds.txt",
                "report_path": f"{folder}/report",
                "archive_to": f"{folder}/archive",
            },
        )

    run = run_dag(dag)

    assert run.state == "success"
    planned, applied = run.results["plan"], run.results["apply"]
    assert len(planned["skipped"]) >= 6
    assert planned["groups"] > 100
    assert planned["groups"] + sum(planned["skipped"].values()) == planned["listed"] == 2300
    assert len(json.dumps(planned)) < 4096
    check_counts(applied)
    assert applied["done"] == applied["requested"] == planned["messages"]


@pytest.mark.parametrize("with_plan_path", [True, False], ids=["plan_path", "no_plan_path"])
def test_one_task_plans_and_carries_out(emulator, make_dag, run_dag, tmp_path, with_plan_path):
    fill(emulator, "room1")
    fill(emulator, "room2")
    (tmp_path / "holds.txt").write_text("room2\n")
    common = {"policy": {**POLICY, "groups": ["room1", "room2"]}, "hold_path": f"{tmp_path}/holds.txt"}
    common |= {"plan_path": f"{tmp_path}/plan"} if with_plan_path else {}
    sent = []
    with make_dag() as dag:
        dry = GroupRetentionOperator(task_id="dry", dry_run="{{ 1 == 1 }}", **common)
        wet = GroupRetentionOperator(
            task_id="wet", dry_run="{{ 1 == 2 }}", pre_execute=lambda _: sent.append(writes(emulator)), **common
        )
        again = GroupRetentionOperator(task_id="again", **common)
        dry >> wet >> again

    run = run_dag(dag)

    assert run.state == "success"
    assert sent == [{}]
    assert set(run.results["dry"]) == {*PLANNED, "dry_run"}
    assert run.results["dry"]["dry_run"] is True
    assert (run.results["dry"]["groups"], run.results["dry"]["messages"]) == (1, 3)
    for task in ("wet", "again"):
        check_counts(run.results[task])
        assert run.results[task]["skipped"]["held"] == 1
    assert run.results["wet"]["done"] == 3
    # Without a state each run is complete in itself: what is recalled already is not planned again.
    assert run.results["again"]["requested"] == 0
    assert recalled(emulator, "room1") == {1, 2, 3}
    assert recalled(emulator, "room2") == set()
    assert writes(emulator) == {RECALL: 1}
    assert (tmp_path / "plan" / "header.json").exists() is with_plan_path
    # One event for each that carried something out, none for the dry run.
    assert sorted(extra["done"] for _, extra, _ in events(dag.dag_id)) == [0, 3]


def test_a_policy_may_be_a_mapping_text_or_a_file_on_any_storage(emulator, make_dag, run_dag, tmp_path):
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    attach_memory()
    fill(emulator, "room1")
    text = json.dumps({**POLICY, "older_than": None})
    given = {**POLICY, "groups": ["room1"], "text_matches": [r"\d+\s*$", "it's"]}
    (tmp_path / "policy.yaml").write_text(
        "# nights\naction: recall\nolder_than: P30D\ngroups: [room1]\ntext_matches: ['\\d+\\s*$', it's]\n"
    )
    (tmp_path / "policy.json").write_text("\ufeff" + json.dumps(given))
    ObjectStoragePath("memory://policies/policy.YML").write_text(json.dumps(given))
    policies = {
        "mapping": {**given, "groups": "{{ params.groups }}"},
        "native": "{{ params.policy }}",
        "json": "{{ params.policy | tojson }}",
        "text": "  " + json.dumps(given),
        "yaml_file": "{{ params.folder }}/policy.yaml",
        "json_file": f"file://{tmp_path}/policy.json",
        "memory_file": "memory://policies/policy.YML",
        "nothing_in_text": text,
    }
    with make_dag(params={"folder": str(tmp_path), "groups": ["room1"], "policy": given}) as dag:
        for name, policy in policies.items():
            PlanGroupRetentionOperator(task_id=name, policy=policy, plan_path=f"{tmp_path}/{name}")

    run = run_dag(dag)

    assert run.tasks.pop("nothing_in_text") == "failed"
    assert "older_than" in str(run.errors["nothing_in_text"])
    assert list(run.errors) == ["nothing_in_text"]
    headers = [json.loads((tmp_path / name / "header.json").read_bytes()) for name in run.tasks]
    assert len(headers) == 7
    for header in headers:
        assert header["policy"]["text_matches"] == given["text_matches"]
        assert header["policy"] == headers[0]["policy"]
        assert header["messages"] == 3
    assert writes(emulator) == {}


def test_plan_report_archive_and_state_may_be_on_any_storage(emulator, make_dag, run_dag):
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    attach_memory()
    fill(emulator, "room1")
    ObjectStoragePath("memory://holds/holds.txt").write_text("none\n")
    with make_dag() as dag:
        plan_and_apply(
            POLICY,
            "memory://sweep",
            plan={"state_path": "memory://sweep/state"},
            apply={name: f"memory://sweep/{name}" for name in ("archive_to", "report_path")}
            | {"state_path": "memory://sweep/state", "hold_path": "memory://holds/holds.txt"},
        )

    run = run_dag(dag)

    assert run.state == "success"
    assert run.results["apply"]["done"] == 3
    report = ObjectStoragePath(run.results["apply"]["report"])
    assert json.loads((report / "summary.json").read_bytes())["status"] == "done"
    assert (ObjectStoragePath(run.results["apply"]["archive"]) / "00000001.gz").exists()


def test_ages_count_back_from_the_run_and_two_runs_mean_the_same_messages(emulator, make_dag, run_dag, tmp_path):
    fill(emulator, "room1", [400, 380, 365.5, 364.5, 300, 5])
    reference = moment(335)
    tasks = {
        "age": {"older_than": "P30D"},
        "naive": {"before": (reference - timedelta(days=30)).replace(tzinfo=None)},
        "text": {"before": (reference - timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S")},
        "macro": {"before": "{{ data_interval_end.subtract(days=30) }}"},
    }
    plans = []
    for number in range(2):
        with make_dag() as dag:
            for name, cut_off in tasks.items():
                policy = {"action": "recall", "groups": ["room1"], **cut_off}
                PlanGroupRetentionOperator(task_id=name, policy=policy, plan_path=f"{tmp_path}/{number}/{name}")

        run = run_dag(at(dag, reference))

        assert run.state == "success"
        plans.append({name: (run.results[name]["cut_off"], run.results[name]["messages"]) for name in tasks})
        emulator.add_group_message("room1", "came later")
    assert plans[0] == plans[1]
    assert set(plans[0].values()) == {((reference - timedelta(days=30)).isoformat(), 3)}


def test_parts_of_a_sweep_are_planned_and_carried_out_side_by_side(emulator, make_dag, run_dag, tmp_path):
    groups = {f"room{number}" for number in range(12)}
    for group in groups:
        fill(emulator, group)
    with make_dag() as dag:
        plans = PlanGroupRetentionOperator.partial(task_id="plan", policy=POLICY, plan_path=f"{tmp_path}/plan").expand(
            shard=shards(3)
        )
        ApplyRetentionPlanOperator.partial(task_id="apply", outlets=[Asset("x-chat://parts")]).expand_kwargs(
            plans.output.map(lambda plan: {"plan_path": plan["plan"], "plan_digest": plan["digest"]})
        )

    make_assets_known(dag)
    run = run_dag(dag)

    assert set(run.tasks.values()) == {"success"}
    assert len(run.tasks) == 6
    planned = [
        [json.loads(line)["group"] for part in folder.glob("rows-*") for line in part.read_text().splitlines()]
        for folder in sorted(tmp_path.glob("plan/shard-*-of-003"))
    ]
    assert len(planned) == 3
    assert sorted(group for part in planned for group in part) == sorted(groups)  # none twice, none left out
    assert sum(run.results[f"apply[{number}]"]["done"] for number in range(3)) == 36
    assert all(recalled(emulator, group) == {1, 2, 3} for group in groups)
    assert writes(emulator) == {RECALL: 12}
    told = events(dag.dag_id)
    assert sorted(uri for uri, _, _ in told) == ["tencentim://1400000000/retention"] * 3 + ["x-chat://parts"] * 3
    assert sum(extra["done"] for uri, extra, _ in told if uri.startswith("x-chat")) == 36


def test_a_connection_that_only_reads_plans_and_cannot_carry_out(emulator, make_dag, run_dag, tmp_path, monkeypatch):
    fill(emulator, "room1")
    monkeypatch.setenv("AIRFLOW_CONN_READER", f"{emulator.connection_uri}?allowed_commands=read")
    reader = {"tencentim_conn_id": "reader"}
    policy = {**POLICY, "groups": ["room1"]}
    with make_dag(default_args={"retries": 2, "retry_delay": timedelta(0)}) as dag:
        plan_and_apply(policy, tmp_path, plan=reader, apply=reader)
        GroupRetentionOperator(task_id="one", policy=policy, **reader)
        GroupRetentionOperator(task_id="dry", policy=policy, dry_run=True, **reader)

    run = run_dag(dag)

    assert run.tasks == {"plan": "success", "apply": "failed", "one": "failed", "dry": "success"}
    assert (run.tries["apply"], run.tries["one"]) == (1, 1)
    for task in ("apply", "one"):
        assert type(run.errors[task]).__name__ == "AirflowFailException"
        assert RECALL in str(run.errors[task])
        check_counts(run.results[task])
        assert run.results[task]["failed"] == run.results[task]["requested"] == 3
    assert writes(emulator) == {}
    assert events(dag.dag_id) == []
