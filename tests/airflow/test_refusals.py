"""An argument that is wrong, or was given and renders to nothing, is named before any call is sent."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_tencentim.operators.c2c_msg import ModifyC2CMsgOperator
from airflow_provider_tencentim.operators.group_msg import (
    ClearGroupHistoryOperator,
    ModifyGroupMsgOperator,
    RecallGroupMsgOperator,
)

OPERATORS: dict[type, dict[str, Any]] = {
    ModifyGroupMsgOperator: {
        "group_id": "room",
        "msg_seq": 1,
        "msg_body": "x",
        "cloud_custom_data": "x",
        "topic_id": "t",
    },
    RecallGroupMsgOperator: {
        "group_id": "room",
        "msg_seqs": "1-3",
        "msg_seqs_path": "seqs.txt",
        "topic_id": "t",
        "reason": "policy",
        "missing_ok": True,
        "dry_run": False,
    },
    ClearGroupHistoryOperator: {"group_id": "room", "msg_seq": 1, "clear_all": True, "dry_run": False},
    ModifyC2CMsgOperator: {
        "from_account": "ann",
        "to_account": "bob",
        "msg_key": "1_2_3",
        "msg_body": "x",
        "cloud_custom_data": "x",
    },
}

# Arguments that exclude each other: when one is under test, the other is left out.
RIVALS = {"msg_seqs": "msg_seqs_path", "msg_seqs_path": "msg_seqs", "clear_all": "msg_seq", "msg_seq": "clear_all"}

LONG = "a" * 200

WRONG: dict[str, list[Any]] = {
    "tencentim_conn_id": [7, ["x"], "no_such_connection"],
    "group_id": [7, 1.5, ["room"], True, "a\nb", "群", LONG, {"id": "room"}],
    "topic_id": [7, ["t"], "a\tb", LONG],
    "msg_seq": [0, -1, 4294967296, 1.0, True, "1.0", "-1", "1_000", "１", "one", [1], "1-3", {"seq": 1}],
    "msg_seqs": [
        0,
        -5,
        4294967296,
        2.0,
        True,
        "0",
        "1-",
        "-3",
        "5-1",
        "1;2",
        "a",
        "1,,2",
        "1 2",
        "[1, 0]",
        "[1",
        "{1}",
        [1, None],
        [1, "x"],
        [1, 2.0],
        [True],
        {"a": 1},
        b"1",
        "1-99999999999",
    ],
    "msg_seqs_path": [7, "missing.txt", "words.txt", "blank.txt", "latin.txt", "s9://nowhere/seqs.txt"],
    "reason": [7, ["x"], "r" * 101, "因" * 34],
    "missing_ok": [1, 0, "yes", "2", [True], 1.0],
    "dry_run": [1, 0, "no", [False]],
    "clear_all": [1, "all", [True]],
    "from_account": [7, "安", LONG, ["ann"], "a\x00b"],
    "to_account": [7, "安", LONG, ["bob"]],
    "msg_key": [123, "1-2-3", "1_2", "a_b_c", "1_2_3_4", ["1_2_3"], "1_2_3\n", "12345678901_2_3"],
    "cloud_custom_data": [7, {"a": 1}, ["x"], "x" * 12_289, "\ud800"],
    "msg_body": [
        7,
        [],
        "[",
        "{}",
        '{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x"}}',
        "[1]",
        '["x"]',
        {"MsgType": "x"},
        [{"MsgType": "TIMTextElem"}],
        [{"MsgType": "TIMTextElem", "MsgContent": {}}],
        [{"MsgType": "TIMTextElem", "MsgContent": {"Text": 7}}],
        [{"MsgType": "TIMTextElem", "MsgContent": {"Text": ""}}],
        [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "None"}}],
        [{"MsgType": "TIMTextElem", "MsgContent": "x"}],
        [{"MsgType": "TIMTextElem", "MsgContent": {"text": "x"}}],
        [{"MsgType": "TIMSmellElem", "MsgContent": {"Text": "x"}}],
        [{"MsgType": "TIMCustomElem", "MsgContent": {}}],
        [
            {"MsgType": "TIMCustomElem", "MsgContent": {"Data": "a"}},
            {"MsgType": "TIMCustomElem", "MsgContent": {"Data": "b"}},
        ],
        [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": "1"}}],
        [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": True}}],
        [{"MsgType": "TIMLocationElem", "MsgContent": {"Latitude": 1.0, "Longitude": float("nan")}}],
        [{"MsgType": "TIMFileElem", "MsgContent": {"Url": "u", "UUID": "u", "Download_Flag": 1}}],
        [{"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageInfoArray": []}}],
        "x" * 12_289,
        "字" * 4_096,
        "\ud800",
    ],
}

NOTHING = ["", " \n", "None", None, [], "null"]

MATRIX_WRONG = [
    pytest.param(operator, name, value, id=f"{operator.__name__}-{name}-{position}")
    for operator, arguments in OPERATORS.items()
    for name in ("tencentim_conn_id", *arguments)
    for position, value in enumerate(WRONG[name])
]
MATRIX_NOTHING = [
    pytest.param(operator, name, native, value, id=f"{operator.__name__}-{name}-{value!r}-native={native}")
    for operator, arguments in OPERATORS.items()
    for name in ("tencentim_conn_id", *arguments)
    for native in (False, True)
    for value in NOTHING
]


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seqs")
    (folder / "seqs.txt").write_text("1\n")
    (folder / "words.txt").write_text("1\nMsgSeq\n")
    (folder / "blank.txt").write_text("\n \n")
    (folder / "latin.txt").write_bytes(b"1\n\xe9\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.CRITICAL)


def construct(operator: type, name: str, value: Any, **dag_arguments: Any) -> Any:
    arguments = {key: given for key, given in OPERATORS[operator].items() if key != RIVALS.get(name)}
    if operator is ClearGroupHistoryOperator and name not in RIVALS:
        del arguments["clear_all"]
    if operator is RecallGroupMsgOperator and name not in RIVALS:
        del arguments["msg_seqs_path"]
    with DAG("refusals", schedule=None, **dag_arguments):
        return operator(task_id="task", **arguments | {name: value})


@pytest.mark.parametrize(("operator", "name", "value"), MATRIX_WRONG)
def test_a_wrong_argument_is_named_and_nothing_is_sent(emulator, operator, name, value):
    task = construct(operator, name, value)

    with pytest.raises(Exception, match=name if value != "no_such_connection" else value):
        task.execute({})

    assert emulator.stats()["calls"] == {}


@pytest.mark.parametrize(("operator", "name", "native", "value"), MATRIX_NOTHING)
def test_an_argument_that_renders_to_nothing_is_named_and_nothing_is_sent(emulator, operator, name, native, value):
    task = construct(operator, name, "{{ nothing }}", render_template_as_native_obj=native)
    task.render_template_fields({"nothing": value})

    with pytest.raises(AirflowFailException, match=name):
        task.execute({})

    assert emulator.stats()["calls"] == {}


def test_nothing_reaches_the_server_from_a_run_in_which_every_template_is_empty(emulator, make_dag, run_dag):
    with make_dag(params={"nothing": ""}) as dag:
        for operator, arguments in OPERATORS.items():
            for name in arguments:
                given = {key: value for key, value in arguments.items() if key != RIVALS.get(name)}
                if operator is ClearGroupHistoryOperator and name not in RIVALS:
                    del given["clear_all"]
                if operator is RecallGroupMsgOperator and name not in RIVALS:
                    del given["msg_seqs_path"]
                operator(task_id=f"{operator.__name__}.{name}", **given | {name: "{{ params.nothing }}"})

    run = run_dag(dag)

    assert set(run.tasks.values()) == {"failed"}
    assert len(run.errors) == len(run.tasks) == sum(map(len, OPERATORS.values()))
    for task_id, error in run.errors.items():
        assert task_id.split(".")[1] in str(error)
    assert emulator.stats()["calls"] == {}


@pytest.mark.parametrize(
    ("operator", "arguments", "named"),
    [
        (ModifyGroupMsgOperator, {"group_id": "room", "msg_seq": 1}, "msg_body"),
        (ModifyC2CMsgOperator, {"from_account": "a", "to_account": "b", "msg_key": "1_2_3"}, "msg_body"),
        (RecallGroupMsgOperator, {"group_id": "room"}, "msg_seqs"),
        (RecallGroupMsgOperator, {"group_id": "room", "msg_seqs": 1, "msg_seqs_path": "seqs.txt"}, "msg_seqs"),
        (ClearGroupHistoryOperator, {"group_id": "room"}, "msg_seq"),
        (ClearGroupHistoryOperator, {"group_id": "room", "clear_all": False}, "clear_all"),
        (ClearGroupHistoryOperator, {"group_id": "room", "clear_all": "False"}, "clear_all"),
        (ClearGroupHistoryOperator, {"group_id": "room", "msg_seq": 3, "clear_all": True}, "clear_all"),
    ],
)
def test_arguments_that_say_too_little_or_too_much_are_refused(emulator, operator, arguments, named):
    with pytest.raises(AirflowFailException, match=named):
        operator(task_id="task", **arguments).execute({})

    assert emulator.stats()["calls"] == {}


def test_none_from_a_mapping_is_an_argument_that_came_to_nothing(emulator, make_dag, run_dag):
    """``expand`` constructs the operator when it runs: there, None means that an upstream task found nothing."""
    emulator.add_group("room", messages=3)
    with make_dag() as dag:
        RecallGroupMsgOperator.partial(task_id="recall", group_id="room").expand_kwargs(
            [{"msg_seqs": [1]}, {"msg_seqs": [2], "topic_id": None}]
        )

    run = run_dag(dag)

    assert run.tasks == {"recall[0]": "success", "recall[1]": "failed"}
    assert "topic_id" in str(run.errors["recall[1]"])


def test_an_argument_left_out_is_not_an_empty_one(emulator):
    emulator.add_group("room", messages=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", emulator.connection_uri)
        task = RecallGroupMsgOperator(task_id="task", group_id="room", msg_seqs=[3], topic_id=None, reason=None)
        assert task.execute({})["recalled"] == 1


@pytest.mark.parametrize(
    "value", [1, "1", " 1 ", [1], ["1"], "[1]", "['1']", "1-1", "1,1", "1, 1-1,\n1", (1,), {1}, range(1, 2)], ids=repr
)
def test_text_of_the_right_form_is_converted(emulator, value):
    emulator.add_group("room", messages=3)
    assert RecallGroupMsgOperator(task_id="task", group_id="room", msg_seqs=value).execute({})["requested"] == 1


def test_an_error_about_an_argument_does_not_show_message_content(emulator):
    content = "the patient's name"
    for body in ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": [content]}}], f"[{content}", content * 1000):
        with pytest.raises(AirflowFailException) as raised:
            ModifyGroupMsgOperator(task_id="task", group_id="room", msg_seq=1, msg_body=body).execute({})
        assert content not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__cause__.__context__!r}"
