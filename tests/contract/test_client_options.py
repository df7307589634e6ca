"""A client's options, one by one: their bounds, what they are named by in errors, and what they change."""

from __future__ import annotations

import base64
import json
import time
import zlib

import pytest
from scripted_server import OK, SDKAPPID, SECRET_KEY, ScriptedServer

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import (
    TencentIMCancelledError,
    TencentIMInvalidRequestError,
    TencentIMPermissionError,
    TencentIMTransientError,
)
from airflow_provider_tencentim.client.pacing import ProcessPacer
from airflow_provider_tencentim.client.pacing_machine import MACHINE_PACER
from airflow_provider_tencentim.client.signature import SecretKey

MODIFY = "openim/modify_group_msg"
HISTORY = "group_open_http_svc/group_msg_get_simple"
FIFTY_YEARS = 50 * 365 * 86_400
COMMANDS_SAID = "allowed_commands must be 'read' or a list of commands such as openim/modify_group_msg"


def client_of(sdkappid=SDKAPPID, secret_key=SECRET_KEY, **options):
    return TencentIMClient(sdkappid, secret_key, **options)


@pytest.fixture
def server():
    with ScriptedServer(OK) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *(("sdkappid", value, "sdkappid must be a whole number above 0") for value in (0, -1, True, "1", 1.0, None)),
        *(("secret_key", value, "secret_key is empty") for value in ("", None)),
        *(("secret_key", f"key{char}", "secret_key is not valid Unicode") for char in ("\ud800", "\udfff")),
        *(("usersig_ttl", value, "usersig_ttl must be from 60 seconds to 50 years") for value in (59, FIFTY_YEARS + 1)),
        *(("timeout", value, "timeout must be from 4 to 300 seconds") for value in (3.99, 300.01, float("nan"))),
        *(
            ("calls_per_second", value, "calls_per_second must be above 0 and at most 200")
            for value in (0, -1, 200.01, float("nan"))
        ),
        ("identifier", "a" * 33, "identifier is 33 bytes long, 32 are allowed"),
        ("base_url", "http://gateway", "plain http is refused for a host that is not this machine; use https"),
        *(
            ("allowed_commands", value, COMMANDS_SAID)
            for value in ("", "Read", MODIFY, [], ["read"], [7], [MODIFY, None], ["openim"], [f"{MODIFY}\n"])
        ),
    ],
)
def test_an_option_out_of_its_range_is_refused_in_these_words(name, value, said):
    with pytest.raises(ValueError, match=r".") as caught:
        client_of(**{name: value})

    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sdkappid", 1),
        ("secret_key", "schlüssel \ud7ff\ue000"),
        ("usersig_ttl", 60),
        ("usersig_ttl", FIFTY_YEARS),
        ("timeout", 4),
        ("timeout", 300),
        ("calls_per_second", 0.01),
        ("calls_per_second", 200),
        ("identifier", "a" * 32),
    ],
)
def test_an_option_at_the_end_of_its_range_is_taken(server, name, value):
    with client_of(base_url=server.url, pacer=ProcessPacer(), **{name: value}) as client:
        assert client.clear_group_msg("room", 1)["ErrorCode"] == 0


def test_a_client_of_two_arguments_is_the_administrator_in_china_at_the_machines_pace():
    client = client_of()

    assert (client.sdkappid, client.identifier) == (SDKAPPID, "administrator")
    assert client.base_url == "https://console.tim.qq.com"
    assert client._transport._pacer is MACHINE_PACER
    assert client._transport._calls_per_second == 190
    assert client._transport._wire._timeout == (5.0, 10.0)
    assert client._transport._wire._verify is True


def test_a_client_shows_whose_it_is_and_where_it_calls():
    assert repr(client_of(identifier="ann", region="seoul")) == (
        "TencentIMClient(1400000000, identifier='ann', base_url='https://adminapikr.im.qcloud.com')"
    )


def test_a_base_url_wins_over_the_region_and_is_brought_into_its_plain_form():
    assert client_of(region="seoul", base_url="HTTPS://Gateway/").base_url == "https://gateway"
    assert client_of(region="seoul", base_url="").base_url == "https://adminapikr.im.qcloud.com"


