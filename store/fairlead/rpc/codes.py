"""gRPC status codes and how a status message travels in a trailer.

Source: the gRPC project, "Status codes and their use in gRPC" and "gRPC over HTTP2", Status-Message.
"""

import re
from enum import IntEnum
from urllib.parse import unquote_to_bytes

# Percent-Byte-Unencoded: space to tilde without the percent sign.
_UNSAFE = re.compile(rb"[^\x20-\x24\x26-\x7e]")


class Code(IntEnum):
    """The seventeen codes that a call may end with."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def percent_encoded(message: str) -> bytes:
    """Return ``message`` as a grpc-message value: UTF-8, all but printable ASCII as ``%XX``."""
    raw = message.encode("utf-8", "replace")
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], raw)


def percent_decoded(value: bytes) -> str:
    """Return the text of a grpc-message value; stray percent signs stay, bad UTF-8 is replaced."""
    return unquote_to_bytes(value).decode("utf-8", "replace")
