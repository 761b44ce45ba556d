"""``requestid``: a name for each request, for the server, the client and the access log.

    {"Header": "X-Request-Id", "Trust": false, "InResponse": true}

With ``Trust`` a name that the client brings stays, if it is a plain one.
"""

import re
from typing import TYPE_CHECKING

from fairlead.proxy.middleware.chain import Call, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_PLAIN = re.compile(rb"[0-9A-Za-z._:/+=-]{1,128}")


class RequestId(Middleware):
    """Names the requests of one frontend."""

    def __init__(self, field: bytes, *, tools: Tools, is_trusting: bool, is_in_response: bool) -> None:
        self._field = field
        self._lower = field.lower()
        self._tools = tools
        self._is_trusting = is_trusting
        self._is_in_response = is_in_response

    def on_request(self, call: Call) -> None:
        """Put the name into the request."""
        name = call.header(self._lower) if self._is_trusting else b""
        if _PLAIN.fullmatch(name) is None:
            name = self._tools.random_id()
        request = call.edit()
        request.passed = [field for field in request.fields if field[0].lower() != self._lower]
        request.fields.append((self._field, name))
        call.notes[self] = call.request_id = name

    def on_response(self, call: Call, response: "Response") -> None:
        """Put it into the answer."""
        name = call.notes.get(self)
        if self._is_in_response and isinstance(name, bytes):
            response.fields = [field for field in response.fields if field[0].lower() != self._lower]
            response.fields.append((self._field, name))


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> RequestId:  # noqa: ARG001
    """Read the JSON above."""
    return RequestId(
        spec.field_name("Header", spec.text("Header", "X-Request-Id")),
        tools=tools,
        is_trusting=spec.flag("Trust"),
        is_in_response=spec.flag("InResponse", default=True),
    )
