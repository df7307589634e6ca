"""A world around a transport in which nothing takes time but what a test says."""

from __future__ import annotations

from types import SimpleNamespace

from airflow_provider_tencentim.client import transport
from airflow_provider_tencentim.client.pacing import PaceStoreError
from airflow_provider_tencentim.client.signature import SecretKey, UserSigSigner
from airflow_provider_tencentim.client.transport import Transport
from airflow_provider_tencentim.client.wire import WireAnswer


class World:
    """A clock, a pacer, a wire and an event in one.

    :param wait: what the pacer says.
    :param reserving: how long it takes to say so, turn by turn; the last for ever.
    :param oversleeping: how much longer than asked a wait takes, turn by turn; the last for ever.
    """

    def __init__(self, wait=0.01, reserving=(0.0,), oversleeping=(0.0,)):
        self.now = 1000.0
        self.seconds = wait
        self.reserving, self.oversleeping = [*reserving], [*oversleeping]
        self.answer_seconds = 0.0
        self.answers = []
        self.posts, self.reservations, self.slowed_down, self.waits = [], [], [], []
        self.cancelled = self.closed = False

    @property
    def sent(self):
        return len(self.posts)

    @property
    def reserved(self):
        return len(self.reservations)

    def monotonic(self):
        return self.now

    def reserve(self, key, rate):
        self.reservations.append((key, rate))
        self.now += self.reserving.pop(0) if len(self.reserving) > 1 else self.reserving[0]
        return self.seconds

    def slow_down(self, key, seconds):
        self.slowed_down.append((key, seconds))

    def gone(self, key, _):
        raise PaceStoreError("the store is gone")

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds + (self.oversleeping.pop(0) if len(self.oversleeping) > 1 else self.oversleeping[0])
        return self.cancelled

    def set(self):
        self.cancelled = True

    def is_set(self):
        return self.cancelled

    def close(self):
        self.closed = True

    def post(self, path, query, payload):
        self.posts.append((path, query, payload))
        return self.answers.pop(0) if self.answers else WireAnswer(200, b'{"ErrorCode": 0}', self.answer_seconds)


def transport_in(monkeypatch, world, rate=190, signer=None):
    """Return a transport in a world; between two tries it waits for nothing.

    :param world: where it is.
    :param rate: its calls per second.
    :param signer: where its signatures come from; None for a real one.
    """
    clock = SimpleNamespace(monotonic=world.monotonic)
    monkeypatch.setattr(transport, "time", clock)
    monkeypatch.setattr("tenacity.time", clock)
    monkeypatch.setattr(transport, "_back_off", lambda _: 0.0)
    one = Transport(
        world,
        sdkappid=1,
        identifier="administrator",
        signer=signer or UserSigSigner(1, SecretKey("key"), "administrator", 86_400),
        pacer=world,
        calls_per_second=rate,
    )
    one._cancelled = world
    return one
