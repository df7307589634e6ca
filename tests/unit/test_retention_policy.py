"""The policy of groups: what each key means, what is refused, and that nothing is ever widened."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.client.nothing import is_nothing
from airflow_provider_tencentim.retention.durations import Age
from airflow_provider_tencentim.retention.policy import Replacement, RetentionPolicy

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = {"before": "2026-01-01"}
CLEAR = {"action": "clear", "groups": ["g*"], **BEFORE}
RECALL = {**CLEAR, "action": "recall"}
REDACT = {**CLEAR, "action": "redact", "replacement": "gone"}
TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]
NOTHING = [None, "", " \n", "None", "null", "[]", [], {}]
KEYS = [
    *("action", "before", "older_than", "groups", "all_groups", "group_types", "exclude_groups", "hold_path"),
    *("keep_last", "from_accounts", "text_matches", "replacement", "overrides", "allow_recent"),
]


def parse(base, **keys):
    """The policy of a mapping with some keys added, and those left out that are given as ``...``."""
    return RetentionPolicy.parse({key: value for key, value in {**base, **keys}.items() if value is not ...})


def message(text="hello", sender="alice", custom=None):
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}] if isinstance(text, str) else text
    return SimpleNamespace(sender=sender, body=body, custom=custom)


# --- what each key means


@pytest.mark.parametrize(
    ("base", "keys", "field", "meaning"),
    [
        (CLEAR, {}, "action", "clear"),
        (CLEAR, {}, "before", datetime(2026, 1, 1, tzinfo=UTC)),
        (CLEAR, {"before": ..., "older_than": "P60D"}, "older_than", Age(0, timedelta(60))),
        (CLEAR, {"before": ..., "older_than": timedelta(60)}, "older_than", Age(0, timedelta(60))),
        (CLEAR, {"groups": "a,b"}, "groups", ("a,b",)),
        (CLEAR, {"groups": ["a", "b*", "a"]}, "groups", ("a", "b*")),
        (CLEAR, {"groups": ("a", "b")}, "groups", ("a", "b")),
        (CLEAR, {"groups": "['a', 'b']"}, "groups", ("a", "b")),
        (CLEAR, {"groups": ["[ab]*"]}, "groups", ("[ab]*",)),
        (CLEAR, {"groups": ..., "all_groups": True}, "all_groups", True),
        (CLEAR, {"groups": ..., "all_groups": " True"}, "all_groups", True),
        (CLEAR, {"group_types": "Public"}, "group_types", ("Public",)),
        (CLEAR, {"group_types": ["Work", "Meeting", "Private"]}, "group_types", ("Private", "ChatRoom")),
        (CLEAR, {"exclude_groups": ["g1", "g2*"]}, "exclude_groups", ("g1", "g2*")),
        (CLEAR, {"hold_path": "s3://holds/list"}, "hold_path", "s3://holds/list"),
        (CLEAR, {"keep_last": 5}, "keep_last", 5),
        (CLEAR, {"keep_last": " 5 "}, "keep_last", 5),
        (RECALL, {"from_accounts": "bob"}, "from_accounts", ("bob",)),
        (RECALL, {"text_matches": "card|pin"}, "text_matches", ("card|pin",)),
        (REDACT, {}, "replacement", Replacement(TEXT)),
        (REDACT, {"replacement": TEXT}, "replacement", Replacement(TEXT)),
        (REDACT, {"replacement": {"msg_body": "gone"}}, "replacement", Replacement(TEXT)),
        (REDACT, {"replacement": {"cloud_custom_data": "x"}}, "replacement", Replacement(None, "x")),
        (CLEAR, {"allow_recent": "true"}, "allow_recent", True),
        (CLEAR, {"allow_recent": False}, "allow_recent", False),
    ],
)
def test_a_key_means_what_was_given_for_it(base, keys, field, meaning):
    assert getattr(parse(base, **keys), field) == meaning


def test_what_is_not_given_narrows_nothing():
    policy = parse(CLEAR)

    assert (policy.group_types, policy.exclude_groups, policy.from_accounts, policy.text_matches) == ((), (), (), ())
    assert (policy.keep_last, policy.hold_path, policy.replacement, policy.allow_recent) == (0, None, None, False)


# --- what is refused


@pytest.mark.parametrize(
    ("base", "keys", "reason"),
    [
        (CLEAR, {"action": ...}, "policy: action is required"),
        (CLEAR, {"action": "delete"}, "policy: action must be one of clear, recall, redact, redact_and_recall"),
        (CLEAR, {"action": ["clear"]}, "action must be one of"),
        (CLEAR, {"before": ...}, "policy: one of before, older_than is required"),
        (CLEAR, {"older_than": "P1D"}, "policy: before and older_than exclude each other"),
        (CLEAR, {"before": 1767225600}, "before must be a date"),
        (CLEAR, {"before": ..., "older_than": "60 days"}, "older_than must be a duration such as P60D"),
        (CLEAR, {"groups": ...}, "policy: one of groups, all_groups is required"),
        (CLEAR, {"all_groups": True}, "policy: groups and all_groups exclude each other"),
        (CLEAR, {"groups": ..., "all_groups": False}, "all_groups: false selects nothing"),
        (CLEAR, {"all_groups": "false"}, "all_groups: false selects nothing"),
        (CLEAR, {"all_groups": "yes"}, "all_groups must be true or false"),
        (CLEAR, {"all_groups": 1}, "all_groups must be true or false"),
        (CLEAR, {"groups": 5}, "groups must be a list, not int"),
        (CLEAR, {"groups": {"a": 1}}, "groups must be a list, not dict"),
        (CLEAR, {"groups": ["a", 5]}, "groups: item 2 must be text, not int"),
        (CLEAR, {"groups": ["a" * 49]}, "groups: item 1 is 49 bytes long"),
        (CLEAR, {"groups": ["é"]}, "groups: item 1 holds characters other than printable ASCII"),
        (CLEAR, {"groups": "[a, b]"}, "groups begins like a list and is none"),
        (CLEAR, {"groups": ["a", "['b', 'c']"]}, "groups: item 2 is a list inside of a text"),
        (CLEAR, {"exclude_groups": ["g1 "]}, "exclude_groups: item 1 begins or ends with a blank"),
        (CLEAR, {"group_types": ["Public", "public"]}, "group_types: item 2 must be one of Public, Private"),
        (CLEAR, {"group_types": ["Public", 3]}, "group_types: item 2 must be one of"),
        (CLEAR, {"hold_path": 5}, "hold_path must be text"),
        (CLEAR, {"keep_last": 0}, "keep_last was given and keeps nothing"),
        (CLEAR, {"keep_last": "0"}, "keep_last was given and keeps nothing"),
        (CLEAR, {"keep_last": -1}, "keep_last must be a whole number from 1"),
        (CLEAR, {"keep_last": 10**5000}, "keep_last must be a whole number from 1"),
        (CLEAR, {"keep_last": 1.0}, "keep_last must be a whole number, not float"),
        (CLEAR, {"keep_last": True}, "keep_last must be a whole number, not bool"),
        (CLEAR, {"keep_last": "five"}, "keep_last must be a whole number, not other text"),
        (CLEAR, {"from_accounts": ["bob"]}, "from_accounts cannot narrow clear"),
        (CLEAR, {"text_matches": ["pin"]}, "text_matches cannot narrow clear"),
        (RECALL, {"from_accounts": ["b" * 33]}, "from_accounts: item 1 is 33 bytes long"),
        (
            RECALL,
            {"text_matches": ["pin", "("]},
            r"text_matches: item 2 is no regular expression of RE2 \(missing \)\)",
        ),
        (RECALL, {"text_matches": "(?=pin)"}, "look-around and back-references are not taken"),
        (RECALL, {"text_matches": r"(a)\1"}, "look-around and back-references are not taken"),
        (RECALL, {"text_matches": "pin|"}, "text_matches: item 1 is found in empty text, and so in every text"),
        (RECALL, {"text_matches": "\ud800"}, "text_matches: item 1 is not valid Unicode"),
        (RECALL, {"replacement": "gone"}, "replacement is for actions that overwrite messages, and recall does not"),
        (CLEAR, {"replacement": "gone"}, "replacement is for actions that overwrite messages, and clear does not"),
        (REDACT, {"replacement": ...}, "policy: replacement is required with redact"),
        (REDACT, {"replacement": {"text": "gone"}}, "replacement takes msg_body and cloud_custom_data"),
        (REDACT, {"replacement": {"msg_body": None}}, "replacement: msg_body was given and came to nothing"),
        (
            REDACT,
            {"replacement": {"msg_body": "x", "cloud_custom_data": ""}},
            "cloud_custom_data was given and came to",
        ),
        (REDACT, {"replacement": 5}, "replacement: msg_body must be text or a list"),
        (REDACT, {"replacement": "x" * 12_289}, "replacement: msg_body is [0-9]+ bytes"),
        (REDACT, {"replacement": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "None"}}]}, "Text of element 0"),
        (CLEAR, {"allow_recent": "maybe"}, "allow_recent must be true or false"),
        (CLEAR, {"overrides": {"groups": "g1"}}, "overrides must be a list of mappings, not dict"),
        (CLEAR, {"overrides": ["g1"]}, "override 1 must be a mapping"),
        (CLEAR, {"keeplast": 5}, "policy: unknown key 'keeplast', did you mean keep_last?"),
        (CLEAR, {"wholly_else": 5}, "policy: unknown key 'wholly_else'; known are action, groups"),
        (CLEAR, {"\ud800": 5}, "policy: unknown key"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_names_the_key(base, keys, reason):
    with pytest.raises(ValueError, match=reason):
        parse(base, **keys)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("nothing", NOTHING)
def test_a_key_that_was_given_and_came_to_nothing_is_an_error_that_names_it(name, nothing):
    with pytest.raises(ValueError, match=f"policy: {name} was given and came to nothing"):
        parse({}, **{name: nothing})


@pytest.mark.parametrize("name", ["groups", "group_types", "exclude_groups", "from_accounts", "text_matches"])
@pytest.mark.parametrize("nothing", NOTHING)
def test_an_item_that_came_to_nothing_is_an_error_that_names_key_and_position(name, nothing):
    with pytest.raises(ValueError, match=f"policy: {name}: item 2 came to nothing"):
        parse(RECALL, **{name: ["Public", nothing]})


@pytest.mark.parametrize("given", [None, "clear", 5, [], [("action", "clear")], {1: 2}, {None: 1}, {("a",): 1}])
def test_what_is_no_mapping_of_text_keys_is_an_error(given):
    with pytest.raises(ValueError, match="policy"):
        RetentionPolicy.parse(given)


@pytest.mark.parametrize(
    "replacement",
    [
        [{"MsgType": "TIMTextElem", "MsgContent": {"Text": 31337}}],
        [{"MsgType": "31337", "MsgContent": {}}],
        {"cloud_custom_data": 31337},
        "[31337",
        {"31337": 1},
    ],
)
def test_no_error_shows_what_messages_are_overwritten_with(replacement):
    with pytest.raises(ValueError, match="replacement") as raised:
        parse(REDACT, replacement=replacement)

    assert "31337" not in str(raised.value)


# --- which groups


def test_groups_are_selected_by_id_and_glob_and_excluded_separately():
    policy = parse(CLEAR, groups=["a", "b*"], exclude_groups=["b1", "c*"])

    assert [group for group in ("a", "a1", "b1", "b2", "c") if policy.selects(group)] == ["a", "b1", "b2"]
    assert [group for group in ("a", "a1", "b1", "b2", "c") if policy.excludes(group)] == ["b1", "c"]


def test_all_groups_selects_every_group():
    assert parse(CLEAR, groups=..., all_groups=True).selects("any")
    assert not parse(CLEAR).excludes("any")


# --- overrides


def test_the_first_override_that_names_a_group_counts():
    policy = parse(CLEAR, overrides=[{"groups": "g1*", "keep_last": 1}, {"groups": ["g12", "g3"], "keep_last": 2}])

    assert [policy.for_group(group).keep_last for group in ("g12", "g3", "g4")] == [1, 2, 0]
    assert policy.for_group("g4") is policy


def test_an_override_is_a_complete_policy_that_says_what_it_does_not_replace():
    base = {**REDACT, "keep_last": 7, "from_accounts": ["bob"], "exclude_groups": ["x"], "hold_path": "h"}
    (override,) = parse(base, overrides=[{"groups": "g1"}]).overrides

    assert override == replace(parse(base), groups=("g1",), hold_path=None)


@pytest.mark.parametrize(
    ("keys", "field", "meaning"),
    [
        ({"action": "redact_and_recall"}, "action", "redact_and_recall"),
        ({"older_than": "P9D"}, "before", None),
        ({"older_than": "P9D"}, "older_than", Age(0, timedelta(9))),
        ({"keep_last": 9}, "keep_last", 9),
        ({"from_accounts": ["carol"]}, "from_accounts", ("carol",)),
        ({"text_matches": ["other"]}, "text_matches", ("other",)),
        ({"replacement": {"cloud_custom_data": "x"}}, "replacement", Replacement(None, "x")),
        ({"allow_recent": False}, "allow_recent", False),
        ({"action": "recall"}, "replacement", None),
        ({"group_types": ["Community", "Public"]}, "group_types", ("Public",)),
        ({"exclude_groups": ["y", "x"]}, "exclude_groups", ("x", "y")),
    ],
)
def test_what_an_override_gives_replaces_what_the_policy_says_but_narrows_its_groups_further(keys, field, meaning):
    base = {
        **REDACT,
        "keep_last": 7,
        "from_accounts": ["bob"],
        "text_matches": ["pin"],
        "group_types": ["Private", "Public"],
        "exclude_groups": ["x"],
        "allow_recent": True,
    }
    (override,) = parse(base, overrides=[{"groups": "g1", **keys}]).overrides

    assert getattr(override, field) == meaning


@pytest.mark.parametrize(
    ("base", "override", "reason"),
    [
        (CLEAR, {"keep_last": 1}, "override 2: groups is required"),
        (CLEAR, {"groups": "g", "all_groups": True}, "override 2: all_groups belongs into the policy itself"),
        (CLEAR, {"groups": "g", "hold_path": "h"}, "override 2: hold_path belongs into the policy itself"),
        (CLEAR, {"groups": "g", "overrides": []}, "override 2: overrides belongs into the policy itself"),
        (CLEAR, {"groups": "g", "before": "2026-01-01", "older_than": "P1D"}, "override 2: before and older_than"),
        (CLEAR, {"groups": "g", "keep_last": None}, "override 2: keep_last was given and came to nothing"),
        (CLEAR, {"groups": "g", "keep": 1}, "override 2: unknown key 'keep'"),
        (CLEAR, {"groups": "g", "action": "redact"}, "override 2: replacement is required with redact"),
        (CLEAR, {"groups": "g", "replacement": "x"}, "override 2: replacement is for actions that overwrite"),
        (REDACT, {"groups": "g", "action": "recall", "replacement": "x"}, "override 2: replacement is for actions"),
        (CLEAR, {"groups": "g", "from_accounts": ["bob"]}, "override 2: from_accounts cannot narrow clear"),
        ({**RECALL, "from_accounts": ["bob"]}, {"groups": "g", "action": "clear"}, "override 2: from_accounts cannot"),
        ({**RECALL, "text_matches": ["pin"]}, {"groups": "g", "action": "clear"}, "override 2: text_matches cannot"),
        ({**CLEAR, "group_types": "Public"}, {"groups": "g", "group_types": "Work"}, "override 2: group_types names"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_in_an_override_is_an_error_that_names_it(base, override, reason):
    with pytest.raises(ValueError, match=reason):
        parse(base, overrides=[{"groups": "g"}, override])


# --- the cut-off


def test_resolving_fixes_the_cut_off_of_the_policy_and_of_its_overrides():
    overrides = [{"groups": "g1", "older_than": "P1M"}, {"groups": "g2"}, {"groups": "g3", "before": "2026-02-01"}]
    policy = parse(CLEAR, before=..., older_than="P60D", overrides=overrides).resolve(datetime(2026, 3, 31), NOW)

    cut_offs = [part.before for part in (policy, *policy.overrides)]
    assert cut_offs == [datetime(2026, *day, tzinfo=UTC) for day in ((1, 30), (2, 28), (1, 30), (2, 1))]
    assert [part.older_than for part in (policy, *policy.overrides)] == [None] * 4


def test_the_cut_off_is_told_in_unix_seconds_once_it_is_fixed():
    policy = parse(CLEAR, before=..., older_than="P1D")

    assert policy.resolve(datetime(1970, 1, 2, 0, 0, 7, 900_000), NOW).cut_off == 7
    with pytest.raises(ValueError, match="resolve the policy first"):
        _ = policy.cut_off


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"before": "2026-06-02"}, "policy: the cut-off 2026-06-02T00:00:00.00:00 lies in the future"),
        ({"before": "2026-06-02", "allow_recent": True}, "policy: .* lies in the future"),
        ({"before": "2026-05-31T01:00"}, "policy: .* less than a day ago: .* allow_recent: true"),
        (
            {"overrides": [{"groups": "g1"}, {"groups": "g2", "older_than": "PT1H"}]},
            "override 2: .* less than a day ago",
        ),
        (
            {"before": ..., "older_than": "P9000Y"},
            "policy: older_than reaches back before the year 1: give a shorter one",
        ),
    ],
)
def test_a_cut_off_that_is_too_recent_is_an_error_that_names_the_part(keys, reason):
    with pytest.raises(ValueError, match=reason):
        parse(CLEAR, **keys).resolve(NOW, NOW)


def test_an_override_may_allow_itself_a_recent_cut_off():
    policy = parse(CLEAR, overrides=[{"groups": "g1", "older_than": "PT1H", "allow_recent": True}])

    assert policy.resolve(NOW, NOW).overrides[0].before == NOW - timedelta(hours=1)


# --- which messages


def test_without_criteria_every_message_is_picked():
    assert parse(RECALL).picks(message())


@pytest.mark.parametrize(
    ("keys", "entry", "picked"),
    [
        ({"from_accounts": ["alice", "bob"]}, message(), True),
        ({"from_accounts": ["alice*"]}, message(), False),
        ({"from_accounts": ["bob"]}, message(), False),
        ({"from_accounts": ["bob"]}, message(sender=""), False),
        ({"text_matches": ["ell"]}, message(), True),
        ({"text_matches": ["^ell"]}, message(), False),
        ({"text_matches": ["nothing", "LO"]}, message(), False),
        ({"text_matches": ["nothing", "(?i)LO"]}, message(), True),
        ({"text_matches": ["密码"]}, message("你的密码是"), True),
        ({"text_matches": ["b"]}, message("a\ud800b"), True),
        ({"text_matches": ["ell"], "from_accounts": ["bob"]}, message(), False),
        ({"text_matches": ["x"], "from_accounts": ["alice"]}, message(), False),
        ({"text_matches": ["ell"], "from_accounts": ["alice"]}, message(), True),
        ({"text_matches": ["."]}, message({"Text": "hello"}), False),
        ({"text_matches": ["."]}, message([]), False),
        ({"text_matches": ["."]}, message(None), False),
        ({"text_matches": ["."]}, message([{"MsgType": "TIMCustomElem", "MsgContent": {"Text": "hello"}}]), False),
        ({"text_matches": ["."]}, message([{"MsgType": "TIMTextElem", "MsgContent": {"Text": 5}}]), False),
        ({"text_matches": ["."]}, message([{"MsgType": "TIMTextElem"}, 5, None]), False),
        ({"text_matches": ["b"]}, message([*message("a").body, *message("b").body]), True),
    ],
)
def test_a_message_is_picked_when_it_meets_every_criterion(keys, entry, picked):
    assert parse(RECALL, **keys).picks(entry) is picked


def test_no_expression_hangs_over_what_a_stranger_wrote():
    assert not parse(RECALL, text_matches=["(a+)+$", "(a|aa)+$"]).picks(message("a" * 12_000 + "!"))


@pytest.mark.parametrize(
    ("replacement", "entry", "replaced"),
    [
        ("gone", message("gone"), True),
        ("gone", message("gone", custom="kept"), True),
        ("gone", message("here"), False),
        ("gone", message({"Text": "gone"}), False),
        ({"cloud_custom_data": "x"}, message("any", custom="x"), True),
        ({"cloud_custom_data": "x"}, message("any"), False),
        ({"msg_body": "gone", "cloud_custom_data": "x"}, message("gone", custom="x"), True),
        ({"msg_body": "gone", "cloud_custom_data": "x"}, message("gone", custom="y"), False),
        ({"msg_body": "gone", "cloud_custom_data": "x"}, message("here", custom="x"), False),
    ],
)
def test_a_message_is_replaced_when_the_fields_that_the_replacement_gives_are_the_same(replacement, entry, replaced):
    assert parse(REDACT, replacement=replacement).is_replaced(entry) is replaced


@pytest.mark.parametrize(
    ("content", "same"),
    [
        ({"Index": 1, "Data": "d", "More": {"a": [True]}}, True),
        ({"More": {"a": [True]}, "Data": "d", "Index": 1.0}, True),
        ({"Index": True, "Data": "d", "More": {"a": [True]}}, False),
        ({"Index": 1, "Data": "d", "More": {"a": [1]}}, False),
        ({"Index": 1, "Data": "d", "More": {"a": [True, 1]}}, False),
        ({"Index": 1, "Data": "d"}, False),
    ],
)
def test_bodies_are_the_same_when_they_are_the_same_json(content, same):
    body = [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "Data": "d", "More": {"a": [True]}}}]

    entry = message([{"MsgType": "TIMFaceElem", "MsgContent": content}])
    assert parse(REDACT, replacement=body).is_replaced(entry) is same


def test_nothing_is_replaced_when_nothing_overwrites():
    assert not parse(RECALL).is_replaced(message("gone"))


def test_the_selection_key_tells_runs_apart_that_treat_other_messages_or_treat_them_otherwise():
    same = [
        parse(REDACT, from_accounts=["a", "b"], text_matches=["x", "y"]),
        parse(REDACT, from_accounts=["b", "a"], text_matches=["y", "x"], keep_last=5, groups=["other"]),
        parse(REDACT, from_accounts=["b", "a"], text_matches=["y", "x"], replacement=TEXT),
    ]
    others = [
        parse(REDACT),
        parse(REDACT, from_accounts=["a", "b"]),
        parse(REDACT, from_accounts=["a", "b"], text_matches=["x"]),
        parse(REDACT, from_accounts=["a", "b"], text_matches=["x", "y"], replacement="else"),
        parse(RECALL, from_accounts=["a", "b"], text_matches=["x", "y"]),
    ]

    assert len({policy.selection_key for policy in same}) == 1
    assert len({policy.selection_key for policy in [same[0], *others]}) == 6


# --- properties

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ids = st.text(st.sampled_from("ab*?[]@# '"), min_size=1, max_size=6).filter(
    lambda text: text == text.strip() and text != "[]" and not text.startswith("['")
)
some_ids = st.lists(ids, min_size=1, max_size=4)
words = st.text(min_size=1, max_size=8).filter(lambda text: not is_nothing(text))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2026, 5, 1))
durations = st.timedeltas(timedelta(days=2), timedelta(days=9000))
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def parts(draw, override=False):
    """A policy, or an override of one, that makes sense."""
    action = draw(st.sampled_from(["clear", "recall", "redact", "redact_and_recall"]))
    types = st.lists(st.sampled_from(["Public", "Work", "ChatRoom", "Community"]), min_size=1)
    narrowings = {
        "group_types": types,
        "exclude_groups": some_ids,
        "keep_last": st.integers(1, 9),
        "allow_recent": st.booleans(),
    }
    if action != "clear":
        expressions = st.lists(st.sampled_from(["a+", "密", "(?i)x$"]), min_size=1)
        narrowings |= {"from_accounts": some_ids, "text_matches": expressions}
    keys = draw(st.fixed_dictionaries({"groups": some_ids}, optional=narrowings)) | {"action": action}
    cut_off = draw(st.none() | moments | durations) if override else draw(moments | durations)
    if cut_off is not None:
        keys["older_than" if isinstance(cut_off, timedelta) else "before"] = cut_off
    if action.startswith("redact"):
        content = {"Text": draw(words), "More": draw(st.none() | st.floats(allow_nan=False, allow_infinity=False))}
        keys["replacement"] = [{"MsgType": "TIMTextElem", "MsgContent": content}]
    return keys


@st.composite
def policies(draw):
    given = draw(parts())
    if draw(st.booleans()):
        del given["groups"]
        given["all_groups"] = True
    if draw(st.booleans()):
        given["hold_path"] = draw(words)
    overrides = []
    for part in draw(st.lists(parts(override=True), max_size=3)):
        if given["action"] != "clear" and part["action"] == "clear":
            part = {"groups": part["groups"]}
        if "group_types" in given:
            part.pop("group_types", None)
        overrides.append(part)
    return RetentionPolicy.parse({**given, "overrides": overrides} if overrides else given)


@relaxed
@given(policies())
def test_a_policy_survives_being_written_as_json_whether_or_not_its_cut_offs_are_fixed(policy):
    fixed = policy.resolve(NOW, NOW)

    assert RetentionPolicy.parse(json.loads(json.dumps(policy.to_dict()))) == policy
    assert RetentionPolicy.parse(json.loads(json.dumps(fixed.to_dict()))) == fixed
    assert fixed.resolve(NOW + timedelta(days=9), NOW + timedelta(days=9)) == fixed


@relaxed
@given(policies(), ids)
def test_the_override_that_counts_is_the_first_that_names_the_group(policy, group):
    naming = [override for override in policy.overrides if override.selects(group)]

    assert policy.for_group(group) is (naming[0] if naming else policy)


@relaxed
@given(policies(), ids)
def test_overrides_never_widen_what_the_policy_selects(policy, group):
    part = policy.for_group(group)
    without = replace(policy, overrides=())

    assert policy.selects(group) == without.selects(group)
    assert part.excludes(group) or not policy.excludes(group)
    assert not policy.group_types or set(part.group_types) <= set(policy.group_types)
    assert part.group_types or not policy.group_types
    assert part.keep_last or not policy.keep_last
    assert part.from_accounts or not policy.from_accounts
    assert part.text_matches or not policy.text_matches


@relaxed
@given(json_like | st.dictionaries(st.sampled_from(KEYS), json_like))
def test_whatever_is_given_is_read_or_a_value_error(given_policy):
    for given_one in (given_policy, {**REDACT, "replacement": given_policy}, {**REDACT, "overrides": [given_policy]}):
        try:
            RetentionPolicy.parse(given_one)
        except ValueError as error:
            str(error).encode()


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
@pytest.mark.parametrize("name", [*REDACT, "overrides", "text_matches", "keep_last"])
def test_what_is_nested_too_deeply_is_a_value_error(name, depth):
    deep = []
    for _ in range(depth):
        deep = [deep]
    shapes = (deep, {"msg_body": deep}, [{"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "More": deep}}])

    for shape in shapes if depth > 100 else shapes[:2]:
        with pytest.raises(ValueError, match=name.removesuffix("s")):
            parse(REDACT, **{name: shape})


def test_a_policy_can_be_pickled():
    policy = parse(RECALL, text_matches=["pin"], overrides=[{"groups": "g1*"}])

    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301
    assert pickle.loads(pickle.dumps(policy)).for_group("g12").selects("g13")  # noqa: S301


@pytest.mark.parametrize("key", ["groups", "exclude_groups", "from_accounts", "text_matches"])
@pytest.mark.parametrize("value", ["{}", "()", "set()", " () ", ["a", "{}"]])
def test_an_empty_collection_that_was_rendered_to_text_names_nothing(key, value):
    policy = {"action": "recall", "older_than": "P60D", "groups": ["a"], key: value}
    with pytest.raises(ValueError, match=rf"{key}.*came to nothing"):
        RetentionPolicy.parse(policy)
