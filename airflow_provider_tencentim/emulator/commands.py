"""Which command goes where: those carried out here, and those known to exist."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_tencentim.emulator import (
    accounts,
    c2c,
    c2c_sending,
    group_history,
    group_lists,
    group_sending,
    groups,
    history,
    recent,
)
from airflow_provider_tencentim.emulator.answers import Answer
from airflow_provider_tencentim.emulator.calls import Call

HANDLERS: dict[str, Callable[[Call], Answer]] = {
    "openim/modify_group_msg": group_history.modify_group_msg,
    "openim/modify_c2c_msg": c2c.modify_c2c_msg,
    "openim/admin_msgwithdraw": c2c.admin_msgwithdraw,
    "openim/delete_c2c_msg_ramble": c2c.delete_c2c_msg_ramble,
    "openim/admin_getroammsg": c2c.admin_getroammsg,
    "openim/sendmsg": c2c_sending.sendmsg,
    "openim/batchsendmsg": c2c_sending.batchsendmsg,
    "openim/importmsg": c2c_sending.importmsg,
    "recentcontact/get_list": recent.get_list,
    "recentcontact/delete": recent.delete,
    "group_open_http_svc/group_msg_recall": group_history.group_msg_recall,
    "group_open_http_svc/delete_group_msg_by_sender": group_history.delete_group_msg_by_sender,
    "group_open_http_svc/clear_group_msg": group_history.clear_group_msg,
    "group_open_http_svc/group_msg_get_simple": group_history.group_msg_get_simple,
    "group_open_http_svc/send_group_msg": group_sending.send_group_msg,
    "group_open_http_svc/send_group_system_notification": group_sending.send_group_system_notification,
    "group_open_http_svc/import_group_msg": group_sending.import_group_msg,
    "group_open_http_svc/create_group": groups.create_group,
    "group_open_http_svc/import_group": groups.import_group,
    "group_open_http_svc/destroy_group": groups.destroy_group,
    "group_open_http_svc/get_group_info": groups.get_group_info,
    "group_open_http_svc/get_appid_group_list": group_lists.get_appid_group_list,
    "group_open_http_svc/get_joined_group_list": group_lists.get_joined_group_list,
    "im_open_login_svc/account_import": accounts.account_import,
    "im_open_login_svc/multiaccount_import": accounts.multiaccount_import,
    "im_open_login_svc/account_check": accounts.account_check,
    "openconfigsvr/getappinfo": accounts.getappinfo,
    "open_msg_svc/get_history": history.get_history,
}

# Limits of commands that the shared table does not hold: 100 a second instead of 200.
OTHER_LIMITS = {"im_open_login_svc/account_delete": 100}

_NOT_EMULATED = {
    "group_open_http_svc": (
        "add_group_member ban_group_member change_group_owner clear_group_attr delete_group_counter "
        "delete_group_member forbid_send_msg get_group_ban_member "
        "get_group_counter get_group_member_info get_group_muted_account "
        "get_online_member_num get_role_in_group import_group_member modify_group_attr "
        "modify_group_base_info modify_group_member_info send_broadcast_msg "
        "set_group_attr set_unread_msg_num unban_group_member "
        "update_group_counter"
    ),
    "group_open_attr_http_svc": "get_group_attr",
    "openim": ("admin_set_msg_read get_c2c_unread_msg_num query_online_status"),
    "im_open_login_svc": "account_delete kick",
    "recentcontact": (
        "create_contact_group update_contact_group del_contact_group "
        "search_contact_group get_contact_group mark_contact"
    ),
    "profile": "portrait_get portrait_set",
    "sns": (
        "friend_add friend_import friend_update friend_delete friend_delete_all friend_check friend_get "
        "friend_get_list group_add group_delete group_get black_list_add black_list_delete "
        "black_list_get black_list_check"
    ),
    "all_member_push": "im_push im_set_attr_name im_get_attr_name im_set_attr im_get_attr im_add_tag",
    "openconfigsvr": "setnospeaking getnospeaking",
}

KNOWN = frozenset(HANDLERS) | {
    f"{service}/{command}" for service, commands in _NOT_EMULATED.items() for command in commands.split()
}
