"""Which certificate a TLS client gets: by the name that it asks for, from the keys of the hosts.

A change makes new contexts beside the old ones; handshakes that begin later see them, connections that stand are
left alone.  A pair that does not fit together never replaces one that does.
"""

import os
import ssl
from collections.abc import Iterable, Mapping

from cryptography import x509

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.model import Host, TlsSettings
from fairlead.proxy.secretbox import KeyPair, SealKey

ALPN = ["h2", "http/1.1"]


class HostContext(ssl.SSLContext):
    """What clients get of one host; a connection keeps the one that it began with.

    Attributes:
        host: the name that the operator gave.
        names: those that the certificate stands for, lower-case; ``*`` for one label.
    """

    host: str
    names: frozenset[str]

    def stands_for(self, name: str) -> bool:
        """Whether the certificate names ``name`` (lower-case)."""
        return name in self.names or "*." + name.partition(".")[2] in self.names


class Certificates:
    """The certificates in force.

    Attributes:
        is_empty: there is none, so that no TLS handshake can succeed.
        challenges: by name, what is shown while an authority asks for a proof (RFC 8737).
    """

    def __init__(self, seal_key: SealKey | None) -> None:
        self._seal_key = seal_key
        self._contexts: dict[str, HostContext] = {}
        self._sealed: dict[str, bytes] = {}
        self._default: HostContext | None = None
        self.challenges: dict[str, ssl.SSLContext] = {}

    @property
    def is_empty(self) -> bool:
        """See above."""
        return self._default is None and not self.challenges

    def follow(self, hosts: Iterable[Host]) -> Mapping[str, str]:
        """Put the certificates of ``hosts`` in force; return what is wrong with which host."""
        problems: dict[str, str] = {}
        contexts: dict[str, HostContext] = {}
        default: HostContext | None = None
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

    def _load(self, host: Host) -> HostContext:
        if self._seal_key is None:
            raise KeyProblem("it is sealed, and no key to open it was given; start with --seal-key-file")
        return context_of(self._seal_key.open_key_pair(host.sealed_key_pair), host=host.name)

    def find(self, name: str) -> HostContext | None:
        """Return what a client gets that asks for ``name`` (lower-case); None: nothing is known of it."""
        found = self._contexts.get(name)
        return found or self._contexts.get("*." + name.partition(".")[2])

    def covers(self, context: object, name: str) -> bool:
        """Whether a connection that got ``context`` may carry requests for ``name`` (RFC 9110, section 15.5.20).

        It may if the certificate that its client has seen stands for ``name``, be it still in force or not.  A name that
        no certificate is for belongs to the default host, whichever certificate that had when the connection began.
        """
        if not isinstance(context, HostContext):
            return False
        if context.stands_for(name):
            return True
        expected = self.find(name) or self._default
        return expected is not None and expected.host == context.host

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
        context: ssl.SSLContext | None = (self.find(name.lower()) if name else None) or self._default
        if name and self.challenges:
            context = self.challenges.get(name.lower(), context)
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None


def context_of(pair: KeyPair, *, host: str = "") -> HostContext:
    """Return a context that shows ``pair``; ``host`` is whose it is.

    Raises:
        KeyProblem: certificate and key do not fit together, or one of them cannot be read.
    """
    context = HostContext(ssl.PROTOCOL_TLS_SERVER)
    context.host = host
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
    context.names = _names_of(pair.certificate)
    return context


def _names_of(certificate: bytes) -> frozenset[str]:
    """Return the DNS names that the first of ``certificate`` (PEM) stands for, lower-case."""
    try:
        first = x509.load_pem_x509_certificates(certificate)[0]
        found = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()  # No client of today takes the subject's name instead.
    except (ValueError, x509.DuplicateExtension) as error:
        raise KeyProblem(f"the certificate cannot be read ({error})") from error
    return frozenset(name.lower() for name in found.get_values_for_type(x509.DNSName))


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
