"""What a sweep leaves behind tells nothing of what messages said, and neither the key nor a signature."""

from __future__ import annotations

import gzip
import logging
import os
import traceback
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from retention_runs import DIGEST, PLAN, days_ago, plan_and_apply
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.operators.retention import (
    ApplyRetentionPlanOperator,
    C2CRetentionOperator,
    GroupRetentionOperator,
)

STORED = "stored-words-of-somebody"
REPLACEMENT = "words-in-their-place"


def test_a_sweep_that_fails_in_part_leaves_no_content_and_no_secret(
    emulator, make_dag, run_dag, tmp_path, caplog, capfd, monkeypatch
):
    signed: list[str] = []
    sign = TLSSigAPIv2.gen_sig

    def sign_and_note(self, *args, **kwargs):
        signed.append(sign(self, *args, **kwargs))
        return signed[-1]

    monkeypatch.setattr(TLSSigAPIv2, "gen_sig", sign_and_note)
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    wrong_key = emulator.secret_key[::-1]
    monkeypatch.setenv("AIRFLOW_CONN_WRONG_KEY", emulator.connection_uri.replace(emulator.secret_key, wrong_key))
    for number in range(20):
        messages = [
            {"MsgBody": f"{STORED} {age}", "CloudCustomData": STORED, "MsgTimeStamp": days_ago(age)}
            for age in (50, 45, 40, 35, 5)
        ]
        emulator.add_group(f"room{number}", messages=messages)
        emulator.add_c2c_message("ann", f"bob{number}", {"MsgBody": STORED, "MsgTimeStamp": days_ago(40)})
    policy = {
        "older_than": "P30D",
        "groups": ["room*"],
        "action": "redact_and_recall",
        "replacement": {"msg_body": REPLACEMENT, "cloud_custom_data": REPLACEMENT},
    }
    letters = {
        "older_than": "P30D",
        "accounts": ["ann"],
        "action": "redact",
        "replacement": REPLACEMENT,
        "text_matches": ["^stored"],
    }
    files = {"archive_to": f"{tmp_path}/archive", "report_path": f"{tmp_path}/report"}
    rules = [
        {"error_code": 10002},
        {"error_code": 10004, "error_info": "malformed"},
        {"drop": True, "after_commit": True},
        {"http_status": 503},
        {"body": "truncated"},
    ]

    def break_things(_) -> None:
        for number, rule in enumerate(rules):
            for command in ("openim/modify_group_msg", "openim/modify_c2c_msg"):
                emulator.add_fault(command=command, probability=0.05, seed=number, **rule)

    with make_dag(default_args={"retries": 1, "retry_delay": timedelta(0)}) as dag:
        common = {**files, "state_path": f"{tmp_path}/state", "pre_execute": break_things}
        applying = plan_and_apply(policy, tmp_path, apply=common)
        others = [
            C2CRetentionOperator(task_id="letters", policy=letters, trigger_rule="all_done", **files),
            ApplyRetentionPlanOperator(
                task_id="wrong_key",
                plan_path=PLAN,
                plan_digest=DIGEST,
                tencentim_conn_id="wrong_key",
                trigger_rule="all_done",
            ),
            GroupRetentionOperator(
                task_id="malformed",
                policy={**policy, "replacement": {"msg_body": [{"MsgType": "TIMTextElem", "MsgContent": REPLACEMENT}]}},
                trigger_rule="all_done",
            ),
        ]
        applying >> others
    for name in (None, "airflow", "airflow.task", "urllib3", "airflow_provider_tencentim"):
        caplog.set_level(logging.DEBUG, logger=name)

    run = run_dag(dag)

    # That the search would find something: things did fail, and there was much to tell.
    assert {run.tasks[name] for name in ("wrong_key", "malformed")} == {"failed"}
    assert run.tries["apply"] == 2
    assert run.results["apply"]["requested"] == 80
    assert run.results["apply"]["failed"] < 40
    assert len(signed) >= 4
    printed = capfd.readouterr()
    left: dict[str, bytes] = {
        "log": caplog.text.encode(),
        "output": (printed.out + printed.err).encode(),
        "xcom": repr(run.results).encode(),
        "errors": "".join("".join(traceback.format_exception(error)) for error in run.errors.values()).encode(),
        "vars": repr([vars(error) for error in run.errors.values()]).encode(),
    }
    assert b"/v4/openim/modify_group_msg" in left["log"] + left["output"]
    archived = b""
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix == ".gz":
            archived += gzip.decompress(path.read_bytes())
        elif path.is_file():
            left[str(path)] = path.read_bytes()
    assert {Path(name).parts[len(tmp_path.parts)] for name in left if name.startswith("/")} >= {
        "plan",
        "report",
        "archive",
        "state",
    }
    assert archived.count(STORED.encode()) >= 80  # there alone it belongs
    for path in Path(os.environ["AIRFLOW_HOME"]).rglob("*"):
        if path.is_file():
            left[str(path)] = path.read_bytes()
    assert any(REPLACEMENT.encode() in content for content in left.values())
    secrets = [STORED, emulator.secret_key, wrong_key, *signed, *map(quote, signed), "usersig="]
    for name, content in left.items():
        for secret in secrets:
            assert secret.encode() not in content, f"{secret[:12]}… is in {name}"
    # The replacement is an argument of the author's: it is in the policy, and in no log and no error.
    for name in ("log", "output", "xcom", "errors", "vars"):
        assert REPLACEMENT.encode() not in left[name], f"the replacement is in {name}"


@pytest.mark.parametrize("broken", ["policy.yaml", "policy.json"])
def test_an_error_about_a_policy_file_does_not_show_what_it_holds(emulator, tmp_path, broken):
    from airflow.providers.common.compat.sdk import AirflowFailException

    for text in (f'{{"replacement": "{REPLACEMENT}', f"replacement: [{REPLACEMENT}", f"{REPLACEMENT} {{"):
        (tmp_path / broken).write_text(text)
        task = GroupRetentionOperator(task_id="task", policy=f"{tmp_path}/{broken}")
        with pytest.raises(AirflowFailException, match="policy") as raised:
            task.execute({})
        assert REPLACEMENT not in "".join(traceback.format_exception(raised.value))
