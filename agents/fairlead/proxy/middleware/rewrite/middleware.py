"""``rewrite``: another URL for the server, or for the client to ask again.

    {"Regexp": "^http://a.example/old/(.*)", "Replacement": "http://a.example/new/$1",
     "RewriteBody": false, "Redirect": false}

The expression is searched for in ``scheme://host/path?query``.  Of the new URL the server gets path and query;
with Redirect the client gets all of it (302).  With RewriteBody the answer's body is a template.  Source:
vulcand, plugin/rewrite.  There a client could put actions into its URL; here only the replacement has any.
"""

from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, BodyFilter, Middleware
from fairlead.proxy.middleware.limits import BODY_TEMPLATE_BYTES_MAX, URL_BYTES_SEARCHED_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.rewrite.replacement import Replacement
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.template import ACTION, read_action, url_of
from fairlead.proxy.pattern import compile_regexp

if TYPE_CHECKING:
    import re

    from fairlead.proxy.response import Response

# What a URL may hold as it stands (RFC 3986, section 2), and the percent sign of what is encoded already.
_KEPT = "!$&'()*+,-./:;=?@_~%[]"


class Rewrite(Middleware):
    """One rewriting of one frontend."""

    def __init__(self, replacement: Replacement, *, is_redirect: bool) -> None:
        self._replacement = replacement
        self._is_redirect = is_redirect

    def on_request(self, call: Call) -> Answer | None:
        """Replace the target, or send the client to another."""
        url = url_of(call)
        if len(url) > URL_BYTES_SEARCHED_MAX:
            # Passing it on unchanged could pass by what the operator wanted to be rewritten.
            return Answer(414, b'{"error":"request target too long"}', flag="RW")
        made = self._replacement.apply(url, call)
        if made is None or made == url:
            return None
        if self._is_redirect:
            return redirect_to(made, status=302, flag="RW")
        target = target_in(made)
        if target is None:
            return Answer(500, b'{"error":"the rewritten URL is none"}', flag="RW")
        request = call.edit()
        request.target = target
        request.path = target.partition(b"?")[0]
        return None


class RewriteBoth(Rewrite):
    """Rewrites the body of the answer too."""

    def response_filter(self, call: Call, response: "Response") -> BodyFilter | None:
        """Take a text; what is compressed is passed on as it is."""
        if response.header(b"content-encoding") not in {b"", b"identity"} or response.status == 206:
            return None
        if (
            self._replacement.regexp.search(url_of(call)[:URL_BYTES_SEARCHED_MAX]) is None
            and not call.is_edited
        ):
            return None
        return BodyTemplate(call)


class BodyTemplate:
    """Reads the whole body as a template; one that is too long passes as it is."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._held: list[bytes] = []
        self._bytes = 0

    def feed(self, piece: bytes) -> bytes:
        """Hold ``piece``."""
        self._bytes += len(piece)
        self._held.append(piece)
        if self._bytes <= BODY_TEMPLATE_BYTES_MAX:
            return b""
        held, self._held = self._held, []
        return b"".join(held)

    def end(self) -> bytes:
        """Return what has become of the body."""
        body = b"".join(self._held)
        if self._bytes > BODY_TEMPLATE_BYTES_MAX:
            return body
        return ACTION.sub(self._looked_up, body)

    def _looked_up(self, found: "re.Match[bytes]") -> bytes:
        try:
            return read_action(found[2])(self._call)
        except KeyProblem:
            return found[0]


def target_in(url: bytes) -> bytes | None:
    """Return path and query of ``url`` as a request line may have them, or None when there are none."""
    _, sign, rest = url.partition(b"://")
    if sign:
        start = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
        rest = rest[start:]
    else:
        rest = url
    rest = rest.partition(b"#")[0]
    if rest.startswith(b"?") or not rest:
        rest = b"/" + rest
    return encoded(rest) if rest.startswith(b"/") else None


def redirect_to(url: bytes, *, status: int, flag: str) -> Answer:
    """Return the answer that sends a client to ``url``; nothing in it can end the line."""
    return Answer(status, b"", fields=[(b"Location", encoded(url, also="#"))], flag=flag)


def encoded(url: bytes, *, also: str = "") -> bytes:
    """Return ``url`` with everything encoded that a URL may not hold."""
    return quote_from_bytes(url, safe=_KEPT + also).encode()


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Rewrite:  # noqa: ARG001
    """Read the JSON above."""
    regexp = compile_regexp(spec.text("Regexp"))
    replacement = Replacement(regexp, spec.text("Replacement").encode())
    kind = RewriteBoth if spec.flag("RewriteBody") else Rewrite
    return kind(replacement, is_redirect=spec.flag("Redirect"))
