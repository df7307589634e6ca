"""PostgreSQL, Redis, the emulator and the parts of Airflow: each on a free port, and ended with all its children."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

HOST = "127.0.0.1"
ENABLE = "apt-get update -qq && apt-get install -qq -y postgresql redis-server"


def program(name: str) -> str | None:
    """Return where a program is; Debian keeps those of PostgreSQL off the PATH."""
    installed = sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))
    return shutil.which(name) or next(reversed(installed), None)


def missing() -> list[str]:
    """Return the programs that there are not."""
    return [name for name in ("initdb", "postgres", "redis-server") if program(name) is None]


def free_ports(number: int) -> list[int]:
    listeners = [socket.create_server((HOST, 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def wait_for(what: str, is_there: Callable[[], Any], seconds: float) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := is_there()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)
    return answer


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


class Processes:
    """What was started, and is ended in the opposite order.

    :param folder: where their logs go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: Mapping[str, str] = os.environ, **more: Any) -> None:
        """Start a process in a session of its own, so that all of it can be ended together."""
        with self.log(name).open("wb") as log:
            self._started[name] = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **more,
            )

    def log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def tails(self, most: int = 3000) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"--- {name}\n{self.log(name).read_text(errors='replace')[-most:]}" for name in self._started)

    def check(self) -> None:
        """See that all run."""
        ended = [name for name, process in self._started.items() if process.poll() is not None]
        if ended:
            raise RuntimeError(f"{', '.join(ended)} ended early")

    def end(self) -> list[psutil.Process]:
        """End all processes and their children, and return those that would not go."""
        families = {name: _family(process.pid) for name, process in self._started.items()}
        for process in reversed(self._started.values()):
            # PostgreSQL ends its sessions on SIGINT, and waits for them on SIGTERM.
            _signal(process.pid, signal.SIGINT if "postgres" in str(process.args) else signal.SIGTERM)
        everybody = [one for family in families.values() for one in family]
        _, alive = psutil.wait_procs(everybody, timeout=10)
        for process in self._started.values():
            _signal(process.pid, signal.SIGKILL)
        for one in alive:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        for process in self._started.values():
            process.wait(10)
        _, alive = psutil.wait_procs(alive, timeout=5)
        return alive


def _family(pid: int) -> list[psutil.Process]:
    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def start_postgres(processes: Processes, folder: Path) -> int:
    """Start a PostgreSQL without a password for this machine; it refuses to run as root. Return its port."""
    (port,) = free_ports(1)
    folder.mkdir()
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_whom = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")
        for parent in folder.parents[:2]:  # temporary folders are root's alone, and it has to pass through them
            parent.chmod(0o711)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    initdb = [program("initdb"), "--pgdata", folder, "--username", "airflow", "--auth", "trust", "--no-sync"]
    subprocess.run(
        [*initdb, "--encoding", "UTF8", "--locale", "C"],
        cwd=folder, env=environment, check=True, capture_output=True, timeout=60, **as_whom,
    )  # fmt: skip
    options = {
        "listen_addresses": HOST, "port": port, "unix_socket_directories": "", "fsync": "off", "max_connections": 200
    }  # fmt: skip
    command = [str(program("postgres")), "-D", str(folder)]
    command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    processes.start("postgres", command, environment, cwd=folder, **as_whom)
    wait_for("PostgreSQL", lambda: listens(port), 30)
    return port


def start_redis(processes: Processes, folder: Path) -> int:
    """Start a Redis that keeps nothing on disk. Return its port."""
    (port,) = free_ports(1)
    folder.mkdir()
    options = ["--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(folder)]
    processes.start("redis", [str(program("redis-server")), *options])
    wait_for("Redis", lambda: listens(port), 30)
    return port


def start_emulator(processes: Processes, key: str, groups: int, messages: int) -> str:
    """Start the emulator with a made-up app. Return its URL."""
    (port,) = free_ports(1)
    module = [sys.executable, "-m", "airflow_provider_tencentim.emulator", "--port", str(port)]
    command = [*module, "--generate", f"{groups}x{messages}", "--seed", "7"]
    processes.start("emulator", command, os.environ | {"TENCENTIM_EMULATOR_SECRET_KEY": key})
    wait_for("the emulator", lambda: listens(port), 60)
    return f"http://{HOST}:{port}"
