"""Which command goes where: those carried out here, and those known to exist."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_tencentim.emulator import accounts, c2c, group_history, group_sending, groups
from airflow_provider_tencentim.emulator.answers import Answer
from airflow_provider_tencentim.emulator.calls import Call

HANDLERS: dict[str, Callable[[Call], Answer]] = {
    "openim/modify_group_msg": group_history.modify_group_msg,
    "openim/modify_c2c_msg": c2c.modify_c2c_msg,
    "openim/sendmsg": c2c.sendmsg,
    "openim/admin_getroammsg": c2c.admin_getroammsg,
    "group_open_http_svc/group_msg_recall": group_history.group_msg_recall,
    "group_open_http_svc/clear_group_msg": group_history.clear_group_msg,
    "group_open_http_svc/group_msg_get_simple": group_history.group_msg_get_simple,
    "group_open_http_svc/send_group_msg": group_sending.send_group_msg,
    "group_open_http_svc/import_group_msg": group_sending.import_group_msg,
    "group_open_http_svc/create_group": groups.create_group,
    "group_open_http_svc/import_group": groups.import_group,
    "group_open_http_svc/destroy_group": groups.destroy_group,
    "group_open_http_svc/get_group_info": groups.get_group_info,
    "group_open_http_svc/get_appid_group_list": groups.get_appid_group_list,
    "im_open_login_svc/account_import": accounts.account_import,
    "im_open_login_svc/multiaccount_import": accounts.multiaccount_import,
    "im_open_login_svc/account_check": accounts.account_check,
    "openconfigsvr/getappinfo": accounts.getappinfo,
}

# Limits of commands that the shared table does not hold: 100 a second instead of 200.
OTHER_LIMITS = {"im_open_login_svc/multiaccount_import": 100, "im_open_login_svc/account_delete": 100}

_NOT_EMULATED = {
    "group_open_http_svc": (
        "add_group_member ban_group_member change_group_owner clear_group_attr delete_group_counter "
        "delete_group_member delete_group_msg_by_sender forbid_send_msg get_group_ban_member "
        "get_group_counter get_group_member_info get_group_muted_account get_joined_group_list "
        "get_online_member_num get_role_in_group import_group_member modify_group_attr "
        "modify_group_base_info modify_group_member_info send_broadcast_msg "
        "send_group_system_notification set_group_attr set_unread_msg_num unban_group_member "
        "update_group_counter"
    ),
    "group_open_attr_http_svc": "get_group_attr",
    "openim": (
        "admin_msgwithdraw admin_set_msg_read batchsendmsg delete_c2c_msg_ramble "
        "get_c2c_unread_msg_num importmsg query_online_status"
    ),
    "im_open_login_svc": "account_delete kick",
    "recentcontact": (
        "get_list delete create_contact_group update_contact_group del_contact_group "
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
    "open_msg_svc": "get_history",
}

KNOWN = frozenset(HANDLERS) | {
    f"{service}/{command}" for service, commands in _NOT_EMULATED.items() for command in commands.split()
}
