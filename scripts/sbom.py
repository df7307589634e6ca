"""Writes down what the wheel comes with once it is installed: an SBOM in CycloneDX's JSON.

The tool of CycloneDX reads versions, licenses and the tree from a clean environment; from the lock come the hashes.
The licenses are what each package declares of itself; nobody looked into the packages.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from clean_environment import LOCK, ROOT, install_alone
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from locks import read_lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAME = "airflow-provider-tencentim"
VERSION = SchemaVersion.V1_6


def main(uv: Path, wheel: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        python = install_alone(uv, sys.executable, wheel, Path(folder))
        found = describe(python)
        (packages,) = python.parents[1].glob("lib/python*/site-packages")
        metadata = {
            canonicalize_name(one.name): one.metadata for one in importlib.metadata.distributions(path=[packages])
        }
    finish(found, metadata, hashlib.sha256(wheel.read_bytes()).hexdigest())
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False)
    if error := JsonStrictValidator(VERSION).validate_str(text):
        print(f"the SBOM is not valid: {error}", file=sys.stderr)
        return 1
    path = wheel.with_name(wheel.name.replace("-py3-none-any.whl", ".cdx.json"))
    path.write_text(text + "\n")
    print(f"{path.name}: {len(found['components'])} packages")
    return 0


def describe(python: Path) -> dict[str, Any]:
    """Have the tool read an environment; the time in it is that of the commit."""
    committed = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--no-validate"]
    done = subprocess.run(
        [*command, "--spec-version", VERSION.to_version(), python],
        env=os.environ | {"SOURCE_DATE_EPOCH": committed},
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


def finish(found: dict[str, Any], metadata: dict[str, Any], sha256: str) -> None:
    """Put our package on top, and add what the tool does not know."""
    (ours,) = (one for one in found["components"] if one["name"] == NAME)
    found["components"].remove(ours)
    found["metadata"]["component"] = ours
    del ours["externalReferences"]  # where the wheel lay when it was installed
    ours |= {"purl": f"pkg:pypi/{NAME}@{ours['version']}", "hashes": [hash_of(sha256)]}

    # The tool counts what only an extra asks for, when something else brought it along.
    required = map(Requirement, metadata[NAME].get_all("Requires-Dist"))
    names = {canonicalize_name(one.name) for one in required if not one.marker or one.marker.evaluate({"extra": ""})}
    (tree,) = (one for one in found["dependencies"] if one["ref"] == ours["bom-ref"])
    tree["dependsOn"] = [ref for ref in tree["dependsOn"] if canonicalize_name(ref.partition("==")[0]) in names]

    hashes = {(pin.name, pin.version): pin.hashes for pin in read_lock(LOCK)}
    for component in found["components"]:
        name = canonicalize_name(component["name"])
        files = {
            "type": "distribution",
            "url": component["purl"],
            "comment": "the files of this release, one of which was installed",
            "hashes": [hash_of(one) for one in hashes[name, component["version"]]],
        }
        component.setdefault("externalReferences", []).append(files)
        if "licenses" not in component and (said := metadata[name].get("License")):
            component["licenses"] = [{"license": {"acknowledgement": "declared", "name": said.splitlines()[0]}}]


def hash_of(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
