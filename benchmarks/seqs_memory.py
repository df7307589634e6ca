"""Peak memory of 10,000,000 MsgSeqs: as one range, and from lines in no order.

Against a Python set of them.
"""

from __future__ import annotations

import random
import sys

from measure import check, compare, heading, in_a_process

NUMBER = 10_000_000


def nothing() -> int:
    import airflow_provider_tencentim.client.seqs  # noqa: F401

    return 0


def as_a_range() -> int:
    from airflow_provider_tencentim.client.seqs import parse_seqs

    return len(parse_seqs([f"1-{NUMBER}"]))


def from_lines() -> int:
    from airflow_provider_tencentim.client.seqs import parse_seq_lines

    # Steps of a number that shares no factor with the whole visit every seq once, far from its neighbours.
    return len(parse_seq_lines(f"{1 + step * 7_368_787 % NUMBER}\n" for step in range(NUMBER)))


def sparse() -> int:
    from airflow_provider_tencentim.client.seqs import parse_seq_lines

    dice = random.Random(1)
    return len(parse_seq_lines(f"{dice.randint(1, 4_294_967_295)}\n" for _ in range(NUMBER)))


def as_a_set() -> int:
    return len(set(range(1, NUMBER + 1)))


def main() -> int:
    heading("10,000,000 MsgSeqs, above an empty set")
    _, _, empty = in_a_process(nothing)
    _, _, theirs = in_a_process(as_a_set)
    kept = True
    for what, function, most in (
        ("a range", as_a_range, 50),
        ("lines in no order", from_lines, 50),
        ("anywhere in 2^32", sparse, 50),
    ):
        _, seconds, peak = in_a_process(function)
        compare(what, peak - empty, "a set", theirs - empty, "MiB")
        kept &= check(f"{most} MiB, in {seconds:.1f} s", peak - empty <= most)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
