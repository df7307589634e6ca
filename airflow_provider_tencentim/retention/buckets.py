"""Groups and conversations in 256 buckets by a stable hash: shards are made of them, and the state is kept by them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

BUCKETS = 256

_SHARD = re.compile(r"\s*([0-9]{1,3})\s*/\s*([0-9]{1,3})\s*", re.ASCII)


def bucket_of(name: str) -> int:
    """Return the bucket of a group or conversation: the same on every machine, in every version.

    :param name: the GroupId, or what stands for a conversation.
    """
    return hashlib.sha256(name.encode()).digest()[0]


@dataclass(frozen=True, slots=True)
class Shard:
    """One of some disjoint parts of all groups.

    :param number: which one, from 1.
    :param count: how many there are, at most 256.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: object) -> Shard:
        """Read ``number/count``.

        :param text: such as ``"3/16"``.
        :raises ValueError: when it is something else.
        """
        match = _SHARD.fullmatch(text) if isinstance(text, str) else None
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count <= BUCKETS:
            raise ValueError(f"shard must be text such as '3/16': the third of 16 parts, of {BUCKETS} at most")
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def folder(self) -> str:
        """The name of its part of a plan."""
        return f"shard-{self.number:03}-of-{self.count:03}"

    def holds(self, bucket: int) -> bool:
        """Tell whether a bucket is in this part."""
        return bucket % self.count == self.number - 1
