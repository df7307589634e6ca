"""A client that counts its calls, so that every row of a report can say what it took."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from airflow_provider_tencentim.client.c2c_commands import C2CCommands
from airflow_provider_tencentim.client.caller import Caller
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.client.transport import MAX_TRIES


class CountedClient(GroupCommands, C2CCommands):
    """Sends its calls through another client.

    :param client: the other one.
    """

    def __init__(self, client: Caller) -> None:
        self.calls = 0
        self._client = client
        self._lock = threading.Lock()

    def call(self, command: str, body: Mapping[str, Any], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        with self._lock:
            self.calls += 1
        return self._client.call(command, body, tries=tries)

    def in_flight_wanted(self, command: str) -> int:
        return self._client.in_flight_wanted(command)

    def cancel(self) -> None:
        self._client.cancel()
