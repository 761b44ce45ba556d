import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.client import CopyError, KeyValue
from fairlead.client.mirror_copy import MirrorCopy, decode, encode, load, save

KV = KeyValue(key=b"/a\xff", value=b"\x00secret", create_revision=3, mod_revision=7, version=4, lease=5)
COPY = MirrorCopy(prefixes=(b"/a", b"\xff"), revision=9, cluster_id=2**63 + 1, kvs=(KV,))


def test_a_copy_reads_as_it_was_written(tmp_path: Path) -> None:
    save(tmp_path / "new" / "copy", COPY)

    copy = load(tmp_path / "new" / "copy", prefixes=COPY.prefixes)

    assert copy is not None
    assert (list(copy.prefixes), copy.revision, copy.cluster_id, copy.kvs) == (
        [b"/a", b"\xff"],
        9,
        2**63 + 1,
        (KV,),
    )


def test_only_the_owner_may_read_a_copy_even_over_one_that_all_could_read(tmp_path: Path) -> None:
    """It holds whatever secrets the keys hold."""
    path = tmp_path / "copy"
    path.write_bytes(b"")
    path.chmod(0o666)
    (tmp_path / ".copy.new").write_bytes(b"left by a crash")
    save(path, COPY)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_no_copy_and_a_copy_of_other_prefixes_are_as_good_as_none(tmp_path: Path) -> None:
    save(tmp_path / "copy", COPY)

    assert load(tmp_path / "absent", prefixes=COPY.prefixes) is None
    assert load(tmp_path / "copy", prefixes=[b"/a"]) is None


@given(place=st.integers(0, len(encode(COPY)) - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_noticed(place: int, bit: int) -> None:
    data = bytearray(encode(COPY))
    data[place] ^= 1 << bit

    with pytest.raises(CopyError):
        decode(bytes(data))


@given(length=st.integers(0, len(encode(COPY)) - 1))
def test_a_copy_cut_short_anywhere_is_noticed(length: int) -> None:
    with pytest.raises(CopyError):
        decode(encode(COPY)[:length])


def test_a_damaged_copy_is_named_and_so_is_what_happens_next(tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(encode(COPY)[:-1])

    with pytest.raises(CopyError, match="checksum does not match; it is written anew") as caught:
        load(tmp_path / "copy", prefixes=COPY.prefixes)

    assert str(tmp_path / "copy") in str(caught.value)


def test_a_copy_that_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CopyError, match="cannot read"):
        load(tmp_path, prefixes=COPY.prefixes)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CopyError, match="cannot write"):
        save(tmp_path / "file" / "copy", COPY)
