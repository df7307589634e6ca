"""The emulator on the command line."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import signal
import sys
import threading

from airflow_provider_tencentim.emulator.calls import GROUP_TYPE_NAMES
from airflow_provider_tencentim.emulator.server import DEFAULT_IDENTIFIER, TencentIMEmulator

KEY_VARIABLE = "TENCENTIM_EMULATOR_SECRET_KEY"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_tencentim.emulator",
        description="A local server that speaks the REST API of Tencent Cloud Chat, and refuses as it does.",
    )
    parser.add_argument("--port", type=int, default=8790, help="TCP port; 0 takes a free one (default: 8790)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--sdkappid", type=int, default=1400000000, help="the app (default: 1400000000)")
    parser.add_argument("--secret-key", help=f"the key of the app; also from {KEY_VARIABLE}")
    parser.add_argument("--identifier", default=DEFAULT_IDENTIFIER, help="the app's administrator")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="serve HTTPS with this certificate")
    parser.add_argument(
        "--generate",
        type=_size,
        metavar="GROUPSxMESSAGES",
        help="start with a made-up app: so many groups, so many messages in the mean",
    )
    parser.add_argument("--seed", type=int, default=0, help="another number makes another app")
    parser.add_argument(
        "--load",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="start with the messages of hourly history files, plain or gzip",
    )
    parser.add_argument(
        "--load-type",
        default="Public",
        choices=GROUP_TYPE_NAMES,
        help="the type of the groups that --load makes, which the files do not tell (default: Public)",
    )
    parser.add_argument("--load-any-app", action="store_true", help="take the files of another SDKAppID too")
    parser.add_argument(
        "--assume",
        type=_assumption,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="read an open question of the documents in another way",
    )
    return parser


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d+x\d+", text):
        raise argparse.ArgumentTypeError("must look like 10x1000")
    groups, messages = text.split("x")
    return int(groups), int(messages)


def _assumption(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("must look like name=value")
    return name, value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator until it is interrupted.

    :param arguments: the command line; None takes the process's own.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    secret_key = options.secret_key or os.environ.get(KEY_VARIABLE)
    if not secret_key:
        parser.error(f"give --secret-key, or set {KEY_VARIABLE}")
    try:
        emulator = TencentIMEmulator(
            port=options.port,
            host=options.host,
            sdkappid=options.sdkappid,
            secret_key=secret_key,
            identifier=options.identifier,
            tls=tuple(options.tls) if options.tls else None,
            assumptions=dict(options.assume),
        )
        if options.generate:
            groups, messages = options.generate
            emulator.generate(groups, messages, options.seed)
        if options.load:
            emulator.load(*options.load, group_type=options.load_type, any_app=options.load_any_app)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if not _is_loopback(options.host):
        sys.stderr.write(f"warning: {options.host} can be reached by other machines\n")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    size = emulator.size()
    letters = f", {size['one_to_one_messages']} one-to-one messages" if options.load else ""
    with emulator:
        sys.stdout.write(f"{emulator.url} ready: {size['groups']} groups, {size['messages']} messages{letters}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
