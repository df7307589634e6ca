"""Commands on stored group messages: modify, recall, clear, read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.messages import OPENIM, compact, read_message
from airflow_provider_tencentim.emulator.store import EXPIRED, MODIFIED, RECALLED, SYSTEM, Group, History, Message

AVCHATROOM_RECALL_SECONDS = 3600
_MOST_RECALLED = COMMANDS["group_open_http_svc/group_msg_recall"].chunk
_LONGEST_PAGE = COMMANDS["group_open_http_svc/group_msg_get_simple"].chunk


def modify_group_msg(call: Call) -> Answer:
    """Overwrite the MsgBody, the CloudCustomData or both of a message."""
    assume = call.assume
    fields = call.fields(assume.modify_field_code)
    group_id, seq = fields.text("GroupId"), fields.integer("MsgSeq", low=1)
    if "MsgBody" not in fields and "CloudCustomData" not in fields:
        raise RefusalError(assume.modify_nothing_code, "invalid request: neither MsgBody nor CloudCustomData")
    body, custom = read_message(fields, OPENIM, assume, required=False)
    group = call.group(fields)
    if group.type == "AVChatRoom":
        raise RefusalError(assume.modify_avchatroom_code, f"{group_id} stores no history")
    message = call.history(group, fields).messages.get(seq)
    if message is None:
        raise RefusalError(assume.modify_missing_code)
    state = message.state(call.horizon)
    if state != "normal":
        codes = {"recalled": assume.modify_recalled_code, "expired": assume.modify_expired_code}
        raise RefusalError(codes[state], f"the message is {state}")
    if message.flags & SYSTEM:
        raise RefusalError(assume.modify_system_code, "the message is a system message")
    message.overwrite(None if body is None else compact(body), custom)
    return ok("succeed")


def group_msg_recall(call: Call) -> Answer:
    """Recall up to ten messages, and answer for each of them."""
    fields = call.fields(10004)
    fields.text("GroupId")
    items = fields.objects("MsgSeqList")
    if len(items) > _MOST_RECALLED:
        raise RefusalError(call.assume.recall_too_many_code, "invalid request: MsgSeqList is too long")
    if not items:
        raise fields.refuse("MsgSeqList")
    seqs = [item.integer("MsgSeq") for item in items]
    fields.text("Reason", "", most=100)
    group = call.group(fields)
    if group.type == "AVChatRoom" and call.assume.avchatroom_recall == "never":
        raise RefusalError(10033)
    history = call.history(group, fields)
    return ok(RecallRetList=[{"MsgSeq": seq, "RetCode": _recall(call, group, history, seq)} for seq in seqs])


def _recall(call: Call, group: Group, history: History, seq: int) -> int:
    message = history.messages.get(seq)
    if message is None:
        return 10030
    state = message.state(call.horizon)
    if state == "expired":
        return call.assume.recall_of_expired
    if state == "recalled":
        return call.assume.recall_of_recalled
    if message.flags & SYSTEM:
        return call.assume.recall_of_system
    if group.type == "AVChatRoom" and call.now - message.time > AVCHATROOM_RECALL_SECONDS:
        return 10031
    message.flags |= RECALLED
    return 0


def delete_group_msg_by_sender(call: Call) -> Answer:
    """Recall what an account sent among the newest messages; its answer does not say how many."""
    fields = call.fields(10004)
    sender = fields.text("Sender_Account")
    group = call.group(fields)
    history = call.history(group, fields)
    if sender not in call.app.accounts:
        raise RefusalError(call.assume.group_account_code)
    if group.type == "AVChatRoom":  # no effect, and no error
        return ok()
    mark = RECALLED if call.assume.by_sender_leaves == "recalled" else EXPIRED
    newest = islice(history.window(history.first_seq, history.next_seq - 1), call.assume.by_sender_messages)
    for _, message in newest:
        if message.sender == sender and not message.flags & SYSTEM and message.state(call.horizon) == "normal":
            message.flags |= mark
    return ok()


def clear_group_msg(call: Call) -> Answer:
    """Mark the messages through a MsgSeq, or all, so that users no longer see them."""
    fields = call.fields(10004)
    fields.text("GroupId")
    assume = call.assume
    through = fields.integer("MsgSeq", low=0 if assume.clear_zero_is_all else 1) if "MsgSeq" in fields else 0
    group = call.group(fields)
    if group.type == "Community" and assume.clear_community_code:
        raise RefusalError(assume.clear_community_code, "the group type does not support this")
    newest = group.history.next_seq - 1
    if not through:
        through = newest
        if assume.clear_topics:
            group.topics_cleared = {topic: history.next_seq - 1 for topic, history in group.topics.items()}
    elif through > newest and assume.clear_beyond_newest != "kept":
        if assume.clear_beyond_newest == "refused":
            raise fields.refuse("MsgSeq")
        through = newest
    group.cleared_through = through if assume.clear_goes_back else max(group.cleared_through, through)
    return ok()


def group_msg_get_simple(call: Call) -> Answer:
    """Read a window of the history, newest first; cleared messages are still there for an administrator."""
    fields = call.fields(10004)
    fields.text("GroupId")
    number = fields.integer("ReqMsgNumber", low=1)
    req_seq = fields.integer("ReqMsgSeq") if "ReqMsgSeq" in fields else None
    with_recalled = fields.integer("WithRecalledMsg", 0, high=1) == 1
    group = call.group(fields)
    if group.type == "AVChatRoom":
        raise RefusalError(call.assume.history_avchatroom_code)
    history = call.history(group, fields)
    if req_seq is None or (req_seq == 0 and call.assume.req_seq_zero_is_newest):
        req_seq = history.next_seq - 1
    top = min(req_seq, history.next_seq - 1)

    def shown(low: int, high: int = top) -> Iterator[tuple[int, Message]]:
        every = history.window(low, high)
        return (item for item in every if with_recalled or item[1].state(call.horizon) != "recalled")

    if call.assume.req_number_counts == "seqs":
        bottom = max(top - number + 1, history.first_seq)
        cut = max(top - _LONGEST_PAGE + 1, bottom)
        left = history.window(bottom, cut - 1)
    else:
        seqs = [seq for seq, _ in islice(shown(history.first_seq), number)] or [top + 1]
        cut = seqs[:_LONGEST_PAGE][-1]
        left = shown(seqs[-1], cut - 1)
    items = [_item(call, seq, message) for seq, message in shown(cut)]
    return ok(GroupId=group.group_id, IsFinished=_is_finished(call, left), RspMsgList=items)


def _is_finished(call: Call, left: Iterator[tuple[int, Message]]) -> int:
    """Return 1 when nothing is left of the range, 2 when all that is left has expired, else 0."""
    states = {message.state(call.horizon) for _, message in islice(left, 1)}
    if not states:
        return 1
    if states == {"expired"} and all(message.state(call.horizon) == "expired" for _, message in left):
        return 2
    return 0


def _item(call: Call, seq: int, message: Message) -> dict[str, Any]:
    state = message.state(call.horizon)
    shown = state == "normal" or (state == "recalled" and call.assume.recalled_body == "kept")
    item: dict[str, Any] = {
        "From_Account": message.sender,
        "IsPlaceMsg": {"normal": 0, "expired": 1, "recalled": 2}[state],
        "MsgBody": json.loads(message.body) if shown else [],
        "MsgPriority": message.priority,
        "MsgRandom": message.random,
        "MsgSeq": seq,
        "MsgTimeStamp": message.time,
    }
    if message.flags & SYSTEM:
        item["IsSystemMsg"] = 1
    if message.flags & MODIFIED and call.assume.modified_mark:
        item[call.assume.modified_mark] = 1
    if shown and message.custom is not None:
        item["CloudCustomData"] = message.custom
    return item
