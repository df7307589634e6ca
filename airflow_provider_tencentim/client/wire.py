"""The HTTP session, made so that no library learns the signature.

A UserSig travels in the query string, where every HTTP library logs it and puts it into its exceptions.
So the libraries used here are never told: they see the URL without its query, and the query is added as
the request line is written to the socket.
"""

from __future__ import annotations

import errno
import io
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from .endpoint import is_loopback

# The API answers within 1 MB; beyond four times that, something else is talking.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
# The head, and what chunks add to the body: headers, lengths, trailers.
_MAX_BYTES_AROUND = 1024 * 1024
_READ_BYTES = 64 * 1024
CONNECT_TIMEOUT = 5.0
# As many connections are kept as calls may be under way.
POOL_SIZE = 128

# Carries the query past the libraries, to the connection that writes it.
_QUERY_HEADER = "X-TencentIM-Query"


class WireFault(NamedTuple):
    """Why no answer was read.

    :param reason: in words that hold nothing of what was sent or received.
    :param sent: whether the server may have received the call.
    """

    reason: str
    sent: bool


class WireAnswer(NamedTuple):
    """What came back.

    :param status: the HTTP status.
    :param body: as it is.
    :param seconds: from the request line, written to a connection that stands, to the end of the answer.
    """

    status: int
    body: bytes
    seconds: float


class Wire:
    """One keep-alive session to one base URL.

    :param base_url: scheme, host and port.
    :param timeout: seconds to wait for an answer, from its first byte to its last; a connection gets at most five.
    :param ca_bundle: path of the CA file that signs the server's certificate; None for the usual ones.
    :raises ValueError: when there is no certificate in the CA file.
    """

    def __init__(self, base_url: str, timeout: float, ca_bundle: str | None) -> None:
        if ca_bundle is not None:
            _check_ca_bundle(ca_bundle)
        self._base_url = base_url
        self._timeout = (min(CONNECT_TIMEOUT, timeout), timeout)
        self._verify = ca_bundle or True
        self._session = _Session()
        # Neither .netrc nor the CA variables of the environment have a say; its proxies do.
        self._session.trust_env = False
        if not is_loopback(urlsplit(base_url).hostname or ""):
            self._session.proxies.update(get_environ_proxies(base_url))
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in _POOLS:
            self._session.mount(f"{scheme}://", _SignedAdapter(pool_connections=1, pool_maxsize=POOL_SIZE))

    def post(self, path: str, query: str, payload: bytes) -> WireAnswer | WireFault:
        """POST once.

        :param path: ``/v4/service/command``.
        :param query: the query string, signature included.
        :param payload: the JSON body.
        """
        line = _Query(query)
        try:
            with self._session.post(
                self._base_url + path,
                data=payload,
                headers={"Content-Type": "application/json", _QUERY_HEADER: line},
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _read(response.raw)
                seconds = time.monotonic() - line.written_at
                status = response.status_code
        except (requests.RequestException, HTTPError, OSError) as error:
            return _fault(error, line.connected)
        if len(body) > MAX_ANSWER_BYTES:
            return WireFault(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", sent=True)
        return WireAnswer(status, body, seconds)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _read(raw: Any) -> bytes:
    """Read the whole body, or a little more than may be: only the empty read behind the end tells a body cut short."""
    body = bytearray()
    while len(body) <= MAX_ANSWER_BYTES and (part := raw.read1(_READ_BYTES)):
        body += part
    return bytes(body)


class _Session(requests.Session):
    """Knows of no redirects: to tell where one leads, it would read the whole body first, and unpack it."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _Bounded(io.RawIOBase):
    """The bytes of an answer: none after its deadline, and not more than an answer may have.

    A time-out of the socket is one for each read, and a server that goes on sending is never late: bytes one by one,
    one "100 Continue" after the other, a header or a trailer without end.

    :param raw: the socket as a file.
    :param sock: the socket itself.
    """

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self._left = MAX_ANSWER_BYTES + _MAX_BYTES_AROUND
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            seconds = self._deadline - time.monotonic()
            if seconds <= 0:
                raise TimeoutError
            self._sock.settimeout(seconds)
        count: int | None = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise OSError(errno.EMSGSIZE, "the answer is larger than any")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """Reads through the bounds above, from the status line on; a proxy's answer too."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock), _READ_BYTES)


class _Query(str):
    """A query string that knows whether there was a connection to write it to, encrypted where it is to be."""

    connected = False
    written_at = 0.0


class _SignedHTTPConnection(HTTPConnection):
    """Adds the query as the request line is written."""

    response_class = _BoundedResponse
    debuglevel = 0  # http.client would print the request line, whatever the logging says

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        plain = dict(headers)
        query = plain.pop(_QUERY_HEADER)
        query.connected, query.written_at = True, time.monotonic()
        super().request(method, f"{url}?{query}", body, plain, **options)


class _SignedHTTPSConnection(_SignedHTTPConnection, HTTPSConnection):
    """The same, encrypted."""


class _SignedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _SignedHTTPConnection


class _SignedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _SignedHTTPSConnection


_POOLS = {"http": _SignedHTTPPool, "https": _SignedHTTPSPool}


class _SignedAdapter(HTTPAdapter):
    """Has every connection, through a proxy or not, made by the classes above."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def _check_ca_bundle(path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # the second for text that no path can be
        raise ValueError(f"ca_bundle names no readable file of certificates ({type(error).__name__})") from None


def _fault(error: BaseException, connected: bool) -> WireFault:
    chain = list(_causes(error))
    # A plain connection is opened only as the request is written.
    never_opened = any(isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in chain)
    root = chain[-1]
    # Only what the operating system or the TLS library says: other texts may quote what was received.
    if isinstance(root, ssl.SSLCertVerificationError):
        detail = f": {root.verify_message}"
    else:
        detail = f": {root.strerror}" if isinstance(root, OSError) and root.strerror else ""
    return WireFault(f"{type(root).__name__}{detail}", sent=connected and not never_opened)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Follow requests and urllib3 down to what really happened; each hides it in another place."""
    seen: set[int] = set()
    cause: object = error
    while isinstance(cause, BaseException) and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        inner = [cause.__cause__, getattr(cause, "reason", None), *cause.args, cause.__context__]
        cause = next((one for one in inner if isinstance(one, BaseException)), None)
