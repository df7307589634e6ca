"""How far a sweep came, so that a retry goes on there: rows below one number are done, but for those that failed."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_tencentim.client.seqs import SeqSet, parse_seqs

from .files import Folder, from_json, read_file, to_json, write_file
from .outcome import COUNTS

_LONGEST = 16 * 1024 * 1024


class Store(Protocol):
    """Keeps one JSON object for the retries of a task."""

    def load(self) -> Mapping[str, Any] | None: ...
    def save(self, value: Mapping[str, Any]) -> None: ...
    def clear(self) -> None: ...


class FileStore:
    """Keeps it in a file, sealed: whoever can write there must not be able to have rows count as done.

    :param path: the file.
    :param seal: of a client; what it makes of content nobody else can make.
    """

    def __init__(self, path: Folder, seal: Callable[[bytes], str]) -> None:
        self._path = path
        self._seal = seal

    def load(self) -> Mapping[str, Any] | None:
        """Return what was saved; None when nothing was, or when it is not as it was: then all is done again."""
        try:
            stored = from_json(self._path.name, read_file(self._path, _LONGEST))
            progress, seal = stored.get("progress"), stored.get("seal")
            if isinstance(progress, dict) and isinstance(seal, str):
                expected = self._seal(to_json(progress))
                return progress if hmac.compare_digest(seal.encode(), expected.encode()) else None
        except (OSError, ValueError, RecursionError):
            pass
        return None

    def save(self, value: Mapping[str, Any]) -> None:
        """Put it in the place of what was saved before.

        :param value: a JSON object.
        :raises OSError: when it cannot be written.
        """
        write_file(self._path, to_json({"progress": value, "seal": self._seal(to_json(value))}))

    def clear(self) -> None:
        """Forget it."""
        write_file(self._path, b"{}")


@dataclass
class Progress:
    """How far one plan was carried out.

    :param digest: of the plan.
    :param next: rows below it are done, or failed.
    :param failed: the numbers of the rows that failed, counted from 1.
    :param reports: how many parts the report has.
    :param manifests: how many parts the archive's manifest has.
    :param totals: of the rows that are done.
    :param skipped: how many rows were skipped when their turn came, by reason.
    """

    digest: str
    next: int = 0
    failed: SeqSet = field(default_factory=SeqSet)
    reports: int = 0
    manifests: int = 0
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    skipped: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "digest": self.digest,
            "next": self.next,
            "failed": self.failed.to_text(),
            "reports": self.reports,
            "manifests": self.manifests,
            "totals": self.totals,
            "skipped": self.skipped,
        }

    @classmethod
    def from_dict(cls, digest: str, value: Mapping[str, Any] | None) -> Progress:
        """Read what was stored; what is of another plan, or not as it should be, counts as nothing.

        :param digest: of the plan that is carried out now.
        :param value: what a store had.
        """
        if not isinstance(value, Mapping) or value.get("digest") != digest:
            return cls(digest)
        numbers: list[Any] = [value.get(name) for name in ("next", "reports", "manifests")]
        totals, skipped, failed = value.get("totals"), value.get("skipped"), value.get("failed")
        if not (
            _are_counts(numbers)
            and isinstance(totals, Mapping)
            and set(totals) == set(COUNTS)
            and _are_counts(totals.values())
            and isinstance(skipped, Mapping)
            and _are_counts(skipped.values())
            and isinstance(failed, str)
        ):
            return cls(digest)
        try:
            seqs = parse_seqs([failed]) if failed else SeqSet()
        except ValueError:
            return cls(digest)
        following, reports, manifests = numbers
        # Only rows that had their turn can have failed: four billion others are not worth counting.
        if seqs and seqs.last() > following:
            return cls(digest)
        return cls(digest, following, seqs, reports, manifests, dict(totals), dict(skipped))


def _are_counts(values: Any) -> bool:
    return all(type(value) is int and value >= 0 for value in values)
