r"""``cors``: which pages of other origins may read the answers (the Fetch standard's CORS protocol).

    {"AllowOrigins": ["https://app.example"], "AllowOriginRegexps": ["^https://[a-z]+\\.example$"],
     "AllowMethods": ["GET", "POST"], "AllowHeaders": ["X-Token"], "ExposeHeaders": ["X-Total"],
     "AllowCredentials": false, "MaxAge": 600}

Preflights are answered here, with 204; the server never sees them.  What the server says in these fields is
replaced.  ``"*"`` together with credentials is refused: it would open every session to every page.
"""

import re
from typing import TYPE_CHECKING

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.pattern import compile_regexp

if TYPE_CHECKING:
    from fairlead.proxy.response import Response

_ORIGIN_BYTES_MAX = 256
_METHOD = re.compile(r"[A-Z]{1,20}|\*")


class Cors(Middleware):
    """The policy of one frontend."""

    def __init__(
        self,
        *,
        origins: frozenset[bytes],
        regexps: tuple[re.Pattern[bytes], ...],
        preflight: Fields,
        actual: Fields,
        is_with_credentials: bool,
    ) -> None:
        self._origins = origins
        self._regexps = regexps
        self._preflight = preflight
        self._actual = actual
        self._is_with_credentials = is_with_credentials
        self._is_any = b"*" in origins

    def on_request(self, call: Call) -> Answer | None:
        """Answer a preflight."""
        request = call.request
        if request.method != b"OPTIONS" or not call.header(b"access-control-request-method"):
            return None
        granted = self._granted(call.header(b"origin"))
        fields = granted + self._preflight if granted else []
        vary = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        return Answer(204, b"", fields=[*fields, (b"Vary", vary)], flag="CO")

    def on_response(self, call: Call, response: "Response") -> None:
        """Say who may read the answer."""
        fields = [field for field in response.fields if not field[0].lower().startswith(b"access-control-")]
        if call.request.method == b"OPTIONS" and call.header(b"access-control-request-method"):
            return
        granted = self._granted(call.header(b"origin"))
        if granted:
            fields += granted + self._actual
        if not self._is_any:
            fields.append((b"Vary", b"Origin"))
        response.fields = fields

    def _granted(self, origin: bytes) -> Fields:
        if not origin or len(origin) > _ORIGIN_BYTES_MAX:
            return []
        if self._is_any:
            return [(b"Access-Control-Allow-Origin", b"*")]
        if origin not in self._origins and not any(each.search(origin) for each in self._regexps):
            return []
        fields = [(b"Access-Control-Allow-Origin", origin)]
        if self._is_with_credentials:
            fields.append((b"Access-Control-Allow-Credentials", b"true"))
        return fields


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Cors:  # noqa: ARG001
    """Read the JSON above."""
    origins = frozenset(spec.field_value("AllowOrigins", each) for each in spec.texts("AllowOrigins"))
    regexps = tuple(compile_regexp(each) for each in spec.texts("AllowOriginRegexps"))
    if not origins and not regexps:
        raise KeyProblem('AllowOrigins is missing; give a list such as ["https://app.example"]')
    is_with_credentials = spec.flag("AllowCredentials")
    if is_with_credentials and b"*" in origins:
        raise KeyProblem('AllowOrigins ["*"] with AllowCredentials opens every session to every page')
    methods = spec.texts("AllowMethods") or ("GET", "HEAD", "POST")
    if not all(_METHOD.fullmatch(each) for each in methods):
        raise spec.problem("AllowMethods", 'must be a list such as ["GET", "POST"]')
    preflight: Fields = [(b"Access-Control-Allow-Methods", ",".join(methods).encode())]
    if allowed := spec.field_names("AllowHeaders"):
        preflight.append((b"Access-Control-Allow-Headers", b",".join(allowed)))
    if (max_age := spec.number("MaxAge", 0, low=0)) > 0:
        preflight.append((b"Access-Control-Max-Age", b"%d" % max_age))
    exposed = spec.field_names("ExposeHeaders")
    return Cors(
        origins=origins,
        regexps=regexps,
        preflight=preflight,
        actual=[(b"Access-Control-Expose-Headers", b",".join(exposed))] if exposed else [],
        is_with_credentials=is_with_credentials,
    )
