"""The parts of a sweep put together: what the shards planned, and what became of them, as one count that adds up."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .files import Folder, to_json, write_file
from .outcome import COUNTS

_PLANNED = ("groups", "messages")
_APPLIED = ("groups", "failed_groups", *COUNTS)
_REPORT = ("plan", "digest", "report", "archive", "groups", "failed_groups", *COUNTS)
_NAMED = ("plan", "digest")
# What of a digest names a file.
_SHORT = 16


def join_plans(plans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up what the planning tasks of the shards returned.

    :param plans: their results, of one run.
    :return: ``{"shards", "cut_off", "action", "listed", "groups", "messages", "skipped": {reason: n},
        "incremental"}``.
    :raises ValueError: when there are none, when one is there twice, or when they are of different runs or policies.
    """
    parts = _different(plans, "cut_off", "action")
    if not parts:
        raise ValueError("there is no plan to join")
    for name in ("cut_off", "action", "incremental"):
        if len({part.get(name) for part in parts}) > 1:
            raise ValueError(f"the plans differ in their {name}: they are not the shards of one sweep")
    return {
        "shards": len(parts),
        "cut_off": parts[0]["cut_off"],
        "action": parts[0]["action"],
        # Every shard lists all groups, to choose its own from.
        "listed": max(_count(part, "listed") for part in parts),
        **_totals(parts, _PLANNED),
        "skipped": _skipped(parts),
        "incremental": bool(parts[0].get("incremental")),
    }


def join_summaries(
    summaries: Iterable[Mapping[str, Any]], plans: Iterable[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Add up what the tasks returned that carried out the plans of the shards.

    :param summaries: their results, also of those that failed.
    :param plans: what the planning tasks returned, so that a shard of which nothing is known is missed; None to join
        what is there.
    :return: ``{"status", "shards", "unreported", "incremental", "groups", "failed_groups", "skipped": {reason: n},
        "requested", "done", "already", "missing", "failed", "calls"}``. ``requested`` is the sum of the next four, of
        all shards that reported; ``unreported`` lists the plans of the others. ``status`` is ``done`` only when every
        plan was reported and nothing failed, else ``failed``.
    :raises ValueError: when one is there twice, is of none of the plans, or does not add up.
    """
    parts = _different(summaries)
    planned = {plan["digest"]: str(plan["plan"]) for plan in _different(plans)} if plans is not None else {}
    for part in parts:
        if plans is not None and part["digest"] not in planned:
            raise ValueError(f"{part.get('plan')} is none of the plans")
        if _count(part, "requested") != sum(_count(part, name) for name in ("done", "already", "missing", "failed")):
            raise ValueError(f"the counts of {part.get('plan')} do not add up")
    reported = {part["digest"] for part in parts}
    unreported = [plan for digest, plan in planned.items() if digest not in reported]
    totals = _totals(parts, _APPLIED)
    failed = unreported or totals["failed"] or totals["failed_groups"]
    return {
        "status": "failed" if failed else "done",
        "shards": len(parts) + len(unreported),
        "unreported": unreported,
        # One part that leaves out what earlier runs did is enough for the whole not to be complete in itself.
        "incremental": any(part.get("incremental") for part in parts),
        "groups": totals.pop("groups"),
        "failed_groups": totals.pop("failed_groups"),
        "skipped": _skipped(parts),
        **totals,
    }


def write_joined(
    folder: Folder, summaries: Iterable[Mapping[str, Any]], plans: Iterable[Mapping[str, Any]] | None = None
) -> tuple[str, dict[str, Any]]:
    """Join the results of the shards, and write that down with where the report of each is.

    The file is named by the digests of the plans, so that a retry replaces it.

    :param folder: the ``report_path`` of the shards.
    :param summaries: as for :func:`join_summaries`.
    :param plans: as for :func:`join_summaries`.
    :return: the path of the file, and what :func:`join_summaries` returns.
    :raises ValueError: as it does.
    :raises OSError: when the file cannot be written.
    """
    parts, planned = list(summaries), None if plans is None else list(plans)
    joined = join_summaries(parts, planned)
    digests = sorted(part["digest"] for part in (parts if planned is None else planned))
    name = hashlib.sha256("\n".join(digests).encode()).hexdigest()[:_SHORT]
    path = folder / f"joined-{name}.json"
    shards = [{key: part.get(key) for key in _REPORT} for part in sorted(parts, key=lambda part: str(part["plan"]))]
    write_file(path, to_json(joined | {"reports": shards}))
    return str(path), joined


def _different(parts: Iterable[Mapping[str, Any]], *said: str) -> list[Mapping[str, Any]]:
    """Return the results, each of another plan: one that counted twice would claim what was not done.

    :param parts: of the tasks.
    :param said: what each must say in words, besides its plan and its digest.
    """
    found = list(parts)
    for part in found:
        if not isinstance(part, Mapping) or not all(isinstance(part.get(name), str) for name in (*_NAMED, *said)):
            raise ValueError("what is joined must be the results of planning or applying tasks")
    for digest, times in Counter(part["digest"] for part in found).items():
        if times > 1:
            raise ValueError(f"the plan of digest {digest[:_SHORT]} is there {times} times")
    return found


def _count(part: Mapping[str, Any], name: str) -> int:
    return _checked_count(part, name, part.get(name))


def _checked_count(part: Mapping[str, Any], name: str, value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{part.get('plan')} has no count as its {name}")
    return value


def _totals(parts: list[Mapping[str, Any]], names: tuple[str, ...]) -> dict[str, int]:
    return {name: sum(_count(part, name) for part in parts) for name in names}


def _skipped(parts: list[Mapping[str, Any]]) -> dict[str, int]:
    skipped: Counter[str] = Counter()
    for part in parts:
        reasons = part.get("skipped")
        if not isinstance(reasons, Mapping):
            raise ValueError(f"{part.get('plan')} does not say what it skipped")
        skipped.update({reason: _checked_count(part, reason, count) for reason, count in reasons.items()})
    return dict(sorted(skipped.items()))
