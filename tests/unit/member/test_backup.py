import io
from pathlib import Path

import pytest

from fairlead.member.backup import BackupHeader, BackupReader, check_backup, read_database
from fairlead.member.errors import BackupError


def saved(path: Path, dump: bytes, *, bytes_max: int = 700) -> Path:
    """Write a backup as a client does, in pieces of any size."""
    reader = BackupReader(io.BytesIO(dump), revision=7)
    with path.open("wb") as file:
        while piece := reader.read(bytes_max):
            file.write(piece)
        file.write(reader.checksum)
    reader.close()
    return path


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 3_000_000])
@pytest.mark.parametrize("bytes_max", [512, 700, 1 << 20])
def test_a_dump_comes_back_as_it_was(tmp_path: Path, size: int, bytes_max: int) -> None:
    dump = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    path = saved(tmp_path / "backup", dump, bytes_max=bytes_max)
    assert path.stat().st_size % 512 == 32
    header = check_backup(path)
    assert header == BackupHeader(database_bytes=size, revision=7)
    assert b"".join(read_database(path, header)) == dump


def test_the_first_line_tells_people_what_it_is(tmp_path: Path) -> None:
    first = saved(tmp_path / "backup", b"dump").read_bytes().partition(b"\n")[0]
    assert first == b'{"format": "fairlead backup 1", "database_bytes": 4, "revision": 7}'


@pytest.mark.parametrize("at", [0, 30, 512, 2000, -1])
def test_one_wrong_byte_is_found(tmp_path: Path, at: int) -> None:
    path = saved(tmp_path / "backup", bytes(3000))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupError, match=r"checksum does not match|not a snapshot of this store"):
        check_backup(path)


@pytest.mark.parametrize("cut", [1, 31, 32, 512, 1024])
def test_one_that_was_cut_is_found(tmp_path: Path, cut: int) -> None:
    path = saved(tmp_path / "backup", bytes(3000))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(BackupError, match="save it again"):
        check_backup(path)


def test_a_snapshot_of_etcd_is_sent_to_etcdutl(tmp_path: Path) -> None:
    (tmp_path / "etcd.db").write_bytes(bytes(4096 + 32))
    with pytest.raises(BackupError, match=r"not a snapshot of this store; .*etcdutl"):
        check_backup(tmp_path / "etcd.db")


@pytest.mark.parametrize("line", [b"{}", b"[]", b'"x"', b'{"format": "fairlead backup 1"}', b"\xff", b""])
def test_a_header_that_is_none_is_refused(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "backup").write_bytes(line.ljust(512, b"\0") + bytes(32))
    with pytest.raises(BackupError, match="not a snapshot of this store"):
        check_backup(tmp_path / "backup")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"snapshot .*backup: No such file or directory; check the path"):
        check_backup(tmp_path / "backup")
