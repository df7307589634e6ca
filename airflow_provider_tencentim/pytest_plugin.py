"""The fixture ``tencentim_emulator``, for tests of DAGs. pytest loads this module in every project that has the
package: it imports nothing until the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_tencentim.emulator import TencentIMEmulator


@pytest.fixture(scope="session")
def _tencentim_emulator_server() -> Iterator[TencentIMEmulator]:
    try:
        from airflow_provider_tencentim.emulator import TencentIMEmulator
    except ModuleNotFoundError as error:
        pytest.fail(
            f"the fixture tencentim_emulator needs {error.name}: pip install 'airflow-provider-tencentim[emulator]'",
            pytrace=False,
        )
    with TencentIMEmulator() as emulator:
        yield emulator


@pytest.fixture
def tencentim_emulator(_tencentim_emulator_server: TencentIMEmulator) -> Iterator[TencentIMEmulator]:
    """An empty emulator of Tencent Cloud Chat, to which the connection ``tencentim_default`` leads.

    There is one server for the whole session; every test finds it empty, whatever the test before did.
    """
    _tencentim_emulator_server.reset(empty=True)
    # Of its own, so that a test which undoes its patches keeps the connection.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TENCENTIM_DEFAULT", _tencentim_emulator_server.connection_uri)
        yield _tencentim_emulator_server
