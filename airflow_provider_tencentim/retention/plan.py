"""The plan: what a run is going to do, group by group, in a folder; written once, and read with its digest in hand.

``header.json`` is written last and names the SHA-256 of every part, so that its own digest stands for the whole. The
names of the parts are counted and never read from a plan: its content cannot lead anywhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from airflow_provider_tencentim.client.arguments import (
    LONGEST_GROUP_ID,
    LONGEST_USER_ID,
    check_id,
    check_msg_key,
)
from airflow_provider_tencentim.client.seqs import LAST_SEQ, read_ranges

from .files import Folder, from_json, read_file, to_json, write_file
from .history import LATEST

Chat = Literal["group", "c2c"]

FORMAT = 1
_HEADER = "header.json"
_ROWS_PER_PART = 10_000
_BYTES_PER_PART = 4 * 1024 * 1024
_LONGEST_PART = 256 * 1024 * 1024
_LONGEST_HEADER = 16 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What is to be done in one group or conversation, or why nothing is.

    :param group: the GroupId; for a conversation None.
    :param pair: the two UserIDs of a conversation, in order; for a group None.
    :param type: the group's type.
    :param create_time: the group's CreateTime, Unix seconds: one of the same id that was made anew has another.
    :param action: what is done; None when the row is skipped.
    :param through: the MsgSeq of the cut-off; 0 when there is none.
    :param lower: the MsgSeq through which earlier runs went, and which is not looked at again; 0 when there is none.
    :param ranges: the MsgSeqs to act on, as ``1-500, 777``; None when it is all from ``lower`` to ``through``.
    :param keys: the MsgKeys to act on, by sender; of a conversation only.
    :param messages: how many these are at most.
    :param oldest: the oldest time that was read of them, Unix seconds.
    :param newest: the time of the newest one, Unix seconds.
    :param skip: why nothing is done; None when something is.
    """

    group: str | None = None
    pair: tuple[str, str] | None = None
    type: str | None = None
    create_time: int | None = None
    action: str | None = None
    through: int = 0
    lower: int = 0
    ranges: str | None = None
    keys: Mapping[str, tuple[str, ...]] | None = None
    messages: int = 0
    oldest: int | None = None
    newest: int | None = None
    skip: str | None = None

    def __post_init__(self) -> None:
        if (self.group is None) == (self.pair is None) or (self.action is None) == (self.skip is None):
            raise ValueError("a row names a group or a pair, and an action or why it is skipped")

    @property
    def name(self) -> str:
        """The group or the conversation, in words."""
        return self.group if self.group is not None else " / ".join(self.pair or ())

    def to_dict(self) -> dict[str, Any]:
        """Return the row as it is stored: what is nothing is left out."""
        # Not asdict(), which copies deeply: that took longer than all the rest of writing a row.
        values = ((name, getattr(self, name)) for name in _ROW)
        return {name: value for name, value in values if value is not None and value != 0}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PlanRow:
        """Read a stored row.

        :param value: a JSON object.
        :raises ValueError: when it is no row.
        """
        if unknown := sorted(set(value) - set(_ROW)):
            raise ValueError(f"a row has an unknown field {unknown[0][:40]!r}")
        for name, given in value.items():
            if not _ROW[name](given):
                raise ValueError(f"a row's {name} is not as it should be")
        read = dict(value)
        if "pair" in read:
            read["pair"] = tuple(read["pair"])
        if "keys" in read:
            read["keys"] = {sender: tuple(keys) for sender, keys in read["keys"].items()}
        row = cls(**read)
        row._check()
        return row

    def _check(self) -> None:
        """Refuse a row that says one thing and names another: what it names is what is acted on, and what is counted.

        :raises ValueError: when it does.
        """
        if self.action is None:
            return
        if self.pair is not None:
            if self.action not in ("recall", "redact") or self.ranges is not None or not self.keys:
                raise ValueError("a row of a conversation has another action, or does not name its messages")
            named = sum(map(len, self.keys.values()))
        elif self.action == "clear":
            if self.ranges is not None or self.keys is not None:
                raise ValueError("a row that clears names messages")
            named = self.through - self.lower
        else:
            if self.ranges is None or self.keys is not None:
                raise ValueError("a row does not name its messages")
            named, before = 0, self.lower
            for first, last in read_ranges(self.ranges):
                # Ranges that overlap could be so many, and so long, that to put them together took hours.
                if not before < first <= last <= self.through:
                    raise ValueError("a row names messages that lie beyond its MsgSeqs, or in no order")
                named, before = named + last - first + 1, last
        if named < 1 or named != self.messages:
            raise ValueError("a row counts another number of messages than it names")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_seq(value: object) -> bool:
    return type(value) is int and 0 <= value <= LAST_SEQ


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value <= LATEST


