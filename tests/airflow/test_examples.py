"""The examples that users copy: they parse, they ship paused, and they touch nothing until a Param says otherwise."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from retention_runs import DAY, cleared_through, fill, overwritten, recalled, writes

EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "example_dags").glob("example_*.py"))
READING = {
    "group_open_http_svc/get_appid_group_list",
    "group_open_http_svc/get_group_info",
    "group_open_http_svc/group_msg_get_simple",
}
# Params without which an example cannot be triggered.
REQUIRED = {
    "example_tencentim_form": {"group_id": "room", "msg_seqs": "2-3"},
    "example_tencentim_retention_on_demand": {"groups": ["room"], "older_than_days": 30},
}
NIGHTLY = "example_tencentim_retention_nightly"
APPROVAL = "example_tencentim_retention_approval"
ON_DEMAND = "example_tencentim_retention_on_demand"


def can_ask() -> bool:
    """Tell whether this Airflow can ask a person."""
    try:
        import airflow.providers.standard.operators.hitl  # noqa: F401
    except Exception:  # an ImportError, or Airflow's own for a feature that its version lacks
        return False
    return True


# Without an answer a run waits for ever, and Airflow takes the signal away by which pytest would end it.
patience = pytest.mark.timeout(100, method="thread")
asks = pytest.mark.skipif(not can_ask(), reason="Airflow asks nobody before 3.1")
asks_not = pytest.mark.skipif(can_ask(), reason="for Airflow before 3.1, which asks nobody")


@pytest.fixture
def conf(emulator):
    emulator.add_accounts("ann", "bob")
    emulator.add_group("one", messages=12)
    emulator.add_group("two", messages=12)
    letter = emulator.add_c2c_message("ann", "bob", "hello")
    return {
        "recalls": [{"group_id": "one", "msg_seqs": "1-11"}, {"group_id": "two", "msg_seqs": [1, 2]}],
        "clears": [{"group_id": "one", "msg_seq": 5}, {"group_id": "two", "msg_seq": 6}],
        "group_overwrites": [{"group_id": "two", "msg_seq": 12, "msg_body": "removed"}],
        "c2c_overwrites": [{"from_account": "ann", "to_account": "bob", "msg_key": letter, "msg_body": "removed"}],
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_ships_paused_and_dry(load_example, name):
    dag = load_example(name)
    assert dag.is_paused_upon_creation is True
    assert dag.params["dry_run"] is True


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_run_as_it_is_writes_nothing(emulator, load_example, run_dag, name, tmp_path):
    fill(emulator, "room")
    dag, conf = load_example(name), REQUIRED.get(name, {})
    if "folder" in dag.params:
        conf = conf | {"folder": f"file://{tmp_path}"}
    run = run_dag(dag, conf=conf)
    assert run.state == "success"
    assert set(emulator.stats()["calls"]) <= READING


def test_the_scheduled_cleanup_clears_the_rooms_of_its_prefix_and_no_other(emulator, load_example, run_dag):
    for group_id in ("support-1", "support-2", "sales-1", "x-support-3"):
        emulator.add_group(group_id, messages=7)

    run = run_dag(load_example("example_tencentim_scheduled_cleanup"), conf={"prefix": "support-", "dry_run": False})

    assert run.state == "success"
    cleared = {name: group["cleared_through"] for name, group in emulator.state()["groups"].items()}
    assert cleared == {"support-1": 7, "support-2": 7, "sales-1": 0, "x-support-3": 0}


def test_the_scheduled_cleanup_takes_no_empty_prefix(emulator, load_example, run_dag):
    with pytest.raises(Exception, match="prefix"):
        run_dag(load_example("example_tencentim_scheduled_cleanup"), conf={"prefix": "", "dry_run": False})


@pytest.mark.parametrize(
    ("action", "seqs", "changed"),
    [("recall", "2-3", {2: "recalled", 3: "recalled"}), ("clear", "3", {}), ("overwrite", "4", {4: "modified"})],
)
def test_the_form_does_the_action_that_was_chosen_and_no_other(emulator, load_example, run_dag, action, seqs, changed):
    emulator.add_group("room", messages=5)
    conf = {"group_id": "room", "msg_seqs": seqs, "action": action, "dry_run": False, "confirmed": True}

    run = run_dag(load_example("example_tencentim_form"), conf=conf)

    assert run.state == "success"
    assert {name: state for name, state in run.tasks.items() if name != "choose"} == {
        name: "success" if name == action else "skipped" for name in ("recall", "clear", "overwrite")
    }
    room = emulator.state()["groups"]["room"]
    assert room["cleared_through"] == (3 if action == "clear" else 0)
    assert {
        message["MsgSeq"]: "modified" if message["modified"] else message["state"]
        for message in room["messages"]
        if message["modified"] or message["state"] != "normal"
    } == changed


def test_the_form_acts_only_with_the_confirmation_ticked(emulator, load_example, run_dag):
    emulator.add_group("room", messages=5)

    run = run_dag(load_example("example_tencentim_form"), conf=REQUIRED["example_tencentim_form"] | {"dry_run": False})

    assert run.tasks["choose"] == "failed"
    assert "confirmation" in str(run.errors["choose"])
    assert emulator.stats()["calls"] == {}


def test_the_redaction_overwrites_one_message_of_each_kind(emulator, load_example, run_dag):
    emulator.add_accounts("ann", "bob")
    emulator.add_group("room", messages=3)
    letter = emulator.add_c2c_message("ann", "bob", "hello")
    conf = {"group_id": "room", "msg_seq": 2, "from_account": "ann", "to_account": "bob", "msg_key": letter}

    run = run_dag(load_example("example_tencentim_redaction"), conf=conf | {"replacement": "[1]", "dry_run": False})

    assert run.state == "success"
    state = emulator.state()
    assert [message["modified"] for message in state["groups"]["room"]["messages"]] == [False, True, False]
    assert state["c2c"][0]["messages"][0]["MsgBody"][0]["MsgContent"]["Text"] == "[1]"


def test_on_demand_only_reads_until_it_is_told_otherwise(emulator, load_example, run_dag, conf):
    before = emulator.state()

    run = run_dag(load_example("example_tencentim_on_demand"), conf=conf)

    assert run.state == "success"
    assert set(emulator.stats()["calls"]) <= READING
    assert emulator.state() == before
    assert run.results["recall[0]"]["recallable"] == 11


def test_on_demand_does_all_four_actions_on_every_row(emulator, load_example, run_dag, conf):
    run = run_dag(load_example("example_tencentim_on_demand"), conf=conf | {"dry_run": False})

    assert run.state == "success"
    groups = emulator.state()["groups"]
    states = {name: [message["state"] for message in group["messages"]] for name, group in groups.items()}
    assert states == {"one": ["recalled"] * 11 + ["normal"], "two": ["recalled"] * 2 + ["normal"] * 10}
    assert {name: group["cleared_through"] for name, group in groups.items()} == {"one": 5, "two": 6}
    assert groups["two"]["messages"][11]["modified"]
    assert emulator.state()["c2c"][0]["messages"][0]["modified"]


def test_on_demand_refuses_a_misspelt_row_before_it_runs(emulator, load_example, run_dag):
    with pytest.raises(Exception, match="group_id"):
        run_dag(
            load_example("example_tencentim_on_demand"),
            conf={"recalls": [{"group_ids": "one", "msg_seqs": "1"}], "dry_run": False},
        )
    assert emulator.stats()["calls"] == {}


# --- retention


@pytest.fixture
def rooms(emulator):
    """Two groups that the policy means, with three older messages each of five, and two that it does not."""
    for group in ("support-1", "support-2", "sales-1"):
        fill(emulator, group)
    fill(emulator, "support-new", ages=(20, 10))


@pytest.fixture
def policy(tmp_path):
    return {"groups": "support-*", "older_than": "P30D", "dry_run": False, "folder": f"file://{tmp_path}"}


def reach(emulator):
    return {group: cleared_through(emulator, group) for group in ("support-1", "support-2", "sales-1", "support-new")}


UNTOUCHED = {"support-1": 0, "support-2": 0, "sales-1": 0, "support-new": 0}
CLEARED = UNTOUCHED | {"support-1": 3, "support-2": 3}


def test_the_nightly_retention_only_looks_until_it_is_told_otherwise(emulator, load_example, run_dag, rooms, policy):
    run = run_dag(load_example(NIGHTLY), conf=policy | {"dry_run": True})

    assert run.state == "success"
    assert (run.results["retention"]["dry_run"], run.results["retention"]["messages"]) == (True, 6)
    assert writes(emulator) == {}


def test_the_nightly_retention_clears_the_older_messages_and_then_only_new_ones(
    emulator, load_example, run_dag, rooms, policy, tmp_path
):
    dag = load_example(NIGHTLY)

    first = run_dag(dag, conf=policy)
    assert reach(emulator) == CLEARED
    second = run_dag(dag, conf=policy)
    emulator.add_group_message("support-new", {"MsgBody": "late", "MsgTimeStamp": int(time.time()) - DAY})
    third = run_dag(dag, conf=policy | {"older_than": "P15D"})

    assert {run.state for run in (first, second, third)} == {"success"}
    results = [run.results["retention"] for run in (first, second, third)]
    assert [(one["groups"], one["requested"], one["done"]) for one in results] == [(2, 6, 6), (0, 0, 0), (3, 3, 3)]
    assert reach(emulator) == CLEARED | {"support-1": 4, "support-2": 4, "support-new": 1}
    assert len(list((tmp_path / "archive").rglob("*.gz"))) == 5
    assert len(list((tmp_path / "reports").glob("*/summary.json"))) == 3


def test_the_nightly_retention_recalls_when_it_is_told_to(emulator, load_example, run_dag, rooms, policy):
    run = run_dag(load_example(NIGHTLY), conf=policy | {"action": "recall"})

    assert run.state == "success"
    assert [recalled(emulator, group) for group in CLEARED] == [{1, 2, 3}, {1, 2, 3}, set(), set()]
    assert reach(emulator) == UNTOUCHED


@pytest.mark.parametrize("name", [NIGHTLY, APPROVAL])
@pytest.mark.parametrize("wrong", [{"groups": ""}, {"older_than": ""}, {"action": "redact"}, {"folder": ""}])
def test_retention_takes_no_param_that_came_to_nothing(emulator, load_example, run_dag, policy, name, wrong):
    with pytest.raises(Exception, match=next(iter(wrong))):
        run_dag(load_example(name), conf=policy | wrong)
    assert emulator.stats()["calls"] == {}


@contextmanager
def answering(dag, option, first=lambda: None):
    """Answer as the button of Airflow's page does, once the run waits for it; yields the words of the question."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.sdk import timezone
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asked, done = [], threading.Event()

    def watch():
        wanted = select(TaskInstance).where(TaskInstance.dag_id == dag.dag_id, TaskInstance.state == "awaiting_input")
        while not asked and not done.wait(0.2):
            with create_session() as session:
                if (waiting := session.scalars(wanted).first()) is None:
                    continue
                first()
                question = session.get(HITLDetail, waiting.id)
                question.responded_by = {"id": "ann", "name": "ann"}
                question.responded_at = timezone.utcnow()
                question.chosen_options = [option]
                answer = TriggerEvent(question.as_resume_event_payload())
                handle_event_submit(answer, task_instance=waiting, session=session)
                asked.append((question.body, question.defaults))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join()


