"""``stripprefix``, ``addprefix``, ``replacepath`` and ``redirect``: the simple changes of a URL.

stripprefix  {"Prefixes": ["/api"]}     whole segments; the server is told in X-Forwarded-Prefix
             {"Prefixes": ["/api"], "WholeSegments": false}     of /apis, too, as Traefik has it
             {"Regexps": ["^/v[0-9]+"]}
addprefix    {"Prefix": "/v2"}
replacepath  {"Path": "/x"}, or {"Regexp": "^/old/(.*)", "Replacement": "/new/$1"}; the server is told in X-Replaced-Path
redirect     {"Scheme": "https", "Host": "www.example", "Port": 443, "Permanent": true}
             {"Regexp": "^http://(.*)", "Replacement": "https://$1", "Permanent": false}
"""

import re
from collections.abc import Callable

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.match import decoded
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.limits import URL_BYTES_SEARCHED_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.rewrite import Replacement, encoded, redirect_to
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.template import url_of
from fairlead.proxy.pattern import compile_regexp

_PREFIX_FIELD = b"X-Forwarded-Prefix"
_REPLACED_FIELD = b"X-Replaced-Path"
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443", b"ws": b"80", b"wss": b"443"}
_DOTS = re.compile(rb"(?:\.|%2[Ee]){1,2}(?=/|$)")

Find = Callable[[bytes], bytes]
"""Returns what is to be taken off the beginning of a path; empty: nothing."""


class StripPrefix(Middleware):
    """Takes off what ``find`` finds."""

    def __init__(self, find: Find) -> None:
        self._find = find

    def on_request(self, call: Call) -> Answer | None:
        """Shorten the path."""
        path = call.request.path
        prefix = self._find(path)
        if not prefix:
            return None
        if _DOTS.match(path, len(prefix)) and not prefix.endswith(b"/"):
            # ``/api../x`` would become ``/../x``, which leads out of what the server is to show.
            return Answer(400, b'{"error":"the path leads elsewhere without its prefix"}', flag="RW")
        request = call.edit()
        rest = request.target[len(prefix) :]
        request.target = rest if rest.startswith(b"/") else b"/" + rest
        request.path = request.target.partition(b"?")[0]
        request.fields.append((_PREFIX_FIELD, prefix))
        return None


def by_segments(prefixes: tuple[bytes, ...]) -> Find:
    """Return what finds the first of ``prefixes`` that fits: ``/apis`` does not begin with ``/api``."""
    return lambda path: next((each for each in prefixes if path == each or path.startswith(each + b"/")), b"")


def by_text(prefixes: tuple[bytes, ...]) -> Find:
    """Return what finds the first of ``prefixes`` that the path, decoded as Traefik does it, begins with."""
    # Each byte of a prefix may be encoded in the path.
    regexps = [re.compile(b"".join(_maybe_encoded(byte) for byte in each)) for each in prefixes]

    def find(path: bytes) -> bytes:
        found = next((match for each in regexps if (match := each.match(path)) is not None), None)
        return b"" if found is None else found[0]

    return find


def by_regexps(regexps: tuple[re.Pattern[bytes], ...]) -> Find:
    """Return what finds the first match at the beginning of a path."""

    def find(path: bytes) -> bytes:
        if len(path) <= URL_BYTES_SEARCHED_MAX:
            for each in regexps:
                found = each.search(path)
                if found is not None and found[0] and path.startswith(found[0]):
                    return found[0]
        return b""

    return find


def _maybe_encoded(byte: int) -> bytes:
    char = bytes([byte])
    plain = re.escape(char)
    return plain if decoded(b"%%%02X" % byte) != char else b"(?:%b|%%(?i:%02x))" % (plain, byte)


class ReplacePath(Middleware):
    """Puts another path in the place of the request's."""

    def __init__(self, path: bytes) -> None:
        self._path = path

    def path_for(self, call: Call) -> bytes | None:
        """Return the path; None: it stays."""
        return self._path

    def on_request(self, call: Call) -> Answer | None:
        """Replace it; ``OPTIONS *`` has none."""
        old = call.request.path
        if not old.startswith(b"/") or (new := self.path_for(call)) is None:
            return None
        if not new.startswith(b"/"):
            return Answer(500, b'{"error":"the replaced path is none"}', flag="RW")
        request = call.edit()
        request.target = encoded(new) + request.target[len(old) :]
        request.path = request.target.partition(b"?")[0]
        told = _REPLACED_FIELD.lower()
        request.passed = [field for field in request.fields if field[0].lower() != told]
        request.passed.append((_REPLACED_FIELD, old))
        return None


class ReplaceByRegexp(ReplacePath):
    """Replaces what an expression finds in the path."""

    def __init__(self, replacement: Replacement) -> None:
        super().__init__(b"")
        self._replacement = replacement

    def path_for(self, call: Call) -> bytes | None:
        """Return the path with what was found replaced."""
        path = call.request.path
        return self._replacement.apply(path, call) if len(path) <= URL_BYTES_SEARCHED_MAX else None


