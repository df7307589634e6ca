"""Files for download, under addresses that nobody can guess."""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable
from dataclasses import dataclass

# How a download is called in statistics and by fault rules: it is no command of the API.
DOWNLOAD_COMMAND = "msg_history/download"

_PATH = re.compile(r"/msg_history/([0-9a-f]{32})\.gz")


@dataclass(frozen=True, slots=True)
class Download:
    """A file, and until when it can be fetched."""

    token: str
    content: bytes
    expires: float

    @property
    def path(self) -> str:
        """The path of its URL."""
        return f"/msg_history/{self.token}.gz"


def is_download(method: str, path: str) -> bool:
    """Tell whether a request asks for a file and not for a command."""
    return method == "GET" and _PATH.fullmatch(path) is not None


class Downloads:
    """The files that were offered."""

    def __init__(self) -> None:
        self._files: dict[Hashable, Download] = {}

    def offer(self, key: Hashable, content: bytes, now: float, expires: float) -> Download:
        """Return the download of a file: the same as before while neither its content nor its address is outdated.

        :param key: what the file is; another content takes the place of the old one.
        :param content: its bytes.
        :param now: the time.
        :param expires: until when a new address holds.
        """
        known = self._files.get(key)
        if known is None or known.content != content or known.expires < now:
            known = self._files[key] = Download(secrets.token_hex(16), content, expires)
        return known

    def find(self, path: str, now: float) -> bytes | None:
        """Return the file under a path, None when there is none, or no longer."""
        for file in self._files.values():
            if file.path == path and now <= file.expires:
                return file.content
        return None
