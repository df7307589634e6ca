"""Retention of one-to-one conversations: both sides, both views, exactly what was planned."""

from __future__ import annotations

import pytest
from retention_world import BEGIN, DAY, REMOVED, MemoryStore, World, report_of, skips

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.errors import TencentIMError, TencentIMPermissionError
from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.retention import c2c_actions, c2c_planner

WITHDRAW, MODIFY, HIDE = "openim/admin_msgwithdraw", "openim/modify_c2c_msg", "openim/delete_c2c_msg_ramble"
ROAM, RECENT = "openim/admin_getroammsg", "recentcontact/get_list"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    monkeypatch.setattr(transport, "SLOW_DOWN_SECONDS", 0.0)


@pytest.fixture
def world(emulator, tmp_path):
    world = World(emulator, tmp_path)
    yield world
    world.close()


@pytest.fixture(params=[False, True], ids=["short", "long"])
def rows_are_long(request, monkeypatch):
    """Rows are carried out side by side, or one after the other with their calls side by side."""
    monkeypatch.setattr(c2c_actions, "_LONG_ROW", -1 if request.param else 10_000)


def talk(world, one="ann", other="bob", count=10, **fields):
    """A conversation of one message a second, from either side in turn; return the keys."""
    return [
        world.emulator.add_c2c_message(
            *((one, other) if number % 2 == 0 else (other, one)),
            {"MsgBody": f"letter {number}", "MsgTimeStamp": BEGIN + number, **fields},
        )
        for number in range(count)
    ]


def letters(world):
    return {tuple(one["accounts"]): one["messages"] for one in world.emulator.state()["c2c"]}


def planned(plan):
    """The sender and MsgKey of all that is planned, by conversation."""
    found = {}
    for row in plan.rows():
        if row.action is not None:
            keys = [(sender, key) for sender, keys in row.keys.items() for key in keys]
            assert len(keys) == row.messages
            assert len(set(keys)) == len(keys)
            assert not set(keys) & found.setdefault(row.pair, set())
            found[row.pair] |= set(keys)
    return found


def meant(messages, cut_off, *, action="recall", keep_last=0, senders=(), text=""):
    """The sender and MsgKey of what is meant, from all messages of a conversation."""
    seen = [one for one in messages if one["state"] == "normal" and len(one["hidden_from"]) < 2]
    seen = seen[: max(0, len(seen) - keep_last)]
    return {
        (one["From_Account"], one["MsgKey"])
        for one in seen
        if one["MsgTimeStamp"] < cut_off
        and (not senders or one["From_Account"] in senders)
        and text in str(one["MsgBody"])
        and (action == "recall" or one["MsgBody"] != REMOVED)
    }


def expected_after(before, plan, action):
    """All conversations when exactly what was planned was done."""
    done = planned(plan)
    change = {"state": "recalled"} if action == "recall" else {"MsgBody": REMOVED, "modified": True}
    return {
        pair: [one | change if (one["From_Account"], one["MsgKey"]) in done.get(pair, ()) else one for one in messages]
        for pair, messages in before.items()
    }


# --- plans ---


@pytest.mark.parametrize("action", ["recall", "redact"])
@pytest.mark.parametrize("days", [1, 30])
def test_a_plan_holds_all_that_is_meant_and_nothing_else(world, action, days):
    world.emulator.generate(8, 30, seed=4)
    cut_off = int(world.emulator.now()) - days * DAY
    before = letters(world)
    accounts = sorted({pair[0] for pair in before})
    plan = world.plan(action, cut_off, accounts=accounts)

    expected = {pair: meant(messages, cut_off, action=action) for pair, messages in before.items()}
    assert planned(plan) == {pair: keys for pair, keys in expected.items() if keys}
    assert plan.header.chat == "c2c"
    assert plan.header.messages == sum(map(len, expected.values()))
    assert world.written() == 0
    for row in plan.rows():
        if row.action is not None:
            times = [one["MsgTimeStamp"] for one in before[row.pair] if one["MsgKey"] in sum(row.keys.values(), ())]
            assert (row.oldest, row.newest) == (min(times), max(times))


def test_pairs_are_planned_once_whichever_side_is_named_first(world):
    talk(world, "ann", "bob")
    talk(world, "bob", "cid")
    plan = world.plan(pairs=[["bob", "ann"], ["cid", "bob"], ["ann", "nobody"]])
    by_account = world.plan(accounts=["ann", "bob", "cid"])

    assert planned(plan).keys() == {("ann", "bob"), ("bob", "cid")}
    assert planned(plan) == planned(by_account)
    assert skips(plan) == {"ann / nobody": "not_found"}
    world.emulator.add_accounts("silent")
    assert skips(world.plan(pairs=[["ann", "silent"]])) == {"ann / silent": "nothing_matches"}
    world.plan(accounts=["ann", "bob", "cid"])
    assert (world.planned.listed, len(list(by_account.rows()))) == (2, 2)


