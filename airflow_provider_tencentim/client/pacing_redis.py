"""One pace for everybody who uses the same Redis.

The next free moment of each app and command is a key, in microseconds of the Redis server's own clock, so that
the clocks of those who call need not agree. A script reads and moves it in one step.
"""

from __future__ import annotations

import math
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError
from redis.retry import Retry

from .pacing import FURTHEST_SECONDS, PaceStoreError

_PREFIX = "airflow-provider-tencentim/"
_TIMEOUT_SECONDS = 3.0
# For so long a Redis that cannot be reached is tried again; a restart takes a second or two.
PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.2

# Lua writes large numbers with too few digits unless told otherwise.
_ADVANCE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local least, step, furthest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = tonumber(redis.call('GET', KEYS[1]) or '') or 0
if not (kept <= now + furthest) then kept = 0 end
local moment = math.max(now + least, kept)
local expiry = math.ceil((moment + step - now) / 1000) + 60000
redis.call('SET', KEYS[1], string.format('%.0f', moment + step), 'PX', string.format('%.0f', expiry))
return moment - now
"""

_AWAY = (redis.ConnectionError, redis.TimeoutError)
# To the library, these are errors of the connection too.
_REFUSED = (AuthenticationError, AuthorizationError)


class RedisPacer:
    """Keeps the pace in a Redis, version 5 or later.

    :param store: how errors name it.
    :param options: those of ``redis.Redis``: host, port, username, password, db, ssl …
    """

    def __init__(self, store: str, **options: Any) -> None:
        self._store = store
        self._redis = redis.Redis(
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            **options,
        )
        # Loads itself again into a Redis that has lost it.
        self._script = self._redis.register_script(_ADVANCE)

    def reserve(self, key: str, rate: float) -> float:
        return self._advance(key, 0, math.ceil(1_000_000 / rate))

    def slow_down(self, key: str, seconds: float) -> None:
        self._advance(key, math.ceil(seconds * 1_000_000), 0)

    def _advance(self, key: str, least: int, step: int) -> float:
        """Take the next moment that is at least so far away, and let the one after it be a step later.

        A try whose answer was lost may have taken a moment too: it passes unused.
        """
        arguments = [least, step, round(FURTHEST_SECONDS * 1_000_000)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return int(self._script([_PREFIX + key], arguments)) / 1_000_000
            except redis.RedisError as error:
                away = isinstance(error, _AWAY) and not isinstance(error, _REFUSED)
                # Its type alone: the text may quote the password.
                reason = f"the pace cannot be kept in {self._store} ({type(error).__name__})"
            if not away or time.monotonic() + _PAUSE_SECONDS > deadline:
                raise PaceStoreError(reason)
            time.sleep(_PAUSE_SECONDS)
