"""Commands on an account's list of recent conversations: read it page by page, and take one off it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_tencentim.emulator.answers import Answer, RefusalError, ok
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.fields import Fields
from airflow_provider_tencentim.emulator.store import Conversation, Group, Message

_C2C, _GROUP = 1, 2
_WITH_PINNED, _WITH_EMPTY, _PAGE_PINNED = 1, 2, 4


@dataclass(frozen=True, slots=True)
class _Entry:
    """A conversation on the list."""

    type: int
    peer: str
    time: int
    pinned: bool

    def as_item(self, shows_pins: bool) -> dict[str, Any]:
        name = "To_Account" if self.type == _C2C else "GroupId"
        return {"Type": self.type, name: self.peer, "MsgTime": self.time, "TopFlag": int(self.pinned and shows_pins)}


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a list was read: the time of the last conversation, and how many of that very time were seen."""

    time: int
    index: int

    def rest(self, entries: list[_Entry]) -> list[_Entry]:
        """Return what comes behind this place in a list that runs from the newest to the oldest."""
        if (self.time, self.index) == (0, 0):
            return entries
        same = [entry for entry in entries if entry.time == self.time]
        return same[self.index :] + [entry for entry in entries if entry.time < self.time]

    def behind(self, page: list[_Entry]) -> _Place:
        """Return the place behind a page that began here."""
        if not page:
            return self
        last = page[-1].time
        seen = sum(entry.time == last for entry in page)
        return _Place(last, seen + (self.index if last == self.time else 0))


def get_list(call: Call) -> Answer:
    """Read a page of the recent conversations: the pinned ones first if they are wanted, then newest first."""
    fields = call.fields(call.assume.recent_field_code)
    account = fields.text("From_Account")
    place = _Place(fields.integer("TimeStamp"), fields.integer("StartIndex"))
    top_place = _Place(fields.integer("TopTimeStamp"), fields.integer("TopStartIndex"))
    flags = fields.integer("AssistFlags")
    _check_account(call, account)

    shows_pins = bool(flags & _WITH_PINNED)
    entries = _listed(call, account, with_empty=bool(flags & _WITH_EMPTY))[: call.assume.recent_contacts]
    pinned = top_place.rest([entry for entry in entries if entry.pinned and shows_pins])
    others = place.rest([entry for entry in entries if not (entry.pinned and shows_pins)])
    top_page = pinned[: call.assume.recent_page] if flags & _PAGE_PINNED else pinned
    room = call.assume.recent_page - (len(top_page) if flags & _PAGE_PINNED else 0)
    page = others[:room]
    place, top_place = place.behind(page), top_place.behind(top_page)
    return ok(
        SessionItem=[entry.as_item(shows_pins) for entry in top_page + page],
        CompleteFlag=int(len(page) == len(others) and len(top_page) == len(pinned)),
        TimeStamp=place.time,
        StartIndex=place.index,
        TopTimeStamp=top_place.time,
        TopStartIndex=top_place.index,
        ErrorDisplay="",
    )


def _check_account(call: Call, account: str) -> None:
    if account not in call.app.accounts:
        raise RefusalError(call.assume.recent_unknown_account_code)


def _listed(call: Call, account: str, *, with_empty: bool) -> list[_Entry]:
    entries = [*_conversations(call, account, with_empty), *_groups(call, account, with_empty)]
    return sorted(entries, key=lambda entry: (-entry.time, entry.type, entry.peer))


def _conversations(call: Call, account: str, with_empty: bool) -> Iterator[_Entry]:
    for pair, conversation in call.app.conversations.items():
        if account in pair:
            peer = pair[account == pair[0]]
            key = account, _C2C, peer
            time = _time_of(call, conversation, account, call.app.forgotten.get(key, 0), with_empty)
            if time is not None:
                yield _Entry(_C2C, peer, time, key in call.app.pinned)


def _time_of(call: Call, conversation: Conversation, account: str, forgotten: int, with_empty: bool) -> int | None:
    """Return when the newest message was sent; None when the conversation is not on the list of this account."""

    def is_stored(message: Message) -> bool:
        return message.state(call.horizon) != "expired"

    def is_seen(message: Message) -> bool:
        return is_stored(message) and not message.is_hidden_from(account)

    for is_shown in (is_seen, is_stored) if with_empty else (is_seen,):
        newest = next(filter(is_shown, conversation.newest()), None)
        if newest is not None:
            # Taken off the list, it comes back with what arrives afterwards.
            is_back = not forgotten or any(map(is_shown, conversation.arrived_since(forgotten)))
            return newest.time if is_back else None
    return None


def _groups(call: Call, account: str, with_empty: bool) -> Iterator[_Entry]:
    for group in call.app.groups.values():
        key = account, _GROUP, group.group_id
        forgotten = call.app.forgotten.get(key, 0) >= group.history.next_seq
        if account in group.members and group.type != "AVChatRoom" and not forgotten:
            if group.is_quiet and with_empty:
                yield _Entry(_GROUP, group.group_id, group.create_time, key in call.app.pinned)
            elif _is_stored(call, group) and (with_empty or not _is_cleared(group, account)):
                yield _Entry(_GROUP, group.group_id, group.history.last_time, key in call.app.pinned)


def _is_stored(call: Call, group: Group) -> bool:
    newest = group.history.messages.get(group.history.next_seq - 1)
    return newest is not None and newest.state(call.horizon) != "expired"


def _is_cleared(group: Group, account: str) -> bool:
    return max(group.cleared_through, group.cleared_for.get(account, 0)) >= group.history.next_seq - 1


def delete(call: Call) -> Answer:
    """Take a conversation off the list until something new comes, and hide what there is if that is wanted."""
    fields = call.fields(call.assume.recent_field_code)
    account = fields.text("From_Account")
    kind = fields.integer("Type", low=_C2C, high=_GROUP)
    peer = fields.text("To_Account" if kind == _C2C else _group_field(call, fields))
    clears = fields.integer("ClearRamble", 0, high=1) == 1
    _check_account(call, account)
    if kind == _C2C:
        _check_account(call, peer)
    elif peer not in call.app.groups:
        raise RefusalError(call.assume.recent_unknown_group_code)
    on_list = any((entry.type, entry.peer) == (kind, peer) for entry in _listed(call, account, with_empty=True))
    if call.assume.recent_missing_code and not on_list:
        raise RefusalError(call.assume.recent_missing_code)
    app, key = call.app, (account, kind, peer)
    app.pinned.discard(key)
    if kind == _C2C:
        _forget_conversation(call, account, peer, clears)
    else:
        history = app.groups[peer].history
        app.forgotten[key] = history.next_seq
        if clears:
            app.groups[peer].cleared_for[account] = history.next_seq - 1
    return ok(ErrorDisplay="")


def _group_field(call: Call, fields: Fields) -> str:
    old = call.assume.old_recent_group_name and "ToGroupid" not in fields and "To_Account" in fields
    return "To_Account" if old else "ToGroupid"


def _forget_conversation(call: Call, account: str, peer: str, clears: bool) -> None:
    conversation = call.app.conversation(account, peer)
    call.app.forgotten[account, _C2C, peer] = len(conversation.messages)
    for message in conversation.messages.values() if clears else ():
        message.hide_from(account)
