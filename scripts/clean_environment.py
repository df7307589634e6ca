"""An environment with nothing in it but the wheel and what it needs, each file compared with the hash in the lock."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: The same releases as the tests use: what of them the wheel needs is its own business to say.
LOCK = ROOT / "requirements" / "airflow-3.3.txt"


def install_alone(uv: Path, base_python: str, wheel: Path, folder: Path) -> Path:
    """Install the wheel into a new environment below a folder, and return the environment's Python.

    :param uv: the program.
    :param base_python: that the environment is made of.
    :param wheel: that was built.
    :param folder: an empty one.
    """
    python = folder / "venv" / "bin" / "python"
    wanted = folder / "wheel.txt"
    wanted.write_text(f"{wheel.resolve()} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    hashes = ["--require-hashes", "--require-build-hashes", "--build-constraints", LOCK.with_name("build.txt")]
    into = ["--python", python]
    _run(uv, "venv", "--quiet", "--python", base_python, folder / "venv")
    _run(uv, "pip", "install", "--quiet", *into, *hashes, "--constraints", LOCK, "--requirements", wanted)
    _run(uv, "pip", "check", "--quiet", *into)
    return python


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)
