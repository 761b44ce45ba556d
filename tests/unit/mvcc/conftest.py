"""An open database and a store over it, in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.mvcc.databases import Databases, LmdbDatabases

from fairlead.mvcc import Backend, Store
from fairlead.mvcc.testing import MemoryDatabases


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.fixture(params=["lmdb", "memory"])
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """One contract for both, so that what holds in memory holds on the machine."""
    if request.param == "memory":
        yield MemoryDatabases()
        return
    lmdb = LmdbDatabases()
    yield lmdb
    lmdb.crash()


@pytest.fixture
def either(databases: Databases, path: Path) -> Backend:
    """A backend of either kind."""
    return databases.open(path)


@pytest.fixture
def backend(path: Path) -> Iterator[Backend]:
    """A backend on LMDB."""
    opened = Backend.open(path, map_bytes=1 << 24)
    yield opened
    opened.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    return Store.open(backend)
