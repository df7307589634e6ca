"""What the arguments of calls must look like: the limits themselves, and what is said of what is beyond them."""

from __future__ import annotations

import re

import pytest

from airflow_provider_tencentim.client import arguments

HINT = "; with render_template_as_native_obj an id of digits becomes a number: quote it in the template"


def refusal(check, *values):
    with pytest.raises(ValueError, match=r".") as caught:
        check(*values)
    return str(caught.value)


def test_text_comes_back_as_it_is():
    assert arguments.check_text("reason", " two words ") == " two words "
    assert arguments.check_text("reason", "é" * 50, 100) == "é" * 50


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "x must be text, not NoneType"),
        ([], "x must be text, not list"),
        (7, f"x must be text, not int{HINT}"),
        (7.0, f"x must be text, not float{HINT}"),
        ("", "x is blank"),
        (" \t\n", "x is blank"),
        ("\ud800", "x is not valid Unicode"),
        ("é" * 51, "x is 102 bytes long, 100 are allowed"),
    ],
)
def test_what_is_no_text_is_refused_and_not_shown(value, told):
    assert refusal(arguments.check_text, "x", value, 100) == told


def test_an_id_is_printable_ascii_of_so_many_bytes():
    assert arguments.check_id("group_id", "@TGS#2 ~" + "a" * 40, 48) == "@TGS#2 ~" + "a" * 40
    assert refusal(arguments.check_id, "group_id", "a" * 49, 48) == "group_id is 49 bytes long, 48 are allowed"
    for strange in ("caf\u00e9", "a\n", "a\x7f", "\x1fa"):
        told = refusal(arguments.check_id, "group_id", strange, 48)
        assert told == "group_id holds characters other than printable ASCII"


def test_ids_are_a_list_of_so_many():
    assert arguments.check_ids("to", ("a", "b" * 32), 2) == ["a", "b" * 32]
    assert arguments.check_ids("to", ["a"], 2) == ["a"]
    for values in ([], ["a"] * 3, "ab", {"a"}, None):
        assert refusal(arguments.check_ids, "to", values, 2) == "to must be a list of 1 to 2 UserIDs"
    assert refusal(arguments.check_ids, "to", ["a", "b" * 33], 2) == "to is 33 bytes long, 32 are allowed"


def test_a_msg_seq_is_a_whole_number():
    assert arguments.check_msg_seq("msg_seq", 4_294_967_295) == 4_294_967_295
    told = refusal(arguments.check_msg_seq, "msg_seq", 0)
    assert told == "msg_seq must be a whole number from 1 to 4294967295, not 0"


def test_a_msg_key_is_three_numbers():
    assert arguments.check_msg_key("msg_key", "31906_833502_1572869830") == "31906_833502_1572869830"
    for key in ("31906_833502", "a_1_2", "1_2_3_4", "1_2_3\n", "12345678901_2_3"):
        told = refusal(arguments.check_msg_key, "msg_key", key)
        assert told == "msg_key is not MsgSeq_MsgRandom_MsgTimeStamp, such as 31906_833502_1572869830"
    assert refusal(arguments.check_msg_key, "msg_key", 123) == f"msg_key must be text, not int{HINT}"


def test_a_group_or_a_topic_of_it():
    group, topic = "a" * 48, "b" * 96
    assert arguments.group_fields(group) == {"GroupId": group}
    assert arguments.group_fields(group, topic) == {"GroupId": group, "TopicId": topic}
    assert refusal(arguments.group_fields, group + "a") == "group_id is 49 bytes long, 48 are allowed"
    assert refusal(arguments.group_fields, group, topic + "b") == "topic_id is 97 bytes long, 96 are allowed"
    assert refusal(arguments.group_fields, group, "") == "topic_id is blank"


def test_a_message_of_a_conversation():
    sender, recipient = "a" * 32, "b" * 32
    fields = arguments.conversation_fields(sender, recipient, "1_2_3")

    assert fields == {"From_Account": sender, "To_Account": recipient, "MsgKey": "1_2_3"}
    for values, told in (
        ((sender + "a", recipient, "1_2_3"), "from_account is 33 bytes long"),
        ((sender, recipient + "b", "1_2_3"), "to_account is 33 bytes long"),
        ((sender, recipient, "1_2"), "msg_key is not MsgSeq_MsgRandom_MsgTimeStamp"),
    ):
        assert refusal(arguments.conversation_fields, *values).startswith(told)


def test_a_message_is_overwritten_with_something():
    text = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "gone"}}]

    assert arguments.message_fields("gone", None) == {"MsgBody": text}
    assert arguments.message_fields(None, "{}") == {"CloudCustomData": "{}"}
    assert arguments.message_fields(text, "{}") == {"MsgBody": text, "CloudCustomData": "{}"}
    told = refusal(arguments.message_fields, None, None)
    assert told == "msg_body or cloud_custom_data must be given: there is nothing to overwrite with"
    assert refusal(arguments.message_fields, 7, None).startswith("msg_body ")
    assert refusal(arguments.message_fields, None, " ") == "cloud_custom_data is blank"
    assert re.search("long|bytes", refusal(arguments.message_fields, "a" * 20_000, None))


def test_a_reason_is_short():
    assert arguments.reason_field(None) == {}
    assert arguments.reason_field("a" * 100) == {"Reason": "a" * 100}
    assert refusal(arguments.reason_field, "a" * 101) == "reason is 101 bytes long, 100 are allowed"
    assert refusal(arguments.reason_field, "") == "reason is blank"
