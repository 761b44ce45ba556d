"""Which certificate a TLS client gets: by the name that it asks for, from the keys of the hosts.

A change makes new contexts beside the old ones; handshakes that begin later see them, connections that stand are
left alone.  A pair that does not fit together never replaces one that does.
"""

import os
import ssl
from collections.abc import Iterable, Mapping

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.model import Host, TlsSettings
from fairlead.proxy.secretbox import KeyPair, SealKey

ALPN = ["h2", "http/1.1"]


class Certificates:
    """The certificates in force.

    Attributes:
        is_empty: there is none, so that no TLS handshake can succeed.
        challenges: by name, what is shown while an authority asks for a proof (RFC 8737).
    """

    def __init__(self, seal_key: SealKey | None) -> None:
        self._seal_key = seal_key
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._sealed: dict[str, bytes] = {}
        self._default: ssl.SSLContext | None = None
        self.challenges: dict[str, ssl.SSLContext] = {}

    @property
    def is_empty(self) -> bool:
        """See above."""
        return self._default is None and not self.challenges

    def follow(self, hosts: Iterable[Host]) -> Mapping[str, str]:
        """Put the certificates of ``hosts`` in force; return what is wrong with which host."""
        problems: dict[str, str] = {}
        contexts: dict[str, ssl.SSLContext] = {}
        default: ssl.SSLContext | None = None
        for host in hosts:
            if not host.sealed_key_pair:
                continue
            context = self._contexts.get(host.name)
            if context is None or self._sealed.get(host.name) != host.sealed_key_pair:
                try:
                    context = self._load(host)
                    self._sealed[host.name] = host.sealed_key_pair
                except KeyProblem as problem:
                    kept = "; the last good one stays in force" if context is not None else ""
                    problems[host.name] = f"host {host.name}: KeyPair: {problem}{kept}"
            if context is not None:
                contexts[host.name] = context
                if host.is_default:
                    default = context
        self._contexts = contexts
        self._default = default or next(iter(contexts.values()), None)
        return problems

    def _load(self, host: Host) -> ssl.SSLContext:
        if self._seal_key is None:
            raise KeyProblem("it is sealed, and no key to open it was given; start with --seal-key-file")
        return context_of(self._seal_key.open_key_pair(host.sealed_key_pair))

    def find(self, name: str) -> ssl.SSLContext | None:
        """Return what a client gets that asks for ``name`` (lower-case); None: nothing is known of it."""
        found = self._contexts.get(name)
        return found or self._contexts.get("*." + name.partition(".")[2])

    def covers(self, context: object, name: str) -> bool:
        """Whether a connection that got ``context`` may carry requests for ``name`` (RFC 9110, section 15.5.20)."""
        return (self.find(name) or self._default) is context

    def listening_context(self, tls: TlsSettings) -> ssl.SSLContext:
        """Return the context that a listener's connections begin with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = max(tls.min_version, ssl.TLSVersion.TLSv1_2)
        if tls.max_version is not None:
            context.maximum_version = tls.max_version
        if not tls.session_tickets:
            context.options |= ssl.OP_NO_TICKET
        if tls.cipher_suites:
            context.set_ciphers(":".join(_openssl_name(each) for each in tls.cipher_suites))
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(ALPN)
        context.sni_callback = self._on_name
        return context

    def _on_name(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        context = (self.find(name.lower()) if name else None) or self._default
        if name and self.challenges:
            context = self.challenges.get(name.lower(), context)
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None


def context_of(pair: KeyPair) -> ssl.SSLContext:
    """Return a context that shows ``pair``.

    Raises:
        KeyProblem: certificate and key do not fit together, or one of them cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    # The library reads files only; these are in memory, and nobody else sees them.
    file = os.memfd_create("key pair")
    try:
        os.write(file, pair.certificate.strip() + b"\n" + pair.key.strip() + b"\n")
        context.load_cert_chain(f"/proc/self/fd/{file}")
    except (ssl.SSLError, ValueError) as error:
        raise KeyProblem(f"certificate and key cannot be used ({error})") from error
    finally:
        os.close(file)
    return context


def client_context(tls: TlsSettings | None, *, alpn: list[str]) -> ssl.SSLContext:
    """Return how TLS is spoken to the servers of a backend.

    Raises:
        OSError: a file that the settings name cannot be read.
    """
    settings = tls or TlsSettings()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if settings.ca_files else ssl.create_default_context()
    context.minimum_version = max(settings.min_version, ssl.TLSVersion.TLSv1_2)
    for each in settings.ca_files:
        if each.startswith("-----BEGIN"):
            context.load_verify_locations(cadata=each)
        else:
            context.load_verify_locations(each)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_cert_file:
        context.load_cert_chain(settings.client_cert_file, settings.client_key_file or None)
    context.set_alpn_protocols(alpn)
    return context


def _openssl_name(suite: str) -> str:
    """``TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`` is ECDHE-RSA-AES128-GCM-SHA256 to OpenSSL."""
    name = suite.removeprefix("TLS_").replace("_WITH_", "-").replace("AES_", "AES").replace("_", "-")
    return name.replace("CHACHA20-POLY1305-SHA256", "CHACHA20-POLY1305").removeprefix("RSA-")
