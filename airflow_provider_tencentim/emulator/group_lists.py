"""Commands that list groups: all of the app, or those of an account."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import GROUP_TYPE_NAMES, Call, stored_type
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.groups import BASE_INFO, MEMBER_INFO
from airflow_provider_tencentim.emulator.store import Group

_MOST_LISTED = COMMANDS["group_open_http_svc/get_appid_group_list"].chunk
_MOST_JOINED = COMMANDS["group_open_http_svc/get_joined_group_list"].chunk
_SELF_INFO: dict[str, Callable[[Group, str], object]] = {**MEMBER_INFO, "UnreadMsgNum": lambda group, account: 0}


def get_appid_group_list(call: Call) -> Answer:
    """List the ids of the app's groups, page by page."""
    fields = call.fields(10004)
    limit = fields.integer("Limit", _MOST_LISTED, low=1, high=_MOST_LISTED)
    start = fields.integer("Next", 0, high=2**64 - 1)
    groups = list(_of_type(call, fields))
    page = list(islice((group for group in groups if group.serial >= start), limit + 1))
    following = page[limit].serial if len(page) > limit else 0
    ids = [{"GroupId": group.group_id} for group in page[:limit]]
    return ok(TotalCount=len(groups), GroupIdList=ids, Next=following)


def _of_type(call: Call, fields: Fields) -> list[Group]:
    groups = list(call.app.groups.values())
    type_ = fields.text("GroupType", "")
    if type_ == "" and ("GroupType" not in fields or call.assume.empty_group_type_is_all):
        return groups
    type_ = stored_type(fields.choice("GroupType", (*GROUP_TYPE_NAMES, "BChatRoom")))
    return [group for group in groups if group.type == type_]


def get_joined_group_list(call: Call) -> Answer:
    """List the groups that an account is in, which TotalCount counts whatever the page."""
    fields = call.fields(10004)
    account = fields.text("Member_Account")
    limit = fields.integer("Limit", low=1, high=_MOST_JOINED) if "Limit" in fields else None
    offset = fields.integer("Offset", 0)
    huge, inactive = (fields.integer(name, 0, high=1) == 1 for name in ("WithHugeGroups", "WithNoActiveGroups"))
    filters = fields.object("ResponseFilter")
    base = filters.texts("GroupBaseInfoFilter", required=False)
    own = filters.texts("SelfInfoFilter", required=False)
    groups = _with_topics(fields, _of_type(call, fields))
    if account not in call.app.accounts:
        raise RefusalError(call.assume.group_account_code)
    joined = [
        group
        for group in groups
        if account in group.members
        and (huge or group.type != "AVChatRoom")
        and (inactive or not _is_inactive(call, group))
        and (call.assume.joined_communities or "GroupType" in fields or group.type != "Community")
    ]
    page = joined[offset:] if limit is None else joined[offset : offset + limit]
    items = [_joined(call, group, account, base, own) for group in page]
    info = "ok" if fields.raw("SupportTopic") == 1 else ""
    return ok(info, TotalCount=len(joined), GroupIdList=items)


def _with_topics(fields: Fields, groups: list[Group]) -> list[Group]:
    if "SupportTopic" not in fields:
        return groups
    wanted = fields.integer("SupportTopic", high=1) == 1
    if fields.raw("GroupType") != "Community":
        raise fields.refuse("SupportTopic")
    return [group for group in groups if group.has_topics is wanted]


def _is_inactive(call: Call, group: Group) -> bool:
    return group.type == "Private" and group.is_quiet and call.assume.private_inactive_until_sent


def _joined(call: Call, group: Group, account: str, base: list[str], own: list[str]) -> dict[str, Any]:
    item: dict[str, Any] = {"GroupId": group.group_id}
    item.update({name: BASE_INFO[name](call, group) for name in base if name in BASE_INFO})
    if own:
        item["SelfInfo"] = {name: _SELF_INFO[name](group, account) for name in own if name in _SELF_INFO}
    return item
