"""The policy of groups: which of their messages have had their time, and what becomes of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from . import policy_keys as keys
from .criteria import Meant, Replacement
from .durations import Age, fix_cut_off
from .patterns import Patterns
from .policy_file import read_policy

__all__ = ["Action", "Replacement", "RetentionPolicy", "read_policy"]

Action = Literal["clear", "recall", "redact", "redact_and_recall"]

_READERS: dict[str, keys.Reader] = {
    "action": keys.one_of("clear", "recall", "redact", "redact_and_recall"),
    "groups": keys.group_patterns,
    "all_groups": keys.flag,
    "group_types": keys.group_types,
    "exclude_groups": keys.group_patterns,
    **keys.COMMON_READERS,
    "overrides": keys.mappings,
}
_NOT_IN_OVERRIDES = ("all_groups", "hold_path", "overrides")
_OVERRIDE_READERS = {name: reader for name, reader in _READERS.items() if name not in _NOT_IN_OVERRIDES}
_CUT_OFF = ("before", "older_than")
_CRITERIA = ("from_accounts", "text_matches")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy(Meant):
    """What becomes of which messages of which groups; made by :meth:`parse`, which checks it.

    :param action: what becomes of the messages.
    :param before: the cut-off: older messages are touched; in UTC and whole seconds.
    :param older_than: the age that says where the cut-off lies, until :meth:`resolve` has fixed it.
    :param groups: ids and globs of the groups.
    :param all_groups: whether all groups are meant.
    :param group_types: the only types; empty for all.
    :param exclude_groups: ids and globs of groups that are not touched.
    :param hold_path: the file of the holds.
    :param keep_last: so many of the newest messages of a group stay.
    :param from_accounts: the only senders; empty for all.
    :param text_matches: regular expressions, one of which must be found in a text; empty for all messages.
    :param replacement: what messages are overwritten with.
    :param overrides: complete policies for some of the groups, the first of which that fits counts.
    :param allow_recent: whether the cut-off may be less than a day ago.
    """

    action: Action
    before: datetime | None = None
    older_than: Age | None = None
    groups: tuple[str, ...] = ()
    all_groups: bool = False
    group_types: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()
    hold_path: str | None = None
    keep_last: int = 0
    from_accounts: tuple[str, ...] = ()
    text_matches: tuple[str, ...] = ()
    replacement: Replacement | None = None
    overrides: tuple[RetentionPolicy, ...] = ()
    allow_recent: bool = False
    _selected: Patterns = field(init=False, repr=False, compare=False)
    _excluded: Patterns = field(init=False, repr=False, compare=False)
    _senders: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # They are asked for every group and every message.
        object.__setattr__(self, "_selected", Patterns(self.groups))
        object.__setattr__(self, "_excluded", Patterns(self.exclude_groups))
        object.__setattr__(self, "_senders", frozenset(self.from_accounts))

    @classmethod
    def parse(cls, given: object) -> RetentionPolicy:
        """Return the policy that a mapping says, after every check that needs neither a clock nor the service.

        :param given: the mapping, of anything that JSON or YAML can hold.
        :raises ValueError: naming the part and the key; no other error, whatever is given.
        """
        meant = keys.read_keys("policy", given, _READERS)
        if "action" not in meant:
            raise ValueError("policy: action is required")
        keys.check_one_of("policy", meant, *_CUT_OFF)
        if meant.get("all_groups") is False:
            raise ValueError("policy: all_groups: false selects nothing: leave it out, and give groups")
        keys.check_one_of("policy", meant, "groups", "all_groups")
        overrides = meant.pop("overrides", ())
        policy = _checked("policy", meant)
        return replace(
            policy, overrides=tuple(_override(policy, number, part) for number, part in enumerate(overrides, 1))
        )

    def for_group(self, group_id: str) -> RetentionPolicy:
        """Return the policy that counts for a group: the first override that names it, else this one.

        :param group_id: the GroupId.
        """
        return next((override for override in self.overrides if override.selects(group_id)), self)

    def selects(self, group_id: str) -> bool:
        """Tell whether a group is meant; whether it is excluded, :meth:`excludes` tells.

        :param group_id: the GroupId.
        """
        return self.all_groups or self._selected.matches(group_id)

    def excludes(self, group_id: str) -> bool:
        """Tell whether a group is excluded by name.

        :param group_id: the GroupId.
        """
        return self._excluded.matches(group_id)

    def resolve(self, reference: datetime, now: datetime) -> RetentionPolicy:
        """Return the policy with its cut-off, and those of its overrides, fixed.

        :param reference: what ages are counted from; in UTC when it names no zone.
        :param now: the time; likewise.
        :raises ValueError: naming the part whose cut-off lies in the future or, unless it allows that, less than a
            day ago.
        """
        overrides = (part._resolved(f"override {n}", reference, now) for n, part in enumerate(self.overrides, 1))
        return replace(self._resolved("policy", reference, now), overrides=tuple(overrides))

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping, fit for JSON, that :meth:`parse` reads back to an equal policy."""
        said = {
            "action": self.action,
            "before": self.before and self.before.isoformat(),
            "older_than": self.older_than and str(self.older_than),
            "groups": list(self.groups),
            "all_groups": self.all_groups,
            "group_types": list(self.group_types),
            "exclude_groups": list(self.exclude_groups),
            "hold_path": self.hold_path,
            "keep_last": self.keep_last,
            "from_accounts": list(self.from_accounts),
            "text_matches": list(self.text_matches),
            "replacement": self.replacement and self.replacement.to_dict(),
            "allow_recent": self.allow_recent,
            # An override would inherit what it does not say.
            "overrides": [part.to_dict() | {"allow_recent": part.allow_recent} for part in self.overrides],
        }
        return {name: value for name, value in said.items() if value}

    def _resolved(self, where: str, reference: datetime, now: datetime) -> RetentionPolicy:
        try:
            before = fix_cut_off(self.before, self.older_than, self.allow_recent, reference, now)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        return replace(self, before=before, older_than=None)


