"""The keys of a policy: each reader turns what was given for one into what it means, or says what is wrong with it."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_provider_tencentim.client.arguments import LONGEST_GROUP_ID, LONGEST_USER_ID, check_id, check_text
from airflow_provider_tencentim.client.nothing import is_nothing
from airflow_provider_tencentim.client.seqs import LAST_SEQ

from .criteria import check_expression, read_replacement
from .durations import read_age, read_moment
from .patterns import is_glob

#: Turns the value of a key, which is not nothing, into what it means; raises a ValueError that names the key.
Reader = Callable[[str, Any], Any]

GROUP_TYPES = ("Public", "Private", "ChatRoom", "AVChatRoom", "Community")
# What newer documents and the console call two of them.
_NEWER_NAMES = {"Work": "Private", "Meeting": "ChatRoom"}
_LONGEST_GLOB = 1024
# How Python writes what has no items: no id, sender or expression looks so, and as one it would narrow nothing.
_EMPTY_IN_WORDS = frozenset({"{}", "()", "set()"})
_LIST_IN_TEXT = re.compile(r"\[\s*(?:'.*'|\".*\")\s*\]", re.DOTALL)
_LONGEST_NAME = 64


def read_keys(where: str, given: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return what the keys of a mapping mean.

    :param where: the part of the policy, for errors.
    :param given: the mapping.
    :param readers: of the keys that it may have.
    :raises ValueError: naming the part and the key that is unknown, empty or malformed.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} must be a mapping of keys and values, not {type(given).__name__}")
    meant: dict[str, Any] = {}
    for key, value in given.items():
        reader = readers.get(key)
        if reader is None:
            raise ValueError(f"{where}: {_unknown(key, readers)}")
        if is_nothing(value):
            raise ValueError(f"{where}: {key} was given and came to nothing")
        try:
            meant[key] = reader(key, value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        except (RecursionError, OverflowError):
            raise ValueError(f"{where}: {key} is too large or too deep") from None
    return meant


def check_one_of(where: str, given: Mapping[str, Any], first: str, second: str) -> None:
    """Refuse both or none of two keys.

    :param where: the part of the policy.
    :param given: its keys.
    :param first: one key.
    :param second: the other key.
    :raises ValueError: naming the two.
    """
    if first in given and second in given:
        raise ValueError(f"{where}: {first} and {second} exclude each other")
    if first not in given and second not in given:
        raise ValueError(f"{where}: one of {first}, {second} is required")


def check_replacement(where: str, action: str, replacement: object) -> None:
    """Refuse an overwriting without, and anything else with, what messages are overwritten with.

    :param where: the part of the policy.
    :param action: its action.
    :param replacement: what messages are overwritten with, if it is given.
    :raises ValueError: naming the key.
    """
    if action.startswith("redact") and replacement is None:
        raise ValueError(f"{where}: replacement is required with {action}")
    if not action.startswith("redact") and replacement is not None:
        raise ValueError(f"{where}: replacement is for actions that overwrite messages, and {action} does not")


def one_of(*words: str) -> Reader:
    """Return the reader of a key that takes one word.

    :param words: that it takes.
    """

    def read(name: str, value: object) -> str:
        if not isinstance(value, str) or value.strip() not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}")
        return value.strip()

    return read


def text(name: str, value: object) -> str:
    """Read a text.

    :param name: the key.
    :param value: what was given.
    """
    return check_text(name, value)


def flag(name: str, value: object) -> bool:
    """Read a switch.

    :param name: the key.
    :param value: what was given.
    """
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {_kind(value)}")
    return value


def number(name: str, value: object) -> int:
    """Read how many messages are kept.

    :param name: the key.
    :param value: what was given.
    """
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,20}\s*", value, re.ASCII):
        value = int(value)
    if type(value) is not int:
        raise ValueError(f"{name} must be a whole number, not {_kind(value)}")
    if value == 0:
        raise ValueError(f"{name} was given and keeps nothing: leave it out")
    if not 0 < value <= LAST_SEQ:
        raise ValueError(f"{name} must be a whole number from 1 to {LAST_SEQ}")
    return value


def items(name: str, value: object) -> list[Any]:
    """Return the items of a list: the list itself, one that was written as text, or a text as one item.

    :param name: the key.
    :param value: what was given.
    :raises ValueError: when it is something else, has no items, or an item is nothing.
    """
    if isinstance(value, str):
        value = _list_of(name, value) if value.lstrip().startswith("[") else [value]
    if isinstance(value, bytes | bytearray) or not isinstance(value, Sequence):
        raise ValueError(f"{name} must be a list, not {type(value).__name__}")
    if len(value) == 0:
        raise ValueError(f"{name} was given and came to nothing (an empty list)")
    for position, item in enumerate(value, 1):
        if is_nothing(item) or (isinstance(item, str) and item.strip() in _EMPTY_IN_WORDS):
            raise ValueError(f"{name}: item {position} came to nothing")
    return list(value)


def list_of(check: Reader) -> Reader:
    """Return the reader of a list, each item of which is checked; what comes again is dropped.

    :param check: reads one item.
    """

    def read(name: str, value: object) -> tuple[Any, ...]:
        checked = (check(f"{name}: item {position}", item) for position, item in enumerate(items(name, value), 1))
        return tuple(dict.fromkeys(checked))

    return read


def mappings(name: str, value: object) -> list[Any]:
    """Read a list of mappings, as they are.

    :param name: the key.
    :param value: what was given.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be a list of mappings, not {_kind(value)}")
    return list(value)


