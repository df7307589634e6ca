"""Which messages a policy picks by sender and text, and what it overwrites them with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import re2

from airflow_provider_tencentim.client.arguments import check_text, message_fields
from airflow_provider_tencentim.client.messages import MsgBody
from airflow_provider_tencentim.client.nothing import is_nothing


class Message(Protocol):
    """What a policy looks at: an entry of a history."""

    @property
    def sender(self) -> str:
        """The UserID."""

    @property
    def body(self) -> Any:
        """The MsgBody: a list, but an object for a notice of the system."""

    @property
    def custom(self) -> str | None:
        """The CloudCustomData."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What messages are overwritten with.

    :param msg_body: the MsgBody; None to leave it as it is.
    :param cloud_custom_data: the CloudCustomData; None to leave it as it is.
    """

    msg_body: MsgBody | None = None
    cloud_custom_data: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what :func:`read_replacement` reads back."""
        fields = {"msg_body": self.msg_body, "cloud_custom_data": self.cloud_custom_data}
        return {name: value for name, value in fields.items() if value is not None}

    def is_in(self, message: Message) -> bool:
        """Tell whether a message already is as it would be overwritten.

        :param message: of a history.
        """
        if self.cloud_custom_data is not None and message.custom != self.cloud_custom_data:
            return False
        try:
            return self.msg_body is None or _same_json(self.msg_body, message.body)
        except RecursionError:  # nested as deeply as JSON can just be read
            return False


def read_replacement(name: str, value: object) -> Replacement:
    """Return what messages are overwritten with.

    :param name: the key.
    :param value: ``{"msg_body": …, "cloud_custom_data": …}`` or the msg_body alone, as text or as a list.
    :raises ValueError: naming the field that is malformed, and never showing its content.
    """
    given = value if isinstance(value, Mapping) else {"msg_body": value}
    for key, content in given.items():
        if key not in ("msg_body", "cloud_custom_data"):
            raise ValueError(f"{name} takes msg_body and cloud_custom_data, and no other key")
        if is_nothing(content):
            raise ValueError(f"{name}: {key} was given and came to nothing")
    try:
        # What went through JSON once comes out of a file as it went in.
        fields = json.loads(json.dumps(message_fields(given.get("msg_body"), given.get("cloud_custom_data"))))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    for position, element in enumerate(fields.get("MsgBody", ())):
        content = element["MsgContent"]
        if "Text" in content and is_nothing(content["Text"]):
            raise ValueError(f"{name}: the Text of element {position} of msg_body came to nothing")
    return Replacement(fields.get("MsgBody"), fields.get("CloudCustomData"))


def check_expression(name: str, value: object) -> str:
    """Return a regular expression that RE2 takes: it searches any text in linear time.

    :param name: the key and the position.
    :param value: what was given.
    :raises ValueError: when it is none, or when it is found in every text.
    """
    text = check_text(name, value)
    try:
        found_in_nothing = _compiled(text).search(b"")
    except re2.error as error:
        reason = _reason(error)
        raise ValueError(
            f"{name} is no regular expression of RE2 ({reason}); look-around and back-references are not taken"
        ) from None
    if found_in_nothing:
        raise ValueError(f"{name} is found in empty text, and so in every text: it narrows nothing")
    return text


def is_found(expressions: Sequence[str], body: object) -> bool:
    """Tell whether one of some expressions is found in a text element of a message.

    :param expressions: that :func:`check_expression` returned.
    :param body: a MsgBody; a notice of the system, whose body is no list, is never found.
    """
    texts = [_text_of(element) for element in body] if isinstance(body, list) else []
    return any(_compiled(expression).search(text) for text in texts if text for expression in expressions)


def fingerprint(accounts: Collection[str], expressions: Collection[str], replacement: Replacement | None) -> str:
    """Return a short text that differs when other messages are picked, or when they become something else.

    :param accounts: the senders.
    :param expressions: what is searched for.
    :param replacement: what messages are overwritten with.
    """
    told = [sorted(accounts), sorted(expressions), replacement and replacement.to_dict()]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    options = re2.Options()
    # It would print the expression.
    options.log_errors = False
    return re2.compile(expression.encode(), options)


def _reason(error: Exception) -> str:
    """Return what RE2 says, without the part of the expression that it shows behind a colon."""
    said = error.args[0] if error.args else b""
    return (said.decode(errors="replace") if isinstance(said, bytes) else str(said)).partition(":")[0]


def _text_of(element: object) -> bytes:
    if not isinstance(element, Mapping) or element.get("MsgType") != "TIMTextElem":
        return b""
    content = element.get("MsgContent")
    text = content.get("Text") if isinstance(content, Mapping) else None
    # JSON can hold half of a surrogate pair, which no encoding has.
    return text.encode(errors="replace") if isinstance(text, str) else b""


def _same_json(one: object, other: object) -> bool:
    """Tell whether two values are the same in JSON, where true is not 1 but 1.0 is."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


class Meant:
    """What the policies of groups and of conversations ask of a message: its age, its sender and its text."""

    __slots__ = ()

    before: datetime | None
    from_accounts: tuple[str, ...]
    text_matches: tuple[str, ...]
    replacement: Replacement | None
    _senders: frozenset[str]

    @property
    def cut_off(self) -> int:
        """The Unix second from which on messages stay.

        :raises ValueError: when it is not fixed.
        """
        if self.before is None:
            raise ValueError("the cut-off is not fixed: resolve the policy first")
        return int(self.before.timestamp())

    def picks(self, entry: Message) -> bool:
        """Tell whether a message meets all criteria of sender and text.

        :param entry: of a history.
        """
        if self._senders and entry.sender not in self._senders:
            return False
        return not self.text_matches or is_found(self.text_matches, entry.body)

    def is_replaced(self, entry: Message) -> bool:
        """Tell whether a message already is as it would be overwritten.

        :param entry: of a history.
        """
        return self.replacement is not None and self.replacement.is_in(entry)

    @property
    def selection_key(self) -> str:
        """What two runs of an action have in common when they treat the same messages in the same way."""
        return fingerprint(self.from_accounts, self.text_matches, self.replacement)
