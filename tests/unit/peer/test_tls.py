"""TLS files of the peer port: what is wrong with one is said in a line that names it."""

import ssl
import subprocess
from pathlib import Path

import pytest

from fairlead.peer import PeerConfigError, PeerTls, PeerTlsError
from fairlead.peer.tls import TlsContexts

pytestmark = pytest.mark.peer("openssl")


def make(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """Return a self-signed certificate and its key."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2",
         "-subj", f"/CN={name}", "-keyout", key, "-out", cert, *(options or ["-nodes"])],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


def test_contexts_speak_tls_1_2_and_newer_and_check_names(tmp_path: Path) -> None:
    cert, key = make(tmp_path, "member")
    contexts = TlsContexts(PeerTls(cert_file=cert, key_file=key, trusted_ca_file=cert))
    assert contexts.server is not None
    for context in (contexts.server, contexts.client):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.verify_mode is ssl.CERT_REQUIRED
    assert contexts.client.check_hostname


def test_without_an_authority_those_who_dial_need_no_certificate(tmp_path: Path) -> None:
    cert, key = make(tmp_path, "member")
    contexts = TlsContexts(PeerTls(cert_file=cert, key_file=key))
    assert contexts.server is not None
    assert contexts.server.verify_mode is ssl.CERT_NONE
    assert contexts.client.verify_mode is ssl.CERT_REQUIRED, "those who are dialled always do"


def test_without_files_nobody_is_served_and_the_systems_authorities_count() -> None:
    contexts = TlsContexts(PeerTls())
    assert contexts.server is None
    assert contexts.client.verify_mode is ssl.CERT_REQUIRED
    assert not contexts.refresh()


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeerConfigError, match="both --peer-cert-file and --peer-key-file"):
        PeerTls(cert_file=tmp_path)
    with pytest.raises(PeerConfigError, match="--peer-trusted-ca-file"):
        PeerTls(client_cert_auth=True)


@pytest.mark.parametrize("broken", ["member.crt", "member.key", "ca.crt"])
@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_a_file_that_holds_something_else_is_named(tmp_path: Path, broken: str, text: str | None) -> None:
    cert, key = make(tmp_path, "member")
    make(tmp_path, "ca")
    files = PeerTls(cert_file=cert, key_file=key, trusted_ca_file=tmp_path / "ca.crt")
    (tmp_path / broken).unlink()
    if text is not None:
        (tmp_path / broken).write_text(text)
    with pytest.raises(PeerTlsError) as caught:
        TlsContexts(files)
    assert caught.value.path == tmp_path / broken
    assert "\n" not in str(caught.value)


def test_a_key_of_another_certificate_and_one_that_is_locked(tmp_path: Path) -> None:
    cert, _ = make(tmp_path, "member")
    _, other = make(tmp_path, "other")
    with pytest.raises(PeerTlsError, match=r"other\.key: is not the key of .*member\.crt"):
        TlsContexts(PeerTls(cert_file=cert, key_file=other))
    cert, key = make(tmp_path, "locked", "-passout", "pass:secret")
    with pytest.raises(PeerTlsError, match="the key is encrypted"):
        TlsContexts(PeerTls(cert_file=cert, key_file=key))


def test_renewed_files_are_taken_into_the_context_that_is_in_use(tmp_path: Path) -> None:
    cert, key = make(tmp_path, "member")
    contexts = TlsContexts(PeerTls(cert_file=cert, key_file=key))
    server, client = contexts.server, contexts.client
    assert not contexts.refresh()
    make(tmp_path, "member")
    assert contexts.refresh()
    assert contexts.server is server
    assert contexts.client is not client
    assert not contexts.refresh()


def test_files_that_are_half_written_are_told_once_and_taken_when_they_are_whole(tmp_path: Path) -> None:
    cert, key = make(tmp_path, "member")
    contexts = TlsContexts(PeerTls(cert_file=cert, key_file=key))
    client, whole = contexts.client, key.read_text()
    key.write_text(whole[:50])
    with pytest.raises(PeerTlsError):
        contexts.refresh()
    assert not contexts.refresh(), "nothing has changed since"
    assert contexts.client is client
    key.write_text(whole)
    assert contexts.refresh()
