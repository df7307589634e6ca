"""A DAG file that names operators is parsed every few seconds: importing them costs next to nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_tencentim

ROOT = Path(airflow_provider_tencentim.__file__).parent
OPERATORS = sorted(
    f"airflow_provider_tencentim.operators.{path.stem}"
    for path in ROOT.glob("operators/*.py")
    if path.stem != "__init__"
)
CLIENT = sorted(
    f"airflow_provider_tencentim.client.{path.stem}" for path in ROOT.glob("client/*.py") if path.stem != "__init__"
)
RETENTION = sorted(
    f"airflow_provider_tencentim.retention.{path.stem}"
    for path in ROOT.glob("retention/*.py")
    if path.stem != "__init__"
)
# What a DAG file has paid for anyway.
AIRFLOW = "airflow.sdk" if importlib.util.find_spec("airflow.sdk") else "airflow.models"


def newly_loaded(modules, after=()):
    """The modules that an interpreter loads for these, besides those it had loaded for others."""
    code = (
        "import sys, json, importlib\n"
        f"for name in {list(after)!r}: importlib.import_module(name)\n"
        "before = set(sys.modules)\n"
        f"for name in {list(modules)!r}: importlib.import_module(name)\n"
        "print('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def loaded_by_operators():
    return newly_loaded(OPERATORS, after=[AIRFLOW, "airflow.providers.common.compat.sdk"])


def test_operators_load_neither_the_http_library_nor_the_models(loaded_by_operators):
    heavy = {"requests", "urllib3", "tenacity", "pyroaring", "TLSSigAPIv2", "redis", "starlette", "uvicorn"}
    heavy |= {"pydantic", "pendulum", "yaml", "re2"}

    assert not heavy & {name.partition(".")[0] for name in loaded_by_operators}


def test_operators_load_neither_client_nor_hook_nor_emulator(loaded_by_operators):
    own = {name for name in loaded_by_operators if name.startswith("airflow_provider_tencentim.")}

    assert set(OPERATORS) <= own
    assert {name.split(".")[1] for name in own} == {"operators"}


def test_the_client_is_plain_python_and_knows_neither_airflow_nor_the_emulator():
    loaded = newly_loaded(CLIENT)

    assert set(CLIENT) <= loaded
    assert not [name for name in loaded if name.partition(".")[0] == "airflow"]
    assert not [name for name in loaded if name.startswith("airflow_provider_tencentim.emulator")]
    assert not [name for name in loaded if name.startswith("airflow_provider_tencentim.hooks")]


def test_retention_knows_neither_airflow_nor_the_emulator():
    loaded = newly_loaded(RETENTION)

    assert set(RETENTION) <= loaded
    own = {name.split(".")[1] for name in loaded if name.startswith("airflow_provider_tencentim.")}
    assert own == {"client", "retention"}
    assert not [name for name in loaded if name.partition(".")[0] == "airflow"]


def test_the_hook_does_not_load_the_emulator():
    folders = ("hooks", "operators", "client", "retention")
    sources = [path.read_text() for folder in folders for path in (ROOT / folder).glob("*.py")]

    assert sources
    assert not [text for text in sources if "airflow_provider_tencentim.emulator" in text]
