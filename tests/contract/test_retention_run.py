"""A plan made, checked and opened: what it says of itself, what it must not exceed, and where its books lie."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from retention_world import BEGIN, MemoryStore, World, archived, report_of, skips

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.retention import run as run_module
from airflow_provider_tencentim.retention.buckets import Shard, bucket_of
from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.durations import Age
from airflow_provider_tencentim.retention.patterns import Patterns
from airflow_provider_tencentim.retention.plan import Plan, PlanHeader
from airflow_provider_tencentim.retention.policy import RetentionPolicy
from airflow_provider_tencentim.retention.progress import FileStore
from airflow_provider_tencentim.retention.run import Guards, check_plan, make_plan

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APP, URL = 1400000000, "https://console.tim.qq.com"
RUN = {"dag_id": "nightly", "task_id": "plan"}


@pytest.fixture
def frozen(monkeypatch):
    """It is NOW."""

    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW.astimezone(tz) if tz else NOW.replace(tzinfo=None)

    monkeypatch.setattr(run_module, "datetime", Frozen)


@pytest.fixture
def world(emulator, tmp_path):
    world = World(emulator, tmp_path)
    yield world
    world.close()


def groups_policy(**more):
    return RetentionPolicy.parse(
        {"action": "recall", "before": datetime.fromtimestamp(BEGIN + 5, UTC), "all_groups": True} | more
    )


def plan_of(world, policy, **options):
    options = {"holds": None, "run": RUN} | options
    return make_plan(world.client, policy, world.folder / "plan", **options)


# --- making a plan ---


def test_a_plan_says_what_it_is_of(world, frozen):
    world.group("room", 10)
    policy = groups_policy()
    planned = plan_of(world, policy)

    assert planned.folder == world.folder / "plan"
    assert planned.header == Plan(planned.folder, planned.digest).header
    assert replace(planned.header, parts=[]) == PlanHeader(
        chat="group",
        sdkappid=world.emulator.sdkappid,
        base_url=world.emulator.url,
        policy=policy.to_dict(),
        cut_off="2025-06-15T15:06:45+00:00",
        created=int(NOW.timestamp()),
        run=RUN,
        shard="1/1",
        holds=False,
        incremental=False,
        groups=1,
        messages=5,
    )
    assert planned.summary() == {
        "plan": str(world.folder / "plan"),
        "digest": planned.digest,
        "cut_off": "2025-06-15T15:06:45+00:00",
        "action": "recall",
        "listed": 1,
        "groups": 1,
        "messages": 5,
        "skipped": {},
        "incremental": False,
    }


def test_a_plan_of_conversations_says_so(world):
    world.emulator.add_c2c_message("ann", "bob", {"MsgBody": "letter", "MsgTimeStamp": BEGIN})
    world.emulator.add_c2c_message("ann", "cid", {"MsgBody": "letter", "MsgTimeStamp": BEGIN})
    pairs = [["ann", "bob"], ["ann", "cid"]]
    policy = C2CRetentionPolicy.parse({"action": "recall", "before": "2026-01-01", "pairs": pairs})
    planned = plan_of(world, policy, holds=Patterns(["cid"]))

    assert (planned.header.chat, planned.header.holds, planned.header.groups) == ("c2c", True, 1)
    assert skips(Plan(planned.folder, planned.digest)) == {"ann / cid": "held"}
    assert planned.listed == 2
    assert planned.header.incremental is False
    assert plan_of(world, policy).header.groups == 2


@pytest.mark.parametrize(("holds", "holding"), [(None, False), ((), True), (("other",), True)])
def test_a_plan_says_whether_there_was_a_list_of_holds(world, holds, holding):
    world.group("room")
    world.group("other")
    planned = plan_of(world, groups_policy(), holds=None if holds is None else Patterns(holds))

    assert planned.header.holds is holding
    assert planned.summary()["skipped"] == ({"held": 1} if holds else {})


def test_a_shard_has_a_folder_of_its_own_and_the_whole_has_none(world):
    names = [f"room-{number}" for number in range(12)]
    for name in names:
        world.group(name, 2)
    shards = [plan_of(world, groups_policy(), shard=Shard(number, 3)) for number in (1, 2, 3)]

    assert [shard.folder.name for shard in shards] == [f"shard-00{number}-of-003" for number in (1, 2, 3)]
    assert [shard.header.shard for shard in shards] == ["1/3", "2/3", "3/3"]
    for number, shard in enumerate(shards):
        rows = {row.group for row in Plan(shard.folder, shard.digest).rows()}
        assert rows == {name for name in names if bucket_of(name) % 3 == number}
    assert plan_of(world, groups_policy(), shard=Shard(1, 1)).folder == world.folder / "plan"


def test_conversations_are_planned_by_shard_as_well(world):
    for peer in ("bob", "cid", "dan", "eve", "fay", "gus"):
        world.emulator.add_c2c_message("ann", peer, {"MsgBody": "letter", "MsgTimeStamp": BEGIN})
    policy = C2CRetentionPolicy.parse({"action": "recall", "before": "2026-01-01", "accounts": ["ann"]})
    shards = [plan_of(world, policy, shard=Shard(number, 2)) for number in (1, 2)]

    assert [shard.folder.name for shard in shards] == ["shard-001-of-002", "shard-002-of-002"]
    assert sum(shard.header.groups for shard in shards) == 6
    assert max(shard.header.groups for shard in shards) < 6


def test_what_a_state_knows_is_left_out_and_the_plan_says_so(world):
    world.group("room", 10)
    state, policy = world.folder / "state", groups_policy(action="clear")
    first = plan_of(world, policy, state_path=state)
    world.sweep(Plan(first.folder, first.digest), state_path=state)
    [app] = state.iterdir()
    again = plan_of(world, policy, state_path=state)
    whole = plan_of(world, policy)

    assert app.name == str(world.emulator.sdkappid)
    assert [one.header.incremental for one in (first, again, whole)] == [True, True, False]
    assert [one.summary()["incremental"] for one in (first, again, whole)] == [True, True, False]
    assert [one.header.messages for one in (first, again, whole)] == [5, 0, 5]
    assert plan_of(world, groups_policy(), state_path=state).header.messages == 5


def test_a_plan_of_nothing_says_why(world, caplog):
    world.group("room", 10)
    world.group("other", 10)
    with caplog.at_level(logging.WARNING, run_module.__name__):
        plan_of(world, groups_policy()).warn_of_nothing()
        assert caplog.text == ""
        policy = RetentionPolicy.parse({"action": "clear", "before": "2025-01-01", "groups": ["room"]})
        plan_of(world, policy).warn_of_nothing()

    [record] = caplog.records
    assert record.getMessage() == (
        "Nothing to do: 1 groups were listed, 1 are named by the policy, and none holds a message that is meant "
        "(before 2025-01-01T00:00:00+00:00). Left alone: {'nothing_older': 1}. What has left roaming storage, after 7 "
        "to 90 days by edition, cannot be found."
    )


def test_an_app_without_groups_leaves_none_alone(world, caplog):
    plan_of(world, groups_policy()).warn_of_nothing()
    assert "0 groups were listed, 0 are named" in caplog.text
    assert "Left alone: none." in caplog.text


# --- what a plan must not exceed ---


@pytest.fixture
def client():
    with TencentIMClient(APP, "0" * 64, base_url=URL) as client:
        yield client


def header(**changes):
    fields = {
        "chat": "group",
        "sdkappid": APP,
        "base_url": URL,
        "policy": {},
        "cut_off": "2026-01-01T00:00:00+00:00",
        "created": int(NOW.timestamp()),
        "run": {},
        "shard": "1/1",
        "holds": False,
        "incremental": False,
        "groups": 30,
        "messages": 4321,
    }
    return PlanHeader(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "guards", "has_holds"),
    [
        ({}, {}, False),
        ({}, {}, True),
        ({"holds": True}, {}, True),
        ({}, {"messages": 4321, "groups": 30, "age": Age(rest=timedelta())}, False),
        ({"messages": 0, "groups": 0}, {"messages": 0, "groups": 0}, False),
        ({"created": int(NOW.timestamp()) + 300}, {}, False),
        ({"created": int(NOW.timestamp()) - 3600}, {"age": Age(rest=timedelta(hours=1))}, False),
        ({"created": 1}, {}, False),
    ],
)
def test_a_plan_may_be_carried_out_that_exceeds_nothing(client, frozen, changes, guards, has_holds):
    check_plan(client, header(**changes), Guards(**guards), has_holds)


@pytest.mark.parametrize(
    ("changes", "guards", "told"),
    [
        ({"sdkappid": 1400000001}, {}, "plan is of app 1400000001, the connection of app 1400000000"),
        ({"base_url": "http://x"}, {}, "plan was made at http://x, the connection leads to https://console.tim.qq.com"),
        ({"holds": True}, {}, "^the plan was made with holds: hold_path must be given"),
        ({}, {"messages": 4320}, "max_messages is 4,320, and the plan has 4,321"),
        ({"groups": 1001}, {"groups": 1000}, "max_groups is 1,000, and the plan has 1,001"),
        ({}, {"messages": 0}, "max_messages is 0"),
        ({"created": int(NOW.timestamp()) + 301}, {}, "^the plan was made in the future: check the clocks"),
        (
            {"created": int(NOW.timestamp()) - 3601},
            {"age": Age(rest=timedelta(hours=1))},
            r"made at 2026-03-01T10:59:59\+00:00, longer ago than max_plan_age",
        ),
    ],
)
def test_a_plan_that_exceeds_something_is_refused_and_told_what(client, frozen, changes, guards, told):
    with pytest.raises(ValueError, match=told):
        check_plan(client, header(**changes), Guards(**guards), has_holds=False)


# --- opening its books ---


def test_the_books_of_a_plan_lie_in_folders_of_its_own(world):
    world.group("room", 10)
    plan = world.plan("recall", BEGIN + 5)
    application = world.sweep(plan, report_path=world.folder / "reports", archive_to=world.folder / "archives")

    assert application.report == world.folder / "reports" / plan.digest[:16]
    assert application.archive == world.folder / "archives" / plan.digest[:16]
    assert (application.report / "summary.json").exists()
    assert {path.name for path in application.archive.iterdir()} == {"00000001.gz", "manifest-00000.jsonl"}
    summary = application.summary()
    assert summary == {
        "plan": str(plan.folder),
        "digest": plan.digest,
        "report": str(application.report),
        "archive": str(application.archive),
        "incremental": False,
        "groups": 1,
        "failed_groups": 0,
        "skipped": {},
        "requested": 5,
        "done": 5,
        "already": 0,
        "missing": 0,
        "failed": 0,
        "calls": summary["calls"],
    }
    [line] = (application.archive / "manifest-00000.jsonl").read_bytes().splitlines()
    assert json.loads(line)["chat"] == "room"
    assert archived(application.archive)["room"].keys() == {1, 2, 3, 4, 5}


def test_there_need_be_no_books(world):
    world.group("room", 10)
    plan = world.plan("recall", BEGIN + 5)
    application = world.sweep(plan, report_path=None)

    assert (application.report, application.archive) == (None, None)
    assert (application.summary()["report"], application.summary()["archive"]) == (None, None)
    assert application.summary()["done"] == 5


def test_the_files_of_an_archive_name_the_app(world):
    world.group("room", 10)
    world.emulator.add_c2c_message("ann", "bob", {"MsgBody": "letter", "MsgTimeStamp": BEGIN})
    for plan in (world.plan("recall"), world.plan("recall", pairs=[["ann", "bob"]])):
        application = world.sweep(plan, archive_to=world.folder / "archive")
        [line] = (application.archive / "manifest-00000.jsonl").read_bytes().splitlines()
        assert application.archive.name == plan.digest[:16]
        assert json.loads(line)["messages"] == application.summary()["done"] > 0


@pytest.mark.parametrize("chat", ["group", "c2c"])
def test_what_messages_are_overwritten_with_is_what_the_plan_says(world, chat):
    world.group("room", 10)
    world.emulator.add_c2c_message("ann", "bob", {"MsgBody": "letter", "MsgTimeStamp": BEGIN})
    plan = world.plan("redact", replacement="withheld", **({"pairs": [["ann", "bob"]]} if chat == "c2c" else {}))
    assert world.sweep(plan).summary()["failed"] == 0

    texts = {str(one["MsgBody"]) for one in world.messages("room")}
    [conversation] = world.emulator.state()["c2c"]
    texts_of_letters = {str(one["MsgBody"]) for one in conversation["messages"]}
    assert all("withheld" in one for one in texts) is (chat == "group")
    assert all("withheld" in one for one in texts_of_letters) is (chat == "c2c")


@pytest.mark.parametrize("store", [None, MemoryStore()], ids=["beside the plan", "of the caller"])
def test_how_far_a_plan_was_carried_out_is_kept_beside_it_unless_elsewhere(world, store):
    world.group("room", 10)
    world.emulator.add_fault(command="group_open_http_svc/group_msg_recall", error_code=10007)
    plan = world.plan("recall", BEGIN + 5)
    world.sweep(plan, store=store)
    beside = FileStore(plan.folder / "progress.json", world.client.seal).load()

    assert (beside is None) is (store is not None)
    assert (beside or store.load())["digest"] == plan.digest


def test_holds_that_came_since_count_and_none_is_no_list(world):
    world.group("room", 10)
    plan = world.plan("recall", BEGIN + 5)
    held = world.sweep(plan, holds=("room",))
    assert (held.summary()["skipped"], held.summary()["done"]) == ({"held": 1}, 0)

    application = run_module.open_plan(world.client, plan, holds=None, report_path=world.folder / "report")
    application.sweep.run()
    assert report_of(application).summary["done"] == 5
