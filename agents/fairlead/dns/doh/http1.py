"""HTTP/1.1 for DNS over HTTPS: httptools reads requests, responses are written by hand."""

from http import HTTPStatus
from typing import Final

import httptools

from fairlead.dns.doh.exchange import BODY_BYTES_MAX, TARGET_BYTES_MAX, Request, Response

HEADERS_BYTES_MAX: Final = 16384


class Http1Session:
    """One connection.  Requests are answered in their order: whoever drives this gives responses in it."""

    def __init__(self) -> None:
        self.is_over = False
        self._parser = httptools.HttpRequestParser(self)
        self._target = bytearray()
        self._body = bytearray()
        self._media_type = ""
        self._headers_bytes = 0
        self._completed: list[Request] = []
        self._keeps_alive: dict[int, tuple[bool, bool]] = {}
        self._count = 0
        self._output = bytearray()

    def receive(self, data: bytes) -> list[Request]:
        """Take in bytes; return the requests that they complete."""
        self._completed = []
        if self.is_over:
            return []
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # what follows would be another protocol
            self._completed.clear()
            self._fail(HTTPStatus.BAD_REQUEST)
        except httptools.HttpParserError:
            if not self.is_over:
                self._fail(HTTPStatus.BAD_REQUEST)
        return self._completed

    def respond(self, number: int, response: Response) -> None:
        """Answer the request ``number``."""
        keeps_alive, is_head = self._keeps_alive.pop(number)
        self._write(response, keeps_alive=keeps_alive, is_head=is_head)
        self.is_over = self.is_over or not keeps_alive

    def to_send(self) -> bytes:
        """Return what is to be written now."""
        output = bytes(self._output)
        self._output.clear()
        return output

    # What httptools calls.  An exception ends its parsing.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target.clear()
        self._body.clear()
        self._media_type = ""
        self._headers_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url
        if len(self._target) > TARGET_BYTES_MAX:
            self._fail(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self._headers_bytes += len(name) + len(value)
        if self._headers_bytes > HEADERS_BYTES_MAX:
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if name.lower() == b"content-type":
            self._media_type = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        """A request ends."""
        if self.is_over:
            return
        self._count += 1
        method = self._parser.get_method().decode("latin-1")
        self._keeps_alive[self._count] = (self._parser.should_keep_alive(), method == "HEAD")
        self._completed.append(
            Request(self._count, method, self._target.decode("latin-1"), self._media_type, bytes(self._body))
        )

    def _fail(self, status: HTTPStatus) -> None:
        """Answer what is no request of ours, and be done with the connection."""
        if not self.is_over:
            self._write(Response(status), keeps_alive=False, is_head=False)
            self.is_over = True

    def _write(self, response: Response, *, keeps_alive: bool, is_head: bool) -> None:
        status = response.status
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append(f"content-length: {len(response.body)}")
        if not keeps_alive:
            lines.append("connection: close")
        self._output += "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if not is_head:
            self._output += response.body
