"""Text with Go's actions over a request: ``/u/{{.Request.Header.Get "X-User"}}``, as vulcand's rewrite has it.

Only what can be looked up in a request is an action; there is no logic, and nothing that a client or server
sends is ever read as a template but for bodies that ``RewriteBody`` says are one.  Source: vulcand,
plugin/rewrite; Go, text/template.
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qs

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call

Value = Callable[[Call], bytes]
Part = bytes | Value

ACTION = re.compile(rb"\{\{(- )?\s*(.*?)\s*( -)?\}\}", re.DOTALL)
_GET = re.compile(rb"""\.Request\.(Header\.Get|FormValue|URL\.Query\.Get)\s+["`]([^"`\\]+)["`]""")


def parse_template(text: bytes) -> tuple[Part, ...]:
    """Return literal text and what is looked up between it, in order.

    Raises:
        KeyProblem: an action is not one of those known.
    """
    parts: list[Part] = []
    position = 0
    trim_next = False
    for found in ACTION.finditer(text):
        literal = text[position : found.start()]
        parts.append(_trimmed(literal, left=trim_next, right=found[1] is not None))
        parts.append(read_action(found[2]))
        position, trim_next = found.end(), found[3] is not None
    parts.append(_trimmed(text[position:], left=trim_next, right=False))
    if any(isinstance(part, bytes) and b"{{" in part for part in parts):
        raise KeyProblem("a {{ has no }}")
    return tuple(part for part in parts if part != b"")


def render(parts: tuple[Part, ...], call: Call) -> bytes:
    """Return the text for one request."""
    return b"".join([part if isinstance(part, bytes) else part(call) for part in parts])


def read_action(action: bytes) -> Value:
    """Return what looks up ``action``, the text between the braces.

    Raises:
        KeyProblem: it is not one of those known.
    """
    if (plain := _PLAIN.get(action)) is not None:
        return plain
    found = _GET.fullmatch(action)
    if found is None:
        known = ", ".join(sorted(name.decode() for name in _PLAIN))
        raise KeyProblem(
            f'{{{{{action.decode("utf-8", "replace")}}}}} is not one of {known}, .Request.Header.Get "NAME",'
            ' .Request.URL.Query.Get "NAME"'
        )
    name = found[2]
    if found[1] == b"Header.Get":
        return _header(name)
    return lambda call: _parameter(call, name)


def url_of(call: Call) -> bytes:
    """Return the URL of a request as its client had it."""
    return b"%b://%b%b" % (call.plan.scheme, call.request.host_field, call.request.target)


def _header(name: bytes) -> Value:
    wanted = name.lower()
    if wanted == b"host":
        return lambda call: call.request.host_field
    return lambda call: call.header(wanted)


def _parameter(call: Call, name: bytes) -> bytes:
    try:
        values = parse_qs(_query(call), keep_blank_values=True, max_num_fields=256).get(name, [b""])
    except ValueError:
        return b""
    return values[0]


def _query(call: Call) -> bytes:
    return call.request.target.partition(b"?")[2]


def _trimmed(text: bytes, *, left: bool, right: bool) -> bytes:
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


_PLAIN: dict[bytes, Value] = {
    b".Request.Method": lambda call: call.request.method,
    b".Request.Host": lambda call: call.request.host_field,
    b".Request.RequestURI": lambda call: call.request.target,
    b".Request.RemoteAddr": lambda call: call.plan.peer,
    b".Request.URL.Path": lambda call: call.request.path,
    b".Request.URL.RawQuery": _query,
}
