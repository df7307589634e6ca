"""The short campaign of faults, as ``python -m chaos --short`` runs it, and the model that judges it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_short_campaign_breaks_no_promise():
    command = [sys.executable, "-m", "chaos", "--short", "--json", "--seed", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert run.returncode == 0, f"{run.stdout[-6000:]}{run.stderr[-6000:]}"
    told = json.loads(run.stdout)
    assert sum(told["violations"].values()) == 0
    assert told["counts"]["calls"] >= 1_200
    assert told["counts"]["Airflow task runs"] >= 15
    assert len(told["injected"]) >= 30
    assert "seed 1\n" in run.stderr


def test_the_model_knows_nothing_of_what_it_judges():
    tree = ast.parse((ROOT / "chaos" / "model.py").read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]

    assert {str(name).partition(".")[0] for name in imported} <= sys.stdlib_module_names


# --- a judge that sees nothing would find nothing


def message(seq, **more):
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"message {seq}"}}]
    told = {"MsgSeq": seq, "MsgBody": body, "CloudCustomData": None, "state": "normal", "cleared": False}
    return told | {"MsgTimeStamp": 1_700_000_000 + seq, "From_Account": "ann", "system": False} | more


@pytest.fixture
def before():
    room = {"Type": "Public", "topics": {}, "messages": [message(seq) for seq in range(1, 6)]}
    return {"accounts": ["ann"], "groups": {"room": room}, "c2c": []}


@pytest.fixture
def model(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from chaos import model

    return model


def kinds(findings):
    return sorted({finding.kind for finding in findings})


def judged(model, before, change, **order):
    """Judge a recall of the first message that was reported so, after a change."""
    after = deepcopy(before)
    change(after["groups"]["room"]["messages"])
    orders = model.Orders([model.Order("recall", [("group", "room", "", 1)], name="room", **order)])
    return kinds(model.judge(before, after, orders)[0])


def recall_first(messages):
    messages[0]["state"] = "recalled"


def test_the_judge_is_content_with_what_was_ordered_done_and_reported(model, before):
    assert judged(model, before, recall_first, reported="done") == []
    assert judged(model, before, recall_first, reported="ambiguous", reason="lost") == []
    assert judged(model, before, lambda _: None, reported="failed", reason="10002") == []


def test_the_judge_finds_a_success_that_was_none(model, before):
    assert judged(model, before, lambda _: None, reported="done") == sorted([model.GONE, model.FALSE_SUCCESS])


def test_the_judge_finds_a_failure_without_a_reason(model, before):
    assert judged(model, before, recall_first, reported="failed") == [model.NO_REASON]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"state": "recalled"}, id="recalled"),
        pytest.param({"state": "expired"}, id="gone"),
        pytest.param({"cleared": True}, id="cleared"),
        pytest.param({"MsgBody": []}, id="overwritten"),
        pytest.param({"CloudCustomData": "x"}, id="overwritten beside"),
    ],
)
def test_the_judge_finds_what_nobody_ordered(model, before, change):
    def beyond(messages):
        recall_first(messages)
        messages[3].update(change)

    assert judged(model, before, beyond, reported="done") == [model.TOO_MUCH]


def test_the_judge_finds_what_was_sent_twice_or_by_nobody(model, before):
    after = deepcopy(before)
    after["groups"]["room"]["messages"] += [message(6), message(7, MsgBody=message(6)["MsgBody"]), message(8)]
    orders = model.Orders(sendings=[model.Sending("send", "message 6", "done")])

    findings, _ = model.judge(before, after, orders)

    assert kinds(findings) == [model.TOO_MUCH]
    assert len(findings) == 2


def test_the_model_reads_a_policy_as_its_page_has_it(model, before):
    policy = {
        "before": "2023-11-14T22:13:25+00:00",  # the first four are older
        "action": "recall",
        "groups": ["ro*"],
        "keep_last": 2,
        "overrides": [{"groups": ["hall"], "action": "clear"}],
    }
    before["groups"]["hall"] = deepcopy(before["groups"]["room"])
    before["groups"]["room"]["messages"][1]["state"] = "recalled"

    (order,) = model.orders_of_groups(before, policy)

    assert order.what == "recall"
    assert [key[3] for key in order.keys] == [1, 3]
    assert model.orders_of_groups(before, policy, held=["room"]) == []
