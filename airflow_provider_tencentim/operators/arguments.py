"""What a templated argument is worth once it is rendered.

Templates render to nothing all the time, and an argument that narrows or names what is touched must never widen
by that. So whether an argument was given is settled when the operator is constructed, and one that was given and
comes to nothing is an error. Text of the right form is converted; everything else of a wrong type is an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


def given_arguments(operator: BaseOperator) -> frozenset[str]:
    """Return the names of the templated arguments that the author of the DAG gave.

    :param operator: one that was just constructed.
    """
    return frozenset(name for name in operator.template_fields if getattr(operator, name) is not None)


class Arguments:
    """Reads the rendered arguments of an operator; each reader returns None for one that was not given.

    :param operator: the operator, its templates rendered.
    :param given: what :func:`given_arguments` said when it was constructed.
    """

    def __init__(self, operator: BaseOperator, given: frozenset[str]) -> None:
        self._operator = operator
        # A mapped task is constructed when it runs, from values that come to None as templates do: there, whatever
        # the mapping names counts as given.
        if getattr(operator, "_BaseOperator__from_mapped", False):
            given |= frozenset(getattr(operator, "_BaseOperator__init_kwargs", ()))
        self._given = given

    def value(self, name: str) -> Any:
        """Return an argument as it is.

        :param name: of a template field.
        :raises ValueError: when it was given and is nothing.
        """
        value = getattr(self._operator, name)
        if not is_nothing(value):
            return value
        if name in self._given:
            raise ValueError(f"{name} was given and came to nothing ({_shown(value)})")
        return None

    def content(self, name: str) -> Any:
        """Return a message body as it is.

        :param name: of a template field.
        :raises ValueError: when it, or a text in it, was given and is nothing: a template in it found nothing, and
            a message must not be overwritten with that.
        """
        value = self.value(name)
        for element in value if isinstance(value, list | tuple) else ():
            content = element.get("MsgContent") if isinstance(element, dict) else None
            if isinstance(content, dict) and "Text" in content and is_nothing(content["Text"]):
                raise ValueError(f"{name} holds a Text that came to nothing ({_shown(content['Text'])})")
        return value

    def integer(self, name: str) -> int | None:
        """Return a whole number.

        :param name: of a template field.
        :raises ValueError: when it is something else.
        """
        value = self.value(name)
        if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,20}\s*", value, re.ASCII):
            return int(value)
        if value is not None and type(value) is not int:
            raise ValueError(f"{name} must be a whole number, not {_shown_type(value)}")
        return value

    def flag(self, name: str) -> bool:
        """Return a switch.

        :param name: of a template field.
        :raises ValueError: when it is neither true nor false.
        """
        value = self.value(name)
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.strip().lower(), value)
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, not {_shown_type(value)}")
        return value

    def items(self, name: str) -> Any:
        """Return the items of a list: the list itself, one that was written as text, or a single value as one item.

        :param name: of a template field.
        :raises ValueError: when it is something else, or has no items.
        """
        value = self.value(name)
        if isinstance(value, str):
            value = _read_list(name, value) if value.lstrip().startswith("[") else [value]
        elif isinstance(value, int):
            value = [value]
        if value is None:
            return None
        if isinstance(value, bytes) or not isinstance(value, Sequence | Set):
            raise ValueError(f"{name} must be a list, not {type(value).__name__}")
        if len(value) == 0:
            raise ValueError(f"{name} was given and came to nothing (an empty list)")
        return value


def is_nothing(value: object) -> bool:
    """Tell whether a rendered value is what templates leave when there was nothing to render.

    :param value: None, blank text, what has no items, and the text that these are rendered to.
    """
    # A DAG file that is only parsed does not pay for the client.
    from airflow_provider_tencentim.client.nothing import is_nothing as rule

    return rule(value)


def overwritten_fields(msg_body: object, cloud_custom_data: object) -> list[str]:
    """Return the names of the message fields that an operator overwrites.

    :param msg_body: None when it stays as it is.
    :param cloud_custom_data: None when it stays as it is.
    """
    fields = {"MsgBody": msg_body, "CloudCustomData": cloud_custom_data}
    return [name for name, value in fields.items() if value is not None]


def _read_list(name: str, text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(f"{name} begins like a list and is none") from None


def _shown(value: object) -> str:
    return repr(value[:10]) if isinstance(value, str) else f"{value!r}"


def _shown_type(value: object) -> str:
    return "other text" if isinstance(value, str) else type(value).__name__
