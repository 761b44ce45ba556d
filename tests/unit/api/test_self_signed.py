"""Certificates that a member makes for itself."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from fairlead.api.config import load_config
from fairlead.api.errors import ConfigError
from fairlead.api.self_signed import SelfSigned

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(folder: Path, *, years: int = 1, now: datetime = NOW) -> x509.Certificate:
    own = SelfSigned(folder=folder / "peer", hosts=("127.0.0.1", "m1.example", "::1"), years=years)
    own.ensure(now=now)
    return x509.load_pem_x509_certificate(own.cert_file.read_bytes())


def test_it_names_the_hosts_and_is_good_for_both_sides(tmp_path: Path) -> None:
    cert = made(tmp_path)
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["m1.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert len(list(usage)) == 2
    assert cert.issuer == cert.subject


@pytest.mark.parametrize("years", [1, 7])
def test_it_lives_as_long_as_was_asked(tmp_path: Path, years: int) -> None:
    assert made(tmp_path, years=years).not_valid_after_utc == NOW + timedelta(days=365 * years)


def test_its_key_is_its_own_and_nobody_else_reads_it(tmp_path: Path) -> None:
    made(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "peer" / "cert.pem", tmp_path / "peer" / "key.pem")
    assert (tmp_path / "peer" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_it_stays_while_it_lives_and_is_made_anew_once_it_has_ended(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert made(tmp_path, now=NOW + timedelta(days=364)) == first
    assert made(tmp_path, now=NOW + timedelta(days=366)) != first


def test_one_without_its_key_is_made_anew(tmp_path: Path) -> None:
    first = made(tmp_path)
    (tmp_path / "peer" / "key.pem").unlink()
    assert made(tmp_path) != first


def test_what_is_no_certificate_is_left_alone(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "peer" / "cert.pem").write_text("precious")
    with pytest.raises(ConfigError, match="is no certificate; remove it"):
        made(tmp_path)
    assert (tmp_path / "peer" / "cert.pem").read_text() == "precious"


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "peer").write_text("a file")
    with pytest.raises(ConfigError, match=r"cannot keep a certificate there \(.*\); check --data-dir"):
        made(tmp_path)


PEER = ("--peer-auto-tls", "--listen-peer-urls=https://10.0.0.1:2380")
CLIENT = ("--auto-tls", "--listen-client-urls=https://10.0.0.1:2379")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            (*PEER, "--peer-trusted-ca-file=ca.crt"),
            "--peer-auto-tls makes certificates that no authority has",
        ),
        ((*PEER, "--peer-client-cert-auth"), "--peer-auto-tls makes certificates that no authority has"),
        ((*CLIENT, "--trusted-ca-file=ca.crt"), "--auto-tls makes a certificate that no authority has"),
        ((*CLIENT, "--client-cert-auth"), "--auto-tls makes a certificate that no authority has"),
        ((*CLIENT, "--self-signed-cert-validity=0"), "--self-signed-cert-validity is not from 1 to"),
        ((*PEER, "--self-signed-cert-validity=9999"), "--self-signed-cert-validity is not from 1 to"),
    ],
)
def test_what_it_cannot_do_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(words, {})


def test_files_that_are_given_are_taken_and_nothing_is_made() -> None:
    given = ("--cert-file=c", "--key-file=k", "--peer-cert-file=pc", "--peer-key-file=pk")
    config = load_config((*CLIENT, *PEER, *given), {})
    assert config.self_signed == ()
    assert config.tls is not None
    assert config.tls.cert_file == Path("c")
    assert config.member.peer_tls is not None
    assert not config.member.peer_tls.is_self_signed


def test_the_certificate_is_for_all_that_the_member_is_called() -> None:
    words = (*CLIENT, "--advertise-client-urls=https://m1.example:2379", "--data-dir=d")
    (own,) = load_config(words, {}).self_signed
    assert (own.folder, own.hosts) == (Path("d/fixtures/client"), ("10.0.0.1", "m1.example"))
