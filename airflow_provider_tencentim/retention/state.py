"""How far earlier runs went, per app, action and group, so that a nightly run looks only at what is new.

It only ever narrows a plan: where it is missing or of another group of the same id, the run is complete in itself.
"""

from __future__ import annotations

from collections import defaultdict

from .buckets import bucket_of
from .files import Folder, from_json, read_file, to_json, write_file
from .plan import PlanRow
from .policy import RetentionPolicy

# A hundred thousand groups a file, and 25 million in all; it is read into ten times as much memory at most.
_LONGEST = 16 * 1024 * 1024

# By group and kind of work: CreateTime and MsgSeq.
_Stored = dict[str, dict[str, list[int]]]


class State:
    """The MsgSeq through which each group is done.

    :param folder: where it is kept.
    :param sdkappid: the app.
    :param policy: what is done in a group, and what that is narrowed by: only earlier work of the same kind counts.
    """

    def __init__(self, folder: Folder, sdkappid: int, policy: RetentionPolicy) -> None:
        self._folder = folder / str(sdkappid)
        self._policy = policy
        self._bucket = -1
        self._known: _Stored = {}
        self._new: defaultdict[int, list[PlanRow]] = defaultdict(list)

    def through(self, group: str, create_time: int) -> int:
        """Return the MsgSeq through which a group is done, 0 for one that is not known.

        Groups are best asked for bucket by bucket: only one bucket is held.

        :param group: the GroupId.
        :param create_time: its CreateTime; that of another one is not this group.
        :raises ValueError: when what is stored is not as it should be.
        """
        if (bucket := bucket_of(group)) != self._bucket:
            self._known, self._bucket = self._load(bucket), bucket
        return self._through(self._known, group, create_time)

    def record(self, row: PlanRow) -> None:
        """Note that a group is done through the row's MsgSeq; it is stored by ``save``.

        :param row: of the plan. It counts only where earlier work ended where it began.
        """
        if row.group is not None and row.through:
            self._new[bucket_of(row.group)].append(row)

    def save(self) -> None:
        """Store what was noted.

        :raises OSError: when it cannot be written.
        :raises ValueError: when what is stored is not as it should be.
        """
        for bucket, rows in self._new.items():
            known = self._load(bucket)
            for row in rows:
                group, created = row.group or "", row.create_time or 0
                done = self._through(known, group, created)
                if row.lower <= done < row.through:
                    known.setdefault(group, {})[self._work(group)] = [created, row.through]
            write_file(self._folder / _name(bucket), to_json(known))
        self._bucket = -1
        self._new.clear()

    def _through(self, known: _Stored, group: str, create_time: int) -> int:
        created, through = known.get(group, {}).get(self._work(group), (create_time, 0))
        return through if created == create_time else 0

    def _work(self, group: str) -> str:
        policy = self._policy.for_group(group)
        return f"{policy.action} {policy.selection_key}"

    def _load(self, bucket: int) -> _Stored:
        path = self._folder / _name(bucket)
        try:
            stored = from_json(path.name, read_file(path, _LONGEST))
            if not all(map(_is_entry, stored.values())):
                raise ValueError(f"{path.name} holds something else than groups")
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(f"state_path: {error}; without this file the next run starts afresh") from None
        return stored


def _name(bucket: int) -> str:
    return f"{bucket:02x}.json"


def _is_entry(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(done, list) and len(done) == 2 and all(type(number) is int and number >= 0 for number in done)
        for done in value.values()
    )
