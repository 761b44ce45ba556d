"""``respond`` and ``errorpages``: answers that no server gives.

    respond     {"StatusCode": 503, "Body": "Back at noon.", "ContentType": "text/plain", "Headers": {"Retry-After": "600"}}
    errorpages  {"Pages": {"404": "<h1>Not here</h1>", "500-599": "<h1>Sorry</h1>"}, "ContentType": "text/html"}

``errorpages`` replaces the body of answers with these statuses, the proxy's own among them; the status stays.
``{status}`` in a page becomes the number.
"""

import re
from typing import TYPE_CHECKING

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, BodyFilter, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")
_OF_THE_OLD_BODY = frozenset(
    {b"content-type", b"content-encoding", b"content-language", b"etag", b"last-modified", b"accept-ranges"}
    | {b"digest", b"content-md5", b"content-digest", b"content-range", b"content-disposition"}
)


class Respond(Middleware):
    """Answers everything."""

    def __init__(self, status: int, *, body: bytes, fields: Fields) -> None:
        self._status = status
        self._body = body
        self._fields = fields

    def on_request(self, call: Call) -> Answer:
        """Answer."""
        return Answer(self._status, self._body, fields=list(self._fields), flag="RS")


class ErrorPages(Middleware):
    """Puts a page in the place of an error's body."""

    def __init__(self, pages: tuple[tuple[range, bytes], ...], *, content_type: bytes) -> None:
        self._pages = pages
        self._content_type = content_type

    def on_response(self, call: Call, response: "Response") -> None:
        """Note which page fits, and that the fields of the old body are gone."""
        page = self._page(response.status)
        if page is not None and call.request.method != b"HEAD":
            call.notes[self] = page
            kept = [field for field in response.fields if field[0].lower() not in _OF_THE_OLD_BODY]
            response.fields = [*kept, (b"Content-Type", self._content_type)]

    def response_filter(self, call: Call, response: "Response") -> BodyFilter | None:
        """Return what swallows the old body."""
        page = call.notes.pop(self, None)
        return Page(page) if isinstance(page, bytes) else None

    def _page(self, status: int) -> bytes | None:
        for statuses, page in self._pages:
            if status in statuses:
                return page.replace(b"{status}", b"%d" % status)
        return None


class Page:
    """A body instead of another."""

    def __init__(self, page: bytes) -> None:
        self._page = page

    def feed(self, piece: bytes) -> bytes:
        """Drop ``piece``."""
        return b""

    def end(self) -> bytes:
        """Return the page."""
        return self._page


def make_respond(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Respond:  # noqa: ARG001
    """Read the JSON above."""
    fields = spec.own_fields("Headers")
    if kind := spec.text("ContentType"):
        fields = [(b"Content-Type", spec.field_value("ContentType", kind)), *fields]
    status = spec.number("StatusCode", 200, low=200, high=599)
    return Respond(status, body=spec.text("Body").encode(), fields=fields)


def make_error_pages(spec: Spec, *, tools: Tools, previous: Middleware | None) -> ErrorPages:  # noqa: ARG001
    """Read the JSON above."""
    inner = spec.spec("Pages")
    pages = []
    for name in inner.values:
        found = _STATUSES.fullmatch(name)
        if found is None:
            raise KeyProblem(f'Pages must have names such as "404" or "500-599", not {name!r}')
        pages.append((range(int(found[1]), int(found[2] or found[1]) + 1), inner.text(name, "").encode()))
    if not pages:
        raise KeyProblem('Pages is missing; give an object such as {"500-599": "<h1>Sorry</h1>"}')
    kind = spec.text("ContentType", "text/html; charset=utf-8")
    # The narrowest fits first: "404" goes before "400-499".
    pages.sort(key=lambda page: len(page[0]))
    return ErrorPages(tuple(pages), content_type=spec.field_value("ContentType", kind))
