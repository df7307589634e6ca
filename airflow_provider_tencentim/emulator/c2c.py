"""Commands on one-to-one messages: send, modify, read."""

from __future__ import annotations

import json
import secrets
from typing import Any

from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.messages import OPENIM, compact, read_message
from airflow_provider_tencentim.emulator.store import (
    HIDDEN_FROM_SENDER,
    RECALLED,
    Conversation,
    Message,
    MsgKey,
    parse_msg_key,
)

LONGEST_LIFETIME = 604_800


def sendmsg(call: Call) -> Answer:
    """Send a message to one account."""
    fields = call.fields(20001)
    recipient = fields.text("To_Account", code=90003)
    sender = fields.text("From_Account", call.identifier, code=90008)
    random = fields.integer("MsgRandom", code=90005)
    seq = fields.integer("MsgSeq", secrets.randbits(32), code=90004)
    sync = fields.integer("SyncOtherMachine", 1, low=1, high=2, code=90031)
    lifetime = fields.integer("MsgLifeTime", LONGEST_LIFETIME, code=90044)
    if lifetime > LONGEST_LIFETIME and call.assume.lifetime_over_limit == "refused":
        raise RefusalError(90026)
    if "OfflinePushInfo" in fields and not isinstance(fields.raw("OfflinePushInfo"), dict):
        raise fields.refuse("OfflinePushInfo", 90043)
    body, custom = read_message(fields, OPENIM, call.assume)
    conversation = _conversation(call, sender, recipient)
    now, content = int(call.now), compact(body)

    duplicate = frozenset((sender, recipient)), random, call.sameness(sender, content)
    first = call.app.duplicates.find(duplicate, call.now)
    if first is not None:
        sent_at, key = first
        return ok(MsgTime=sent_at, MsgKey=key)
    key = f"{seq}_{random}_{now}"
    if lifetime:  # 0 reaches who is online and is not stored
        flags = HIDDEN_FROM_SENDER if sync == 2 else 0
        conversation.add(Message(sender, now, content, random=random, custom=custom, flags=flags), seq)
    call.app.duplicates.add(duplicate, call.now, (now, key))
    return ok(MsgTime=now, MsgKey=key)


def _conversation(call: Call, sender: str, recipient: str) -> Conversation:
    if sender not in call.app.accounts:
        raise RefusalError(call.assume.unknown_sender_code)
    if recipient not in call.app.accounts:
        raise RefusalError(call.assume.unknown_recipient_code)
    return call.app.conversation(sender, recipient)


def modify_c2c_msg(call: Call) -> Answer:
    """Overwrite the MsgBody, the CloudCustomData or both of a message."""
    assume = call.assume
    fields = call.fields(assume.modify_field_code)
    sender, recipient = fields.text("From_Account", code=90008), fields.text("To_Account", code=90003)
    key = _msg_key(fields, "MsgKey")
    if "MsgBody" not in fields and "CloudCustomData" not in fields:
        raise RefusalError(assume.modify_nothing_code, "invalid request: neither MsgBody nor CloudCustomData")
    body, custom = read_message(fields, OPENIM, assume, required=False)
    message = _conversation(call, sender, recipient).find(sender, key)
    state = "expired" if message is None else message.state(call.horizon)
    if message is None or state == "expired":
        raise RefusalError(assume.modify_c2c_missing_code)
    if state == "recalled":
        raise RefusalError(assume.modify_c2c_recalled_code)
    message.overwrite(None if body is None else compact(body), custom)
    return ok("succeed")


def _msg_key(fields: Fields, name: str) -> MsgKey:
    key = fields.text(name, code=90054)
    try:
        parse_msg_key(key)
    except ValueError:
        raise fields.refuse(name, 90054) from None
    return key


def admin_getroammsg(call: Call) -> Answer:
    """Read a page of a conversation as one side sees it: the newest of the window, in ascending order."""
    fields = call.fields(90010)
    operator, peer = _sides(call, fields)
    most = fields.integer("MaxCnt", low=1)
    min_time, max_time = fields.integer("MinTime"), fields.integer("MaxTime")
    before = _msg_key(fields, "LastMsgKey") if "LastMsgKey" in fields else None
    if operator not in call.app.accounts:
        raise RefusalError(90008)
    conversation = _conversation(call, operator, peer)

    page: list[dict[str, Any]] = []
    size, complete = 0, 1
    for key, message in conversation.newest_first(min_time, max_time, before):
        if message.state(call.horizon) == "expired" or _is_hidden(message, operator):
            continue
        item = _item(call, key, message, {operator: peer, peer: operator}[message.sender])
        size += len(compact(item))
        if len(page) == most or (page and size > call.assume.roam_page_bytes):
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


def _is_hidden(message: Message, viewer: str) -> bool:
    return bool(message.flags & HIDDEN_FROM_SENDER) and message.sender == viewer


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
    return item
