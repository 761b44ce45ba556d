"""Who a host is."""

from pathlib import Path

import pytest

from fairlead.lock import PolicyError, Semaphore, SourceError
from fairlead.lock.airlock import group_of, read_airlock
from fairlead.lock.identity import boot_id, machine_id, zincati_id


def test_the_machine_id_is_read_without_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    assert machine_id(path) == "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("text", ["", "\n", "uninitialized\n"])
def test_a_machine_without_an_id_is_told_how_to_get_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "machine-id"
    path.write_text(text)
    with pytest.raises(PolicyError, match="holds no machine id; give --id NAME"):
        machine_id(path)


def test_the_kernel_says_which_boot_this_is() -> None:
    assert boot_id() == boot_id() != ""


def test_zincatis_id_is_a_uuid_of_version_4_made_of_the_machines() -> None:
    one = zincati_id("0123456789abcdef0123456789abcdef")
    assert len(one) == 32
    assert one[12] == "4"
    assert one[16] in "89ab"
    assert one != zincati_id("0123456789abcdef0123456789abcdee")


def test_airlocks_semaphore_becomes_locksmiths() -> None:
    key = "com.coreos.airlock/groups/web/v1/semaphore"
    assert group_of(key) == "web"
    assert read_airlock(key, b'{"total_slots": 2, "holders": ["b", "a"]}') == Semaphore(
        permits=2, holders=("a", "b")
    )


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[]", b'{"total_slots": "2"}', b'{"total_slots": 2, "holders": 5}']
)
def test_what_is_not_airlocks_is_left_alone(value: bytes) -> None:
    with pytest.raises(SourceError, match="is not airlock's"):
        read_airlock("com.coreos.airlock/groups/web/v1/semaphore", value)
