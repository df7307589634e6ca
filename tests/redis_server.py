"""A Redis of a test's own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest

needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="apt-get install -y redis-server enables these tests"
)


class RedisServer:
    """Keeps nothing on disk; it can be stopped and started again on the same port."""

    def __init__(self, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.options = options
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
