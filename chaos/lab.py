"""One process of a campaign: round after round an app is filled, worked on in bad weather, and looked at."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_provider_tencentim.client.client import TencentIMClient

from . import model
from .calls import Caller
from .certificates import make_certificates
from .disk import bad_disk
from .hurry import HOST, in_a_hurry
from .proxy import FaultProxy
from .service import Service
from .sweeps import Sweeps
from .tally import Tally
from .tasks import Tasks
from .weather import SETTLING_SECONDS, Weather

DNS_SHARE = 0.02
DISK_SHARE = 0.01
_CONN_ID = "tencentim_default"


class Lab:
    """An emulator, two proxies before it, one of which speaks TLS, and those who call.

    :param seed: of all that is drawn here.
    :param folder: for files.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.tally = Tally()
        self.dice = random.Random(seed)
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Lab:
        def count(name: str) -> None:
            self.tally.add("injected", name)

        enter = self._stack.enter_context
        dice = self.dice.randrange
        enter(in_a_hurry(self.tally, random.Random(dice(2**32)), DNS_SHARE))
        self.service = enter(Service(count))
        certificates, self._ca = make_certificates(self._folder)
        self._plain = enter(FaultProxy(self.service.port, random.Random(dice(2**32)), {}, count))
        self._tls = enter(FaultProxy(self.service.port, random.Random(dice(2**32)), {}, count, certificates))
        enter(bad_disk(self._folder, random.Random(dice(2**32)), DISK_SHARE, count))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def connect(self) -> TencentIMClient:
        """Return a client with the key that counts now, over the proxy without TLS."""
        return self._client(f"http://{HOST}:{self._plain.port}", None)

    def connect_tls(self) -> TencentIMClient:
        """Return the same over TLS."""
        return self._client(f"https://{HOST}:{self._tls.port}", str(self._ca))

    def _client(self, url: str, ca_bundle: str | None) -> TencentIMClient:
        self._tell_airflow()
        return TencentIMClient(self.service.sdkappid, self.service.secret_key, base_url=url, ca_bundle=ca_bundle)

    def _tell_airflow(self) -> None:
        """Let the Airflow connection have the key that counts now."""
        url = quote(f"http://{HOST}:{self._plain.port}", safe="")
        uri = f"tencentim://{self.service.sdkappid}:{self.service.secret_key}@{url}"
        os.environ[f"AIRFLOW_CONN_{_CONN_ID.upper()}"] = uri

    def in_weather(
        self,
        work: Callable[[], list[Callable[[], None]]],
        orders: Callable[[], model.Orders],
        *,
        rotation: float = 0.5,
        **weather_options: Any,
    ) -> None:
        """Let work be done in bad weather, and judge what came of it.

        :param work: puts things in place and returns what then runs, side by side.
        :param orders: returns what was ordered, and what was reported.
        :param rotation: how often the key is rotated in the middle.
        :param weather_options: other arguments of the weather.
        """
        weather = Weather(
            self.dice.randrange(2**32),
            self.service,
            [self._plain, self._tls],
            rotates=self.dice.random() < rotation,
            **weather_options,
        )
        self.service.assume(weather.readings)
        self._tell_airflow()
        pieces = work()
        before = self.service.state()
        failures: list[BaseException] = []

        def run(piece: Callable[[], None]) -> None:
            try:
                piece()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(piece,)) for piece in pieces]
        weather.begin()
        if len(pieces) == 1:  # Airflow wants the main thread
            run(pieces[0])
            threads = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        weather.end()
        time.sleep(SETTLING_SECONDS)
        if failures:
            raise failures[0]
        findings, told = model.judge(before, self.service.state(), orders())
        for kind, what in findings:
            self.tally.violation(kind, f"{what} (readings: {dict(weather.readings)})")
        for name, number in told.items():
            self.tally.add("outcomes", f"orders {name}", number)
        self.tally.add("counts", "messages judged", len(model.messages_of(before)))
        self.tally.add("counts", "rounds")

    def round(self, size: int) -> None:
        """Fill the app anew; callers, tasks and two nights of sweeps work on it.

        :param size: how many groups there are of each kind of work.
        """
        self.service.reset(empty=True)
        name = f"r{self.tally.counts['rounds']}"
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))
        callers: list[Caller] = []
        tasks: list[Tasks] = []
        sweeps: list[Sweeps] = []
        swept: list[model.Order] = []

        def dice() -> random.Random:
            return random.Random(self.dice.randrange(2**32))

        def first_night() -> list[Callable[[], None]]:
            connects = (self.connect, self.connect_tls, self.connect)
            callers.extend(
                Caller(f"c{at}", self.service, dice(), connect, self.tally) for at, connect in enumerate(connects)
            )
            tasks.append(Tasks("o0", self.service, dice(), _CONN_ID, self.tally))
            sweeps.append(Sweeps("sw0", self.service, dice(), self.connect, folder, self.tally, size))
            (sweep,) = sweeps
            orders, groups = sweep.groups(self.service.state(), 60)
            more, letters = sweep.conversations(self.service.state(), 60, "redact")
            swept[:] = [*orders, *more]
            return [*(caller.run for caller in callers), *(task.run for task in tasks), groups, letters]

        def second_night() -> list[Callable[[], None]]:
            (sweep,) = sweeps
            orders, groups = sweep.groups(self.service.state(), 30)
            more, letters = sweep.conversations(self.service.state(), 30, "recall")
            swept[:] = [*orders, *more]
            return [groups, letters]

        def ordered() -> model.Orders:
            everybody = [*(caller.orders for caller in callers), *(task.orders for task in tasks)]
            return model.Orders(
                [*swept, *(order for one in everybody for order in one.messages)],
                [sending for one in everybody for sending in one.sendings],
            )

        self.in_weather(first_night, ordered)
        callers.clear()
        tasks.clear()
        self.in_weather(second_night, ordered)


def main() -> None:
    """Run rounds until so many calls were made, and write the tally; ``python -m chaos`` calls it."""
    seed, calls, size, out = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    logging.disable(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder,
        Lab(seed, Path(folder)) as lab,
    ):
        while lab.tally.calls < calls:
            lab.round(size)
        out.write_text(json.dumps(lab.tally.to_dict()))


if __name__ == "__main__":
    main()
