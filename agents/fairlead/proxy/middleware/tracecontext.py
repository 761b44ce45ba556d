"""``tracecontext``: W3C trace context (traceparent, tracestate), passed on or begun here.

    {"InResponse": false}

A valid traceparent goes on with a new parent id, ours, and with its tracestate.  Without a valid one a trace begins
here, sampled, and a tracestate that came alone is dropped.  Source: W3C Trace Context, level 1, sections 3 and 4.
"""

import re
from typing import TYPE_CHECKING

from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

# Later versions may have more behind another dash; version ff is none.
_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?"
)
_NAMES = frozenset({b"traceparent", b"tracestate"})


class TraceContext(Middleware):
    """Names the traces of one frontend's requests."""

    def __init__(self, *, tools: Tools, is_in_response: bool) -> None:
        self._tools = tools
        self._is_in_response = is_in_response

    def on_request(self, call: Call) -> None:
        """Write the fields of the next hop."""
        fresh = self._tools.random_id()
        values = [value for name, value in call.request.fields if name.lower() == b"traceparent"]
        found = _PARENT.fullmatch(values[0]) if len(values) == 1 else None
        if found is not None and found[1] == b"00" and found[4] is not None:
            found = None
        trace_id, flags = (found[2], found[3]) if found is not None else (self._tools.random_id(), b"01")
        request = call.edit()
        dropped = {b"traceparent"} if found is not None else _NAMES
        request.passed = [field for field in request.fields if field[0].lower() not in dropped]
        parent = b"00-%b-%b-%b" % (trace_id, fresh[:16], flags)
        request.passed.append((b"traceparent", parent))
        call.notes[self] = parent
        call.request_id = call.request_id or trace_id

    def on_response(self, call: Call, response: "Response") -> None:
        """Tell the client, if asked to."""
        parent = call.notes.get(self)
        if self._is_in_response and isinstance(parent, bytes):
            response.fields = [field for field in response.fields if field[0].lower() != b"traceresponse"]
            response.fields.append((b"traceresponse", parent))


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> TraceContext:  # noqa: ARG001
    """Read the JSON above."""
    return TraceContext(tools=tools, is_in_response=spec.flag("InResponse"))
