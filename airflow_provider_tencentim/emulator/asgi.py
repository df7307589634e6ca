"""HTTP: one request in, one answer out, and what the fault rules do to it on the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from airflow_provider_tencentim.emulator.answers import default_info, fail
from airflow_provider_tencentim.emulator.control_api import control_app, is_control, is_loopback
from airflow_provider_tencentim.emulator.controls import Controls
from airflow_provider_tencentim.emulator.downloads import DOWNLOAD_COMMAND
from airflow_provider_tencentim.emulator.faults import Fault
from airflow_provider_tencentim.emulator.gateway import Gateway, Request
from airflow_provider_tencentim.emulator.messages import compact

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:  # httptools where it is installed, else h11
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as HttpProtocol

_MALFORMED = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":'
_WITHOUT_BODY = (204, 304)


class TransportProtocol(HttpProtocol):
    """uvicorn's protocol, which also hands the connection to the application, so that it can be cut."""

    def connection_made(self, transport: Any) -> None:
        """Keep the connection where every request of it finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class EmulatorApp:
    """The ASGI application.

    :param gateway: answers the API.
    :param controls: what the control endpoints act on.
    """

    def __init__(self, gateway: Gateway, controls: Controls) -> None:
        self._gateway = gateway
        self._control = control_app(controls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        serve = self._serve_control if is_control(scope["method"], scope["path"]) else self._serve_api
        # Cancelled when the server stops while a fault delays the answer: the connection is closed already.
        with suppress(asyncio.CancelledError):
            await serve(scope, receive, send)

    async def _serve_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["client"] is not None and is_loopback(scope["client"][0]):
            await self._control(scope, receive, send)
        else:
            refused = JSONResponse({"error": "control is for loopback clients only"}, 403)
            await refused(scope, receive, send)

    async def _serve_api(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = await _read(receive, self._gateway.assume.request_size_limit)
        if raw is None:
            return
        query_string = scope["query_string"].decode("latin-1")
        request, fault = self._gateway.arrive(scope["method"], scope["path"], query_string, raw, _base_url(scope))
        if fault is None:
            await self._send(send, *self._carry_out(request))
            return
        answer, status = b"", 200
        if not fault.after_commit:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.after_commit or not fault.replaces_answer:
            answer, status = self._carry_out(request)
        if fault.after_commit:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.error_code is not None:
            answer, status = self._gateway.refuse(request, fault.error_code, fault.error_info), 200
        await self._strike(fault, answer, status, scope, receive, send)

    def _carry_out(self, request: Request) -> tuple[bytes, int]:
        if request.command != DOWNLOAD_COMMAND:
            return self._gateway.answer(request), 200
        file = self._gateway.download(request)
        return (b"<html>there is no such file</html>\n", 404) if file is None else (file, 200)

    async def _strike(
        self, fault: Fault, answer: bytes, status: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if fault.drop:
            scope["state"]["transport"].abort()
            await receive()  # until uvicorn has seen the end of the connection
        elif fault.body == "truncated":
            await self._send(send, answer or compact(fail(10002, default_info(10002))), truncated=True)
            scope["state"]["transport"].close()
            await receive()
        elif fault.body is not None:
            await self._send(send, _MALFORMED if fault.body == "malformed" else b"")
        elif fault.http_status is not None:
            page = b"" if fault.http_status in _WITHOUT_BODY else b"<html>a fault was injected</html>\n"
            await self._send(send, page, fault.http_status)
        else:
            await self._send(send, answer, status)

    async def _send(self, send: Send, content: bytes, status: int = 200, *, truncated: bool = False) -> None:
        headers = []
        if status not in _WITHOUT_BODY:
            headers.append((b"content-length", str(len(content)).encode()))
        if self._gateway.assume.answer_content_type:
            headers.append((b"content-type", self._gateway.assume.answer_content_type.encode("latin-1")))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        content = content[: len(content) // 2] if truncated else content
        await send({"type": "http.response.body", "body": content, "more_body": truncated})


def _base_url(scope: Scope) -> str:
    """Return where the client found this server: the Host header knows it, also through a forwarded port."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    if not host:
        name, port = scope["server"]
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return f"{scope['scheme']}://{host}"


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Return the body; of one that is too long, just enough to see it; None when the client went away."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if size <= limit:
            parts.append(message.get("body", b""))
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
