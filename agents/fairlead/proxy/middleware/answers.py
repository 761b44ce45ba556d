"""``respond`` and ``errorpages``: answers that no server gives.

    respond     {"StatusCode": 503, "Body": "Back at noon.", "ContentType": "text/plain", "Headers": {"Retry-After": "600"}}
    errorpages  {"Pages": {"404": "<h1>Not here</h1>", "500-599": "<h1>Sorry</h1>"}, "ContentType": "text/html"}

``errorpages`` replaces the body of answers with these statuses, the proxy's own among them; the status stays.
``{status}`` in a page becomes the number.  With ``From`` the pages are another server's; see ``fetchedpages``.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

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


class Page(NamedTuple):
    """What is shown, and what it is."""

    body: bytes
    content_type: bytes


class ErrorPages(Middleware):
    """Puts a page in the place of an error's body."""

    def __init__(self, pages: tuple[tuple[range, Page], ...]) -> None:
        self._pages = pages

    def on_response(self, call: Call, response: "Response") -> None:
        """Note which page fits, and that the fields of the old body are gone."""
        page = self.page_for(response.status)
        if page is not None and call.request.method != b"HEAD":
            call.notes[self] = page.body
            kept = [field for field in response.fields if field[0].lower() not in _OF_THE_OLD_BODY]
            response.fields = [*kept, (b"Content-Type", page.content_type)]

    def response_filter(self, call: Call, response: "Response") -> BodyFilter | None:
        """Return what swallows the old body."""
        page = call.notes.pop(self, None)
        return InPlace(page) if isinstance(page, bytes) else None

    def page_for(self, status: int) -> Page | None:
        """Return what is shown for ``status``; None: what there is."""
        for statuses, page in self._pages:
            if status in statuses:
                return page._replace(body=page.body.replace(b"{status}", b"%d" % status))
        return None


class InPlace:
    """A body instead of another."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def feed(self, piece: bytes) -> bytes:
        """Drop ``piece``."""
        return b""

    def end(self) -> bytes:
        """Return the page."""
        return self._body


def statuses_in(name: str, text: str) -> range:
    """Return the statuses that ``404`` or ``500-599`` stands for.

    Raises:
        KeyProblem: it is neither; ``name`` is the field's.
    """
    found = _STATUSES.fullmatch(text)
    if found is None:
        raise KeyProblem(f'{name} must have names such as "404" or "500-599", not {text!r}')
    return range(int(found[1]), int(found[2] or found[1]) + 1)


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
    kind = spec.field_value("ContentType", spec.text("ContentType", "text/html; charset=utf-8"))
    pages = [(statuses_in("Pages", name), Page(inner.text(name, "").encode(), kind)) for name in inner.values]
    if not pages:
        raise KeyProblem('Pages is missing; give an object such as {"500-599": "<h1>Sorry</h1>"}')
    # The narrowest fits first: "404" goes before "400-499".
    pages.sort(key=lambda page: len(page[0]))
    return ErrorPages(tuple(pages))
