"""What an operator reads."""

from pathlib import Path

from fairlead.wal import (
    CorruptError,
    DirectoryLockedError,
    DiskFailedError,
    LogExistsError,
    LogMissingError,
    WalError,
)


def test_every_error_is_one_line_that_names_the_path_and_what_to_do() -> None:
    path = Path("/data/wal")
    errors: list[WalError] = [
        CorruptError(path, 512, "why"),
        DiskFailedError(path, "sync", "why"),
        DirectoryLockedError(path, 7),
        LogExistsError(path),
        LogMissingError(path),
    ]
    assert {type(error) for error in errors} == set(WalError.__subclasses__())
    for error in errors:
        text = str(error)
        assert "/data/wal" in text
        assert "\n" not in text
        assert ";" in text, "what is wrong; what to do"
