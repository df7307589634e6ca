"""Commands on accounts, and the app's own figures."""

from __future__ import annotations

import re
import time
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields

_LONGEST_USERID = 32
_MOST_ACCOUNTS = COMMANDS["im_open_login_svc/multiaccount_import"].chunk
_MOST_CHECKED = COMMANDS["im_open_login_svc/account_check"].chunk
_NOT_TEXT = 60015
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9_-]+")
_DAYS = 30
_DAY = 86_400


def account_import(call: Call) -> Answer:
    """Import one account; an existing one is fine, and takes over the profile that is given."""
    fields = call.fields(70402)
    name = "UserID"
    if call.assume.old_import_name and name not in fields and "Identifier" in fields:
        name = "Identifier"
    user, profile = _user_id(call, fields, name), _profile(fields)
    _import(call, {user: profile})
    return ok()


def _user_id(call: Call, fields: Fields, name: str) -> str:
    user = _user_text(fields, name)
    if not _is_user_id(call, user):
        raise fields.refuse(name)
    return user


def _user_text(fields: Fields, name: str) -> str:
    if name in fields and not isinstance(fields.raw(name), str):
        raise RefusalError(_NOT_TEXT)
    return fields.text(name)


def _is_user_id(call: Call, user: str) -> bool:
    printable = 0 < len(user) <= _LONGEST_USERID and user.isascii() and user.isprintable()
    return printable and (call.assume.user_id_characters == "printable" or bool(_ALPHANUMERIC.fullmatch(user)))


def _profile(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name) for name in ("Nick", "FaceUrl") if name in fields}


def _import(call: Call, users: dict[str, dict[str, str]]) -> None:
    limit = call.assume.account_limit
    if limit and len(call.app.accounts | users.keys()) > limit:
        raise RefusalError(70398)
    call.app.accounts.update(users)
    for user, profile in users.items():
        if profile:
            call.app.profiles[user] = call.app.profiles.get(user, {}) | profile


def multiaccount_import(call: Call) -> Answer:
    """Import up to a hundred accounts, in either of the two documented forms: names alone, or with profiles."""
    fields = call.fields(70402)
    if "AccountList" in fields:
        listed = [(_user_text(account, "UserID"), _profile(account)) for account in fields.objects("AccountList")]
    else:
        listed = [(user, {}) for user in fields.texts("Accounts")]
    if not 1 <= len(listed) <= _MOST_ACCOUNTS:
        raise RefusalError(call.assume.account_batch_code)
    _import(call, {user: profile for user, profile in listed if _is_user_id(call, user)})
    return ok(FailAccounts=[user for user, _ in listed if not _is_user_id(call, user)])


def account_check(call: Call) -> Answer:
    """Tell of up to a hundred accounts whether they were imported."""
    fields = call.fields(70402)
    items = fields.objects("CheckItem")
    if not 1 <= len(items) <= _MOST_CHECKED:
        raise RefusalError(call.assume.account_batch_code)
    return ok(ResultItem=[_check(call, _user_id(call, item, "UserID")) for item in items])


def _check(call: Call, user: str) -> dict[str, Any]:
    status = "Imported" if user in call.app.accounts else "NotImported"
    return {"UserID": user, "ResultCode": 0, "ResultInfo": "", "AccountStatus": status}


def getappinfo(call: Call) -> Answer:
    """Answer the daily figures of the last month: all are text, and ActionStatus is missing."""
    wanted = call.fields(call.assume.appinfo_field_code).texts("RequestField", required=False)
    figures = {
        "AppName": "emulator",
        "AppId": str(call.app.sdkappid),
        "RegistUserNumTotal": str(len(call.app.accounts)),
        "GroupAllGroupNum": str(len(call.app.groups)),
    }
    shown = {name: value for name, value in figures.items() if not wanted or name in wanted}
    dates = (time.strftime("%Y%m%d", time.gmtime(call.now - _DAY * age)) for age in range(1, _DAYS + 1))
    return {"ErrorCode": 0, "ErrorInfo": "OK", "Result": [{"Date": date, **shown} for date in dates]}