def _is_user(value: object) -> bool:
    return _passes(check_id, value, LONGEST_USER_ID)


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_user, value))


def _is_keys(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _is_user(sender) and isinstance(keys, list | tuple) and all(_passes(check_msg_key, key) for key in keys)
        for sender, keys in value.items()
    )


def _passes(check: Callable[..., str], value: object, *most: int) -> bool:
    try:
        check("", value, *most)
    except ValueError:
        return False
    return True


_ROW = {
    "group": lambda value: _passes(check_id, value, LONGEST_GROUP_ID),
    "pair": _is_pair,
    "type": _is_text,
    "create_time": _is_time,
    "action": lambda value: value in ("clear", "recall", "redact", "redact_and_recall"),
    "through": _is_seq,
    "lower": _is_seq,
    "ranges": _is_text,
    "keys": _is_keys,
    "messages": _is_count,
    "oldest": _is_time,
    "newest": _is_time,
    "skip": _is_text,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeader:
    """What a plan says of itself.

    :param chat: whether it is of groups or of one-to-one conversations.
    :param sdkappid: the app.
    :param base_url: where the app was asked; the same SDKAppID elsewhere, an emulator say, is another app.
    :param policy: the policy, its cut-offs fixed and its overrides resolved.
    :param cut_off: messages before this moment are meant (ISO 8601); overrides may have others.
    :param created: when it was made, Unix seconds.
    :param run: by which DAG, task and run.
    :param shard: which part of all groups it is of.
    :param holds: whether groups or accounts were on hold.
    :param incremental: whether it leaves out what earlier runs did; else it is complete in itself.
    :param groups: how many rows act.
    :param messages: on how many messages at most.
    :param skipped: how many rows do not act, by reason.
    :param parts: rows and SHA-256 of every part.
    :param format: of the plan.
    """

    chat: Chat
    sdkappid: int
    base_url: str
    policy: dict[str, Any]
    cut_off: str
    created: int
    run: dict[str, str]
    shard: str
    holds: bool
    incremental: bool
    groups: int = 0
    messages: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    parts: list[list[Any]] = field(default_factory=list)
    format: int = FORMAT

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(rows for rows, _ in self.parts)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PlanHeader:
        """Read a stored header.

        :param value: a JSON object.
        :raises ValueError: when it is no header.
        """
        if value.get("format") != FORMAT:
            raise ValueError(f"the plan's format is not {FORMAT}: it was made by another version")
        if set(value) != {field.name for field in fields(cls)} or not all(
            _HEADER_TYPES[name](given) for name, given in value.items()
        ):
            raise ValueError(f"{_HEADER} is not the header of a plan")
        return cls(**value)


def _is_parts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(part, list)
        and len(part) == 2
        and _is_count(part[0])
        and part[0] <= _ROWS_PER_PART
        and isinstance(part[1], str)
        and _DIGEST.fullmatch(part[1])
        for part in value
    )


def _is_mapping_to(kind: type) -> Any:
    return lambda value: isinstance(value, dict) and all(type(item) is kind for item in value.values())


_HEADER_TYPES: dict[str, Any] = {
    "chat": lambda value: value in ("group", "c2c"),
    "sdkappid": _is_count,
    "base_url": _is_text,
    "policy": lambda value: isinstance(value, dict),
    "cut_off": _is_text,
    "created": _is_time,
    "run": _is_mapping_to(str),
    "shard": _is_text,
    "holds": lambda value: type(value) is bool,
    "incremental": lambda value: type(value) is bool,
    "groups": _is_count,
    "messages": _is_count,
    "skipped": _is_mapping_to(int),
    "parts": _is_parts,
    "format": _is_count,
}


