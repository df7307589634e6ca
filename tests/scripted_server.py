"""A server of a few sockets that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.pacing import ProcessPacer

SDKAPPID = 1400000000
SECRET_KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    target: str = field(repr=False, default="")

    @property
    def command(self) -> str:
        return self.path.removeprefix("/v4/")

    def json(self) -> Any:
        return json.loads(self.body)


Reply = bytes | Callable[[Request], bytes | Iterator[bytes] | None] | None

# Instead of a reply: close the connection as soon as a request begins to arrive, unread.
HANG_UP: bytes = b"(hang up)"


def http(body: bytes | str, status: str = "200 OK", **headers: object) -> bytes:
    """Return a whole HTTP answer; a header that is None is left out."""
    content = body.encode() if isinstance(body, str) else body
    lines = {"Server": "nginx/1.7.10", "Content-Length": len(content)}
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + content


def answer(code: int = 0, info: str = "", **fields: object) -> bytes:
    """Return an answer in the documents' form."""
    status = "FAIL" if code else "OK"
    return http(json.dumps({"ActionStatus": status, "ErrorInfo": info, "ErrorCode": code, **fields}))


OK = answer()


def late(seconds: float, reply: bytes | None) -> Callable[[Request], bytes | None]:
    """Return a reply that takes its time."""

    def wait(_: Request) -> bytes | None:
        time.sleep(seconds)
        return reply

    return wait


class UnpacedPacer(ProcessPacer):
    """Lets every call go at once, for tests that are not about the pace."""

    def reserve(self, key: str, rate: float) -> float:
        return 0.0


class ScriptedServer:
    """Answers the first request with the first reply and so on, and repeats the last.

    :param replies: bytes; a function of the request, whose result may come in pieces and without end; or None, which
        closes the connection without a byte.
    :param tls: makes it a TLS server.
    """

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies) or [OK]
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._turns = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._stopped = False
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> TencentIMClient:
        """Return a client of this server that shares its pace with nobody."""
        return TencentIMClient(SDKAPPID, SECRET_KEY, **{"base_url": self.url, "pacer": ProcessPacer(), **options})

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        _close(self._listener)
        self.close_connections()

    def close_connections(self) -> None:
        """Close every connection that is open, as a server does with those that were idle for long."""
        with self._lock:
            connections = [*self._open]
        for connection in connections:
            _close(connection)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.add(connection)
            with connection.makefile("rb") as stream:
                while stream.peek(1) and self._respond(connection, stream):
                    pass
        except (OSError, ValueError):
            pass  # the client went away, or the test is over
        finally:
            for one in {plain, connection}:
                _close(one)
            with self._lock:
                self._open -= {plain, connection}

    def _respond(self, connection: socket.socket, stream: Any) -> bool:
        """Read a request, reply, and tell whether the connection stays open."""
        with self._lock:
            reply = self.replies[min(self._turns, len(self.replies) - 1)]
            self._turns += 1
        if reply is HANG_UP:
            return False
        request = _read(stream)
        if request is None:
            return False
        with self._lock:
            self.requests.append(request)
        content = reply(request) if callable(reply) else reply
        if content is None:
            return False
        if not isinstance(content, bytes):
            for piece in content:
                connection.sendall(piece)
            return False
        connection.sendall(content)
        return b"connection: close" not in content.partition(b"\r\n\r\n")[0].lower()


def _read(stream: Any) -> Request | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while (header := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    parts = urlsplit(line[1])
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(line[0], parts.path, query, headers, body, line[1])


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
