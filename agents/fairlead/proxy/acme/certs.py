"""Keys, requests for certificates, and the certificates of challenges; what is in PEM is never logged.  Sans-IO."""

import datetime as dt
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairlead.proxy.secretbox import KeyPair

ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""RFC 8737, section 3."""


def certificate_request(name: str) -> tuple[bytes, bytes]:
    """Return a new private key (PEM) and the request for a certificate of ``name`` (DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pem(key), request.public_bytes(serialization.Encoding.DER)


def renew_s(chain: bytes, *, before_s: float) -> float:
    """Return when the first certificate of ``chain`` (PEM) is to be followed by another, in seconds since 1970.

    That is ``before_s`` before it expires, but not in the first half of its life: an authority whose certificates
    are good for less than that would be asked again and again.

    Raises:
        ValueError: it is no certificate.
    """
    certificate = x509.load_pem_x509_certificate(chain)
    begins_s = certificate.not_valid_before_utc.timestamp()
    expires_s = certificate.not_valid_after_utc.timestamp()
    return expires_s - min(before_s, (expires_s - begins_s) / 2)


def challenge_pair(name: str, key_authorization: str, *, now_s: float) -> KeyPair:
    """Return what is shown to an authority that asks by TLS-ALPN-01 (RFC 8737, section 3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(key_authorization.encode()).digest()
    now = dt.datetime.fromtimestamp(now_s, tz=dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        # A DER OCTET STRING of 32 bytes.
        .add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, b"\x04\x20" + digest), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=_pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
