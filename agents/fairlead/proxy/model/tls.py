"""TLS settings of a listener or a backend, and the key pairs of hosts, as vulcand writes them.

What they mean to a socket is decided where sockets are made; here they are only read.  Source: vulcand,
engine/tls.go and engine/model.go.
"""

import base64
import binascii
import json
import re
import ssl
from dataclasses import dataclass

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.model.fields import Fields

_VERSIONS = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
# The names of crypto/tls in Go; an unknown one would be passed over in silence.
_SUITE = re.compile(
    r"TLS_(?:(?:RSA|ECDHE_RSA|ECDHE_ECDSA)_WITH_)?"
    r"(?:RC4_128|3DES_EDE_CBC|AES_(?:128|256)_(?:CBC|GCM)|CHACHA20_POLY1305)(?:_SHA(?:256|384)?)?"
)
_RENEW_BEFORE_S = 30 * 24 * 3600.0
_OCSP_PERIOD_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How TLS is spoken, to clients or to servers.

    Attributes:
        min_version: the lowest; vulcand's default is 1.0, ours 1.2 (RFC 8996).
        max_version: the highest; None: the newest that the library has.
        cipher_suites: Go's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; empty: the library's own.
        session_tickets: whether a session may be resumed by ticket.
        session_cache_max: sessions that are kept.
        verify: whether a server's certificate is checked; only False for InsecureSkipVerify.
        client_cert_file: shown to servers, with ``client_key_file``; empty: none.
        ca_files: trusted in place of the system's when not empty; names of files, or PEM itself.
        server_name: that a server's certificate stands for, and that it is asked for; empty: its address.
    """

    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion | None = None
    cipher_suites: tuple[str, ...] = ()
    prefer_server_ciphers: bool = False
    session_tickets: bool = True
    session_cache_max: int = 1024
    verify: bool = True
    client_cert_file: str = ""
    client_key_file: str = ""
    ca_files: tuple[str, ...] = ()
    server_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoCert:
    """That a certificate is ordered by ACME (RFC 8555).

    Attributes:
        renew_before_s: how long before it expires a certificate is ordered anew.
        directory_url: of the authority; empty: the default one.
        key: the account's key, PEM, when it is given; empty: one is made and kept sealed.
    """

    email: str = ""
    renew_before_s: float = _RENEW_BEFORE_S
    directory_url: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ocsp:
    """That a certificate's status is stapled (RFC 6066, section 8)."""

    period_s: float = _OCSP_PERIOD_S
    responders: tuple[str, ...] = ()
    skip_signature_check: bool = False


def read_tls(fields: Fields) -> TlsSettings:
    """Return the TLS settings in ``fields``.

    Raises:
        KeyProblem: a version or a cipher suite that does not exist, or a field of the wrong kind.
    """
    cache = fields.inside("SessionCache")
    cache.choice("Type", ("lru",), "lru")
    default = TlsSettings()
    oldest = _version(fields, "MinVersion") or default.min_version
    newest = _version(fields, "MaxVersion")
    if newest is not None and newest < oldest:
        raise KeyProblem(
            f"{fields.path('MaxVersion')} is lower than MinVersion (VersionTLS12 when not given)"
        )
    return TlsSettings(
        min_version=oldest,
        max_version=newest,
        cipher_suites=_read_suites(fields),
        prefer_server_ciphers=fields.flag("PreferServerCipherSuites"),
        session_tickets=not fields.flag("SessionTicketsDisabled"),
        session_cache_max=cache.inside("Settings").number("Capacity", low=0) or default.session_cache_max,
        verify=not fields.flag("InsecureSkipVerify"),
        client_cert_file=fields.text("ClientCertFile"),
        client_key_file=fields.text("ClientKeyFile"),
        ca_files=fields.texts("CACertFile"),
        server_name=fields.header_text("ServerName"),
    )


def read_auto_cert(fields: Fields) -> AutoCert:
    """Return what is said about ACME."""
    return AutoCert(
        email=fields.text("Email"),
        renew_before_s=fields.duration_s("RenewBefore") or _RENEW_BEFORE_S,
        directory_url=fields.text("DirectoryURL"),
        key=fields.text("Key"),
    )


def read_ocsp(fields: Fields) -> Ocsp | None:
    """Return what is said about stapling; None when it is off."""
    if not fields.flag("Enabled"):
        return None
    return Ocsp(
        period_s=fields.duration_s("Period") or _OCSP_PERIOD_S,
        responders=fields.texts("Responders"),
        skip_signature_check=fields.flag("SkipSignatureCheck"),
    )


def read_sealed(fields: Fields, name: str) -> bytes:
    """Return a sealed value, ``{"Encryption":"secretbox.v1","Value":{...}}`` as JSON text, or nothing.

    Go writes bytes as base64; the object itself, written out, is taken too.
    """
    if isinstance(fields.values.get(name), dict):
        return json.dumps(fields.inside(name).values, sort_keys=True).encode()
    try:
        return base64.b64decode(fields.text(name), validate=True)
    except binascii.Error as error:
        raise KeyProblem(f"{fields.path(name)} must be a sealed value in base64") from error


def _read_suites(fields: Fields) -> tuple[str, ...]:
    suites = fields.texts("CipherSuites")
    for each in suites:
        if _SUITE.fullmatch(each) is None:
            said = f"has {each!r}; suites have Go's names, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
            raise KeyProblem(f"{fields.path('CipherSuites')} {said}")
    return suites


def _version(fields: Fields, name: str) -> ssl.TLSVersion | None:
    text = fields.text(name)
    if text and text not in _VERSIONS:
        raise KeyProblem(f"{fields.path(name)} must be one of {', '.join(_VERSIONS)}, not {text!r}")
    return _VERSIONS.get(text)
