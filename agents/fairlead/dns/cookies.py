"""DNS cookies: a sign that a client receives what is sent to its address (RFC 7873), in the layout of RFC 9018.

The hash is a keyed BLAKE2s instead of SipHash-2-4: only the servers of one address need to agree, and those share our secret.
"""

import hashlib
import hmac
import struct
from typing import Final

from fairlead.dns.errors import MessageError
from fairlead.dns.message import Rcode

SECRET_BYTES: Final = 16
CLIENT_BYTES: Final = 8
_SERVER_BYTES_MIN: Final = 8
_SERVER_BYTES_MAX: Final = 32
_VERSION: Final = 1
_START: Final = struct.Struct("!BxxxI")
_HASH_BYTES: Final = 8

VALID_FOR_S: Final = 3600
"""How old a server cookie may be; RFC 9018, section 4.3."""

_AHEAD_S_MAX: Final = 300


class Cookies:
    """Makes and checks server cookies.

    Args:
        secret: SECRET_BYTES, the same for all processes behind one address.
    """

    def __init__(self, secret: bytes) -> None:
        assert len(secret) == SECRET_BYTES
        self._secret = secret

    def answer(self, option: bytes, ip: str, now_s: float) -> bytes:
        """Return the data of the option to send back: the client's cookie and a fresh one of ours.

        Raises:
            MessageError: FORMERR, the option has an impossible length (RFC 7873, section 5.2.2).
        """
        check_length(option)
        return option[:CLIENT_BYTES] + self._server_cookie(option[:CLIENT_BYTES], ip, int(now_s))

    def is_valid(self, option: bytes, ip: str, now_s: float) -> bool:
        """Whether ``option`` holds a server cookie that we gave to this client at ``ip`` not long ago."""
        client, server = option[:CLIENT_BYTES], option[CLIENT_BYTES:]
        if len(server) != _START.size + _HASH_BYTES:
            return False
        _, made_s = _START.unpack_from(server)
        age_s = (int(now_s) - made_s) & 0xFFFFFFFF
        if VALID_FOR_S < age_s < 2**32 - _AHEAD_S_MAX:
            return False
        return hmac.compare_digest(server, self._server_cookie(client, ip, made_s))

    def _server_cookie(self, client: bytes, ip: str, made_s: int) -> bytes:
        start = _START.pack(_VERSION, made_s & 0xFFFFFFFF)
        digest = hashlib.blake2s(client + start + ip.encode(), digest_size=_HASH_BYTES, key=self._secret)
        return start + digest.digest()


def check_length(option: bytes) -> None:
    """Check that ``option`` holds a client cookie, and a server cookie or none.

    Raises:
        MessageError: FORMERR (RFC 7873, section 5.2.2).
    """
    size = len(option) - CLIENT_BYTES
    if size and not _SERVER_BYTES_MIN <= size <= _SERVER_BYTES_MAX:
        raise MessageError(Rcode.FORMERR, "a cookie of an impossible length")