def test_a_call_names_app_and_admin_and_is_signed_for_them(server):
    client = client_of(7, base_url=server.url, identifier="ann", pacer=ProcessPacer())
    client.clear_group_msg("room", 1)

    query = server.requests[0].query
    signed = zlib.decompress(base64.b64decode(query["usersig"].translate(str.maketrans("*-_", "+/="))))
    assert (query["sdkappid"], query["identifier"]) == ("7", "ann")
    assert (json.loads(signed)["TLS.sdkappid"], json.loads(signed)["TLS.identifier"]) == (7, "ann")


def test_a_ca_bundle_makes_its_certificates_known(certificate):
    path, context = certificate
    with ScriptedServer(OK, tls=context) as server, server.client(ca_bundle=path) as client:
        assert client.clear_group_msg("room", 1)["ErrorCode"] == 0


def test_a_signature_is_good_for_as_long_as_asked_for(server):
    client = client_of(base_url=server.url, usersig_ttl=3600, pacer=ProcessPacer())
    client.clear_group_msg("room", 1)

    assert time.time() + 3200 < client._transport._signer._renew_at < time.time() + 3600


def test_the_pace_is_the_pacers(server):
    rates = []

    class Noting(ProcessPacer):
        def reserve(self, key, rate):
            rates.append((key, rate))
            return 0.0

    server.client(pacer=Noting(), calls_per_second=50).clear_group_msg("room", 1)

    assert rates == [(f"{SDKAPPID}/group_open_http_svc/clear_group_msg", 50)]


def test_a_client_is_closed_at_the_end_of_a_with_block(server):
    with server.client() as client:
        assert isinstance(client, TencentIMClient)
        client.clear_group_msg("room", 1)
        client.clear_group_msg("room", 1)
        assert server.connections == 1
    client.clear_group_msg("room", 1)

    assert server.connections == 2


def test_a_client_that_was_cancelled_sends_nothing_more(server):
    client = server.client()
    client.cancel()

    with pytest.raises(TencentIMCancelledError):
        client.clear_group_msg("room", 1)
    assert server.connections == 0


# --- any command ---


@pytest.mark.parametrize("command", ["", "openim", "openim/", "/openim/x", "openim/X", "openim/x\n", "ö/x"])
def test_what_is_not_service_and_command_is_shown_and_not_sent(server, command):
    with pytest.raises(TencentIMInvalidRequestError) as caught:
        server.client().call(command, {})

    error = caught.value
    assert (error.command, error.code) == (repr(command), None)
    assert error.info == "a command is service/command in small letters"
    assert server.connections == 0


@pytest.mark.parametrize("tries", [1, 2])
def test_any_command_is_sent_with_its_body_and_tried_as_often_as_asked_for(tries):
    with ScriptedServer(None) as server, pytest.raises(TencentIMTransientError):
        server.client().call(HISTORY, {"GroupId": "room"}, tries=tries)

    assert [(request.command, request.json()) for request in server.requests] == [
        (HISTORY, {"GroupId": "room"})
    ] * tries


@pytest.mark.parametrize(
    ("allowed", "command", "sent"),
    [
        (None, "openim/in_no_table", True),
        ("read", HISTORY, True),
        ("read", MODIFY, False),
        ("read", "openim/in_no_table", False),
        ([MODIFY], MODIFY, True),
        ([MODIFY], HISTORY, False),
        ((MODIFY, "openim/in_no_table"), "openim/in_no_table", True),
    ],
)
def test_a_command_that_is_not_allowed_is_not_sent_and_says_so(server, allowed, command, sent):
    client = server.client(allowed_commands=allowed)
    if sent:
        assert client.call(command, {})["ErrorCode"] == 0
    else:
        with pytest.raises(TencentIMPermissionError) as caught:
            client.call(command, {})
        assert (caught.value.command, caught.value.code) == (command, None)
        assert caught.value.info == "the connection's allowed_commands do not include it, and nothing was sent"

    assert [request.command for request in server.requests] == [command] * sent


def test_how_many_calls_fill_the_pace_is_measured_for_each_command(server):
    client = server.client()
    client._transport._answer_seconds = {HISTORY: 0.2}

    assert client.in_flight_wanted(HISTORY) == 48
    assert client.in_flight_wanted("openim/in_no_table") == 4


def test_a_client_seals_with_its_key():
    with client_of() as client, client_of(secret_key="another") as other:
        assert client.seal(b"content") == SecretKey(SECRET_KEY).seal(b"content")
        assert client.seal(b"content") != other.seal(b"content")