class AddPrefix(Middleware):
    """Puts a prefix before the path."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix

    def on_request(self, call: Call) -> None:
        """Lengthen the path; ``OPTIONS *`` has none."""
        if call.request.path.startswith(b"/"):
            request = call.edit()
            request.target = self._prefix + request.target
            request.path = self._prefix + request.path


class Redirect(Middleware):
    """Sends clients elsewhere; a method other than GET and HEAD is to stay what it is (307, 308)."""

    def __init__(self, *, is_permanent: bool) -> None:
        self._is_permanent = is_permanent

    def elsewhere(self, call: Call) -> bytes | None:
        """Return where to, or None to let the request pass."""
        raise NotImplementedError

    def on_request(self, call: Call) -> Answer | None:
        """Answer, unless the client is where it should be."""
        url = self.elsewhere(call)
        if url is None or url == url_of(call):
            return None
        if call.request.method in {b"GET", b"HEAD"}:
            status = 301 if self._is_permanent else 302
        else:
            status = 308 if self._is_permanent else 307
        return redirect_to(url, status=status, flag="RD")


class RedirectParts(Redirect):
    """Changes scheme, host and port."""

    def __init__(self, *, scheme: bytes, host: bytes, port: bytes, is_permanent: bool) -> None:
        super().__init__(is_permanent=is_permanent)
        self._scheme = scheme
        self._host = host
        self._port = port

    def elsewhere(self, call: Call) -> bytes | None:
        """Return the same path there."""
        here, request = call.plan.scheme, call.request
        scheme = self._scheme or here
        host = self._host or request.host
        default = _DEFAULT_PORTS[scheme]
        port = self._port or default
        is_default_here = request.host_field.endswith(b":" + default)
        if (scheme, host, port) == (here, request.host, default) and is_default_here:
            return None  # The same place, said in another way.
        if port != default:
            host = b"%b:%b" % (host, port)
        return b"%b://%b%b" % (scheme, host, request.target)


class RedirectByRegexp(Redirect):
    """Changes what an expression finds."""

    def __init__(self, replacement: Replacement, *, is_permanent: bool) -> None:
        super().__init__(is_permanent=is_permanent)
        self._replacement = replacement

    def elsewhere(self, call: Call) -> bytes | None:
        """Return the URL with what was found replaced."""
        url = url_of(call)
        return self._replacement.apply(url, call) if len(url) <= URL_BYTES_SEARCHED_MAX else None


def make_strip_prefix(spec: Spec, *, tools: Tools, previous: Middleware | None) -> StripPrefix:  # noqa: ARG001
    """Read the JSON above."""
    if regexps := spec.texts("Regexps"):
        return StripPrefix(by_regexps(tuple(compile_regexp(each) for each in regexps)))
    if not spec.texts("Prefixes"):
        raise KeyProblem('Prefixes is missing; give a list such as ["/api"]')
    if spec.flag("WholeSegments", default=True):
        return StripPrefix(by_segments(tuple(_read_prefix(each) for each in spec.texts("Prefixes"))))
    return StripPrefix(by_text(tuple(_read_path(each) for each in spec.texts("Prefixes"))))


def make_replace_path(spec: Spec, *, tools: Tools, previous: Middleware | None) -> ReplacePath:  # noqa: ARG001
    """Read the JSON above."""
    if "Regexp" in spec:
        regexp = compile_regexp(spec.required_text("Regexp"))
        return ReplaceByRegexp(Replacement(regexp, spec.text("Replacement").encode()))
    return ReplacePath(_read_path(spec.required_text("Path")))


def make_add_prefix(spec: Spec, *, tools: Tools, previous: Middleware | None) -> AddPrefix:  # noqa: ARG001
    """Read the JSON above."""
    return AddPrefix(_read_prefix(spec.required_text("Prefix")))


def make_redirect(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Redirect:  # noqa: ARG001
    """Read the JSON above."""
    is_permanent = spec.flag("Permanent")
    if "Regexp" in spec:
        replacement = Replacement(
            compile_regexp(spec.required_text("Regexp")), spec.required_text("Replacement").encode()
        )
        return RedirectByRegexp(replacement, is_permanent=is_permanent)
    scheme, host = spec.text("Scheme"), spec.text("Host")
    port = spec.number("Port", 0, low=0, high=65535)
    if not (scheme or host or port):
        raise KeyProblem("one of Scheme, Host, Port and Regexp must say where to")
    if scheme and scheme.encode() not in _DEFAULT_PORTS:
        raise spec.problem("Scheme", f'must be "http", "https", "ws" or "wss", not {scheme!r}')
    return RedirectParts(
        scheme=scheme.encode(),
        host=encoded(host.encode()),
        port=str(port or "").encode(),
        is_permanent=is_permanent,
    )


def _read_prefix(text: str) -> bytes:
    return _read_path(text.rstrip("/"), what="prefix")


def _read_path(text: str, *, what: str = "path") -> bytes:
    path = text.encode()
    if not path.startswith(b"/") or encoded(path) != path or b"?" in path:
        raise KeyProblem(f'a {what} looks like "/api", not {text!r}')
    return path