class PlanWriter:
    """Writes a plan, row by row, in bounded memory.

    :param folder: where to. A plan that is there already is no plan from here on.
    :raises OSError: when it cannot be written.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lines: list[bytes] = []
        self._bytes = 0
        self._parts: list[list[Any]] = []
        self._groups = self._messages = 0
        self._skipped: Counter[str] = Counter()
        write_file(folder / _HEADER, b"")

    def add(self, row: PlanRow) -> None:
        """Write a row.

        :param row: the next one.
        :raises OSError: when it cannot be written.
        """
        if row.skip is None:
            self._groups += 1
            self._messages += row.messages
        else:
            self._skipped[row.skip] += 1
        self._lines.append(to_json(row.to_dict()) + b"\n")
        self._bytes += len(self._lines[-1])
        if len(self._lines) == _ROWS_PER_PART or self._bytes >= _BYTES_PER_PART:
            self._flush()

    def finish(self, **header: Any) -> tuple[PlanHeader, str]:
        """Write the header, which makes it a plan, and return it with the digest of the whole.

        :param header: the fields of PlanHeader that are not counted here.
        :raises OSError: when it cannot be written.
        """
        self._flush()
        written = PlanHeader(
            groups=self._groups,
            messages=self._messages,
            skipped=dict(sorted(self._skipped.items())),
            parts=self._parts,
            **header,
        )
        content = to_json(asdict(written))
        write_file(self._folder / _HEADER, content)
        return written, hashlib.sha256(content).hexdigest()

    def _flush(self) -> None:
        if not self._lines:
            return
        content = b"".join(self._lines)
        write_file(self._folder / _part(len(self._parts)), content)
        self._parts.append([len(self._lines), hashlib.sha256(content).hexdigest()])
        self._lines, self._bytes = [], 0


class Plan:
    """A plan that is what it was when it was made.

    :param folder: where it is.
    :param digest: what the writer returned.
    :raises ValueError: when it is not there, not finished, or not the one of this digest.
    """

    def __init__(self, folder: Folder, digest: str) -> None:
        self.folder = folder
        self.digest = digest
        try:
            content = read_file(folder / _HEADER, _LONGEST_HEADER)
        except FileNotFoundError:
            content = b""
        if not content:
            raise ValueError("there is no finished plan at plan_path")
        _compare(content, digest, _HEADER)
        self.header = PlanHeader.from_dict(from_json(_HEADER, content))

    def verify(self) -> None:
        """Read every row, and see that it is what was planned, and that there are as many as the header says.

        :raises ValueError: when a part is missing or was changed, or a row is none.
        """
        groups = messages = 0
        for row in self.rows():
            if row.skip is None:
                groups += 1
                messages += row.messages
        if (groups, messages) != (self.header.groups, self.header.messages):
            raise ValueError(f"the plan's rows are not those that its {_HEADER} counts")

    def rows(self) -> Iterator[PlanRow]:
        """Yield the rows in their order, each part compared with the plan's digest again.

        :raises ValueError: when a part is missing or was changed.
        """
        for number, (count, _) in enumerate(self.header.parts):
            content = self._read(number)
            if content.count(b"\n") != count or not content.endswith(b"\n"):
                raise ValueError(f"{_part(number)} has another number of rows than the plan says")
            for line in content.split(b"\n")[:-1]:
                row = PlanRow.from_dict(from_json(f"a row of {_part(number)}", line))
                if (row.pair is not None) != (self.header.chat == "c2c"):
                    raise ValueError(f"{_part(number)} has a row of another kind of chat")
                yield row

    def _read(self, number: int) -> bytes:
        name = _part(number)
        try:
            content = read_file(self.folder / name, _LONGEST_PART)
        except FileNotFoundError:
            raise ValueError(f"the plan's {name} is missing") from None
        _compare(content, self.header.parts[number][1], name)
        return content


def check_digest(value: object) -> str:
    """Return the digest of a plan.

    :param value: anything.
    :raises ValueError: when it is none.
    """
    if not isinstance(value, str) or not _DIGEST.fullmatch(value.strip()):
        raise ValueError("plan_digest must be the digest that the planning task returned")
    return value.strip()


def _part(number: int) -> str:
    return f"rows-{number:05}.jsonl"


def _compare(content: bytes, digest: str, name: str) -> None:
    if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), digest):
        raise ValueError(f"{name} is not that of the plan whose digest was given: it was changed, or is another plan's")
