"""The REST API of Tencent Cloud Chat (IM): one method per command, and ``call()`` for any other.

Imports nothing from Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .app_commands import AppCommands
from .arguments import LONGEST_USER_ID, check_id
from .c2c_commands import C2CCommands
from .commands import DOCUMENTED_CALLS_PER_SECOND, Command, find_command
from .endpoint import base_url_of_region, check_base_url
from .errors import TencentIMInvalidRequestError, TencentIMPermissionError
from .group_commands import GroupCommands
from .pacing import DEFAULT_CALLS_PER_SECOND, Pacer
from .pacing_machine import MACHINE_PACER
from .regions import DEFAULT_REGION
from .signature import SecretKey, UserSigSigner
from .transport import MAX_TRIES, Transport
from .wire import Wire

DEFAULT_IDENTIFIER = "administrator"
DEFAULT_USERSIG_TTL = 86_400
DEFAULT_TIMEOUT = 10.0
# The service itself gives up after 3 s: a shorter wait would lose answers that were on their way.
LEAST_TIMEOUT = 4.0

AllowedCommands = Literal["read"] | Sequence[str] | None

_COMMAND = re.compile(r"[a-z0-9_]+/[a-z0-9_]+", re.ASCII)


class TencentIMClient(GroupCommands, C2CCommands, AppCommands):
    """Calls the REST API in the name of an app admin, from as many threads as you like.

    Every call is signed, paced, and repeated where that is safe. What comes back is the answer, and its
    ErrorCode is 0; everything else is an exception.

    :param sdkappid: the app, as the console shows it.
    :param secret_key: the app's key, with which every UserSig is signed. It is in no log and no exception.
    :param identifier: the app admin.
    :param region: the app's data center, a name of ``client.regions.REGIONS``.
    :param base_url: instead of a region, scheme, host and port; plain http only for this machine.
    :param usersig_ttl: seconds for which a signature is valid; it is renewed before it runs out.
    :param timeout: seconds to wait for an answer, at least 4 (the service itself takes up to 3).
    :param calls_per_second: the pace of each command, at most 200; commands with a lower limit keep theirs.
    :param pacer: who says when a call may be sent; None for the one that all clients of this
        machine and user share, whatever their process.
    :param ca_bundle: path of a CA file for a private gateway; the certificate is always verified.
    :param allowed_commands: None for all, ``"read"`` for those that change nothing, or a list of commands.
    :raises ValueError: when an argument is out of its range; its message names it.
    """

    # What a client that is refused is shown with: its arguments may hold anything.
    sdkappid: int = 0
    identifier: str = ""
    base_url: str = ""

    def __init__(
        self,
        sdkappid: int,
        secret_key: str,
        *,
        identifier: str = DEFAULT_IDENTIFIER,
        region: str = DEFAULT_REGION,
        base_url: str | None = None,
        usersig_ttl: int = DEFAULT_USERSIG_TTL,
        timeout: float = DEFAULT_TIMEOUT,
        calls_per_second: float = DEFAULT_CALLS_PER_SECOND,
        pacer: Pacer | None = None,
        ca_bundle: str | None = None,
        allowed_commands: AllowedCommands = None,
    ) -> None:
        key = SecretKey(secret_key)
        del secret_key  # what follows may raise, and some tracebacks print local variables
        if type(sdkappid) is not int or sdkappid <= 0:
            raise ValueError("sdkappid must be a whole number above 0")
        key.check()
        if not 60 <= usersig_ttl <= 50 * 365 * 86_400:
            raise ValueError("usersig_ttl must be from 60 seconds to 50 years")
        if not LEAST_TIMEOUT <= timeout <= 300:
            raise ValueError(f"timeout must be from {LEAST_TIMEOUT:g} to 300 seconds")
        if not 0 < calls_per_second <= DOCUMENTED_CALLS_PER_SECOND:
            raise ValueError(f"calls_per_second must be above 0 and at most {DOCUMENTED_CALLS_PER_SECOND}")
        self.identifier = check_id("identifier", identifier, LONGEST_USER_ID)
        self.sdkappid = sdkappid
        self.base_url = check_base_url(base_url) if base_url else base_url_of_region(region)
        self._allowed = _allowed(allowed_commands)
        self._key = key
        self._transport = Transport(
            Wire(self.base_url, timeout, ca_bundle),
            sdkappid=sdkappid,
            identifier=identifier,
            signer=UserSigSigner(sdkappid, key, identifier, usersig_ttl),
            pacer=MACHINE_PACER if pacer is None else pacer,
            calls_per_second=calls_per_second,
        )

    def __repr__(self) -> str:
        return f"TencentIMClient({self.sdkappid}, identifier={self.identifier!r}, base_url={self.base_url!r})"

    def __enter__(self) -> TencentIMClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def seal(self, content: bytes) -> str:
        """Return what only somebody who has the app's key can make for content: an HMAC-SHA256, in hex.

        :param content: anything that is kept where others can write, and is to be trusted when it comes back.
        """
        return self._key.seal(content)

    def cancel(self) -> None:
        """Send nothing more: waits are woken, and calls under way and later ones raise.

        :raises TencentIMCancelledError: in the threads that call.
        """
        self._transport.cancel()

    def call(self, command: str, body: Mapping[str, Any], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        if not _COMMAND.fullmatch(command):
            raise TencentIMInvalidRequestError(repr(command), None, "a command is service/command in small letters")
        row = find_command(command)
        if not self._allows(row):
            reason = "the connection's allowed_commands do not include it, and nothing was sent"
            raise TencentIMPermissionError(command, None, reason)
        return self._transport.call(row, body, tries)

    def in_flight_wanted(self, command: str) -> int:
        return self._transport.in_flight_wanted(find_command(command))

    def _allows(self, command: Command) -> bool:
        if self._allowed == "read":
            return not command.writes
        return self._allowed is None or command.path in self._allowed


def _allowed(value: AllowedCommands) -> Literal["read"] | frozenset[str] | None:
    if value is None or value == "read":
        return value
    if (
        isinstance(value, str)
        or not value
        or not all(isinstance(name, str) and _COMMAND.fullmatch(name) for name in value)
    ):
        raise ValueError("allowed_commands must be 'read' or a list of commands such as openim/modify_group_msg")
    return frozenset(value)
