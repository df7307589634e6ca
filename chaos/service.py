"""The emulator of a campaign: it counts the faults that struck, and its key can be rotated."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from airflow_provider_tencentim.emulator import TencentIMEmulator
from airflow_provider_tencentim.emulator.faults import Fault, Faults
from airflow_provider_tencentim.emulator.usersig import Verifier


class _CountedFaults(Faults):
    """Tells the name of every rule that strikes.

    :param count: is told.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        super().__init__()
        self._count = count
        self._names: dict[int, str] = {}

    def add_named(self, name: str, rule: dict[str, Any]) -> None:
        self._names[self.add(rule)] = name

    def strike(self, command: str, raw: bytes) -> Fault | None:
        fault = super().strike(command, raw)
        if fault is not None:
            self._count(self._names[fault.id])
        return fault


class Service(TencentIMEmulator):
    """An emulator without a limit of calls per second: here a second is a hundredth of one.

    :param count: is told the name of every fault that struck.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        super().__init__(assumptions={"extra_calls_per_second": 1_000_000, "batch_messages_per_minute": 0})
        self.count = count
        self._faults = _CountedFaults(count)
        self._gateway.faults = self._faults

    def be_struck(self, name: str, rule: dict[str, Any]) -> None:
        """Add a fault rule.

        :param name: under which it is counted.
        :param rule: as for ``add_fault``.
        """
        with self._gateway.lock:
            self._faults.add_named(name, rule)

    def rotate_key(self) -> None:
        """Take another key: whoever signs with the old one is refused from now on."""
        self.count("key rotated")
        self.secret_key = secrets.token_hex(32)
        with self._gateway.lock:
            self._gateway.verifier = Verifier(self.sdkappid, self.secret_key)
