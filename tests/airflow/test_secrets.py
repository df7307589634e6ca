"""What a run leaves behind holds neither the key, nor a signature, nor what messages said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
STORED = "stored-words-of-a-user"
REPLACEMENT = "words-that-replace-them"


def test_a_run_that_fails_in_every_way_with_everything_logged_leaves_no_secret(tmp_path):
    signatures = tmp_path / "signatures.txt"
    script = Path(__file__).with_name("run_that_fails_in_every_way.py")

    run = subprocess.run(
        [sys.executable, script, signatures, KEY, STORED, REPLACEMENT],
        capture_output=True,
        text=True,
        check=False,
    )

    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-3000:]
    signed = signatures.read_text().split()
    assert len(signed) > 20
    # That the search would find something: the run did fail, and the libraries did talk.
    assert output.count("FAILED") > 20
    assert '"POST /v4/openim/modify_group_msg HTTP/1.1" 200' in output
    for secret in (KEY, KEY[::-1], STORED, REPLACEMENT, "usersig=", *signed, *map(quote, signed)):
        assert secret not in output, f"{secret[:12]}… was printed: {context(output, secret)}"

    home = Path(os.environ["AIRFLOW_HOME"])
    for path in home.rglob("*"):
        # The words that replace a message are an argument of the task, and Airflow keeps what arguments render to.
        for secret in (KEY, KEY[::-1], STORED, *signed):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), f"{secret[:12]}… is in {path.name}"


def context(output: str, secret: str) -> str:
    at = output.index(secret)
    return output[max(0, at - 300) : at + 20]
