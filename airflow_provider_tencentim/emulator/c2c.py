"""Commands on stored one-to-one messages: modify, recall, hide, read."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call, check_msg_key, read_msg_key
from airflow_provider_tencentim.emulator.fields import UINT32, Fields
from airflow_provider_tencentim.emulator.messages import OPENIM, compact, read_message
from airflow_provider_tencentim.emulator.store import MODIFIED, RECALLED, Message, MsgKey, parse_msg_key

_MOST_HIDDEN = COMMANDS["openim/delete_c2c_msg_ramble"].chunk


def modify_c2c_msg(call: Call) -> Answer:
    """Overwrite the MsgBody, the CloudCustomData or both of a message."""
    assume = call.assume
    fields = call.fields(assume.modify_field_code)
    sender, recipient = fields.text("From_Account", code=90008), fields.text("To_Account", code=90003)
    key = read_msg_key(fields, "MsgKey")
    if "MsgBody" not in fields and "CloudCustomData" not in fields:
        raise RefusalError(assume.modify_nothing_code, "invalid request: neither MsgBody nor CloudCustomData")
    body, custom = read_message(fields, OPENIM, assume, required=False)
    message = _find(call, (sender, recipient), key)
    state = "expired" if message is None else message.state(call.horizon)
    if message is None or state == "expired":
        raise RefusalError(assume.modify_c2c_missing_code)
    if state == "recalled":
        raise RefusalError(assume.modify_c2c_recalled_code)
    message.overwrite(None if body is None else compact(body), custom)
    return ok("succeed")


def admin_msgwithdraw(call: Call) -> Answer:
    """Recall a message, however old; a second time is refused."""
    assume = call.assume
    fields = call.fields(90010)
    sender, recipient = fields.text("From_Account", code=90008), fields.text("To_Account", code=90003)
    key = read_msg_key(fields, "MsgKey")
    codes = assume.withdraw_unknown_sender_code, assume.withdraw_unknown_recipient_code
    message = _find(call, (sender, recipient), key, *codes)
    if message is None:
        raise RefusalError(20022)
    state = message.state(call.horizon)
    if state == "expired":
        raise RefusalError(assume.withdraw_expired_code)
    if state == "recalled":
        raise RefusalError(20023)
    message.flags |= RECALLED
    return ok()


def _find(call: Call, sides: tuple[str, str], key: MsgKey, *codes: int) -> Message | None:
    """Return what the sender, the first of the two sides, sent under a MsgKey."""
    conversation = call.conversation(*sides, *codes)
    named = conversation.named(key, sides if call.assume.key_of_either_side else sides[:1])
    return named[0] if named else None


def delete_c2c_msg_ramble(call: Call) -> Answer:
    """Hide up to thirty messages from one side; the other still sees them."""
    assume = call.assume
    fields = call.fields(90010)
    operator = fields.text("Operator_Account", code=assume.ramble_operator_code)
    peer = fields.text("Peer_Account", code=assume.ramble_peer_code)
    listed = fields.array("MsgKeyList", code=assume.ramble_list_code)
    if not 1 <= len(listed) <= _MOST_HIDDEN:
        raise fields.refuse("MsgKeyList", assume.ramble_list_code)
    keys = [check_msg_key(fields, "MsgKeyList", key) for key in listed]
    conversation = call.conversation(operator, peer, assume.ramble_operator_code, assume.unknown_recipient_code)
    found = [_stored(call, conversation.named(key, (operator, peer))) for key in keys]
    if assume.ramble_missing_code and not all(found):
        raise RefusalError(assume.ramble_missing_code)
    for message in chain.from_iterable(found):
        message.hide_from(operator)
    return ok()


def _stored(call: Call, messages: list[Message]) -> list[Message]:
    return [message for message in messages if message.state(call.horizon) != "expired"]


def admin_getroammsg(call: Call) -> Answer:
    """Read a page of a conversation as one side sees it: the newest of the window, in ascending order."""
    assume = call.assume
    fields = call.fields(assume.roam_field_code)
    operator, peer = _sides(call, fields)
    most = min(fields.integer("MaxCnt", low=1), assume.roam_max_count or UINT32)
    min_time = fields.integer("MinTime") + (not assume.roam_min_time_included)
    max_time = fields.integer("MaxTime") - (not assume.roam_max_time_included)
    before = read_msg_key(fields, "LastMsgKey", assume.roam_key_code) if "LastMsgKey" in fields else None
    if operator not in call.app.accounts:
        raise RefusalError(90008)
    conversation = call.conversation(operator, peer)

    page: list[dict[str, Any]] = []
    size, complete = 0, 1
    for key, message in conversation.newest_first(min_time, max_time, before):
        if message.state(call.horizon) == "expired" or message.is_hidden_from(operator):
            continue
        item = _item(call, key, message, {operator: peer, peer: operator}[message.sender])
        size += len(compact(item))
        if len(page) == most or (page and size > assume.roam_page_bytes):
            complete = 0
            break
        page.append(item)
    page.reverse()
    last = page[0] if page else {"MsgTimeStamp": 0, "MsgKey": ""}
    return ok(
        Complete=complete,
        MsgCnt=len(page),
        LastMsgTime=last["MsgTimeStamp"],
        LastMsgKey=last["MsgKey"],
        MsgList=page,
    )


def _sides(call: Call, fields: Fields) -> tuple[str, str]:
    old_names = call.assume.old_roam_names and "Operator_Account" not in fields and "From_Account" in fields
    names = ("From_Account", "To_Account") if old_names else ("Operator_Account", "Peer_Account")
    return fields.text(names[0], code=90008), fields.text(names[1], code=90003)


def _item(call: Call, key: MsgKey, message: Message, recipient: str) -> dict[str, Any]:
    recalled = bool(message.flags & RECALLED)
    shown = not recalled or call.assume.recalled_c2c_body == "kept"
    _, seq, _ = parse_msg_key(key)
    item: dict[str, Any] = {
        "From_Account": message.sender,
        "To_Account": recipient,
        "MsgSeq": seq,
        "MsgRandom": message.random,
        "MsgTimeStamp": message.time,
        "MsgFlagBits": 8 if recalled else 0,
        "IsPeerRead": 0,
        "MsgKey": key,
        "MsgBody": json.loads(message.body) if shown else [],
    }
    if shown and message.custom is not None:
        item["CloudCustomData"] = message.custom
    if message.flags & MODIFIED and call.assume.modified_mark:
        item[call.assume.modified_mark] = 1
    return item
