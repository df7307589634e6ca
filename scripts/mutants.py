"""Changes one module in every small way there is, and sees whether the tests notice: ``make mutants MODULE=...``.

It works on a copy in ``.mutants``: the tree stays as it is. Of the tests those that are about the module are run, each
until the first failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_tencentim"
COPY = ROOT / ".mutants"
TREE = (PACKAGE, "tests", "example_dags", "docs", "scripts", "requirements", "pyproject.toml", "README.md", "Makefile")

# Which tests are about a module; of one that is not named here all in tests/unit are, and that takes long.
TESTS = {
    "client/app_commands.py": ("client_commands",),
    "client/arguments.py": ("client_arguments", "messages"),
    "client/bulk.py": ("bulk",),
    "client/c2c_commands.py": ("client_commands", "client_iterators", "client_pages", "client_requests"),
    "client/caller.py": ("caller",),
    "client/client.py": ("client_options",),
    "client/commands.py": ("commands",),
    "client/endpoint.py": ("endpoint",),
    "client/errors.py": ("client_errors", "turns"),
    "client/group_commands.py": ("client_commands", "client_iterators", "client_pages", "client_requests"),
    "client/history_file.py": ("history_file",),
    "client/messages.py": ("messages",),
    "client/nothing.py": ("operators_arguments",),
    "client/pacing.py": ("pacing",),
    "client/pacing_machine.py": ("pacing_machine",),
    "client/pacing_redis.py": ("pacing_redis", "pacing_redis_calls"),
    "client/recall.py": ("recall", "client_recall"),
    "client/seqs.py": ("seqs",),
    "client/signature.py": ("signature",),
    "client/transport.py": ("transport", "turns"),
    "client/wire.py": ("wire", "wire_bounds"),
    "hooks/pace_store.py": ("pace_store",),
    "hooks/settings.py": ("settings",),
    "hooks/tencentim.py": ("connection_test",),
    "operators/arguments.py": ("operators_arguments",),
    "operators/base.py": ("operators_base",),
    "operators/c2c_msg.py": ("c2c_msg",),
    "operators/group_msg.py": ("group_msg", "group_clear"),
    "operators/retention.py": ("operators_plan", "operators_apply", "operators_retry"),
    "operators/retention_events.py": ("retention_events",),
    "operators/retention_inputs.py": ("retention_inputs",),
    "operators/retention_tasks.py": ("operators_plan", "operators_apply", "operators_retry"),
    "operators/tally.py": ("tally",),
    "operators/task_state.py": ("task_state",),
    "retention/actions.py": ("retention_actions", "retention_actions_errors"),
    "retention/archive.py": ("retention_archive",),
    "retention/buckets.py": ("retention_buckets",),
    "retention/c2c_actions.py": ("retention_c2c_actions", "retention_c2c_actions_errors"),
    "retention/c2c_history.py": ("retention_c2c_history",),
    "retention/c2c_planner.py": ("retention_c2c_planning",),
    "retention/c2c_policy.py": ("retention_c2c_policy",),
    "retention/counted.py": ("retention_counted",),
    "retention/criteria.py": ("retention_criteria", "retention_policy", "retention_c2c_policy"),
    "retention/cutoff.py": ("retention_cutoff_reads", "retention_cutoff_guess"),
    "retention/durations.py": ("retention_durations", "retention_policy"),
    "retention/files.py": ("retention_files",),
    "retention/groups.py": ("retention_groups",),
    "retention/history.py": ("retention_walks",),
    "retention/holds.py": ("retention_holds",),
    "retention/joined.py": ("retention_joined",),
    "retention/ledger.py": ("retention_ledger",),
    "retention/outcome.py": ("retention_outcome",),
    "retention/patterns.py": ("retention_patterns", "retention_holds"),
    "retention/plan.py": ("retention_plan", "retention_plan_rows", "retention_policy_keys"),
    "retention/planner.py": ("retention_planning", "retention_planning_groups"),
    "retention/policy.py": ("retention_policy_keys", "retention_policy", "retention_c2c_policy"),
    "retention/policy_file.py": ("retention_policy_file",),
    "retention/policy_keys.py": ("retention_policy_keys", "retention_policy", "retention_c2c_policy"),
    "retention/progress.py": ("retention_progress",),
    "retention/run.py": ("retention_run",),
    "retention/state.py": ("retention_state",),
    "retention/sweep.py": ("retention_sweep_rows", "retention_sweep_stops", "retention_sweep_retries"),
}

# Collects tests, and then by the names that they have, as the run for a mutant asks for them.
COLLECT_BY_NAME = """
import pytest, sys
class Names:
    def pytest_collection_modifyitems(self, items):
        self.ids = [item.nodeid for item in items]
