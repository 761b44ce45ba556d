from collections.abc import Sequence

import pytest
from tests.unit.mvcc.writes import delete, put

from fairlead.mvcc import Store
from fairlead.mvcc.change import Change


def test_the_log_gives_back_the_changes_that_the_transactions_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher that catches up must be told what it would have been told at the time."""
    told: list[Change] = []

    def notify(_revision: int, changes: Sequence[Change]) -> None:
        told.extend(changes)

    monkeypatch.setattr(store.hub, "notify", notify)
    put(store, b"a", b"1")
    put(store, b"a", b"2", 7)
    delete(store, b"a")
    put(store, b"a" * 200, b"3")
    put(store, b"a", b"4")
    assert list(store.changes_from(0)) == told
