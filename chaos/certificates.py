"""Certificates for the proxy that speaks TLS: one that its clients trust, and one that they do not."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from .hurry import HOST
from .proxy import Certificates


def make_certificates(folder: Path) -> tuple[Certificates, Path]:
    """Make both; return them, and the CA file of the clients.

    :param folder: where they are kept.
    """
    contexts = []
    for name in ("trusted", "untrusted"):
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        contexts.append(context)
    return Certificates(*contexts), folder / "trusted.pem"
