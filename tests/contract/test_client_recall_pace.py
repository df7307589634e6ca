"""How fast a long recall is: in a module of its own, because it takes seconds."""

from __future__ import annotations

import time

import pytest

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.pacing import ProcessPacer

RECALL = "group_open_http_svc/group_msg_recall"


@pytest.mark.parametrize("delay_ms", [0, 60])
def test_a_long_recall_is_as_fast_as_the_service_allows_and_never_refused(emulator, delay_ms):
    emulator.add_group("room", messages=6000)
    if delay_ms:
        emulator.add_fault(command=RECALL, delay_ms=delay_ms)
    with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url, pacer=ProcessPacer()) as client:
        started = time.monotonic()
        results = list(client.group_msg_recall("room", range(1, 6001)))
        seconds = time.monotonic() - started

    stats = emulator.stats()
    assert {result.outcome for result in results} == {"recalled"}
    assert stats["calls"] == {RECALL: 600}
    assert stats["peak_per_second"][RECALL] <= 200
    assert stats["errors"].get(RECALL) is None
    assert 599 / 190 <= seconds < 10
