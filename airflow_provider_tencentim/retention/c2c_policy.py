"""The policy of one-to-one conversations: which of their messages have had their time, and what becomes of these."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from . import policy_keys as keys
from .criteria import Meant, Replacement
from .durations import Age, fix_cut_off
from .patterns import Patterns

C2CAction = Literal["recall", "redact"]

_READERS: dict[str, keys.Reader] = {
    "action": keys.one_of("recall", "redact"),
    "pairs": keys.pairs,
    "accounts": keys.list_of(keys.account),
    "exclude_accounts": keys.account_patterns,
    **keys.COMMON_READERS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class C2CRetentionPolicy(Meant):
    """What becomes of which messages of which conversations; made by :meth:`parse`, which checks it.

    :param action: what becomes of the messages.
    :param before: the cut-off: older messages are touched; in UTC and whole seconds.
    :param older_than: the age that says where the cut-off lies, until :meth:`resolve` has fixed it.
    :param pairs: the two UserIDs of each conversation.
    :param accounts: UserIDs, all of whose conversations are meant.
    :param exclude_accounts: ids and globs of UserIDs whose conversations are not touched.
    :param hold_path: the file of the holds.
    :param keep_last: so many of the newest messages of a conversation stay.
    :param from_accounts: the only senders; empty for both sides.
    :param text_matches: regular expressions, one of which must be found in a text; empty for all messages.
    :param replacement: what messages are overwritten with.
    :param allow_recent: whether the cut-off may be less than a day ago.
    """

    action: C2CAction
    before: datetime | None = None
    older_than: Age | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    accounts: tuple[str, ...] = ()
    exclude_accounts: tuple[str, ...] = ()
    hold_path: str | None = None
    keep_last: int = 0
    from_accounts: tuple[str, ...] = ()
    text_matches: tuple[str, ...] = ()
    replacement: Replacement | None = None
    allow_recent: bool = False
    _selected: frozenset[str | frozenset[str]] = field(init=False, repr=False, compare=False)
    _excluded: Patterns = field(init=False, repr=False, compare=False)
    _senders: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # They are asked for every conversation and every message.
        object.__setattr__(self, "_selected", frozenset(self.accounts) | {frozenset(pair) for pair in self.pairs})
        object.__setattr__(self, "_excluded", Patterns(self.exclude_accounts))
        object.__setattr__(self, "_senders", frozenset(self.from_accounts))

    @classmethod
    def parse(cls, given: object) -> C2CRetentionPolicy:
        """Return the policy that a mapping says, after every check that needs neither a clock nor the service.

        :param given: the mapping, of anything that JSON or YAML can hold.
        :raises ValueError: naming the key; no other error, whatever is given.
        """
        meant = keys.read_keys("policy", given, _READERS)
        if "action" not in meant:
            raise ValueError("policy: action is required")
        keys.check_one_of("policy", meant, "before", "older_than")
        keys.check_one_of("policy", meant, "pairs", "accounts")
        keys.check_replacement("policy", meant["action"], meant.get("replacement"))
        return cls(**meant)

    def selects(self, account: str, peer: str) -> bool:
        """Tell whether a conversation is meant; whether it is excluded, :meth:`excludes` tells.

        :param account: the UserID of one side.
        :param peer: the UserID of the other.
        """
        return not self._selected.isdisjoint((account, peer, frozenset((account, peer))))

    def excludes(self, account: str, peer: str) -> bool:
        """Tell whether a side of a conversation is excluded by name.

        :param account: the UserID of one side.
        :param peer: the UserID of the other.
        """
        return self._excluded.matches(account) or self._excluded.matches(peer)

    def resolve(self, reference: datetime, now: datetime) -> C2CRetentionPolicy:
        """Return the policy with its cut-off fixed.

        :param reference: what the age is counted from; in UTC when it names no zone.
        :param now: the time; likewise.
        :raises ValueError: when the cut-off lies in the future or, unless the policy allows that, less than a day ago.
        """
        try:
            before = fix_cut_off(self.before, self.older_than, self.allow_recent, reference, now)
        except ValueError as error:
            raise ValueError(f"policy: {error}") from None
        return replace(self, before=before, older_than=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the mapping, fit for JSON, that :meth:`parse` reads back to an equal policy."""
        said = {
            "action": self.action,
            "before": self.before and self.before.isoformat(),
            "older_than": self.older_than and str(self.older_than),
            "pairs": [list(pair) for pair in self.pairs],
            "accounts": list(self.accounts),
            "exclude_accounts": list(self.exclude_accounts),
            "hold_path": self.hold_path,
            "keep_last": self.keep_last,
            "from_accounts": list(self.from_accounts),
            "text_matches": list(self.text_matches),
            "replacement": self.replacement and self.replacement.to_dict(),
            "allow_recent": self.allow_recent,
        }
        return {name: value for name, value in said.items() if value}