def test_a_message_of_the_very_second_of_the_cut_off_stays(world):
    talk(world, count=6)
    for before in range(7):
        plan = world.plan(before=BEGIN + before, pairs=[["ann", "bob"]])
        assert plan.header.messages == before


@pytest.mark.parametrize("included", [True, False])
@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
def test_whether_the_ends_of_a_window_belong_to_it_makes_no_difference(world, included, keeps):
    world.emulator.assume({"roam_min_time_included": included, "roam_max_time_included": included})
    talk(world, count=9)
    before = letters(world)
    plan = world.plan(before=BEGIN + 5, pairs=[["ann", "bob"]])
    report = report_of(world.sweep(plan, archive_to=world.folder / "archive" if keeps else None))

    assert plan.header.messages == 5
    assert report.summary["done"] == 5
    assert letters(world) == expected_after(before, plan, "recall")


def test_what_one_side_lost_is_still_that_of_the_other(world):
    keys = talk(world, count=8)
    client = world.client
    client.delete_c2c_msg_ramble("ann", "bob", [keys[0], keys[1], keys[4]])
    client.delete_c2c_msg_ramble("bob", "ann", [keys[2], keys[3], keys[4]])
    world.emulator.reset(keep_groups=True)
    world.emulator.assume({"extra_calls_per_second": 1_000_000})
    before = letters(world)
    plan = world.plan(pairs=[["ann", "bob"]])

    seen = {key for pair in planned(plan).values() for _, key in pair}
    assert seen == set(keys) - {keys[4]}  # nobody sees it, and nothing lists it
    archive = world.folder / "archive"
    report = report_of(world.sweep(plan, archive_to=archive))
    assert report.summary["done"] == 7
    assert letters(world) == expected_after(before, plan, "recall")


@pytest.mark.parametrize("senders", [["ann"], ["bob"], ["ann", "bob"]])
def test_messages_that_share_a_key_are_told_apart_by_their_senders(world, senders):
    same = {"MsgSeq": 5, "MsgRandom": 6, "MsgTimeStamp": BEGIN}
    for one, other in (("ann", "bob"), ("bob", "ann")):
        world.emulator.add_c2c_message(one, other, {"MsgBody": f"of {one}", **same})
    before = letters(world)
    plan = world.plan(pairs=[["ann", "bob"]], from_accounts=senders)

    assert planned(plan) == {("ann", "bob"): {(sender, f"5_6_{BEGIN}") for sender in senders}}
    assert report_of(world.sweep(plan, archive_to=world.folder / "archive")).summary["done"] == len(senders)
    assert letters(world) == expected_after(before, plan, "recall")


@pytest.mark.parametrize("keep_last", [1, 3, 9, 10, 100])
def test_the_newest_messages_stay_whoever_sent_them_and_whatever_their_age(world, keep_last):
    keys = talk(world, count=10)
    world.client.admin_msgwithdraw("bob", "ann", keys[9])  # is none of the newest any more
    plan = world.plan(before=BEGIN + 8, pairs=[["ann", "bob"]], keep_last=keep_last)

    (messages,) = letters(world).values()
    expected = meant(messages, BEGIN + 8, keep_last=keep_last)
    assert planned(plan).get(("ann", "bob"), set()) == expected
    assert len(expected) == max(0, min(8, 9 - keep_last))


@pytest.mark.parametrize("action", ["recall", "redact"])
def test_only_messages_of_some_senders_and_texts_are_meant(world, action):
    talk(world, count=30)
    (messages,) = letters(world).values()
    plan = world.plan(action, pairs=[["ann", "bob"]], from_accounts=["bob", "zoe"], text_matches=["letter 1"])

    assert planned(plan)["ann", "bob"] == meant(messages, BEGIN + DAY, senders=("bob",), text="letter 1")
    assert plan.header.messages == 6


def test_what_is_recalled_is_never_planned_and_what_is_overwritten_only_for_a_recall(world):
    keys = talk(world, count=6)
    world.client.admin_msgwithdraw("ann", "bob", keys[0])
    world.client.modify_c2c_msg("bob", "ann", keys[1], "removed")

    for action, indexes in (("recall", {1, 2, 3, 4, 5}), ("redact", {2, 3, 4, 5})):
        (found,) = planned(world.plan(action, pairs=[["ann", "bob"]])).values()
        assert {key for _, key in found} == {keys[index] for index in indexes}


