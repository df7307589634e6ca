"""What the files of pinned requirements say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"

_LINE = re.compile(r"([a-z0-9][a-z0-9.-]*)==([^\s;]+)(?: ; (?:(?! --).)+)?((?: --hash=sha256:[0-9a-f]{64})*)", re.ASCII)


class Pin(NamedTuple):
    """A line of a lock.

    :param name: of the package, normalized.
    :param version: the one that is pinned.
    :param hashes: SHA-256 of every file of that release.
    """

    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(path: Path) -> list[Pin]:
    """Read a lock.

    :param path: of the file.
    :raises ValueError: showing the first line that is no pin.
    """
    pins = []
    for line in re.sub(r"\s*\\\n\s*", " ", path.read_text()).splitlines():
        if line.strip():
            if not (found := _LINE.fullmatch(line.strip())):
                raise ValueError(f"{path.name} holds what is no pin: {line[:80]!r}")
            pins.append(Pin(found[1], found[2], tuple(re.findall("sha256:(.{64})", found[3]))))
    return pins