@asks
@patience
def test_the_approval_applies_the_plan_that_was_approved_and_nothing_that_came_later(
    emulator, load_example, run_dag, rooms, policy
):
    def import_an_old_message():
        fill(emulator, "support-3")

    dag = load_example(APPROVAL)
    with answering(dag, "Approve", first=import_an_old_message) as asked:
        run = run_dag(dag, conf=policy)

    assert run.state == "success"
    planned, applied = run.results["plan"], run.results["apply"]
    assert reach(emulator) == CLEARED
    assert cleared_through(emulator, "support-3") == 0
    assert (applied["digest"], applied["requested"], applied["done"]) == (planned["digest"], 6, 6)
    ((body, defaults),) = asked
    assert defaults == ["Reject"]
    assert body.splitlines() == [
        "| | |",
        "|---|---|",
        "| Action | clear |",
        f"| Older than | {planned['cut_off']} |",
        "| Groups | 2 of 4 listed |",
        "| Messages | 6 at most |",
        "| Left alone: nothing_older | 1 |",
        f"| Plan | `{planned['plan']}` |",
        f"| Digest | `{planned['digest']}` |",
        "",
        "This cannot be undone.",
    ]


@asks
@patience
def test_the_approval_touches_nothing_when_somebody_says_no(emulator, load_example, run_dag, rooms, policy):
    dag = load_example(APPROVAL)

    with answering(dag, "Reject"):
        run = run_dag(dag, conf=policy)

    assert run.tasks == {"plan": "success", "is_meant": "success", "approve": "success", "apply": "skipped"}
    assert writes(emulator) == {}


