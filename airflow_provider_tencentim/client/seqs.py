"""Sets of MsgSeq: from one number, a list, text with ranges or a file; kept in little memory, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pyroaring import BitMap

FIRST_SEQ = 1
LAST_SEQ = 4_294_967_295

_PART = re.compile(r"\s*([0-9]{1,10})\s*(?:-\s*([0-9]{1,10})\s*)?", re.ASCII)
#: Longer parts of a line are read piece by piece: a file without line ends must not be held as a whole.
LONGEST_PIECE = 1_048_576
# What of a malformed part is worth showing.
_SHOWN = 40


class SeqSet:
    """Different MsgSeqs in rising order: ten million of them, or one range of four billion, take a few MiB."""

    def __init__(self) -> None:
        self._bits = BitMap()

    def __len__(self) -> int:
        return len(self._bits)

    def __iter__(self) -> Iterator[int]:
        return iter(self._bits)

    def __contains__(self, seq: int) -> bool:
        return FIRST_SEQ <= seq <= LAST_SEQ and seq in self._bits

    def last(self) -> int:
        """Return the highest one; there must be one."""
        return int(self._bits.max())

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the seqs as ranges, first and last one of each, in rising order."""
        first = last = 0
        for seq in self._bits:
            if first and seq == last + 1:
                last = seq
                continue
            if first:
                yield first, last
            first = last = seq
        if first:
            yield first, last

    def to_text(self) -> str:
        """Return them as text with ranges (``"1-500, 777"``), as ``parse_seqs`` reads it."""
        return ", ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in self.ranges())

    def discard(self, seq: int) -> None:
        """Take one out, if it is there.

        :param seq: the seq.
        """
        if seq in self:
            self._bits.discard(seq)

    def add(self, first: int, last: int) -> None:
        """Add a range.

        :param first: its first seq.
        :param last: its last one, itself included.
        :raises ValueError: when one is no seq, or the range runs backwards.
        """
        check_seq(first)
        check_seq(last)
        if last < first:
            raise ValueError(f"the range {first}-{last} runs backwards")
        self._bits.add_range(first, last + 1)


def check_seq(value: object) -> int:
    """Return the value if it is a MsgSeq.

    :param value: anything.
    :raises ValueError: when it is not a whole number from 1 to 4294967295.
    """
    if type(value) is not int or not FIRST_SEQ <= value <= LAST_SEQ:
        shown = value if type(value) is int else type(value).__name__
        raise ValueError(f"must be a whole number from {FIRST_SEQ} to {LAST_SEQ}, not {shown}")
    return value


def parse_seqs(values: Iterable[object]) -> SeqSet:
    """Read seqs.

    :param values: whole numbers, and texts of numbers and ranges divided by commas (``"1-500, 777"``).
    :return: the different ones, in rising order.
    :raises ValueError: naming the part that is no seq.
    """
    seqs = SeqSet()
    for value in values:
        if isinstance(value, str):
            for first, last in read_ranges(value):
                seqs.add(first, last)
        else:
            seqs.add(check_seq(value), check_seq(value))
    return seqs


def parse_seq_lines(lines: Iterable[str]) -> SeqSet:
    """Read a file of seqs: numbers and ranges, divided by commas or by the ends of lines; empty lines do not count.

    :param lines: the lines, e.g. an open file; or, of longer ones, pieces of ``LONGEST_PIECE`` characters.
    :return: the different ones, in rising order.
    :raises ValueError: naming the line that holds something else.
    """
    seqs, number, begun = SeqSet(), 1, ""
    for piece in lines:
        line, begun = begun + piece, ""
        ends = len(piece) < LONGEST_PIECE or piece.endswith("\n")
        if not ends:  # the last part goes on in the next piece
            line, comma, begun = line.rpartition(",")
            if not comma and len(begun) > LONGEST_PIECE:
                raise ValueError(f"line {number}: a part is longer than any range of seqs")
        _add_line(seqs, number, line)
        number += ends
    _add_line(seqs, number, begun)
    return seqs


def _add_line(seqs: SeqSet, number: int, line: str) -> None:
    if not line.strip():
        return
    try:
        for first, last in read_ranges(line):
            seqs.add(first, last)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def read_ranges(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a text as they come, first and last number of each; they may be no seqs.

    :param text: numbers and ranges divided by commas.
    :raises ValueError: naming the part that is neither.
    """
    for part in _parts(text):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part[:_SHOWN].strip()!r} is neither a seq nor a range of seqs such as 1-500")
        first = int(match[1])
        yield first, int(match[2]) if match[2] else first


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between commas, one by one: hundreds of millions of them would fill the memory."""
    start = 0
    while (end := text.find(",", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def windows(seqs: Iterable[int], span: int) -> Iterator[list[int]]:
    """Group rising seqs so that each group lies within so many seqs of each other.

    :param seqs: in rising order.
    :param span: how many seqs from the first to the last one of a group, themselves included.
    """
    window: list[int] = []
    for seq in seqs:
        if window and seq - window[0] >= span:
            yield window
            window = []
        window.append(seq)
    if window:
        yield window
