"""What a request and a response of DNS over HTTPS mean (RFC 8484), apart from any version of HTTP."""

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import parse_qsl

from fairlead.dns.message import TCP_BYTES_MAX, cacheable_for_s, is_answerable

PATH: Final = "/dns-query"
MEDIA_TYPE: Final = "application/dns-message"
BODY_BYTES_MAX: Final = TCP_BYTES_MAX
TARGET_BYTES_MAX: Final = 4 * TCP_BYTES_MAX // 3 + 256


@dataclass(slots=True)
class Request:
    """One request.  ``number`` is the stream's in HTTP/2, and counts in HTTP/1.1."""

    number: int
    method: str
    target: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One response."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Session(Protocol):
    """One connection's HTTP, without input and output."""

    is_over: bool
    """Whether nothing more is to be read: once `to_send` is written, the connection ends."""

    def receive(self, data: bytes) -> list[Request]:
        """Take in bytes; return the requests that they complete."""

    def respond(self, number: int, response: Response) -> None:
        """Answer the request ``number``; nothing, when its client has given it up."""

    def to_send(self) -> bytes:
        """Return what is to be written now."""


def packet_of(request: Request) -> bytes | Response:
    """Return the query in ``request``, or the response that says what is wrong with it (RFC 8484, section 4.1)."""
    path, _, arguments = request.target.partition("?")
    if path != PATH:
        return _text(HTTPStatus.NOT_FOUND, f"ask {PATH}")
    match request.method:
        case "GET" | "HEAD":
            encoded = dict(parse_qsl(arguments)).get("dns")
            if encoded is None:
                return _text(HTTPStatus.BAD_REQUEST, "give the query as ?dns=, in base64url (RFC 8484)")
            try:
                packet = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            except (binascii.Error, ValueError):
                return _text(HTTPStatus.BAD_REQUEST, "?dns= is not base64url")
        case "POST":
            if request.media_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
                return _text(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {MEDIA_TYPE}")
            packet = request.body
        case _:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, (("allow", "GET, HEAD, POST"),))
    if len(packet) > BODY_BYTES_MAX:
        return _text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a query has at most 65535 bytes")
    if not is_answerable(packet):
        return _text(HTTPStatus.BAD_REQUEST, "that is no DNS query")
    return packet


def response_of(message: bytes) -> Response:
    """Return the HTTP response that carries ``message``; it may be cached as long as its records (section 5.1)."""
    headers = (("content-type", MEDIA_TYPE), ("cache-control", f"max-age={cacheable_for_s(message)}"))
    return Response(HTTPStatus.OK, headers, message)


def _text(status: HTTPStatus, text: str) -> Response:
    return Response(status, (("content-type", "text/plain"),), f"{text}\n".encode())
