"""``forwardauth``: another server decides who may pass.

    {"Address": "http://10.0.0.1:4181/check", "AuthRequestHeaders": ["Cookie"], "AuthResponseHeaders": ["X-User"],
     "AuthResponseHeadersRegexp": "^X-Auth-", "AddAuthCookiesToResponse": ["session"], "TrustForwardHeader": false, "PreserveRequestMethod": false,
     "Timeout": 5000000000}

It is asked with GET, or the request's own method, the request's header fields (those of ``AuthRequestHeaders`` alone, if given) and
X-Forwarded-Method, -Proto, -Host, -Uri and -For; ``TrustForwardHeader`` lets the client's own stand.  2xx lets the
request pass, with the answer's fields that ``AuthResponseHeaders`` names or the expression finds, and without what
the client had put there.  Cookies that it sets and ``AddAuthCookiesToResponse`` names go to the client, in place of the
server's own.  Any other answer is the client's.  When it cannot be asked, nobody passes: 503.  Source:
Traefik's ForwardAuth.
"""

import re
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairlead.proxy.headers import FORWARDED_FIELDS, REQUEST_FIELDS, RESPONSE_FIELDS, Fields
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.pattern import compile_regexp

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_OWN = REQUEST_FIELDS | FORWARDED_FIELDS
_LEFT_OUT = frozenset({b"content-type", b"content-encoding", b"accept-encoding", b"range", b"if-range"})


class ForwardAuth(Middleware):
    """The gate of one frontend."""

    def __init__(
        self,
        address: str,
        *,
        tools: Tools,
        timeout_s: float,
        asked: frozenset[bytes],
        taken: frozenset[bytes],
        taken_regexp: re.Pattern[bytes] | None = None,
        trusts_client: bool = False,
        keeps_method: bool = False,
    ) -> None:
        self._address = address
        self._taken_regexp = taken_regexp
        self._trusts_client = trusts_client
        self._keeps_method = keeps_method
        self._tools = tools
        self._timeout_s = timeout_s
        self._asked = asked
        self._taken = taken

    def on_request(self, call: Call) -> Coroutine[Any, Any, Answer | None]:
        """Ask."""
        return self._ask(call)

    async def _ask(self, call: Call) -> Answer | None:
        try:
            status, fields, body = await self._tools.web.ask(
                call.request.method.decode() if self._keeps_method else "GET",
                self._address,
                fields=self._question(call),
                timeout_s=self._timeout_s,
            )
        except OSError:
            fields = [(b"Retry-After", b"1")]
            return Answer(503, b'{"error":"who may pass cannot be asked"}', fields=fields, flag="FA")
        if not 200 <= status < 300:
            kept = [field for field in fields if field[0].lower() not in RESPONSE_FIELDS]
            return Answer(status, body, fields=kept, flag="FA")
        if self._taken or self._taken_regexp is not None:
            request = call.edit()
            request.passed = [field for field in request.fields if not self._takes(field[0])]
            request.fields.extend([field for field in fields if self._takes(field[0])])
        self.note(call, fields)
        return None

    def note(self, call: Call, fields: Fields) -> None:
        """Take what it has said of a request that passes."""

    def _takes(self, name: bytes) -> bool:
        if name.lower() in self._taken:
            return True
        regexp = self._taken_regexp
        # What the proxy itself writes cannot be named either.
        return regexp is not None and name.lower() not in _OWN and regexp.search(name) is not None

    def _question(self, call: Call) -> Fields:
        request = call.request
        fields = [
            field
            for field in request.fields
            if (name := field[0].lower()) not in _LEFT_OUT
            and not name.startswith(b"x-forwarded-")
            and (not self._asked or name in self._asked)
        ]
        told = [
            (b"X-Forwarded-Method", request.method),
            (b"X-Forwarded-Proto", call.plan.scheme),
            (b"X-Forwarded-Host", request.host_field),
            (b"X-Forwarded-Uri", request.target),
            (b"X-Forwarded-For", call.plan.peer),
        ]
        if not self._trusts_client:
            return [*fields, *told]
        came = [*request.forwarded, *(f for f in request.fields if f[0].lower().startswith(b"x-forwarded-"))]
        said = {name.lower(): value for name, value in reversed(came)}
        return [*fields, *((name, said.get(name.lower(), value)) for name, value in told)]


class ForwardAuthWithCookies(ForwardAuth):
    """One that may renew its own cookies."""

    def __init__(self, address: str, *, cookies: frozenset[bytes], **options: Any) -> None:
        super().__init__(address, **options)
        self._cookies = cookies

    def note(self, call: Call, fields: Fields) -> None:
        """Keep the cookies."""
        call.notes[self] = [field for field in fields if self._is_its_own(field)]

    def on_response(self, call: Call, response: "Response") -> None:
        """Set them."""
        cookies = call.notes.get(self)
        if isinstance(cookies, list) and cookies:
            response.fields = [field for field in response.fields if not self._is_its_own(field)] + cookies

    def _is_its_own(self, field: tuple[bytes, bytes]) -> bool:
        return field[0].lower() == b"set-cookie" and field[1].partition(b"=")[0].strip() in self._cookies


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> ForwardAuth:  # noqa: ARG001
    """Read the JSON above."""
    address = spec.required_text("Address")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not address.isascii() or " " in address:
        raise spec.problem("Address", f'must look like "http://10.0.0.1:4181/check", not {address!r}')
    regexp = spec.text("AuthResponseHeadersRegexp")
    cookies = frozenset(each.encode() for each in spec.texts("AddAuthCookiesToResponse"))
    make_gate = partial(ForwardAuthWithCookies, cookies=cookies) if cookies else ForwardAuth
    return make_gate(
        address,
        tools=tools,
        timeout_s=spec.long_s("Timeout", 5.0),
        asked=frozenset(each.lower() for each in spec.field_names("AuthRequestHeaders")),
        taken=frozenset(each.lower() for each in spec.request_field_names("AuthResponseHeaders")),
        # Names of fields have no case; Go writes them with capitals, and expressions are written for that.
        taken_regexp=compile_regexp(regexp, ignore_case=True) if regexp else None,
        trusts_client=spec.flag("TrustForwardHeader"),
        keeps_method=spec.flag("PreserveRequestMethod"),
    )
