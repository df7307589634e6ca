"""Finds the last message of a group that is older than a time, in a handful of reads."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .history import PAGE, Page

# A group of up to so many seqs is read whole when its times contradict its seqs.
_SMALL = 2_000
# A group of up to so many seqs may be all new although it is old.
_SOON_SETTLED = 10_000
# Up to so many seqs that lie between pages without messages are read; more are reported.
_MOST_LEFT = 1_000

# How much the pace of people swings, as a share of the mean, and in how many seconds: by the week, the working week
# and the day, whose nights are long; and spells of some hours that follow no clock.
_WEEK = 604_800
_WAVES = ((0.28, _WEEK), (0.2, _WEEK / 2), (0.2, _WEEK / 6), (0.8, _WEEK / 7), (0.28, _WEEK / 14), (0.2, _WEEK / 21))
_SPELL, _SPELL_SECONDS = 0.25, 3600.0
# So many times the mean pace is a burst.
_BURST = 6
# Marks further from the cut-off tell nothing that nearer ones do not.
_MARKS = 8

_Span = tuple[int, int]
_Mark = tuple[int, int]


class OutOfOrderError(Exception):
    """The times of a group's messages do not rise with their seqs, and it is too large to be read whole.

    :param reads: how many pages were read.
    """

    def __init__(self, reads: int) -> None:
        super().__init__(reads)
        self.reads = reads

    def __str__(self) -> str:
        return f"a message is older than one before it, as {self.reads} reads show"


@dataclass(frozen=True, slots=True)
class CutOff:
    """How far the messages of a group are older than a time.

    :param through: the last of them; 0 when there is none.
    :param time: when it was sent.
    :param oldest: the oldest time that was read.
    :param reads: how many pages were read.
    :param unread: how many seqs between it and the next message were not read; they may hold older messages.
    """

    through: int
    time: int | None
    oldest: int | None
    reads: int
    unread: int


def find_cut_off(
    read: Callable[[int], Page],
    *,
    cut_off: int,
    newest: int,
    created: int | None = None,
    last_time: int | None = None,
    lower: int = 0,
) -> CutOff:
    """Find the last message that is older than a time, as all before it are.

    Times are taken not to fall while seqs rise. What is found was itself read, and its time is older.

    :param read: reads the page of the history that begins at a seq and runs down.
    :param cut_off: Unix seconds; messages of this second are not older.
    :param newest: the seq of the newest message.
    :param created: when the group was made. Like ``last_time`` it only tells where to begin; 0 is unknown.
    :param last_time: when its newest message was sent.
    :param lower: messages through this seq are of no interest; when none above it is older, 0 is found.
    :raises OutOfOrderError: when times that were read fall, and the group has more than 2,000 seqs.
    """
    start = None
    if created and created >= cut_off:
        start = min(newest, lower + PAGE)
    elif not last_time or last_time < cut_off:
        start = newest
    hints = [(seq, time) for seq, time in ((0, created), (newest, last_time)) if time]
    search = _Search(read, cut_off, newest, lower, hints, start)
    while (at := search.next_seq()) is not None:
        search.read(at)
        if search.is_out_of_order:
            search.read_all()
    return search.result()


class _Search:
    """What is known of a history, and where to read next."""

    def __init__(
        self, read: Callable[[int], Page], cut_off: int, newest: int, lower: int, hints: list[_Mark], start: int | None
    ) -> None:
        self._read = read
        self._cut_off = cut_off
        self._newest = newest
        self._lower = lower
        self._start = start
        # The highest seq read as older and the lowest read as not older: at first neither was read.
        self._lo, self._hi = lower, newest + 1
        self._known: list[_Mark] = []
        self._covered: list[_Span] = []
        self._blank: list[_Span] = []
        # Pairs to guess from: the two ends of every page, and what was known before.
        self._marks = hints
        self._reads = 0
        # So many reads in a row moved the same end: above 0 the lower one, below 0 the upper one.
        self._run = 0
        self.is_out_of_order = False

    # --- what was read ---

    def read(self, at: int) -> None:
        page = self._read(at)
        self._reads += 1
        span = max(page.low, self._lower + 1), at
        self._cover(span)
        pairs = [(one.seq, one.time) for one in page.entries if one.time is not None and one.seq > self._lower]
        if pairs:
            self._marks += pairs[:: max(1, len(pairs) - 1)]
        else:
            self._blank.append(span)
        lo, hi = self._lo, self._hi
        for pair in pairs:
            self._learn(*pair)
        raised, lowered = self._lo > lo, self._hi < hi
        step = raised - lowered
        self._run = self._run + step if step * self._run > 0 else step

    def _cover(self, span: _Span) -> None:
        touching = [one for one in self._covered if one[0] <= span[1] + 1 and one[1] >= span[0] - 1]
        whole = min(low for low, _ in [span, *touching]), max(high for _, high in [span, *touching])
        self._covered = sorted({whole, *self._covered} - ({*touching} - {whole}))

    def _learn(self, seq: int, time: int) -> None:
        place = bisect_left(self._known, (seq, 0))
        after = self._known[place : place + 1]
        if after and after[0][0] == seq:
            return
        before = self._known[place - 1 : place] if place else []
        self.is_out_of_order |= any(one[1] > time for one in before) or any(one[1] < time for one in after)
        self._known.insert(place, (seq, time))
        if time < self._cut_off:
            self._lo = max(self._lo, seq)
        else:
            self._hi = min(self._hi, seq)

    def _unread(self, low: int, high: int) -> list[_Span]:
        """Return what of low..high was not read, from the lowest on."""
        found = []
        for first, last in [*self._covered, (high + 1, high + 1)]:
            if low < first:
                found.append((low, min(first - 1, high)))
            low = max(low, last + 1)
            if low > high:
                break
        return found

    # --- where to read ---

    def next_seq(self) -> int | None:
        """Return where to read next; None when no read can tell more, or too many would be needed."""
        unread = self._unread(self._lo + 1, self._hi - 1)
        if not unread:
            return None
        if not self._reads and self._start is not None:
            return self._start
        if self._seems_new():
            return min(self._lower + PAGE, self._hi - 1)
        blank = [span for span in self._blank if self._lo < span[0] and span[1] < self._hi]
        # A history loses its oldest part: what shows nothing is taken for that at first, ...
        if above := self._unread(max([self._lo, *(high for _, high in blank)]) + 1, self._hi - 1):
            return self._aim(*above[-1], None if blank else self._guess())
        # ... then for a gap above the older messages, which end rather near it, and at last it is read.
        edge = min(low for low, _ in blank)
        if below := self._unread(self._lo + 1, edge - 1):
            return self._aim(*below[0], max((self._lo + edge) / 2, 2 * edge - self._hi))
        return unread[-1][1] if _size(unread) <= _MOST_LEFT else None

    def _seems_new(self) -> bool:
        """Tell whether to look at the very first messages: two reads found none that is older.

        In a large group a read more costs more than it saves.
        """
        return (
            self._lo == self._lower
            and self._reads == 2
            and self._run == -2
            and self._newest - self._lower <= _SOON_SETTLED
        )

    def _aim(self, first: int, last: int, guess: float | None) -> int:
        """Return the end of a page in first..last with the guess, or else with the middle, in its middle."""
        # Guesses have to keep close to halving what is left with every read.
        halvings = math.log2((self._newest - self._lower) / (last - first + 1))
        if guess is None or self._reads > 4 + 1.25 * halvings:
            guess = (first + last) / 2
        return max(min(first + PAGE - 1, last), min(last, round(guess) + PAGE // 2))

    def _guess(self) -> float | None:
        """Return the seq at which the cut-off most likely lies; None when nothing tells."""
        marks = sorted({time: seq for seq, time in self._marks}.items())
        if len(marks) < 2:
            return None
        (first_time, first_seq), (last_time, last_seq) = marks[0], marks[-1]
        mean = (last_seq - first_seq) / (last_time - first_time)
        nearest = sorted(marks, key=lambda mark: abs(mark[0] - self._cut_off))[:_MARKS]
        guess = _most_likely(nearest, self._cut_off, mean, self._pace(nearest[0][1], mean)) if mean > 0 else None
        if guess is None or not self._lo < guess[0] < self._hi:
            return self._straight()
        return self._past_the_cut_off(*guess)

    def _pace(self, seq: int, mean: float) -> float:
        """Return the messages a second near a seq.

        Its page has too few to be taken at its word, but for a burst: no hour of the day is so busy.
        """
        place = bisect_left(self._known, (seq, 0))
        near = [one for one in self._known[max(0, place - PAGE) : place + PAGE] if abs(one[0] - seq) < PAGE]
        if len(near) < 2:
            return mean
        pace = (near[-1][0] - near[0][0]) / max(1, near[-1][1] - near[0][1])
        return pace if pace > _BURST * mean else max(mean / 10, math.sqrt(mean * pace))

    def _straight(self) -> float | None:
        """Return where a straight line between the nearest times that are known meets the cut-off."""
        older = max((mark for mark in self._marks if mark[1] < self._cut_off), default=None)
        newer = min((mark for mark in self._marks if mark[1] >= self._cut_off), default=None)
        if older is None or newer is None or not older[0] < newer[0]:
            return None
        share = (self._cut_off - older[1]) / (newer[1] - older[1])
        return older[0] + share * (newer[0] - older[0])

    def _past_the_cut_off(self, guess: float, deviation: float) -> float:
        """Move a guess on from the nearer end, so that the cut-off comes to lie between two pages that are near.

        How far it is between them is known much better than how far it is beyond one.
        """
        up, down = guess - self._lo, self._hi - guess
        further = 0.2 * deviation if deviation > PAGE / 2 and not 0.5 < up / down < 2 else 0.0
        # An end that moves again and again was thought too near each time.
        times: float = 1.05 ** max(0, (self._run if up < down else -self._run) - 1)
        if up < down:
            return self._lo + min(up * times + further, (up + down) / 2)
        return self._hi - min(down * times + further, (up + down) / 2)

    # --- what came out ---

    def read_all(self) -> None:
        """Read what is left of a small group, and take what all times say together.

        :raises OutOfOrderError: when the group is not small.
        """
        if self._newest - self._lower > _SMALL:
            raise OutOfOrderError(self._reads)
        while unread := self._unread(self._lower + 1, self._newest):
            self.read(unread[-1][1])
        newer = (seq for seq, time in self._known if time >= self._cut_off)
        self._hi = next(newer, self._newest + 1)
        self._lo = max((seq for seq, _ in self._known if seq < self._hi), default=self._lower)

    def result(self) -> CutOff:
        """Return what was found."""
        times = dict(self._known)
        through = self._lo if self._lo > self._lower else 0
        unread = _size(self._unread(self._lo + 1, self._hi - 1))
        return CutOff(through, times.get(through), min(times.values(), default=None), self._reads, unread)


def _size(spans: Iterable[_Span]) -> int:
    return sum(high - low + 1 for low, high in spans)


def _most_likely(marks: list[_Mark], when: int, mean: float, pace: float) -> tuple[float, float] | None:
    """Return the most likely seq at a time, and its standard deviation: a Gaussian process through what is known.

    :param marks: times and their seqs, the nearest first.
    :param when: the time.
    :param mean: messages a second, over all.
    :param pace: messages a second, near the first mark.
    """
    (origin, seq), *others = marks
    ages = [time - origin for time, _ in others]
    target = when - origin
    rows = [[_covariance(one, other, mean, pace) for other in ages] for one in ages]
    for number, row in enumerate(rows):
        row[number] += 0.3 + row[number] * 1e-9  # a second holds a part of a message
    common = [_covariance(age, target, mean, pace) for age in ages]
    weights = _solve(rows, common)
    if weights is None:
        return None
    surplus = (other_seq - seq - mean * age for (_, other_seq), age in zip(others, ages, strict=True))
    guess = seq + mean * target + sum(weight * more for weight, more in zip(weights, surplus, strict=True))
    known = sum(weight * one for weight, one in zip(weights, common, strict=True))
    return guess, math.sqrt(max(0.0, _covariance(target, target, mean, pace) - known))


def _covariance(one: float, other: float, mean: float, pace: float) -> float:
    """Return how the surpluses of messages over the mean, by two times counted from one mark, go together."""
    total = 0.0
    for share, seconds in _WAVES:
        turn = math.tau / seconds
        waves = math.cos(turn * (one - other)) - math.cos(turn * one) - math.cos(turn * other) + 1
        total += (share * mean / turn) ** 2 * waves
    if one * other > 0:  # chance: every message comes by itself
        total += pace * min(abs(one), abs(other))
    spells = _fading(one) + _fading(other) - _fading(one - other)
    return total + (_SPELL * pace) ** 2 * _SPELL_SECONDS * spells


def _fading(seconds: float) -> float:
    return abs(seconds) + _SPELL_SECONDS * math.expm1(-abs(seconds) / _SPELL_SECONDS)


def _solve(rows: list[list[float]], column: list[float]) -> list[float] | None:
    """Return the weights with which the rows make up the column; None when rounding leaves none."""
    system = [[*row, value] for row, value in zip(rows, column, strict=True)]
    for number, row in enumerate(system):
        if row[number] <= 0:
            return None
        for below in system[number + 1 :]:
            factor = below[number] / row[number]
            below[number:] = [value - factor * own for value, own in zip(below[number:], row[number:], strict=True)]
    weights: list[float] = []
    for number, row in reversed(list(enumerate(system))):
        known = sum(value * weight for value, weight in zip(row[number + 1 : -1], reversed(weights), strict=True))
        weights.append((row[-1] - known) / row[number])
    return weights[::-1]
