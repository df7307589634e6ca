"""The hourly files of all messages: made when they are asked for, and offered for download."""

from __future__ import annotations

import calendar
import gzip
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from typing import Any

from airflow_provider_tencentim.client.history_file import HistoryHeader, write_history_file
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.store import EXPIRED, SYSTEM, Group, History, Message, parse_msg_key

_HOUR = 3600
_DAY = 86_400
_NOT_READY, _TOO_OLD = 1004, 1005
_MSG_TIME = re.compile(r"\d{10}", re.ASCII)


def get_history(call: Call) -> Answer:
    """Tell where the messages of an hour can be downloaded."""
    assume = call.assume
    fields = call.fields(1002)
    kind = fields.choice("ChatType", ("C2C", "Group"))
    hour = fields.text("MsgTime")
    start = _start(call, fields, hour)
    if call.now >= start + _HOUR + assume.history_days * _DAY:
        raise RefusalError(_TOO_OLD)
    if call.now < start + _HOUR + assume.history_ready_seconds:
        raise RefusalError(_NOT_READY)
    found = _c2c_messages(call, start) if kind == "C2C" else _group_messages(call, start)
    messages = sorted(found, key=lambda message: (message["MsgTimestamp"], message["MsgSeq"]))
    if not messages:
        raise RefusalError(_NOT_READY)
    step = assume.history_messages_per_file or len(messages)
    parts = [messages[index : index + step] for index in range(0, len(messages), step)]
    header = HistoryHeader(SdkAppId=call.app.sdkappid, ChatType=kind, MsgTime=hour)
    return ok(File=[_offer(call, header, number, part) for number, part in enumerate(parts)])


def _start(call: Call, fields: Fields, hour: str) -> int:
    if not _MSG_TIME.fullmatch(hour):
        raise fields.refuse("MsgTime")
    try:
        start = calendar.timegm(time.strptime(hour, "%Y%m%d%H"))
    except ValueError:
        raise fields.refuse("MsgTime") from None
    return start - call.assume.history_utc_offset_hours * _HOUR


def _c2c_messages(call: Call, start: int) -> Iterator[dict[str, Any]]:
    for (one, other), conversation in call.app.conversations.items():
        for key, message in conversation.newest_first(start, start + _HOUR - 1):
            _, seq, random = parse_msg_key(key)
            content = _content(call, message)
            if content is not None:
                yield {
                    "From_Account": message.sender,
                    "To_Account": other if message.sender == one else one,
                    "MsgTimestamp": message.time,
                    "MsgSeq": seq,
                    "MsgRandom": random,
                    **content,
                }


def _group_messages(call: Call, start: int) -> Iterator[dict[str, Any]]:
    # What was sent to a group that is gone was logged as well; what an AVChatRoom was sent is not kept here.
    gone = call.app.dissolved if call.assume.history_shows == "sent" else []
    for group in (*call.app.groups.values(), *gone):
        if group.type != "AVChatRoom":
            for where, history in _histories(call, group):
                for seq, message in history.sent_between(start, start + _HOUR):
                    content = _content(call, message)
                    if content is not None:
                        yield {
                            "From_Account": message.sender,
                            **where,
                            "MsgTimestamp": message.time,
                            "MsgSeq": seq,
                            **content,
                        }


def _histories(call: Call, group: Group) -> Iterator[tuple[dict[str, str], History]]:
    yield {"GroupId": group.group_id}, group.history
    if call.assume.history_topics != "none":
        for topic_id, history in group.topics.items():
            both = {"GroupId": group.group_id, "TopicId": topic_id}
            yield both if call.assume.history_topics == "both" else {"GroupId": topic_id}, history


def _content(call: Call, message: Message) -> dict[str, Any] | None:
    """Return what the log has of a message; None when it is not in the log."""
    body, custom = message.body, message.custom
    if message.flags & (SYSTEM | EXPIRED):
        return None
    if call.assume.history_shows == "sent":
        body, custom = message.as_sent or (body, custom)
    elif message.state(call.horizon) != "normal":
        return None
    content = {"MsgBody": json.loads(body)}
    if custom is not None and call.assume.history_custom_data:
        content["CloudCustomData"] = custom
    return content


def _offer(call: Call, header: HistoryHeader, number: int, messages: list[dict[str, Any]]) -> dict[str, Any]:
    buffer = io.BytesIO()
    write_history_file(buffer, header, messages)
    plain = buffer.getvalue()
    packed = gzip.compress(plain, 6, mtime=0)  # the same bytes for the same messages
    key = header["ChatType"], header["MsgTime"], number
    download = call.app.downloads.offer(key, packed, call.now, call.now + call.assume.history_url_seconds)
    expires = time.gmtime(download.expires + call.assume.history_utc_offset_hours * _HOUR)
    return {
        "URL": call.base_url + download.path,
        "ExpireTime": time.strftime("%Y-%m-%d %H:%M:%S", expires),
        "FileSize": len(plain),
        "FileMD5": _md5(plain),
        "GzipSize": len(packed),
        "GzipMD5": _md5(packed),
    }


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
