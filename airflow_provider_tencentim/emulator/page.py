"""The page that a browser sees: what is in the emulated app, and what was asked of it.

Plain HTML without a script, bounded in size however much there is, and every text in it escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from airflow_provider_tencentim.emulator.answers import default_info
from airflow_provider_tencentim.emulator.calls import Call
from airflow_provider_tencentim.emulator.gateway import Gateway
from airflow_provider_tencentim.emulator.messages import compact
from airflow_provider_tencentim.emulator.store import MODIFIED, SYSTEM, App, Group, History, Message

REFRESH_SECONDS = 5
_ROWS = 50
# Counting states takes the lock that the API needs: no more than this many messages for one page.
_MOST_COUNTED = 200_000
_LONGEST_TEXT = 300
_STATES = ("normal", "recalled", "expired")
_CLASSES = {"content": "text", "sent": "time", "newest": "time"}

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --dim: #888; --link: #0969da; }
@media (prefers-color-scheme: dark) { :root { --link: #58a6ff; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
.dim { color: var(--dim); font-size: .9em; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
dl div { background: var(--soft); border-radius: .5rem; padding: .5rem 1rem; }
dt { color: var(--dim); font-size: .85em; }
dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: start; vertical-align: top; padding: .3rem .7rem; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; font-size: .85em; white-space: nowrap; }
.number { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
.text { overflow-wrap: anywhere; min-width: 16rem; }
.time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.mark { border-radius: 1rem; padding: .05rem .5rem; margin-inline-end: .3rem; font-size: .85em; white-space: nowrap; }
.normal { background: #2da44e22; }
.recalled { background: #cf222e33; }
.expired { background: #8883; }
.cleared, .modified { background: #bf870033; }
.system { background: #0969da22; }
nav { display: flex; gap: 1rem; align-items: baseline; margin: .5rem 0; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

# Control characters are shown as pictures of themselves; those that turn the direction of text, by their number.
_VISIBLE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(32)},
    0x7F: "␡",
    **{code: f"⟨{code:02X}⟩" for code in (*range(0x80, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F))},
    **{code: f"⟨{code:04X}⟩" for code in (*range(0x2060, 0x2070), 0xFEFF, *range(0xD800, 0xE000))},
}
_VISIBLE.pop(0x200D)  # joins emoji


def size(app: App) -> dict[str, int]:
    """Return how many groups, messages in them and in their topics, one-to-one messages and accounts there are."""
    return {
        "groups": len(app.groups),
        "messages": sum(map(_count, app.groups.values())),
        "one_to_one_messages": sum(len(conversation.messages) for conversation in app.conversations.values()),
        "accounts": len(app.accounts),
    }


def render(gateway: Gateway, query: Mapping[str, str]) -> tuple[int, str]:
    """Return the HTTP status and the HTML for a request.

    :param gateway: the app behind its gateway; the caller holds its lock.
    :param query: ``group``, ``topic`` and ``page``, all optional.
    """
    group_id, topic = query.get("group"), query.get("topic")
    number = query.get("page", "")
    page = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 1
    if group_id is None:
        return 200, _document("", _overview(gateway, page))
    group = gateway.app.groups.get(group_id)
    if group is None or (topic is not None and topic not in group.topics):
        return 404, _document(group_id, [_back(), f"<p>There is no {_text(topic or group_id)}.</p>"])
    return 200, _document(topic or group_id, _group_page(gateway, group, topic, page))


def _document(title: str, parts: Iterable[str]) -> str:
    name = "Tencent Cloud Chat emulator"
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{_text(title) + ' · ' if title else ''}{name}</title>\n<style>{_STYLE}</style>\n"
        f'</head>\n<body>\n<h1>{name}</h1>\n{body}\n<p class="dim">Refreshes every {REFRESH_SECONDS} seconds.</p>\n'
        "</body>\n</html>\n"
    )


def _overview(gateway: Gateway, page: int) -> Iterator[str]:
    app, stats, held = gateway.app, gateway.journal.stats(), size(gateway.app)
    yield f'<p class="dim">SDKAppID {app.sdkappid} · {_time(gateway.clock.now())} UTC</p>'
    yield _figures(
        {
            "groups": held["groups"],
            "messages in groups": held["messages"],
            "one-to-one messages": held["one_to_one_messages"],
            "accounts": held["accounts"],
            "calls": sum(stats["calls"].values()),
        }
    )
    yield from _calls(stats)
    yield from _faults(gateway)
    yield "<h2>Groups</h2>"
    yield _pages(len(app.groups), page, {}, "groups")
    groups = list(islice(app.groups.values(), *_slice(len(app.groups), page)))
    heads = "GroupId", "type", "name", "#messages", *(f"#{state}" for state in _STATES), "#cleared through", "newest"
    yield _table(heads, _group_rows(gateway, groups))
    if sum(map(_count, groups)) > _MOST_COUNTED:
        yield f'<p class="dim">States are counted for the first {_MOST_COUNTED:,} messages of a page at most.</p>'


def _calls(stats: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Calls</h2>"
    if not stats["calls"]:
        yield '<p class="dim">None so far.</p>'
        return
    rows = []
    for command, calls in sorted(stats["calls"].items()):
        refusals = sorted(stats["errors"].get(command, {}).items(), key=lambda item: -item[1])
        shown = [f"{count:,} × {code} <span class=dim>{_text(default_info(code))}</span>" for code, count in refusals]
        more = [f"and {len(shown) - 10} other codes"] if len(shown) > 10 else []
        rows.append(
            (_text(command), f"{calls:,}", f"{stats['peak_per_second'][command]:,}", "<br>".join(shown[:10] + more))
        )
    yield _table(("command", "#calls", "#busiest second", "refusals"), rows)


def _faults(gateway: Gateway) -> Iterator[str]:
    active = [rule for rule in gateway.faults.as_list() if rule.get("times") != 0]
    if not active:
        return
    yield "<h2>Active faults</h2>"
    rows = []
    for rule in active[:_ROWS]:
        fields = {name: value for name, value in rule.items() if value and (name, value) != ("probability", 1)}
        rows.append((str(fields.pop("id")), _short(", ".join(f"{name}={value}" for name, value in fields.items()))))
    yield _table(("#id", "rule"), rows)
    if len(active) > _ROWS:
        yield f'<p class="dim">{len(active) - _ROWS:,} more.</p>'


def _group_rows(gateway: Gateway, groups: Iterable[Group]) -> Iterator[tuple[str, ...]]:
    left = _MOST_COUNTED
    for group in groups:
        left -= _count(group)
        yield (
            _link(_text(group.group_id), group=group.group_id),
            group.type + (f" <span class=dim>{_counted(len(group.topics), 'topic')}</span>" if group.topics else ""),
            _short(group.name),
            f"{_count(group):,}",
            *(_state_counts(gateway, _histories(group)) if left >= 0 else ["…"] * len(_STATES)),
            f"{group.cleared_through:,}" if group.cleared_through else "",
            _time(max(history.last_time for history in _histories(group))),
        )


def _state_counts(gateway: Gateway, histories: Iterable[History]) -> list[str]:
    horizon = _horizon(gateway)
    counts = Counter(message.state(horizon) for history in histories for message in history.messages.values())
    return [f"{counts[state]:,}" for state in _STATES]


def _group_page(gateway: Gateway, group: Group, topic: str | None, page: int) -> Iterator[str]:
    history = group.history if topic is None else group.topics[topic]
    total = len(history.messages)
    yield _back()
    yield f"<h2>{_text(group.group_id if topic is None else topic)}</h2>"
    about = group.type, _short(group.name), _counted(len(group.members), "member")
    yield f'<p class="dim">{" · ".join(about)} · made {_time(group.create_time)} UTC</p>'
    figures: dict[str, int | str] = {"messages": total, "next MsgSeq": history.next_seq}
    if total <= _MOST_COUNTED:
        figures |= dict(zip(_STATES, _state_counts(gateway, [history]), strict=True))
    cleared = group.cleared_through if topic is None else group.topics_cleared.get(topic, 0)
    if cleared:
        figures["cleared through"] = cleared
    yield _figures(figures)
    if topic is not None:
        yield f"<p>{_link('the group itself', group=group.group_id)}</p>"
    elif group.topics:
        links = [_link(_text(name), group=group.group_id, topic=name) for name in islice(group.topics, _ROWS)]
        more = f" and {len(group.topics) - _ROWS:,} more" if len(group.topics) > _ROWS else ""
        yield f"<p>Topics: {' · '.join(links)}{more}</p>"
    where = {"group": group.group_id, **({} if topic is None else {"topic": topic})}
    yield _pages(total, page, where, "messages, newest first")
    newest_first = islice(reversed(history.messages.items()), *_slice(total, page))
    rows = (_message_row(seq, message, _horizon(gateway), seq <= cleared) for seq, message in newest_first)
    yield _table(("#MsgSeq", "sent", "from", "state", "content"), rows)


def _message_row(seq: int, message: Message, horizon: float, cleared: bool) -> tuple[str, ...]:
    marks = [message.state(horizon)]
    marks += ["cleared"] * cleared
    marks += ["modified"] * bool(message.flags & MODIFIED) + ["system"] * bool(message.flags & SYSTEM)
    custom = "" if message.custom is None else f"<br><span class=dim>CloudCustomData {_short(message.custom)}</span>"
    return (
        str(seq),
        _time(message.time),
        _short(message.sender),
        "".join(f'<span class="mark {mark}">{mark}</span>' for mark in marks),
        _short(_content(json.loads(message.body))) + custom,
    )


def _content(body: Any) -> str:
    """Return what a MsgBody says in short: the text of text elements, the JSON of all others."""
    return " ".join(map(_element, body)) if isinstance(body, list) else compact(body).decode()


def _element(element: Any) -> str:
    match element:
        case {"MsgType": "TIMTextElem", "MsgContent": {"Text": str(text)}}:
            return text
        case {"MsgType": str(kind), "MsgContent": content}:
            return f"[{kind}] {compact(content).decode()}"
    return compact(element).decode()


# --- the parts of a page


def _figures(figures: Mapping[str, int | str]) -> str:
    shown = (
        f"<div><dt>{name}</dt><dd>{value if isinstance(value, str) else f'{value:,}'}</dd></div>"
        for name, value in figures.items()
    )
    return f"<dl>{''.join(shown)}</dl>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML; a head that begins with # is that of a column of numbers."""
    classes = ["number" if head.startswith("#") else _CLASSES.get(head, "") for head in heads]
    attributes = [f' class="{name}"' if name else "" for name in classes]
    head = "".join(
        f"<th{attribute}>{name.removeprefix('#')}</th>" for name, attribute in zip(heads, attributes, strict=True)
    )
    lines = (
        "".join(f"<td{attribute}>{cell}</td>" for cell, attribute in zip(row, attributes, strict=True)) for row in rows
    )
    return f"<table>\n<tr>{head}</tr>\n" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>"