def _checked(where: str, meant: Mapping[str, Any]) -> RetentionPolicy:
    action = meant["action"]
    for criterion in _CRITERIA:
        if action == "clear" and meant.get(criterion):
            raise ValueError(f"{where}: {criterion} cannot narrow clear, which takes all: recall or redact instead")
    keys.check_replacement(where, action, meant.get("replacement"))
    return RetentionPolicy(**meant)


def _override(policy: RetentionPolicy, number: int, given: object) -> RetentionPolicy:
    where = f"override {number}"
    for name in _NOT_IN_OVERRIDES:
        if isinstance(given, Mapping) and name in given:
            raise ValueError(f"{where}: {name} belongs into the policy itself, not into an override")
    meant = keys.read_keys(where, given, _OVERRIDE_READERS)
    if "groups" not in meant:
        raise ValueError(f"{where}: groups is required")
    complete: dict[str, Any] = {name: getattr(policy, name) for name in _OVERRIDE_READERS} | meant
    if any(name in meant for name in _CUT_OFF):
        keys.check_one_of(where, meant, *_CUT_OFF)
        complete |= {name: meant.get(name) for name in _CUT_OFF}
    if not complete["action"].startswith("redact") and "replacement" not in meant:
        complete["replacement"] = None
    complete["exclude_groups"] = tuple(dict.fromkeys(policy.exclude_groups + meant.get("exclude_groups", ())))
    if policy.group_types and "group_types" in meant:
        complete["group_types"] = tuple(name for name in policy.group_types if name in meant["group_types"])
        if not complete["group_types"]:
            raise ValueError(f"{where}: group_types names none of the policy's own, which it can only narrow")
    return _checked(where, complete)
