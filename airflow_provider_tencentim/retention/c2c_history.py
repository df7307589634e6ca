"""One-to-one messages as both sides of a conversation see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_tencentim.client.arguments import check_msg_key
from airflow_provider_tencentim.client.c2c_commands import C2CCommands
from airflow_provider_tencentim.client.caller import number_of, text_of
from airflow_provider_tencentim.client.errors import TencentIMTransientError

from .history import LATEST

HISTORY = "openim/admin_getroammsg"
_RECALLED = 8


@dataclass(frozen=True, slots=True)
class Letter:
    """A one-to-one message.

    :param sender: the UserID that sent it.
    :param recipient: the other one.
    :param key: its MsgKey.
    :param time: Unix seconds.
    :param recalled: whether it was recalled.
    :param body: the MsgBody.
    :param custom: the CloudCustomData, if any.
    """

    sender: str
    recipient: str
    key: str
    time: int
    recalled: bool
    body: Any = field(default=(), repr=False)
    custom: str | None = field(default=None, repr=False)

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from all others of the conversation."""
        return self.sender, self.key


def read_letters(
    client: C2CCommands, pair: tuple[str, str], oldest: int = 0, newest: int | None = None
) -> Iterator[Letter]:
    """Yield the messages of a conversation, each once.

    Each side may have lost what the other still has: both are asked, one after the other, from the newest message on.

    :param client: reads them.
    :param pair: the two UserIDs.
    :param oldest: Unix seconds.
    :param newest: Unix seconds; None for now.
    :raises TencentIMError: the subclass of its kind.
    """
    seen: set[tuple[str, str]] = set()
    for side, peer in (pair, pair[::-1]):
        for entry in client.iter_c2c_history(side, peer, oldest, newest):
            letter = _letter(entry)
            if {letter.sender, letter.recipient} == set(pair) and letter.identity not in seen:
                seen.add(letter.identity)
                yield letter


def _letter(entry: Mapping[str, Any]) -> Letter:
    custom = entry.get("CloudCustomData")
    key, time = text_of(HISTORY, entry, "MsgKey"), number_of(HISTORY, entry, "MsgTimeStamp")
    try:
        check_msg_key("MsgKey", key)
    except ValueError:
        raise TencentIMTransientError(HISTORY, None, "the answer has a malformed MsgKey") from None
    if not 0 <= time <= LATEST:
        raise TencentIMTransientError(HISTORY, None, "the answer has a time beyond the calendar as its MsgTimeStamp")
    return Letter(
        sender=text_of(HISTORY, entry, "From_Account"),
        recipient=text_of(HISTORY, entry, "To_Account"),
        key=key,
        time=time,
        recalled=entry.get("MsgFlagBits") == _RECALLED,
        body=entry.get("MsgBody"),
        custom=custom if isinstance(custom, str) else None,
    )
