"""The operators of group messages, executed by hand: what is sent, what is told, and what a retry remembers."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from scripted_server import SDKAPPID, SECRET_KEY, ScriptedServer, answer
from task_context import TaskInstance, TaskState

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import TencentIMError, TencentIMPartialError, TencentIMTransientError
from airflow_provider_tencentim.client.recall import RecallResult
from airflow_provider_tencentim.operators import group_msg
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)
from airflow_provider_tencentim.operators.tally import RecallTally

INFO = "group_open_http_svc/get_group_info"
CLEAR = "group_open_http_svc/clear_group_msg"
RECALL = "group_open_http_svc/group_msg_recall"
HISTORY = "group_open_http_svc/group_msg_get_simple"
MODIFY = "openim/modify_group_msg"

COMMUNITY, TOPIC = "@TGS#_community", "@TGS#_community@TOPIC#_1"


@pytest.fixture
def room(emulator, monkeypatch):
    """A group of ten messages; every call is tried once."""
    monkeypatch.setattr(transport, "MAX_SECONDS", 0.0)
    emulator.add_group("room", messages=10)
    return emulator


@pytest.fixture
def told(monkeypatch):
    """What the operators log."""
    lines: list[str] = []
    log = SimpleNamespace(info=lambda text, *values: lines.append(text % values), warning=lambda *_: None)
    for operator in (RecallGroupMsgOperator, ClearGroupHistoryOperator):
        monkeypatch.setattr(operator, "log", log)
    return lines


def sent(emulator, command: str) -> list[dict[str, Any]]:
    return [request["body"] for request in emulator.requests(command)]


def modify(**arguments: Any) -> Any:
    return ModifyGroupMsgOperator(task_id="task", **{"group_id": "room", "msg_seq": 2} | arguments)


def recall(**arguments: Any) -> Any:
    return RecallGroupMsgOperator(task_id="task", **{"group_id": "room"} | arguments)


def clear(**arguments: Any) -> Any:
    return ClearGroupHistoryOperator(task_id="task", **{"group_id": "room"} | arguments)


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
    ids=repr,
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


# --- clear ---


def test_history_is_hidden_through_the_seq_that_is_given(room, told):
    assert clear(msg_seq="7").execute({}) == {"group_id": "room", "cleared_through": 7}
    assert sent(room, CLEAR) == [{"GroupId": "room", "MsgSeq": 7}]
    assert told == ["Group room is cleared through MsgSeq 7"]


def test_the_newest_message_may_be_named_and_none_beyond_it(room):
    assert clear(msg_seq=10).execute({})["cleared_through"] == 10
    with pytest.raises(AirflowFailException, match="msg_seq 11 is beyond the group's newest message, which is 10"):
        clear(msg_seq=11).execute({})
    assert len(sent(room, CLEAR)) == 1


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_empty_group_has_nothing_to_clear(room, told, dry_run):
    room.add_group("empty")
    result = clear(group_id="empty", clear_all=True, dry_run=dry_run).execute({})
    assert result["would_clear_through" if dry_run else "cleared_through"] == 0
    assert sent(room, CLEAR) == []
    assert told == [
        "Dry run: group empty would be cleared through MsgSeq 0"
        if dry_run
        else "Group empty has no message yet: there is nothing to clear"
    ]


@pytest.mark.parametrize(("msg_seq", "sent_seq"), [(None, {}), (3, {"MsgSeq": 3})])
def test_an_avchatroom_has_no_newest_message_to_look_at(room, told, msg_seq, sent_seq):
    room.add_group("live", type="AVChatRoom")
    result = clear(group_id="live", clear_all=msg_seq is None, msg_seq=msg_seq).execute({})
    assert result == {"group_id": "live", "cleared_through": msg_seq or 0}
    assert sent(room, CLEAR) == [{"GroupId": "live", **sent_seq}]
    assert told == [f"Group live is cleared through MsgSeq {msg_seq or 'none: it stores no history'}"]


def test_a_dry_run_names_what_would_go_and_forgets_nothing(room, told):
    state = TaskState()
    assert clear(msg_seq=4, dry_run="true").execute({"task_state_store": state}) == {
        "group_id": "room",
        "cleared_through": None,
        "would_clear_through": 4,
        "dry_run": True,
    }
    assert sent(room, CLEAR) == []
    assert told == ["Dry run: group room would be cleared through MsgSeq 4"]


def test_a_dry_run_says_that_a_community_cannot_be_cleared(room):
    room.add_group(COMMUNITY, type="Community", messages=3, topics={TOPIC: 3})
    with pytest.raises(
        AirflowFailException, match=r"Operator: group_id names a Community, whose history cannot be cleared$"
    ):
        clear(group_id=COMMUNITY, clear_all=True, dry_run=True).execute({})
    with pytest.raises(AirflowFailException, match=CLEAR):
        clear(group_id=COMMUNITY, clear_all=True).execute({})


@pytest.mark.parametrize("name", ["group_id", "msg_seq", "clear_all", "dry_run"])
def test_a_clear_needs_whatever_was_given(room, name):
    task = clear(**{"msg_seq": 1} | {name: "{{ nothing }}"})
    task.render_template_fields({"nothing": ""})
    with pytest.raises(AirflowFailException, match=rf"ClearGroupHistoryOperator: {name} was given and came to nothing"):
        task.execute({})
    assert room.stats()["calls"] == {}


@pytest.mark.parametrize("arguments", [{}, {"msg_seq": 1, "clear_all": True}], ids=["neither", "both"])
def test_a_clear_is_told_how_far_in_one_way(room, arguments):
    with pytest.raises(
        AirflowFailException, match=r"Operator: one of msg_seq and clear_all=True must be given, and not both$"
    ):
        clear(**arguments).execute({})
    assert room.stats()["calls"] == {}


@pytest.mark.parametrize(("arguments", "name"), [({"msg_seq": 0}, "msg_seq"), ({"group_id": "a b\n"}, "group_id")])
def test_a_malformed_argument_of_a_clear_is_named_before_any_call(room, arguments, name):
    with pytest.raises(AirflowFailException, match=f"ClearGroupHistoryOperator: {name}"):
        clear(**{"msg_seq": 1} | arguments).execute({})
    assert room.stats()["calls"] == {}


def test_a_group_that_is_not_there_is_told_as_the_service_does(room):
    with pytest.raises(AirflowFailException, match=rf"{INFO} failed with ErrorCode 10010 \(.+\)"):
        clear(group_id="gone", clear_all=True).execute({})
    assert sent(room, CLEAR) == []


def scripted_clear(monkeypatch, group: dict[str, Any], **arguments: Any) -> tuple[Any, list[str]]:
    """Execute a clear against a server that says this of the group; return what came of it and what was sent."""
    with ScriptedServer(answer(GroupInfo=[{"GroupId": "room", "ErrorCode": 0} | group]), answer()) as server:
        uri = f"tencentim://{SDKAPPID}:{SECRET_KEY}@{quote(server.url, safe='')}"
        monkeypatch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", uri)
        try:
            result: Any = clear(**{"clear_all": True} | arguments).execute({})
        except (AirflowFailException, TencentIMError) as error:
            result = error
        return result, [request.command for request in server.requests]


@pytest.mark.parametrize("following", [None, 0, -1, True, "11", 11.0], ids=repr)
@pytest.mark.parametrize("how", [{"clear_all": True}, {"msg_seq": 3, "clear_all": False}], ids=["all", "seq"])
def test_nothing_is_cleared_when_the_newest_message_is_not_told(monkeypatch, following, how):
    error, commands = scripted_clear(monkeypatch, {"Type": "Public", "NextMsgSeq": following}, **how)

    assert type(error) is TencentIMTransientError
    assert (error.command, error.code) == (INFO, None)
    assert error.info == "the answer does not tell the group's newest message"
    assert commands == [INFO]


@pytest.mark.parametrize(("following", "through"), [(1, 0), (2, 1)])
def test_the_newest_message_is_the_one_before_the_next(monkeypatch, following, through):
    result, commands = scripted_clear(monkeypatch, {"Type": "Public", "NextMsgSeq": following})
    assert result == {"group_id": "room", "cleared_through": through}
    assert commands == [INFO, CLEAR][: 1 + through]


@pytest.mark.parametrize(("info", "shown"), [("it is gone", r" \(it is gone\)"), (None, ""), (7, r" \(7\)")])
def test_what_the_service_says_of_a_group_is_told(monkeypatch, info, shown):
    error, commands = scripted_clear(monkeypatch, {"ErrorCode": 10010, "ErrorInfo": info})
    assert type(error) is AirflowFailException
    with pytest.raises(AirflowFailException, match=rf"^{INFO} failed with ErrorCode 10010{shown}: the group"):
        raise error
    assert commands == [INFO]


# --- what a retry remembers of clear_all ---


def test_the_first_try_is_remembered_until_the_task_is_done(room):
    state = TaskState()
    room.add_fault(command=CLEAR, error_code=10002, times=1)

    with pytest.raises(TencentIMTransientError):
        clear(clear_all=True).execute({"task_state_store": state})
    (kept,) = state.values()
    assert kept == {"group_id": "room", "msg_seq": 10}

    room.add_group_message("room", "came later")
    assert clear(clear_all=True).execute({"task_state_store": state})["cleared_through"] == 10
    assert [body["MsgSeq"] for body in sent(room, CLEAR)] == [10, 10]
    # Cleared in Airflow, it starts afresh.
    assert state == {}
    assert clear(clear_all=True).execute({"task_state_store": state})["cleared_through"] == 11


@pytest.mark.parametrize(
    ("kept", "through"),
    [
        ({"group_id": "room", "msg_seq": 4}, 4),
        ({"group_id": "room", "msg_seq": 99}, 10),
        ({"group_id": "another", "msg_seq": 4}, 10),
        ("4", 10),
        (None, 10),
    ],
    ids=repr,
)
def test_what_is_remembered_counts_for_the_same_group_and_never_beyond_its_newest_message(room, kept, through):
    state = TaskState({group_msg._CLEAR_ALL_THROUGH: kept})
    result = clear(clear_all=True).execute({"task_state_store": state})
    assert result["cleared_through"] == through


def test_a_seq_that_is_given_is_neither_remembered_nor_taken_from_memory(room):
    class Refusing(TaskState):
        def get(self, *_: Any) -> Any:
            raise AssertionError("it was asked for")

        set = get

    assert clear(msg_seq=3).execute({"task_state_store": Refusing()})["cleared_through"] == 3
