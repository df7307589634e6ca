"""Commands that bring messages into a group: send, notify and import."""

from __future__ import annotations

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.messages import GROUP, compact, read_message
from airflow_provider_tencentim.emulator.store import Group, History, Message

_PRIORITIES = {"High": 1, "Normal": 2, "Low": 3, "Lowest": 4}
_FLOW_LIMIT = 40
_MOST_NOTIFIED = COMMANDS["group_open_http_svc/send_group_system_notification"].chunk
_LISTED_FOR_IMPORT = {"TIMTextElem", "TIMFaceElem", "TIMLocationElem", "TIMCustomElem"}


def send_group_msg(call: Call) -> Answer:
    """Send an ordinary message."""
    fields = call.fields(10004)
    fields.text("GroupId")
    random = fields.integer("Random")
    priority = _PRIORITIES[fields.choice("MsgPriority", tuple(_PRIORITIES), "Normal")]
    online_only = fields.integer("OnlineOnlyFlag", 0, high=1) == 1
    if fields.texts("SendMsgControl", required=False) and online_only:
        raise fields.refuse("SendMsgControl", call.assume.control_online_code)
    _check_mentions(fields)
    body, custom = read_message(fields, GROUP, call.assume)
    group = call.group(fields)
    history = call.history(group, fields)
    sender = _sender(call, fields)
    content = compact(body)
    now = int(call.now)

    key = group.serial, fields.raw("TopicId"), random, call.sameness(sender, content)
    first = call.app.duplicates.find(key, call.now)
    if first is not None:
        sent_at, seq = first
        return _sent(sent_at, seq if call.assume.duplicate_seq == "same" else 0)
    if _too_fast(call, history):
        if call.assume.group_flow_control == "refuse":
            raise RefusalError(10023, "msg count exceeds limit,please retry later")
        return _sent(now, 0, "MsgFreqCtrl")
    seq = 0
    if not online_only or group.type == "AVChatRoom":
        if group.type == "AVChatRoom":  # no history: only the seq and the time are known, for a recall
            content, custom = b"[]", None
        seq = history.add(Message(sender, now, content, random=random, custom=custom, priority=priority))
    call.app.duplicates.add(key, call.now, (now, seq))
    return _sent(now, seq)


def _sent(time: int, seq: int, drop_reason: str = "") -> Answer:
    return ok(MsgTime=time, MsgSeq=seq, MsgDropReason=drop_reason)


def _check_mentions(fields: Fields) -> None:
    if len(fields.texts("To_Account", required=False)) > 50:
        raise fields.refuse("To_Account")
    if len(fields.objects("GroupAtInfo", required=False)) > 30:
        raise RefusalError(10053)


def _sender(call: Call, fields: Fields) -> str:
    sender = fields.text("From_Account", call.identifier)
    if sender not in call.app.accounts:
        raise RefusalError(call.assume.group_account_code, "the sender was not imported")
    return sender


def _too_fast(call: Call, history: History) -> bool:
    if call.assume.group_flow_control == "off":
        return False
    now, newest = int(call.now), history.next_seq - 1
    recent = [message.time for _, message in history.window(newest - _FLOW_LIMIT + 1, newest)]
    return len(recent) == _FLOW_LIMIT and min(recent) >= now


def send_group_system_notification(call: Call) -> Answer:
    """Tell the members who are online something; it is stored nowhere and has no MsgSeq."""
    assume = call.assume
    fields = call.fields(10004)
    if not fields.text("Content"):
        raise fields.refuse("Content")
    members = fields.texts("ToMembers_Account", required=assume.notify_members_required)
    if len(members) > _MOST_NOTIFIED:
        raise fields.refuse("ToMembers_Account", assume.notify_too_many_code)
    group = call.group(fields)
    call.history(group, fields)
    if members and group.type == "AVChatRoom":
        raise RefusalError(assume.notify_avchatroom_code)
    return ok()


def import_group_msg(call: Call) -> Answer:
    """Import messages with times of the past, each with its own Result."""
    fields = call.fields(10004)
    fields.text("GroupId")
    recent = fields.integer("RecentContactFlag", 0, high=1) == 1
    items = fields.objects("MsgList")
    if not 1 <= len(items) <= call.assume.import_batch:
        raise fields.refuse("MsgList")
    for item in items:
        item.text("From_Account")
        item.integer("SendTime")
        item.integer("Random", 0)
    group = call.group(fields)
    if group.type == "AVChatRoom":
        raise RefusalError(10007)
    if recent and group.type == "Community":
        raise fields.refuse("RecentContactFlag", call.assume.import_recent_flag_code)
    history = call.history(group, fields)
    return ok(ImportMsgResult=[_import(call, group, history, item) for item in items])


def _import(call: Call, group: Group, history: History, item: Fields) -> Answer:
    time = item.integer("SendTime")
    result, seq = 0, 0
    try:
        body, custom = read_message(item, GROUP, call.assume)
        _check_import(call, group, history, item)
    except RefusalError as refusal:
        result = 80002 if refusal.code == call.assume.group_too_long_code else refusal.code
    else:
        message = Message(
            item.text("From_Account"), time, compact(body), random=item.integer("Random", 0), custom=custom
        )
        seq = history.add(message)
    return {"MsgSeq": seq, "MsgTime": time, "Result": result}


def _check_import(call: Call, group: Group, history: History, item: Fields) -> None:
    time = item.integer("SendTime")
    in_order = time >= history.last_time if call.assume.import_equal_times else time > history.last_time
    if not (in_order and group.create_time < time < call.now):
        raise item.refuse("SendTime")
    if item.text("From_Account") not in call.app.accounts:
        raise item.refuse("From_Account", call.assume.import_sender_result)
    kinds = {element["MsgType"] for element in item.array("MsgBody")}
    if not call.assume.import_any_msg_type and not kinds <= _LISTED_FOR_IMPORT:
        raise item.refuse("MsgBody")
