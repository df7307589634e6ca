"""Rendered arguments: what was given and came to nothing is an error, never a wider run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.operators.arguments import Arguments, given_arguments, overwritten_fields

NOTHINGS = [None, "", " \n", "None", "[]", [], {}, ()]
NAMES = ["none", "empty", "blanks", "none_in_words", "list_in_words", "list", "dict", "tuple"]


def reader(value, given=frozenset({"x"}), **attributes):
    return Arguments(SimpleNamespace(x=value, **attributes), given)


def refusal(call, *values):
    with pytest.raises(ValueError, match=r".") as caught:
        call(*values)
    return str(caught.value)


def test_what_is_not_none_was_given():
    operator = SimpleNamespace(template_fields=("a", "b", "c"), a="", b=None, c="{{ x }}", d=1)

    assert given_arguments(operator) == {"a", "c"}


@pytest.mark.parametrize("value", ["text", 0, False, [0], {"a": None}])
def test_a_value_comes_back_as_it_is(value):
    assert reader(value).value("x") is value
    assert reader(value, frozenset()).value("x") is value


@pytest.mark.parametrize("value", NOTHINGS, ids=NAMES)
def test_nothing_is_an_error_where_something_was_given_and_none_elsewhere(value):
    shown = repr(value)
    assert refusal(reader(value).value, "x") == f"x was given and came to nothing ({shown})"
    assert reader(value, frozenset({"y"})).value("x") is None


def test_only_the_beginning_of_a_text_is_shown():
    assert refusal(reader(" " * 99).value, "x") == f"x was given and came to nothing ({' ' * 10!r})"


def test_of_a_mapped_task_all_that_the_mapping_names_was_given():
    mapped = {"_BaseOperator__from_mapped": True, "_BaseOperator__init_kwargs": {"x": None, "task_id": "t"}}

    assert refusal(reader(None, frozenset(), **mapped).value, "x") == "x was given and came to nothing (None)"
    assert reader(None, frozenset(), **(mapped | {"_BaseOperator__from_mapped": False})).value("x") is None
    assert reader(None, frozenset(), _BaseOperator__from_mapped=True).value("x") is None
    assert reader(None, frozenset(), _BaseOperator__init_kwargs={"x": None}).value("x") is None
    # What the constructor was given on top of the mapping still counts.
    assert refusal(reader(None, _BaseOperator__from_mapped=True).value, "x")


@pytest.mark.parametrize(
    "body",
    [
        "text",
        {"Text": ""},
        [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "a"}}],
        [{"MsgContent": {"Data": ""}}, {"MsgContent": None}, {}, 7],
    ],
    ids=repr,
)
def test_content_comes_back_as_it_is(body):
    assert reader(body).content("x") is body


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_text_that_came_to_nothing_is_an_error_wherever_it_stands(kind):
    body = kind([{"MsgContent": {"Text": "a"}}, 7, {"MsgContent": {"Text": "None"}}])

    assert refusal(reader(body).content, "x") == "x holds a Text that came to nothing ('None')"
    assert refusal(reader("").content, "x") == "x was given and came to nothing ('')"
    assert reader(None, frozenset()).content("x") is None


def test_a_whole_number():
    assert reader(7).integer("x") == 7
    assert reader(0).integer("x") == 0
    assert reader(-7).integer("x") == -7
    assert reader(" 07\n").integer("x") == 7
    assert reader("9" * 20).integer("x") == int("9" * 20)
    assert reader(None, frozenset()).integer("x") is None
    for value, kind in (
        ("7.0", "other text"),
        ("9" * 21, "other text"),
        ("\u00a07", "other text"),
        ("٣", "other text"),
        (True, "bool"),
        (7.0, "float"),
    ):
        assert refusal(reader(value).integer, "x") == f"x must be a whole number, not {kind}"


def test_a_switch():
    for value in (True, "true", " TRUE "):
        assert reader(value).flag("x") is True
    for value in (False, "false", "False\n"):
        assert reader(value).flag("x") is False
    for value, kind in (("yes", "other text"), (1, "int"), (0, "int")):
        assert refusal(reader(value).flag, "x") == f"x must be true or false, not {kind}"
    assert refusal(reader(None, frozenset()).flag, "x") == "x must be true or false, not NoneType"


def test_items():
    for value in ([1], (1, 2), {3}, range(3)):
        assert reader(value).items("x") is value
    assert reader("1-500, 777").items("x") == ["1-500, 777"]
    assert reader(" ['a', 2] ").items("x") == ["a", 2]
    assert reader(7).items("x") == [7]
    assert reader(None, frozenset()).items("x") is None
    assert refusal(reader(b"ab").items, "x") == "x must be a list, not bytes"
    assert refusal(reader({"a": 1}).items, "x") == "x must be a list, not dict"
    assert refusal(reader(7.0).items, "x") == "x must be a list, not float"
    assert refusal(reader("[1, 2").items, "x") == "x begins like a list and is none"
    assert refusal(reader("[ ]").items, "x") == "x was given and came to nothing (an empty list)"
    assert refusal(reader(range(0)).items, "x") == "x was given and came to nothing (an empty list)"


def test_the_fields_that_are_overwritten():
    assert overwritten_fields(None, None) == []
    assert overwritten_fields("", None) == ["MsgBody"]
    assert overwritten_fields(None, "") == ["CloudCustomData"]
    assert overwritten_fields("a", "b") == ["MsgBody", "CloudCustomData"]
