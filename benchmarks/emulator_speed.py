"""Calls per second of a simple read, the calling threads on the same cores as the server.

Against a server of Python's own ``http.server`` that answers every POST with the same bytes and checks nothing.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

from measure import check, compare, heading
from TLSSigAPIv2 import TLSSigAPIv2

KEY = "benchmark" * 7
SECONDS = 4.0
THREADS = 3
PROMISED = 2_000
BODY = json.dumps({"GroupIdList": ["room"]}).encode()


class Constant(BaseHTTPRequestHandler):
    """Reads the request and answers what the emulator would."""

    protocol_version = "HTTP/1.1"
    answer = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupInfo":[]}'

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.answer), self.answer))

    def log_message(self, *_: object) -> None:
        pass


def serve_constant() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Constant)
    print(f"http://127.0.0.1:{server.server_port} ready", flush=True)
    server.serve_forever()


def calls_per_second(command: list[str]) -> float:
    """Start a server, call it from some threads for some seconds, and count."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            host = server.stdout.readline().split()[0].removeprefix("http://")
            query = urlencode(
                {
                    "sdkappid": 1400000000,
                    "identifier": "administrator",
                    "usersig": TLSSigAPIv2(1400000000, KEY).gen_sig("administrator"),
                    "random": 1,
                    "contenttype": "json",
                }
            )
            counts = [0] * THREADS
            end = time.monotonic() + SECONDS

            def call(number: int) -> None:
                connection = http.client.HTTPConnection(host)
                while time.monotonic() < end:
                    connection.request("POST", f"/v4/group_open_http_svc/get_group_info?{query}", BODY)
                    answer = json.loads(connection.getresponse().read())
                    if answer["ErrorCode"] != 0:
                        raise RuntimeError(answer)
                    counts[number] += 1

            threads = [threading.Thread(target=call, args=(number,)) for number in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return sum(counts) / SECONDS
        finally:
            server.terminate()


def main() -> int:
    heading("The emulator: get_group_info by http.client from three threads")
    emulator = [sys.executable, "-m", "airflow_provider_tencentim.emulator", "--port", "0", "--secret-key", KEY]
    ours = calls_per_second([*emulator, "--generate", "10x1000", "--assume", "extra_calls_per_second=1000000"])
    theirs = calls_per_second([sys.executable, __file__, "constant"])
    compare("the emulator", ours, "http.server with one answer", theirs, "calls/s")
    return 0 if check(f"{PROMISED:,} calls/s", ours >= PROMISED) else 1


if __name__ == "__main__":
    sys.exit(serve_constant() if sys.argv[1:] == ["constant"] else main())
