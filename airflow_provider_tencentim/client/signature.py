"""UserSig: the signature that every call carries.

Signed by ``tls-sig-api-v2``, the library of Tencent's own documents. A UserSig is worth as much as the app
admin's password until it expires: it is handed to nothing but the request line.
"""

from __future__ import annotations

import hmac
import threading
import time

from TLSSigAPIv2 import TLSSigAPIv2

# A signature is replaced while this share of its life is left, so that none expires on its way.
_MARGIN_SHARE = 0.1
_LONGEST_MARGIN = 300.0

_SEALS = b"airflow-provider-tencentim seals"


class Secret:
    """A text that shows itself to nobody who does not ask for it by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def reveal(self) -> str:
        """Return the text itself, for the one place where it is needed."""
        return self._text


class UserSig(Secret):
    """A signature, for the request line."""


class SecretKey(Secret):
    """An app's key, for the signer."""

    def check(self) -> None:
        """See that it can sign.

        :raises ValueError: saying why not.
        """
        if not self._text:
            raise ValueError("secret_key is empty")
        if any("\ud800" <= char <= "\udfff" for char in self._text):
            raise ValueError("secret_key is not valid Unicode")

    def seal(self, content: bytes) -> str:
        """Return an HMAC-SHA256 of content; see ``TencentIMClient.seal``."""
        # Under a key of its own: what is sealed can then never be a signature.
        own_key = hmac.digest(self._text.encode(), _SEALS, "sha256")
        return hmac.digest(own_key, content, "sha256").hex()


class UserSigSigner:
    """Signs as one app admin, keeps the signature and renews it before it runs out.

    :param sdkappid: the app.
    :param secret_key: the app's key.
    :param identifier: the app admin in whose name calls are made.
    :param ttl: seconds for which a signature is valid.
    """

    def __init__(self, sdkappid: int, secret_key: SecretKey, identifier: str, ttl: int) -> None:
        self._api = TLSSigAPIv2(sdkappid, secret_key.reveal())
        self._identifier = identifier
        self._ttl = ttl
        self._lock = threading.Lock()
        self._usersig = UserSig("")
        self._renew_at = 0.0

    def current(self) -> UserSig:
        """Return a signature that is valid for a while yet."""
        with self._lock:
            if time.time() >= self._renew_at:
                self._sign()
            return self._usersig

    def renew(self, refused: UserSig) -> None:
        """Replace a signature that the server called expired; of many threads only the first signs.

        :param refused: the signature that was sent.
        """
        with self._lock:
            if self._usersig is not refused:
                return
            self._sign()
            # Within one second the same signature comes out again.
            while self._usersig.reveal() == refused.reveal():
                time.sleep(0.05)
                self._sign()

    def _sign(self) -> None:
        self._usersig = UserSig(self._api.gen_sig(self._identifier, self._ttl))
        self._renew_at = time.time() + self._ttl - min(self._ttl * _MARGIN_SHARE, _LONGEST_MARGIN)
