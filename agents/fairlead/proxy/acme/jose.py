"""Signed requests as ACME has them: flattened JWS with ES256 (RFC 7515, RFC 7518, RFC 8555 section 6.2).  Sans-IO."""

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_COORDINATE_BYTES = 32


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class AccountKey:
    """The key that an account at an authority is known by; its repr tells nothing."""

    __slots__ = ("_key", "jwk")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        numbers = key.public_key().public_numbers()
        self.jwk = {
            "crv": "P-256",
            "kty": "EC",
            "x": encode(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
            "y": encode(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
        }

    @classmethod
    def made(cls) -> "AccountKey":
        """Return a new one."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, pem: bytes) -> "AccountKey":
        """Return the one that ``pem`` holds.

        Raises:
            ValueError: it is no key on the curve P-256.
        """
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("the account's key cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("the account's key is none on the curve P-256")
        return cls(key)

    def pem(self) -> bytes:
        """Return it for keeping; seal it first."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def key_authorization(self, token: str) -> str:
        """Return what proves to the authority that a challenge is ours (RFC 8555, section 8.1)."""
        canonical = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return f"{token}.{encode(hashlib.sha256(canonical.encode()).digest())}"

    def sign(self, payload: object, *, url: str, nonce: str, kid: str = "") -> bytes:
        """Return the body of a request.

        Args:
            payload: JSON; None is POST-as-GET.
            url: where it goes.
            nonce: the authority's last.
            kid: the account; empty: there is none yet, and the key is shown.
        """
        protected: dict[str, Any] = {"alg": "ES256", "nonce": nonce, "url": url}
        protected |= {"kid": kid} if kid else {"jwk": self.jwk}
        head = encode(json.dumps(protected).encode())
        body = "" if payload is None else encode(json.dumps(payload).encode())
        signature = self._key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        parts = (number.to_bytes(_COORDINATE_BYTES, "big") for number in decode_dss_signature(signature))
        return json.dumps({"protected": head, "payload": body, "signature": encode(b"".join(parts))}).encode()
