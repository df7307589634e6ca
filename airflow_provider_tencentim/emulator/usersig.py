"""UserSig: decoding and verification, in the order of the official verifier."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.emulator.answers import RefusalError
from airflow_provider_tencentim.emulator.assumptions import Assumptions

# A genuine one has some 300 characters; the document inside, some 250 bytes.
_LONGEST_USERSIG = 4096
_LONGEST_DOCUMENT = 4096
_MOST_REMEMBERED = 100_000

# Not the URL-safe alphabet of RFC 4648: "*" stands for "+", "-" for "/", and the padding stays, as "_".
_SHAPE = re.compile(r"[A-Za-z0-9*\-]+_{0,2}")
_TO_BASE64 = str.maketrans("*-_", "+/=")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a UserSig says."""

    identifier: str
    sdkappid: int
    time: int
    expire: int
    sig: str


def decode(usersig: str) -> Signature:
    """Read a UserSig without judging it.

    :param usersig: as it stands in the URL.
    :raises ValueError: when it is not a UserSig at all.
    """
    if len(usersig) > _LONGEST_USERSIG or not _SHAPE.fullmatch(usersig):
        raise ValueError("not in the alphabet of a UserSig")
    try:
        packed = base64.b64decode(usersig.translate(_TO_BASE64), validate=True)
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(packed, _LONGEST_DOCUMENT)
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("not one complete zlib stream of a sensible size")
        fields = json.loads(document)
    except (binascii.Error, zlib.error, RecursionError) as error:
        raise ValueError("not base64 of zlib of JSON") from error
    return _read(fields)


def _read(fields: object) -> Signature:
    if not isinstance(fields, dict) or fields.get("TLS.ver") != "2.0":
        raise ValueError("not a version 2.0 document")
    values: list[Any] = [fields.get(f"TLS.{name}") for name in ("identifier", "sdkappid", "time", "expire", "sig")]
    if [type(value) for value in values] != [str, int, int, int, str]:
        raise ValueError("a field is missing or has the wrong type")
    return Signature(*values)


class Verifier:
    """Judges the signatures of one app, and remembers the good ones.

    :param sdkappid: the app.
    :param secret_key: the text of the key; it is not hex-decoded although it looks like hex.
    """

    def __init__(self, sdkappid: int, secret_key: str) -> None:
        self._sdkappid = sdkappid
        self._key = secret_key.encode()
        self._good: dict[str, Signature] = {}
        self._revoked: set[str] = set()
        self._issued_from = 0

    def expire_issued_before(self, second: int) -> None:
        """Make every UserSig seen so far, and every one with an earlier TLS.time, an expired one.

        :param second: in Unix seconds of the machine, since clients sign with its clock.
        """
        self._issued_from = second
        self._revoked.update(self._good)

    def forget(self) -> None:
        """Return to the state of a new verifier."""
        self._good.clear()
        self._revoked.clear()
        self._issued_from = 0

    def verify(self, usersig: str, identifier: str, now: float, assume: Assumptions) -> Signature:
        """Return the content of a good UserSig, or refuse.

        :param usersig: as it stands in the URL.
        :param identifier: the account that the URL names.
        :param now: the emulator's time.
        :param assume: how an undecodable one is refused.
        """
        if not usersig:
            raise RefusalError(70002)
        known = self._good.get(usersig)
        try:
            signature = known or decode(usersig)
        except ValueError:
            raise RefusalError(assume.undecodable_usersig_code) from None
        if signature.sdkappid != self._sdkappid:
            raise RefusalError(70014)
        if signature.identifier != identifier:
            raise RefusalError(70013)
        if self._is_expired(usersig, signature, now):
            raise RefusalError(70001)
        if known is None:
            self._check_hmac(signature)
            self._remember(usersig, signature)
        return signature

    def _is_expired(self, usersig: str, signature: Signature, now: float) -> bool:
        return now > signature.time + signature.expire or signature.time < self._issued_from or usersig in self._revoked

    def _check_hmac(self, signature: Signature) -> None:
        message = (
            f"TLS.identifier:{signature.identifier}\n"
            f"TLS.sdkappid:{signature.sdkappid}\n"
            f"TLS.time:{signature.time}\n"
            f"TLS.expire:{signature.expire}\n"
        )
        digest = hmac.new(self._key, message.encode(errors="replace"), hashlib.sha256).digest()
        if not hmac.compare_digest(base64.b64encode(digest), signature.sig.encode(errors="replace")):
            raise RefusalError(70009)

    def _remember(self, usersig: str, signature: Signature) -> None:
        if len(self._good) >= _MOST_REMEMBERED:
            self._good.clear()
        self._good[usersig] = signature
