"""Whatever comes from outside ends in a documented kind of error, and ends.

``FUZZ_EXAMPLES=20000 python -m pytest tests/fuzz`` draws more; ``make fuzz`` lets coverage guide what is drawn.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import opaque
from targets import TARGETS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.timeout(0 if EXAMPLES > 1000 else 120)
def test_bad_input(name):
    function, strategy = TARGETS[name]

    @settings(max_examples=EXAMPLES, deadline=20_000, suppress_health_check=list(HealthCheck), database=None)
    @given(opaque(strategy))
    def try_one(value):
        function(value)

    try_one()
