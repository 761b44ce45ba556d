"""``requestid``: a name for each request, for the server, the client and the access log.

    {"Header": "X-Request-Id", "Trust": false, "InResponse": true}

With ``Trust`` a name that the client brings stays, if it is a plain one.
"""

import re
from typing import TYPE_CHECKING

from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_PLAIN = re.compile(rb"[0-9A-Za-z._:/+=-]{1,128}")


class RequestId(Middleware):
    """Names the requests of one frontend."""

    def __init__(self, field: bytes, *, tools: Tools, is_trusting: bool) -> None:
        self._field = field
        self._lower = field.lower()
        self._tools = tools
        self._is_trusting = is_trusting

    def on_request(self, call: Call) -> None:
        """Put the name into the request."""
        brought = call.request.header_values(self._lower)
        if not brought:
            # The common case costs one line, and no copy of the request.
            name = self._tools.random_id()
            call.added += b"%b: %b\r\n" % (self._field, name)
        else:
            name = self._replace(call, brought[0])
        call.request_id = name

    def _replace(self, call: Call, brought: bytes) -> bytes:
        is_kept = self._is_trusting and _PLAIN.fullmatch(brought) is not None
        name = brought if is_kept else self._tools.random_id()
        request = call.edit()
        request.passed = [field for field in request.fields if field[0].lower() != self._lower]
        request.fields.append((self._field, name))
        return name


class ShownRequestId(RequestId):
    """The same, and the client is told."""

    def on_request(self, call: Call) -> None:
        """Put the name into the request, and remember it."""
        super().on_request(call)
        call.notes[self] = call.request_id

    def on_response(self, call: Call, response: "Response") -> None:
        """Put it into the answer."""
        name = call.notes.get(self)
        if isinstance(name, bytes):
            response.fields = [field for field in response.fields if field[0].lower() != self._lower]
            response.fields.append((self._field, name))


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> RequestId:  # noqa: ARG001
    """Read the JSON above."""
    kind = ShownRequestId if spec.flag("InResponse", default=True) else RequestId
    return kind(
        spec.request_field_name("Header", spec.text("Header", "X-Request-Id")),
        tools=tools,
        is_trusting=spec.flag("Trust"),
    )