@asks
@patience
def test_the_approval_refuses_a_plan_that_was_changed_while_somebody_looked_at_it(
    emulator, load_example, run_dag, rooms, policy, tmp_path
):
    def change_the_plan():
        for rows in (tmp_path / "plans").rglob("rows-*.jsonl"):
            rows.write_bytes(rows.read_bytes().replace(b'"through":3', b'"through":5'))

    dag = load_example(APPROVAL)
    with answering(dag, "Approve", first=change_the_plan):
        run = run_dag(dag, conf=policy)

    assert run.tasks["apply"] == "failed"
    assert "changed" in str(run.errors["apply"])
    assert writes(emulator) == {}


@asks_not
def test_nothing_is_applied_where_nobody_can_be_asked(emulator, load_example, run_dag, rooms, policy):
    run = run_dag(load_example(APPROVAL), conf=policy)

    assert (run.tasks["approve"], run.tasks["apply"]) == ("failed", "upstream_failed")
    assert "3.1" in str(run.errors["approve"])
    assert writes(emulator) == {}


def test_the_approval_asks_for_nothing_when_there_is_nothing_to_do(emulator, load_example, run_dag, rooms, policy):
    run = run_dag(load_example(APPROVAL), conf=policy | {"groups": "support-new"})

    assert run.tasks == {"plan": "success", "is_meant": "success", "approve": "skipped", "apply": "skipped"}


