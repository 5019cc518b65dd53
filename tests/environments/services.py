"""Services the environment tests need, told of in `HERMES_TEST_…` variables by `.ci/services`."""

import os
from typing import NoReturn

import pytest


def required(variable: str) -> str:
    """The value of `variable`; without it the test is skipped, or fails where services are due."""
    value = SERVICES.get(variable, "")
    if not value:
        unavailable(f"{variable} is not set; `. .ci/services up` starts what it names")
    return value


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where services are due."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


# Read at import: the `home` fixture takes `HERMES_…` variables away from each test.
SERVICES = {name: value for name, value in os.environ.items() if name.startswith("HERMES_TEST_")}
REQUIRED = bool(os.environ.get("HERMES_REQUIRE_SERVICES"))
