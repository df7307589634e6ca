"""What a test can see and set: the same over the control endpoints and in the emulator's own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_tencentim.emulator import loading, page, views
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
        self._refills: list[Callable[[App], object]] = []

    def state(self, group: str | None = None, *, messages: bool = True) -> dict[str, Any]:
        """Return groups, conversations and accounts as they are.

        :param group: only this GroupId.
        :param messages: False leaves the messages out.
        """
        with self._gateway.lock:
            return views.state(self._gateway.app, group, messages=messages)

    def size(self) -> dict[str, int]:
        """Return how many groups, messages in them, one-to-one messages and accounts there are."""
        with self._gateway.lock:
            return page.size(self._gateway.app)

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

    def reset(self, *, keep_groups: bool = False, empty: bool = False) -> None:
        """Return to the start: statistics, faults, clock, assumptions and, unless kept, the data.

        What was generated or loaded is so again, from the same files; any other app is empty afterwards.

        :param keep_groups: leave groups, messages and accounts as they are.
        :param empty: forget what was generated or loaded, too.
        """
        if keep_groups and empty:
            raise ValueError("give keep_groups or empty, not both")
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
                if empty:
                    self._refills.clear()
                for refill in self._refills:
                    refill(gateway.app)

    def generate(self, groups: int, messages: int, seed: int = 0) -> None:
        """Fill the app with a made-up population, the same for the same seed.

        :param groups: how many groups.
        :param messages: how many messages they have in the mean, and in total ``groups * messages``;
            one-to-one messages come on top.
        :param seed: another number makes another population.
        """
        now = self._gateway.clock.now()
        with self._gateway.lock:
            generate(self._gateway.app, groups, messages, seed, now=now)
            self._refills.append(lambda app: generate(app, groups, messages, seed, now=now))

    def load(self, *paths: str | Path, group_type: str = "Public", any_app: bool = False) -> loading.Loaded:
        """Put the messages of hourly history files into the app, and return how many they were.

        The files are what ``open_msg_svc/get_history`` offers for download, in any order, compressed or
        not. A message that is there already stays as it is.

        :param paths: the files.
        :param group_type: the type of the groups that are made, which the files do not tell; one whose id
            begins with ``@TGS#_`` is a Community.
        :param any_app: take the files of another SDKAppID too.
        :raises ValueError: naming the file and the line that is not as it should be; nothing is loaded then.
        """
        now = self._gateway.clock.now()

        def refill(app: App) -> loading.Loaded:
            return loading.load(app, paths, group_type=group_type, any_app=any_app, now=now)

        with self._gateway.lock:
            loaded = refill(self._gateway.app)
            self._refills.append(refill)
        return loaded

    def page(self, query: Mapping[str, str]) -> tuple[int, str]:
        """Return the HTTP status and the HTML of the page for a browser.

        :param query: ``group``, ``topic`` and ``page``, all optional.
        """
        with self._gateway.lock:
            return page.render(self._gateway, query)

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
