"""The archive: messages that are about to go, written first, read back and compared.

One file a group, compressed, in the layout of the service's own hourly message files, so that whatever reads those
reads it, the emulator's ``--load`` among them. A manifest names the files.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from itertools import count, takewhile
from typing import Any

from airflow_provider_tencentim.client.history_file import HistoryHeader, read_history_file, write_history_file
from airflow_provider_tencentim.client.seqs import SeqSet

from .files import Folder, to_json

# The service names its files by the hour; the documents do not say in which zone, and its home is eight hours east.
_ZONE = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A row of the manifest.

    :param file: its name.
    :param chat: the group, or the two sides of a conversation.
    :param messages: how many it holds.
    :param seqs: their MsgSeqs as ranges; of a conversation none, since each side counts its own.
    :param sha256: of the file as it is stored.
    :param bytes: its length.
    """

    file: str
    chat: str
    messages: int
    seqs: str
    sha256: str
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the row as it is stored."""
        return asdict(self)


class Archive:
    """Writes files of messages.

    :param folder: where to.
    :param sdkappid: the app.
    :raises OSError: when there can be no such folder.
    """

    def __init__(self, folder: Folder, sdkappid: int) -> None:
        self.folder = folder
        self._sdkappid = sdkappid
        folder.mkdir(parents=True, exist_ok=True)

    def write(
        self, number: int, chat_type: str, chat: str, newest: int | None, messages: Iterable[dict[str, Any]]
    ) -> ArchivedFile:
        """Write the messages of a chat into a new file, and read them back.

        :param number: of the plan's row, which names the file: an id may hold anything. What an earlier try of the row
            wrote stays, since its messages may be gone by now.
        :param chat_type: ``Group`` or ``C2C``.
        :param chat: the chat, in words.
        :param newest: the time of its newest message, Unix seconds.
        :param messages: the messages in the layout of the hourly files, of any number.
        :return: the row of the manifest.
        :raises OSError: when it cannot be written, or is not what was written.
        """
        header = HistoryHeader(
            SdkAppId=self._sdkappid,
            ChatType=chat_type,
            MsgTime=datetime.fromtimestamp(newest or 0, _ZONE).strftime("%Y%m%d%H"),
        )
        path = next(path for path in self._paths(number) if not path.exists())
        content = _Content()
        try:
            with path.open("wb") as stored:
                hashed = _Hashed(stored)
                # Without a name and a time in it, the same messages make the same file.
                with gzip.GzipFile(filename="", fileobj=hashed, mode="wb", mtime=0) as file:
                    write_history_file(file, header, map(content.note, messages))
        except (ValueError, RecursionError):  # a number that JSON does not have, say
            raise OSError(f"{path.name} cannot hold one of the messages") from None
        written = content, hashed.sha256.hexdigest(), hashed.length
        try:
            is_complete = _read_back(path) == written
        except (ValueError, RecursionError):
            is_complete = False
        if not is_complete:
            raise OSError(f"{path.name} is not what was written")
        return _manifest_row(path, chat, *written)

    def earlier(self, number: int, chat: str) -> list[ArchivedFile]:
        """Return what earlier tries of a row archived; what they could not finish does not count.

        :param number: of the plan's row.
        :param chat: the chat, in words.
        :raises OSError: when a file cannot be read.
        """
        files = []
        for path in takewhile(lambda path: path.exists(), self._paths(number)):
            with suppress(ValueError, RecursionError):
                files.append(_manifest_row(path, chat, *_read_back(path)))
        return files

    def _paths(self, number: int) -> Iterator[Folder]:
        yield self.folder / f"{number:08}.gz"
        for again in count(2):
            yield self.folder / f"{number:08}-{again}.gz"


class _Content:
    """What messages a file holds."""

    def __init__(self) -> None:
        self.messages = 0
        self.seqs = SeqSet()
        self._hash = hashlib.sha256()

    def note(self, message: dict[str, Any]) -> dict[str, Any]:
        self.messages += 1
        self._hash.update(to_json(message))
        seq = message.get("MsgSeq")
        if "GroupId" in message and type(seq) is int and seq > 0:
            self.seqs.add(seq, seq)
        return message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self._hash.digest() == other._hash.digest()

    __hash__ = None  # type: ignore[assignment]  # it changes


def _manifest_row(path: Folder, chat: str, content: _Content, sha256: str, length: int) -> ArchivedFile:
    return ArchivedFile(path.name, chat, content.messages, content.seqs.to_text(), sha256, length)


def _read_back(path: Folder) -> tuple[_Content, str, int]:
    """Return what a file holds, its SHA-256 and its length.

    :raises ValueError: when it does not end as it should.
    """
    content = _Content()
    with path.open("rb") as stored:
        hashed = _Hashed(stored)
        for _, message in read_history_file(hashed):
            content.note(message)
        while hashed.read(65_536):
            pass
    return content, hashed.sha256.hexdigest(), hashed.length


def group_message(group: str, entry: Any) -> dict[str, Any]:
    """Lay a message of a group's history out as the hourly files have it.

    :param group: the GroupId.
    :param entry: an :class:`~airflow_provider_tencentim.retention.history.Entry`.
    """
    message = {"From_Account": entry.sender} if entry.sender else {}
    message |= {
        "GroupId": group,
        "MsgBody": entry.body,
        "MsgSeq": entry.seq,
        "MsgTimestamp": entry.time or 0,
    }
    if entry.random is not None:
        message["MsgRandom"] = entry.random
    if entry.custom is not None:
        message["CloudCustomData"] = entry.custom
    return message


class _Hashed:
    """A file of bytes that notes what passes."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.length = 0

    def write(self, content: bytes) -> int:
        self._note(content)
        self._file.write(content)
        return len(content)

    def read(self, size: int = -1, /) -> bytes:
        content: bytes = self._file.read(size)
        self._note(content)
        return content

    def flush(self) -> None:
        """What is behind flushes when it is closed."""

    def _note(self, content: bytes) -> None:
        self.sha256.update(content)
        self.length += len(content)
