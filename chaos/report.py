"""What came of a campaign, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .tally import Tally


def as_dict(tally: Tally, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return it for programs.

    :param tally: what was counted.
    :param facts: seed, seconds and sizes.
    """
    return {"campaign": dict(facts), **tally.to_dict()}


def as_table(tally: Tally, facts: Mapping[str, Any]) -> str:
    """Return it for people; the arguments are as above."""
    lines = [", ".join(f"{name} {value}" for name, value in facts.items()), ""]
    sections: dict[str, Mapping[str, int]] = {
        "Counted": tally.counts,
        f"Faults injected: {sum(tally.injected.values()):,}": tally.injected,
        f"What the client saw, of {tally.counts['tries']:,} tries": tally.seen,
        "Outcomes": tally.outcomes,
        "Broken promises": tally.violations,
    }
    for title, counter in sections.items():
        lines.append(title)
        lines += [f"  {number:>9,}  {name}" for name, number in _sorted(counter, title)]
        lines.append("")
    lines += [f"  {example}" for example in tally.examples]
    broken = sum(tally.violations.values())
    lines.append(f"{broken} promises broken." if broken else "No promise was broken.")
    return "\n".join(lines)


def _sorted(counter: Mapping[str, int], title: str) -> list[tuple[str, int]]:
    return list(counter.items()) if title == "Broken promises" else Counter(counter).most_common()
