"""Groups and their messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from .arguments import (
    LONGEST_GROUP_ID,
    LONGEST_USER_ID,
    check_id,
    check_ids,
    check_msg_seq,
    check_text,
    group_fields,
    message_fields,
    reason_field,
)
from .caller import Caller, Pages, entries, number_of, text_of
from .commands import COMMANDS
from .errors import TencentIMTransientError
from .recall import GroupRecall, RecallResult
from .seqs import LAST_SEQ, SeqSet, parse_seqs

#: What an operator needs to know of a group before it acts; asked for alone, 50 groups stay far below 1 MB.
GROUP_FIELDS = ("Type", "Name", "CreateTime", "LastMsgTime", "NextMsgSeq", "MemberNum")


class GroupCommands(Caller):
    """The commands on groups: their messages, what they are, which there are."""

    def modify_group_msg(
        self,
        group_id: str,
        msg_seq: int,
        msg_body: str | Sequence[Mapping[str, Any]] | None = None,
        cloud_custom_data: str | None = None,
        topic_id: str | None = None,
    ) -> dict[str, Any]:
        """Overwrite a stored group message, which cannot be undone; not in an AVChatRoom (document 269/74741).

        :param group_id: the GroupId.
        :param msg_seq: the message.
        :param msg_body: the new MsgBody: a list of elements, or text for one TIMTextElem.
        :param cloud_custom_data: the new CloudCustomData. What is not given stays as it is; one must be given.
        :param topic_id: the TopicId, for a topic of a community.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body = {
            **group_fields(group_id, topic_id),
            "MsgSeq": check_msg_seq("msg_seq", msg_seq),
            **message_fields(msg_body, cloud_custom_data),
        }
        return self.call("openim/modify_group_msg", body)

    def group_msg_recall(
        self,
        group_id: str,
        msg_seqs: SeqSet | Iterable[int | str],
        topic_id: str | None = None,
        reason: str | None = None,
    ) -> Iterator[RecallResult]:
        """Withdraw group messages from everyone, ten a call, which cannot be undone (document 269/12341).

        :param group_id: the GroupId.
        :param msg_seqs: the messages; doubles are sent once.
        :param topic_id: the TopicId, for a topic of a community.
        :param reason: shown with the recall, at most 100 bytes.
        :return: one result for each seq, as the answers come; failures are results too.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: behind the last result, when an error that every call would meet ended the run.
        """
        where = group_fields(group_id, topic_id)
        return GroupRecall(self, where, reason_field(reason)).run(_seq_set(msg_seqs))

    def preview_group_msg_recall(
        self, group_id: str, msg_seqs: SeqSet | Iterable[int | str], topic_id: str | None = None
    ) -> Iterator[RecallResult]:
        """Look up in the history what a recall would meet; nothing is recalled.

        :param group_id: the GroupId.
        :param msg_seqs: the messages.
        :param topic_id: the TopicId, for a topic of a community.
        :return: one result for each seq.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: when the history cannot be read, as in an AVChatRoom, which has none.
        """
        return GroupRecall(self, group_fields(group_id, topic_id), {}).preview(_seq_set(msg_seqs))

    def clear_group_msg(self, group_id: str, msg_seq: int | None = None) -> dict[str, Any]:
        """Hide a group's history from its members; admins still read it. Not for a Community (document 269/95617).

        :param group_id: the GroupId.
        :param msg_seq: the last message to hide. None hides all there is when the call arrives.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body: dict[str, Any] = group_fields(group_id)
        if msg_seq is not None:
            body["MsgSeq"] = check_msg_seq("msg_seq", msg_seq)
        return self.call("group_open_http_svc/clear_group_msg", body)

    def group_msg_get_simple(
        self,
        group_id: str,
        req_msg_seq: int | None = None,
        req_msg_number: int = 20,
        topic_id: str | None = None,
        with_recalled_msg: bool = True,
    ) -> dict[str, Any]:
        """Read a page of a group's history, newest first (document 269/2738).

        :param group_id: the GroupId.
        :param req_msg_seq: the newest message of the page; None for the newest there is.
        :param req_msg_number: how many, at most 20.
        :param topic_id: the TopicId, for a topic of a community.
        :param with_recalled_msg: whether recalled messages are shown, with IsPlaceMsg 2.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        body: dict[str, Any] = {**group_fields(group_id, topic_id), "ReqMsgNumber": req_msg_number}
        if req_msg_seq is not None:
            body["ReqMsgSeq"] = check_msg_seq("req_msg_seq", req_msg_seq)
        if with_recalled_msg:
            body["WithRecalledMsg"] = 1
        return self.call("group_open_http_svc/group_msg_get_simple", body)

    def get_group_info(
        self, group_ids: Iterable[str], fields: Sequence[str] = GROUP_FIELDS
    ) -> Iterator[dict[str, Any]]:
        """Read what groups are, 50 a call ("Getting Group Profiles").

        :param group_ids: GroupIds of any number.
        :param fields: what to ask for; members are never asked for, so that the answer stays under 1 MB.
        :return: a GroupInfo for each; a group's own ErrorCode tells whether it was found.
        :raises ValueError: when an id is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["group_open_http_svc/get_group_info"]
        ids = iter(group_ids)
        while chunk := [check_id("group_id", group_id, LONGEST_GROUP_ID) for group_id in islice(ids, command.chunk)]:
            body = {"GroupIdList": chunk, "ResponseFilter": {"GroupBaseInfoFilter": list(fields)}}
            infos = entries(command.path, self.call(command.path, body), "GroupInfo")
            found = {
                info["GroupId"]: info
                for info in infos
                if isinstance(info.get("GroupId"), str) and type(info.get("ErrorCode")) is int
            }
            for group_id in chunk:
                if group_id not in found:
                    raise TencentIMTransientError(
                        command.path, None, "the answer leaves out a group that was asked for"
                    )
                yield found[group_id]

    def iter_groups(self, group_type: str | None = None) -> Iterator[str]:
        """Yield the ids of the app's groups, 10,000 a page and one page a second ("Getting All Groups in an App").

        Pages follow ``Next`` until it is 0. A group that is made or dissolved meanwhile may be among them or not.

        :param group_type: Public, Private, ChatRoom, AVChatRoom or Community; None for all.
        :raises TencentIMError: the subclass of its kind; also when the pages stop leading on.
        """
        command = COMMANDS["group_open_http_svc/get_appid_group_list"]
        filter_ = {} if group_type is None else {"GroupType": check_id("group_type", group_type, LONGEST_GROUP_ID)}
        following, pages = 0, Pages(command.path)
        while True:
            answer = self.call(command.path, {"Limit": command.chunk, "Next": following, **filter_})
            for entry in entries(command.path, answer, "GroupIdList"):
                yield text_of(command.path, entry, "GroupId")
            following = number_of(command.path, answer, "Next") if "Next" in answer else 0
            if following == 0:
                return
            pages.lead_to(following, bool(answer["GroupIdList"]))

    def iter_joined_groups(
        self, account: str, group_type: str | None = None, with_huge_groups: bool = True
    ) -> Iterator[str]:
        """Yield the ids of the groups that an account is in ("Getting the Groups Joined by a User").

        Pages follow ``Offset`` until one is empty or all of ``TotalCount`` were seen.

        :param account: the UserID.
        :param group_type: only these; None for all but Communities, as the service has it.
        :param with_huge_groups: AVChatRooms too.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["group_open_http_svc/get_joined_group_list"]
        body: dict[str, Any] = {
            "Member_Account": check_id("account", account, LONGEST_USER_ID),
            "WithHugeGroups": int(with_huge_groups),
            "WithNoActiveGroups": 1,
            "Limit": command.chunk,
        }
        if group_type is not None:
            body["GroupType"] = check_id("group_type", group_type, LONGEST_GROUP_ID)
        offset = 0
        while True:
            answer = self.call(command.path, body | {"Offset": offset})
            page = entries(command.path, answer, "GroupIdList")
            for entry in page:
                yield text_of(command.path, entry, "GroupId")
            offset += len(page)
            if not page or offset >= number_of(command.path, answer, "TotalCount"):
                return

    def iter_group_history(
        self, group_id: str, newest_seq: int | None = None, topic_id: str | None = None, empty_pages: int = 50
    ) -> Iterator[dict[str, Any]]:
        """Yield the messages of a group from the newest to the oldest, recalled and expired ones too.

        ``IsFinished`` tells of one page and not of the history: reading goes on below the lowest MsgSeq of a page, and
        past pages that are empty, which gaps make, until MsgSeq 1 or until too many in a row were empty.

        :param group_id: the GroupId.
        :param newest_seq: where to begin; None for the newest there is.
        :param topic_id: the TopicId, for a topic of a community.
        :param empty_pages: give up below so many empty pages of 20 in a row.
        :return: the entries of ``RspMsgList`` as they come; the MsgBody of a system message is an object.
        :raises ValueError: naming an argument that is malformed.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["group_open_http_svc/group_msg_get_simple"]
        newest, empty = newest_seq, 0
        while newest != 0 and empty <= empty_pages:
            answer = self.group_msg_get_simple(group_id, newest, topic_id=topic_id)
            page = entries(command.path, answer, "RspMsgList")
            seqs = [number_of(command.path, entry, "MsgSeq") for entry in page]
            if any(earlier <= later for earlier, later in pairwise([(newest or LAST_SEQ) + 1, *seqs])):
                raise TencentIMTransientError(command.path, None, "a page of the history does not run downwards")
            yield from page
            if not seqs and newest is None:
                return
            empty = 0 if seqs else empty + 1
            newest = seqs[-1] - 1 if seqs else max(0, (newest or 0) - command.chunk)

    def delete_group_msg_by_sender(
        self, group_id: str, sender_account: str, topic_id: str | None = None
    ) -> dict[str, Any]:
        """Recall what an account sent among a group's last 1,000 messages, silently ("Deleting Messages by Sender").

        The answer does not say how many. In an AVChatRoom nothing happens, and that is no error. It is not repeated
        when the answer is lost: what the account sent in between would be recalled as well.

        :param group_id: the GroupId.
        :param sender_account: the UserID of the sender.
        :param topic_id: the TopicId, for a topic of a community.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        body = group_fields(group_id, topic_id)
        body["Sender_Account"] = check_id("sender_account", sender_account, LONGEST_USER_ID)
        return self.call("group_open_http_svc/delete_group_msg_by_sender", body)

    def send_group_system_notification(
        self, group_id: str, content: str, to_members: Sequence[str] = (), topic_id: str | None = None
    ) -> dict[str, Any]:
        """Tell the members who are online something; it is stored nowhere ("Sending System Messages in a Group").

        :param group_id: the GroupId.
        :param content: the text.
        :param to_members: at most 500 UserIDs; none for all. Not in an AVChatRoom.
        :param topic_id: the TopicId, for a topic of a community.
        :raises ValueError: naming an argument that is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        command = COMMANDS["group_open_http_svc/send_group_system_notification"]
        body: dict[str, Any] = {**group_fields(group_id, topic_id), "Content": check_text("content", content)}
        if to_members:
            body["ToMembers_Account"] = check_ids("to_members", to_members, command.chunk)
        return self.call(command.path, body)

    def destroy_group(self, group_id: str) -> dict[str, Any]:
        """Dissolve a group for good ("Disbanding a Group").

        :param group_id: the GroupId.
        :raises ValueError: when it is malformed; nothing is sent.
        :raises TencentIMError: the subclass of its kind.
        """
        return self.call("group_open_http_svc/destroy_group", group_fields(group_id))


def _seq_set(msg_seqs: SeqSet | Iterable[int | str]) -> SeqSet:
    if isinstance(msg_seqs, SeqSet):
        return msg_seqs
    try:
        return parse_seqs([msg_seqs] if isinstance(msg_seqs, str) else msg_seqs)
    except ValueError as error:
        raise ValueError(f"msg_seqs {error}") from None
