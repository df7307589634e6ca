"""What the arguments of calls must look like; each check raises a ValueError that names the argument.

No check shows a text that it refuses: it may be message content, or something pasted by mistake.
"""

from __future__ import annotations

import re
from typing import Any

from .messages import check_size, parse_msg_body
from .seqs import check_seq

LONGEST_GROUP_ID = 48
LONGEST_TOPIC_ID = 96
LONGEST_USER_ID = 32
LONGEST_REASON = 100

# Printable ASCII, as the documents have it for group ids and UserIDs.
_PRINTABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)
_MSG_KEY = re.compile(r"[0-9]{1,10}_[0-9]{1,10}_[0-9]{1,10}", re.ASCII)


def check_text(name: str, value: object, longest: int | None = None) -> str:
    """Return a text.

    :param name: the argument.
    :param value: what was given for it.
    :param longest: at most so many bytes of UTF-8.
    :raises ValueError: when it is no text, blank, no valid Unicode or too long.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not {type(value).__name__}{_HINTS.get(type(value), '')}")
    if not value.strip():
        raise ValueError(f"{name} is blank")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not valid Unicode") from None
    if longest is not None and size > longest:
        raise ValueError(f"{name} is {size} bytes long, {longest} are allowed")
    return value


def check_id(name: str, value: object, longest: int) -> str:
    """Return an id: a GroupId, a TopicId or a UserID.

    :param name: the argument.
    :param value: what was given for it.
    :param longest: at most so many bytes.
    :raises ValueError: when it is no text, blank, too long or not printable ASCII.
    """
    text = check_text(name, value, longest)
    if not _PRINTABLE.fullmatch(text):
        raise ValueError(f"{name} holds characters other than printable ASCII")
    return text


def check_ids(name: str, values: object, most: int) -> list[str]:
    """Return a list of UserIDs.

    :param name: the argument.
    :param values: what was given for it.
    :param most: at most so many.
    :raises ValueError: when it is no list, empty, too long, or holds something else.
    """
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= most:
        raise ValueError(f"{name} must be a list of 1 to {most} UserIDs")
    return [check_id(name, value, LONGEST_USER_ID) for value in values]


def check_msg_seq(name: str, value: object) -> int:
    """Return a MsgSeq.

    :param name: the argument.
    :param value: what was given for it.
    :raises ValueError: when it is not a whole number from 1 to 4294967295.
    """
    try:
        return check_seq(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def check_msg_key(name: str, value: object) -> str:
    """Return a MsgKey.

    :param name: the argument.
    :param value: what was given for it.
    :raises ValueError: when it is not three numbers with underscores between them.
    """
    text = check_text(name, value)
    if not _MSG_KEY.fullmatch(text):
        raise ValueError(f"{name} is not MsgSeq_MsgRandom_MsgTimeStamp, such as 31906_833502_1572869830")
    return text


def group_fields(group_id: object, topic_id: object = None) -> dict[str, str]:
    """Return the body fields that name a group, or a topic of a community.

    :param group_id: the GroupId.
    :param topic_id: the TopicId; None for the group itself.
    :raises ValueError: naming the one that is malformed.
    """
    fields = {"GroupId": check_id("group_id", group_id, LONGEST_GROUP_ID)}
    if topic_id is not None:
        fields["TopicId"] = check_id("topic_id", topic_id, LONGEST_TOPIC_ID)
    return fields


def conversation_fields(from_account: object, to_account: object, msg_key: object) -> dict[str, str]:
    """Return the body fields that name a one-to-one message.

    :param from_account: the sender's UserID.
    :param to_account: the recipient's UserID.
    :param msg_key: the MsgKey.
    :raises ValueError: naming the one that is malformed.
    """
    return {
        "From_Account": check_id("from_account", from_account, LONGEST_USER_ID),
        "To_Account": check_id("to_account", to_account, LONGEST_USER_ID),
        "MsgKey": check_msg_key("msg_key", msg_key),
    }


def message_fields(msg_body: object, cloud_custom_data: object) -> dict[str, Any]:
    """Return the body fields that overwrite a message.

    :param msg_body: text or a list of elements; None to leave it as it is.
    :param cloud_custom_data: text; None to leave it as it is.
    :raises ValueError: when neither is given, or naming the one that is malformed.
    """
    fields: dict[str, Any] = {}
    if msg_body is not None:
        try:
            fields["MsgBody"] = parse_msg_body(msg_body)
        except ValueError as error:
            raise ValueError(f"msg_body {error}") from None
    if cloud_custom_data is not None:
        fields["CloudCustomData"] = check_text("cloud_custom_data", cloud_custom_data)
    if not fields:
        raise ValueError("msg_body or cloud_custom_data must be given: there is nothing to overwrite with")
    check_size(fields)
    return fields


def reason_field(reason: object) -> dict[str, str]:
    """Return the body field that tells members why a message was recalled; none for None.

    :param reason: text of at most 100 bytes.
    :raises ValueError: when it is no text, blank or longer.
    """
    return {} if reason is None else {"Reason": check_text("reason", reason, LONGEST_REASON)}


# Native rendering turns text that looks like a number into one, and "1_2_3" into 123.
_NATIVE = "; with render_template_as_native_obj an id of digits becomes a number: quote it in the template"
_HINTS = {int: _NATIVE, float: _NATIVE}
