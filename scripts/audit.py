"""Asks of every pinned package what can be asked: is it still offered, may it be used, does it fit, is it vulnerable.

Ends with 1 when something was found. What could not be asked is said last, and with ``--strict`` is an error too (2):
that no vulnerability is known must never be read out of a service that did not answer.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution
from pathlib import Path

from locks import FOLDER, ROOT, Pin, read_lock

UV = ROOT / ".venv" / "bin" / "uv"
PIP_AUDIT = ROOT / ".venv-release" / "bin" / "pip-audit"
LOCKS = sorted(FOLDER.glob("*.txt"))

# urllib3-future installs itself as urllib3, on whose classes it rests that no library sees the signature; niquests
# brings it along.
FORBIDDEN = {"niquests", "urllib3-future"}

# SPDX ids, and what packages write instead.
LICENSES = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense"),
    *("3-Clause BSD License", "Apache License 2.0", "MIT Licence", "MIT License"),
    *("Apache Software License", "BSD License", "ISC License (ISCL)", "Mozilla Public License 2.0 (MPL 2.0)"),
    *("Python Software Foundation License", "The Unlicense (Unlicense)"),
}
# What declares something else, and why it may be used all the same.
ACCEPTED = {
    "text-unidecode": "the Artistic License or the GPL, at choice; comes with Airflow and is not changed",
    "atheris": "declares none, and comes with the text of the Apache License 2.0",
    "pytest-timeout": "MIT, and a remark beside it that is no license",
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--strict", action="store_true", help="end with 2 when a question could not be asked")
    options.add_argument("--service", default="pypi", help="of pip-audit: pypi, osv or esms")
    options.add_argument("--osv-url", help="where an OSV service of your own answers")
    asked = options.parse_args()

    locks = {path.name: read_lock(path) for path in LOCKS}
    found = [f"{name}: {pin.name} must not be used" for name, pins in locks.items() for pin in forbidden(pins)]
    done("forbidden packages", len(locks), "locks")
    found += withdrawn(LOCKS)
    done("withdrawn releases", sum(map(len, locks.values())), "pins")
    environments = sorted(ROOT.glob(".venv*/lib/python*/site-packages"))
    for packages in environments:
        installed = list(importlib.metadata.distributions(path=[str(packages)]))
        environment = packages.relative_to(ROOT).parts[0]
        found += [f"{environment}: {line}" for line in unknown_licenses(installed) + misfits(packages.parents[2])]
        done(f"licenses and requirements in {environment}", len(installed), "packages")

    service = ["--vulnerability-service", asked.service, *(["--osv-url", asked.osv_url] if asked.osv_url else [])]
    vulnerable, unasked = vulnerabilities(locks, service)
    found += vulnerable
    for line in found:
        print(f"FOUND: {line}")
    if unasked:
        print(f"NOT CHECKED: whether vulnerabilities are known: {unasked}")
        return 1 if found else 2 if asked.strict else 0
    done("known vulnerabilities", sum(map(len, locks.values())), "pins")
    return 1 if found else 0


def done(what: str, number: int, of: str) -> None:
    print(f"checked: {what} ({number} {of})", flush=True)


def forbidden(pins: Iterable[Pin]) -> list[Pin]:
    """Return the pins of packages that must not be used."""
    return [pin for pin in pins if pin.name in FORBIDDEN]


def withdrawn(locks: Iterable[Path]) -> list[str]:
    """Ask the index whether it still offers what is pinned, and whether a release was yanked."""
    found = []
    for lock in locks:
        # It resolves nothing: every line is a pin.
        command = [UV, "pip", "compile", "--no-deps", "--universal", "--python-version", "3.11", "--no-annotate", lock]
        said = subprocess.run(command, capture_output=True, text=True)
        found += [f"{lock.name}: {line}" for line in said.stderr.splitlines() if "yanked" in line]
        if said.returncode:
            found.append(f"{lock.name}: {said.stderr.strip()}")
    return found


def misfits(environment: Path) -> list[str]:
    """Return what does not fit together in an environment."""
    said = subprocess.run([UV, "pip", "check", "--python", environment], capture_output=True, text=True)
    return said.stderr.splitlines() if said.returncode else []


def unknown_licenses(installed: Iterable[Distribution]) -> list[str]:
    """Return the packages that declare no license that is known to be fine."""
    found = []
    for one in installed:
        declared = licenses(one)
        if one.name not in ACCEPTED and not (declared and all(map(is_known, declared))):
            found.append(f"{one.name} declares {' and '.join(declared) or 'no license'}")
    return found


def licenses(one: Distribution) -> list[str]:
    """Return the licenses that a package declares, from the clearest place where it does."""
    if expression := one.metadata.get("License-Expression"):
        return [expression]
    classifiers = one.metadata.get_all("Classifier") or []
    if named := [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]:
        return named
    return (one.metadata.get("License") or "").strip().splitlines()[:1]


def is_known(declared: str) -> bool:
    """Tell whether a license is fine; of an expression without brackets, one side of OR must be, and both of AND."""
    return any(all(part in LICENSES for part in side.split(" AND ")) for side in declared.split(" OR "))


def vulnerabilities(locks: dict[str, list[Pin]], service: list[str]) -> tuple[list[str], str | None]:
    """Ask pip-audit's service, of one release first: return what is vulnerable, and why not all could be asked."""
    left = {(pin.name, pin.version) for pins in locks.values() for pin in pins}
    some = dict([min(left)])
    found = []
    while some:
        rows, trouble = ask(some, service)
        for row in rows:
            for one in row.get("vulns", ()):
                mended = ", ".join(one["fix_versions"]) or "none yet"
                found.append(f"{row['name']} {row['version']}: {one['id']} (mended in: {mended})")
        if skipped := [row["skip_reason"] for row in rows if "skip_reason" in row]:
            trouble = f"the service says nothing of {len(skipped)} of {len(some)} releases: {skipped[0]}"
        if trouble:
            return found, trouble
        left -= set(some.items())
        some = dict(sorted(left))  # one version of each package at a time
    return found, None


def ask(releases: dict[str, str], service: list[str]) -> tuple[list[dict], str | None]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in releases.items())
        file.flush()
        options = ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"]
        command = [PIP_AUDIT, *options, *service, "--requirement", file.name]
        said = subprocess.run(command, capture_output=True, text=True)
    try:
        return json.loads(said.stdout)["dependencies"], None
    except ValueError:
        last = (said.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [], re.sub(r"https?://\S+", "…", last)[:200]


if __name__ == "__main__":
    sys.exit(main())
