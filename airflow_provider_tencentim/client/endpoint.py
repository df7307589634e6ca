"""The address that calls go to: one base URL, checked before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .regions import REGIONS


def base_url_of_region(region: str) -> str:
    """Return the base URL of a data center.

    :param region: a name of :data:`~airflow_provider_tencentim.client.regions.REGIONS`.
    :raises ValueError: when there is no such region.
    """
    if region not in REGIONS:
        raise ValueError(f"region is not one of {', '.join(REGIONS)}")
    return f"https://{REGIONS[region]}"


def check_base_url(base_url: str, port: int | None = None) -> str:
    """Return a base URL in its plain form; nothing is resolved or opened.

    :param base_url: ``https://host[:port]``; ``http://`` only for a loopback host.
    :param port: used where the URL names none.
    :raises ValueError: when it is something else, or calls would leave this machine unencrypted. Its message never
        shows the URL, which may hold a password by mistake.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port or port
    except ValueError:
        raise ValueError("the base URL is malformed") from None
    if parts.scheme not in ("http", "https") or not host or not _HOST.fullmatch(host):
        raise ValueError("the base URL is not like https://console.tim.qq.com")
    if port is not None and not 0 <= port <= 65_535:
        raise ValueError("the port is not a number from 1 to 65535")
    if parts.username or parts.password or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("the base URL holds more than scheme, host and port")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("plain http is refused for a host that is not this machine; use https")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this very machine, by its name alone: nothing is resolved.

    :param host: a domain or an IP address.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# A domain, or an IP address of either kind.
_HOST = re.compile(r"[a-z0-9._:-]+", re.ASCII)
