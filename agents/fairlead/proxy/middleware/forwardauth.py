"""``forwardauth``: another server decides who may pass.

    {"Address": "http://10.0.0.1:4181/check", "AuthRequestHeaders": ["Cookie"], "AuthResponseHeaders": ["X-User"],
     "Timeout": 5000000000}

It is asked with GET, the request's header fields (those of ``AuthRequestHeaders`` alone, if given) and
X-Forwarded-Method, -Proto, -Host, -Uri and -For.  2xx lets the request pass, with the answer's fields that
``AuthResponseHeaders`` names, and without what the client had put there.  Any other answer is the client's.  When
it cannot be asked, nobody passes: 503.  Source: Traefik's ForwardAuth.
"""

from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

from fairlead.proxy.headers import RESPONSE_FIELDS, Fields
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

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
    ) -> None:
        self._address = address
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
                "GET", self._address, fields=self._question(call), timeout_s=self._timeout_s
            )
        except OSError:
            fields = [(b"Retry-After", b"1")]
            return Answer(503, b'{"error":"who may pass cannot be asked"}', fields=fields, flag="FA")
        if not 200 <= status < 300:
            kept = [field for field in fields if field[0].lower() not in RESPONSE_FIELDS]
            return Answer(status, body, fields=kept, flag="FA")
        if self._taken:
            request = call.edit()
            request.passed = [field for field in request.fields if field[0].lower() not in self._taken]
            request.fields.extend([field for field in fields if field[0].lower() in self._taken])
        return None

    def _question(self, call: Call) -> Fields:
        request = call.request
        fields = [
            field
            for field in request.fields
            if (name := field[0].lower()) not in _LEFT_OUT
            and not name.startswith(b"x-forwarded-")
            and (not self._asked or name in self._asked)
        ]
        return [
            *fields,
            (b"X-Forwarded-Method", request.method),
            (b"X-Forwarded-Proto", call.plan.scheme),
            (b"X-Forwarded-Host", request.host_field),
            (b"X-Forwarded-Uri", request.target),
            (b"X-Forwarded-For", call.plan.peer),
        ]


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> ForwardAuth:  # noqa: ARG001
    """Read the JSON above."""
    address = spec.required_text("Address")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not address.isascii() or " " in address:
        raise spec.problem("Address", f'must look like "http://10.0.0.1:4181/check", not {address!r}')
    return ForwardAuth(
        address,
        tools=tools,
        timeout_s=spec.long_s("Timeout", 5.0),
        asked=frozenset(each.lower() for each in spec.field_names("AuthRequestHeaders")),
        taken=frozenset(each.lower() for each in spec.request_field_names("AuthResponseHeaders")),
    )