def account(name: str, value: object) -> str:
    """Read a UserID.

    :param name: the key and the position.
    :param value: what was given.
    """
    return _trimmed(name, check_id(name, value, LONGEST_USER_ID))


def pairs(name: str, value: object) -> tuple[tuple[str, str], ...]:
    """Read a list of conversations; one that comes again, from whichever side, is dropped.

    :param name: the key.
    :param value: what was given.
    """
    distinct: dict[frozenset[str], tuple[str, str]] = {}
    for sides in list_of(_pair)(name, value):
        distinct.setdefault(frozenset(sides), sides)
    return tuple(distinct.values())


def _pair(name: str, value: object) -> tuple[str, str]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name} must be a list of two UserIDs")
    for side in value:
        if is_nothing(side):
            raise ValueError(f"{name} holds a UserID that came to nothing")
    first, second = (account(name, side) for side in value)
    if first == second:
        raise ValueError(f"{name} must be two different UserIDs")
    return first, second


def _pattern(longest: int) -> Reader:
    def read(name: str, value: object) -> str:
        if isinstance(value, str) and _LIST_IN_TEXT.fullmatch(value.strip()):
            raise ValueError(f"{name} is a list inside of a text, which would be taken for a glob")
        pattern = check_id(name, value, _LONGEST_GLOB if isinstance(value, str) and is_glob(value) else longest)
        return _trimmed(name, pattern)

    return read


def _group_type(name: str, value: object) -> str:
    known = _NEWER_NAMES.get(value, value) if isinstance(value, str) else None
    if known not in GROUP_TYPES:
        raise ValueError(f"{name} must be one of {', '.join((*GROUP_TYPES, *_NEWER_NAMES))}")
    return known


#: What a policy for groups and one for conversations have in common.
COMMON_READERS: dict[str, Reader] = {
    "before": read_moment,
    "older_than": read_age,
    "hold_path": text,
    "keep_last": number,
    "from_accounts": list_of(account),
    "text_matches": list_of(check_expression),
    "replacement": read_replacement,
    "allow_recent": flag,
}
group_patterns = list_of(_pattern(LONGEST_GROUP_ID))
account_patterns = list_of(_pattern(LONGEST_USER_ID))
group_types = list_of(_group_type)


def _trimmed(name: str, value: str) -> str:
    if value != value.strip():
        raise ValueError(f"{name} begins or ends with a blank")
    return value


def _list_of(name: str, value: str) -> object:
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(
            f"{name} begins like a list and is none: put a pattern that begins with [ into a list"
        ) from None


def _unknown(key: object, readers: Mapping[str, Reader]) -> str:
    if not isinstance(key, str):
        return f"a key is {type(key).__name__}, not text"
    near = difflib.get_close_matches(key[:_LONGEST_NAME], readers, n=1)
    hint = f", did you mean {near[0]}?" if near else f"; known are {', '.join(readers)}"
    return f"unknown key {key[:_LONGEST_NAME]!r}{hint}"


def _kind(value: object) -> str:
    return "other text" if isinstance(value, str) else type(value).__name__
