"""The results of shards as one: counts that add up, and nothing reported done that nobody reported."""

from __future__ import annotations

import hashlib
import json

import pytest

from airflow_provider_tencentim.retention.joined import join_plans, join_summaries, write_joined


def plan(number, **more):
    return {
        "plan": f"plan/shard-{number:03}-of-003",
        "digest": f"{number:064x}",
        "cut_off": "2026-09-22T00:00:00+00:00",
        "action": "clear",
        "listed": 30,
        "groups": number,
        "messages": 10 * number,
        "skipped": {"held": 1, f"reason_{number}": 2},
        "incremental": False,
    } | more


def applied(number, **more):
    return {
        "plan": f"plan/shard-{number:03}-of-003",
        "digest": f"{number:064x}",
        "report": f"reports/{number}",
        "archive": None,
        "incremental": False,
        "groups": number,
        "failed_groups": 0,
        "skipped": {"held": 1},
        "requested": 10 * number,
        "done": 7 * number,
        "already": 2 * number,
        "missing": number,
        "failed": 0,
        "calls": 3,
    } | more


PLANS = [plan(1), plan(2), plan(3)]


def test_plans_add_up_and_list_what_each_of_them_lists():
    assert join_plans(PLANS) == {
        "shards": 3,
        "cut_off": "2026-09-22T00:00:00+00:00",
        "action": "clear",
        "listed": 30,
        "groups": 6,
        "messages": 60,
        "skipped": {"held": 3, "reason_1": 2, "reason_2": 2, "reason_3": 2},
        "incremental": False,
    }


@pytest.mark.parametrize(
    "other", [{"cut_off": "2026-09-21T00:00:00+00:00"}, {"action": "recall"}, {"incremental": True}]
)
def test_plans_of_different_sweeps_are_not_joined(other):
    with pytest.raises(ValueError, match=f"differ in their {next(iter(other))}: they are not the shards of one sweep"):
        join_plans([plan(1), plan(2, **other)])


def test_a_join_lists_what_the_shard_lists_that_saw_most_and_is_incremental_if_they_are():
    joined = join_plans([plan(1, listed=4, incremental=True), plan(2, listed=7, incremental=True)])
    assert (joined["listed"], joined["incremental"]) == (7, True)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (plan(1), f"the plan of digest {1:064x}"[:35] + " is there 2 times"),
        (plan(2, listed="30"), "shard-002-of-003 has no count as its listed"),
        (plan(2, groups=True), "shard-002-of-003 has no count as its groups"),
        (plan(2, messages=None), "shard-002-of-003 has no count as its messages"),
        (plan(2, skipped=[]), "shard-002-of-003 does not say what it skipped"),
        (plan(2, skipped={"held": -1}), "shard-002-of-003 has no count as its held"),
        (plan(2, digest=None), "^what is joined must be the results of planning or applying"),
        (plan(2, plan=None), "^what is joined must be the results of planning or applying"),
        (plan(2, cut_off=None), "^what is joined must be the results of planning or applying"),
        (plan(2, action=None), "^what is joined must be the results of planning or applying"),
        (applied(2), "^what is joined must be the results of planning or applying"),
    ],
)
def test_plans_that_cannot_be_true_are_refused(other, told):
    with pytest.raises(ValueError, match=told):
        join_plans([plan(1), other])


def test_one_shard_is_a_sweep():
    joined = join_plans([plan(1)])
    assert (joined["shards"], joined["cut_off"], joined["action"], joined["incremental"]) == (
        1,
        "2026-09-22T00:00:00+00:00",
        "clear",
        False,
    )


def test_no_plan_is_no_sweep():
    with pytest.raises(ValueError, match=r"^there is no plan"):
        join_plans([])


def test_summaries_add_up():
    assert join_summaries(map(applied, (1, 2, 3)), PLANS) == {
        "status": "done",
        "shards": 3,
        "unreported": [],
        "incremental": False,
        "groups": 6,
        "failed_groups": 0,
        "skipped": {"held": 3},
        "requested": 60,
        "done": 42,
        "already": 12,
        "missing": 6,
        "failed": 0,
        "calls": 9,
    }


def test_a_shard_that_reported_nothing_is_missed():
    joined = join_summaries([applied(1), applied(3)], PLANS)
    assert (joined["status"], joined["unreported"]) == ("failed", ["plan/shard-002-of-003"])
    assert (joined["shards"], joined["requested"]) == (3, 40)


