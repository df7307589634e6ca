"""Strictly typed reading of request fields: no "23" for an Integer, no true for 1, no null for absent."""

from __future__ import annotations

from typing import Any

from airflow_provider_tencentim.emulator.answers import RefusalError

UINT32 = 4_294_967_295


class Fields:
    """The fields of a JSON object, refused with one code unless a field has its own.

    :param values: the JSON object.
    :param code: the ErrorCode for a missing or wrongly typed field.
    """

    def __init__(self, values: dict[str, Any], code: int) -> None:
        self._values = values
        self._code = code

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def refuse(self, name: str, code: int | None = None) -> RefusalError:
        """Return the refusal of a field, which names it and does not quote it."""
        return RefusalError(self._code if code is None else code, f"invalid request: {name}")

    def text(self, name: str, default: str | None = None, *, code: int | None = None, most: int = 0) -> str:
        """Return a String.

        :param name: the field.
        :param default: what an absent field stands for; without it the field is required.
        :param code: its own ErrorCode.
        :param most: the most bytes of UTF-8; 0 is any number.
        """
        value = self._values.get(name) if name in self._values or default is None else default
        if not isinstance(value, str) or (most and len(value.encode()) > most):
            raise self.refuse(name, code)
        return value

    def integer(
        self,
        name: str,
        default: int | None = None,
        *,
        low: int = 0,
        high: int = UINT32,
        code: int | None = None,
    ) -> int:
        """Return an Integer.

        :param name: the field.
        :param default: what an absent field stands for; without it the field is required.
        :param low: the least it may be.
        :param high: the most it may be.
        :param code: its own ErrorCode.
        """
        value = self._values.get(name) if name in self._values or default is None else default
        if type(value) is not int or not low <= value <= high:
            raise self.refuse(name, code)
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return a String that must be one of some."""
        value = self.text(name, default)
        if value not in choices:
            raise self.refuse(name)
        return value

    def array(self, name: str, *, required: bool = True, code: int | None = None) -> list[Any]:
        """Return an Array; an absent one that is not required is empty."""
        value = self._values.get(name) if name in self._values or required else []
        if not isinstance(value, list):
            raise self.refuse(name, code)
        return value

    def texts(self, name: str, *, required: bool = True) -> list[str]:
        """Return an Array of Strings."""
        values = self.array(name, required=required)
        if not all(isinstance(value, str) for value in values):
            raise self.refuse(name)
        return values

    def objects(self, name: str, *, required: bool = True) -> list[Fields]:
        """Return an Array of Objects, each to be read in the same way."""
        values = self.array(name, required=required)
        if not all(isinstance(value, dict) for value in values):
            raise self.refuse(name)
        return [Fields(value, self._code) for value in values]

    def object(self, name: str) -> Fields:
        """Return an Object; an absent one is empty."""
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise self.refuse(name)
        return Fields(value, self._code)

    def raw(self, name: str) -> Any:
        """Return a field as it came, None when it is absent."""
        return self._values.get(name)
