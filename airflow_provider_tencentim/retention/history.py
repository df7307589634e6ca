"""The history of a group as its messages lie in it: pages, windows, and walks that gaps do not end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from airflow_provider_tencentim.client.bulk import side_by_side
from airflow_provider_tencentim.client.caller import entries, number_of
from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.client.errors import TencentIMTransientError
from airflow_provider_tencentim.client.group_commands import GroupCommands

HISTORY = "group_open_http_svc/group_msg_get_simple"
PAGE = COMMANDS[HISTORY].chunk
#: The last second of the year 9998: beyond it there is no calendar, in any zone.
LATEST = 253_370_764_799
# After so many empty pages in a row the steps grow: within 1,000 seqs no message is passed over.
_EMPTY_PAGES = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """What the history shows of a seq.

    :param seq: the MsgSeq.
    :param time: Unix seconds; None when the history shows none.
    :param place: IsPlaceMsg: 0 for a message, 1 when it was deleted or has expired, 2 when it was recalled.
    :param system: whether it is a tip or a notice, whose body is an object.
    :param sender: the UserID that sent it; empty when the history shows none.
    :param body: the MsgBody.
    :param custom: the CloudCustomData, if any.
    :param random: the MsgRandom, if any.
    """

    seq: int
    time: int | None
    place: int = 0
    system: bool = False
    sender: str = ""
    body: Any = field(default=(), repr=False)
    custom: str | None = field(default=None, repr=False)
    random: int | None = None

    @property
    def is_message(self) -> bool:
        """Whether it is a message that somebody sent and that is still there."""
        return self.place == 0 and not self.system


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the history.

    :param entries: from the newest to the oldest.
    :param low: the lowest seq of which the page tells whether it exists.
    :param high: the highest one, which was asked for.
    """

    entries: tuple[Entry, ...]
    low: int
    high: int