FORM = {"groups": ["support-*"], "exclude": ["support-2"], "older_than_days": 30, "dry_run": False, "confirmed": True}


@pytest.mark.parametrize(
    ("action", "gone", "changed"),
    [
        ("recall", {1, 2, 3}, set()),
        ("clear", set(), set()),
        ("redact", set(), {1, 2, 3}),
        ("redact_and_recall", {1, 2, 3}, {1, 2, 3}),
    ],
)
def test_the_retention_form_does_the_action_that_was_chosen(
    emulator, load_example, run_dag, rooms, action, gone, changed
):
    run = run_dag(load_example(ON_DEMAND), conf=FORM | {"action": action, "replacement": "[gone]"})

    assert run.state == "success"
    assert run.results["retention"]["done"] == 3
    assert (recalled(emulator, "support-1"), overwritten(emulator, "support-1")) == (gone, changed)
    assert reach(emulator) == UNTOUCHED | ({"support-1": 3} if action == "clear" else {})
    for group in ("support-2", "sales-1", "support-new"):
        assert not recalled(emulator, group) | overwritten(emulator, group)


def test_the_retention_form_takes_a_moment_too(emulator, load_example, run_dag, rooms):
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 50 * DAY))

    run = run_dag(load_example(ON_DEMAND), conf=FORM | {"older_than_days": None, "before": before})

    assert run.state == "success"
    assert recalled(emulator, "support-1") == {1, 2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"confirmed": False}, "confirmation"),
        ({"older_than_days": None}, "one of before, older_than"),
        ({"before": "2026-01-01T00:00:00Z"}, "exclude each other"),
        ({"max_messages": 2}, "max_messages is 2"),
    ],
)
def test_the_retention_form_refuses_before_anything_is_touched(emulator, load_example, run_dag, rooms, wrong, said):
    run = run_dag(load_example(ON_DEMAND), conf=FORM | wrong)

    assert run.state == "failed"
    assert said in " ".join(map(str, run.errors.values()))
    assert writes(emulator) == {}


def test_the_retention_form_takes_no_empty_list_of_groups(emulator, load_example, run_dag):
    with pytest.raises(Exception, match="groups"):
        run_dag(load_example(ON_DEMAND), conf=FORM | {"groups": []})
    assert emulator.stats()["calls"] == {}
