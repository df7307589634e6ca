"""A row of a plan: what it names is what it counts, whoever wrote it."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.client.seqs import LAST_SEQ
from airflow_provider_tencentim.retention.history import LATEST
from airflow_provider_tencentim.retention.plan import Plan, PlanRow, PlanWriter

NAMED = {"group": "room", "action": "recall", "through": 50, "ranges": "1-5, 9", "messages": 6}
CLEARED = {"group": "room", "action": "clear", "through": 50, "lower": 20, "messages": 30}
PAIR = {"pair": ["a", "b"], "action": "recall", "keys": {"a": ["1_2_3", "4_5_6"], "b": ["7_8_9"]}, "messages": 3}
MISCOUNTED = "^a row counts another number of messages than it names"
BEYOND = "^a row names messages that lie beyond its MsgSeqs, or in no order"


def changed(row, change):
    return {name: value for name, value in (row | change).items() if value is not None}


@pytest.mark.parametrize(
    "row",
    [
        NAMED,
        NAMED | {"lower": 0},
        NAMED | {"action": "redact", "through": 9},
        NAMED | {"action": "redact_and_recall", "ranges": "5-9, 11-11", "lower": 4},
        NAMED | {"ranges": "7", "messages": 1},
        NAMED | {"ranges": f"1-{LAST_SEQ}", "through": LAST_SEQ, "messages": LAST_SEQ},
        CLEARED,
        CLEARED | {"lower": 49, "messages": 1},
        CLEARED | {"oldest": LATEST, "newest": 1, "create_time": LATEST, "type": "Public"},
        PAIR,
        PAIR | {"action": "redact", "keys": {"b": ["7_8_9"]}, "messages": 1},
        {"group": "room", "skip": "held", "through": 9, "messages": 0},
        {"pair": ["a", "b"], "skip": "held"},
        {"group": "x" * 48, "skip": "held"},
        {"pair": ["x" * 32, "y" * 32], "skip": "held"},
    ],
    ids=repr,
)
def test_a_row_that_counts_what_it_names_is_one(row):
    read = PlanRow.from_dict(row)
    assert read.messages == row.get("messages", 0)
    assert PlanRow.from_dict(read.to_dict()) == read


def test_the_first_second_of_all_is_a_time():
    assert PlanRow.from_dict(CLEARED | {"newest": 0}).newest == 0


def test_a_row_is_read_as_what_it_was():
    assert PlanRow.from_dict(PAIR) == PlanRow(
        pair=("a", "b"), action="recall", keys={"a": ("1_2_3", "4_5_6"), "b": ("7_8_9",)}, messages=3
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"messages": 5}, MISCOUNTED),
        ({"messages": 7}, MISCOUNTED),
        ({"messages": None}, MISCOUNTED),
        ({"through": 8}, BEYOND),
        ({"lower": 1}, BEYOND),
        ({"ranges": "1-5, 5", "messages": 6}, BEYOND),
        ({"ranges": "9, 1-5"}, BEYOND),
        ({"ranges": "5-1"}, BEYOND),
        ({"ranges": "1-5, 51"}, BEYOND),
        ({"ranges": None}, "^a row does not name its messages"),
        ({"ranges": None, "messages": None}, "^a row does not name its messages"),
        ({"keys": {"a": ["1_2_3"]}}, "^a row does not name its messages"),
    ],
    ids=repr,
)
def test_a_row_of_a_group_that_names_other_messages_is_refused(change, told):
    with pytest.raises(ValueError, match=told):
        PlanRow.from_dict(changed(NAMED, change))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"messages": 29}, MISCOUNTED),
        ({"messages": 31}, MISCOUNTED),
        ({"lower": 50, "messages": None}, MISCOUNTED),
        ({"lower": 51, "messages": None}, MISCOUNTED),
        ({"ranges": "21-50"}, "^a row that clears names messages"),
        ({"keys": {"a": ["1_2_3"]}}, "^a row that clears names messages"),
    ],
    ids=repr,
)
def test_a_row_that_clears_other_messages_than_it_counts_is_refused(change, told):
    with pytest.raises(ValueError, match=told):
        PlanRow.from_dict(changed(CLEARED, change))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"messages": 2}, MISCOUNTED),
        ({"messages": 4}, MISCOUNTED),
        ({"keys": {"a": []}, "messages": None}, MISCOUNTED),
        ({"keys": {}, "messages": None}, "^a row of a conversation has another action, or does not name its messages"),
        ({"keys": None}, "^a row of a conversation has another action, or does not name its messages"),
        ({"action": "clear"}, "^a row of a conversation has another action, or does"),
        ({"action": "redact_and_recall"}, "^a row of a conversation has another action, or does"),
        ({"ranges": "1-3"}, "^a row of a conversation has another action, or does"),
        ({"keys": {"a": ["1_2"]}, "messages": 1}, "a row's keys is not as it should be"),
        ({"keys": {"": ["1_2_3"]}, "messages": 1}, "a row's keys"),
        ({"keys": {"x" * 33: ["1_2_3"]}, "messages": 1}, "a row's keys"),
        ({"pair": ["a", "x" * 33]}, "a row's pair is not as it should be"),
        ({"pair": ["a", ""]}, "a row's pair"),
    ],
    ids=repr,
)
def test_a_row_of_a_conversation_that_names_other_messages_is_refused(change, told):
    with pytest.raises(ValueError, match=told):
        PlanRow.from_dict(changed(PAIR, change))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("group", "x" * 49),
        ("group", "\ud800"),
        ("create_time", LATEST + 1),
        ("oldest", LATEST + 1),
        ("newest", -1),
        ("lower", LAST_SEQ + 1),
        ("messages", -1),
        ("messages", True),
        ("ranges", ""),
        ("type", ""),
        ("skip", ""),
    ],
)
def test_a_field_that_no_planner_could_write_is_named(field, value):
    with pytest.raises(ValueError, match=f"a row's {field} is not as it should be"):
        PlanRow.from_dict(NAMED | {field: value})


def test_a_field_that_nobody_knows_is_named_and_not_at_length():
    with pytest.raises(ValueError, match=r"unknown field 'a'$"):
        PlanRow.from_dict(NAMED | {"z": 1, "a": 1})
    with pytest.raises(ValueError, match=r"unknown field 'x{40}'$"):
        PlanRow.from_dict(NAMED | {"x" * 41: 1})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"skip": "held"},
        {"group": "a"},
        {"group": "a", "pair": ("a", "b"), "skip": "held"},
        {"group": "a", "action": "clear", "skip": "held"},
    ],
    ids=repr,
)
def test_a_row_is_of_one_chat_and_has_one_fate(fields):
    with pytest.raises(ValueError, match=r"^a row names a group or a pair, and an action or why it is skipped"):
        PlanRow(**fields)


def test_what_is_nothing_is_not_stored():
    assert PlanRow(group="a", skip="held").to_dict() == {"group": "a", "skip": "held"}
    assert PlanRow.from_dict(CLEARED).to_dict() == CLEARED


# --- among others ---


def written(folder, *rows, chat="group"):
    writer = PlanWriter(folder)
    for row in rows:
        writer.add(PlanRow.from_dict(row))
    fields = {"sdkappid": 1, "base_url": "u", "policy": {}, "cut_off": "c", "created": 1}
    _, digest = writer.finish(chat=chat, run={}, shard="1/1", holds=False, incremental=False, **fields)
    return Plan(folder, digest)


@pytest.mark.parametrize(("row", "chat"), [(NAMED, "c2c"), (PAIR, "group")])
def test_a_row_has_no_place_among_those_of_the_other_kind(tmp_path, row, chat):
    plan = written(tmp_path, row, chat=chat)

    with pytest.raises(ValueError, match=r"rows-00000\.jsonl has a row of another kind of chat"):
        plan.verify()


@pytest.mark.parametrize("counts", [{"messages": 35}, {"messages": 37}, {"groups": 1}, {"groups": 3}])
def test_a_header_that_counts_other_rows_is_refused(tmp_path, counts):
    plan = written(tmp_path, NAMED, {"group": "x", "skip": "held"}, CLEARED)
    plan.verify()
    for name, count in counts.items():
        object.__setattr__(plan.header, name, count)

    with pytest.raises(ValueError, match=r"not those that its header\.json counts"):
        plan.verify()
