"""One running installation for the tests that do not break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest_httpserver import HTTPServer

from tests.acceptance.installation import Installation
from tests.providers import Census, HubSpot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        folder = tmp_path_factory.mktemp("installation")
        with Installation(folder, hubspot=HubSpot(server), census=Census(server)) as installation:
            installation.start("web", "worker", "beat")
            yield installation


@pytest.fixture
def installation(_installation: Installation) -> Installation:
    """Web, worker (2) and beat run, all that was sent before has ended, and no request is remembered."""
    _installation.wait_until_sent()
    _installation.forget_requests()
    return _installation
