"""Key pairs for names, made on the spot."""

import base64
import datetime as dt
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead.proxy.secretbox import KeyPair, SealKey

SEAL_KEY_TEXT = "5f" * 32
SEAL_KEY = SealKey(SEAL_KEY_TEXT)


def make_pair(name: str, *others: str) -> KeyPair:
    """A certificate for ``name``, and for ``others``, that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in (name, *others)]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=private)


def host(pair: KeyPair, *, is_default: bool = False) -> dict[str, object]:
    """A host's key in the store."""
    sealed = base64.b64encode(SEAL_KEY.seal_key_pair(pair)).decode()
    return {"Settings": {"Default": is_default, "KeyPair": sealed}}


def trusting(*pairs: KeyPair, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A client that trusts these and nobody else."""
    context = ssl.create_default_context(cadata="\n".join(pair.certificate.decode() for pair in pairs))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
