"""A store of each kind, which all tests of a module have in turn."""

import pytest
from tests.support.store import StoreServer, emptied


@pytest.fixture
def store(kept_store: StoreServer) -> StoreServer:
    """A running store with nothing in it."""
    return emptied(kept_store)
