"""An open database and a store over it, in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.mvcc import Backend, Store


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    opened = Backend.open(tmp_path / "db", map_bytes=1 << 24)
    yield opened
    opened.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    return Store.open(backend)
