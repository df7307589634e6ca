"""What is too large, too deep or contradicts itself is refused soon, in little memory, by a ValueError."""

from __future__ import annotations

import io
import time
import tracemalloc
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.hooks.settings import client_arguments

MIB = 1024 * 1024
HEADER = b'{"SdkAppId":1400000000,"ChatType":"Group","MsgTime":"2026010100","MsgList":[\n'


@contextmanager
def at_most(mebibytes, seconds):
    """What happens inside takes no more memory and time than that, on a busy machine."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < mebibytes * MIB
    assert time.monotonic() - begun < seconds


class Endless(io.RawIOBase):
    """A file of one piece again and again."""

    def __init__(self, start, piece):
        self._start, self._piece = start, piece

    def readable(self):
        return True

    def read(self, size=-1):
        start, self._start = self._start, b""
        return start or self._piece[:size]


# --- the connection ---


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('{"timeout": ' + "[" * 100_000 + "}", "extra is not valid JSON"),
        ('{"timeout": 1' + "0" * 400 + "}", "timeout must be a number"),
        ('{"timeout": 1' + "0" * 5000 + "}", "extra is not valid JSON"),
        ('{"timeout": NaN}', "timeout must be from"),
        ('{"calls_per_second": 1e999}', "calls_per_second must be"),
        ('{"ca_bundle": "\\ud800"}', "ca_bundle names no readable file"),
        ('{"ca_bundle": "a\\u0000b"}', "ca_bundle names no readable file"),
    ],
)
def test_an_extra_field_that_no_number_or_path_can_be_is_named(extra, said):
    fields = SimpleNamespace(
        conn_type="tencentim", schema="", extra=extra, host="", port=None, login="1400000000", password="key"
    )
    with pytest.raises(ValueError, match=said) as caught:
        TencentIMClient(**client_arguments(fields, None))
    assert type(caught.value) is ValueError


def test_a_redis_connection_whose_extra_is_nested_too_deeply_is_malformed():
    redis = SimpleNamespace(conn_type="redis", host="h", port=1, login="", password="", schema="", extra="[" * 100_000)
    fields = SimpleNamespace(
        conn_type="tencentim", schema="", extra='{"rate_limit_store": "r"}', host="", port=None, login="1", password="k"
    )
    with pytest.raises(ValueError, match="its extra is not a JSON object"):
        client_arguments(fields, lambda _: redis)


def test_a_key_that_cannot_be_signed_with_is_refused_before_a_call_and_not_shown():
    with pytest.raises(ValueError, match=r"secret_key is not valid Unicode") as caught:
        TencentIMClient(1400000000, "secret\ud800")
    assert "secret\ud800" not in repr(caught.value)
