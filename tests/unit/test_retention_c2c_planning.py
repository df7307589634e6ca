"""Rows of a plan for conversations, field by field: what is meant in one, and why one is left alone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from retention_letters import BEGIN, RECALLED, RECENT, ROAM, Letters, letter

from airflow_provider_tencentim.client.errors import TencentIMAuthError, TencentIMTransientError
from airflow_provider_tencentim.retention import c2c_planner
from airflow_provider_tencentim.retention.buckets import Shard, bucket_of
from airflow_provider_tencentim.retention.c2c_planner import C2CPlanner
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import PlanRow

PAIR = ("ann", "bob")
GONE = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]
MARKED = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "marked"}}]


@pytest.fixture
def letters():
    return Letters()


def planning(letters, action="recall", before=BEGIN + 1000, *, holds=(), shard=None, **keys):
    if "accounts" not in keys and "pairs" not in keys:
        keys["pairs"] = [PAIR]
    if action == "redact":
        keys["replacement"] = "gone"
    policy = C2CRetentionPolicy.parse({"action": action, "before": datetime.fromtimestamp(before, UTC), **keys})
    return C2CPlanner(letters, policy, Patterns(holds), shard)


def planned(letters, *args, **keys):
    return list(planning(letters, *args, **keys).rows())


def key(number):
    return f"{number}_1_{BEGIN + number}"


def numbers(rows):
    """The numbers of the letters that rows name."""
    return sorted(int(key.partition("_")[0]) for row in rows for keys in (row.keys or {}).values() for key in keys)


@pytest.mark.parametrize("action", ["recall", "redact"])
def test_a_row_names_each_letter_that_is_meant_by_its_sender(letters, action):
    letters.talk("ann", "bob", 6)
    letters.add(letter("bob", "ann", 6, MsgFlagBits=RECALLED), letter("bob", "ann", 7))

    assert planned(letters, action, BEGIN + 5) == [
        PlanRow(
            pair=PAIR,
            action=action,
            keys={"ann": (key(4), key(2), key(0)), "bob": (key(3), key(1))},
            messages=5,
            oldest=BEGIN,
            newest=BEGIN + 4,
        )
    ]


def test_a_letter_of_the_very_second_of_the_cut_off_stays(letters):
    letters.talk("ann", "bob", 6)

    for before in range(7):
        assert numbers(planned(letters, before=BEGIN + before)) == list(range(before))


def test_nothing_younger_than_the_cut_off_is_read_unless_the_newest_letters_stay(letters):
    letters.talk("ann", "bob", 6)

    planned(letters, before=BEGIN + 3)
    assert {newest for *_, newest in letters.windows()} == {BEGIN + 3}
    letters.sent.clear()
    planned(letters, before=BEGIN + 3, keep_last=1)
    assert {oldest for *_, oldest, _ in letters.windows()} == {0}
    assert all(newest > BEGIN + 6 for *_, newest in letters.windows())


@pytest.mark.parametrize(("keep_last", "meant"), [(1, 7), (2, 7), (3, 6), (8, 1), (9, 0), (100, 0)])
def test_the_newest_letters_stay_whichever_view_shows_them_and_recalled_ones_do_not_count(letters, keep_last, meant):
    letters.talk("ann", "bob", 9)
    letters.add(letter("ann", "bob", 9, MsgFlagBits=RECALLED))
    letters.views["ann", "bob"] = letters.views["ann", "bob"][:4]
    letters.views["bob", "ann"] = letters.views["bob", "ann"][3:]

    rows = planned(letters, before=BEGIN + 7, keep_last=keep_last)
    assert numbers(rows) == list(range(meant))
    assert [row.skip for row in rows] == [None if meant else "nothing_matches"]


def test_the_newest_letters_stay_whether_they_are_meant_or_not(letters):
    letters.talk("ann", "bob", 6)

    assert numbers(planned(letters, from_accounts=["ann"])) == [0, 2, 4]
    assert numbers(planned(letters, from_accounts=["ann"], keep_last=1)) == [0, 2, 4]
    assert numbers(planned(letters, from_accounts=["ann"], keep_last=2)) == [0, 2]


def test_what_is_recalled_is_never_meant_and_what_is_overwritten_only_for_a_recall(letters):
    letters.add(
        letter("ann", "bob", 0, MsgFlagBits=RECALLED),
        letter("ann", "bob", 1, MsgBody=GONE),
        letter("ann", "bob", 2, MsgBody=MARKED),
        letter("bob", "ann", 3, MsgBody=GONE),
    )

    assert numbers(planned(letters, "recall")) == [1, 2, 3]
    assert numbers(planned(letters, "redact")) == [2]
    assert numbers(planned(letters, "recall", text_matches=["mark"])) == [2]
    assert numbers(planned(letters, "redact", text_matches=["gone"])) == []


def test_many_letters_make_several_rows(letters, monkeypatch):
    monkeypatch.setattr(c2c_planner, "_KEYS_PER_ROW", 4)
    letters.talk("ann", "bob", 10)

    rows = planned(letters)
    assert [(row.messages, row.oldest - BEGIN, row.newest - BEGIN) for row in rows] == [(4, 6, 9), (4, 2, 5), (2, 0, 1)]
    assert rows[1].keys == {"bob": (key(5), key(3)), "ann": (key(4), key(2))}
    assert numbers(rows) == list(range(10))


# --- which conversations there are ---


def test_conversations_come_once_in_the_order_in_which_they_are_named(letters):
    for other in ("bob", "cid", "dan"):
        letters.talk("ann", other, 2)
    planning_ = planning(letters, pairs=[["cid", "ann"], ["ann", "bob"]])

    assert [row.pair for row in planning_.rows()] == [("ann", "cid"), ("ann", "bob")]
    assert planning_.listed == 2
    planning_ = planning(letters, accounts=["cid", "ann", "dan"])
    assert [row.pair for row in planning_.rows()] == [("ann", "cid"), ("ann", "bob"), ("ann", "dan")]
    assert planning_.listed == 3
    assert sorted(body["From_Account"] for command, body in letters.sent if command == RECENT) == ["ann", "cid", "dan"]


def test_groups_on_the_list_of_an_account_are_no_conversations(letters):
    letters.talk("ann", "bob", 2)
    letters.sessions["ann"] = [{"Type": 2, "GroupId": "room"}, {"To_Account": "cid"}, *letters.sessions["ann"]]

    assert [row.pair for row in planned(letters, accounts=["ann"])] == [PAIR]


@pytest.mark.parametrize("peer", [None, "", 5, "x" * 33, "a\nb"])
def test_a_list_that_names_no_peer_is_an_error(letters, peer):
    letters.sessions["ann"] = [{"Type": 1, "To_Account": peer}]

    with pytest.raises(TencentIMTransientError, match="no id as its To_Account") as raised:
        planned(letters, accounts=["ann"])
    assert raised.value.command == RECENT


def test_a_peer_of_32_bytes_is_one(letters):
    letters.talk("ann", "x" * 32, 2)

    assert [row.messages for row in planned(letters, accounts=["ann"])] == [2]


def test_the_conversations_of_a_shard_are_those_of_its_buckets_whoever_is_named_first(letters):
    names = [f"peer-{number}" for number in range(40)]
    for name in names:
        letters.talk("ann", name, 1)
    shards = [Shard(number, 3) for number in (1, 2, 3)]

    found = [[row.pair for row in planned(letters, accounts=["ann"], shard=shard)] for shard in shards]
    for shard, pairs in zip(shards, found, strict=True):
        assert pairs == [("ann", name) for name in names if shard.holds(bucket_of(f"ann\n{name}"))]
    assert min(map(len, found)) > 5
    planning_ = planning(letters, accounts=["ann"], shard=shards[0])
    list(planning_.rows())
    assert planning_.listed == 40


# --- why one is left alone ---


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"holds": ["ann"]}, "held"),
        ({"holds": ["b*"]}, "held"),
        ({"exclude_accounts": ["ann"]}, "excluded"),
        ({"exclude_accounts": ["b*"]}, "excluded"),
        ({"holds": ["bob"], "exclude_accounts": ["ann"]}, "held"),
    ],
)
def test_a_side_on_hold_or_excluded_keeps_the_conversation_from_being_read(letters, keys, reason):
    letters.talk("ann", "bob", 2)

    assert planned(letters, **keys) == [PlanRow(pair=PAIR, skip=reason)]
    assert letters.windows() == []


def test_a_conversation_in_which_nothing_is_meant_says_so(letters):
    letters.talk("ann", "bob", 2)

    assert planned(letters, before=BEGIN) == [PlanRow(pair=PAIR, skip="nothing_matches")]
    assert planned(letters, pairs=[["ann", "zoe"]]) == [PlanRow(pair=("ann", "zoe"), skip="nothing_matches")]


@pytest.mark.parametrize(("code", "reason"), [(10010, "not_found"), (10007, "error_10007")])
@pytest.mark.parametrize("side", [PAIR, PAIR[::-1]])
def test_a_conversation_that_is_refused_is_left_alone_and_the_others_are_not(letters, code, reason, side):
    letters.talk("ann", "bob", 2)
    letters.talk("ann", "cid", 2)
    letters.fail(*side, code)

    refused, other = planned(letters, accounts=["ann"])
    assert refused == PlanRow(pair=PAIR, skip=reason)
    assert other.messages == 2


@pytest.mark.parametrize(("code", "error"), [(10002, TencentIMTransientError), (70009, TencentIMAuthError)])
def test_a_refusal_that_says_nothing_of_the_conversation_ends_the_plan(letters, code, error):
    letters.talk("ann", "bob", 2)
    letters.fail("ann", "bob", code)

    with pytest.raises(error) as raised:
        planned(letters)
    assert raised.value.code == code


# --- side by side ---


def test_a_conversation_that_takes_long_holds_up_no_other_and_still_comes_first(letters):
    names = [f"peer-{number:02}" for number in range(12)]
    for name in names:
        letters.talk("ann", name, 2)
    came = threading.Event()

    def wait(command, body):
        if command == ROAM and body["Peer_Account"] == names[-1]:
            came.set()
        if command == ROAM and body["Peer_Account"] == names[0]:
            assert came.wait(5)

    letters.before = wait
    assert [row.pair[1] for row in planned(letters, accounts=["ann"])] == names
    assert letters.paced_by == {ROAM}


class Stopped(BaseException):
    """What stops a task from outside."""


def test_a_plan_that_is_stopped_from_outside_ends_its_reads(letters):
    def stop(command, body):
        raise Stopped

    letters.before = stop
    with pytest.raises(Stopped):
        planned(letters, accounts=["ann"])
    assert letters.cancelled.is_set()
