"""Fault rules: answers that are wrong, late or lost, on purpose."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_BODIES = ("malformed", "empty", "truncated")
_ACTIONS = ("error_code", "http_status", "drop", "body")


@dataclass(slots=True)
class Fault:
    """One rule; see :func:`parse_fault` for its form."""

    id: int
    command: str | None = None
    group: str | None = None
    error_code: int | None = None
    error_info: str | None = None
    http_status: int | None = None
    drop: bool = False
    body: str | None = None
    delay_ms: int = 0
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    after_commit: bool = False
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Reproducible on purpose, and no secret.
        self._dice = random.Random(self.seed)  # noqa: S311

    @property
    def replaces_answer(self) -> bool:
        """Whether the client gets something other than the answer; else the rule only delays it."""
        return self.drop or any(value is not None for value in (self.error_code, self.http_status, self.body))

    def strikes(self, command: str, raw: bytes) -> bool:
        """Tell whether this call is hit, and use the rule up by one if it is."""
        if self.times == 0 or self.command not in (None, command):
            return False
        if self.group is not None and self.group not in _groups_named(raw):
            return False
        if self._dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return the rule as it would be written, ``times`` being what is left of it."""
        rule = {"id": self.id, **{name: getattr(self, name) for name in _TYPES}}
        return {name: value for name, value in rule.items() if value is not None}


def _groups_named(raw: bytes) -> list[object]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    if not isinstance(body, dict):
        return []
    listed = body.get("GroupIdList")
    return [body.get("GroupId"), *(listed if isinstance(listed, list) else ())]


_TYPES: dict[str, tuple[type, ...]] = {
    "command": (str,),
    "group": (str,),
    "error_code": (int,),
    "error_info": (str,),
    "http_status": (int,),
    "drop": (bool,),
    "body": (str,),
    "delay_ms": (int,),
    "times": (int,),
    "probability": (int, float),
    "seed": (int,),
    "after_commit": (bool,),
}


def parse_fault(number: int, rule: Mapping[str, Any]) -> Fault:
    """Read a rule.

    :param number: the id it gets.
    :param rule: its fields, of which exactly one of error_code, http_status, drop and body must be there,
        or delay_ms alone.
    :raises ValueError: saying what is wrong.
    """
    for name, value in rule.items():
        if name not in _TYPES:
            raise ValueError(f"unknown field {name!r}; known are {', '.join(_TYPES)}")
        if type(value) not in _TYPES[name]:
            raise ValueError(f"{name} must be of type {_TYPES[name][-1].__name__}")
    actions = [name for name in _ACTIONS if rule.get(name, False) is not False]
    if len(actions) > 1 or not (actions or rule.get("delay_ms")):
        raise ValueError(f"give exactly one of {', '.join(_ACTIONS)}, or only delay_ms")
    checks = {
        "command must be service/command": rule.get("command", "/").count("/") == 1,
        "error_info goes with error_code": "error_info" not in rule or "error_code" in rule,
        "error_code must not be 0": rule.get("error_code") != 0,
        "http_status must be from 200 to 599": 200 <= rule.get("http_status", 200) <= 599,
        f"body must be one of {', '.join(_BODIES)}": rule.get("body", "empty") in _BODIES,
        "delay_ms must not be negative": rule.get("delay_ms", 0) >= 0,
        "times must be at least 1": rule.get("times", 1) >= 1,
        "probability must be over 0 and at most 1": 0 < rule.get("probability", 1) <= 1,
    }
    for complaint, holds in checks.items():
        if not holds:
            raise ValueError(complaint)
    return Fault(id=number, **rule)


class Faults:
    """The rules in force. The first that strikes wins."""

    def __init__(self) -> None:
        self._rules: dict[int, Fault] = {}
        self._last = 0

    def add(self, rule: Mapping[str, Any]) -> int:
        """Add a rule and return its id."""
        fault = parse_fault(self._last + 1, rule)
        self._last = fault.id
        self._rules[fault.id] = fault
        return fault.id

    def clear(self, number: int | None = None) -> None:
        """Remove one rule, or all."""
        if number is None:
            self._rules.clear()
        elif self._rules.pop(number, None) is None:
            raise ValueError(f"there is no fault {number}")

    def as_list(self) -> list[dict[str, Any]]:
        """Return the rules, used-up ones with ``times`` 0."""
        return [fault.as_dict() for fault in self._rules.values()]

    def strike(self, command: str, raw: bytes) -> Fault | None:
        """Return the rule that hits this call."""
        return next((fault for fault in self._rules.values() if fault.strikes(command, raw)), None)
