"""The operators that overwrite and recall group messages, executed by hand: what is sent, and what is told."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from by_hand import sent
from task_context import TaskInstance, log_of

from airflow_provider_tencentim.client.errors import TencentIMPartialError, TencentIMTransientError
from airflow_provider_tencentim.client.recall import RecallResult
from airflow_provider_tencentim.operators import group_msg
from airflow_provider_tencentim.operators.group_msg import (
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)
from airflow_provider_tencentim.operators.tally import RecallTally

RECALL = "group_open_http_svc/group_msg_recall"
HISTORY = "group_open_http_svc/group_msg_get_simple"
MODIFY = "openim/modify_group_msg"

COMMUNITY, TOPIC = "@TGS#_community", "@TGS#_community@TOPIC#_1"


@pytest.fixture
def told(monkeypatch):
    """What the recall logs."""
    return log_of(monkeypatch, RecallGroupMsgOperator)


def modify(**arguments: Any) -> Any:
    return ModifyGroupMsgOperator(task_id="task", **{"group_id": "room", "msg_seq": 2} | arguments)


def recall(**arguments: Any) -> Any:
    return RecallGroupMsgOperator(task_id="task", **{"group_id": "room"} | arguments)


# --- overwrite ---


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"msg_body": "gone"}, ["MsgBody"]),
        ({"cloud_custom_data": "{}"}, ["CloudCustomData"]),
        ({"msg_body": "gone", "cloud_custom_data": "{}"}, ["MsgBody", "CloudCustomData"]),
    ],
    ids=str,
)
def test_exactly_what_is_given_is_overwritten(room, arguments, fields):
    result = modify(msg_seq=" 2 ", **arguments).execute({})

    assert result == {"group_id": "room", "msg_seq": 2, "fields": fields}
    meant = {
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}],
        "CloudCustomData": "{}",
    }
    assert sent(room, MODIFY) == [{"GroupId": "room", "MsgSeq": 2} | {name: meant[name] for name in fields}]


def test_a_message_of_a_topic_is_overwritten_there(room):
    room.add_group(COMMUNITY, type="Community", messages=3, topics={TOPIC: 3})

    modify(group_id=COMMUNITY, topic_id=TOPIC, msg_body="gone").execute({})

    (body,) = sent(room, MODIFY)
    assert (body["GroupId"], body["TopicId"], body["MsgSeq"]) == (COMMUNITY, TOPIC, 2)


@pytest.mark.parametrize("name", ["group_id", "msg_seq", "msg_body", "cloud_custom_data", "topic_id"])
def test_an_overwrite_needs_whatever_was_given(room, name):
    given = {"msg_body": "gone", "cloud_custom_data": "{}", "topic_id": TOPIC} | {name: "{{ nothing }}"}
    task = modify(**given)
    task.render_template_fields({"nothing": ""})

    with pytest.raises(AirflowFailException, match=rf"ModifyGroupMsgOperator: {name} was given and came to nothing"):
        task.execute({})
    assert sent(room, MODIFY) == []


def test_a_text_that_came_to_nothing_does_not_overwrite(room):
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "{{ nothing }}"}}]
    task = modify(msg_body=body)
    task.render_template_fields({"nothing": ""})

    with pytest.raises(AirflowFailException, match="msg_body holds a Text that came to nothing"):
        task.execute({})
    assert sent(room, MODIFY) == []


@pytest.mark.parametrize(
    ("code", "error"), [(10007, AirflowFailException), (10002, TencentIMTransientError)], ids=["lasting", "passing"]
)
def test_an_error_that_a_retry_may_heal_stays_what_it_is(room, code, error):
    room.add_fault(command=MODIFY, error_code=code)

    with pytest.raises(error, match=rf"{MODIFY} failed with ErrorCode {code}"):
        modify(msg_body="gone").execute({})


# --- recall ---


def test_a_recall_names_the_group_the_topic_and_the_reason(room):
    room.add_group(COMMUNITY, type="Community", messages=3, topics={TOPIC: 3})

    result = recall(group_id=COMMUNITY, topic_id=TOPIC, msg_seqs="1,3", reason="policy").execute({})

    assert (result["requested"], result["recalled"]) == (2, 2)
    assert sent(room, RECALL) == [
        {"GroupId": COMMUNITY, "TopicId": TOPIC, "MsgSeqList": [{"MsgSeq": 1}, {"MsgSeq": 3}], "Reason": "policy"}
    ]


def test_a_dry_run_looks_where_the_recall_would_go_and_is_no_error(room):
    room.add_group(COMMUNITY, type="Community", messages=3, topics={TOPIC: 9})

    result = recall(group_id=COMMUNITY, topic_id=TOPIC, msg_seqs=[9], reason="policy", dry_run="true").execute({})

    assert (result["recallable"], result["recalled"], result["dry_run"]) == (1, 0, True)
    assert sent(room, RECALL) == []
    assert {(body["GroupId"], body["TopicId"]) for body in sent(room, HISTORY)} == {(COMMUNITY, TOPIC)}


@pytest.mark.parametrize("name", ["group_id", "msg_seqs", "topic_id", "reason", "missing_ok", "dry_run"])
def test_a_recall_needs_whatever_was_given(room, name):
    given = {"msg_seqs": 1, "topic_id": TOPIC, "reason": "policy"} | {name: "{{ nothing }}"}
    task = recall(**given)
    task.render_template_fields({"nothing": ""})

    with pytest.raises(AirflowFailException, match=rf"RecallGroupMsgOperator: {name} was given and came to nothing"):
        task.execute({})
    assert room.stats()["calls"] == {}


@pytest.mark.parametrize("arguments", [{}, {"msg_seqs": 1, "msg_seqs_path": "seqs.txt"}], ids=["neither", "both"])
def test_a_recall_takes_its_seqs_from_one_place(room, arguments):
    with pytest.raises(
        AirflowFailException, match=r"Operator: one of msg_seqs and msg_seqs_path must be given, and not both$"
    ):
        recall(**arguments).execute({})
    assert room.stats()["calls"] == {}


def test_a_task_that_fails_has_pushed_what_it_did(room):
    instance = TaskInstance()

    with pytest.raises(AirflowFailException, match=r"group room: 2 of 3 messages recalled.* 1 missing.*11: 10030"):
        recall(msg_seqs=[1, 2, 11]).execute({"ti": instance})

    ((key, value),) = instance.pushed
    assert (key, value["recalled"], value["first_missing"]) == ("return_value", 2, [11])


def test_missing_messages_are_no_error_when_that_is_said(room):
    instance = TaskInstance()
    result = recall(msg_seqs=[1, 2, 11], missing_ok=" True ").execute({"ti": instance})
    assert (result["recalled"], result["missing"]) == (2, 1)
    assert instance.pushed == [("return_value", result)]


def test_a_task_that_pushes_nothing_pushes_nothing(room):
    instance = TaskInstance()
    assert recall(msg_seqs=[1], do_xcom_push=False).execute({"ti": instance})["recalled"] == 1
    assert instance.pushed == []


def test_what_was_done_before_an_error_is_pushed(room):
    room.add_fault(command=RECALL, error_code=10010)
    instance = TaskInstance()

    with pytest.raises(AirflowFailException, match="10010"):
        recall(msg_seqs=[1, 2]).execute({"ti": instance})

    ((_, value),) = instance.pushed
    assert (value["requested"], value["failed"]) == (2, 2)


def test_messages_that_a_retry_may_recall_leave_it_to_airflow(room):
    room.add_fault(command=RECALL, error_code=10002)
    with pytest.raises(TencentIMPartialError, match="group room: 0 of 2 messages recalled"):
        recall(msg_seqs=[1, 2]).execute({})


def test_seqs_come_from_a_file_of_lines(room, tmp_path):
    (tmp_path / "seqs.txt").write_text("1-2\n\n2,9\r\n")

    result = recall(msg_seqs_path=str(tmp_path / "seqs.txt")).execute({})

    assert (result["requested"], result["recalled"]) == (3, 3)


def test_a_file_of_one_long_line_is_read_in_pieces(room, tmp_path, monkeypatch):
    import airflow_provider_tencentim.client.seqs as seqs

    monkeypatch.setattr(seqs, "LONGEST_PIECE", 16)
    (tmp_path / "seqs.txt").write_text(",".join(["1-2", "9"] * 20))
    assert recall(msg_seqs_path=str(tmp_path / "seqs.txt")).execute({})["requested"] == 3

    (tmp_path / "seqs.txt").write_text("1" * 40)
    with pytest.raises(AirflowFailException, match="msg_seqs_path: line 1: a part is longer than any range"):
        recall(msg_seqs_path=str(tmp_path / "seqs.txt")).execute({})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "msg_seqs_path cannot be opened"),
        (b"1\nx\n", "msg_seqs_path: line 2"),
        (b"1\n\xe9\n", "msg_seqs_path: .*utf-8"),
        ("１".encode(), "msg_seqs_path: line 1"),
        (b"\n \n", "Operator: msg_seqs_path names a file without a single MsgSeq$"),
        (b"", "msg_seqs_path names a file without a single MsgSeq"),
    ],
    ids=["missing", "words", "latin", "wide", "blank", "empty"],
)
def test_a_file_that_is_no_list_of_seqs_is_named(room, tmp_path, content, words):
    if content is not None:
        (tmp_path / "seqs.txt").write_bytes(content)
    with pytest.raises(AirflowFailException, match=words):
        recall(msg_seqs_path=str(tmp_path / "seqs.txt")).execute({})
    assert room.stats()["calls"] == {}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (7, "msg_seqs_path must be"),
        (["seqs.txt"], "msg_seqs_path must be"),
        ("s9://nowhere/seqs.txt", "msg_seqs_path cannot be opened"),
        ("a\x00b", "msg_seqs_path cannot be opened"),
    ],
    ids=["number", "list", "storage", "null"],
)
def test_what_is_no_path_is_named(room, path, words):
    with pytest.raises(AirflowFailException, match=f"RecallGroupMsgOperator: {words}"):
        recall(msg_seqs_path=path).execute({})


def test_wrong_seqs_are_named(room):
    with pytest.raises(AirflowFailException, match="RecallGroupMsgOperator: msg_seqs: "):
        recall(msg_seqs="1-").execute({})


@pytest.mark.parametrize(("seconds", "lines"), [(4, {3, 6}), (5, {2, 4, 6}), (1, set())])
def test_a_recall_tells_every_ten_seconds_how_far_it_is(monkeypatch, told, seconds, lines):
    moments = itertools.count(100, seconds)
    monkeypatch.setattr(group_msg, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    tally = RecallTally(6)

    recall(msg_seqs="1-6")._count([RecallResult(seq, "recalled") for seq in range(1, 7)], tally)

    assert told == [
        *(
            f"After {seq * seconds} s: {seq} of 6 messages recalled, 0 already recalled, 0 missing, {6 - seq} failed"
            for seq in sorted(lines)
        ),
        "Group room: 6 of 6 messages recalled, 0 already recalled, 0 missing, 0 failed",
    ]
