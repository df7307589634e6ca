"""What is read from answers: what is missing or of another type is an error that names command and field."""

from __future__ import annotations

from itertools import count

import pytest

from airflow_provider_tencentim.client.caller import (
    USUALLY_IN_FLIGHT,
    Caller,
    Pages,
    entries,
    id_of,
    number_of,
    text_of,
)
from airflow_provider_tencentim.client.errors import TencentIMTransientError

COMMAND = "recentcontact/get_list"
NOT_TEXT = (None, 7, 1.5, True, ["x"], {"x": 1}, b"x")
NOT_NUMBERS = (None, "7", 7.0, True, False, [7], {})


def refused(read, *arguments):
    """The words of the error, which names the command and is no code of the service."""
    with pytest.raises(TencentIMTransientError) as caught:
        read(*arguments)
    assert (caught.value.command, caught.value.code) == (COMMAND, None)
    return caught.value.info


@pytest.mark.parametrize("found", [[], [{}], [{"a": 1}, {"b": None}]])
def test_a_list_of_objects_is_returned_as_it_is(found):
    assert entries(COMMAND, {"Items": found}, "Items") is found


@pytest.mark.parametrize(
    "answer", [{}, {"items": []}, {"Items": None}, {"Items": {}}, {"Items": "x"}, {"Items": ({},)}]
)
def test_a_list_that_is_not_there_is_no_empty_one(answer):
    assert refused(entries, COMMAND, answer, "Items") == "the answer has no list of objects as its Items"


@pytest.mark.parametrize("entry", [None, 7, "x", [], [("a", 1)]])
def test_a_list_that_holds_something_else_than_objects_is_none(entry):
    for found in ([entry], [{}, entry], [entry, {}]):
        assert "no list of objects as its Items" in refused(entries, COMMAND, {"Items": found}, "Items")


@pytest.mark.parametrize("number", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_a_whole_number_of_64_bits_is_returned(number):
    assert number_of(COMMAND, {"Next": number}, "Next") == number


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 2**63, -(2**63) - 1, 10**5000], ids=lambda value: type(value).__name__)
def test_what_is_no_such_number_is_named(value):
    assert refused(number_of, COMMAND, {"Next": value}, "Next") == "the answer has no whole number as its Next"
    assert refused(number_of, COMMAND, {"next": 7}, "Next") == "the answer has no whole number as its Next"


def test_a_text_is_returned_as_it_is():
    assert text_of(COMMAND, {"MsgKey": " 1_2_3 "}, "MsgKey") == " 1_2_3 "


@pytest.mark.parametrize("value", [*NOT_TEXT, ""], ids=repr)
def test_what_is_no_text_or_an_empty_one_is_named(value):
    assert refused(text_of, COMMAND, {"MsgKey": value}, "MsgKey") == "the answer has no text as its MsgKey"


@pytest.mark.parametrize("name", ["a", "@TGS#1", "x" * 32])
def test_an_id_that_the_next_call_can_name_is_returned(name):
    assert id_of(COMMAND, {"To_Account": name}, "To_Account", 32) == name


@pytest.mark.parametrize("value", [*NOT_TEXT, "", " ", "x" * 33, "\u7fa4", "a\nb"], ids=map(str, count()))
def test_what_no_call_can_name_is_no_id_and_is_not_shown(value):
    answer = {"To_Account": value}

    assert refused(id_of, COMMAND, answer, "To_Account", 32) == "the answer has no id as its To_Account"


def test_an_error_of_an_id_does_not_drag_along_what_was_wrong_with_it():
    with pytest.raises(TencentIMTransientError) as caught:
        id_of(COMMAND, {}, "To_Account", 32)

    assert caught.value.__suppress_context__


# --- pages ---


def test_pages_that_lead_on_are_followed():
    pages = Pages(COMMAND)

    for place in (1, 2, "1", (1, 2)):
        pages.lead_to(place, True)


@pytest.mark.parametrize("something", [True, False])
def test_a_page_that_was_read_already_is_an_error(something):
    pages = Pages(COMMAND)
    pages.lead_to("first", True)
    pages.lead_to("second", True)

    assert refused(pages.lead_to, "first", something) == "its pages lead back to one that was read already"


def test_a_hundred_pages_in_a_row_that_hold_nothing_are_an_error():
    pages = Pages(COMMAND)
    for place in range(99):
        pages.lead_to(place, False)

    assert refused(pages.lead_to, 99, False) == "100 pages in a row hold nothing"


def test_a_page_that_holds_something_lets_the_count_begin_anew():
    pages = Pages(COMMAND)
    for place in range(99):
        pages.lead_to(place, False)
    pages.lead_to(99, True)
    for place in range(100, 199):
        pages.lead_to(place, False)

    assert "100 pages" in refused(pages.lead_to, 199, False)


# --- how many at once ---


class Measureless(Caller):
    """Sends nothing, and knows nothing of how long answers take."""

    def call(self, command, body, *, tries=1):
        raise NotImplementedError

    def cancel(self):
        raise NotImplementedError


def test_what_measures_no_answers_has_the_usual_number_under_way():
    assert Measureless().in_flight_wanted(COMMAND) == USUALLY_IN_FLIGHT == 16
