"""TLS between members, from the files that the operator names, in both directions.

Renewed files are picked up without a restart: a certificate lives for weeks, a member for months.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fairlead.peer.errors import PeerConfigError, PeerTlsError


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTls:
    """What --peer-cert-file, --peer-key-file, --peer-trusted-ca-file and --peer-client-cert-auth say.

    A member shows the one certificate to those it dials and to those that dial it.  As in etcd, naming a
    trusted authority turns client certificates on.

    Attributes:
        is_self_signed: no authority signed what members show each other (--peer-auto-tls): none of it is checked.
    """

    cert_file: Path | None = None
    key_file: Path | None = None
    trusted_ca_file: Path | None = None
    client_cert_auth: bool = False
    is_self_signed: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if (self.cert_file is None) != (self.key_file is None):
            raise PeerConfigError(
                "a certificate needs its key; give both --peer-cert-file and --peer-key-file"
            )
        if self.client_cert_auth and self.trusted_ca_file is None:
            raise PeerConfigError(
                "peer-client-cert-auth needs an authority to check against; name it by --peer-trusted-ca-file"
            )

    @property
    def files(self) -> tuple[Path, ...]:
        """All that are named."""
        return tuple(
            file for file in (self.cert_file, self.key_file, self.trusted_ca_file) if file is not None
        )


class TlsContexts:
    """The contexts for both directions, kept up with their files.

    Raises:
        PeerTlsError: a file cannot be read, is not what it should be, or two do not belong together.
    """

    def __init__(self, files: PeerTls) -> None:
        self._files = files
        self._stamps = _stamps(files)
        # The system's own authorities take a while to read; most members never need them.
        self._client = _client_context(files) if files.files else None
        self.server = _server_context(files) if files.cert_file is not None else None
        """None: without a certificate nobody can be served."""

    @property
    def client(self) -> ssl.SSLContext:
        """What to dial with."""
        if self._client is None:
            self._client = _client_context(self._files)
        return self._client

    def refresh(self) -> bool:
        """Take files that have changed; return whether there were any.

        Raises:
            PeerTlsError: what is there now cannot be used; what was loaded before stays in force.
        """
        stamps = _stamps(self._files)
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        client = _client_context(self._files)
        if self.server is not None:
            # The listening socket keeps its context: the files, which are proved good by now, are loaded into it.
            _load(self.server, self._files)
        self._client = client
        return True


def _client_context(files: PeerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if files.is_self_signed:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif files.trusted_ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    _load(context, files)
    return context


def _server_context(files: PeerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, files)
    if files.trusted_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, files: PeerTls) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if files.cert_file is not None and files.key_file is not None:
        _load_pair(context, files.cert_file, files.key_file)
    if files.trusted_ca_file is not None:
        _check_certificates(files.trusted_ca_file)
        context.load_verify_locations(cafile=files.trusted_ca_file)


def _stamps(files: PeerTls) -> list[tuple[int, int, int] | None]:
    """Return what changes when a file does."""
    stamps: list[tuple[int, int, int] | None] = []
    for file in files.files:
        try:
            stat = file.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return stamps


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError as error:
        raise PeerTlsError(
            path, f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error


def _check_certificates(path: Path) -> None:
    text = _text(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise PeerTlsError(
            path, "holds no certificate in PEM form", "give a file that begins with BEGIN CERTIFICATE"
        ) from error


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    def refuse_passphrase() -> NoReturn:
        raise PeerTlsError(
            key, "the key is encrypted", "give one without a passphrase, readable by its owner only"
        )

    _check_certificates(cert)
    _text(key)
    try:
        context.load_cert_chain(cert, key, password=refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise PeerTlsError(
                key, f"is not the key of {cert}", "give the two that were made together"
            ) from error
        raise PeerTlsError(
            key, "holds no private key in PEM form", "give a file that begins with BEGIN PRIVATE KEY"
        ) from error
