"""What goes wrong in a round, how often, and when: drawn by chance from a seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from airflow_provider_tencentim.client.errors import ERROR_CODES, Kind

from .hurry import ANSWER_SECONDS
from .proxy import FaultProxy
from .service import Service

_LATE_MS = int(ANSWER_SECONDS * 1000 * 1.4)
#: By now every call that a client gave up has been carried out or dropped.
SETTLING_SECONDS = _LATE_MS / 1000 + 0.3

_Rule = tuple[str, dict[str, Any], float]


def emulator_rules() -> list[_Rule]:
    """Return what the emulator's own fault rules inject: a name, the rule, and how often compared with the others."""
    rules: list[_Rule] = []
    for code, row in sorted(ERROR_CODES.items()):
        if row.kind is Kind.TRANSIENT:
            rules.append((f"ErrorCode {code}, before commit", {"error_code": code}, 1))
            rules.append((f"ErrorCode {code}, after commit", {"error_code": code, "after_commit": True}, 0.5))
        elif row.kind is Kind.RATE_LIMITED:
            # 70050 asks everybody for a minute, and is not repeated within a call.
            rules.append((f"ErrorCode {code}, rate limit", {"error_code": code}, 0.2 if code == 70050 else 2))
    spoilt = [(f"HTTP {status} with HTML", {"http_status": status}, 2.0) for status in (502, 503, 504)]
    spoilt += [(f"{body} body", {"body": body}, 2.0) for body in ("malformed", "empty", "truncated")]
    spoilt += [("cut without a byte", {"drop": True}, 3.0)]
    for name, rule, weight in spoilt:
        rules.append((f"{name}, before commit", rule, weight))
        rules.append((f"{name}, after commit", rule | {"after_commit": True}, weight))
    rules.append(("time-out, never carried out", {"drop": True, "delay_ms": _LATE_MS}, 1))
    rules.append(("time-out, carried out before", {"http_status": 504, "delay_ms": _LATE_MS, "after_commit": True}, 1))
    rules.append(("time-out, carried out later", {"delay_ms": _LATE_MS}, 1))
    rules.append(("slow, in time", {"delay_ms": 60}, 2))
    rules.append(("ErrorCode 70001, signature expired", {"error_code": 70001}, 0.05))
    return rules


PROXY_WEIGHTS = {
    "reset before commit": 3.0,
    "redirect": 0.03,  # fails for good: somebody has to look after the host
    "reset after commit": 3.0,
    "reset within the answer": 2.0,
    "truncated body": 2.0,
    "chunked, whole": 3.0,
    "chunked, broken off": 2.0,
    "slow, in time": 1.0,
    "drip, never in time": 0.5,
    "login page with status 200": 1.0,
    "no HTTP at all": 1.0,
    "no content, 204": 1.0,
    "one message left out of a recall's answer": 2.0,
}
# Of the connections, which are far fewer than the calls: so many times the roughness.
CONNECTION_SHARES = {"hang up before the request": 0.3, "TLS: untrusted certificate": 1.5, "TLS: broken off": 1.5}

# Where the documents leave open what the service does, a round draws one of the readings.
_READINGS: dict[str, tuple[Any, ...]] = {
    "recall_of_recalled": (0, 10030, 10031, 10032),
    "recalled_body": ("empty", "kept"),
    "req_number_counts": ("seqs", "shown"),
    "modify_recalled_code": (10030, 10032),
    "roam_min_time_included": (True, False),
    "roam_max_time_included": (True, False),
    "roam_max_count": (0, 7),
    "recalled_c2c_body": ("kept", "empty"),
    "duplicate_seq": ("same", "zero"),
    "joined_communities": (True, False),
    "by_sender_leaves": ("recalled", "deleted"),
    "answer_content_type": ("", "application/json", "text/html"),
    "recent_page": (100, 3),
}


class Weather:
    """The faults of one round.

    :param seed: of its dice.
    :param service: the emulator.
    :param proxies: before it.
    :param rotates: whether the app's key is rotated in the middle.
    :param roughness: what share of the calls the emulator's rules strike, and half as many the proxies; None draws one.
    :param outage_seconds: how long an outage lasts at most; five tries of a call take some 0.1 s in a hurry.
    """

    def __init__(
        self,
        seed: int,
        service: Service,
        proxies: list[FaultProxy],
        *,
        rotates: bool,
        roughness: float | None = None,
        outage_seconds: float = 0.12,
    ) -> None:
        self._dice = random.Random(seed)
        self._service = service
        self._proxies = proxies
        self._rotates = rotates
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._events, daemon=True)
        self.readings: Mapping[str, Any] = {name: self._dice.choice(given) for name, given in _READINGS.items()}
        self._roughness = self._dice.choice((0.02, 0.05, 0.08, 0.12)) if roughness is None else roughness
        self._outage_seconds = outage_seconds

    def begin(self) -> None:
        """Let it begin."""
        rules = emulator_rules()
        self._dice.shuffle(rules)
        unit = self._roughness / sum(weight for _, _, weight in rules)
        for name, rule, weight in rules:
            # The rules are asked one after the other, each with dice of its own.
            self._service.be_struck(name, rule | {"probability": unit * weight, "seed": self._dice.randrange(2**32)})
        unit = self._roughness / 2 / sum(PROXY_WEIGHTS.values())
        for proxy in self._proxies:
            proxy.shares = {name: unit * weight for name, weight in PROXY_WEIGHTS.items()}
            proxy.shares |= {name: self._roughness * share for name, share in CONNECTION_SHARES.items()}
        self._thread.start()

    def end(self) -> None:
        """Let it end, so that what became of everything can be looked at."""
        self._over.set()
        self._thread.join()
        for proxy in self._proxies:
            proxy.shares = {}
        self._service.clear_faults()

    def _events(self) -> None:
        """What comes over all calls at once: outages, signatures that expire, a key that is rotated."""
        rotation = self._dice.randrange(2, 6) if self._rotates else None
        for number in count():
            if self._over.wait(self._dice.uniform(0.3, 1.5)):
                return
            if number == rotation:
                self._service.rotate_key()
            elif number % 6 == 2:
                self._service.expire_signatures()
                self._service.count("signatures expired")
            else:
                with suppress(OSError):
                    self._dice.choice(self._proxies).outage(self._dice.uniform(0.02, self._outage_seconds))
