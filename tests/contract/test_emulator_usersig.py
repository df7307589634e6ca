"""UserSig: decoded and verified by the emulator's own code, made here by the vendor's library or by hand."""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import requests
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.emulator import TencentIMEmulator

APPINFO = "openconfigsvr/getappinfo"
VECTOR_KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
VECTOR = (
    "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpdaUZBZlAqUsTAzgQuWZOaC"
    "hAzN0RQXZ6aDLKn0cUzVLjcPD00NLS1MCrPM0A*JMLcoNTLMD3HP1M60jCowLDUOKMiLNDOwVaoFAD4PNPI_"
)
SIGNED_AT = 1_700_000_000


def pack(document: object, level: int = 6) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(document).encode(), level)).decode()
    return packed.replace("+", "*").replace("/", "-").replace("=", "_")


def unpack(usersig: str) -> dict[str, Any]:
    packed = usersig.replace("*", "+").replace("-", "/").replace("_", "=")
    return json.loads(zlib.decompress(base64.b64decode(packed)))


@pytest.fixture
def code_of(emulator_call) -> Callable[..., int]:
    """Return the ErrorCode that a UserSig leads to."""

    def code(usersig: str, **query: Any) -> int:
        return emulator_call(APPINFO, {}, usersig=usersig, **query)["ErrorCode"]

    return code


@pytest.fixture
def document(emulator_usersig) -> dict[str, Any]:
    """What a good UserSig says."""
    return unpack(emulator_usersig)


def test_the_vector_is_good_until_its_last_second_and_expired_after():
    with TencentIMEmulator(secret_key=VECTOR_KEY) as vector_emulator:
        vector_emulator.advance(SIGNED_AT - vector_emulator.now())
        path = f"{vector_emulator.url}/v4/{APPINFO}"

        def code() -> int:
            query = {"sdkappid": 1400000000, "identifier": "administrator", "usersig": VECTOR}
            return requests.post(path, params=query, data="{}", timeout=5).json()["ErrorCode"]

        assert code() == 0
        vector_emulator.advance(86_400 - 5)
        assert code() == 0
        vector_emulator.advance(10)
        assert code() == 70001


def test_key_order_whitespace_and_compression_are_free(code_of, document):
    for level in range(10):
        assert code_of(pack(dict(reversed(document.items())), level)) == 0


def test_a_signature_of_the_future_is_good(code_of, emulator):
    emulator.advance(-1000)
    assert code_of(TLSSigAPIv2(emulator.sdkappid, emulator.secret_key).gen_sig("administrator")) == 0


CHANGES = [
    ("another version", {"TLS.ver": "1.0"}, 70003),
    ("a number for the identifier", {"TLS.identifier": 1}, 70003),
    ("text for the sdkappid", {"TLS.sdkappid": "1400000000"}, 70003),
    ("text for the time", {"TLS.time": "1700000000"}, 70003),
    ("a truth value for the validity", {"TLS.expire": True}, 70003),
    ("no signature", {"TLS.sig": None}, 70003),
    ("another app", {"TLS.sdkappid": 1400000001}, 70014),
    ("another app and account", {"TLS.sdkappid": 1400000001, "TLS.identifier": "x"}, 70014),
    ("another account", {"TLS.identifier": "x"}, 70013),
    ("another account, expired", {"TLS.identifier": "x", "TLS.time": 0}, 70013),
    ("an earlier time", {"TLS.time": 0}, 70001),
    ("a longer validity than signed", {"TLS.expire": 20_000_000}, 70009),
    ("a later time than signed", {"TLS.time": 4_000_000_000}, 70009),
    ("another signature", {"TLS.sig": "yLAe+w7WUeUuqbV9h/TX78u21oTGi+i9Zp1u3PpnY60="}, 70009),
    ("an empty signature", {"TLS.sig": ""}, 70009),
]


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_changed_document_is_refused(code_of, document, change, code):
    assert code_of(pack({**document, **change})) == code


def test_what_is_no_usersig_at_all_is_refused(code_of, emulator_usersig, document):
    plain = json.dumps(document).encode()
    bomb = zlib.compress(b" " * 50_000_000 + plain)
    nonsense = [
        "x",
        "_",
        emulator_usersig[:-8],
        emulator_usersig + "AAAA",
        " " + emulator_usersig,
        base64.urlsafe_b64encode(zlib.compress(plain)).decode(),
        base64.b64encode(plain).decode().replace("=", "_"),
        pack([]),
        pack("text"),
        base64.b64encode(bomb).decode().replace("+", "*").replace("/", "-").replace("=", "_"),
        base64.b64encode(zlib.compress(plain) + b"more").decode().replace("+", "*").replace("/", "-"),
        "é" * 8,
        "A" * 5000,
    ]
    assert [code_of(usersig) for usersig in nonsense] == [70003] * len(nonsense)


def test_the_plain_base64_alphabet_is_refused(code_of, emulator_usersig):
    plain = emulator_usersig.replace("*", "+").replace("-", "/").replace("_", "=")
    assert plain != emulator_usersig
    assert code_of(plain) == 70003


def test_another_key_is_refused_even_one_that_only_differs_in_case(code_of, emulator):
    other = emulator.secret_key.upper()
    assert code_of(TLSSigAPIv2(emulator.sdkappid, other).gen_sig("administrator")) == 70009


def test_a_good_signature_of_an_account_that_is_no_administrator_is_refused(code_of, emulator):
    emulator.add_accounts("dramon1")
    usersig = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key).gen_sig("dramon1")
    assert code_of(usersig, identifier="dramon1") == 60010


def test_a_remembered_signature_still_expires(code_of, emulator):
    usersig = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key).gen_sig("administrator", 60)
    assert code_of(usersig) == 0
    emulator.advance(100)
    assert code_of(usersig) == 70001


def test_expire_signatures_spares_only_those_made_afterwards(code_of, emulator):
    signer = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key)
    seen, unseen = signer.gen_sig("administrator"), signer.gen_sig("administrator", 999)
    assert code_of(seen) == 0
    emulator.expire_signatures()
    assert [code_of(seen), code_of(unseen), code_of(signer.gen_sig("administrator"))] == [70001, 70001, 0]


def test_a_seen_signature_of_the_future_expires_with_the_others(code_of, emulator, monkeypatch):
    signer = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1000)
    usersig = signer.gen_sig("administrator")
    monkeypatch.undo()
    assert code_of(usersig) == 0
    emulator.expire_signatures()
    assert code_of(usersig) == 70001


def test_the_number_of_different_good_signatures_is_counted(code_of, emulator):
    signer = TLSSigAPIv2(emulator.sdkappid, emulator.secret_key)
    for validity in (1000, 2000, 2000, 3000):
        code_of(signer.gen_sig("administrator", validity))
    code_of("nonsense")
    assert emulator.stats()["signatures"] == 3
