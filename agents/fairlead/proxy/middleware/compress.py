"""``compress``: gzip for texts, for clients that take it (RFC 9110, section 8.4; RFC 1952).

    {"MinBytes": 1024, "Types": ["text/", "application/json"], "ExcludedTypes": ["text/event-stream"], "Level": 5}

An entry of ``Types`` that ends with a slash stands for all below.  What is encoded already, a part of
something (206), or marked no-transform passes as it is.  A body of unknown length is flushed piece by piece, so that
it still arrives as it is made.
"""

import re
import zlib
from typing import TYPE_CHECKING

from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import BodyFilter, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_TYPES = (
    *("text/", "application/json", "application/javascript", "application/xml", "application/wasm"),
    *("application/manifest+json", "application/xhtml+xml", "application/atom+xml", "application/rss+xml"),
    *("image/svg+xml", "font/ttf", "font/otf"),
)
_EXCLUDED = ("text/event-stream", "application/grpc")
_CODING = re.compile(rb"\s*(gzip|x-gzip|\*)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?")
_GZIP_WBITS = 31


class Compress(Middleware):
    """Compresses the answers of one frontend."""

    def __init__(
        self, *, bytes_min: int, types: tuple[bytes, ...], excluded: tuple[bytes, ...], level: int
    ) -> None:
        self._bytes_min = bytes_min
        self._types = types
        self._excluded = excluded
        self._level = level

    def on_response(self, call: Call, response: "Response") -> None:
        """Change the head, if the body is going to be compressed; tell caches in any case."""
        if not self._is_text(response):
            return
        response.fields.append((b"Vary", b"Accept-Encoding"))
        if not self._is_wanted(call, response):
            return
        call.notes[self] = True
        fields = []
        for name, value in response.fields:
            lower = name.lower()
            # RFC 9110, section 8.8.1: other bytes cannot have the same strong validator, nor the same digest.
            if lower == b"etag" and not value.startswith(b"W/"):
                fields.append((name, b"W/" + value))
            elif lower not in {b"accept-ranges", b"digest", b"content-md5", b"content-digest"}:
                fields.append((name, value))
        response.fields = [*fields, (b"Content-Encoding", b"gzip")]

    def response_filter(self, call: Call, response: "Response") -> BodyFilter | None:
        """Return what compresses."""
        if call.notes.pop(self, None) is None:
            return None
        return Gzip(self._level, is_streaming=response.is_of_unknown_length)

    def _is_text(self, response: "Response") -> bool:
        kind = response.header(b"content-type").partition(b";")[0].strip().lower()
        return (
            bool(kind)
            and kind not in self._excluded
            and any(kind.startswith(each) if each.endswith(b"/") else kind == each for each in self._types)
        )

    def _is_wanted(self, call: Call, response: "Response") -> bool:
        if response.status < 200 or response.status in {204, 206, 304} or call.request.method == b"HEAD":
            return False
        if (
            response.header(b"content-encoding")
            or b"no-transform" in response.header(b"cache-control").lower()
        ):
            return False
        if not response.is_of_unknown_length and response.length < self._bytes_min:
            return False
        return accepts_gzip(call.header(b"accept-encoding"))


class Gzip:
    """One body on its way."""

    def __init__(self, level: int, *, is_streaming: bool) -> None:
        self._gzip = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WBITS)
        self._is_streaming = is_streaming

    def feed(self, piece: bytes) -> bytes:
        """Compress ``piece``."""
        made = self._gzip.compress(piece)
        return made + self._gzip.flush(zlib.Z_SYNC_FLUSH) if self._is_streaming else made

    def end(self) -> bytes:
        """Return the rest."""
        return self._gzip.flush()


def accepts_gzip(value: bytes) -> bool:
    """Whether an Accept-Encoding takes gzip (RFC 9110, section 12.5.3)."""
    by_star = False
    for item in value.lower().split(b",")[:32]:
        found = _CODING.fullmatch(item)
        if found is not None:
            takes = found[2] is None or found[2].strip(b"0.") != b""
            if found[1] != b"*":
                return takes
            by_star = takes
    return by_star


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Compress:  # noqa: ARG001
    """Read the JSON above."""
    return Compress(
        bytes_min=spec.number("MinBytes", 1024, low=0),
        types=tuple(each.lower().encode() for each in (spec.texts("Types") or _TYPES)),
        excluded=tuple(each.lower().encode() for each in (spec.texts("ExcludedTypes") or _EXCLUDED)),
        level=spec.number("Level", 5, low=1, high=9),
    )
