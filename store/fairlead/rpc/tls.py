"""TLS for the client port, from the files that the operator names."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from fairlead.rpc.errors import ServerConfigError, TlsFileError

_PROTOCOLS: Final = ["h2", "http/1.1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What --cert-file, --key-file, --trusted-ca-file and --client-cert-auth say.

    As in etcd, naming a trusted authority turns client certificates on.
    """

    cert_file: Path
    key_file: Path
    trusted_ca_file: Path | None = None
    client_cert_auth: bool = False

    def __post_init__(self) -> None:
        """Refuse a demand for certificates that nothing could be checked against."""
        if self.client_cert_auth and self.trusted_ca_file is None:
            raise ServerConfigError(
                "client-cert-auth needs an authority to check against; name it by --trusted-ca-file"
            )


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and newer that offers HTTP/2 and HTTP/1.1 by ALPN.

    Raises:
        TlsFileError: a file cannot be read, is not what it should be, or two do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9113, section 9.2.1: compression and renegotiation are not to be used.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_PROTOCOLS)
    _check_certificates(files.cert_file)
    _text(files.key_file)
    _load_pair(context, files)
    if files.trusted_ca_file is not None:
        _check_certificates(files.trusted_ca_file)
        context.load_verify_locations(cafile=files.trusted_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def common_name(certificate: dict[str, Any] | None) -> str | None:
    """Return the common name in a peer certificate as ``ssl`` gives it; None where there is none."""
    if not certificate:
        return None
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[-1]) if names else None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError as error:
        raise TlsFileError(
            path, f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error


def _check_certificates(path: Path) -> None:
    text = _text(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise TlsFileError(
            path, "holds no certificate in PEM form", "give a file that begins with BEGIN CERTIFICATE"
        ) from error


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    def refuse_passphrase() -> NoReturn:
        raise TlsFileError(
            files.key_file,
            "the key is encrypted",
            "give one without a passphrase, readable by its owner only",
        )

    try:
        context.load_cert_chain(files.cert_file, files.key_file, password=refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsFileError(
                files.key_file, f"is not the key of {files.cert_file}", "give the two that were made together"
            ) from error
        raise TlsFileError(
            files.key_file,
            "holds no private key in PEM form",
            "give a file that begins with BEGIN PRIVATE KEY",
        ) from error
