"""How the benchmarks measure and print: a figure, the same for a named alternative, and the ratio of the two."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import time
from collections.abc import Callable
from typing import Any


def in_a_process(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float, float]:
    """Run a function in a fresh process; return its result, the seconds it took and the process's peak MiB."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, function, arguments))
    process.start()
    sender.close()  # so that a process that fails ends the wait for its result
    outcome = receiver.recv()
    process.join()
    return outcome


def _run(sender: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    started = time.perf_counter()
    result = function(*arguments)
    seconds = time.perf_counter() - started
    sender.send((result, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def heading(text: str) -> None:
    print(f"\n{text}\n  ({time.strftime('%Y-%m-%d')}, {platform.machine()}, Python {platform.python_version()})")


def compare(what: str, ours: float, alternative: str, theirs: float, unit: str) -> None:
    print(f"  {what}: {ours:,.0f} {unit}; {alternative}: {theirs:,.0f} {unit}; ratio {ours / theirs:.2f}")


def check(what: str, holds: bool) -> bool:
    """Print whether a promise holds; return it."""
    print(f"  {'holds' if holds else 'MISSED'}: {what}")
    return holds
