"""What is installed, and what is promised about it: locks, licenses, SECURITY.md."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
import tomllib
from email.message import Message
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import airflow_provider_tencentim
from airflow_provider_tencentim.client.commands import COMMANDS
from airflow_provider_tencentim.client.regions import REGIONS

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").iterdir())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def script(name):
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "scripts"))


read_lock = script("locks").read_lock
audit = script("audit")


def pins(name):
    return {pin.name: pin.version for pin in read_lock(ROOT / "requirements" / f"{name}.txt")}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_with_hashes(lock):
    found = read_lock(lock)

    assert found
    assert [pin.name for pin in found if not pin.hashes] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_nothing_that_is_forbidden_is_pinned(lock):
    assert audit.forbidden(read_lock(lock)) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_lock_says_where_packages_come_from(lock):
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", lock.read_text())


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests>=2.32",
        "requests @ https://example.com/requests.whl",
        "--index-url https://example.com",
        "-e .",
        "requests==2.32.0 --hash=md5:00000000000000000000000000000000",
        "requests==2.32.0 --hash=sha256:00",
    ],
)
def test_what_is_no_pin_is_no_line_of_a_lock(tmp_path, line):
    (tmp_path / "some.txt").write_text(f"idna==3.20 \\\n    --hash=sha256:{'0' * 64}\n{line}\n")

    with pytest.raises(ValueError, match="no pin"):
        read_lock(tmp_path / "some.txt")


def test_a_lock_is_read_with_its_markers_and_all_its_hashes(tmp_path):
    (tmp_path / "some.txt").write_text(
        f"deprecated==1.3.1 ; python_full_version < '3.12' \\\n    --hash=sha256:{'0' * 64} \\\n"
        f"    --hash=sha256:{'1' * 64}\nidna==3.20\n"
    )

    assert read_lock(tmp_path / "some.txt") == [("deprecated", "1.3.1", ("0" * 64, "1" * 64)), ("idna", "3.20", ())]


@pytest.mark.parametrize("name", ["airflow-3.3", "airflow-2.11"])
def test_every_dependency_is_pinned_as_pyproject_wants_it(name):
    extras = PROJECT["optional-dependencies"].values()
    wanted = [Requirement(line) for lines in (PROJECT["dependencies"], *extras) for line in lines]
    pinned = pins(name)

    for one in wanted:
        if one.name != PROJECT["name"]:
            assert one.specifier.contains(pinned[canonicalize_name(one.name)]), one


def test_the_program_that_installs_is_the_one_of_the_tests():
    assert pins("uv")["uv"] == pins("airflow-3.3")["uv"]


def test_every_license_of_this_environment_is_known():
    assert audit.unknown_licenses(importlib.metadata.distributions()) == []


@pytest.mark.parametrize(
    ("fields", "is_fine"),
    [
        ({"License-Expression": "MIT"}, True),
        ({"License-Expression": "MIT AND PSF-2.0"}, True),
        ({"License-Expression": "GPL-3.0-only OR MIT"}, True),
        ({"License-Expression": "GPL-3.0-only AND MIT"}, False),
        ({"License-Expression": "AGPL-3.0-or-later", "License": "MIT"}, False),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, True),
        ({"Classifier": "License :: OSI Approved :: GNU Affero General Public License v3", "License": "MIT"}, False),
        ({"License": "MIT\n\nPermission is hereby granted"}, True),
        ({"License": "Proprietary"}, False),
        ({}, False),
    ],
)
def test_a_license_is_looked_for_where_it_is_said_most_clearly(fields, is_fine):
    metadata = Message()
    for name, value in fields.items():
        metadata[name] = value

    assert (audit.unknown_licenses([SimpleNamespace(name="some", metadata=metadata)]) == []) is is_fine


def test_silence_of_the_service_is_never_a_clean_bill(monkeypatch):
    asked = []

    def ask(releases, service):
        asked.append(releases)
        return [{"name": name, "skip_reason": "not found"} for name in releases], None

    monkeypatch.setattr(audit, "ask", ask)

    found, unasked = audit.vulnerabilities({"some.txt": read_lock(LOCKS[0])}, [])

    assert not found
    assert "not found" in unasked
    assert len(asked) == 1
    assert len(asked[0]) == 1


def test_of_a_package_that_is_pinned_twice_both_releases_are_asked_about(monkeypatch):
    def ask(releases, service):
        vulns = [{"id": "CVE-1", "fix_versions": []}]
        return [{"name": name, "version": version, "vulns": vulns} for name, version in releases.items()], None

    monkeypatch.setattr(audit, "ask", ask)
    locks = {"some.txt": [audit.Pin("idna", "1", ()), audit.Pin("idna", "2", ()), audit.Pin("yarl", "1", ())]}

    found, unasked = audit.vulnerabilities(locks, [])

    assert unasked is None
    assert sorted(line.partition(":")[0] for line in found) == ["idna 1", "idna 2", "yarl 1"]


def test_security_md_names_the_version_that_is_supported():
    major, minor = airflow_provider_tencentim.__version__.split(".")[:2]
    table = dict(re.findall(r"^\| (\S+) \| (yes|no) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE))

    assert table[f"{major}.{minor}.x"] == "yes"
    assert [version for version, supported in table.items() if supported == "yes"] == [f"{major}.{minor}.x"]


def test_security_md_and_pyproject_agree_on_python_and_airflow():
    text = (ROOT / "SECURITY.md").read_text()
    pythons = re.findall(r"3\.\d+", PROJECT["requires-python"])
    airflow = next(line for line in PROJECT["dependencies"] if line.startswith("apache-airflow>="))

    assert f"Python {pythons[0]} – 3.{int(pythons[1].removeprefix('3.')) - 1}" in text
    assert f"Airflow {'.'.join(airflow.partition('>=')[2].split('.')[:2])} and later" in text


def test_security_md_names_the_domain_of_every_region():
    rows = re.findall(r"^ +\| ([a-z_]+) \| ([a-z]+\.[a-z.]+) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)

    assert dict(rows) == REGIONS


def test_security_md_names_commands_that_there_are():
    named = set(re.findall(r"`([a-z0-9_]+/[a-z0-9_]+)`", (ROOT / "SECURITY.md").read_text()))

    assert named
    assert named <= set(COMMANDS)
