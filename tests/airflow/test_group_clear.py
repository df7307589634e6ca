"""The operator that clears a group's history, executed by hand: what is sent, what is told, what a retry remembers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from by_hand import sent
from scripted_server import SDKAPPID, SECRET_KEY, ScriptedServer, answer
from task_context import TaskState, log_of

from airflow_provider_tencentim.client.errors import TencentIMError, TencentIMTransientError
from airflow_provider_tencentim.operators import group_msg
from airflow_provider_tencentim.operators.group_msg import ClearGroupHistoryOperator

INFO = "group_open_http_svc/get_group_info"
CLEAR = "group_open_http_svc/clear_group_msg"

COMMUNITY, TOPIC = "@TGS#_community", "@TGS#_community@TOPIC#_1"


@pytest.fixture
def told(monkeypatch):
    """What the operator logs."""
    return log_of(monkeypatch, ClearGroupHistoryOperator)


def clear(**arguments: Any) -> Any:
    return ClearGroupHistoryOperator(task_id="task", **{"group_id": "room"} | arguments)


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


def test_a_dry_run_names_what_would_go_and_clears_nothing(room, told):
    assert clear(msg_seq=4, dry_run="true").execute({}) == {
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


def test_a_dry_run_says_what_a_retry_would_clear_and_is_none_itself(room):
    state = TaskState()
    dry = clear(clear_all=True, dry_run=True)
    assert dry.execute({"task_state_store": state})["would_clear_through"] == 10
    assert state == {}

    room.add_group_message("room", "came later")
    kept = {group_msg._CLEAR_ALL_THROUGH: {"group_id": "room", "msg_seq": 4}}
    state.update(kept)
    assert dry.execute({"task_state_store": state})["would_clear_through"] == 4
    assert state == kept


def test_a_seq_that_is_given_is_neither_remembered_nor_taken_from_memory(room):
    class Refusing(TaskState):
        def get(self, *_: Any) -> Any:
            raise AssertionError("it was asked for")

        set = get

    assert clear(msg_seq=3).execute({"task_state_store": Refusing()})["cleared_through"] == 3
