"""Shared keys and the serial on disk."""

import logging
from pathlib import Path

import pytest
from tests.unit.dns.site import Site, rdatas

from fairlead.dns.transfer import Keyring, SerialFile, TsigKeyError
from fairlead.dns.zone import Epoch

SECRET = "MDEyMzQ1Njc4OWFiY2RlZg=="


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    path = written(
        tmp_path / "keys",
        f"# ours\n\nK1.example. HMAC-SHA256 {SECRET} # the first\nk2 hmac-sha512 {SECRET}\n",
    )
    keyring = Keyring.read(path)
    assert sorted(keyring.keys) == [b"\2k1\7example\0", b"\2k2\0"] or len(keyring.keys) == 2
    assert SECRET not in repr(keyring)
    assert "0123456789abcdef" not in repr(list(keyring.keys.values()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k1",
        f"k1 hmac-md5 {SECRET}",
        "k1 hmac-sha256 !!!",
        "k1 hmac-sha256 c2hvcnQ=",
        f"a..b hmac-sha256 {SECRET}",
    ],
)
def test_a_file_of_something_else_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(TsigKeyError) as caught:
        Keyring.read(written(tmp_path / "keys", text))
    assert "hmac-sha256 BASE64" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", f"k1 hmac-sha256 {SECRET}")
    path.chmod(0o644)
    with pytest.raises(TsigKeyError, match="chmod 600"):
        Keyring.read(path)
    with pytest.raises(TsigKeyError, match="cannot read"):
        Keyring.read(tmp_path / "none")


def test_the_serial_outlives_a_restart_over_a_restored_store(tmp_path: Path) -> None:
    file = SerialFile(tmp_path / "serial")
    assert file.load() is None
    before = Site()
    before.model.apply(1000, {})
    file.save(before.model.zones.epoch)
    after = Site()
    after.model.zones.restore(SerialFile(tmp_path / "serial").load() or Epoch())
    after.model.apply(3, {})
    assert serial(after) == 1001
    after.model.apply(4, {})
    assert serial(after) == 1002


def test_a_copy_that_is_older_than_what_was_served_turns_nothing_back_and_adds_nothing() -> None:
    site = Site()
    site.model.zones.restore(Epoch(revision=1000))
    site.model.zones.is_of_copy = True
    site.model.apply(990, {})
    assert serial(site) == 1000
    site.model.zones.is_of_copy = False
    site.model.apply(1001, {})
    assert serial(site) == 1001


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"revision": "x", "added": 0}',
        '{"revision": Infinity, "added": 0}',
        '{"revision": -5, "added": 0}',
        '{"revision": 5, "added": NaN}',
        "[" * 100_000,
    ],
)
def test_a_serial_that_cannot_be_read_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (tmp_path / "serial").write_text(content)
    assert SerialFile(tmp_path / "serial").load() is None
    assert "cannot read" in caplog.text


def test_a_serial_that_cannot_be_saved_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = SerialFile(tmp_path / "no" / "serial")
    with caplog.at_level(logging.WARNING):
        file.save(Epoch(1))
        file.save(Epoch(2))
    assert caplog.text.count("cannot save the serial") == 1


def serial(site: Site) -> int:
    return int(rdatas(site.ask("skydns.test", "SOA"), "SOA")[0].split()[2])
