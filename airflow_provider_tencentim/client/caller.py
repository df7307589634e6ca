"""What the commands of every kind of chat are built on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any

from .arguments import check_id
from .errors import TencentIMTransientError
from .transport import MAX_TRIES

#: Enough for 190 calls per second over a line of 80 ms.
USUALLY_IN_FLIGHT = 16

# So many pages in a row without anything new are followed; behind them there is nothing, whatever they say.
_EMPTY_PAGES = 100
# Whatever the service counts, in seconds, messages or pages, is a whole number of 64 bits. Longer ones are no numbers
# that arithmetic can be done with: they become neither a float nor a date nor, beyond 4,300 digits, text.
_LARGEST = 2**63


class Caller(ABC):
    """Something that can send any command."""

    @abstractmethod
    def call(self, command: str, body: Mapping[str, Any], *, tries: int = MAX_TRIES) -> dict[str, Any]:
        """Send any command of the REST API.

        :param command: ``service/command``, as in the URL behind ``/v4/``. One that the command table does not hold
            is taken to write, and is not repeated when its answer was lost.
        :param body: what is sent, as JSON.
        :param tries: at most so many.
        :return: the answer.
        :raises TencentIMError: the subclass of its kind.
        """

    def in_flight_wanted(self, command: str) -> int:
        """Return how many calls of a command have to be under way at once for its pace to be kept.

        :param command: as for ``call``. What measures its answers knows better.
        """
        return USUALLY_IN_FLIGHT

    @abstractmethod
    def cancel(self) -> None:
        """Send nothing more: waits are woken, and calls under way and later ones raise TencentIMCancelledError."""


def entries(command: str, answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of an answer; one that is not there is no empty one.

    :param command: the command that was asked.
    :param answer: what came back.
    :param name: the list's name.
    :raises TencentIMTransientError: when it is missing, or holds something else than objects.
    """
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise TencentIMTransientError(command, None, f"the answer has no list of objects as its {name}")
    return found


def number_of(command: str, entry: Mapping[str, Any], name: str) -> int:
    """Return a whole number of an answer.

    :param command: the command that was asked.
    :param entry: what came back, or an entry of one of its lists.
    :param name: the field.
    :raises TencentIMTransientError: when it is something else.
    """
    value = entry.get(name)
    if type(value) is not int or not -_LARGEST <= value < _LARGEST:
        raise TencentIMTransientError(command, None, f"the answer has no whole number as its {name}")
    return value


def text_of(command: str, entry: Mapping[str, Any], name: str) -> str:
    """Return a text of an answer.

    :param command: the command that was asked.
    :param entry: what came back, or an entry of one of its lists.
    :param name: the field.
    :raises TencentIMTransientError: when it is something else, or empty.
    """
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise TencentIMTransientError(command, None, f"the answer has no text as its {name}")
    return value


def id_of(command: str, entry: Mapping[str, Any], name: str, longest: int) -> str:
    """Return an id of an answer, such as the next call can name.

    :param command: the command that was asked.
    :param entry: what came back, or an entry of one of its lists.
    :param name: the field.
    :param longest: at most so many bytes.
    :raises TencentIMTransientError: when it is something else.
    """
    try:
        return check_id(name, entry.get(name), longest)
    except ValueError:
        raise TencentIMTransientError(command, None, f"the answer has no id as its {name}") from None


class Pages:
    """Sees to it that pages lead on: answers that lead back, or on and on to nothing, would be followed for ever.

    :param command: the command whose pages are read.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._seen: set[Hashable] = set()
        self._empty = 0

    def lead_to(self, place: Hashable, brought_something: bool) -> None:
        """Note where the next page begins.

        :param place: whatever tells one page from another.
        :param brought_something: whether this page held anything new.
        :raises TencentIMTransientError: when that page was read already, or when 100 pages in a row held nothing.
        """
        self._empty = 0 if brought_something else self._empty + 1
        if self._empty == _EMPTY_PAGES:
            raise TencentIMTransientError(self._command, None, f"{_EMPTY_PAGES} pages in a row hold nothing")
        if place in self._seen:
            raise TencentIMTransientError(self._command, None, "its pages lead back to one that was read already")
        self._seen.add(place)
