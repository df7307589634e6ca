"""An emulator behind a real socket, and a caller that shares no code with the provider's client."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody signed but itself: its path, and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return str(folder / "cert.pem"), context


@pytest.fixture(params=[False, True], ids=["in turn", "side by side"])
def wide(request: pytest.FixtureRequest) -> bool:
    """Whether the calls of a row are sent side by side."""
    return request.param
