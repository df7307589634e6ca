"""The gateway: what is checked before a command is carried out, in the order in which it is checked."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from airflow_provider_tencentim.client.commands import find_command
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, default_info, fail
from airflow_provider_tencentim.emulator.assumptions import Assumptions
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.clock import Clock
from airflow_provider_tencentim.emulator.commands import HANDLERS, KNOWN, OTHER_LIMITS
from airflow_provider_tencentim.emulator.downloads import DOWNLOAD_COMMAND, is_download
from airflow_provider_tencentim.emulator.faults import Fault, Faults
from airflow_provider_tencentim.emulator.fields import UINT32
from airflow_provider_tencentim.emulator.journal import Entry, Journal, SlidingSecond
from airflow_provider_tencentim.emulator.messages import compact
from airflow_provider_tencentim.emulator.store import App
from airflow_provider_tencentim.emulator.usersig import Verifier

UNKNOWN_COMMAND = "(unknown)"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came, and its place in the journal."""

    method: str
    path: str
    query: dict[str, str]
    raw: bytes
    entry: Entry
    base_url: str

    @property
    def command(self) -> str:
        """The path behind ``/v4/``, or a stand-in when no such command exists."""
        return self.entry.command


class Gateway:
    """One app behind its gateway.

    Requests come from the server's thread, convenience calls from the test's: whoever touches the state
    holds ``lock``.

    :param sdkappid: the app.
    :param secret_key: its key.
    :param admin: the account whose calls are accepted.
    :param assume: the readings of what the documents leave open.
    """

    def __init__(self, sdkappid: int, secret_key: str, admin: str, assume: Assumptions) -> None:
        self.lock = threading.RLock()
        self.app = App(sdkappid, admin)
        self.assume = assume
        self.clock = Clock()
        self.verifier = Verifier(sdkappid, secret_key)
        self.journal = Journal()
        self.faults = Faults()
        self.rates: defaultdict[str, SlidingSecond] = defaultdict(SlidingSecond)

    def arrive(
        self, method: str, path: str, query_string: str, raw: bytes, base_url: str
    ) -> tuple[Request, Fault | None]:
        """Take note of a request, and return it with the fault that strikes it.

        :param method: the HTTP method.
        :param path: the path, percent-decoded.
        :param query_string: the query, as it came.
        :param raw: the body.
        :param base_url: where the client found this server.
        """
        query = dict(parse_qsl(query_string, keep_blank_values=True, errors="replace"))
        entry = Entry(
            time=self.clock.now(),
            command=_command(method, path),
            raw=raw,
            identifier=query.get("identifier", ""),
            random=query.get("random", ""),
        )
        with self.lock:
            self.journal.arrive(entry, time.monotonic())
            fault = self.faults.strike(entry.command, raw)
            if fault is not None:
                entry.fault = fault.id
        return Request(method, path, query, raw, entry, base_url), fault

    def download(self, request: Request) -> bytes | None:
        """Return the file that a request asks for, None when there is none under this address, or no longer."""
        with self.lock:
            file = self.app.downloads.find(request.path, self.clock.now())
            self.journal.finish(request.entry, 404 if file is None else 0)
        return file

    def answer(self, request: Request) -> bytes:
        """Carry a request out, or refuse it, and return the JSON to answer."""
        with self.lock:
            try:
                content = compact(self._carry_out(request))
                if len(content) > self.assume.answer_size_limit:
                    raise RefusalError(10018)
            except RefusalError as refusal:
                return self.refuse(request, refusal.code, refusal.info)
            self.journal.finish(request.entry, 0)
        return content

    def refuse(self, request: Request, code: int, info: str | None = None) -> bytes:
        """Return the JSON of a refusal, and take note of it.

        :param request: the request.
        :param code: the ErrorCode.
        :param info: the ErrorInfo; None is the one known for the code.
        """
        with self.lock:
            self.journal.finish(request.entry, code)
        return compact(fail(code, default_info(code) if info is None else info))

    def _carry_out(self, request: Request) -> Answer:
        self._check_path(request)
        self._check_app(request.query)
        self._check_query(request.query)
        identifier = self._check_signature(request.query)
        if self.assume.admin_before_json:
            self._check_admin(identifier)
        self._check_rate(request.command)
        if request.command not in HANDLERS:
            raise RefusalError(self.assume.not_emulated_code, "the emulator does not know this command")
        body = self._parse(request)
        self._check_admin(identifier)
        call = Call(self.app, self.assume, body, identifier, self.clock.now(), request.base_url)
        return HANDLERS[request.command](call)

    def _check_path(self, request: Request) -> None:
        parts = request.path.split("/")
        if request.method != "POST" or len(parts) != 4 or parts[:2] != ["", "v4"] or not all(parts[2:]):
            raise RefusalError(60002)
        if request.command == UNKNOWN_COMMAND:
            raise RefusalError(self.assume.unknown_command_code)

    def _check_app(self, query: dict[str, str]) -> None:
        if not query.get("sdkappid"):
            raise RefusalError(60012)
        if query["sdkappid"] != str(self.app.sdkappid):
            raise RefusalError(self.assume.unknown_sdkappid_code)

    def _check_query(self, query: dict[str, str]) -> None:
        if self.assume.enforce_random:
            random = query.get("random", "")
            if not (random.isascii() and random.isdecimal() and len(random) <= 10 and int(random) <= UINT32):
                raise RefusalError(self.assume.enforced_query_code)
        if self.assume.enforce_contenttype and query.get("contenttype") != "json":
            raise RefusalError(self.assume.enforced_query_code)

    def _check_signature(self, query: dict[str, str]) -> str:
        identifier = query.get("identifier", "")
        if not identifier:
            raise RefusalError(self.assume.missing_identifier_code)
        usersig = query.get("usersig", "")
        signature = self.verifier.verify(usersig, identifier, self.clock.now(), self.assume)
        if identifier == self.app.admin:
            self.journal.signatures.add(signature.sig)
        return identifier

    def _check_admin(self, identifier: str) -> None:
        if identifier != self.app.admin:
            raise RefusalError(self.assume.non_admin_code)

    def _check_rate(self, command: str) -> None:
        limit = OTHER_LIMITS.get(command) or find_command(command).calls_per_second
        now, second = time.monotonic(), self.rates[command]
        refused = second.count(now) >= limit + self.assume.extra_calls_per_second
        if not refused or self.assume.rate_counts_refused:
            second.add(now)
        if refused:
            listing = command == "group_open_http_svc/get_appid_group_list"
            raise RefusalError(self.assume.group_list_rate_code if listing else self.assume.rate_limit_code)

    def _parse(self, request: Request) -> dict[str, Any]:
        if len(request.raw) > self.assume.request_size_limit:
            raise RefusalError(self.assume.request_size_code)
        try:
            body = json.loads(request.raw.decode(), parse_constant=_refuse_constant, parse_float=_finite)
            if b"\\u" in request.raw:
                compact(body)  # half a surrogate pair is no text: it could not be answered back
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            return body
        codes = {
            "openim": 90001,
            "group_open_http_svc": self.assume.group_json_code,
            "im_open_login_svc": self.assume.account_json_code,
            "recentcontact": self.assume.recent_field_code,
            "open_msg_svc": self.assume.history_json_code,
        }
        service = request.command.split("/")[0]
        raise RefusalError(codes.get(service, self.assume.other_json_code))


def _command(method: str, path: str) -> str:
    if is_download(method, path):
        return DOWNLOAD_COMMAND
    command = path.removeprefix("/v4/") if path.startswith("/v4/") else ""
    return command if command in KNOWN else UNKNOWN_COMMAND


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e999: it could not be answered back
        raise ValueError("the number is too large")
    return number