def test_conversations_of_accounts_on_hold_and_of_excluded_ones_are_left_alone(world):
    for other in ("bob", "cid", "legal-1", "zoe"):
        talk(world, "ann", other, count=2)
    plan = world.plan(accounts=["ann"], holds=("legal-*", "cid"), exclude_accounts=["z*"])

    assert skips(plan) == {"ann / cid": "held", "ann / legal-1": "held", "ann / zoe": "excluded"}
    assert planned(plan).keys() == {("ann", "bob")}
    assert set(skips(world.plan(accounts=["ann"], holds=("ann",))).values()) == {"held"}
    assert set(skips(world.plan(accounts=["bob", "cid"], exclude_accounts=["ann"])).values()) == {"excluded"}


def test_groups_on_the_list_of_an_account_are_no_conversations(world):
    world.group("room", members=["ann"])
    talk(world, "ann", "bob", count=2)

    assert [row.pair for row in world.plan(accounts=["ann"]).rows()] == [("ann", "bob")]


def test_an_account_that_does_not_exist_is_named(world):
    with pytest.raises(TencentIMError) as caught:
        world.plan(accounts=["nobody"])
    assert caught.value.code == 50001
    assert caught.value.lasting


def test_long_conversations_make_several_rows(world, monkeypatch, rows_are_long):
    monkeypatch.setattr(c2c_planner, "_KEYS_PER_ROW", 7)
    talk(world, count=150)
    before = letters(world)
    plan = world.plan(pairs=[["ann", "bob"]], before=BEGIN + 100)

    assert [row.messages for row in plan.rows()] == [7] * 14 + [2]
    report = report_of(world.sweep(plan, archive_to=world.folder / "archive"))
    report.check(plan)
    assert report.summary["done"] == 100
    assert letters(world) == expected_after(before, plan, "recall")


@pytest.mark.parametrize("count", [2, 5])
def test_shards_share_out_the_conversations_exactly(world, count):
    for number in range(20):
        talk(world, "ann", f"peer-{number}", count=1)
    whole = {row.pair for row in world.plan(accounts=["ann"]).rows()}
    pairs = [row.pair for n in range(1, count + 1) for row in world.plan(accounts=["ann"], shard=f"{n}/{count}").rows()]

    assert len(pairs) == 20
    assert set(pairs) == whole


# --- sweeps ---


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize("action", ["recall", "redact"])
def test_exactly_the_planned_messages_change(world, rows_are_long, action, keeps):
    world.emulator.generate(6, 15, seed=4)
    talk(world, count=25)
    before = letters(world)
    accounts = sorted({pair[0] for pair in before})
    plan = world.plan(action, int(world.emulator.now()) - 2 * DAY, accounts=accounts, keep_last=2)
    application = world.sweep(plan, archive_to=world.folder / "archive" if keeps else None)

    assert letters(world) == expected_after(before, plan, action)
    assert plan.header.messages > 40
    report = report_of(application)
    report.check(plan)
    assert report.summary["done"] == report.summary["requested"] == plan.header.messages
    assert (report.summary["status"], report.summary["chat"]) == ("done", "c2c")
    if keeps:
        copy = TencentIMEmulator(sdkappid=world.emulator.sdkappid)
        copy.load(*sorted(application.archive.glob("*.gz")))
        assert {
            tuple(one["accounts"]): {
                (m["From_Account"], m["MsgKey"]): (m["MsgBody"], m["CloudCustomData"]) for m in one["messages"]
            }
            for one in copy.state()["c2c"]
        } == {
            pair: {
                (m["From_Account"], m["MsgKey"]): (m["MsgBody"], m["CloudCustomData"])
                for m in before[pair]
                if (m["From_Account"], m["MsgKey"]) in keys
            }
            for pair, keys in planned(plan).items()
        }


