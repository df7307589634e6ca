"""From a policy to the rows of a plan: which groups there are, and which of their messages are meant. It only reads."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from airflow_provider_tencentim.client.arguments import LONGEST_GROUP_ID
from airflow_provider_tencentim.client.bulk import runs, side_by_side
from airflow_provider_tencentim.client.caller import id_of
from airflow_provider_tencentim.client.errors import TencentIMError, is_everywhere
from airflow_provider_tencentim.client.group_commands import GroupCommands
from airflow_provider_tencentim.client.seqs import SeqSet

from .buckets import Shard, bucket_of
from .cutoff import CutOff, OutOfOrderError, find_cut_off
from .groups import GROUPS_A_CALL, INFO, GroupFacts, look_up, reason_of, why_missing
from .history import HISTORY, Entry, GroupHistory
from .patterns import Patterns
from .plan import PlanRow
from .policy import RetentionPolicy
from .state import State

log = logging.getLogger(__name__)

_LIST = "group_open_http_svc/get_appid_group_list"
# Longer histories are read by themselves, their pages side by side; shorter ones page by page, side by side.
LONG_HISTORY = 1_000
# A row is a line of a file that is read as a whole.
_RANGES_PER_ROW = 20_000


class GroupPlanner:
    """Plans group by group.

    :param client: only reads are sent through it.
    :param policy: what is meant, its cut-offs fixed.
    :param holds: groups that must not be touched, whatever the policy says.
    :param state: how far earlier runs went; None to plan everything.
    :param shard: which part of the groups is planned.
    """

    def __init__(
        self,
        client: GroupCommands,
        policy: RetentionPolicy,
        holds: Patterns,
        state: State | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._client = client
        self._policy = policy
        self._holds = holds
        self._state = state
        self._shard = shard or Shard()
        self.listed = 0

    def rows(self) -> Iterator[PlanRow]:
        """Yield a row for every group that the policy names, in an order that is always the same.

        :raises TencentIMError: when what must be known cannot be read.
        :raises ValueError: when the state is not as it should be.
        """
        candidates = runs(self._candidates(), lambda candidate: not isinstance(candidate, PlanRow))
        for run in side_by_side(self._plan_run, candidates, self._client.cancel, size=self._reads_wanted, ordered=True):
            for planned in run:
                yield from self._select_wide(planned) if isinstance(planned, _Found) else planned

    def _reads_wanted(self) -> int:
        return self._client.in_flight_wanted(HISTORY)

    # --- which groups there are

    def _candidates(self) -> Iterator[PlanRow | _Candidate]:
        """Yield what is known of every group, or the row of one that is left alone without a read."""
        with tempfile.TemporaryDirectory(prefix="tencentim-") as folder:
            batches = _batches(self._unless_spared(self._ids(Path(folder))), GROUPS_A_CALL)
            for batch in side_by_side(
                self._look_at,
                batches,
                self._client.cancel,
                size=partial(self._client.in_flight_wanted, INFO),
                ordered=True,
            ):
                for facts in batch:
                    yield facts if isinstance(facts, PlanRow) else self._candidate(facts)

    def _ids(self, folder: Path) -> Iterator[str]:
        """Yield the ids that the policy selects, each once, bucket by bucket: on disk, since they may be millions."""
        with ExitStack() as files:
            buckets: dict[int, Any] = {}
            for group in self._listed():
                self.listed += 1
                bucket = bucket_of(group)
                if not self._policy.selects(group) or not self._shard.holds(bucket):
                    continue
                if bucket not in buckets:
                    buckets[bucket] = files.enter_context((folder / str(bucket)).open("w", encoding="utf-8"))
                buckets[bucket].write(f"{group}\n")
        for bucket in sorted(buckets):
            yield from sorted(set((folder / str(bucket)).read_text(encoding="utf-8").splitlines()))

    def _listed(self) -> Iterator[str]:
        """Yield the ids to choose from; one that the policy spells out is among them even if there is no such group."""
        named = Patterns(self._policy.groups)
        yield from named.ids
        if not self._policy.all_groups and not named.has_globs:
            return
        # Overrides narrow the types further, and never widen them.
        for group_type in self._policy.group_types or (None,):
            for group in self._client.iter_groups(group_type):
                yield id_of(_LIST, {"GroupId": group}, "GroupId", LONGEST_GROUP_ID)

    def _unless_spared(self, groups: Iterable[str]) -> Iterator[PlanRow | str]:
        """Yield the ids to ask for, and the rows of those that need not be asked for."""
        for group in groups:
            if self._holds.matches(group):
                yield PlanRow(group=group, skip="held")
            elif self._policy.for_group(group).excludes(group):
                yield PlanRow(group=group, skip="excluded")
            else:
                yield group

    def _look_at(self, batch: list[PlanRow | str]) -> list[PlanRow | GroupFacts]:
        found = look_up(self._client, [group for group in batch if isinstance(group, str)])
        return [_facts_or_row(entry, found[entry]) if isinstance(entry, str) else entry for entry in batch]

    def _candidate(self, facts: GroupFacts) -> PlanRow | _Candidate:
        policy = self._policy.for_group(facts.group)
        reason = _why_not(facts, policy)
        done = self._state.through(facts.group, facts.created or 0) if self._state and not reason else 0
        candidate = _Candidate(facts, policy, done)
        return candidate.skipped(reason or "nothing_new") if reason or done >= candidate.newest else candidate

    # --- what is meant in them

    def _plan_run(self, run: list[PlanRow | _Candidate]) -> list[list[PlanRow] | _Found]:
        return [self._plan(candidate) for candidate in run]

    def _plan(self, candidate: PlanRow | _Candidate) -> list[PlanRow] | _Found:
        """Plan a group; one with a long history is only begun, since its pages are read side by side."""
        if isinstance(candidate, PlanRow):
            return [candidate]
        history = GroupHistory(self._client, candidate.facts.group)
        try:
            found = _find(history, candidate)
            if isinstance(found, PlanRow):
                return [found]
            if found.policy.action != "clear" and found.cut.through - found.done > LONG_HISTORY:
                return found
            return self._select(found, wide=False)
        except TencentIMError as error:
            return [_unreadable(candidate, error)]

    def _select_wide(self, found: _Found) -> list[PlanRow]:
        try:
            return self._select(found, wide=True)
        except TencentIMError as error:
            return [_unreadable(found, error)]

    def _select(self, found: _Found, wide: bool) -> list[PlanRow]:
        """Return the rows of a group whose cut-off is known."""
        if found.policy.action == "clear":
            return [found.row(messages=found.cut.through - found.done)]
        history = GroupHistory(self._client, found.facts.group)
        walk = (
            history.walk_wide(found.cut.through, found.done, self._client.cancel)
            if wide
            else history.walk(found.cut.through, found.done)
        )
        seqs, times = SeqSet(), _Times()
        for entry in walk:
            if _is_meant(entry, found.policy):
                seqs.add(entry.seq, entry.seq)
                times.add(entry.time)
        if not seqs:
            # The row says how far was looked, so that the next run need not look again.
            return [replace(found.row(), action=None, skip="nothing_matches")]
        return list(_rows(found, seqs, times))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A group that may hold what is meant.

    :param facts: what is known of it.
    :param policy: the one that counts for it.
    :param done: the MsgSeq through which earlier runs went.
    """

    facts: GroupFacts
    policy: RetentionPolicy
    done: int

    @property
    def newest(self) -> int:
        return self.facts.newest or 0

    def skipped(self, reason: str) -> PlanRow:
        return PlanRow(group=self.facts.group, type=self.facts.type, create_time=self.facts.created, skip=reason)


