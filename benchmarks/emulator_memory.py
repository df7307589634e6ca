"""Seconds and peak memory of an app of 1,000,000 messages.

Against keeping each message as the dict that the API shows of it.
"""

from __future__ import annotations

import sys

from measure import check, compare, heading, in_a_process

GROUPS, MESSAGES = 1_000, 1_000


def generate() -> int:
    from airflow_provider_tencentim.emulator import TencentIMEmulator

    emulator = TencentIMEmulator()
    emulator.generate(GROUPS, MESSAGES, seed=1)
    return emulator.size()["messages"]


def keep_dicts() -> int:
    kept = [
        {
            "From_Account": f"user{number % 50:03}",
            "IsPlaceMsg": 0,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"good morning {number}"}}],
            "MsgPriority": 2,
            "MsgRandom": number,
            "MsgSeq": number,
            "MsgTimeStamp": 1_700_000_000 + number,
        }
        for number in range(GROUPS * MESSAGES)
    ]
    return len(kept)


def main() -> int:
    heading("A made-up app of 1,000,000 messages")
    held, seconds, ours = in_a_process(generate)
    _, _, theirs = in_a_process(keep_dicts)
    print(f"  {held:,} messages in {seconds:.1f} s")
    compare("the emulator", ours, "a dict for each message", theirs, "MiB")
    return 0 if check("under 1 GiB", held >= 1_000_000 and ours < 1024) else 1


if __name__ == "__main__":
    sys.exit(main())
