"""Values that nobody may read by the way: sealed in the store, and never in a message.

``secret(key)`` gives the value in the clear and marks the file that it goes into.  A value may be sealed: AES-256-GCM
under a key that lies in a file on the hosts that need it, bound to the name of its key in the store, so that a
sealed password cannot be moved to a place where it would be shown.

    fairlead-sealed:1:<base64 of nonce, ciphertext and tag>

Source: NIST SP 800-38D; the cipher is that of the package ``cryptography``.
"""

import base64
import binascii
import os
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from fairlead.render.errors import TemplateFault
from fairlead.render.view import to_bytes, to_text

SEALED = "fairlead-sealed:1:"
"""What every sealed value begins with."""
HIDDEN = "(secret)"
KEY_BYTES = 32
_NONCE_BYTES = 12
_REDACTED_LENGTH_MIN = 3
"""A shorter secret would be found inside of everything; it is no secret."""


class SealError(Exception):
    """A value cannot be sealed or opened; the text says what to do."""


def new_key() -> str:
    """Return a fresh key as the file has it: base64, one line."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n"


def read_key(path: Path) -> bytes:
    """Return the key that a file holds.

    Raises:
        SealError: the file cannot be read, is open to others, or holds no key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError as error:
        raise SealError(f"the key file {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise SealError(f"the key file {path} is open to others; close it with: chmod 600 {path}")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SealError(f"{path} holds no key; move it away and make one with: fairlead render keygen {path}")
    return key


def _cipher(key: bytes) -> Any:
    try:
        return import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)
    except ImportError as error:
        raise SealError(
            "sealed values need the Python package cryptography, which is not installed"
        ) from error


def is_sealed(value: str) -> bool:
    """Whether ``value`` is one that ``seal`` made."""
    return value.startswith(SEALED)


def seal(value: bytes, *, name: str, key: bytes, nonce: bytes | None = None) -> str:
    """Return the text to put into the store.

    Args:
        value: the secret.
        name: the full name of its key in the store; it can be opened under no other.
        key: from ``read_key``.
        nonce: for tests; else it is random.
    """
    nonce = os.urandom(_NONCE_BYTES) if nonce is None else nonce
    sealed: bytes = _cipher(key).encrypt(nonce, value, to_bytes(name))
    return SEALED + base64.b64encode(nonce + sealed).decode()


def unseal(value: str, *, name: str, key: bytes) -> bytes:
    """Return the secret.

    Raises:
        SealError: it was sealed for another name or with another key, or is damaged.
    """
    try:
        raw = base64.b64decode(value.removeprefix(SEALED), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    cipher = _cipher(key)
    invalid_tag: type[Exception] = import_module("cryptography.exceptions").InvalidTag
    try:
        opened: bytes = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], to_bytes(name))
    except (ValueError, invalid_tag) as error:
        raise SealError(
            f"the value of {name} cannot be opened: it was sealed for another name or with another key"
        ) from error
    return opened


class Vault:
    """What one host can open.

    Args:
        key_file: where its key is; None for a host that opens nothing.
    """

    def __init__(self, key_file: Path | None = None) -> None:
        self._key_file = key_file

    def open(self, value: str, *, name: str) -> str:
        """Return the secret in the clear; one that is not sealed is so already.

        Raises:
            TemplateFault: it is sealed and cannot be opened here.
        """
        if not is_sealed(value):
            return value
        if self._key_file is None:
            raise TemplateFault(f"the value of {name} is sealed; say with what: --secret-key-file FILE")
        try:
            # Read each time: a new key is taken up, and the old one is not kept in memory.
            return to_text(unseal(value, name=name, key=read_key(self._key_file)))
        except SealError as error:
            raise TemplateFault(str(error)) from None


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with every secret hidden, and every form in which a message may quote it."""
    forms = {form for secret in secrets for form in (secret, repr(secret)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _REDACTED_LENGTH_MIN:
            text = text.replace(form, HIDDEN)
    return text
