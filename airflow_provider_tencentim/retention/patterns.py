"""Ids and globs: one of them names what is equal to it, and what it globs."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator

_GLOB = re.compile(r"[*?\[]")


class Patterns:
    """Tells which ids some ids and globs name; lower and upper case differ.

    :param patterns: ids, and globs of ``*``, ``?`` and ``[...]``.
    """

    __slots__ = ("_all", "_globs", "ids")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        # A dict keeps the order.
        distinct = dict.fromkeys(patterns)
        #: Those that are no globs, in the order given.
        self.ids: tuple[str, ...] = tuple(pattern for pattern in distinct if not is_glob(pattern))
        self._globs = tuple(re.compile(fnmatch.translate(pattern)) for pattern in distinct if is_glob(pattern))
        self._all = frozenset(distinct)

    @property
    def has_globs(self) -> bool:
        """Whether there is a glob among them."""
        return bool(self._globs)

    def matches(self, name: str) -> bool:
        """Tell whether one of them is equal to an id or globs it.

        :param name: a GroupId or a UserID.
        """
        return name in self._all or any(glob.match(name) for glob in self._globs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def is_glob(pattern: str) -> bool:
    """Tell whether a pattern can name more than the id that is equal to it.

    :param pattern: an id or a glob.
    """
    return _GLOB.search(pattern) is not None
