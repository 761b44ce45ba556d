"""TLS files: what is wrong with one is said in a line that names it."""

import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.rpc import ServerConfigError, TlsFileError, TlsFiles
from fairlead.rpc.tls import common_name, server_context

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


def test_a_context_speaks_tls_1_2_and_newer(tmp_path: Path) -> None:
    cert, key = make(tmp_path, "server")
    context = server_context(TlsFiles(cert_file=cert, key_file=key))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE


def test_naming_an_authority_turns_client_certificates_on(tmp_path: Path) -> None:
    """As etcd documents for --trusted-ca-file."""
    cert, key = make(tmp_path, "server")
    context = server_context(TlsFiles(cert_file=cert, key_file=key, trusted_ca_file=cert))
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_client_certificates_need_an_authority(tmp_path: Path) -> None:
    with pytest.raises(ServerConfigError, match="--trusted-ca-file"):
        TlsFiles(cert_file=tmp_path, key_file=tmp_path, client_cert_auth=True)


@pytest.mark.parametrize("missing", ["cert_file", "key_file", "trusted_ca_file"])
def test_a_file_that_is_not_there(tmp_path: Path, missing: str) -> None:
    cert, key = make(tmp_path, "server")
    files = TlsFiles(cert_file=cert, key_file=key, trusted_ca_file=cert)
    with pytest.raises(TlsFileError, match=r"nowhere: cannot be read \(No such file") as caught:
        server_context(replace(files, **{missing: tmp_path / "nowhere"}))  # type: ignore[arg-type]
    assert caught.value.path == tmp_path / "nowhere"


@pytest.mark.parametrize("broken", ["cert_file", "key_file", "trusted_ca_file"])
@pytest.mark.parametrize(
    "text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_something_else(tmp_path: Path, broken: str, text: str) -> None:
    cert, key = make(tmp_path, "server")
    bad = tmp_path / "bad.pem"
    bad.write_text(text)
    files = TlsFiles(cert_file=cert, key_file=key, trusted_ca_file=cert)
    with pytest.raises(TlsFileError) as caught:
        server_context(replace(files, **{broken: bad}))  # type: ignore[arg-type]
    assert caught.value.path == bad
    assert "\n" not in str(caught.value)


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    cert, _ = make(tmp_path, "server")
    _, other = make(tmp_path, "other")
    with pytest.raises(TlsFileError, match=r"other\.key: is not the key of .*server\.crt"):
        server_context(TlsFiles(cert_file=cert, key_file=other))


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    cert, key = make(tmp_path, "locked", "-passout", "pass:secret")
    with pytest.raises(TlsFileError, match="the key is encrypted"):
        server_context(TlsFiles(cert_file=cert, key_file=key))


def test_the_common_name_of_a_certificate() -> None:
    subject = ((("countryName", "DE"),), (("commonName", "root"),))
    assert common_name({"subject": subject}) == "root"
    assert common_name({"subject": ()}) is None
    assert common_name({}) is None
    assert common_name(None) is None
