"""Commands on groups themselves: create, import, destroy, describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, default_info, ok
from airflow_provider_tencentim.emulator.calls import GROUP_TYPE_NAMES, Call, is_group_id, stored_type
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.store import Group

_MOST_DESCRIBED = COMMANDS["group_open_http_svc/get_group_info"].chunk
_MOST_MEMBERS = 100
_JOIN_OPTIONS = ("FreeAccess", "NeedPermission", "DisableApply")
_LONGEST = {"Introduction": 240, "Notification": 300, "FaceUrl": 100}


def create_group(call: Call) -> Answer:
    """Create a group, with members if it is wanted."""
    fields = call.fields(10004)
    type_, name, info = _read_profile(call, fields)
    members = fields.objects("MemberList", required=False)
    if members and type_ == "AVChatRoom":
        raise RefusalError(10007)
    if len(members) > _MOST_MEMBERS:
        raise RefusalError(10005)
    roles = {member.text("Member_Account"): member.choice("Role", ("Admin", "Member"), "Member") for member in members}
    topics = fields.integer("SupportTopic", 0, high=1)
    owner = _read_owner(call, fields)
    if not roles.keys() <= call.app.accounts:
        raise RefusalError(call.assume.group_account_code)
    group = call.app.new_group(_read_new_id(call, fields, type_), type_, name, int(call.now))
    _fill(group, owner, info | {"SupportTopic": topics}, roles)
    return ok(GroupId=group.group_id, **({"Type": type_} if topics else {}))


def import_group(call: Call) -> Answer:
    """Create a group that may be older than today."""
    fields = call.fields(10004)
    type_, name, info = _read_profile(call, fields)
    if type_ == "AVChatRoom":
        raise RefusalError(10007)
    create_time = fields.integer("CreateTime", int(call.now), high=int(call.now))
    owner = _read_owner(call, fields)
    group = call.app.new_group(_read_new_id(call, fields, type_), type_, name, create_time)
    _fill(group, owner, info, {})
    return ok(GroupId=group.group_id)


def _read_profile(call: Call, fields: Fields) -> tuple[str, str, dict[str, Any]]:
    type_ = stored_type(fields.choice("Type", GROUP_TYPE_NAMES))
    name = fields.text("Name", most=call.assume.group_name_limit)
    if not name:
        raise fields.refuse("Name")
    info: dict[str, Any] = {field: fields.text(field, "", most=most) for field, most in _LONGEST.items()}
    info["ApplyJoinOption"] = fields.choice("ApplyJoinOption", _JOIN_OPTIONS, "NeedPermission")
    info["MaxMemberNum"] = fields.integer("MaxMemberCount", 2000)
    info["AppDefinedData"] = [
        {"Key": item.text("Key"), "Value": item.text("Value")}
        for item in fields.objects("AppDefinedData", required=False)
    ]
    return type_, name, info


def _read_owner(call: Call, fields: Fields) -> str | None:
    if "Owner_Account" not in fields:
        return None
    owner = fields.text("Owner_Account")
    if owner not in call.app.accounts:
        raise RefusalError(call.assume.group_account_code)
    return owner


def _read_new_id(call: Call, fields: Fields, type_: str) -> str | None:
    if "GroupId" not in fields:
        return None
    group_id = fields.text("GroupId")
    reserved = group_id.startswith("@TGS#")
    if type_ == "Community":
        reserved = not group_id.startswith("@TGS#_") or group_id.startswith("@TGS#_@TGS#")
    if reserved or not is_group_id(group_id):
        raise RefusalError(call.assume.malformed_group_code)
    if group_id in call.app.groups:
        owner = fields.raw("Owner_Account")
        raise RefusalError(10025 if owner and call.app.groups[group_id].owner == owner else 10021)
    if not call.assume.dissolved_id_free and any(group.group_id == group_id for group in call.app.dissolved):
        raise RefusalError(10021)
    return group_id


def _fill(group: Group, owner: str | None, info: dict[str, Any], roles: dict[str, str]) -> None:
    group.owner = owner
    group.info = info
    group.members = {**roles, **({owner: "Owner"} if owner else {})}


def destroy_group(call: Call) -> Answer:
    """Dissolve a group."""
    fields = call.fields(10004)
    call.app.dissolve(call.group(fields))
    return ok()


def get_group_info(call: Call) -> Answer:
    """Describe up to fifty groups; the ErrorCode of each tells whether it is there."""
    fields = call.fields(10004)
    ids = fields.texts("GroupIdList")
    if not 1 <= len(ids) <= _MOST_DESCRIBED:
        raise fields.refuse("GroupIdList")
    filters = fields.object("ResponseFilter")
    everything = "ResponseFilter" not in fields
    base = filters.texts("GroupBaseInfoFilter") if "GroupBaseInfoFilter" in filters else list(BASE_INFO)
    members = list(MEMBER_INFO) if everything else filters.texts("MemberInfoFilter", required=False)
    app_data = everything or "AppDefinedDataFilter_Group" in filters
    return ok(GroupInfo=[_describe(call, group_id, base, members, app_data) for group_id in ids])


BASE_INFO: dict[str, Callable[[Call, Group], object]] = {
    "Type": lambda call, group: group.type,
    "Name": lambda call, group: group.name,
    "Appid": lambda call, group: call.app.sdkappid,
    "Introduction": lambda call, group: group.info.get("Introduction", ""),
    "Notification": lambda call, group: group.info.get("Notification", ""),
    "FaceUrl": lambda call, group: group.info.get("FaceUrl", ""),
    "Owner_Account": lambda call, group: group.owner or "",
    "CreateTime": lambda call, group: group.create_time,
    "LastInfoTime": lambda call, group: group.create_time,
    "LastMsgTime": lambda call, group: group.history.last_time,
    "NextMsgSeq": lambda call, group: group.history.next_seq,
    "MemberNum": lambda call, group: len(group.members),
    "MaxMemberNum": lambda call, group: group.info.get("MaxMemberNum", 2000),
    "ApplyJoinOption": lambda call, group: group.info.get("ApplyJoinOption", "NeedPermission"),
    "MuteAllMember": lambda call, group: "Off",
}


MEMBER_INFO: dict[str, Callable[[Group, str], object]] = {
    "Role": lambda group, account: group.members[account],
    "JoinTime": lambda group, account: group.create_time,
    "MsgSeq": lambda group, account: 0,
    "MsgFlag": lambda group, account: "AcceptAndNotify",
    "LastSendMsgTime": lambda group, account: 0,
    "MuteUntil": lambda group, account: 0,
}


def _describe(call: Call, group_id: str, base: list[str], members: list[str], app_data: bool) -> dict[str, Any]:
    group = call.app.groups.get(group_id)
    if group is None:
        known = is_group_id(group_id)
        code = call.assume.unknown_group_code if known else call.assume.malformed_group_code
        return {"GroupId": group_id, "ErrorCode": code, "ErrorInfo": default_info(code)}
    answer: dict[str, Any] = {"GroupId": group_id, "ErrorCode": 0, "ErrorInfo": ""}
    answer.update({name: BASE_INFO[name](call, group) for name in base if name in BASE_INFO})
    if app_data:
        answer["AppDefinedData"] = group.info.get("AppDefinedData", [])
    if members:
        shown = {name: MEMBER_INFO[name] for name in members if name in MEMBER_INFO}
        answer["MemberList"] = [
            {"Member_Account": account, **{name: read(group, account) for name, read in shown.items()}}
            for account in group.members
        ]
    return answer