@dataclass(frozen=True, slots=True)
class _Found(_Candidate):
    """A group whose cut-off was found."""

    cut: CutOff

    def row(self, **fields: Any) -> PlanRow:
        row: dict[str, Any] = {
            "group": self.facts.group,
            "type": self.facts.type,
            "create_time": self.facts.created,
            "action": self.policy.action,
            "through": self.cut.through,
            "lower": self.done,
            "oldest": self.cut.oldest,
            "newest": self.cut.time,
        }
        return PlanRow(**row | fields)


class _Times:
    """The oldest and the newest time that were seen."""

    def __init__(self) -> None:
        self.oldest: int | None = None
        self.newest: int | None = None

    def add(self, time: int | None) -> None:
        if time is not None:
            self.oldest = time if self.oldest is None else min(self.oldest, time)
            self.newest = time if self.newest is None else max(self.newest, time)


def _facts_or_row(group: str, info: dict[str, Any]) -> PlanRow | GroupFacts:
    if reason := why_missing(info):
        return PlanRow(group=group, skip=reason)
    return GroupFacts.of(info)


def _why_not(facts: GroupFacts, policy: RetentionPolicy) -> str | None:
    """Return why a group needs no read at all, or None."""
    if policy.group_types and facts.type not in policy.group_types:
        return "group_type"
    if facts.type == "AVChatRoom":
        return "no_history"
    if facts.type == "Community" and policy.action == "clear":
        return "cannot_be_cleared"
    # Without them, nobody could tell later whether it is still the same group, or where its history ends.
    if facts.created is None or facts.newest is None:
        return "profile_incomplete"
    if facts.newest == 0:
        return "empty"
    return "nothing_older" if facts.created >= policy.cut_off else None


