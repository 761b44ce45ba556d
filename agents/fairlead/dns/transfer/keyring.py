"""Keys that we share with others, and the file that holds them (RFC 8945, section 2)."""

import binascii
import hashlib
import hmac
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fairlead.dns import names
from fairlead.dns.errors import BadNameError
from fairlead.dns.message import Class
from fairlead.dns.names import Name
from fairlead.dns.transfer.errors import TsigKeyError

ALGORITHMS: Final = {f"hmac-{digest}": digest for digest in ("sha256", "sha384", "sha512")}
_SECRET_BYTES_MIN: Final = 16
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, repr=False)
class SharedKey:
    """One shared key; its secret is in no text."""

    name: Name
    algorithm: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SharedKey({names.to_text(self.name)})"

    @property
    def algorithm_name(self) -> Name:
        """The algorithm, as TSIG names it."""
        return names.from_text(self.algorithm)

    def mac(self, *parts: bytes) -> bytes:
        """Return the MAC of ``parts`` in a row."""
        return hmac.digest(self.secret, b"".join(parts), ALGORITHMS[self.algorithm])

    @property
    def mac_bytes(self) -> int:
        """The size of a MAC."""
        return hashlib.new(ALGORITHMS[self.algorithm]).digest_size

    def variables(self, timers: bytes, error: int = 0, other: bytes = b"") -> bytes:
        """Return what is signed beside a message (RFC 8945, section 4.3.3)."""
        fixed = self.name + struct.pack("!HI", Class.ANY, 0) + self.algorithm_name + timers
        return fixed + struct.pack("!HH", error, len(other)) + other


@dataclass(frozen=True, slots=True)
class Keyring:
    """Shared keys by name."""

    keys: dict[Name, SharedKey] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def __repr__(self) -> str:
        return f"Keyring({' '.join(map(names.to_text, self.keys))})"

    @classmethod
    def read(cls, path: Path) -> "Keyring":
        """Return the keys in a file of lines ``NAME ALGORITHM BASE64``; ``#`` begins a comment.

        Raises:
            TsigKeyError: the file cannot be used.
        """
        try:
            if path.stat().st_mode & _OTHERS:
                raise TsigKeyError(f"{path} can be read by others; run: chmod 600 {path}")
            lines = path.read_text().splitlines()
        except (OSError, UnicodeError) as error:
            raise TsigKeyError(f"cannot read {path}: {error}") from error
        keys = {}
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if words:
                try:
                    key = _key_of(words)
                except (ValueError, BadNameError) as error:
                    # Neither the line nor the error may show the secret.
                    raise TsigKeyError(f"{path}, line {number}: write NAME hmac-sha256 BASE64") from error
                keys[key.name] = key
        if not keys:
            raise TsigKeyError(f"{path} holds no key; write NAME hmac-sha256 BASE64")
        return cls(keys)


def _key_of(words: list[str]) -> SharedKey:
    name, algorithm, secret = words
    raw = binascii.a2b_base64(secret, strict_mode=True)
    if algorithm.lower() not in ALGORITHMS or len(raw) < _SECRET_BYTES_MIN:
        raise ValueError("no such algorithm, or too short a secret")
    return SharedKey(names.from_text(name), algorithm.lower(), raw)
