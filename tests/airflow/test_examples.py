"""The examples that users copy: they parse, they ship paused, and they touch nothing until a Param says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "example_dags").glob("example_*.py"))
READING = {
    "group_open_http_svc/get_appid_group_list",
    "group_open_http_svc/get_group_info",
    "group_open_http_svc/group_msg_get_simple",
}
# Params without which an example cannot be triggered.
REQUIRED = {"example_tencentim_form": {"group_id": "room", "msg_seqs": "2-3"}}


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
def test_an_example_run_as_it_is_writes_nothing(emulator, load_example, run_dag, name):
    emulator.add_group("room", messages=5)
    run = run_dag(load_example(name), conf=REQUIRED.get(name))
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
