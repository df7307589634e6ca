"""The file of a policy: YAML and JSON, and whatever could drop a narrowing silently is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.retention.policy import RetentionPolicy, read_policy

YAML = """
# Chats of guests go after two months.
action: redact
before: 2026-01-01
groups:
  - "@TGS#*"
  - guests
keep_last: 5
replacement: gone
overrides:
  - groups: [vip]
    before: 2025-12-31 08:00:00 +08:00
"""


@pytest.mark.parametrize("text", [YAML, "\ufeff" + YAML, YAML.replace("\n", "\r\n")])
def test_a_yaml_file_is_a_policy_and_its_dates_are_midnight_in_utc(text):
    policy = RetentionPolicy.parse(read_policy(text, "policy.yaml"))

    assert policy.before == datetime(2026, 1, 1, tzinfo=UTC)
    assert policy.groups == ("@TGS#*", "guests")
    assert policy.overrides[0].before == datetime(2025, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("name", ["policy.json", "POLICY.JSON", "policy.yaml", "policy"])
def test_a_json_file_is_a_policy_whatever_its_name(name):
    given_policy = {"action": "clear", "older_than": "P60D", "groups": ["密*"], "keep_last": 5}

    assert read_policy(json.dumps(given_policy), name) == given_policy
    assert read_policy("\ufeff" + json.dumps(given_policy, indent=2), name) == given_policy


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("p.json", '{"secret": 1, "a": 2, "a": 3}', "the key 'a' comes twice"),
        ("p.json", '{"x": [{"a": 2, "a": 3}]}', "the key 'a' comes twice"),
        ("p.json", '{"a": NaN}', "NaN is no value in JSON"),
        ("p.json", '{"a": -Infinity}', "-Infinity is no value in JSON"),
        ("p.json", '{"' + 70 * "a" + '": 1, "' + 70 * "a" + '": 2}', f"the key '{64 * 'a'}' comes twice"),
        ("p.yaml", 2 * ("a" * 70 + ": 1\n"), f"line 2: the key '{64 * 'a'}' comes twice"),
        ("p.json", '{"secret"\n: secret}', "line 2: is no JSON"),
        ("p.json", "a: secret", "line 1: is no JSON"),
        ("p.json", "[1]", "holds no mapping"),
        ("p.json", "", "line 1: is no JSON"),
        ("p.json", "[" * 100_000, "is nested too deeply"),
        ("p.json", '{"a": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ("p.yaml", "a: 2\nb: 3\na: secret", "line 3: the key 'a' comes twice"),
        ("p.yaml", "x:\n  - {a: 2, 'a': secret}", "line 2: the key 'a' comes twice"),
        ("p.yaml", "1: secret", "line 1: a key must be text"),
        ("p.yaml", "on: secret", "line 1: a key must be text"),
        ("p.yaml", "? [a]\n: secret", "line 1: a key must be text"),
        ("p.yaml", "a: 1\n<<: {a: secret}", "line 2: a key must be text"),
        ("p.yaml", "a: &x secret", "line 1: anchors and aliases are not taken"),
        ("p.yaml", "a: 1\nb: &x [secret]\nc: *x", "line 2: anchors and aliases are not taken"),
        ("p.yaml", "a: &x [*x]", "line 1: anchors and aliases are not taken"),
        ("p.yaml", "a: *secret", "line 1: is no plain YAML"),
        ("p.yaml", "a: !!python/object/apply:os.system [secret]", "line 1: is no plain YAML"),
        ("p.yaml", "a: !secret 1", "line 1: is no plain YAML"),
        ("p.yaml", "a: [secret", "line 1: is no plain YAML"),
        ("p.yaml", "a: secret\x00", "is no plain YAML"),
        ("p.yaml", "a: 1\n---\na: secret", "line 2: is no plain YAML"),
        ("p.yaml", "a: 2026-13-01", "holds a value of a wrong form, such as an impossible date"),
        ("p.yaml", "a: !!int secret", "holds a value of a wrong form"),
        ("p.yaml", "a: !!bool secret", "holds a value of a wrong form"),
        ("p.yaml", "a: !!timestamp secret", "holds a value of a wrong form"),
        ("p.yaml", "a: !!binary secret", "line 1: is no plain YAML"),
        ("p.yaml", "", "holds no mapping of keys and values"),
        ("p.yaml", "secret", "holds no mapping"),
        ("p.yaml", "- secret", "holds no mapping"),
        ("p.yaml", "[" * 100_000, "is nested too deeply"),
        ("p.yaml", "a: " + "secret" * 200_000, "must be text of at most 1048576 bytes"),
        ("p.yaml", "a: " + "密" * 400_000, "must be text of at most 1048576 bytes"),
        ("p.yaml", None, "must be text"),
    ],
)
def test_anything_else_is_an_error_that_names_the_file_and_shows_nothing_of_it(name, text, reason):
    with pytest.raises(ValueError, match=f"^{name}: {reason}") as raised:
        read_policy(text, name)

    assert "secret" not in str(raised.value)


def test_a_file_of_a_mebibyte_is_read():
    text = '{"a": 1}'.ljust(1_048_576)

    assert read_policy(text, "p.json") == {"a": 1}
    with pytest.raises(ValueError, match="at most 1048576 bytes"):
        read_policy(text + " ", "p.json")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(st.sampled_from("ab:-[]{}&*!<>|%@'\"\\, \n#?0.123~") | st.characters()),
    st.sampled_from(["p.yaml", "p.json"]),
)
def test_whatever_the_text_is_it_is_a_mapping_or_a_value_error(text, name):
    for whole in (text, f"a: {text}", f'{{"a": {text}}}'):
        try:
            read = read_policy(whole, name)
        except ValueError:
            continue
        assert isinstance(read, dict)
