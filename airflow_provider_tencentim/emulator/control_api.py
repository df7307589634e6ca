"""The control endpoints under ``/_emulator/`` and the page: for loopback clients only, and without a signature."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from airflow_provider_tencentim.emulator.controls import Controls, next_second
from airflow_provider_tencentim.emulator.page import HEADERS

_PREFIX = "/_emulator/"
# What a browser asks for by itself; the API has POST only.
_PAGES = ("/", "/favicon.ico")


def control_app(controls: Controls) -> Starlette:
    """Return the control endpoints and the page as an application."""
    api = _ControlApi(controls)
    routes = [
        Route("/", api.page),
        Route("/favicon.ico", api.favicon),
        Route("/_emulator/reset", api.reset, methods=["POST"]),
        Route("/_emulator/state", api.state),
        Route("/_emulator/stats", api.stats),
        Route("/_emulator/requests", api.requests),
        Route("/_emulator/clock", api.clock, methods=["POST"]),
        Route("/_emulator/faults", api.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_emulator/assumptions", api.assumptions, methods=["GET", "POST"]),
    ]
    return Starlette(
        routes=routes, exception_handlers={HTTPException: _http_error, ValueError: _bad_request, OSError: _bad_request}
    )


def is_control(method: str, path: str) -> bool:
    """Tell whether a request is for here, and no call of the API."""
    return path.startswith(_PREFIX) or (method in ("GET", "HEAD") and path in _PAGES)


def is_loopback(host: str) -> bool:
    """Tell whether a client is on this machine."""
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    return JSONResponse({"error": detail}, status)


async def _bad_request(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _body(request: Request, **known: type | tuple[type, ...]) -> dict[str, Any]:
    """Return the request's JSON object, {} for none, with nothing in it but what is known."""
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    for name, value in body.items() if known else ():
        kinds = known.get(name)
        if kinds is None:
            raise ValueError(f"unknown field {name!r}; known are {', '.join(known)}")
        if type(value) not in (kinds if isinstance(kinds, tuple) else (kinds,)):
            raise ValueError(f"{name} has the wrong type")
    return body


class _ControlApi:
    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    async def page(self, request: Request) -> Response:
        status, content = self._controls.page(request.query_params)
        # Text may hold what UTF-8 cannot: half a surrogate pair of a group's name.
        return HTMLResponse(content.encode(errors="replace"), status, HEADERS)

    async def favicon(self, request: Request) -> Response:
        return Response(status_code=204)

    async def reset(self, request: Request) -> Response:
        self._controls.reset(**await _body(request, keep_groups=bool, empty=bool))
        return JSONResponse({})

    async def state(self, request: Request) -> Response:
        with_messages = request.query_params.get("messages", "1") != "0"
        return JSONResponse(self._controls.state(request.query_params.get("group"), messages=with_messages))

    async def stats(self, request: Request) -> Response:
        return JSONResponse(self._controls.stats())

    async def requests(self, request: Request) -> Response:
        return JSONResponse({"requests": self._controls.requests(request.query_params.get("command"))})

    async def clock(self, request: Request) -> Response:
        body = await _body(request, expire_signatures=bool, advance=(int, float))
        self._controls.advance(body.get("advance", 0))
        if body.get("expire_signatures"):
            second = next_second()
            while (left := second - time.time()) > 0:
                await asyncio.sleep(left)
            self._controls.expire_issued_before(second)
        return JSONResponse({"now": self._controls.now()})

    async def faults(self, request: Request) -> Response:
        if request.method == "POST":
            return JSONResponse({"id": self._controls.add_fault(**await _body(request))})
        if request.method == "DELETE":
            number = request.query_params.get("id")
            self._controls.clear_faults(None if number is None else int(number))
            return JSONResponse({})
        return JSONResponse({"faults": self._controls.faults()})

    async def assumptions(self, request: Request) -> Response:
        if request.method == "POST":
            self._controls.assume(await _body(request))
        return JSONResponse(self._controls.assumptions())