def _find(history: GroupHistory, candidate: _Candidate) -> PlanRow | _Found:
    """Find the last message that is meant, in the order of time."""
    facts, policy = candidate.facts, candidate.policy
    try:
        cut = find_cut_off(
            history.page,
            cut_off=policy.cut_off,
            newest=candidate.newest,
            created=facts.created,
            last_time=facts.last_time,
            lower=candidate.done,
        )
    except OutOfOrderError:
        return candidate.skipped("out_of_order")
    if cut.through <= candidate.done:
        return candidate.skipped("nothing_new" if candidate.done else "nothing_older")
    if cut.unread:
        log.warning("Group %s: %d MsgSeqs behind the cut-off could not be read", facts.group, cut.unread)
    if policy.keep_last:
        cut = _spare_newest(history, candidate, cut)
        if cut.through <= candidate.done:
            return candidate.skipped("kept")
    return _Found(facts, policy, candidate.done, cut)


def _unreadable(candidate: _Candidate, error: TencentIMError) -> PlanRow:
    """Return the row of a group whose history cannot be read: it was dissolved meanwhile, say.

    :raises TencentIMError: when that says nothing of the group.
    """
    if error.lasting and not is_everywhere(error):
        return candidate.skipped(reason_of(error))
    raise error


def _spare_newest(history: GroupHistory, candidate: _Candidate, cut: CutOff) -> CutOff:
    """Return the cut-off moved down so far that the newest messages stay; what members do not see does not count."""
    spared = 0
    for entry in history.walk(candidate.newest, candidate.done):
        if spared < candidate.policy.keep_last:
            spared += entry.is_message
        elif entry.seq <= cut.through and entry.time is not None and entry.time < candidate.policy.cut_off:
            oldest = entry.time if cut.oldest is None else min(cut.oldest, entry.time)
            return replace(cut, through=entry.seq, time=entry.time, oldest=oldest)
    return replace(cut, through=0)


def _is_meant(entry: Entry, policy: RetentionPolicy) -> bool:
    if not entry.is_message or (entry.time is not None and entry.time >= policy.cut_off) or not policy.picks(entry):
        return False
    # One that is overwritten already is still to be recalled.
    return policy.action != "redact" or not policy.is_replaced(entry)


def _rows(found: _Found, seqs: SeqSet, times: _Times) -> Iterator[PlanRow]:
    """Yield one row, or several that follow one another when there are very many ranges."""
    lower = found.done
    ranges = list(_batches(seqs.ranges(), _RANGES_PER_ROW))
    for number, batch in enumerate(ranges, start=1):
        through = found.cut.through if number == len(ranges) else batch[-1][1]
        yield found.row(
            lower=lower,
            through=through,
            ranges=", ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in batch),
            messages=sum(last - first + 1 for first, last in batch),
            oldest=times.oldest,
            newest=times.newest,
        )
        lower = through


Item = TypeVar("Item")


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
