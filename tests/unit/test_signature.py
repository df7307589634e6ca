"""UserSig: the published algorithm, signed rarely, renewed in time, and shown to nobody."""

from __future__ import annotations

import base64
import hmac
import json
import re
import threading
import zlib

import pytest
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.client import signature
from airflow_provider_tencentim.client.signature import SecretKey, UserSig, UserSigSigner

KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
START = 1_700_000_000
# The app, the administrator, the time and the key above, and a day.
PUBLISHED = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpdaUZBZlAqUsTAzgQuWZOaChAzN0RQXZ6aDL"
    "Kn0cUzVLjcPD00NLS1MCrPM0A*JMLcoNTLMD3HP1M60jCowLDUOKMiLNDOwVaoFAD4PNPI_"
)
DAY = 86_400


class Clock:
    """Stands in for the module ``time``; sleeping is what makes it go."""

    def __init__(self, now: float = START, tick: float = 0) -> None:
        self.now = now
        self.tick = tick
        self.longest_sleep = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        with self._lock:
            self.now += self.tick
            return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.longest_sleep = max(self.longest_sleep, seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(signature, "time", clock)
    monkeypatch.setattr("TLSSigAPIv2.time", clock)
    return clock


def signer(ttl=DAY):
    return UserSigSigner(1400000000, SecretKey(KEY), "administrator", ttl)


def document(usersig):
    compressed = base64.b64decode(usersig.replace("*", "+").replace("-", "/").replace("_", "="), validate=True)
    return json.loads(zlib.decompress(compressed))


def test_the_signature_is_that_of_the_published_algorithm(clock):
    assert (
        document(signer().current().reveal())
        == document(PUBLISHED)
        == {
            "TLS.ver": "2.0",
            "TLS.identifier": "administrator",
            "TLS.sdkappid": 1400000000,
            "TLS.expire": 86400,
            "TLS.time": 1700000000,
            "TLS.sig": "yLAe+w7WUeUuqbV9h/TX78u21oTGi+i9Zp1u3PpnY60=",
        }
    )


def test_a_signature_needs_no_escaping_in_a_url(clock):
    assert set(signer().current().reveal()) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-_")


def test_a_signature_is_kept(clock):
    one = signer()
    first = one.current()
    clock.now += 3600

    assert one.current() is first


@pytest.mark.parametrize(("ttl", "left"), [(DAY, 300), (50 * 365 * DAY, 300), (3600, 300), (1000, 100), (60, 6)])
def test_a_signature_is_renewed_while_some_of_its_life_is_left(clock, ttl, left):
    one = signer(ttl)
    first = one.current()

    clock.now = START + ttl - left - 1
    assert one.current() is first
    clock.now = START + ttl - left
    assert document(one.current().reveal())["TLS.time"] == START + ttl - left


def test_a_signature_that_was_refused_is_replaced_by_another_even_within_its_second(clock):
    one = signer()
    first = one.current()

    one.renew(first)

    assert one.current().reveal() != first.reveal()
    assert document(one.current().reveal())["TLS.time"] == START + 1
    assert clock.longest_sleep < 0.1, "it is there as soon as the next second is"


def test_a_signature_that_was_replaced_meanwhile_is_not_replaced_again(clock):
    one = signer()
    first = one.current()
    clock.now += 10
    one.renew(first)
    second = one.current()
    clock.now += 10

    one.renew(first)

    assert one.current() is second


@pytest.mark.parametrize("refused", [False, True])
def test_sixteen_threads_sign_once(clock, refused):
    clock.tick = 1.0  # whoever signs gets a signature of its own
    one = signer()
    first = one.current() if refused else None
    gate = threading.Barrier(16)
    got = []

    def run():
        gate.wait()
        if first:
            one.renew(first)
        got.append(one.current())

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 16
    assert len({id(usersig) for usersig in got}) == 1
    assert got[0] is not first


def test_the_vendors_library_is_the_one_that_signs(clock):
    assert signer().current().reveal() == TLSSigAPIv2(1400000000, KEY).gen_sig("administrator", DAY)


def test_a_signature_does_not_show_itself():
    usersig = UserSig("eJyrVgrx")

    assert usersig.reveal() == "eJyrVgrx"
    assert f"{usersig} {usersig!r} {[usersig]}" == "UserSig(***) UserSig(***) [UserSig(***)]"


def test_a_signer_shows_neither_key_nor_signature(clock):
    one = signer()

    assert KEY not in repr(one)
    assert one.current().reveal() not in repr(one)


def test_a_seal_is_the_keys_and_the_contents_and_never_a_signature():
    seal = SecretKey(KEY).seal
    signed = b"TLS.identifier:administrator\n"

    assert seal(b"content") == SecretKey(KEY).seal(b"content") != seal(b"other")
    assert seal(b"content") != SecretKey(KEY[::-1]).seal(b"content")
    assert re.fullmatch("[0-9a-f]{64}", seal(b""))
    own_key = hmac.digest(KEY.encode(), b"airflow-provider-tencentim seals", "sha256")
    assert seal(b"content") == hmac.digest(own_key, b"content", "sha256").hex()
    assert seal(signed) != hmac.digest(KEY.encode(), signed, "sha256").hex()


@pytest.mark.parametrize(("key", "wrong"), [("", "empty"), ("\ud800", "not valid Unicode"), ("k\udfff", "not valid")])
def test_a_key_that_cannot_sign_says_why(key, wrong):
    with pytest.raises(ValueError, match=f"^secret_key is {wrong}"):
        SecretKey(key).check()


@pytest.mark.parametrize("key", [KEY, "k", "\ud7ff\ue000", "钥匙"])
def test_other_keys_can(key):
    SecretKey(key).check()


@pytest.mark.parametrize("kind", [UserSig, SecretKey])
def test_a_secret_shows_what_it_is_and_not_what_it_says(kind):
    assert repr(kind("secret")) == f"{kind.__name__}(***)"
    assert kind("secret").reveal() == "secret"
