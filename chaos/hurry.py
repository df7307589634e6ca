"""The package as it is, but in a hurry: every wait takes a hundredth, and every call is counted.

Three names of ``client.client`` are replaced for the time of a campaign: the transport, whose only wait is one method;
the session, whose time-outs become a third of a second; and the pace, which is a hundred times as fast. What is decided
(how often a call is repeated, which wait comes when, what counts as lost) is the package's own code on nominal seconds.
"""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from airflow_provider_tencentim.client import client as client_module
from airflow_provider_tencentim.client import pacing, transport, wire

from .tally import Tally

SHARE = 0.01
#: Real seconds for an answer. What the weather calls late is later than this.
ANSWER_SECONDS = 0.3
_CONNECT_SECONDS = 1.0
#: Where clients find the service. Nothing else is asked for this name while a campaign runs.
HOST = "localhost"


class HurriedPacer(pacing.ProcessPacer):
    """Counts in nominal seconds, a hundred of which pass in one."""

    def reserve(self, key: str, rate: float) -> float:
        return super().reserve(key, rate / SHARE) / SHARE

    def slow_down(self, key: str, seconds: float) -> None:
        super().slow_down(key, seconds * SHARE)


@contextmanager
def in_a_hurry(tally: Tally, dice: random.Random, dns_share: float) -> Iterator[None]:
    """Have all clients that are made meanwhile hurry, be counted, and now and then not find the host.

    :param tally: counts.
    :param dice: says when a name is not found.
    :param dns_share: of the look-ups that fail.
    """

    class HurriedTransport(transport.Transport):
        def call(self, command: Any, body: Mapping[str, Any], tries: int = transport.MAX_TRIES) -> dict[str, Any]:
            tally.add("counts", "calls")
            tally.add("calls_by_command", command.path)
            return super().call(command, body, tries)

        def _wait(self, command: Any, seconds: float) -> None:
            super()._wait(command, seconds * SHARE)

    class HurriedWire(wire.Wire):
        def __init__(self, base_url: str, timeout: float, ca_bundle: str | None) -> None:
            super().__init__(base_url, timeout, ca_bundle)
            self._timeout = (_CONNECT_SECONDS, ANSWER_SECONDS)

        def post(self, path: str, query: str, payload: bytes) -> wire.WireAnswer | wire.WireFault:
            outcome = super().post(path, query, payload)
            tally.add("counts", "tries")
            tally.add("seen", _kind_of(outcome))
            return outcome

    look_up, lock = socket.getaddrinfo, threading.Lock()

    def uncertain(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != HOST:
            return look_up(host, port, *arguments, **options)
        with lock:
            fails = dice.random() < dns_share
        if fails:
            tally.add("injected", "DNS failure")
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    with (
        mock.patch.object(client_module, "Transport", HurriedTransport),
        mock.patch.object(client_module, "Wire", HurriedWire),
        mock.patch.object(client_module, "MACHINE_PACER", HurriedPacer()),
        mock.patch.object(socket, "getaddrinfo", uncertain),
    ):
        yield


def _kind_of(outcome: wire.WireAnswer | wire.WireFault) -> str:
    """Return what a client saw, in words that are the same for the same."""
    if isinstance(outcome, wire.WireFault):
        return f"{'lost' if outcome.sent else 'never sent'}: {outcome.reason}"
    try:
        code = json.loads(outcome.body)["ErrorCode"]
    except (ValueError, TypeError, KeyError):
        return f"HTTP {outcome.status} without an ErrorCode"
    return f"ErrorCode {code}" if code else "an answer"