def _pages(total: int, page: int, where: Mapping[str, str], what: str) -> str:
    """Return which of how many rows are shown, with links to the others."""
    begin, end = _slice(total, page)
    page, last = begin // _ROWS + 1, _last_page(total)
    shown = f"{begin + 1:,} – {end:,} of {total:,} {what}" if total else f"no {what.split(',')[0]}"
    links = {"first": 1, "previous": page - 1} if page > 1 else {}
    links |= {"next": page + 1, "last": last} if page < last else {}
    return "<nav>" + " ".join([shown, *(_link(name, **where, page=str(to)) for name, to in links.items())]) + "</nav>"


def _last_page(total: int) -> int:
    return max(1, -(-total // _ROWS))


def _slice(total: int, page: int) -> tuple[int, int]:
    begin = (min(max(page, 1), _last_page(total)) - 1) * _ROWS
    return begin, min(begin + _ROWS, total)


def _back() -> str:
    return '<p><a href="/">← overview</a></p>'


def _link(shown: str, **query: str) -> str:
    return f'<a href="/?{escape(urlencode(query, errors="replace"))}">{shown}</a>'


def _text(value: str) -> str:
    """Return a text that is harmless in HTML, kept apart from what stands around it."""
    return f"<bdi>{escape(value.translate(_VISIBLE))}</bdi>"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _short(value: str) -> str:
    return _text(value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + " …")


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    try:
        return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # a test may have put any number there
        return str(seconds)


def _histories(group: Group) -> list[History]:
    return [group.history, *group.topics.values()]


def _count(group: Group) -> int:
    return sum(len(history.messages) for history in _histories(group))


def _horizon(gateway: Gateway) -> float:
    return Call(gateway.app, gateway.assume, {}, gateway.app.admin, gateway.clock.now()).horizon
