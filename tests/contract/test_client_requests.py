"""What the client sends: the documents' requests, byte for byte where they say so, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import zlib

import pytest
from scripted_server import OK, SDKAPPID, SECRET_KEY, ScriptedServer, answer, http

from airflow_provider_tencentim.client.client import TencentIMClient
from airflow_provider_tencentim.client.errors import TencentIMError, TencentIMInvalidRequestError
from airflow_provider_tencentim.client.pacing import ProcessPacer

HELLO = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}]
RECALLED = answer(RecallRetList=[{"MsgSeq": 100, "RetCode": 0}, {"MsgSeq": 101, "RetCode": 0}])

# Every sample request of the documents, and the optional fields of their tables: the call that makes it.
SAMPLES = {
    "modify_group_msg, MsgBody": (
        lambda client: client.modify_group_msg("@TGS#1HYEP2SHC", 23, HELLO),
        "/v4/openim/modify_group_msg",
        {"GroupId": "@TGS#1HYEP2SHC", "MsgSeq": 23, "MsgBody": HELLO},
    ),
    "modify_group_msg, CloudCustomData": (
        lambda client: client.modify_group_msg("@TGS#1HYEP2SHC", 23, cloud_custom_data="your cloud custom data"),
        "/v4/openim/modify_group_msg",
        {"GroupId": "@TGS#1HYEP2SHC", "MsgSeq": 23, "CloudCustomData": "your cloud custom data"},
    ),
    "modify_group_msg, both": (
        lambda client: client.modify_group_msg("@TGS#1HYEP2SHC", 23, HELLO, "your cloud custom data"),
        "/v4/openim/modify_group_msg",
        {
            "GroupId": "@TGS#1HYEP2SHC",
            "MsgSeq": 23,
            "MsgBody": HELLO,
            "CloudCustomData": "your cloud custom data",
        },
    ),
    "modify_group_msg, TopicId": (
        lambda client: client.modify_group_msg("@TGS#_1", 23, HELLO, topic_id="@TGS#_1@TOPIC#_2"),
        "/v4/openim/modify_group_msg",
        {"GroupId": "@TGS#_1", "TopicId": "@TGS#_1@TOPIC#_2", "MsgSeq": 23, "MsgBody": HELLO},
    ),
    "modify_group_msg, text": (
        lambda client: client.modify_group_msg("@TGS#1HYEP2SHC", 23, "hello"),
        "/v4/openim/modify_group_msg",
        {"GroupId": "@TGS#1HYEP2SHC", "MsgSeq": 23, "MsgBody": HELLO},
    ),
    "modify_c2c_msg, MsgBody": (
        lambda client: client.modify_c2c_msg("dramon1", "dramon2", "1_2_3", HELLO),
        "/v4/openim/modify_c2c_msg",
        {"From_Account": "dramon1", "To_Account": "dramon2", "MsgKey": "1_2_3", "MsgBody": HELLO},
    ),
    "modify_c2c_msg, CloudCustomData": (
        lambda client: client.modify_c2c_msg("dramon1", "dramon2", "1_2_3", cloud_custom_data="your cloud custom data"),
        "/v4/openim/modify_c2c_msg",
        {
            "From_Account": "dramon1",
            "To_Account": "dramon2",
            "MsgKey": "1_2_3",
            "CloudCustomData": "your cloud custom data",
        },
    ),
    "modify_c2c_msg, both": (
        lambda client: client.modify_c2c_msg("dramon1", "dramon2", "1_2_3", HELLO, "your cloud custom data"),
        "/v4/openim/modify_c2c_msg",
        {
            "From_Account": "dramon1",
            "To_Account": "dramon2",
            "MsgKey": "1_2_3",
            "MsgBody": HELLO,
            "CloudCustomData": "your cloud custom data",
        },
    ),
    "group_msg_recall": (
        lambda client: list(client.group_msg_recall("@TGS#2J4SZEAEL", [100, 101])),
        "/v4/group_open_http_svc/group_msg_recall",
        {"GroupId": "@TGS#2J4SZEAEL", "MsgSeqList": [{"MsgSeq": 100}, {"MsgSeq": 101}]},
    ),
    "group_msg_recall, TopicId and Reason": (
        lambda client: list(client.group_msg_recall("@TGS#_1", [100, 101], "@TGS#_1@TOPIC#_2", "policy")),
        "/v4/group_open_http_svc/group_msg_recall",
        {
            "GroupId": "@TGS#_1",
            "TopicId": "@TGS#_1@TOPIC#_2",
            "MsgSeqList": [{"MsgSeq": 100}, {"MsgSeq": 101}],
            "Reason": "policy",
        },
    ),
    "clear_group_msg": (
        lambda client: client.clear_group_msg("@TGS#15ERQPAER"),
        "/v4/group_open_http_svc/clear_group_msg",
        {"GroupId": "@TGS#15ERQPAER"},
    ),
    "clear_group_msg, MsgSeq": (
        lambda client: client.clear_group_msg("@TGS#15ERQPAER", 7803321),
        "/v4/group_open_http_svc/clear_group_msg",
        {"GroupId": "@TGS#15ERQPAER", "MsgSeq": 7803321},
    ),
}

# As the request tables of the documents have them; Tokyo as the newest overview page does.
DOMAINS = {
    "china": "console.tim.qq.com",
    "singapore": "adminapisgp.im.qcloud.com",
    "seoul": "adminapikr.im.qcloud.com",
    "tokyo": "adminapijpn.im.qcloud.com",
    "frankfurt": "adminapiger.im.qcloud.com",
    "mumbai": "adminapiind.im.qcloud.com",
    "silicon_valley": "adminapiusa.im.qcloud.com",
    "jakarta": "adminapiidn.im.qcloud.com",
}


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


def decode(usersig: str) -> dict[str, object]:
    """Open a UserSig by the published recipe, without the library that signs."""
    compressed = base64.b64decode(usersig.replace("*", "+").replace("-", "/").replace("_", "="), validate=True)
    return json.loads(zlib.decompress(compressed))


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_call_is_the_documents_request(sample):
    call, path, body = SAMPLES[sample]
    with ScriptedServer(RECALLED if "recall" in sample else OK) as server, server.client() as client:
        call(client)

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", path)
    assert request.json() == body
    assert list(request.query) == ["sdkappid", "identifier", "usersig", "random", "contenttype"]
    assert request.query["sdkappid"] == "1400000000"
    assert request.query["identifier"] == "administrator"
    assert 0 <= int(request.query["random"]) <= 4294967295
    assert request.query["contenttype"] == "json"


def test_a_call_is_signed_as_published(server):
    client = server.client(identifier="im admin", usersig_ttl=3600)
    before = int(time.time())

    client.clear_group_msg("room", 1)

    (request,) = server.requests
    assert request.query["identifier"] == "im admin"
    document = decode(request.query["usersig"])
    signed = (
        f"TLS.identifier:im admin\nTLS.sdkappid:{SDKAPPID}\nTLS.time:{document['TLS.time']}\n"
        f"TLS.expire:{document['TLS.expire']}\n"
    )
    digest = hmac.new(SECRET_KEY.encode(), signed.encode(), hashlib.sha256).digest()
    assert before <= document["TLS.time"] <= time.time()
    assert document == {
        "TLS.ver": "2.0",
        "TLS.identifier": "im admin",
        "TLS.sdkappid": SDKAPPID,
        "TLS.expire": 3600,
        "TLS.time": document["TLS.time"],
        "TLS.sig": base64.b64encode(digest).decode(),
    }


def test_every_try_has_a_random_of_its_own_and_the_same_body(monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport._back_off", lambda _: 0.0)
    with ScriptedServer(answer(10002), answer(10002), OK) as server:
        server.client().clear_group_msg("room", 1)

    assert len({request.query["random"] for request in server.requests}) == 3
    assert len({request.body for request in server.requests}) == 1


def test_random_uses_all_32_bits(server):
    client = server.client()

    for _ in range(40):
        client.clear_group_msg("room", 1)

    # 40 numbers below 2^31, or all of them below 2^24, do not happen.
    assert max(int(request.query["random"]) for request in server.requests) >= 2**31


def test_text_is_sent_as_utf_8_and_not_escaped(server):
    text = "早上好 🎉 <ü> \"'\\ \u2028"

    server.client().modify_group_msg("room", 1, text)

    (request,) = server.requests
    assert "早上好 🎉 <ü>".encode() in request.body
    assert request.json()["MsgBody"][0]["MsgContent"]["Text"] == text
    assert request.headers["content-length"] == str(len(request.body))


def test_what_the_message_format_does_not_name_is_sent_as_it_is(server):
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x", "NewField": [1, None, {"a": 1.5}]}}]

    server.client().modify_group_msg("room", 1, body)

    assert server.requests[0].json()["MsgBody"] == body


def test_calls_share_one_connection_that_stays_open(server):
    client = server.client()

    for seq in range(1, 31):
        client.clear_group_msg("room", seq)

    assert len(server.requests) == 30
    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_costs_no_try(server):
    client = server.client()
    client.clear_group_msg("room", 1)
    server.close_connections()

    client.call("group_open_http_svc/clear_group_msg", {"GroupId": "room", "MsgSeq": 2}, tries=1)

    assert [request.json()["MsgSeq"] for request in server.requests] == [1, 2]
    assert server.connections == 2


def test_the_headers_name_host_and_json_and_carry_no_credentials(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password secret\ndefault login ann password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    server.client().clear_group_msg("room", 1)

    (request,) = server.requests
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["content-type"] == "application/json"
    assert not {"authorization", "proxy-authorization", "cookie"} & set(request.headers)
    assert request.query["usersig"] not in str(request.headers)


def test_cookies_are_not_sent_back():
    with ScriptedServer(http('{"ErrorCode": 0}', Set_Cookie="session=1; Path=/")) as server:
        client = server.client()
        client.clear_group_msg("room", 1)
        client.clear_group_msg("room", 2)

    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(status):
    with ScriptedServer() as elsewhere:
        moved = http("", status, Location=f"{elsewhere.url}/v4/group_open_http_svc/clear_group_msg")
        with ScriptedServer(moved) as server, pytest.raises(TencentIMInvalidRequestError, match="redirect") as caught:
            server.client().clear_group_msg("room", 1)

    assert len(server.requests) == 1
    assert elsewhere.connections == 0
    assert elsewhere.url not in str(caught.value)


def test_the_environments_proxy_is_not_asked_for_this_machine(server, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with ScriptedServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        server.client().clear_group_msg("room", 1)

    assert len(server.requests) == 1
    assert proxy.connections == 0


def test_a_proxy_learns_the_host_and_nothing_of_the_call(monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    with ScriptedServer(http("", "403 Forbidden", Connection="close")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        client = TencentIMClient(SDKAPPID, SECRET_KEY, pacer=ProcessPacer())
        with pytest.raises(TencentIMError):
            client.clear_group_msg("room", 1)

    (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", "console.tim.qq.com:443")
    assert not [value for value in request.headers.values() if "usersig" in value or "room" in value]
    assert request.body == b""


# --- TLS ---


def test_a_certificate_that_nobody_knows_is_refused_before_anything_is_sent(certificate, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    _, context = certificate
    with (
        ScriptedServer(tls=context) as server,
        pytest.raises(TencentIMError, match=r"self.signed") as caught,
    ):
        server.client().call("group_open_http_svc/create_group", {})

    assert server.requests == []
    assert caught.value.kind.value == "transient", "nothing was sent, so nothing is ambiguous"


def test_a_ca_bundle_makes_a_private_gateway_known(certificate):
    path, context = certificate
    with ScriptedServer(tls=context) as server, server.client(ca_bundle=path) as client:
        assert client.clear_group_msg("room", 1)["ErrorCode"] == 0
        client.clear_group_msg("room", 2)

    assert server.connections == 1
    assert server.requests[0].query["contenttype"] == "json"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_ca_variables_have_no_say(certificate, monkeypatch, tmp_path, variable):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    path, context = certificate
    with ScriptedServer(tls=context) as server:
        monkeypatch.setenv(variable, str(tmp_path / "no such file"))
        server.client(ca_bundle=path).clear_group_msg("room", 1)
        monkeypatch.setenv(variable, path)
        with pytest.raises(TencentIMError, match=r"self.signed"):
            server.client().clear_group_msg("room", 2)

    assert len(server.requests) == 1


def test_a_certificate_of_another_host_is_refused(certificate, monkeypatch):
    monkeypatch.setattr("airflow_provider_tencentim.client.transport.MAX_SECONDS", 0.0)
    path, context = certificate
    with ScriptedServer(tls=context) as server, pytest.raises(TencentIMError, match="Hostname mismatch"):
        server.client(base_url=f"https://localhost:{server.port}", ca_bundle=path).clear_group_msg("room", 1)

    assert server.requests == []


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_bundle_that_is_none_is_named_before_anything_is_sent(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ValueError, match="ca_bundle"):
        TencentIMClient(SDKAPPID, SECRET_KEY, ca_bundle=str(path))


# --- what is refused before anything is sent ---


@pytest.mark.parametrize(("region", "domain"), DOMAINS.items())
def test_a_region_is_its_documented_domain(region, domain):
    client = TencentIMClient(SDKAPPID, SECRET_KEY, region=region)

    assert client.base_url == f"https://{domain}"


def test_china_is_the_default_region():
    assert TencentIMClient(SDKAPPID, SECRET_KEY).base_url == "https://console.tim.qq.com"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://console.tim.qq.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "https://console.tim.qq.com/v4",
        "https://console.tim.qq.com?sdkappid=1",
        "https://console.tim.qq.com#x",
        "https://ann:secret@console.tim.qq.com",
        "ftp://console.tim.qq.com",
        "console.tim.qq.com",
        "https://",
        "https://con sole",
        "https://console.tim.qq.com\r\nX: y",
        "https://host:99999",
    ],
)
def test_a_base_url_that_is_no_bare_https_address_is_refused_without_being_shown(base_url):
    with pytest.raises(ValueError, match=r"URL|plain http") as caught:
        TencentIMClient(SDKAPPID, SECRET_KEY, base_url=base_url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "sdkappid": [0, -1, True, "1400000000", 1.0, None],
        "secret_key": ["", None],
        "region": ["mars", "China", ""],
        "identifier": ["", " ", "a" * 33, "管理员", 7, None, "a\nb"],
        "usersig_ttl": [0, 59, 50 * 365 * 86_400 + 1],
        "timeout": [0, 3.99, 301, float("nan"), -1],
        "calls_per_second": [0, -1, 200.5, float("nan"), float("inf")],
        "allowed_commands": ["write", "", [], ["read"], [7], ["openim"], "openim/modify_group_msg"],
    }.items(),
)
def test_an_option_out_of_its_range_is_named(name, values):
    for value in values:
        options = {"sdkappid": SDKAPPID, "secret_key": SECRET_KEY, name: value}
        with pytest.raises(ValueError, match=name) as caught:
            TencentIMClient(options.pop("sdkappid"), options.pop("secret_key"), **options)
        assert SECRET_KEY not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "modify_group_msg",
        "openim/",
        "/v4/openim/modify_group_msg",
        "openim/modify_group_msg/",
        "openim/../admin/x",
        "openim/modify_group_msg?x=1",
        "openim/modify_group_msg#x",
        "openim/Modify_Group_Msg",
        "openim/modify group msg",
        "openim/modify_group_msg\n",
        "openim/％",
    ],
)
def test_what_is_not_service_and_command_is_not_sent(server, command):
    with pytest.raises(TencentIMInvalidRequestError):
        server.client().call(command, {})

    assert server.connections == 0


@pytest.mark.parametrize("value", [float("nan"), object(), {1}, "\ud800"], ids=["NaN", "object", "set", "surrogate"])
def test_a_body_that_is_no_json_is_not_sent_and_not_shown(server, value):
    with pytest.raises(TencentIMInvalidRequestError, match="not JSON") as caught:
        server.client().call("openim/sendmsg", {"MsgBody": "private", "x": value})

    assert server.connections == 0
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.modify_group_msg("", 1, "x"),
        lambda client: client.modify_group_msg("room", 0, "x"),
        lambda client: client.modify_group_msg("room", 1),
        lambda client: client.modify_group_msg("room", 1, []),
        lambda client: client.modify_group_msg("room", 1, "x", topic_id=""),
        lambda client: client.modify_c2c_msg("", "bob", "1_2_3", "x"),
        lambda client: client.modify_c2c_msg("ann", "bob", "1-2-3", "x"),
        lambda client: client.modify_c2c_msg("ann", "bob", "1_2_3"),
        lambda client: client.group_msg_recall("room", [0]),
        lambda client: client.group_msg_recall("", [1]),
        lambda client: client.group_msg_recall("room", [1], reason="r" * 101),
        lambda client: client.clear_group_msg("room", 0),
        lambda client: client.clear_group_msg(None),
        lambda client: client.group_msg_get_simple("room", 0),
        lambda client: client.account_check([""]),
    ],
)
def test_a_malformed_argument_is_refused_at_once_and_nothing_is_sent(server, call):
    client = server.client()

    with pytest.raises(ValueError, match=r"group_id|msg_seq|msg_body|topic_id|account|msg_key|reason|user_ids"):
        call(client)

    assert server.connections == 0


def test_group_infos_are_asked_for_fifty_at_a_time_and_without_members(server):
    asked = []

    def infos(request):
        asked.append(request.json())
        return answer(GroupInfo=[{"GroupId": name, "ErrorCode": 0} for name in reversed(asked[-1]["GroupIdList"])])

    server.replies[:] = [infos]
    names = [f"g{number}" for number in range(120)]

    found = list(server.client().get_group_info(iter(names)))

    assert [group["GroupId"] for group in found] == names
    assert [len(body["GroupIdList"]) for body in asked] == [50, 50, 20]
    assert all("MemberInfoFilter" not in body["ResponseFilter"] for body in asked)
    assert all("NextMsgSeq" in body["ResponseFilter"]["GroupBaseInfoFilter"] for body in asked)


def test_a_client_shows_neither_key_nor_signature(server):
    client = server.client()
    client.clear_group_msg("room", 1)

    shown = f"{client!r} {client} {client._transport._signer!r} {client._transport._signer.current()!r}"

    assert SECRET_KEY not in shown
    assert server.requests[0].query["usersig"] not in shown
