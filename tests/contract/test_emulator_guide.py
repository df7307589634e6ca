"""The guide to the emulator: every command and every program in it works, and no field or option is left out."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from airflow_provider_tencentim.emulator import TencentIMEmulator, control_api
from airflow_provider_tencentim.emulator.__main__ import _parser
from airflow_provider_tencentim.emulator.faults import _TYPES as FAULT_FIELDS

TEXT = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()
CONTROL = Path(control_api.__file__)
BASH = "\n".join(re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)).replace("\\\n", "")
LINES = [line for line in BASH.splitlines() if line and not line.startswith("#")]
STARTS = [line for line in LINES if line.startswith("python ")]
CALLS = [line for line in LINES if line.startswith("curl ")]
PROGRAMS = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "def test_" not in block]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The emulator of the guide's first command, on a free port."""
    yield from started(STARTS[0], tmp_path)


def started(line: str, folder: Path) -> Iterator[str]:
    command = [sys.executable, *shlex.split(line)[1:], "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    yield process.stdout.readline()
    process.terminate()
    assert process.communicate(timeout=10)[1] == ""


@pytest.mark.parametrize("line", STARTS)
def test_every_way_to_start_it_works(line, tmp_path):
    for name in re.findall(r"\d{10}\.gz", line):
        (tmp_path / name).write_text('{"SdkAppId":1400000000,"ChatType":"C2C","MsgTime":"x","MsgList":[\n]}\n')
    if "--tls" in line:
        (making,) = (line for line in LINES if line.startswith("openssl "))
        subprocess.run(shlex.split(making), cwd=tmp_path, check=True, capture_output=True)
    for ready in started(line, tmp_path):
        assert re.match(r"https?://127\.0\.0\.1:\d+ ready: ", ready)
        certificate = str(tmp_path / "cert.pem") if "--tls" in line else True
        assert requests.get(ready.split()[0], verify=certificate, timeout=5).status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_every_call_with_curl_works(url):
    assert len(CALLS) >= 15
    for line in CALLS:
        command = line.replace("http://127.0.0.1:8790", url.split()[0])
        curl = ["curl", "--silent", "--show-error", "--fail", *shlex.split(command)[1:]]
        answer = subprocess.run(curl, check=True, capture_output=True, text=True).stdout
        assert answer.startswith("<!doctype html>") or isinstance(json.loads(answer), dict)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_every_program_works(program, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", raising=False)
    exec(program, {})  # noqa: S102 - what is tested


def test_the_connections_lead_to_the_emulator():
    first, second = re.findall(r"AIRFLOW_CONN_TENCENTIM_DEFAULT='(.*)'", BASH)
    assert first == TencentIMEmulator(port=8790, secret_key="KEY").connection_uri
    assert second == TencentIMEmulator(port=8790, secret_key="KEY", tls=("", "")).connection_uri + "?ca_bundle=cert.pem"


def test_every_option_every_fault_field_and_every_control_endpoint_is_told():
    options = {name for action in _parser()._actions for name in action.option_strings if name.startswith("--")}
    assert {f"`{name}" for name in options - {"--help"}} <= set(re.findall(r"`--[a-z-]+", TEXT))
    assert set(FAULT_FIELDS) <= set(re.findall(r"^\| `([a-z_]+)` \|", TEXT, re.MULTILINE))
    routes = re.findall(r'"(/_emulator/[a-z]+)"', CONTROL.read_text())
    assert len(routes) >= 7
    assert all(route in TEXT for route in routes)