def test_no_summary_of_any_plan_is_not_done():
    assert join_summaries([], PLANS)["status"] == "failed"


@pytest.mark.parametrize("failed", [{"failed": 1, "missing": 0}, {"failed_groups": 1}])
def test_a_shard_that_failed_makes_the_whole_fail(failed):
    assert join_summaries([applied(1, **failed), applied(2)])["status"] == "failed"


def test_a_shard_that_reported_and_a_plan_of_which_nothing_is_known_are_both_counted():
    joined = join_summaries([applied(1)], PLANS)
    assert (joined["shards"], joined["unreported"]) == (3, ["plan/shard-002-of-003", "plan/shard-003-of-003"])


def test_without_the_plans_what_is_there_is_joined():
    joined = join_summaries([applied(1), applied(2)])
    assert (joined["status"], joined["shards"], joined["unreported"]) == ("done", 2, [])


def test_a_shard_of_which_nothing_was_done_is_done():
    empty = dict.fromkeys(("groups", "requested", "done", "already", "missing", "calls"), 0)
    assert join_summaries([applied(1, **empty)], PLANS[:1])["status"] == "done"


def test_one_part_that_leaves_out_what_was_done_before_makes_the_whole_incremental():
    assert join_summaries([applied(1), applied(2, incremental=True)])["incremental"] is True


def test_reasons_add_up_in_the_order_of_their_names():
    joined = join_summaries([applied(1, skipped={"not_found": 2, "held": 1}), applied(2, skipped={"excluded": 4})])
    assert list(joined["skipped"].items()) == [("excluded", 4), ("held", 1), ("not_found", 2)]


@pytest.mark.parametrize(
    ("summaries", "told"),
    [
        ([applied(1), applied(1)], "2 times"),
        ([applied(4)], "plan/shard-004-of-003 is none of the plans"),
        ([applied(1, done=8)], "counts of plan/shard-001-of-003 do not add up"),
        ([applied(1, already=3)], "do not add up"),
        ([applied(1, missing=2)], "do not add up"),
        ([applied(1, failed=1)], "do not add up"),
        ([applied(1, requested=-1)], "no count as its requested"),
        ([applied(1, calls=None)], "no count as its calls"),
        ([applied(1, skipped=None)], "what it skipped"),
        ([None], "^what is joined must be the results of planning or applying"),
        ([applied(1, plan=None)], "^what is joined must be the results of planning or applying"),
        ([plan(1)], "no count as its requested"),
    ],
)
def test_what_cannot_be_true_is_refused(summaries, told):
    with pytest.raises(ValueError, match=told):
        join_summaries(summaries, PLANS)


def test_one_file_says_where_the_report_of_every_shard_is_and_a_retry_replaces_it(tmp_path):
    first, _ = write_joined(tmp_path / "reports", [applied(2)], PLANS)
    path, joined = write_joined(tmp_path / "reports", [applied(3), applied(1), applied(2)], PLANS)

    assert path == first
    assert [file.name for file in (tmp_path / "reports").iterdir()] == [path.rpartition("/")[2]]
    page = json.loads((tmp_path / "reports" / path.rpartition("/")[2]).read_text())
    shards = page.pop("reports")
    assert [shard["report"] for shard in shards] == ["reports/1", "reports/2", "reports/3"]
    assert shards[1] == {name: value for name, value in applied(2).items() if name not in ("incremental", "skipped")}
    assert page == joined


def test_the_file_says_which_shard_reported_nothing(tmp_path):
    path, joined = write_joined(tmp_path, [applied(1), applied(3)], PLANS)
    page = json.loads((tmp_path / path.rpartition("/")[2]).read_text())

    assert (page["status"], page["unreported"]) == ("failed", ["plan/shard-002-of-003"])
    assert (joined["status"], joined["shards"]) == ("failed", 3)


def test_without_the_plans_a_file_is_named_by_what_was_reported(tmp_path):
    paths = {write_joined(tmp_path, parts)[0] for parts in ([applied(1), applied(2)], [applied(2), applied(1)])}
    assert len(paths) == 1
    assert write_joined(tmp_path, iter([applied(1)]), iter(PLANS[:1]))[0] not in paths


def test_the_name_of_the_file_is_short_and_the_same_in_every_version(tmp_path):
    path, _ = write_joined(tmp_path, [applied(1), applied(2)], PLANS[:2])
    digests = f"{1:064x}\n{2:064x}"
    assert path == str(tmp_path / f"joined-{hashlib.sha256(digests.encode()).hexdigest()[:16]}.json")
