"""Peak memory of a sweep over 1,000,000 groups and of a recall of 10,000,000 messages, above that of 1 % of the work.

Against a list of the groups' profiles, and of the results: what a loop would hold. The app is computed in the same
process and nothing is paced, so that the time is that of the package and of the app that is made up. ``--quick`` takes
a tenth.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import check, compare, heading, in_a_process

QUICK = "--quick" in sys.argv
GROUPS = 100_000 if QUICK else 1_000_000
MESSAGES = 1_000_000 if QUICK else 10_000_000
MOST = 50
ACTIVE = 10


def sweep(groups: int, active: int = ACTIVE) -> tuple[int, int]:
    """Plan and carry out, with report and state; return how many groups were cleared, and how many calls that took."""
    from simulated import CLEAR, App, SimulatedClient, policy

    from airflow_provider_tencentim.retention.plan import Plan
    from airflow_provider_tencentim.retention.run import make_plan, open_plan

    app = App(groups, active)
    client = SimulatedClient(app)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        planned = make_plan(client, policy(), path / "plan", holds=None, state_path=path / "state", run={})
        plan = Plan(planned.folder, planned.digest)
        application = open_plan(client, plan, holds=None, report_path=path / "report", state_path=path / "state")
        application.sweep.run()
        done = application.summary()
    wanted = sum(map(app.is_active, range(groups)))
    if not (done["groups"] == client.calls[CLEAR] == wanted and done["requested"] == done["done"] > 0):
        raise AssertionError(f"{wanted} groups were to be cleared: {done}, {client.calls}")
    return wanted, client.calls.total()


def profiles(groups: int) -> int:
    from simulated import App, SimulatedClient

    client = SimulatedClient(App(groups, ACTIVE))
    return len({info["GroupId"]: info for info in client.get_group_info(list(client.iter_groups()))})


def recall_range(messages: int) -> int:
    from simulated import App, SimulatedClient

    results = SimulatedClient(App(1)).group_msg_recall("room-0", [f"1-{messages}"])
    return sum(result.outcome == "recalled" for result in results)


def recall_file(messages: int) -> int:
    from simulated import App, SimulatedClient

    from airflow_provider_tencentim.client.seqs import parse_seq_lines

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seqs.txt")
        with path.open("w") as file:
            # Steps of a number that shares no factor with the whole visit every seq once, far from its neighbours.
            file.writelines(f"{1 + step * 7_368_787 % messages}\n" for step in range(messages))
        with path.open() as file:
            seqs = parse_seq_lines(file)
        results = SimulatedClient(App(1)).group_msg_recall("room-0", seqs)
        return sum(result.outcome == "recalled" for result in results)


def recall_held(messages: int) -> int:
    from simulated import App, SimulatedClient

    return len(list(SimulatedClient(App(1)).group_msg_recall("room-0", [f"1-{messages}"])))


def main() -> int:
    kept = True
    heading(f"A sweep over {GROUPS:,} groups, {ACTIVE} % of them with messages on both sides of the cut-off")
    _, _, little = in_a_process(sweep, GROUPS // 100)
    (cleared, calls), seconds, peak = in_a_process(sweep, GROUPS)
    _, _, held = in_a_process(profiles, GROUPS)
    print(f"  {cleared:,} groups cleared, {calls:,} calls, in {seconds:.0f} s: {GROUPS / seconds:,.0f} groups/s")
    print(f"  peak {peak:.0f} MiB, of 1 % of the groups {little:.0f} MiB")
    compare("the sweep, above 1 % of it", peak - little, "a dict of the profiles", held - little, "MiB")
    kept &= check(f"at most {MOST} MiB above that of 1 %", peak - little <= MOST)

    heading(f"A recall of {MESSAGES:,} messages")
    _, _, held = in_a_process(recall_held, MESSAGES)
    for what, function in (("a range", recall_range), ("a file in no order", recall_file)):
        _, _, little = in_a_process(function, MESSAGES // 100)
        recalled, seconds, peak = in_a_process(function, MESSAGES)
        print(f"  {what}: {seconds:.0f} s, peak {peak:.0f} MiB, of 1 % of the messages {little:.0f} MiB")
        compare(f"{what}, above 1 % of it", peak - little, "a list of the results", held - little, "MiB")
        kept &= check(f"at most {MOST} MiB above that of 1 %", peak - little <= MOST and recalled == MESSAGES)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
