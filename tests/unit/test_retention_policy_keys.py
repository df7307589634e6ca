"""The readers of a policy's keys, one by one: what they take at their limits, and all that they say."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.retention import plan, policy_keys
from airflow_provider_tencentim.retention.policy import RetentionPolicy

LAST_SEQ = 4_294_967_295


def refusal(reader, value):
    with pytest.raises(ValueError, match=r".") as caught:
        reader("x", value)
    return str(caught.value)


def test_one_word():
    read = policy_keys.one_of("clear", "recall")

    assert read("x", " recall ") == "recall"
    for value in ("delete", "", ["clear"], None):
        assert refusal(read, value) == "x must be one of clear, recall"


def test_a_switch():
    assert policy_keys.flag("x", " TRUE\n") is True
    assert policy_keys.flag("x", "False") is False
    assert refusal(policy_keys.flag, "yes") == "x must be true or false, not other text"
    assert refusal(policy_keys.flag, 1) == "x must be true or false, not int"


def test_a_number():
    assert policy_keys.number("x", 1) == 1
    assert policy_keys.number("x", f" {LAST_SEQ} ") == LAST_SEQ
    for value in (-1, LAST_SEQ + 1):
        assert refusal(policy_keys.number, value) == f"x must be a whole number from 1 to {LAST_SEQ}"
    for value in ("٣", "\u00a07"):
        assert refusal(policy_keys.number, value) == "x must be a whole number, not other text"


def test_items():
    assert policy_keys.items("x", " ['a'] ") == ["a"]
    assert policy_keys.items("x", ("a", "b")) == ["a", "b"]
    for nothing in ([], "[]", "[ ]"):
        assert refusal(policy_keys.items, nothing) == "x was given and came to nothing (an empty list)"
    assert refusal(policy_keys.items, bytearray(b"a")) == "x must be a list, not bytearray"
    assert refusal(policy_keys.list_of(policy_keys.text), 5) == "x must be a list, not int"


def test_a_user_id():
    assert policy_keys.account("x", "b" * 32) == "b" * 32
    assert refusal(policy_keys.account, " b") == "x begins or ends with a blank"
    assert refusal(policy_keys.account, "b" * 33) == "x is 33 bytes long, 32 are allowed"


def test_a_pattern():
    read = policy_keys._pattern(5)

    for pattern in ("abcde", "abcde*", "*" * 1024, "[ab]", "#"):
        assert read("x", pattern) == pattern
    assert refusal(read, "abcdef") == "x is 6 bytes long, 5 are allowed"
    assert refusal(read, "*" * 1025) == "x is 1025 bytes long, 1024 are allowed"
    assert refusal(read, "a ") == "x begins or ends with a blank"
    assert refusal(read, 5.5).startswith("x must be text, not float")
    for text in ("['a']", ' ["a", "b"] '):
        assert refusal(read, text) == "x is a list inside of a text, which would be taken for a glob"


@pytest.mark.parametrize("value", [["Public"], {}, 3, None])
def test_what_is_no_text_is_no_type_of_group(value):
    assert refusal(policy_keys._group_type, value).startswith("x must be one of Public, Private, ")


def test_what_is_no_mapping_or_no_key_is_named_by_its_type():
    readers = {"older_than": policy_keys.text, "older_then": policy_keys.text}

    for given, told in (
        ([], "policy must be a mapping of keys and values, not list"),
        ({5: 1}, "policy: a key is int, not text"),
        ({"olderthan": 1}, "policy: unknown key 'olderthan', did you mean older_than?"),
        ({"q" * 99: 1}, f"policy: unknown key '{'q' * 64}'; known are older_than, older_then"),
    ):
        with pytest.raises(ValueError, match=r".") as caught:
            policy_keys.read_keys("policy", given, readers)
        assert str(caught.value) == told


@pytest.mark.parametrize("error", [RecursionError, OverflowError])
def test_what_no_reader_can_hold_is_too_large(error):
    def read(name, value):
        raise error

    with pytest.raises(ValueError, match=r"^policy: x is too large or too deep$"):
        policy_keys.read_keys("policy", {"x": 1}, {"x": read})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"before": "2026-01-01", "groups": "g"}, "policy: action is required"),
        (
            {"action": "clear", "before": "2026-01-01", "all_groups": False},
            "policy: all_groups: false selects nothing: leave it out, and give groups",
        ),
    ],
)
def test_a_policy_says_what_it_lacks(given, told):
    with pytest.raises(ValueError, match=r".") as caught:
        RetentionPolicy.parse(given)
    assert str(caught.value) == told


def test_the_mappings_of_a_plan_are_of_one_kind():
    # Made anew: the ones of the module were made when it was loaded.
    of_text = plan._is_mapping_to(str)

    assert of_text({})
    assert of_text({"a": "b"})
    for other in ({"a": 1}, {"a": "b", "c": None}, [], "text"):
        assert not of_text(other)
