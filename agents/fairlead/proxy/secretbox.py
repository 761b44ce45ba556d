"""Secrets as vulcand keeps them in the store: NaCl's secretbox, in JSON.

    {"Encryption": "secretbox.v1", "Value": {"Val": base64, "Nonce": base64}}

The key is 32 bytes, written as 64 hexadecimal digits; it is never in the store.  What is sealed of a host is the
JSON ``{"Cert": base64 of PEM, "Key": base64 of PEM}``.  Source: vulcand, secret/secret.go.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from fairlead.proxy.errors import KeyProblem

_KIND = "secretbox.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate chain and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


class SealKey:
    """What seals and opens; its repr tells nothing."""

    __slots__ = ("_box",)

    def __init__(self, hexadecimal: str) -> None:
        """Take the 64 digits.

        Raises:
            ValueError: they are not 64 hexadecimal digits.
        """
        try:
            key = bytes.fromhex(hexadecimal.strip())
        except ValueError:
            key = b""
        if len(key) != SecretBox.KEY_SIZE:
            raise ValueError("a seal key is 64 hexadecimal digits")
        self._box = SecretBox(key)

    def seal(self, plain: bytes) -> bytes:
        """Return the JSON that holds ``plain`` sealed, under a nonce that is never used again."""
        sealed = self._box.encrypt(plain)
        value = {"Val": _encode(sealed.ciphertext), "Nonce": _encode(sealed.nonce)}
        return json.dumps({"Encryption": _KIND, "Value": value}).encode()

    def open(self, sealed: bytes) -> bytes:
        """Return what ``sealed`` holds.

        Raises:
            KeyProblem: it is not sealed in this way, or with another key.
        """
        try:
            outer = json.loads(sealed)
            kind, value = outer["Encryption"], outer["Value"]
            parts = _decode(value["Val"]), _decode(value["Nonce"])
        except (ValueError, KeyError, TypeError) as error:
            raise KeyProblem(
                'a sealed value is {"Encryption":...,"Value":{"Val":...,"Nonce":...}}'
            ) from error
        if kind != _KIND:
            raise KeyProblem(f"sealed values are {_KIND}, not {kind!r}")
        try:
            return self._box.decrypt(*parts)
        except (CryptoError, ValueError) as error:
            raise KeyProblem("it does not open; was it sealed with another key?") from error

    def seal_key_pair(self, pair: KeyPair) -> bytes:
        """Return what a host's KeyPair holds, before it is base64."""
        plain = {"Cert": _encode(pair.certificate), "Key": _encode(pair.key)}
        return self.seal(json.dumps(plain).encode())

    def open_key_pair(self, sealed: bytes) -> KeyPair:
        """Return the pair.

        Raises:
            KeyProblem: as ``open``, or what is inside is no pair.
        """
        try:
            plain = json.loads(self.open(sealed))
            return KeyPair(certificate=_decode(plain["Cert"]), key=_decode(plain["Key"]))
        except (ValueError, KeyError, TypeError) as error:
            raise KeyProblem('the sealed value is not {"Cert":...,"Key":...}') from error


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
