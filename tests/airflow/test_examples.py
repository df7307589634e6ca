"""The examples that users copy: they parse, they ship paused, and they touch nothing until a Param says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "example_dags").glob("example_*.py"))
READING = {"group_open_http_svc/get_group_info", "group_open_http_svc/group_msg_get_simple"}


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
def test_an_example_ships_paused_and_unscheduled(load_example, name):
    dag = load_example(name)
    assert dag.is_paused_upon_creation is True
    assert dag.params["dry_run"] is True


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_run_as_it_is_does_nothing_and_succeeds(emulator, load_example, run_dag, name):
    run = run_dag(load_example(name))
    assert run.state == "success"
    assert emulator.stats()["calls"] == {}


def test_on_demand_only_reads_until_it_is_told_otherwise(emulator, load_example, run_dag, conf):
    before = emulator.state()

    run = run_dag(load_example("example_tencentim_on_demand"), conf=conf)

    assert run.state == "success"
    assert set(emulator.stats()["calls"]) == READING
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
