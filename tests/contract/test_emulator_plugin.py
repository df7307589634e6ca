"""The fixture ``tencentim_emulator``, as the tests of another project use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parents[2] / "docs" / "emulator.md"


def test_every_test_finds_the_one_server_empty_and_the_connection_leading_to_it(pytester):
    pytester.makepyfile(
        """
        import os, pytest
        from airflow_provider_tencentim.client.client import TencentIMClient

        URLS = set()

        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_that_leaves_much_behind(tencentim_emulator, monkeypatch, number):
            emulator = tencentim_emulator
            assert emulator.size() == {"groups": 0, "messages": 0, "one_to_one_messages": 0, "accounts": 1}
            assert emulator.stats()["calls"] == {} and emulator.faults() == []
            assert emulator.assumptions()["roaming_days"] == 0
            monkeypatch.undo()
            assert os.environ["AIRFLOW_CONN_TENCENTIM_DEFAULT"] == emulator.connection_uri
            emulator.generate(3, 10)
            emulator.add_group("room", messages=2)
            emulator.assume({"roaming_days": 7})
            with TencentIMClient(emulator.sdkappid, emulator.secret_key, base_url=emulator.url) as client:
                client.clear_group_msg("room", 1)
            emulator.add_fault(drop=True)
            URLS.add(emulator.url)

        def test_without_it():
            assert len(URLS) == 1
            assert os.environ["AIRFLOW_CONN_TENCENTIM_DEFAULT"] == "tencentim://as-before"
        """
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", "tencentim://as-before")
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)


def test_the_fixture_is_there_without_a_line_of_configuration_and_says_what_it_is(pytester):
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(["tencentim_emulator *", "*An empty emulator of Tencent Cloud Chat*"])


def test_it_costs_nothing_until_it_is_used(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_what_is_loaded():
            assert "airflow_provider_tencentim.pytest_plugin" in sys.modules
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"starlette", "uvicorn", "airflow", "requests", "pydantic"}
            own = {name for name in sys.modules if name.startswith("airflow_provider_tencentim.")}
            assert own == {"airflow_provider_tencentim.pytest_plugin"}
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_its_import_takes_no_time_worth_naming():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import pytest, airflow_provider_tencentim.pytest_plugin"],
        capture_output=True,
        check=True,
        text=True,
    )
    (line,) = (line for line in done.stderr.splitlines() if line.endswith("airflow_provider_tencentim.pytest_plugin"))
    assert int(line.split("|")[1]) < 20_000  # microseconds, with all that it imports


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_without_the_extra_it_says_in_words_what_to_install(pytester, missing):
    pytester.makeconftest(f"import sys; sys.modules[{missing!r}] = None")
    pytester.makepyfile("def test_something(tencentim_emulator): pass", test_other="def test_other(): pass")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [f"*the fixture tencentim_emulator needs {missing}*: pip install 'airflow-provider-tencentim[[]emulator[]]'"]
    )


DAG = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_tencentim.operators.group_msg import RecallGroupMsgOperator

with DAG("clean_up", schedule=None):
    RecallGroupMsgOperator(task_id="recall", group_id="room", msg_seqs="2-4")
"""


def test_a_dag_test_of_a_user(pytester, monkeypatch):
    dags = pytester.mkdir("dags")
    (dags / "clean_up.py").write_text(DAG)
    (shown,) = (block for block in GUIDE.read_text().split("```python\n") if "\ndef test_" in block)
    pytester.makepyfile(shown.split("```")[0])
    monkeypatch.setenv("AIRFLOW_HOME", str(pytester.path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{pytester.path}/airflow.db")
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
