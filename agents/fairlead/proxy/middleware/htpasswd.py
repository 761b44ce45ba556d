"""The passwords of htpasswd: bcrypt, and what older files have, Apache's MD5 and SHA-1.

The two old ones are weak against who has read the file; they are read because Traefik reads them.  Sans-IO.  Sources:
Apache, docs on password formats; the apr1 algorithm of apr_md5.c, which is crypt's MD5 with another magic.
"""

import base64
import hashlib
import hmac
import re

import bcrypt

_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[A-Za-z0-9./]{53}")
_COST_MIN, _COST_MAX = 4, 15
_APR1 = re.compile(r"\$apr1\$([^$]{1,8})\$([A-Za-z0-9./]{22})")
_SHA1 = re.compile(r"\{SHA\}([A-Za-z0-9+/]{27}=)")
_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MAGIC = b"$apr1$"
_ROUNDS = 1000
# In which order the bytes of the digest are written; the last stands alone.
_GROUPS = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_PASSWORD_BYTES_MAX = 72  # bcrypt reads no more, and its library refuses longer ones


def read_hash(text: str) -> bytes | None:
    """Return a hash as ``matches`` takes it, or None for what is none of those known."""
    found = _BCRYPT.fullmatch(text)
    if found is not None and _COST_MIN <= int(found[1]) <= _COST_MAX:
        return text.replace("$2y$", "$2b$", 1).encode()
    return text.encode() if _APR1.fullmatch(text) or _SHA1.fullmatch(text) else None


def matches(password: bytes, hashed: bytes) -> bool:
    """Whether ``password`` is the one of ``hashed``; slow on purpose where that is bcrypt's."""
    if len(password) > _PASSWORD_BYTES_MAX:
        return False
    text = hashed.decode("ascii")
    if (found := _APR1.fullmatch(text)) is not None:
        return hmac.compare_digest(apr1(password, found[1].encode()), found[2].encode())
    if (found := _SHA1.fullmatch(text)) is not None:
        digest = hashlib.sha1(password, usedforsecurity=False).digest()
        return hmac.compare_digest(base64.b64encode(digest), found[1].encode())
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:
        return False


def apr1(password: bytes, salt: bytes) -> bytes:
    """Return the hash that Apache's MD5 makes, without magic and salt."""
    inner = _md5(password + salt + password)
    mixed = password + _MAGIC + salt + (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        mixed += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = _md5(mixed)
    for turn in range(_ROUNDS):
        first, last = (password, digest) if turn % 2 else (digest, password)
        digest = _md5(first + (salt if turn % 3 else b"") + (password if turn % 7 else b"") + last)
    made = b""
    for a, b, c in _GROUPS:
        made += _in_letters(digest[a] << 16 | digest[b] << 8 | digest[c], 4)
    return made + _in_letters(digest[11], 2)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _in_letters(number: int, count: int) -> bytes:
    return bytes(_ALPHABET[number >> 6 * place & 63] for place in range(count))
