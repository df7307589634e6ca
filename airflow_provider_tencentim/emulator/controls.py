"""What a test can see and set: the same over the control endpoints and in the emulator's own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_tencentim.emulator import views
from airflow_provider_tencentim.emulator.gateway import Gateway
from airflow_provider_tencentim.emulator.generator import generate
from airflow_provider_tencentim.emulator.store import App


class Controls:
    """Hands on the emulated app, safe to use from any thread.

    :param gateway: the app behind its gateway.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._initial_assumptions = gateway.assume
        self._refill: Callable[[App], None] | None = None

    def state(self, group: str | None = None, *, messages: bool = True) -> dict[str, Any]:
        """Return groups, conversations and accounts as they are.

        :param group: only this GroupId.
        :param messages: False leaves the messages out.
        """
        with self._gateway.lock:
            return views.state(self._gateway.app, group, messages=messages)

    def stats(self) -> dict[str, Any]:
        """Return the number of calls, the busiest second and the refusals of each command."""
        with self._gateway.lock:
            return self._gateway.journal.stats()

    def requests(self, command: str | None = None) -> list[dict[str, Any]]:
        """Return the last 1,000 requests, oldest first.

        :param command: only those of this ``service/command``.
        """
        with self._gateway.lock:
            return self._gateway.journal.requests(command)

    def reset(self, *, keep_groups: bool = False) -> None:
        """Return to the start: statistics, faults, clock, assumptions and, unless kept, the data.

        An app that was generated is generated again, any other is empty afterwards.

        :param keep_groups: leave groups, messages and accounts as they are.
        """
        gateway = self._gateway
        with gateway.lock:
            gateway.journal.clear()
            gateway.faults.clear()
            gateway.clock.reset()
            gateway.rates.clear()
            gateway.verifier.forget()
            gateway.assume = self._initial_assumptions
            if not keep_groups:
                gateway.app.clear()
                if self._refill is not None:
                    self._refill(gateway.app)

    def generate(self, groups: int, messages: int, seed: int = 0) -> None:
        """Fill the app with a made-up population, the same for the same seed.

        :param groups: how many groups.
        :param messages: how many messages in each.
        :param seed: another number makes another population.
        """
        now = self._gateway.clock.now()
        self._refill = lambda app: generate(app, groups, messages, seed, now=now)
        with self._gateway.lock:
            self._refill(self._gateway.app)

    def add_fault(self, **rule: Any) -> int:
        """Add a fault rule, with the fields of ``POST /_emulator/faults``, and return its id."""
        with self._gateway.lock:
            return self._gateway.faults.add(rule)

    def faults(self) -> list[dict[str, Any]]:
        """Return the fault rules."""
        with self._gateway.lock:
            return self._gateway.faults.as_list()

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Remove a fault rule, or all of them."""
        with self._gateway.lock:
            self._gateway.faults.clear(fault_id)

    def now(self) -> float:
        """Return the emulator's time in Unix seconds."""
        return self._gateway.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock on: signatures and messages age."""
        with self._gateway.lock:
            self._gateway.clock.advance(seconds)

    def expire_signatures(self) -> None:
        """Make every UserSig issued before now an expired one.

        Waits for the next full second first: a UserSig counts in seconds, so that one signed right
        afterwards could otherwise not be told from those that were to expire.
        """
        second = next_second()
        while (left := second - time.time()) > 0:
            time.sleep(left)
        self.expire_issued_before(second)

    def expire_issued_before(self, second: int) -> None:
        """Make every UserSig seen so far, or with an earlier TLS.time, an expired one."""
        with self._gateway.lock:
            self._gateway.verifier.expire_issued_before(second)

    def assumptions(self) -> dict[str, object]:
        """Return every assumption with its reading."""
        return self._gateway.assume.as_dict()

    def assume(self, values: Mapping[str, object]) -> None:
        """Change assumptions until the next reset.

        :param values: the new readings by name.
        """
        with self._gateway.lock:
            self._gateway.assume = self._gateway.assume.changed(values)


def next_second() -> int:
    """Return the first full second that has not begun."""
    return int(time.time()) + 1
