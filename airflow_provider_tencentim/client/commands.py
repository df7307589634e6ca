"""The command table: what is known of each command before it is sent.

Plain facts of the endpoint pages; the client paces and retries by them, the emulator enforces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# "Maximum call frequency: 200 calls per second" on every endpoint page that names no other.
DOCUMENTED_CALLS_PER_SECOND = 200


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the REST API.

    :param path: ``service/command``, as in the URL behind ``/v4/``.
    :param writes: whether it changes anything.
    :param repeatable: whether asking twice has the effect of asking once, so that a lost answer
        may be asked for again.
    :param repeatable_with: the body field that makes a call repeatable: the server drops its duplicate by it, or it
        bounds what the call reaches.
    :param calls_per_second: the documented limit for each app.
    :param chunk: the most entries that its list may hold in one call; 1 where it has none.
    """

    path: str
    writes: bool
    repeatable: bool
    repeatable_with: str | None = None
    calls_per_second: int = DOCUMENTED_CALLS_PER_SECOND
    chunk: int = 1


_TABLE = (
    # --- group messages
    Command("openim/modify_group_msg", writes=True, repeatable=True),
    Command("group_open_http_svc/group_msg_recall", writes=True, repeatable=True, chunk=10),
    # Without a MsgSeq, a repeat would also clear what came in between.
    Command("group_open_http_svc/clear_group_msg", writes=True, repeatable=False, repeatable_with="MsgSeq"),
    # A repeat would also recall what the sender sent in between.
    Command("group_open_http_svc/delete_group_msg_by_sender", writes=True, repeatable=False),
    Command("group_open_http_svc/group_msg_get_simple", writes=False, repeatable=True, chunk=20),
    Command("group_open_http_svc/send_group_msg", writes=True, repeatable=False, repeatable_with="Random"),
    # The list is of the members that are notified; nothing drops a duplicate.
    Command("group_open_http_svc/send_group_system_notification", writes=True, repeatable=False, chunk=500),
    # The endpoint page says 7, the limits page 20: the smaller is right in both readings.
    Command("group_open_http_svc/import_group_msg", writes=True, repeatable=False, chunk=7),
    # --- one-to-one messages
    Command("openim/modify_c2c_msg", writes=True, repeatable=True),
    # A repeat answers 20023, "already recalled".
    Command("openim/admin_msgwithdraw", writes=True, repeatable=True),
    Command("openim/delete_c2c_msg_ramble", writes=True, repeatable=True, chunk=30),
    Command("openim/admin_getroammsg", writes=False, repeatable=True),
    Command("openim/sendmsg", writes=True, repeatable=False, repeatable_with="MsgRandom"),
    # The list is of the recipients; an app may also send no more than 12,000 of these messages a minute.
    Command("openim/batchsendmsg", writes=True, repeatable=False, repeatable_with="MsgRandom", chunk=500),
    # Duplicates are those of the same MsgSeq, MsgRandom and MsgTimeStamp. The last two are always there; without
    # the first, the server makes one up for every call, and a repeat imports the message twice.
    Command("openim/importmsg", writes=True, repeatable=False, repeatable_with="MsgSeq"),
    # --- conversations
    Command("recentcontact/get_list", writes=False, repeatable=True),
    # With ClearRamble a repeat would also clear what came in between, and without it hide its conversation.
    Command("recentcontact/delete", writes=True, repeatable=False),
    # --- groups
    Command("group_open_http_svc/get_group_info", writes=False, repeatable=True, chunk=50),
    Command(
        "group_open_http_svc/get_appid_group_list",
        writes=False,
        repeatable=True,
        calls_per_second=1,
        chunk=10_000,
    ),
    Command("group_open_http_svc/get_joined_group_list", writes=False, repeatable=True, chunk=5000),
    Command("group_open_http_svc/create_group", writes=True, repeatable=False),
    Command("group_open_http_svc/import_group", writes=True, repeatable=False),
    # The id of a dissolved group is free again: a repeat might dissolve the next group that took it.
    Command("group_open_http_svc/destroy_group", writes=True, repeatable=False),
    # --- accounts
    Command("im_open_login_svc/account_import", writes=True, repeatable=True),
    Command("im_open_login_svc/multiaccount_import", writes=True, repeatable=True, calls_per_second=100, chunk=100),
    Command("im_open_login_svc/account_check", writes=False, repeatable=True, calls_per_second=100, chunk=100),
    # --- the app
    Command("openconfigsvr/getappinfo", writes=False, repeatable=True),
    Command("open_msg_svc/get_history", writes=False, repeatable=True, calls_per_second=10),
)

COMMANDS: dict[str, Command] = {command.path: command for command in _TABLE}


def find_command(path: str) -> Command:
    """Return the row of a command; one that is not in the table is taken to write and not to be repeatable."""
    return COMMANDS.get(path) or Command(path, writes=True, repeatable=False)


def is_repeatable(command: Command, body: Mapping[str, object]) -> bool:
    """Tell whether this very call may be sent again when its answer was lost.

    :param command: its row.
    :param body: what it sends.
    """
    return command.repeatable or (command.repeatable_with is not None and command.repeatable_with in body)
