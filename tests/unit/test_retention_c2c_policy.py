"""The policy of conversations: where it differs from that of groups."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.retention.c2c_policy import C2CRetentionPolicy
from airflow_provider_tencentim.retention.criteria import Replacement

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RECALL = {"action": "recall", "before": "2026-01-01", "pairs": [["a", "b"]]}
REDACT = {**RECALL, "action": "redact", "replacement": "gone"}
NOTHING = [None, "", " ", "None", "null", "[]", [], {}]


def parse(base, **keys):
    return C2CRetentionPolicy.parse({key: value for key, value in {**base, **keys}.items() if value is not ...})


@pytest.mark.parametrize(
    ("base", "keys", "reason"),
    [
        (RECALL, {"action": ...}, "^policy: action is required"),
        (RECALL, {"action": "clear"}, "policy: action must be one of recall, redact$"),
        (RECALL, {"action": "redact_and_recall"}, "policy: action must be one of recall, redact$"),
        (RECALL, {"before": ...}, "policy: one of before, older_than is required"),
        (RECALL, {"older_than": "P1D"}, "policy: before and older_than exclude each other"),
        (RECALL, {"pairs": ...}, "policy: one of pairs, accounts is required"),
        (RECALL, {"accounts": "a"}, "policy: pairs and accounts exclude each other"),
        (RECALL, {"pairs": "a,b"}, "pairs: item 1 must be a list of two UserIDs"),
        (RECALL, {"pairs": ["a", "b"]}, "pairs: item 1 must be a list of two UserIDs"),
        (RECALL, {"pairs": [["a", "b"], ["a"]]}, "pairs: item 2 must be a list of two UserIDs"),
        (RECALL, {"pairs": [["a", "b", "c"]]}, "pairs: item 1 must be a list of two UserIDs"),
        (RECALL, {"pairs": [["a", "a"]]}, "pairs: item 1 must be two different UserIDs"),
        (RECALL, {"pairs": [["a", None]]}, "pairs: item 1 holds a UserID that came to nothing"),
        (RECALL, {"pairs": [["a", 5]]}, "pairs: item 1 must be text"),
        (RECALL, {"pairs": ..., "accounts": ["a", " "]}, "accounts: item 2 came to nothing"),
        (RECALL, {"pairs": ..., "accounts": ["a" * 33]}, "accounts: item 1 is 33 bytes long"),
        (RECALL, {"replacement": "gone"}, "^policy: replacement is for actions that overwrite messages"),
        (REDACT, {"replacement": ...}, "^policy: replacement is required with redact"),
        (RECALL, {"overrides": [{"accounts": "a"}]}, "unknown key 'overrides'"),
        (RECALL, {"all_groups": True}, "unknown key 'all_groups'"),
        (RECALL, {"acounts": ["a"]}, "unknown key 'acounts', did you mean accounts"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_names_the_key(base, keys, reason):
    with pytest.raises(ValueError, match=reason):
        parse(base, **keys)


@pytest.mark.parametrize("name", [*REDACT, "older_than", "accounts", "exclude_accounts", "keep_last", "text_matches"])
@pytest.mark.parametrize("nothing", NOTHING)
def test_a_key_that_was_given_and_came_to_nothing_is_an_error_that_names_it(name, nothing):
    with pytest.raises(ValueError, match=f"policy: {name} was given and came to nothing"):
        parse({}, **{name: nothing})


def test_a_pair_is_the_same_whichever_side_comes_first():
    policy = parse(RECALL, pairs=[["a", "b"], ["a", "c"], ["b", "a"]])

    assert policy.pairs == (("a", "b"), ("a", "c"))
    assert policy.selects("a", "b")
    assert policy.selects("b", "a")
    assert not policy.selects("b", "c")
    assert not policy.selects("a", "a")


def test_accounts_select_every_conversation_that_one_of_them_is_a_side_of():
    policy = parse(RECALL, pairs=..., accounts="a")

    assert policy.selects("a", "x")
    assert policy.selects("x", "a")
    assert not policy.selects("x", "y")


def test_a_conversation_is_excluded_when_either_side_is():
    policy = parse(RECALL, exclude_accounts=["b", "admin*"])

    assert policy.excludes("a", "b")
    assert policy.excludes("admin1", "a")
    assert not policy.excludes("a", "c")


def test_criteria_replacement_and_cut_off_are_those_of_a_policy_for_groups():
    policy = parse(REDACT, before=..., older_than="P1M", from_accounts="a", text_matches=["pin"])
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "my pin"}}]

    assert policy.resolve(NOW, NOW).cut_off == datetime(2026, 5, 1, tzinfo=UTC).timestamp()
    assert policy.picks(SimpleNamespace(sender="a", body=body, custom=None))
    assert not policy.picks(SimpleNamespace(sender="b", body=body, custom=None))
    assert not policy.is_replaced(SimpleNamespace(sender="a", body=body, custom=None))
    assert isinstance(policy.replacement, Replacement)
    assert policy.selection_key != parse(REDACT).selection_key


def test_a_cut_off_that_is_not_fixed_or_too_recent_is_an_error():
    with pytest.raises(ValueError, match="resolve the policy first"):
        _ = parse(RECALL, before=..., older_than="P1D").cut_off
    with pytest.raises(ValueError, match=r"policy: .* in the future"):
        parse(RECALL, before="2027-01-01").resolve(NOW, NOW)


def test_a_cut_off_less_than_a_day_ago_is_taken_only_when_the_policy_allows_it():
    with pytest.raises(ValueError, match=r"^policy: .*allow_recent"):
        parse(RECALL, before=..., older_than="PT1H").resolve(NOW, NOW)
    recent = parse(RECALL, before=..., older_than="PT1H", allow_recent=True).resolve(NOW, NOW)
    assert (recent.before, recent.older_than) == (NOW - timedelta(hours=1), None)


accounts = st.text(st.sampled_from("ab*[@ "), min_size=1, max_size=6).filter(lambda text: text == text.strip())
some_accounts = st.lists(accounts, min_size=1, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {"action": st.just("redact"), "replacement": st.just("gone")},
        optional={
            "exclude_accounts": some_accounts,
            "from_accounts": some_accounts,
            "keep_last": st.integers(1, 5),
            "hold_path": st.just("h"),
            "allow_recent": st.booleans(),
            "text_matches": st.just(["a", "b"]),
        },
    ),
    some_accounts | st.lists(st.lists(accounts, min_size=2, max_size=2, unique=True), min_size=1),
    st.timedeltas(timedelta(days=2), timedelta(days=900)) | st.datetimes(datetime(1990, 1, 1), datetime(2026, 5, 1)),
)
def test_a_policy_survives_being_written_as_json(keys, named, cut_off):
    keys["pairs" if isinstance(named[0], list) else "accounts"] = named
    keys["older_than" if isinstance(cut_off, timedelta) else "before"] = cut_off
    policy = C2CRetentionPolicy.parse(keys)
    fixed = policy.resolve(NOW, NOW)

    assert C2CRetentionPolicy.parse(json.loads(json.dumps(policy.to_dict()))) == policy
    assert C2CRetentionPolicy.parse(json.loads(json.dumps(fixed.to_dict()))) == fixed
