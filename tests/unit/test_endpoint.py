"""Where calls go: https everywhere, plain http only to this very machine, and nothing but scheme, host and port."""

from __future__ import annotations

import pytest

from airflow_provider_tencentim.client.endpoint import base_url_of_region, check_base_url, is_loopback
from airflow_provider_tencentim.client.regions import DEFAULT_REGION, REGIONS


@pytest.mark.parametrize("region", REGIONS)
def test_a_regions_base_url_is_https_and_in_its_plain_form(region):
    url = base_url_of_region(region)

    assert url == f"https://{REGIONS[region]}"
    assert check_base_url(url) == url


def test_no_two_regions_share_a_domain():
    assert len(set(REGIONS.values())) == len(REGIONS) == 8
    assert DEFAULT_REGION in REGIONS


def test_an_unknown_region_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match="region") as caught:
        base_url_of_region("mars")

    assert str(caught.value) == f"region is not one of {', '.join(REGIONS)}"


@pytest.mark.parametrize(
    ("base_url", "port", "plain"),
    [
        ("https://gateway.example.com", None, "https://gateway.example.com"),
        ("https://gateway.example.com/", None, "https://gateway.example.com"),
        ("HTTPS://Gateway.Example.Com", None, "https://gateway.example.com"),
        ("https://gateway.example.com:8443", None, "https://gateway.example.com:8443"),
        ("https://gateway.example.com", 8443, "https://gateway.example.com:8443"),
        ("https://gateway.example.com:9443", 8443, "https://gateway.example.com:9443"),
        ("https://gateway.example.com", 65_535, "https://gateway.example.com:65535"),
        ("https://gateway.example.com", 0, "https://gateway.example.com"),  # as a connection form has it for none
        ("https://10.1.2.3", None, "https://10.1.2.3"),
        ("https://[fd00::1]:8443", None, "https://[fd00::1]:8443"),
        ("http://localhost:8790", None, "http://localhost:8790"),
        ("http://LOCALHOST", 8790, "http://localhost:8790"),
        ("http://127.0.0.1:8790", 443, "http://127.0.0.1:8790"),
        ("http://127.8.9.10", None, "http://127.8.9.10"),
        ("http://[::1]:8790", None, "http://[::1]:8790"),
    ],
)
def test_a_base_url_is_brought_into_its_plain_form(base_url, port, plain):
    assert check_base_url(base_url, port) == plain


PLAIN_HTTP = "plain http is refused for a host that is not this machine; use https"
MALFORMED = "the base URL is malformed"
UNLIKE = "the base URL is not like https://console.tim.qq.com"
MORE = "the base URL holds more than scheme, host and port"


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://gateway.example.com", PLAIN_HTTP),
        ("http://10.1.2.3", PLAIN_HTTP),
        ("http://0.0.0.0", PLAIN_HTTP),
        ("http://169.254.169.254", PLAIN_HTTP),
        ("http://[::]", PLAIN_HTTP),
        ("http://127.0.0.1.example.com", PLAIN_HTTP),
        ("http://localhost.example.com", PLAIN_HTTP),
        ("http://127.1", PLAIN_HTTP),
        ("http://2130706433", PLAIN_HTTP),
        ("https://gateway.example.com/v4", MORE),
        ("https://gateway.example.com/X", MORE),
        ("https://gateway.example.com?x=1", MORE),
        ("https://gateway.example.com/#x", MORE),
        ("https://ann@gateway.example.com", MORE),
        ("https://ann:hidden@gateway.example.com", MORE),
        ("https://:hidden@gateway.example.com", MORE),
        ("http://127.0.0.1:80@gateway.example.com", MORE),
        ("", UNLIKE),
        ("gateway.example.com", UNLIKE),
        ("//gateway.example.com", UNLIKE),
        ("ftp://gateway.example.com", UNLIKE),
        ("file:///etc/passwd", UNLIKE),
        ("https://", UNLIKE),
        ("https:///v4", UNLIKE),
        ("https://gate way", UNLIKE),
        ("https://gateway.example.com\\@evil.example.com", MORE),
        ("https://例え.example.com", UNLIKE),
        ("https://gateway.example.com:port", MALFORMED),
        ("https://gateway.example.com:99999", MALFORMED),
        ("https://gateway.example.com:-1", MALFORMED),
        ("https://[::1", MALFORMED),
    ],
)
def test_what_is_no_such_url_is_refused_and_not_shown(base_url, said):
    with pytest.raises(ValueError, match=r"URL|plain http") as caught:
        check_base_url(base_url)

    assert str(caught.value) == said


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(ValueError, match=r"^the port is not a number from 1 to 65535$"):
        check_base_url("https://gateway.example.com", port)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.", "example.com", "0.0.0.0", "::", "128.0.0.1", "fe80::1"])  # noqa: S104
def test_other_machines(host):
    assert not is_loopback(host)
