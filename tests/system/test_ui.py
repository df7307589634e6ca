"""``make ui``: Airflow's web UI, the emulator, the connection and the examples; and nothing once it has ended."""

from __future__ import annotations

import gzip
import json
import re
import signal
from contextlib import suppress
from itertools import product
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import psutil
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


def test_the_examples_are_there_and_paused(ui):
    wanted = {path.stem for path in (ROOT / "example_dags").glob("example_*.py")}
    ui.wait_until(lambda: wanted <= {dag["dag_id"] for dag in ui.ask("/api/v2/dags")["dags"]})
    dags = {dag["dag_id"]: dag for dag in ui.ask("/api/v2/dags")["dags"]}
    assert all(dags[dag_id]["is_paused"] for dag_id in wanted)


def test_the_connection_is_there_its_key_hidden_and_its_test_works(ui):
    connection = ui.ask("/api/v2/connections/tencentim_default")
    assert (connection["conn_type"], connection["password"]) == ("tencentim", "***")

    tested = ui.ask("/api/v2/connections/test", {**connection, "password": "***"})

    assert tested["status"] is True, tested
    assert ui.emulator in tested["message"]


def test_the_form_of_the_connection_has_every_field(ui):
    from airflow_provider_tencentim.get_provider_info import CONN_FIELDS

    with urlopen(
        Request(f"{ui.airflow}/ui/connections/hook_meta", headers={"Authorization": f"Bearer {ui.token}"})
    ) as answer:
        (meta,) = [meta for meta in json.load(answer) if meta["connection_type"] == "tencentim"]
    assert set(meta["extra_fields"]) == set(CONN_FIELDS)
    assert meta["standard_fields"]["login"]["title"] == "SDKAppID"


def everything(ui, values):
    """Read all that Airflow's API shows, wherever these values fit."""
    for template, methods in ui.ask("/openapi.json")["paths"].items():
        if "get" not in methods or template.endswith(("/auth/login", "/auth/logout", "/wait", "/enqueue-test")):
            continue
        names = re.findall(r"{(\w+)}", template)
        for filled in product(*(values.get(name, ()) for name in names)):
            path = template.format(**dict(zip(names, map(quote, filled), strict=True)))
            with suppress(HTTPError):  # a task of another DAG, say
                yield path, ui.read(path)


def test_nothing_that_the_ui_shows_holds_the_key_or_a_message(ui, tmp_path):
    before = ui.messages()
    said = {
        element["MsgContent"]["Text"]
        for message in before.values()
        if not message["system"]
        for element in message["MsgBody"]
        if element["MsgType"] == "TIMTextElem" and len(element["MsgContent"]["Text"]) >= 15
    }
    assert len(said) > 50
    old = {"groups": "@TGS#*", "older_than": "P1D", "action": "recall", "dry_run": False, "folder": tmp_path.as_uri()}
    runs = [
        ui.end_of(ui.start("example_tencentim_retention_nightly", old)),
        ui.end_of(ui.start("example_tencentim_redaction", {"dry_run": False})),
    ]
    assert [run["state"] for run in runs] == ["success", "failed"]  # the second names messages that do not exist
    recalled = [place for place, message in ui.messages().items() if message["state"] != before[place]["state"]]
    assert len(recalled) > 50
    archived = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz")).decode()
    assert any(text in archived for text in said)

    key = json.loads((ROOT / ".ui" / "connections.json").read_text())["tencentim_default"]["password"]
    values = {
        "dag_id": [run["dag_id"] for run in runs],
        "dag_run_id": [run["dag_run_id"] for run in runs],
        "task_id": ["retention", "group_message", "one_to_one_message"],
        "map_index": ["-1"],
        "task_try_number": ["1"],
        "try_number": ["1"],
        "version_number": ["1"],
        "xcom_key": ["return_value"],
        "connection_id": ["tencentim_default"],
        "asset_id": ["1"],
        "asset_alias_id": ["1"],
    }
    shown = dict(everything(ui, values))
    for kind in ("/logs/1", "/xcomEntries/return_value", "/tries/1", "/state-store", "/details", "/assets/events"):
        assert [path for path in shown if path.endswith(kind)], kind
    assert any(f'"done":{len(recalled)}' in text.replace(" ", "") for text in shown.values())
    for path, text in shown.items():
        for secret in (key, "usersig=", *said):
            assert secret not in text, f"{secret[:15]}… is in {path}"


def test_it_ends_without_leaving_anything(ui):
    family = psutil.Process(ui.process.pid).children(recursive=True)
    assert family

    ui.process.send_signal(signal.SIGINT)

    assert ui.process.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not (ROOT / ".ui").exists()