names, options = Names(), ["--collect-only", "-qq", "-p", "no:cacheprovider"]
sys.exit(pytest.main([*options, *sys.argv[1:]], [names]) or pytest.main([*options, *names.ids]))
"""

# Killed by a test, or by running into a loop that the module does not have.
KILLED = {1: "killed", 3: "killed", -24: "time-out", 24: "time-out", 36: "time-out", 152: "time-out", 255: "time-out"}
NAMES = {0: "survived", 5: "no tests", 33: "no tests", 34: "skipped", 35: "suspicious", **KILLED}


def main() -> int:
    module = Path(sys.argv[1]).resolve().relative_to(ROOT)
    if not (ROOT / module).is_file() or module.parts[0] != PACKAGE:
        sys.exit(f"{module} is no module of {PACKAGE}")
    names = TESTS.get("/".join(module.parts[1:]), ())
    tests = [_test_module(name) for name in names] or ["tests/unit"]
    _copy(module, tests)
    environment = {**os.environ, "TENCENTIM_FEW_EXAMPLES": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    # A test that pytest does not find by its own name, for an escape in it, would count as killing every mutant.
    collected = subprocess.run(
        [sys.executable, "-c", COLLECT_BY_NAME, *tests], cwd=COPY, env=environment, capture_output=True, text=True
    )
    if collected.returncode:
        sys.exit(f"{module}: its tests cannot be asked for by name\n{(collected.stdout + collected.stderr)[-3000:]}")
    mutmut = [sys.executable, "-m", "mutmut"]
    children = os.environ.get("MUTANTS_AT_ONCE", "2")
    run = subprocess.run([*mutmut, "run", "--max-children", children], cwd=COPY, env=environment, capture_output=True)
    results = COPY / "mutants" / f"{module}.meta"
    codes = json.loads(results.read_text())["exit_code_by_key"] if results.exists() else {}
    if run.returncode or not codes or None in codes.values():
        sys.stdout.write(run.stdout.decode(errors="replace")[-6000:] + run.stderr.decode(errors="replace")[-3000:])
        print(f"{module}: no result ({len(codes)} mutants)")
        return 1
    alive = [name for name, code in codes.items() if code not in KILLED]
    for name in alive:
        shown = subprocess.run([*mutmut, "show", name], cwd=COPY, env=environment, capture_output=True, text=True)
        print(f"--- {NAMES.get(codes[name], codes[name])}: {name}")
        print(
            "\n".join(
                line for line in shown.stdout.splitlines() if line[:1] in "+-@ " and line[:3] not in ("---", "+++")
            )
        )
    counts = Counter(NAMES.get(code, f"exit {code}") for code in codes.values())
    killed = len(codes) - len(alive)
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    print(f"{module}: {killed} of {len(codes)} killed, {killed / len(codes):.1%} ({kinds}); by {' '.join(tests)}")
    return 0


def _test_module(name: str) -> str:
    """Where ``tests/*/test_NAME.py`` is; there is one, since the names of test modules differ."""
    [path] = (ROOT / "tests").glob(f"*/test_{name}.py")
    return path.relative_to(ROOT).as_posix()


def _copy(module: Path, tests: list[str]) -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir()
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, COPY / name)
    options = {
        "source_paths": [PACKAGE],
        "only_mutate": [module.as_posix()],
        "also_copy": [name for name in TREE if name != PACKAGE],
        "pytest_add_cli_args": ["-x", "-p", "no:cacheprovider", "--timeout=30"],
        "pytest_add_cli_args_test_selection": tests,
        "timeout_multiplier": 10.0,
        "timeout_constant": 5.0,
    }
    with (COPY / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items()))


if __name__ == "__main__":
    sys.exit(main())
