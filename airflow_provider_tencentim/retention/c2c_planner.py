"""From a policy to the rows of a plan, for one-to-one conversations. It only reads."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_tencentim.client.arguments import LONGEST_USER_ID
from airflow_provider_tencentim.client.bulk import side_by_side
from airflow_provider_tencentim.client.c2c_commands import C2CCommands
from airflow_provider_tencentim.client.caller import id_of
from airflow_provider_tencentim.client.errors import TencentIMError, is_everywhere

from .buckets import Shard, bucket_of
from .c2c_history import HISTORY, Letter, read_letters
from .c2c_policy import C2CRetentionPolicy
from .groups import reason_of
from .patterns import Patterns
from .plan import PlanRow

# A row is a line of a file that is read as a whole.
_KEYS_PER_ROW = 2_000
_C2C = 1
_CONVERSATIONS = "recentcontact/get_list"

_Pair = tuple[str, str]


class C2CPlanner:
    """Plans conversation by conversation.

    :param client: only reads are sent through it.
    :param policy: what is meant, its cut-off fixed.
    :param holds: accounts whose conversations must not be touched.
    :param shard: which part of the conversations is planned.
    """

    def __init__(
        self, client: C2CCommands, policy: C2CRetentionPolicy, holds: Patterns, shard: Shard | None = None
    ) -> None:
        self._client = client
        self._policy = policy
        self._holds = holds
        self._shard = shard or Shard()
        self.listed = 0

    def rows(self) -> Iterator[PlanRow]:
        """Yield rows for every conversation that the policy names.

        :raises TencentIMError: when what must be known cannot be read.
        """
        for rows in side_by_side(self._plan, self._pairs(), self._client.cancel, size=self._reads_wanted, ordered=True):
            yield from rows

    def _reads_wanted(self) -> int:
        return self._client.in_flight_wanted(HISTORY)

    def _pairs(self) -> Iterator[_Pair]:
        """Yield the conversations, each once."""
        seen: set[_Pair] = set()
        for one, other in self._listed():
            pair = min(one, other), max(one, other)
            if pair in seen:
                continue
            seen.add(pair)
            self.listed += 1
            if self._shard.holds(bucket_of("\n".join(pair))):
                yield pair

    def _listed(self) -> Iterator[_Pair]:
        yield from self._policy.pairs
        for account in self._policy.accounts:
            for session in self._client.iter_conversations(account):
                if session.get("Type") == _C2C:
                    yield account, id_of(_CONVERSATIONS, session, "To_Account", LONGEST_USER_ID)

    def _plan(self, pair: _Pair) -> list[PlanRow]:
        if any(map(self._holds.matches, pair)):
            return [PlanRow(pair=pair, skip="held")]
        if self._policy.excludes(*pair):
            return [PlanRow(pair=pair, skip="excluded")]
        try:
            letters = self._meant(pair)
        except TencentIMError as error:
            if error.lasting and not is_everywhere(error):
                return [PlanRow(pair=pair, skip=reason_of(error))]
            raise
        if not letters:
            return [PlanRow(pair=pair, skip="nothing_matches")]
        return [self._row(pair, letters[at : at + _KEYS_PER_ROW]) for at in range(0, len(letters), _KEYS_PER_ROW)]

    def _meant(self, pair: _Pair) -> list[Letter]:
        policy = self._policy
        # Only when the newest ones stay need those behind the cut-off be known.
        # Whether the last second of a window belongs to it is not documented: the one behind it is asked for, too.
        newest = None if policy.keep_last else policy.cut_off
        there = [_without_content(letter, policy) for letter in read_letters(self._client, pair, newest=newest)]
        kept = sorted((one for one in there if not one[0].recalled), key=lambda one: -one[0].time)
        return [letter for letter, meant in kept[policy.keep_last :] if meant]

    def _row(self, pair: _Pair, letters: list[Letter]) -> PlanRow:
        keys = {
            sender: tuple(letter.key for letter in letters if letter.sender == sender)
            for sender in dict.fromkeys(letter.sender for letter in letters)
        }
        return PlanRow(
            pair=pair,
            action=self._policy.action,
            keys=keys,
            messages=len(letters),
            oldest=min(letter.time for letter in letters),
            newest=max(letter.time for letter in letters),
        )


def _without_content(letter: Letter, policy: C2CRetentionPolicy) -> tuple[Letter, bool]:
    """Return a message without its body, so that a long conversation fits, and whether it is meant."""
    meant = letter.time < policy.cut_off and policy.picks(letter)
    if policy.action == "redact":
        meant = meant and not policy.is_replaced(letter)
    return Letter(letter.sender, letter.recipient, letter.key, letter.time, letter.recalled), meant
