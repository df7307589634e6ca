"""Plans against a full computation of what is meant, and what a plan never holds."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from retention_world import (
    BEGIN,
    DAY,
    HISTORY,
    INFO,
    Client,
    World,
    meant,
    planned_seqs,
    rows_by_group,
    skips,
    texts,
    through_of,
)

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import (
    TencentIMAuthError,
    TencentIMPermissionError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.retention import planner
from airflow_provider_tencentim.retention.plan import PlanRow

ACTIONS = ("clear", "recall", "redact", "redact_and_recall")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


@pytest.fixture
def world(emulator, tmp_path):
    world = World(emulator, tmp_path)
    yield world
    world.close()


@pytest.fixture
def generated(world):
    world.emulator.generate(16, 25, seed=5)
    return world


@pytest.fixture
def steady(world):
    """Only groups whose history has no large gaps, which cost many reads."""
    world.emulator.generate(6, 60, seed=5)
    return world


def assert_complete(world, plan, action, cut_off, *, keep_last=0, held=(), excluded=(), **filters):
    """Compare the rows of a plan with what all messages of the app say."""
    found = rows_by_group(plan)
    groups = world.emulator.state()["groups"]
    assert found.keys() == groups.keys()
    acting = 0
    for name, group in groups.items():
        rows = found[name]
        reasons = {row.skip for row in rows}
        expected = meant(group["messages"], action, cut_off, keep_last=keep_last, **filters)
        if name in held:
            assert reasons == {"held"}
        elif name in excluded:
            assert reasons == {"excluded"}
        elif group["Type"] == "AVChatRoom":
            assert reasons == {"no_history"}
        elif group["Type"] == "Community" and action == "clear":
            assert reasons == {"cannot_be_cleared"}
        elif not expected:
            assert reasons <= {"nothing_older", "nothing_matches", "kept", "empty"}, name
        else:
            acting += 1
            assert reasons == {None}
            if action == "clear":
                assert [(row.lower, row.ranges, row.messages) for row in rows] == [(0, None, rows[0].through)]
            else:
                assert planned_seqs(rows) == expected
            assert rows[-1].through == through_of(group["messages"], cut_off, keep_last)
            assert {(row.type, row.create_time, row.action) for row in rows} == {
                (group["Type"], group["CreateTime"], action)
            }
            if action != "clear":
                times = [one["MsgTimeStamp"] for one in group["messages"] if one["MsgSeq"] in expected]
                assert {(row.oldest, row.newest) for row in rows} == {(min(times), max(times))}
    header = plan.header
    assert header.messages == sum(row.messages for row in plan.rows())
    assert header.groups == sum(row.action is not None for row in plan.rows())
    assert header.skipped == Counter(row.skip for row in plan.rows() if row.skip)
    assert world.written() == 0
    return acting


# --- against the full computation ---


@pytest.mark.parametrize(
    ("action", "days"), [(action, 1) for action in ACTIONS] + [("clear", 100), ("recall", 100), ("redact", 1000)]
)
def test_a_plan_holds_all_that_is_meant_and_nothing_else(generated, action, days):
    cut_off = int(generated.emulator.now()) - days * DAY
    plan = generated.plan(action, cut_off)

    acting = assert_complete(generated, plan, action, cut_off)

    assert acting >= {1: 6, 100: 3, 1000: 0}[days]


@pytest.mark.parametrize(("action", "keep_last"), [("clear", 1), ("recall", 7), ("clear", 30), ("recall", 10_000)])
def test_the_newest_messages_stay(generated, action, keep_last):
    cut_off = int(generated.emulator.now()) - 2 * DAY
    plan = generated.plan(action, cut_off, keep_last=keep_last)

    assert_complete(generated, plan, action, cut_off, keep_last=keep_last)


@pytest.mark.parametrize("action", ["recall", "redact"])
def test_only_messages_of_some_senders_and_texts_are_meant(steady, action):
    cut_off = int(steady.emulator.now()) - 30 * DAY
    everybody = [one for group in steady.emulator.state()["groups"].values() for one in group["messages"]]
    senders = tuple(name for name, _ in Counter(one["From_Account"] for one in everybody).most_common(12)[1:])
    words = Counter(
        word
        for one in everybody
        if one["state"] == "normal" and not one["system"]
        for text in texts(one)
        for word in re.findall(r"[A-Za-z]{4,}", text)
    )
    expression = words.most_common(1)[0][0]

    by_sender = steady.plan(action, cut_off, from_accounts=list(senders))
    assert assert_complete(steady, by_sender, action, cut_off, senders=senders) >= 3
    by_text = steady.plan(action, cut_off, text_matches=[expression])
    assert assert_complete(steady, by_text, action, cut_off, expression=expression) > 0
    by_both = steady.plan(action, cut_off, text_matches=[expression], from_accounts=list(senders), keep_last=3)
    assert_complete(steady, by_both, action, cut_off, expression=expression, senders=senders, keep_last=3)


def test_groups_on_hold_and_excluded_ones_are_left_alone(steady):
    names = sorted(steady.emulator.state()["groups"])
    cut_off = int(steady.emulator.now()) - 10 * DAY
    plan = steady.plan(
        "recall",
        cut_off,
        holds=(names[3], names[5], "no-such-group"),
        exclude_groups=[names[4], f"{names[0][:-1]}[0-2]"],
    )

    excluded = {names[4]} | {name for name in names if name[:-1] == names[0][:-1] and name[-1] in "012"}
    assert len(excluded) > 1
    assert_complete(
        steady, plan, "recall", cut_off, held={names[3], names[5]}, excluded=excluded - {names[3], names[5]}
    )
    assert plan.header.holds


@pytest.mark.parametrize("reading", ["seqs", "shown"])
def test_both_readings_of_a_page_lead_to_the_same_plan(steady, reading):
    steady.emulator.assume({"req_number_counts": reading})
    cut_off = int(steady.emulator.now()) - 20 * DAY

    assert assert_complete(steady, steady.plan("recall", cut_off), "recall", cut_off) >= 4


def test_long_histories_are_planned_like_short_ones(steady, monkeypatch):
    cut_off = int(steady.emulator.now()) - 20 * DAY
    short = steady.plan("recall", cut_off)
    monkeypatch.setattr(planner, "LONG_HISTORY", 5)
    long = steady.plan("recall", cut_off)

    assert list(long.rows()) == list(short.rows())


def test_very_many_ranges_make_several_rows_that_follow_one_another(world, monkeypatch):
    monkeypatch.setattr(planner, "_RANGES_PER_ROW", 4)
    world.emulator.add_group(
        "gaps", messages=[{"MsgSeq": seq, "MsgBody": "x", "MsgTimeStamp": BEGIN + seq} for seq in range(1, 80, 2)]
    )
    plan = world.plan("recall", BEGIN + 70)

    rows = list(plan.rows())
    assert [row.lower for row in rows] == [0, *(row.through for row in rows[:-1])]
    assert len(rows) == 9
    assert planned_seqs(rows) == set(range(1, 70, 2))
    assert rows[-1].through == 69


# --- hand-made cases ---


def test_a_message_of_the_very_second_of_the_cut_off_stays(world):
    world.group("room", [0, 1, 2, 2, 2, 3])

    for before, seqs in ((BEGIN, set()), (BEGIN + 1, {1}), (BEGIN + 2, {1, 2}), (BEGIN + 3, {1, 2, 3, 4, 5})):
        assert planned_seqs(list(world.plan("recall", before).rows())) == seqs


def test_what_is_gone_and_what_is_no_message_is_never_planned_for_a_recall(world):
    states = ["normal", "recalled", "expired", "normal", "recalled", "normal"]
    messages = [{"MsgBody": "x", "MsgTimeStamp": BEGIN + n, "state": state} for n, state in enumerate(states)]
    messages.insert(3, {"MsgBody": {"OpType": 1}, "IsSystemMsg": 1, "MsgTimeStamp": BEGIN + 2})
    world.emulator.add_group("room", messages=messages)

    for action in ACTIONS[1:]:
        (row,) = world.plan(action).rows()
        assert (row.ranges, row.messages, row.through) == ("1, 5, 7", 3, 7)
    (row,) = world.plan("clear").rows()
    assert (row.ranges, row.messages, row.through) == (None, 7, 7)


def test_what_is_overwritten_already_is_planned_for_a_recall_only(world):
    bodies = ["removed", "secret", "removed", "removed "]
    world.emulator.add_group("room", messages=[{"MsgBody": b, "MsgTimeStamp": BEGIN} for b in bodies])

    assert [row.ranges for row in world.plan("redact").rows()] == ["2, 4"]
    assert [row.ranges for row in world.plan("redact_and_recall").rows()] == ["1-4"]


REASONS = {
    "empty": ("empty", lambda world: world.emulator.add_group("room", create_time=BEGIN)),
    "all newer": ("nothing_older", lambda world: world.group("room", [5000, 6000])),
    "born later, without a read": (
        "nothing_older",
        lambda world: world.group("room", [5000], create_time=BEGIN + 4000),
    ),
    "only tips": (
        "nothing_matches",
        lambda world: world.emulator.add_group(
            "room", messages=[{"MsgBody": {"OpType": 1}, "IsSystemMsg": 1, "MsgTimeStamp": BEGIN}]
        ),
    ),
    "live": ("no_history", lambda world: world.emulator.add_group("room", "AVChatRoom", create_time=BEGIN)),
    "another type": ("group_type", lambda world: world.group("room", type="Private")),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_group_in_which_nothing_is_meant_is_skipped_with_the_reason(world, name):
    reason, make = REASONS[name]
    make(world)

    # Spelt out, a group is planned for whatever its type.
    plan = world.plan("recall", groups=["room"], group_types=["Public", "AVChatRoom"])

    assert skips(plan) == {"room": reason}
    assert (plan.header.groups, plan.header.messages, plan.header.skipped) == (0, 0, {reason: 1})
    if reason != "nothing_matches" and name != "all newer":
        assert world.calls(HISTORY) == 0


def test_newer_names_of_types_are_those_of_the_older_ones(world):
    world.group("work", type="Work")
    world.group("meeting", type="Meeting")
    world.group("public")

    plan = world.plan("recall", group_types=["Work", "Meeting"])

    assert {row.group: row.type for row in plan.rows()} == {"work": "Private", "meeting": "ChatRoom"}
    assert plan.header.groups == 2


def test_overrides_say_what_becomes_of_some_groups(world):
    for name in ("deal-1", "deal-2", "support", "other", "kept"):
        world.group(name, 20)
    plan = world.plan(
        "clear",
        BEGIN + 10,
        exclude_groups=["kept"],
        overrides=[
            {"groups": ["deal-2"], "keep_last": 15},
            {"groups": ["deal-*"], "action": "redact", "replacement": "removed", "before": "2025-06-15T15:06:45Z"},
            {"groups": ["support", "not-selected"], "exclude_groups": ["support"]},
        ],
    )

    rows = {row.group: (row.action, row.through, row.ranges, row.skip) for row in plan.rows()}
    assert rows == {
        "deal-1": ("redact", 5, "1-5", None),
        "deal-2": ("clear", 5, None, None),
        "support": (None, 0, None, "excluded"),
        "other": ("clear", 10, None, None),
        "kept": (None, 0, None, "excluded"),
    }


def test_an_override_does_not_widen_what_the_policy_names(world):
    for name in ("a", "b"):
        world.group(name)
    plan = world.plan("recall", groups=["a"], overrides=[{"groups": ["*"], "before": "2030-01-01"}])

    assert [row.group for row in plan.rows()] == ["a"]


def test_ids_that_do_not_exist_are_skipped_and_named(world):
    world.group("there")
    plan = world.plan("recall", groups=["there", "gone", "the*", "nowhere-*"])

    assert skips(plan) == {"gone": "not_found"}
    assert [row.group for row in plan.rows() if row.action] == ["there"]


def test_ids_that_are_spelt_out_need_no_list(world):
    world.group("a")
    plan = world.plan("recall", groups=["a", "b"], client=world.connect(allowed_commands=[INFO, HISTORY]))

    assert len(list(plan.rows())) == 2
    assert world.planned.listed == 2


def test_a_group_that_the_list_names_twice_is_planned_once(world, monkeypatch):
    for name in ("a", "b", "c"):
        world.group(name)
    real = Client.iter_groups

    def twice(self, group_type=None):
        yield from real(self, group_type)
        yield from real(self, group_type)

    monkeypatch.setattr(Client, "iter_groups", twice)

    assert sorted(row.group for row in world.plan(groups=["a", "*"]).rows()) == ["a", "b", "c"]


def test_strange_ids_are_planned_under_their_own_names(world):
    names = ["../../up", "with blank ", "@TGS#_@TGS#c1", "[x]", "a*", "~", "%2e%2e"]
    for name in names:
        world.group(name)

    assert sorted(row.group for row in world.plan().rows()) == sorted(names)
    assert [row.group for row in world.plan(groups=["[[]x]"]).rows()] == ["[x]"]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_shards_share_out_the_groups_exactly(world, count):
    for number in range(40):
        world.group(f"room-{number}", 2)
    whole = {row.group: row for row in world.plan().rows()}
    parts = [world.plan(shard=f"{number}/{count}") for number in range(1, count + 1)]

    rows = [row for part in parts for row in part.rows()]
    assert {row.group: row for row in rows} == whole
    assert len(rows) == 40
    assert [part.header.shard for part in parts] == [f"{number}/{count}" for number in range(1, count + 1)]
    assert len({part.folder.name for part in parts}) == count


def test_two_plans_of_the_same_app_have_the_same_rows_in_the_same_order(steady):
    cut_off = int(steady.emulator.now()) - 30 * DAY

    assert list(steady.plan("recall", cut_off).rows()) == list(steady.plan("recall", cut_off).rows())


# --- what may happen meanwhile ---


@pytest.mark.parametrize("long", [0, 10_000])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_group_that_is_dissolved_while_it_is_planned_is_skipped(world, monkeypatch, long, at):
    monkeypatch.setattr(planner, "LONG_HISTORY", long)
    world.group("a", 100)
    world.group("b", 5)
    reads = 0

    def dissolve(command, body):
        nonlocal reads
        if command == HISTORY and body["GroupId"] == "a":
            reads += 1
            if reads == at:
                world.connect().destroy_group("a")

    world.client.before = dissolve
    plan = world.plan("recall", BEGIN + 90)

    assert skips(plan) == {"a": "not_found"}
    assert [row.group for row in plan.rows() if row.action] == ["b"]


def test_a_group_that_may_not_be_read_is_skipped_with_the_code(world):
    world.group("a")
    world.group("b")
    world.emulator.add_fault(command=HISTORY, group="a", error_code=10007)

    plan = world.plan("recall")

    assert skips(plan) == {"a": "error_10007"}
    assert plan.header.groups == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"command": HISTORY, "group": "a", "error_code": 10002}, TencentIMTransientError),
        ({"command": HISTORY, "group": "a", "error_code": 60016}, TencentIMPermissionError),
        ({"command": INFO, "error_code": 10002}, TencentIMTransientError),
        ({"command": INFO, "error_code": 70009}, TencentIMAuthError),
        ({"command": HISTORY, "group": "a", "body": "malformed"}, TencentIMTransientError),
    ],
)
def test_what_must_be_known_and_cannot_be_read_ends_the_plan(world, fault, error):
    world.group("a")
    world.group("b")
    world.emulator.add_fault(**fault)

    with pytest.raises(error):
        world.plan("recall")
    assert (world.folder / "plan-1" / "header.json").read_bytes() == b""


def test_a_connection_that_only_reads_will_do(world):
    world.group("room")
    plan = world.plan("recall", client=world.connect(allowed_commands="read"))

    assert plan.header.groups == 1
    assert world.written() == 0


# --- what earlier runs did ---


def test_only_what_is_new_is_planned_behind_what_a_state_knows(world):
    for name in ("old", "grows", "quiet"):
        world.group(name, 10)
    state = world.folder / "state"
    first = world.plan("recall", BEGIN + 5, state_path=state)
    world.sweep(first, state_path=state)
    world.emulator.add_group_message("grows", {"MsgBody": "x", "MsgTimeStamp": BEGIN + 20})
    world.client.before = None
    again = world.plan("recall", BEGIN + 5, state_path=state)
    later = world.plan("recall", BEGIN + 100, state_path=state)

    assert first.header.incremental
    assert skips(again) == {"old": "nothing_new", "grows": "nothing_new", "quiet": "nothing_new"}
    assert {row.group: (row.lower, row.through, row.ranges) for row in later.rows()} == {
        "old": (5, 10, "6-10"),
        "grows": (5, 11, "6-11"),
        "quiet": (5, 10, "6-10"),
    }
    assert {row.group: row.ranges for row in world.plan("redact", BEGIN + 100, state_path=state).rows()} == {
        "old": "6-10",
        "grows": "6-11",
        "quiet": "6-10",
    }
    assert not world.plan("recall", BEGIN + 100).header.incremental


def test_a_group_that_is_done_through_its_newest_message_is_not_read(world):
    world.group("room", 10)
    state = world.folder / "state"
    world.sweep(world.plan("recall", state_path=state), state_path=state)
    reads = world.calls(HISTORY)

    assert skips(world.plan("recall", state_path=state)) == {"room": "nothing_new"}
    assert world.calls(HISTORY) == reads


def test_a_group_that_was_made_anew_is_planned_from_its_beginning(world):
    world.group("room", 10)
    state = world.folder / "state"
    world.sweep(world.plan("recall", state_path=state), state_path=state)
    world.client.destroy_group("room")
    world.group("room", [500, 501, 502])

    (row,) = world.plan("recall", state_path=state).rows()
    assert (row.lower, row.through, row.ranges) == (0, 3, "1-3")


def test_a_state_that_is_broken_ends_the_plan(world):
    world.group("room", 10)
    state = world.folder / "state"
    world.sweep(world.plan("recall", state_path=state), state_path=state)
    (file,) = state.rglob("*.json")
    file.write_bytes(b"{")

    with pytest.raises(ValueError, match=f"state_path: {file.name}"):
        world.plan("recall", state_path=state)


def test_the_header_says_what_the_plan_is(world):
    world.group("room")
    plan = world.plan("recall", BEGIN + 3, holds=("x",))

    header = plan.header
    assert (header.chat, header.sdkappid, header.base_url) == ("group", world.emulator.sdkappid, world.emulator.url)
    assert header.cut_off == "2025-06-15T15:06:43+00:00"
    assert header.policy["before"] == header.cut_off
    assert (header.run, header.shard, header.holds, header.incremental) == ({"dag_id": "test"}, "1/1", True, False)
    assert world.planned.summary()["messages"] == 3
    assert list(plan.rows()) == [
        PlanRow(
            group="room",
            type="Public",
            create_time=BEGIN - 1,
            action="recall",
            through=3,
            ranges="1-3",
            messages=3,
            oldest=BEGIN,
            newest=BEGIN + 2,
        )
    ]
