from pathlib import Path

import pytest

from fairlead.mvcc import (
    BackendCorruptError,
    BackendFailedError,
    BackendFullError,
    CompactedError,
    FutureRevisionError,
    MvccError,
)

PATH = Path("/data/db")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CompactedError(3, 5), "revision 3 has been compacted; ask for 5 or newer"),
        (CompactedError(-1, -1), "revision -1 has been compacted; ask for 1 or newer"),
        (FutureRevisionError(9, 5), "revision 9 is in the future; the store is at 5"),
        (
            BackendFullError(PATH, "MDB_MAP_FULL"),
            "database /data/db: no room left (MDB_MAP_FULL); free space on its disk and start again",
        ),
        (
            BackendCorruptError(PATH, "bad magic"),
            "database /data/db: damaged (bad magic); restore this member from a snapshot",
        ),
        (
            BackendFailedError(PATH, "open", "permission denied"),
            "database /data/db: cannot open (permission denied); check the disk and the permissions",
        ),
    ],
)
def test_an_error_says_what_where_and_what_to_do_in_one_line(error: MvccError, text: str) -> None:
    assert str(error) == text
