"""Commands on accounts, and the app's own figures."""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields

_LONGEST_USERID = 32
_MOST_ACCOUNTS = 100
_NOT_TEXT = 60015
_DAYS = 30
_DAY = 86_400


def account_import(call: Call) -> Answer:
    """Import one account; an existing one is fine."""
    fields = call.fields(70402)
    name = "UserID"
    if call.assume.old_import_name and name not in fields and "Identifier" in fields:
        name = "Identifier"
    user = _user_id(fields, name)
    fields.text("Nick", "")
    fields.text("FaceUrl", "")
    call.app.accounts.add(user)
    return ok()


def _user_id(fields: Fields, name: str) -> str:
    user = fields.text(name, code=_NOT_TEXT if name in fields else None)
    if not _is_user_id(user):
        raise fields.refuse(name)
    return user


def _is_user_id(user: str) -> bool:
    return 0 < len(user) <= _LONGEST_USERID and user.isascii() and user.isprintable()


def multiaccount_import(call: Call) -> Answer:
    """Import up to a hundred accounts, in either of the two documented forms."""
    fields = call.fields(70402)
    if "AccountList" in fields:
        users = [_user_id(account, "UserID") for account in fields.objects("AccountList")]
    else:
        users = fields.texts("Accounts")
    if not 1 <= len(users) <= _MOST_ACCOUNTS:
        raise RefusalError(call.assume.account_batch_code)
    call.app.accounts.update(user for user in users if _is_user_id(user))
    return ok(FailAccounts=[user for user in users if not _is_user_id(user)])


def account_check(call: Call) -> Answer:
    """Tell of up to a hundred accounts whether they were imported."""
    fields = call.fields(70402)
    items = fields.objects("CheckItem")
    if not 1 <= len(items) <= _MOST_ACCOUNTS:
        raise RefusalError(call.assume.account_batch_code)
    return ok(ResultItem=[_check(call, _user_id(item, "UserID")) for item in items])


def _check(call: Call, user: str) -> dict[str, Any]:
    status = "Imported" if user in call.app.accounts else "NotImported"
    return {"UserID": user, "ResultCode": 0, "ResultInfo": "", "AccountStatus": status}


def getappinfo(call: Call) -> Answer:
    """Answer the daily figures of the last month: all are text, and ActionStatus is missing."""
    wanted = call.fields(60003).texts("RequestField", required=False)
    figures = {
        "AppName": "emulator",
        "AppId": str(call.app.sdkappid),
        "RegistUserNumTotal": str(len(call.app.accounts)),
        "GroupAllGroupNum": str(len(call.app.groups)),
    }
    shown = {name: value for name, value in figures.items() if not wanted or name in wanted}
    dates = (time.strftime("%Y%m%d", time.gmtime(call.now - _DAY * age)) for age in range(1, _DAYS + 1))
    return {"ErrorCode": 0, "ErrorInfo": "OK", "Result": [{"Date": date, **shown} for date in dates]}
