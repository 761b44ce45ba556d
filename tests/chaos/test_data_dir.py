"""What a store does with its data folder when somebody else holds it, or something has harmed it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos.load import everything
from tests.support.store import FairleadStore
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

_PUTS = 20
_SECTOR_BYTES = 512


@pytest.fixture
def crashed(tmp_path: Path) -> FairleadStore:
    """A store that was killed after twenty acknowledged puts; it does not run.

    Its database file lags behind, so that the log alone holds what it acknowledged.
    """
    store = FairleadStore(tmp_path, flags=["--backend-batch-interval", "60s"])
    with store, Wire(store.address) as wire:
        for number in range(_PUTS):
            wire.get("Put", pb.PutRequest(key=b"k/%02d" % number, value=b"needle-%02d" % number))
        store.kill()
    return store


def _log_of(store: FairleadStore) -> Path:
    (segment,) = (store.data_dir / "wal").glob("*.wal")
    return segment


def _harm(segment: Path, change: Callable[[bytearray], None]) -> None:
    written = bytearray(segment.read_bytes())
    change(written)
    segment.write_bytes(written)


def test_a_second_process_on_the_same_data_is_refused(fairlead_store: FairleadStore, tmp_path: Path) -> None:
    second = FairleadStore(tmp_path / "second")
    command = second.program.argv
    command[command.index("--data-dir") + 1] = str(fairlead_store.data_dir)
    second.program.start()
    assert second.program.wait() == 1
    said = second.program.log()
    assert str(fairlead_store.data_dir) in said
    assert "Traceback" not in said
    with Wire(fairlead_store.address) as wire:
        wire.get("Put", pb.PutRequest(key=b"the first", value=b"serves on"))


def _records(written: bytes) -> list[tuple[int, int]]:
    """Start and end of each record: length, its complement, crc and kind, then payload and padding."""
    found, start = [], 0
    while length := int.from_bytes(written[start : start + 4], "little"):
        end = (start + 16 + length + 7) & ~7
        found.append((start, end))
        start = end
    return found


def test_a_torn_end_of_the_log_is_cut_with_a_warning(crashed: FairleadStore) -> None:
    """Power loss lets some sectors of the last write reach the disk and others not; it was not acknowledged."""
    with crashed, Wire(crashed.address) as wire:
        wire.get("Put", pb.PutRequest(key=b"torn", value=b"t" * 4 * _SECTOR_BYTES))
        crashed.kill()

    def tear(written: bytearray) -> None:
        records = _records(bytes(written))
        place = bytes(written).rindex(b"torn")
        (start,) = (start for start, end in records if start < place < end)
        from_sector = (start // _SECTOR_BYTES + 2) * _SECTOR_BYTES
        # Behind it stands the hard state of the same write, which went with it.
        end = records[-1][1]
        assert from_sector < end
        written[from_sector:end] = bytes(end - from_sector)

    _harm(_log_of(crashed), tear)
    with crashed, Wire(crashed.address) as wire:
        revision, found = everything(wire)
        assert (revision, len(found)) == (_PUTS + 1, _PUTS)
        assert b"torn" not in found
        wire.get("Put", pb.PutRequest(key=b"life", value=b"goes on"))
        assert "warning" in crashed.program.log()
        crashed.stop()
    with crashed, Wire(crashed.address) as wire:
        assert everything(wire)[0] == _PUTS + 2


def test_corruption_in_the_middle_is_refused_naming_file_and_offset(crashed: FairleadStore) -> None:
    """What was acknowledged once must not go missing in silence."""
    harmed: list[int] = []

    def rot(written: bytearray) -> None:
        place = bytes(written).index(b"needle-03")
        harmed.extend(start for start, end in _records(bytes(written)) if start < place < end)
        written[place] ^= 0x40

    segment = _log_of(crashed)
    _harm(segment, rot)
    crashed.program.start()
    assert crashed.program.wait() == 1
    said = crashed.program.log().splitlines()[-1]
    assert f"{segment} is corrupt at offset {harmed[0]}:" in said
    assert "Traceback" not in crashed.program.log()
