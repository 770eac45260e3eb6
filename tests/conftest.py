"""What holds for all tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.hub_server import Hub

# Examples may be slow on a busy machine; hypothesis' own limit of 200 ms would make tests flaky.
settings.register_profile("prefmill", deadline=None)
settings.load_profile("prefmill")


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub on loopback, as `tests/hub_server.py` describes it."""
    from tests.hub_server import running_hub

    # The hub's client uploads in a way that its HTTP library advises against.
    warnings.filterwarnings("ignore", message="Use 'content=", category=DeprecationWarning)
    with running_hub() as server:
        yield server
