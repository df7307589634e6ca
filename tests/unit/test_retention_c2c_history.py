"""What both sides of a conversation show: each letter once, and nothing that makes no sense."""

from __future__ import annotations

import pytest
from retention_letters import BEGIN, RECALLED, ROAM, Letters, letter

from airflow_provider_tencentim.client.errors import TencentIMNotFoundError, TencentIMTransientError
from airflow_provider_tencentim.retention.c2c_history import Letter, read_letters
from airflow_provider_tencentim.retention.history import LATEST


def shown(**fields):
    """The only letter of a conversation that shows these fields."""
    letters = Letters()
    letters.views["ann", "bob"] = [
        {name: value for name, value in letter("ann", "bob", 5, **fields).items() if value is not ...}
    ]
    (one,) = read_letters(letters, ("ann", "bob"))
    return one


def test_a_letter_is_what_the_history_shows():
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}]
    one = shown(MsgBody=body, CloudCustomData="x", MsgFlagBits=0)

    assert one == Letter("ann", "bob", f"5_1_{BEGIN + 5}", BEGIN + 5, False, body, "x")
    assert one.identity == ("ann", f"5_1_{BEGIN + 5}")


@pytest.mark.parametrize(("bits", "recalled"), [(RECALLED, True), (0, False), (..., False), (7, False), ("8", False)])
def test_a_letter_is_recalled_when_its_flags_say_so(bits, recalled):
    assert shown(MsgFlagBits=bits).recalled is recalled


@pytest.mark.parametrize("custom", [..., None, 5, {}])
def test_a_letter_may_have_no_body_and_no_custom_data(custom):
    one = shown(MsgBody=..., CloudCustomData=custom)

    assert (one.body, one.custom) == (None, None)


@pytest.mark.parametrize("time", [0, 1, LATEST])
def test_times_of_the_calendar_are_taken(time):
    letters = Letters()
    letters.views["bob", "ann"] = [letter("ann", "bob", 5, MsgTimeStamp=time)]

    assert [one.time for one in read_letters(letters, ("ann", "bob"), 0, LATEST)] == [time]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"MsgKey": "secret"}, "a malformed MsgKey"),
        ({"MsgKey": "1_2"}, "a malformed MsgKey"),
        ({"MsgKey": ...}, "no text as its MsgKey"),
        ({"MsgKey": 5}, "no text as its MsgKey"),
        ({"MsgTimeStamp": -1}, "a time beyond the calendar as its MsgTimeStamp"),
        ({"MsgTimeStamp": LATEST + 1}, "a time beyond the calendar as its MsgTimeStamp"),
        ({"MsgTimeStamp": "secret"}, "no whole number as its MsgTimeStamp"),
        ({"MsgTimeStamp": ...}, "no whole number as its MsgTimeStamp"),
        ({"From_Account": ...}, "no text as its From_Account"),
        ({"From_Account": ""}, "no text as its From_Account"),
        ({"To_Account": 5}, "no text as its To_Account"),
    ],
)
def test_a_letter_that_makes_no_sense_is_an_error_that_shows_nothing_of_it(fields, reason):
    letters = Letters()
    entry = letter("ann", "bob", 5, **fields)
    answer = {"MsgList": [{name: value for name, value in entry.items() if value is not ...}], "Complete": 1}
    letters.call = lambda command, body: answer

    with pytest.raises(TencentIMTransientError, match=f"failed: the answer has {reason}\\.") as raised:
        list(read_letters(letters, ("ann", "bob")))
    assert (raised.value.command, raised.value.code) == (ROAM, None)
    assert "secret" not in str(raised.value)


def test_both_sides_are_asked_for_the_whole_window():
    letters = Letters()
    letters.talk("ann", "bob", 9)

    found = list(read_letters(letters, ("ann", "bob"), BEGIN + 2, BEGIN + 6))
    assert sorted(one.time - BEGIN for one in found) == [2, 3, 4, 5, 6]
    assert letters.windows() == [("ann", "bob", BEGIN + 2, BEGIN + 6), ("bob", "ann", BEGIN + 2, BEGIN + 6)]


def test_without_a_window_all_is_asked_for():
    letters = Letters()
    letters.talk("ann", "bob", 9)

    assert len(list(read_letters(letters, ("ann", "bob")))) == 9
    for _, _, oldest, newest in letters.windows():
        assert oldest == 0
        assert newest > BEGIN + 9


def test_what_either_side_lost_is_still_that_of_the_other_and_comes_once():
    letters = Letters()
    letters.views["ann", "bob"] = [letter("ann", "bob", 1), letter("bob", "ann", 2)]
    letters.views["bob", "ann"] = [letter("bob", "ann", 2), letter("ann", "bob", 3)]

    found = [(one.sender, one.time - BEGIN) for one in read_letters(letters, ("ann", "bob"))]
    assert found == [("bob", 2), ("ann", 1), ("ann", 3)]


def test_letters_that_share_a_key_are_told_apart_by_their_senders():
    letters = Letters()
    letters.add(letter("ann", "bob", 1), letter("bob", "ann", 1))

    assert sorted(one.sender for one in read_letters(letters, ("ann", "bob"))) == ["ann", "bob"]


def test_letters_that_share_a_key_are_told_apart_on_pages_that_follow_one_another():
    letters = Letters()
    shared = letter("bob", "ann", 1)
    pages = [
        {"MsgList": [shared], "Complete": 0, "LastMsgTime": BEGIN + 1, "LastMsgKey": shared["MsgKey"]},
        {"MsgList": [letter("ann", "bob", 1), shared], "Complete": 1},
    ]
    letters.call = lambda command, body: pages["LastMsgKey" in body]

    assert [one.sender for one in read_letters(letters, ("ann", "bob"))] == ["bob", "ann"]


def test_letters_of_others_are_passed_over():
    letters = Letters()
    strangers = [("ann", "zoe"), ("zoe", "bob"), ("ann", "ann"), ("zoe", "zoe")]
    letters.views["ann", "bob"] = [letter(*sides, number) for number, sides in enumerate(strangers)]
    letters.views["ann", "bob"].append(letter("bob", "ann", 9))

    assert [one.sender for one in read_letters(letters, ("ann", "bob"))] == ["bob"]


def test_a_side_that_cannot_be_read_is_an_error():
    letters = Letters()
    letters.talk("ann", "bob", 3)
    letters.fail("bob", "ann", 10010)

    with pytest.raises(TencentIMNotFoundError):
        list(read_letters(letters, ("ann", "bob")))
