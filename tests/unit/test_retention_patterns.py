"""Ids and globs: what they name, and what they do not."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_tencentim.retention.patterns import Patterns

names = st.text(st.sampled_from("ab*?[]!-@#"), max_size=8)


@pytest.mark.parametrize(
    ("pattern", "name", "named"),
    [
        ("g1", "g1", True),
        ("g1", "g12", False),
        ("g1", "G1", False),
        ("@TGS#_*", "@TGS#_a", True),
        ("@TGS#_*", "x@TGS#_a", False),
        ("g?", "g1", True),
        ("g?", "g", False),
        ("g[12]", "g2", True),
        ("g[12]", "g3", False),
        ("g[12]", "g[12]", True),
        ("@TGS#[x", "@TGS#[x", True),
        ("*", "a\nb", True),
        ("g.", "g1", False),
    ],
)
def test_a_pattern_names_what_is_equal_to_it_and_what_it_globs(pattern, name, named):
    assert Patterns([pattern]).matches(name) is named


def test_ids_come_in_the_order_given_and_once_and_globs_are_none_of_them():
    patterns = Patterns(["b", "a*", "a", "b", "[x"])

    assert patterns.ids == ("b", "a")
    assert patterns.has_globs
    assert len(patterns) == 4


def test_no_patterns_name_nothing_and_are_false():
    assert not Patterns()
    assert not Patterns([]).matches("")
    assert not Patterns(["a"]).has_globs


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(names), names)
def test_patterns_name_what_one_of_them_names(patterns, name):
    expected = any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    assert Patterns(patterns).matches(name) is expected


def test_a_glob_of_many_stars_does_not_hang():
    assert not Patterns(["*a" * 200 + "b"]).matches("a" * 1000)
