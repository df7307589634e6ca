"""What should have become of every message, from a snapshot, from what was ordered and from what was reported.

Written from the documents, with the standard library alone: nothing here is shared with the code that is judged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

GONE = "should be gone and is not"
TOO_MUCH = "is gone and should not be"
FALSE_SUCCESS = "reported as a success that was none"
NO_REASON = "reported as a failure without a reason"

#: ("group", GroupId, TopicId or "", MsgSeq) or ("c2c", sender, recipient, MsgKey).
Key = tuple[Any, ...]
State = Mapping[str, Any]
Messages = dict[Key, dict[str, Any]]


class Finding(NamedTuple):
    """A promise that was broken."""

    kind: str
    what: str


@dataclass
class Order:
    """What somebody asked to become of messages, and what was reported of it.

    :param what: ``overwrite``, ``recall``, ``overwrite and recall``, ``clear`` or ``hide``.
    :param keys: the messages.
    :param body: what the MsgBody becomes; None to leave it.
    :param custom: what the CloudCustomData becomes; None to leave it.
    :param account: from whom messages are hidden.
    :param name: the group or conversation, in words.
    :param reported: ``done``, ``failed`` or ``ambiguous``.
    :param reason: why it failed, as it was reported.
    """

    what: str
    keys: list[Key]
    body: Any = None
    custom: str | None = None
    account: str = ""
    name: str = ""
    reported: str = "failed"
    reason: str = ""

    def effects(self) -> Iterator[tuple[str, Any]]:
        """Yield which components of a message change, and what they become."""
        if self.what in ("overwrite", "overwrite and recall"):
            if self.body is not None:
                yield "MsgBody", self.body
            if self.custom is not None:
                yield "CloudCustomData", self.custom
        if self.what in ("recall", "overwrite and recall"):
            yield "gone", True
        if self.what == "clear":
            yield "cleared", True
        if self.what == "hide":
            yield "hidden", self.account


@dataclass
class Sending:
    """A message that somebody sent, which its text tells from all others; or a group that was made or dissolved."""

    what: str  # "send", "create", "destroy" or "account"
    name: str
    reported: str = "failed"
    reason: str = ""


@dataclass
class Orders:
    """All that was asked of an app between two snapshots."""

    messages: list[Order] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)


# --- snapshots


def messages_of(state: State) -> Messages:
    """Return all messages of a snapshot, with the components that orders change."""
    found: Messages = {}
    for group, view in state["groups"].items():
        for topic, history in (("", view), *view["topics"].items()):
            for message in history["messages"]:
                found["group", group, topic, message["MsgSeq"]] = _components(message)
    for conversation in state["c2c"]:
        for message in conversation["messages"]:
            key = "c2c", message["From_Account"], message["To_Account"], message["MsgKey"]
            found[key] = _components(message)
    return found


def _components(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "MsgBody": message["MsgBody"],
        "CloudCustomData": message["CloudCustomData"],
        "gone": message["state"] != "normal",
        "cleared": message.get("cleared", False),
        "hidden": frozenset(message.get("hidden_from", ())),
        "time": message["MsgTimeStamp"],
        "sender": message["From_Account"],
        "system": message["system"],
    }


_CHANGEABLE = ("MsgBody", "CloudCustomData", "gone", "cleared")


def judge(before: State, after: State, orders: Orders) -> tuple[list[Finding], Counter[str]]:
    """Compare what is with what should be.

    :param before: the snapshot before the first order.
    :param after: the snapshot behind the last one.
    :param orders: with what was reported of each.
    :return: every broken promise, and how often which report was true.
    """
    old, new = messages_of(before), messages_of(after)
    findings: list[Finding] = []
    told: Counter[str] = Counter()
    must: dict[tuple[Key, str], Any] = {}
    may: dict[tuple[Key, str], list[Any]] = {}
    for order in orders.messages:
        changed = 0
        for key in order.keys:
            for component, value in order.effects():
                may.setdefault((key, component), []).append(value)
                is_so = key in new and _is_so(new[key], component, value)
                changed += is_so
                if order.reported == "done":
                    must[key, component] = value
                    if not is_so:
                        findings.append(Finding(GONE, f"{order.what} of {key}: {component}"))
            if order.what == "overwrite and recall" and key in new and not old[key]["gone"] and new[key]["gone"]:
                wanted = order.body
                if wanted is not None and new[key]["MsgBody"] != wanted:
                    findings.append(Finding(TOO_MUCH, f"{key} was recalled before it was overwritten"))
        told[_verdict(order, changed, len(order.keys) * sum(1 for _ in order.effects()), findings)] += 1
    doomed = {sending.name for sending in orders.sendings if sending.what == "destroy"}
    findings += _what_changed_beyond(
        {key: one for key, one in old.items() if key[0] == "c2c" or key[1] not in doomed or key in new}, new, may
    )
    findings += _judge_sendings(before, after, old, new, orders.sendings, told)
    return findings, told


def _is_so(message: Mapping[str, Any], component: str, value: Any) -> bool:
    return value in message["hidden"] if component == "hidden" else message[component] == value


def _verdict(order: Order, changed: int, wanted: int, findings: list[Finding]) -> str:
    if order.reported == "done":
        if changed < wanted:
            findings.append(Finding(FALSE_SUCCESS, f"{order.what} in {order.name}: {changed} of {wanted}"))
            return "reported done, and was not"
        return "reported done, and was"
    if not order.reason:
        findings.append(Finding(NO_REASON, f"{order.what} in {order.name}"))
    return f"reported {order.reported} with a reason, and {'was done' if changed == wanted else 'was not all done'}"


def _what_changed_beyond(old: Messages, new: Messages, may: Mapping[tuple[Key, str], list[Any]]) -> list[Finding]:
    """See that nothing changed but what was ordered, into nothing but what was ordered."""
    findings = []
    for key, message in old.items():
        if key not in new:
            findings.append(Finding(TOO_MUCH, f"{key} has vanished"))
            continue
        for component in _CHANGEABLE:
            value = new[key][component]
            if value != message[component] and value not in may.get((key, component), ()):
                findings.append(Finding(TOO_MUCH, f"{key}: {component} was changed"))
        beyond = new[key]["hidden"] - message["hidden"] - set(may.get((key, "hidden"), ()))
        if beyond:
            findings.append(Finding(TOO_MUCH, f"{key} was hidden from {sorted(beyond)}"))
    return findings


def _judge_sendings(
    before: State, after: State, old: Messages, new: Messages, sendings: Iterable[Sending], told: Counter[str]
) -> list[Finding]:
    findings = []
    texts = Counter(_text(message["MsgBody"]) for key, message in new.items() if key not in old)
    there = {"create": after["groups"], "destroy": before["groups"].keys() - after["groups"].keys()}
    there["account"] = set(after["accounts"])
    for sending in sendings:
        number = texts.pop(sending.name, 0) if sending.what == "send" else int(sending.name in there[sending.what])
        if number > 1:
            findings.append(Finding(TOO_MUCH, f"{sending.name!r} was sent {number} times"))
        if sending.reported == "done" and not number:
            findings.append(Finding(FALSE_SUCCESS, f"{sending.what} of {sending.name!r}"))
        if sending.reported != "done" and not sending.reason:
            findings.append(Finding(NO_REASON, f"{sending.what} of {sending.name!r}"))
        if sending.reported == "failed" and number:
            told["reported failed with a reason, and was done"] += 1
        elif sending.reported == "done":
            told["reported done, and was"] += bool(number)
        else:
            told[f"reported {sending.reported} with a reason, and was {'' if number else 'not all '}done"] += 1
    findings += [Finding(TOO_MUCH, f"{text!r} is there, and nobody sent it") for text in texts]
    return findings


def _text(body: Any) -> str:
    return str(body[0]["MsgContent"].get("Text")) if isinstance(body, list) and body else ""


# --- what a policy means, read as docs/retention.md has it


def orders_of_groups(state: State, policy: Mapping[str, Any], held: Iterable[str] = ()) -> list[Order]:
    """Return what a policy of groups asks for.

    :param state: the snapshot from which it is planned.
    :param policy: the mapping, with ``before`` as text.
    :param held: the GroupIds and globs on hold.
    """
    messages = messages_of(state)
    orders = []
    for group, view in state["groups"].items():
        if _named(group, held) or not (policy.get("all_groups") or _named(group, policy.get("groups", ()))):
            continue
        own = next((one for one in policy.get("overrides", ()) if _named(group, one["groups"])), {})
        merged = {**policy, **own}
        excluded = [*policy.get("exclude_groups", ()), *own.get("exclude_groups", ())]
        types = [one["group_types"] for one in (policy, own) if "group_types" in one]
        if _named(group, excluded) or any(view["Type"] not in allowed for allowed in types):
            continue
        if view["Type"] == "AVChatRoom" or (view["Type"] == "Community" and merged["action"] == "clear"):
            continue
        there = {key: message for key, message in messages.items() if key[:3] == ("group", group, "")}
        if keys := _meant_in(there, merged, lambda key: key[3]):
            orders.append(_order(merged, keys, group))
    return orders


def orders_of_conversations(state: State, policy: Mapping[str, Any], held: Iterable[str] = ()) -> list[Order]:
    """Return what a policy of conversations asks for; the arguments are as above."""
    messages = messages_of(state)
    pairs = {frozenset(pair) for pair in policy.get("pairs", ())}
    accounts = set(policy.get("accounts", ()))
    orders = []
    for conversation in state["c2c"]:
        sides = conversation["accounts"]
        if frozenset(sides) not in pairs and not accounts & set(sides):
            continue
        if any(_named(side, [*held, *policy.get("exclude_accounts", ())]) for side in sides):
            continue
        there = {key: one for key, one in messages.items() if key[0] == "c2c" and {key[1], key[2]} == set(sides)}
        if keys := _meant_in(there, policy, lambda key: messages[key]["time"]):
            orders.append(_order(policy, keys, " / ".join(sorted(sides))))
    return orders


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _meant_in(there: Messages, policy: Mapping[str, Any], place: Any) -> list[Key]:
    """Return the messages of one group or conversation that a policy means."""
    cut_off = datetime.fromisoformat(policy["before"]).timestamp()
    ordered = sorted(there, key=place)
    living = [key for key in ordered if not there[key]["gone"] and not there[key]["system"]]
    if len(living) < policy.get("keep_last", 0):
        return []  # all that is there stays, and so do the notices between
    kept = living[-policy["keep_last"] :] if policy.get("keep_last") else []
    end = place(kept[0]) if kept else None
    older = [key for key in ordered if there[key]["time"] < cut_off and (end is None or place(key) < end)]
    if policy["action"] == "clear":
        return [key for key in ordered if older and place(key) <= place(older[-1])]
    meant = []
    for key in older:
        message = there[key]
        if message["gone"] or message["system"]:
            continue
        if policy.get("from_accounts") and message["sender"] not in policy["from_accounts"]:
            continue
        patterns = policy.get("text_matches", ())
        if patterns and not any(re.search(pattern, _text(message["MsgBody"])) for pattern in patterns):
            continue
        if policy["action"] == "redact" and message["MsgBody"] == replaced_by(policy["replacement"]):
            continue
        meant.append(key)
    return meant


def _order(policy: Mapping[str, Any], keys: list[Key], name: str) -> Order:
    what = {"redact": "overwrite", "redact_and_recall": "overwrite and recall"}.get(policy["action"], policy["action"])
    body = replaced_by(policy["replacement"]) if what.startswith("overwrite") else None
    return Order(what, keys, body=body, name=name)


def replaced_by(text: str) -> list[dict[str, Any]]:
    """Return the MsgBody that a text becomes."""
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]
