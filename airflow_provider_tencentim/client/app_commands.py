"""The app itself: its accounts, its figures, its history files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from .arguments import LONGEST_USER_ID, check_id, check_ids, check_text
from .caller import Caller
from .commands import COMMANDS
from .transport import MAX_TRIES

_HOUR = re.compile(r"[0-9]{10}", re.ASCII)


class AppCommands(Caller):
    """The commands on accounts and on the app."""

    def account_check(self, user_ids: Sequence[str], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        """Tell which accounts exist ("Querying Accounts").

        :param user_ids: at most 100 UserIDs.
        :param tries: at most so many.
        :return: the answer; ``ResultItem`` has an ``AccountStatus`` for each.
        :raises ValueError: when a UserID is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["im_open_login_svc/account_check"]
        items = [{"UserID": user_id} for user_id in check_ids("user_ids", user_ids, command.chunk)]
        return self.call(command.path, {"CheckItem": items}, tries=tries)

    def account_import(self, user_id: str, nick: str | None = None, face_url: str | None = None) -> dict[str, Any]:
        """Make an account ("Importing a Single Account"); one that exists stays, with this profile.

        :param user_id: the UserID, at most 32 bytes.
        :param nick: its nickname.
        :param face_url: the URL of its picture.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body = {"UserID": check_id("user_id", user_id, LONGEST_USER_ID)}
        for name, field, value in (("nick", "Nick", nick), ("face_url", "FaceUrl", face_url)):
            if value is not None:
                body[field] = check_text(name, value)
        return self.call("im_open_login_svc/account_import", body)

    def multiaccount_import(self, user_ids: Sequence[str]) -> dict[str, Any]:
        """Make up to 100 accounts ("Importing Multiple Accounts").

        :param user_ids: their UserIDs.
        :return: the answer; ``FailAccounts`` names those that could not be made.
        :raises ValueError: when a UserID is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["im_open_login_svc/multiaccount_import"]
        return self.call(command.path, {"Accounts": check_ids("user_ids", user_ids, command.chunk)})

    def getappinfo(self, request_fields: Sequence[str] = ()) -> dict[str, Any]:
        """Read the app's figures of the last 30 days ("Getting Operations Data").

        :param request_fields: the names of the figures; none for all. Every value of the answer is text.
        :raises TencentIMError: the subclass of its kind.
        """
        return self.call("openconfigsvr/getappinfo", {"RequestField": list(request_fields)} if request_fields else {})

    def get_history(self, chat_type: Literal["C2C", "Group"], msg_time: str) -> dict[str, Any]:
        """Get the address of the file that holds an hour's messages ("Downloading Recent Messages").

        The file is ready about an hour later and kept for seven days. It is a log: what was overwritten or recalled
        after that hour stands in it as it was.

        :param chat_type: ``C2C`` or ``Group``.
        :param msg_time: the hour, ``YYYYMMDDHH``; in the time of Beijing, as newer pages have it.
        :return: the answer; ``File`` has a URL, sizes and checksums.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: the subclass of its kind; code 1004 is "not ready yet, or no messages".
        """
        if chat_type not in ("C2C", "Group"):
            raise ValueError("chat_type must be C2C or Group")
        if not _HOUR.fullmatch(check_text("msg_time", msg_time)):
            raise ValueError("msg_time is not YYYYMMDDHH")
        return self.call("open_msg_svc/get_history", {"ChatType": chat_type, "MsgTime": msg_time})