class GroupHistory:
    """Reads the history of one group or topic, in which anything may be missing.

    Nobody documents whether the number asked for counts seqs or messages: everything here is right in both readings.

    :param client: sends the calls.
    :param group_id: the GroupId.
    :param topic_id: the TopicId, for a topic of a community.
    """

    def __init__(self, client: GroupCommands, group_id: str, topic_id: str | None = None) -> None:
        self._client = client
        self._group_id = group_id
        self._topic_id = topic_id

    def page(self, at: int, number: int = PAGE) -> Page:
        """Read a page, recalled and expired messages included.

        :param at: its newest seq.
        :param number: how many, at most 20.
        :raises TencentIMError: the subclass of its kind; also when the answer makes no sense.
        """
        answer = self._client.group_msg_get_simple(self._group_id, at, number, self._topic_id)
        shown = tuple(_entry(item) for item in entries(HISTORY, answer, "RspMsgList"))
        if any(earlier <= later for earlier, later in pairwise([at + 1, *(entry.seq for entry in shown), 0])):
            raise TencentIMTransientError(HISTORY, None, "a page of the history does not run downwards")
        low = max(1, at - number + 1)
        # An answer that would be too big ends early, and says so.
        cut_short = answer.get("IsFinished") not in (1, 2)
        if shown and (cut_short or shown[-1].seq < low):
            low = shown[-1].seq
        return Page(shown, low, at)

    def window(self, low: int, high: int) -> list[Entry]:
        """Read all entries of at most 20 seqs, from the newest to the oldest.

        :param low: the lowest seq.
        :param high: the highest.
        :raises TencentIMError: the subclass of its kind.
        """
        found: list[Entry] = []
        while high >= low:
            page = self.page(high, min(PAGE, high - low + 1))
            found += [entry for entry in page.entries if entry.seq >= low]
            high = page.low - 1
        return found

    def walk(self, newest: int, lower: int = 0) -> Iterator[Entry]:
        """Yield every entry from the newest to the oldest, page after page.

        Gaps of up to 1,000 seqs are read; larger ones are leapt over, and where the messages go on is searched.

        :param newest: where to begin.
        :param lower: where to end: this seq and those below it are not wanted.
        :raises TencentIMError: the subclass of its kind.
        """
        at, empty = newest, 0
        while at > lower:
            page = self.page(at)
            yield from _above(lower, page.entries)
            empty = 0 if page.entries else empty + 1
            at = page.low - 1
            if empty == _EMPTY_PAGES:
                at, empty = self._beyond_gap(at, lower), 0

    def walk_wide(self, newest: int, lower: int, interrupt: Callable[[], None]) -> Iterator[Entry]:
        """Yield what ``walk`` yields, of a long history: many pages are read side by side.

        :param newest: where to begin.
        :param lower: where to end: this seq and those below it are not wanted.
        :param interrupt: makes calls end soon; called when the caller's thread is stopped from outside.
        :raises TencentIMError: the subclass of its kind.
        """
        at = newest
        while at > lower:
            windows = _Windows(at, lower)
            empty = 0
            for low, found in side_by_side(self._window_of, windows, interrupt, size=self._reads_wanted, ordered=True):
                yield from found
                at, empty = low - 1, 0 if found else empty + 1
                if empty == _EMPTY_PAGES:
                    windows.stop()
            if empty >= _EMPTY_PAGES:
                at = self._beyond_gap(at, lower)

    def _reads_wanted(self) -> int:
        return self._client.in_flight_wanted(HISTORY)

    def _window_of(self, ends: tuple[int, int]) -> tuple[int, list[Entry]]:
        return ends[0], self.window(*ends)

    def _beyond_gap(self, at: int, lower: int) -> int:
        """Return the seq at which messages go on below a gap; ``lower`` when none were found.

        :param at: the highest seq of the gap that was not read.
        :param lower: the end of what is wanted.
        """
        if at <= lower:
            return lower
        high, step = at, PAGE
        while not (inside := _above(lower, (page := self.page(high)).entries)):
            if page.low <= lower + 1:
                return lower
            high, step = max(high - step, min(lower + PAGE, page.low - 1)), 2 * step
        edge, higher = 0, inside[0].seq
        while higher:
            edge = self._edge(higher, at + 1)
            # A gap within the older messages may have passed for their end.
            higher = self._just_above(edge, at)
        return edge

    def _edge(self, found: int, empty_from: int) -> int:
        """Return the newest of the messages that ``found`` is one of, as if none followed an empty page."""
        while empty_from - found > 1:
            page = self.page((found + empty_from) // 2)
            if inside := _above(found, page.entries):
                found = inside[0].seq
            else:
                empty_from = max(found + 1, page.low)
        return found

    def _just_above(self, edge: int, at: int) -> int:
        """Return a seq that exists within 1,000 seqs above the edge; 0 when there is none."""
        for high in range(edge + PAGE, min(edge + (_EMPTY_PAGES + 1) * PAGE, at) + PAGE, PAGE):
            if inside := _above(edge, self.page(min(high, at)).entries):
                return inside[0].seq
        return 0


class _Windows:
    """Windows of a page each, downwards, until stopped.

    :param newest: the seq with which the first one begins.
    :param lower: none reaches down to this seq.
    """

    def __init__(self, newest: int, lower: int) -> None:
        self._at = newest
        self._lower = lower

    def __iter__(self) -> Iterator[tuple[int, int]]:
        while (high := self._at) > self._lower:
            self._at = max(self._lower, high - PAGE)
            yield self._at + 1, high

    def stop(self) -> None:
        self._at = 0


def _above(lower: int, shown: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in shown if entry.seq > lower]


def _entry(item: Mapping[str, Any]) -> Entry:
    seq = number_of(HISTORY, item, "MsgSeq")
    time, body = item.get("MsgTimeStamp"), item.get("MsgBody")
    if body is not None and not isinstance(body, list | dict):
        raise TencentIMTransientError(HISTORY, None, "the answer has neither a list nor an object as a MsgBody")
    return Entry(
        seq=seq,
        time=_time(time),
        place=_optional(item, "IsPlaceMsg", int) or 0,
        system=bool(_optional(item, "IsSystemMsg", int)),
        sender=_optional(item, "From_Account", str) or "",
        body=[] if body is None else body,
        custom=_optional(item, "CloudCustomData", str),
        random=_optional(item, "MsgRandom", int),
    )


def _time(value: object) -> int | None:
    if type(value) is not int or value <= 0:
        return None
    if value > LATEST:  # not taken for unknown: the message may be younger than any cut-off
        raise TencentIMTransientError(HISTORY, None, "the answer has a time beyond the calendar as its MsgTimeStamp")
    return value


def _optional(item: Mapping[str, Any], name: str, kind: type) -> Any:
    value = item.get(name)
    if value is not None and type(value) is not kind:
        raise TencentIMTransientError(HISTORY, None, f"the answer has a wrong type as its {name}")
    return value
