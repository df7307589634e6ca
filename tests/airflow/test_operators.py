"""The four operators as real task instances: what they do, what they report, and what they refuse."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)

RECALL = "group_open_http_svc/group_msg_recall"
CLEAR = "group_open_http_svc/clear_group_msg"
HISTORY = "group_open_http_svc/group_msg_get_simple"


def messages(emulator, group_id):
    """The messages of a group as the emulator holds them, by MsgSeq."""
    group = emulator.state(group_id)["groups"][group_id]
    return {message["MsgSeq"]: message for message in group["messages"]}


def recalled(emulator, group_id):
    return {seq for seq, message in messages(emulator, group_id).items() if message["state"] == "recalled"}


def calls(emulator):
    return emulator.stats()["calls"]


def test_a_recall_of_25_of_which_3_do_not_exist_recalls_22_and_fails_with_the_3(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=22)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-22, 101, 102, 103")

    run = run_dag(dag)

    assert run.tasks == {"recall": "failed"}
    assert recalled(emulator, "room") == set(range(1, 23))
    assert calls(emulator)[RECALL] == 3
    assert calls(emulator)[HISTORY] <= 3
    error = str(run.errors["recall"])
    assert "22 of 25" in error
    for seq in (101, 102, 103):
        assert f"{seq}: 10030" in error
    assert run.results["recall"] == {
        "requested": 25,
        "recalled": 22,
        "already_recalled": 0,
        "missing": 3,
        "failed": 0,
        "first_missing": [101, 102, 103],
        "first_failed": [],
    }


def test_missing_ok_lists_the_missing_and_succeeds(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=22)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-22, 101-103", missing_ok=True)

    run = run_dag(dag)

    assert run.state == "success"
    assert run.results["recall"]["first_missing"] == [101, 102, 103]


@pytest.mark.parametrize("again", [10032, 0, 10030], ids="code_for_recalled_{}".format)
def test_a_recall_whose_answer_is_lost_after_the_server_acted_ends_in_success(emulator, make_dag, run_dag, again):
    emulator.assume({"recall_of_recalled": again})
    emulator.add_group("room", messages=25)
    emulator.add_fault(command=RECALL, drop=True, after_commit=True, times=1)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-25")

    run = run_dag(dag)

    counts = run.results["recall"]
    assert run.state == "success"
    assert counts["recalled"] + counts["already_recalled"] == counts["requested"] == 25
    assert recalled(emulator, "room") == set(range(1, 26))


def test_a_retry_by_airflow_finds_what_the_first_try_did(emulator, make_dag, run_dag, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)  # one try a call
    emulator.add_group("room", messages=25)
    emulator.add_fault(command=RECALL, drop=True, after_commit=True, times=3)
    with make_dag() as dag:
        RecallGroupMsgOperator(
            task_id="recall", group_id="room", msg_seqs="1-25", retries=1, retry_delay=timedelta(seconds=0)
        )

    run = run_dag(dag)

    assert run.tasks == {"recall": "success"}
    assert run.tries == {"recall": 2}
    assert run.results["recall"]["already_recalled"] == 25


def test_signatures_that_expire_in_mid_run_are_replaced_by_one_new_one(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=4000)

    def expire() -> None:
        while calls(emulator).get(RECALL, 0) < 20:
            time.sleep(0.005)
        emulator.expire_signatures()

    watcher = threading.Thread(target=expire)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-4000")

    watcher.start()
    run = run_dag(dag)
    watcher.join()

    assert run.state == "success"
    assert run.results["recall"]["recalled"] == 4000
    stats = emulator.stats()
    assert stats["errors"][RECALL][70001] >= 1
    assert stats["signatures"] == 2


def test_an_error_that_every_call_would_meet_stops_the_rest_and_counts_it_as_failed(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=5)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="gone", msg_seqs="1-100000", retries=2)

    run = run_dag(dag)

    assert run.tasks == {"recall": "failed"}
    assert run.tries == {"recall": 1}
    assert "10010" in str(run.errors["recall"])
    assert calls(emulator)[RECALL] <= 32
    counts = run.results["recall"]
    assert counts["failed"] == counts["requested"] == 100_000
    assert len(counts["first_failed"]) == 100


def test_a_call_that_keeps_failing_does_not_stop_the_others(emulator, make_dag, run_dag, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    emulator.add_group("room", messages=100)
    emulator.add_fault(command=RECALL, error_code=10002, times=1)
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="1-100")

    run = run_dag(dag)

    counts = run.results["recall"]
    assert (counts["recalled"], counts["failed"]) == (90, 10)
    assert {entry["code"] for entry in counts["first_failed"]} == {10002}
    assert type(run.errors["recall"]).__name__ == "TencentIMPartialError"
    assert run.errors["recall"].code == 10002


def test_a_dry_run_looks_and_recalls_nothing(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=30)
    with make_dag() as dag:
        first = RecallGroupMsgOperator(task_id="first", group_id="room", msg_seqs="1-4")
        first >> RecallGroupMsgOperator(task_id="dry", group_id="room", msg_seqs="1-32", dry_run=True)

    run = run_dag(dag)

    assert run.state == "failed"  # two of them do not exist, and the run would fail for them
    assert run.results["dry"] == {
        "requested": 32,
        "recalled": 0,
        "already_recalled": 4,
        "missing": 2,
        "failed": 0,
        "first_missing": [31, 32],
        "first_failed": [],
        "dry_run": True,
        "recallable": 26,
    }
    assert calls(emulator)[RECALL] == 1


def test_seqs_from_a_file_are_sent_once_each(emulator, make_dag, run_dag, tmp_path):
    emulator.add_group("room", messages=40)
    (tmp_path / "seqs.txt").write_text("1-12\n\n12, 5-7\r\n40\n")
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs_path=f"file://{tmp_path}/seqs.txt")

    run = run_dag(dag)

    assert run.results["recall"]["requested"] == 13
    assert recalled(emulator, "room") == {*range(1, 13), 40}
    assert calls(emulator)[RECALL] == 2


def test_clear_all_is_sent_as_the_newest_seq_there_is(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=42)
    with make_dag() as dag:
        ClearGroupHistoryOperator(task_id="clear", group_id="room", clear_all=True)

    run = run_dag(dag)

    assert run.results["clear"] == {"group_id": "room", "cleared_through": 42}
    (request,) = emulator.requests(CLEAR)
    assert request["body"]["MsgSeq"] == 42


def test_a_retry_of_clear_all_does_not_clear_what_came_later(emulator, make_dag, run_dag, monkeypatch):
    pytest.importorskip("airflow.sdk", reason="Airflow before 3.3 keeps no task state for a retry to find")
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    emulator.add_group("room", messages=10)
    emulator.add_fault(command=CLEAR, error_code=10002, times=1)
    with make_dag() as dag:
        ClearGroupHistoryOperator(
            task_id="clear",
            group_id="room",
            clear_all=True,
            retries=1,
            retry_delay=timedelta(0),
            on_retry_callback=lambda _: emulator.add_group_message("room", "came later"),
        )

    run = run_dag(dag)

    assert run.tries == {"clear": 2}
    assert run.results["clear"] == {"group_id": "room", "cleared_through": 10}
    assert emulator.state("room")["groups"]["room"]["NextMsgSeq"] == 12


def test_a_clear_beyond_the_newest_message_is_refused(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=10)
    with make_dag() as dag:
        ClearGroupHistoryOperator(task_id="clear", group_id="room", msg_seq=11)

    run = run_dag(dag)

    assert "msg_seq" in str(run.errors["clear"])
    assert CLEAR not in calls(emulator)


def test_an_empty_group_is_cleared_without_a_call(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=0)
    with make_dag() as dag:
        ClearGroupHistoryOperator(task_id="clear", group_id="room", clear_all=True)

    run = run_dag(dag)

    assert run.results["clear"] == {"group_id": "room", "cleared_through": 0}
    assert CLEAR not in calls(emulator)


def test_only_an_avchatroom_is_cleared_without_a_seq(emulator, make_dag, run_dag):
    emulator.add_group("live", type="AVChatRoom")
    with make_dag() as dag:
        ClearGroupHistoryOperator(task_id="clear", group_id="live", clear_all=True)

    run = run_dag(dag)

    assert run.state == "success"
    (request,) = emulator.requests(CLEAR)
    assert "MsgSeq" not in request["body"]


def test_a_dry_run_of_a_clear_says_how_far_it_would_go(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=42)
    with make_dag() as dag:
        ClearGroupHistoryOperator(task_id="clear", group_id="room", clear_all=True, dry_run=True)

    run = run_dag(dag)

    assert run.results["clear"] == {
        "group_id": "room",
        "cleared_through": None,
        "would_clear_through": 42,
        "dry_run": True,
    }
    assert CLEAR not in calls(emulator)


def test_a_group_message_is_overwritten_field_by_field(emulator, make_dag, run_dag):
    emulator.add_group("room", messages=["first", "second 早上好", "third 🎉"])
    with make_dag() as dag:
        ModifyGroupMsgOperator(task_id="body", group_id="room", msg_seq=2, msg_body="removed 已删除 🧹")
        ModifyGroupMsgOperator(task_id="data", group_id="room", msg_seq="3", cloud_custom_data='{"by": "policy"}')

    run = run_dag(dag)

    assert run.results == {
        "body": {"group_id": "room", "msg_seq": 2, "fields": ["MsgBody"]},
        "data": {"group_id": "room", "msg_seq": 3, "fields": ["CloudCustomData"]},
    }
    held = messages(emulator, "room")
    assert held[2]["MsgBody"] == [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "removed 已删除 🧹"}}]
    assert held[3]["CloudCustomData"] == '{"by": "policy"}'
    assert held[3]["MsgBody"][0]["MsgContent"]["Text"] == "third 🎉"
    assert not held[1]["modified"]


def test_a_one_to_one_message_is_overwritten(emulator, make_dag, run_dag):
    emulator.add_accounts("ann", "bob")
    key = emulator.add_c2c_message("ann", "bob", "my card number is …")
    with make_dag() as dag:
        ModifyC2CMsgOperator(
            task_id="redact",
            from_account="ann",
            to_account="bob",
            msg_key=key,
            msg_body="removed",
            cloud_custom_data="{}",
        )

    run = run_dag(dag)

    assert run.results["redact"] == {
        "from_account": "ann",
        "to_account": "bob",
        "msg_key": key,
        "fields": ["MsgBody", "CloudCustomData"],
    }
    (message,) = emulator.state()["c2c"][0]["messages"]
    assert message["MsgBody"][0]["MsgContent"]["Text"] == "removed"


def test_a_message_of_a_topic_is_not_confused_with_one_of_its_group(emulator, make_dag, run_dag):
    topic = "@TGS#_community@TOPIC#_1"
    emulator.add_group("@TGS#_community", type="Community", messages=3, topics={topic: 3})
    with make_dag() as dag:
        RecallGroupMsgOperator(task_id="recall", group_id="@TGS#_community", topic_id=topic, msg_seqs=[2])

    run = run_dag(dag)

    assert run.state == "success"
    held = emulator.state()["groups"]["@TGS#_community"]
    assert {message["state"] for message in held["messages"]} == {"normal"}
    assert [message["state"] for message in held["topics"][topic]["messages"]] == ["normal", "recalled", "normal"]
