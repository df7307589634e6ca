"""A local server that speaks the REST API of Tencent Cloud Chat, and refuses as it does.

It checks signatures, limits, types and states by its own code: it shares nothing with the client but the
tables of plain facts, so that neither can hide a mistake of the other.
"""

from __future__ import annotations

from airflow_provider_tencentim.emulator.assumptions import Assumptions
from airflow_provider_tencentim.emulator.server import TencentIMEmulator

__all__ = ["Assumptions", "TencentIMEmulator"]
