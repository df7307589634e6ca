"""What get_group_info tells of groups, 50 a call: before they are planned, and again before they are touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.client.errors import (
    Kind,
    TencentIMError,
    error_for,
    is_everywhere,
)
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.client.seqs import LAST_SEQ

from .history import LATEST

INFO = "group_open_http_svc/get_group_info"
GROUPS_A_CALL = COMMANDS[INFO].chunk


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What get_group_info says of a group.

    :param group: the GroupId.
    :param type: its type.
    :param created: its CreateTime, Unix seconds; None when the service does not say.
    :param newest: the MsgSeq of its newest message; None when the service does not say.
    :param last_time: its LastMsgTime, Unix seconds; None when the service does not say.
    """

    group: str
    type: str
    created: int | None
    newest: int | None
    last_time: int | None

    @classmethod
    def of(cls, info: dict[str, Any]) -> GroupFacts:
        """Read the profile of a group that was found.

        :param info: its GroupInfo.
        """
        following = _number(info, "NextMsgSeq", LAST_SEQ + 1)
        type_ = str(info.get("Type"))
        return cls(
            group=info["GroupId"],
            type=_TYPES.get(type_, type_),
            created=_number(info, "CreateTime", LATEST),
            newest=None if following is None else following - 1,
            last_time=_number(info, "LastMsgTime", LATEST),
        )


def _number(info: dict[str, Any], name: str, most: int) -> int | None:
    value = info.get(name)
    return value if type(value) is int and 0 < value <= most else None


# The names of the clients, which some pages use for the same types.
_TYPES = {"Work": "Private", "Meeting": "ChatRoom"}


def look_up(client: GroupCommands, groups: list[str]) -> dict[str, dict[str, Any]]:
    """Return the GroupInfo of each group, at most 50 of them.

    :param client: reads them.
    :param groups: their GroupIds.
    :raises TencentIMError: the subclass of its kind; also when the service could not read one of them.
    """
    infos = {info["GroupId"]: info for info in client.get_group_info(groups)}
    for info in infos.values():
        error = error_for(INFO, info["ErrorCode"], str(info.get("ErrorInfo") or ""))
        if info["ErrorCode"] != 0 and (not error.lasting or is_everywhere(error)):
            raise error
    return infos


def why_missing(info: dict[str, Any]) -> str | None:
    """Return the reason to skip a group that was not found, or may not be seen; None for one that is there.

    :param info: its GroupInfo.
    """
    code = info["ErrorCode"]
    return reason_of(error_for(INFO, code, "")) if code else None


def reason_of(error: TencentIMError) -> str:
    """Return an error that stays as the reason to skip a group.

    :param error: of a call about the group.
    """
    return "not_found" if error.kind is Kind.NOT_FOUND else f"error_{error.code}"
