"""A proxy between client and emulator that does to connections and bytes what the emulator's fault rules cannot."""

from __future__ import annotations

import json
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from select import select
from typing import IO, NamedTuple, Self

AT_CONNECTION = ("hang up before the request", "TLS: untrusted certificate", "TLS: broken off")
AT_REQUEST = ("reset before commit", "redirect")
AT_ANSWER = (
    "reset after commit",
    "reset within the answer",
    "truncated body",
    "chunked, whole",
    "chunked, broken off",
    "slow, in time",
    "drip, never in time",
    "login page with status 200",
    "no HTTP at all",
    "no content, 204",
    "one message left out of a recall's answer",
)
_DRIP_SECONDS, _SLOW_SECONDS = 0.04, 0.08


class Certificates(NamedTuple):
    """What a TLS server shows: what its clients trust, and what they do not."""

    trusted: ssl.SSLContext
    untrusted: ssl.SSLContext


class FaultProxy:
    """Listens on a port of its own and hands on to the emulator.

    :param upstream: the emulator's port.
    :param dice: says what strikes.
    :param shares: of the connections, requests and answers that each fault strikes, by its name above.
    :param count: told the name of every fault that struck.
    :param certificates: make it a TLS server.
    """

    def __init__(
        self,
        upstream: int,
        dice: random.Random,
        shares: Mapping[str, float],
        count: Callable[[str], None],
        certificates: Certificates | None = None,
    ) -> None:
        self.shares = dict(shares)
        self._upstream = upstream
        self._dice = dice
        self._count = count
        self._certificates = certificates
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = _listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._accept()
        return self

    def __exit__(self, *_: object) -> None:
        self._cut_all()

    def outage(self, seconds: float) -> None:
        """Refuse every connection for a while, and cut those that stand.

        :param seconds: for how long.
        """
        self._count("outage: connections refused")
        self._cut_all()
        time.sleep(seconds)
        self._listener = _listen(self.port)
        self._accept()

    def _cut_all(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        with self._lock:
            connections = [*self._open]
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes whoever reads; closing alone would not

    def _accept(self) -> None:
        threading.Thread(target=self._accept_all, args=(self._listener,), daemon=True).start()

    def _accept_all(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _draw(self, names: tuple[str, ...]) -> str | None:
        with self._lock:
            number = self._dice.random()
        for name in names:
            number -= self.shares.get(name, 0.0)
            if number < 0:
                return name
        return None

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            fault = self._draw(AT_CONNECTION if self._certificates else AT_CONNECTION[:1])
            if fault:
                self._count(fault)
            if fault == AT_CONNECTION[0]:
                _reset(plain)
                return
            if self._certificates:
                if fault == AT_CONNECTION[2]:
                    plain.recv(1)
                    _reset(plain)
                    return
                connection = self._certificates[fault == AT_CONNECTION[1]].wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.add(connection)
            with connection.makefile("rb") as stream:
                self._hand_on(connection, stream)
        except (OSError, ValueError):
            pass  # one of the two went away
        finally:
            with self._lock:
                self._open -= {plain, connection}
            _close(connection)
            _close(plain)

    def _hand_on(self, connection: socket.socket, stream: IO[bytes]) -> None:
        server: socket.socket | None = None
        try:
            while (request := _read(stream)) is not None:
                fault = self._draw(AT_REQUEST)
                if fault == "reset before commit":
                    self._count(fault)
                    _reset(connection)
                    return
                if fault == "redirect":
                    self._count(fault)
                    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /v4/elsewhere\r\nContent-Length: 0\r\n\r\n")
                    continue
                if server is None or select([server], [], [], 0)[0]:  # closed since, because it was idle
                    if server is not None:
                        server.close()
                    server = socket.create_connection(("127.0.0.1", self._upstream))
                    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.sendall(request.head + request.body)
                with server.makefile("rb") as answers:
                    answer = _read(answers)
                if answer is None:
                    _reset(connection)
                    return
                if not self._answer(connection, answer):
                    return
        finally:
            if server is not None:
                server.close()

    def _answer(self, connection: socket.socket, answer: _Message) -> bool:
        """Send an answer, or what a fault makes of it; tell whether the connection stands."""
        whole = answer.head + answer.body
        if not answer.is_whole:
            connection.sendall(whole)
            return False
        fault = self._draw(AT_ANSWER)
        body, half = answer.body, len(answer.body) // 2
        if fault == "one message left out of a recall's answer":
            shorter = _leave_one_out(body)
            if shorter is None:
                fault = None
            else:
                whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(shorter), shorter)
        if fault:
            self._count(fault)
        match fault:
            case "reset after commit":
                _reset(connection)
                return False
            case "reset within the answer":
                connection.sendall(whole[: len(answer.head) + half])
                _reset(connection)
                return False
            case "truncated body":
                connection.sendall(whole[: len(answer.head) + half])
                return False
            case "chunked, whole":
                connection.sendall(_CHUNKED + _chunk(body[:half]) + _chunk(body[half:]) + b"0\r\n\r\n")
            case "chunked, broken off":
                connection.sendall(_CHUNKED + _chunk(body[:half]) + _chunk(body[half:]))
                return False
            case "slow, in time":
                connection.sendall(whole[:-1])
                time.sleep(_SLOW_SECONDS)
                connection.sendall(whole[-1:])
            case "drip, never in time":
                connection.sendall(answer.head)
                for byte in body[:20]:
                    connection.sendall(bytes([byte]))
                    time.sleep(_DRIP_SECONDS)
                return False
            case "login page with status 200":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n<html>please log in</html>")
            case "no HTTP at all":
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                return False
            case "no content, 204":
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            case _:
                connection.sendall(whole)
        return True


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class _Message(NamedTuple):
    """A request or an answer: its lines, its body, and whether the body is as long as it says."""

    head: bytes
    body: bytes
    is_whole: bool


def _read(stream: IO[bytes]) -> _Message | None:
    head, length = b"", 0
    while True:
        line = stream.readline()
        head += line
        if not line:
            return None
        if line == b"\r\n":
            break
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    body = stream.read(length)
    return _Message(head, body, len(body) == length)


def _leave_one_out(body: bytes) -> bytes | None:
    """Return the answer to a recall without its last message; None when it is the answer to something else."""
    if b'"RecallRetList"' not in body:
        return None
    answer = json.loads(body)
    del answer["RecallRetList"][-1:]
    return json.dumps(answer).encode()


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part) if part else b""


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def _reset(connection: socket.socket) -> None:
    """Have the other side see a reset, and whoever reads here an end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _close(connection)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.close()