@pytest.mark.parametrize("keeps", [False, True], ids=["", "archived"])
@pytest.mark.parametrize(
    ("action", "counts"),
    [
        ("recall", {"requested": 10, "done": 6, "already": 3, "missing": 1}),
        ("redact", {"requested": 10, "done": 6, "already": 0, "missing": 4}),
    ],
)
def test_messages_that_are_gone_meanwhile_are_counted_as_what_they_are(world, rows_are_long, action, counts, keeps):
    keys = talk(world, count=12)
    plan = world.plan(action, BEGIN + 10, pairs=[["ann", "bob"]])
    for index in (0, 1, 9):
        sides = ("ann", "bob") if index % 2 == 0 else ("bob", "ann")
        world.client.admin_msgwithdraw(*sides, keys[index])
    for message in world.emulator._gateway.app.conversation("ann", "bob").newest():
        if message.time == BEGIN + 4:
            message.flags |= 2  # expired
    application = world.sweep(plan, archive_to=world.folder / "archive" if keeps else None)

    report = report_of(application)
    report.check(plan)
    (row,) = report.rows
    assert {name: row[name] for name in counts} == counts
    assert (row["pair"], row["failed"]) == (["ann", "bob"], 0)
    (messages,) = letters(world).values()
    changed = [
        one["MsgKey"] for one in messages if (one["modified"] if action == "redact" else one["state"] == "recalled")
    ]
    assert set(changed) >= {keys[index] for index in (2, 3, 5, 6, 7, 8)}
    assert not {keys[4], keys[10], keys[11]} & set(changed)


@pytest.mark.parametrize("holds", [("ann",), ("b*",)])
def test_a_side_that_came_on_hold_is_not_touched(world, holds):
    talk(world)
    talk(world, "cid", "zoe")
    plan = world.plan(pairs=[["ann", "bob"], ["cid", "zoe"]])
    report = report_of(world.sweep(plan, holds=holds))

    report.check(plan)
    assert {one["state"] for one in letters(world)["ann", "bob"]} == {"normal"}
    assert {one["state"] for one in letters(world)["cid", "zoe"]} == {"recalled"}
    assert report.summary["skipped"] == {"held": 1}


def test_messages_that_fail_are_done_by_a_retry(world, rows_are_long):
    talk(world, count=12)
    before = letters(world)
    plan = world.plan(pairs=[["ann", "bob"]])
    store = MemoryStore()
    world.emulator.add_fault(command=WITHDRAW, error_code=20016, times=3)
    first = report_of(world.sweep(plan, store=store))
    first.check(plan)
    (row,) = first.failed
    assert (row["done"], row["failed"], row["code"]) == (9, 3, 20016)

    second = report_of(world.sweep(plan, store=store))
    second.check(plan)
    assert (second.summary["done"], second.summary["already"], second.summary["failed"]) == (3, 9, 0)
    assert letters(world) == expected_after(before, plan, "recall")


@pytest.mark.parametrize(("code", "transient"), [(90009, False), (91000, True)])
def test_an_error_that_everybody_shares_stops(world, rows_are_long, code, transient):
    for number in range(100):
        talk(world, "ann", f"peer-{number:02}", count=2)
    plan = world.plan(accounts=["ann"])
    world.emulator.add_fault(command=WITHDRAW, error_code=code)
    application = world.open(plan)

    with pytest.raises(TencentIMError) as caught:
        application.sweep.run()
    assert caught.value.code == code
    assert report_of(application).summary["failed_groups"] == (3 if transient else 1)
    assert {one["state"] for messages in letters(world).values() for one in messages} == {"normal"}


def test_a_connection_that_may_not_write_touches_nothing(world):
    talk(world)
    plan = world.plan(pairs=[["ann", "bob"]])

    with pytest.raises(TencentIMPermissionError):
        world.sweep(plan, client=world.connect(allowed_commands="read"))
    assert world.written() == 0


@pytest.mark.parametrize("action", ["recall", "redact"])
def test_nothing_is_touched_when_its_archive_cannot_be_written(world, action):
    talk(world)
    plan = world.plan(action, pairs=[["ann", "bob"]])
    archive = world.folder / "archive"
    application = world.open(plan, archive_to=archive)
    (archive / plan.digest[:16] / "00000001.gz").symlink_to(world.folder / "none" / "none")
    application.sweep.run()

    assert world.written() == 0
    (row,) = report_of(application).failed
    assert row["reason"].startswith("not touched, since its archive is not complete")


@pytest.mark.parametrize("action", ["recall", "redact"])
def test_nothing_is_touched_when_the_conversation_cannot_be_read_for_the_archive(world, action):
    talk(world)
    plan = world.plan(action, pairs=[["ann", "bob"]])
    world.emulator.add_fault(command=ROAM, error_code=10002)
    report = report_of(world.sweep(plan, archive_to=world.folder / "archive"))

    assert world.written() == 0
    assert (report.summary["failed"], report.failed[0]["code"]) == (10, 10002)
