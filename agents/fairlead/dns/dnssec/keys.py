"""One key that signs a zone: key-signing and zone-signing key in one (RFC 6781, section 3.1).

ECDSA P-256 (RFC 6605) and Ed25519 (RFC 8080); the curves are `cryptography`'s.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from fairlead.dns.names import Name

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_FLAGS: Final = 257  # zone key and secure entry point (RFC 4034, section 2.1.1)
_PROTOCOL: Final = 3
_SHA256: Final = 2
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


class Algorithm(IntEnum):
    """Algorithms that we sign by (IANA, DNS Security Algorithm Numbers)."""

    ECDSAP256SHA256 = 13
    ED25519 = 15


@dataclass(frozen=True)
class SigningKey:
    """A private key, and what DNS says of it."""

    algorithm: Algorithm
    private: PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm.name}, {self.tag})"

    @classmethod
    def generate(cls, algorithm: Algorithm) -> "SigningKey":
        """Return a new key."""
        if algorithm is Algorithm.ED25519:
            return cls(algorithm, ed25519.Ed25519PrivateKey.generate())
        return cls(algorithm, ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """Return the key in PKCS #8.

        Raises:
            ValueError: no such key, or none of an algorithm that we sign by.
        """
        private = serialization.load_pem_private_key(pem, password=None)
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return cls(Algorithm.ED25519, private)
        if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
            return cls(Algorithm.ECDSAP256SHA256, private)
        raise ValueError("the key is neither ECDSA P-256 nor Ed25519")

    def to_pem(self) -> bytes:
        """Return the key in PKCS #8, unencrypted."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @cached_property
    def dnskey(self) -> bytes:
        """The data of its DNSKEY record."""
        public = self.private.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            point = public.public_bytes_raw()
        else:
            numbers = public.public_numbers()
            point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        return struct.pack("!HBB", _FLAGS, _PROTOCOL, self.algorithm) + point

    @cached_property
    def tag(self) -> int:
        """The key tag (RFC 4034, appendix B)."""
        data = self.dnskey + b"\0" * (len(self.dnskey) % 2)
        total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
        return (total + (total >> 16)) & 0xFFFF

    def ds(self, zone: Name) -> bytes:
        """Return the data of the DS record that makes ``zone``'s parent vouch for the key, by SHA-256."""
        digest = hashlib.sha256(zone + self.dnskey).digest()
        return struct.pack("!HBB", self.tag, self.algorithm, _SHA256) + digest

    @cached_property
    def sign(self) -> Callable[[bytes], bytes]:
        """What makes the signature of some bytes, as RRSIG holds it."""
        private = self.private
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return private.sign

        def sign(data: bytes) -> bytes:
            r, s = decode_dss_signature(private.sign(data, _ECDSA))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        return sign
