r"""``headers``: set, add and remove header fields, on the way to the server and on the way back.

    {"Request":  {"Set": {"X-Env": "prod"}, "Add": {"X-User": "{{.Request.Header.Get \"X-Id\"}}"},
                  "Remove": ["Cookie"]},
     "Response": {"Set": {"Strict-Transport-Security": "max-age=63072000"}, "Remove": ["Server"]}}

Values are templates (see ``template``).  Remove comes first, then Set, then Add.  ``Host`` may be set in requests; the
server gets it if its frontend has ``PassHostHeader``.  X-Forwarded-* that is set stands in place of the proxy's own.
With ``"Scheme": "https"`` only requests that came so are edited.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead.proxy.headers import REQUEST_FIELDS, RESPONSE_FIELDS, Fields
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.template import Part, parse_template, render
from fairlead.proxy.request import HOST

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_HOPS = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})
_Lines = tuple[tuple[bytes, tuple[Part, ...]], ...]


@dataclass(frozen=True, slots=True)
class Edits:
    """What is to be done with the fields of one direction."""

    gone: frozenset[bytes]
    added: _Lines

    def __bool__(self) -> bool:
        return bool(self.gone or self.added)

    def apply(self, fields: Fields, call: Call) -> Fields:
        """Return the fields as they are to be."""
        kept = [field for field in fields if field[0].lower() not in self.gone] if self.gone else list(fields)
        kept += [(name, render(parts, call)) for name, parts in self.added]
        return kept


class RequestHeaders(Middleware):
    """Edits of the request alone."""

    def __init__(self, request: Edits, response: Edits, *, host: bytes = b"", scheme: bytes = b"") -> None:
        self._request = request
        self._response = response
        self._host = host
        self._scheme = scheme

    def on_request(self, call: Call) -> None:
        """Edit the request's fields."""
        if (self._request or self._host) and self._scheme in (b"", call.plan.scheme):
            request = call.edit()
            request.host_field = self._host or request.host_field
            request.passed = self._request.apply(request.fields, call)


class BothHeaders(RequestHeaders):
    """Edits of the answer too."""

    def on_response(self, call: Call, response: "Response") -> None:
        """Edit the answer's fields."""
        if self._scheme in (b"", call.plan.scheme):
            response.fields = self._response.apply(response.fields, call)


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> RequestHeaders:  # noqa: ARG001
    """Read the JSON above."""
    hosts = [value for name, value in spec.spec("Request").header_fields("Set") if name.lower() == b"host"]
    for host in hosts:
        if HOST.fullmatch(host) is None:
            raise spec.problem("Request.Set", 'must have a Host such as "www.example:8080"')
    request = _read_edits(spec, "Request", own=REQUEST_FIELDS | _HOPS)
    response = _read_edits(spec, "Response", own=RESPONSE_FIELDS)
    host = hosts[-1] if hosts else b""
    scheme = spec.choice("Scheme", ("", "http", "https"), "").encode()
    return (BothHeaders if response else RequestHeaders)(request, response, host=host, scheme=scheme)


def _read_edits(spec: Spec, name: str, *, own: frozenset[bytes]) -> Edits:
    inner = spec.spec(name)
    to_set, to_add, gone = inner.header_fields("Set"), inner.header_fields("Add"), inner.field_names("Remove")
    if name == "Request":
        to_set = [(field, value) for field, value in to_set if field.lower() != b"host"]
    for field in (*(each for each, _ in to_set + to_add), *gone):
        if field.lower() in own:
            raise spec.problem(name, f"names {field.decode()}, which the proxy itself writes")
    return Edits(
        frozenset(field.lower() for field in (*gone, *(each for each, _ in to_set))),
        tuple((field, parse_template(value)) for field, value in to_set + to_add),
    )
