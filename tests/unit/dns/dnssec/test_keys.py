"""Keys, their files, and how one takes the place of another."""

import os
import stat
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.rdata
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from fairlead.dns import names
from fairlead.dns.cli import dns as command
from fairlead.dns.dnssec import (
    Algorithm,
    KeyFileError,
    KeyFolder,
    RolloverError,
    SigningKey,
    SigningLimits,
    State,
)
from fairlead.dns.dnssec.rollover import advance, first, newest, signers, wanted_by_parent

ZONE = names.from_text("skydns.test")
LIMITS = SigningLimits()
T0 = 1_800_000_000


def new() -> SigningKey:
    return SigningKey.generate(Algorithm.ED25519)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_reads_back_and_says_what_others_compute(algorithm: Algorithm) -> None:
    key = SigningKey.generate(algorithm)
    assert SigningKey.from_pem(key.to_pem()).dnskey == key.dnskey
    record = dns.rdata.from_wire("IN", "DNSKEY", key.dnskey, 0, len(key.dnskey))
    assert isinstance(record, DNSKEY)
    assert dns.dnssec.key_id(record) == key.tag
    theirs = dns.dnssec.make_ds("skydns.test.", record, dns.dnssectypes.DSDigest.SHA256)
    assert theirs.to_wire() == key.ds(ZONE)


def test_a_key_of_another_kind_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="neither"):
        SigningKey.from_pem(pem)


def test_a_rollover_has_three_steps_and_waits_between_them() -> None:
    old = new()
    step = first(old, now_s=T0)
    assert [key.state for key in step.keys] == [State.ACTIVE]

    coming = advance(step.keys, make=new, now_s=T0 + 10, limits=LIMITS)
    fresh = coming.keys[1].key
    assert [key.state for key in coming.keys] == [State.ACTIVE, State.COMING]
    assert newest(coming.keys) is fresh
    at_s = T0 + 10 + LIMITS.key_ttl_s
    assert wanted_by_parent(coming.keys, now_s=at_s - 1, limits=LIMITS) is old
    assert wanted_by_parent(coming.keys, now_s=at_s, limits=LIMITS) is fresh
    assert f"in {LIMITS.key_ttl_s} s, and not before" in coming.next
    assert signers(coming.keys) == [old]

    with pytest.raises(RolloverError, match="3600 s"):
        advance(coming.keys, make=new, now_s=T0 + 10, limits=LIMITS)
    taken = advance(coming.keys, make=new, now_s=T0 + 10 + LIMITS.key_ttl_s, limits=LIMITS)
    assert [key.state for key in taken.keys] == [State.GOING, State.ACTIVE]
    assert signers(taken.keys) == [fresh]
    assert wanted_by_parent(taken.keys, now_s=at_s, limits=LIMITS) is fresh

    with pytest.raises(RolloverError):
        advance(taken.keys, make=new, now_s=T0 + 20 + LIMITS.key_ttl_s, limits=LIMITS)
    gone = advance(taken.keys, make=new, now_s=T0 + 10 * LIMITS.ds_ttl_s, limits=LIMITS)
    assert [key.key for key in gone.keys] == [fresh]


def test_force_does_not_wait() -> None:
    keys = first(new(), now_s=T0).keys
    for _ in range(3):
        keys = advance(keys, make=new, now_s=T0, limits=LIMITS, force=True).keys
    assert [key.state for key in keys] == [State.ACTIVE]


def test_a_key_is_on_disk_with_its_name_before_anybody_is_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DS at the parent for a key that a crash has taken away would be the end of the zone."""
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(stat.S_ISDIR(os.fstat(fd).st_mode)))
    KeyFolder(tmp_path).write(ZONE, first(new(), now_s=T0).keys)
    assert synced == [False, True]


def test_key_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    keys = first(new(), now_s=T0).keys
    folder.write(ZONE, keys)
    path = tmp_path / "keys" / "skydns.test.keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.read(ZONE)[0].key.tag == keys[0].key.tag
    assert list(folder.read_all()) == [ZONE]
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        folder.read_all()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"zone": "a..b", "keys": []}',
        '{"zone": "a", "keys": []}',
        '{"zone": "a", "keys": [1]}',
    ],
)
def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.keys.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"a\.keys\.json"):
        KeyFolder(tmp_path).read_all()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="generate"):
        KeyFolder(tmp_path / "no").read_all()


def test_the_state_of_a_folder_tells_a_change(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    seen = [folder.state()]
    for _ in range(2):
        folder.write(ZONE, first(new(), now_s=T0).keys)
        seen.append(folder.state())
    assert len(set(seen)) == 3


def run(*arguments: str, fails: bool = False) -> str:
    result = CliRunner().invoke(command, ["keys", *arguments], catch_exceptions=False)
    assert result.exit_code == int(fails), result.output
    return result.output


def test_keys_are_made_shown_and_rolled_by_command(tmp_path: Path) -> None:
    where = ("--dir", str(tmp_path))
    assert "skydns.test. IN DS " in run("generate", "skydns.test", *where)
    assert run("ds", "skydns.test", *where).startswith("skydns.test. IN DS ")
    assert " IN DNSKEY 257 3 13 " in run("ds", "skydns.test", "--dnskey", *where)
    run("roll", "skydns.test", "--algorithm", "ed25519", *where)
    assert [line.split()[3] for line in run("list", *where).splitlines()] == ["active", "coming"]
    assert "may still be remembered" in run("roll", "skydns.test", *where, fails=True)
    run("roll", "skydns.test", "--force", *where)
    run("roll", "skydns.test", "--force", *where)
    lines = run("list", *where).splitlines()
    assert [line.split()[2:4] for line in lines] == [["ed25519", "active"]]


@pytest.mark.parametrize("arguments", [("roll", "skydns.test"), ("ds", "skydns.test"), ("generate", "a..b")])
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, "--dir", str(tmp_path), fails=True).startswith("fairlead: ")
    run("generate", "skydns.test", "--dir", str(tmp_path))
    assert "already" in run("generate", "skydns.test", "--dir", str(tmp_path), fails=True)
