"""An emulator behind a real socket, and a caller that shares no code with the provider's client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from TLSSigAPIv2 import TLSSigAPIv2

from airflow_provider_tencentim.emulator import TencentIMEmulator


@pytest.fixture(scope="session")
def emulator_server() -> Iterator[TencentIMEmulator]:
    """The one server of the session: starting it takes longer than most tests."""
    with TencentIMEmulator() as server:
        yield server


@pytest.fixture
def emulator(emulator_server: TencentIMEmulator) -> TencentIMEmulator:
    """An empty emulator."""
    emulator_server.reset(empty=True)
    return emulator_server


@pytest.fixture(scope="session")
def emulator_usersig(emulator_server: TencentIMEmulator) -> str:
    """A good UserSig, made by the vendor's own library."""
    signer = TLSSigAPIv2(emulator_server.sdkappid, emulator_server.secret_key)
    return signer.gen_sig(emulator_server.identifier)


@pytest.fixture
def emulator_connection(emulator_server: TencentIMEmulator) -> Iterator[http.client.HTTPConnection]:
    """A connection for the test: the server closes one that was idle during slow tests of other things."""
    connection = http.client.HTTPConnection(emulator_server.host, emulator_server.port, timeout=10)
    yield connection
    connection.close()


@pytest.fixture
def emulator_call(
    emulator: TencentIMEmulator,
    emulator_usersig: str,
    emulator_connection: http.client.HTTPConnection,
) -> Callable[..., dict[str, Any]]:
    """Call a command: ``emulator_call("openim/sendmsg", body, sdkappid=None)``.

    A body that is bytes is sent as it is. Query parameters can be replaced, or left out with None.
    """

    def call(command: str, body: Any, *, method: str = "POST", path: str = "", **query: Any) -> dict[str, Any]:
        parameters = {
            "sdkappid": emulator.sdkappid,
            "identifier": emulator.identifier,
            "usersig": emulator_usersig,
            "random": 4294967295,
            "contenttype": "json",
            **query,
        }
        sent = urlencode({name: value for name, value in parameters.items() if value is not None})
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        emulator_connection.request(method, f"{path or '/v4/' + command}?{sent}", content)
        response = emulator_connection.getresponse()
        answer = response.read()
        assert response.status == 200
        return json.loads(answer)

    return call
