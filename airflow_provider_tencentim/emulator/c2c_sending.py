"""Commands that bring one-to-one messages into the world: send to one or to many, and import."""

from __future__ import annotations

import secrets
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.messages import OPENIM, compact, read_message
from airflow_provider_tencentim.emulator.store import HIDDEN_FROM_SENDER, Message, MsgKey, parse_msg_key

LONGEST_LIFETIME = 604_800
_MOST_RECIPIENTS = COMMANDS["openim/batchsendmsg"].chunk
_ACCOUNT_MISSING = 70107
_Sent = tuple[int, MsgKey]
_IMPORT_SYNC = {"5_2": (5, 2), "1_2": (1, 2), "1_2_5": (1, 2, 5)}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message that is about to be sent."""

    seq: int
    random: int
    content: bytes
    custom: str | None
    flags: int
    is_stored: bool

    def find_first(self, call: Call, sender: str, recipient: str) -> _Sent | None:
        """Return what the first of the same became, if this is a duplicate."""
        first: _Sent | None = call.app.duplicates.find(self._sameness(call, sender, recipient), call.now)
        return first

    def send(self, call: Call, sender: str, recipient: str, sent: _Sent) -> None:
        """Send it from one account to another, both of which exist."""
        time, key = sent
        if self.is_stored:
            message = Message(sender, time, self.content, random=self.random, custom=self.custom, flags=self.flags)
            call.app.conversation(sender, recipient).add(message, parse_msg_key(key)[1])
        call.app.duplicates.add(self._sameness(call, sender, recipient), call.now, sent)

    def sent_now(self, call: Call) -> _Sent:
        """Return what it becomes when it is sent now."""
        return int(call.now), f"{self.seq}_{self.random}_{int(call.now)}"

    def _sameness(self, call: Call, sender: str, recipient: str) -> Hashable:
        return frozenset((sender, recipient)), self.random, call.sameness(sender, self.content)


def _read_draft(call: Call, fields: Fields) -> _Draft:
    random = fields.integer("MsgRandom", code=90005)
    seq = fields.integer("MsgSeq", secrets.randbits(32), code=90004)
    sync = fields.integer("SyncOtherMachine", 1, low=1, high=2, code=90031)
    lifetime = fields.integer("MsgLifeTime", LONGEST_LIFETIME, code=90044)
    if lifetime > LONGEST_LIFETIME and call.assume.lifetime_over_limit == "refused":
        raise RefusalError(90026)
    online_only = fields.integer("OnlineOnlyFlag", 0, high=1) == 1
    if "OfflinePushInfo" in fields and not isinstance(fields.raw("OfflinePushInfo"), dict):
        raise fields.refuse("OfflinePushInfo", 90043)
    body, custom = read_message(fields, OPENIM, call.assume)
    flags = HIDDEN_FROM_SENDER if sync == 2 else 0
    # Either of the two reaches who is online and is not stored.
    return _Draft(seq, random, compact(body), custom, flags, is_stored=lifetime > 0 and not online_only)


def sendmsg(call: Call) -> Answer:
    """Send a message to one account."""
    fields = call.fields(20001)
    recipient = fields.text("To_Account", code=90003)
    sender = fields.text("From_Account", call.identifier, code=call.assume.sender_field_code)
    draft = _read_draft(call, fields)
    call.conversation(sender, recipient)
    sent = draft.find_first(call, sender, recipient)
    if sent is None:
        sent = draft.sent_now(call)
        draft.send(call, sender, recipient, sent)
    time, key = sent
    return ok(MsgTime=time, MsgKey=key)


def batchsendmsg(call: Call) -> Answer:
    """Send a message to up to five hundred accounts, under one MsgKey; those that do not exist are left out."""
    fields = call.fields(90001)
    listed = fields.array("To_Account", code=90003)
    if not listed:
        raise fields.refuse("To_Account", call.assume.batch_empty_code)
    if not all(isinstance(account, str) for account in listed):
        raise fields.refuse("To_Account", 90003)
    if len(listed) > _MOST_RECIPIENTS:
        raise RefusalError(90011)
    sender = fields.text("From_Account", call.identifier, code=call.assume.sender_field_code)
    draft = _read_draft(call, fields)
    if sender not in call.app.accounts:
        raise RefusalError(call.assume.bulk_unknown_sender_code)
    recipients = list(dict.fromkeys(listed))
    known = [account for account in recipients if account in call.app.accounts]
    if not known:
        raise RefusalError(call.assume.batch_nobody_code)
    _check_batch_rate(call, len(listed if call.assume.batch_counts == "named" else known))
    earlier = {recipient: draft.find_first(call, sender, recipient) for recipient in known}
    sent = next(filter(None, earlier.values()), None) or draft.sent_now(call)
    for recipient in known:
        if earlier[recipient] is None:
            draft.send(call, sender, recipient, sent)
    time, key = sent
    answer = ok(MsgTime=time, MsgKey=key)
    errors = [
        {"To_Account": account, "ErrorCode": _ACCOUNT_MISSING}
        for account in recipients
        if account not in call.app.accounts
    ]
    return answer if not errors else {**answer, "ActionStatus": "SomeError", "ErrorList": errors}


def _check_batch_rate(call: Call, messages: int) -> None:
    limit, counted = call.assume.batch_messages_per_minute, call.app.batch_messages
    if limit and counted.total(call.now) + messages > limit:
        raise RefusalError(call.assume.batch_rate_code)
    counted.add(call.now, messages)


def importmsg(call: Call) -> Answer:
    """Store a message of the past, unless one with its MsgSeq, MsgRandom and MsgTimeStamp is there already."""
    fields = call.fields(90001)
    sender, recipient = fields.text("From_Account", code=90008), fields.text("To_Account", code=90003)
    random = fields.integer("MsgRandom", code=90005)
    own_seq = random if call.assume.import_seq == "derived" else secrets.randbits(32)
    seq = fields.integer("MsgSeq", own_seq, code=90004)
    time = fields.integer("MsgTimeStamp", code=90006)
    sync: Any = fields.raw("SyncFromOldSystem")
    if type(sync) is not int or sync not in _IMPORT_SYNC[call.assume.import_sync_values]:
        raise fields.refuse("SyncFromOldSystem", 90030)
    body, custom = read_message(fields, OPENIM, call.assume)
    codes = call.assume.bulk_unknown_sender_code, call.assume.unknown_recipient_code
    conversation = call.conversation(sender, recipient, *codes)
    if time > call.now and call.assume.import_future_code:
        raise fields.refuse("MsgTimeStamp", call.assume.import_future_code)
    if not conversation.named(f"{seq}_{random}_{time}", (sender, recipient)):
        conversation.add(Message(sender, time, compact(body), random=random, custom=custom), seq)
    return ok()
