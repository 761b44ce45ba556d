"""``stripprefix``, ``addprefix`` and ``redirect``: the simple changes of a URL.

stripprefix  {"Prefixes": ["/api"]}     whole segments; the server is told in X-Forwarded-Prefix
addprefix    {"Prefix": "/v2"}
redirect     {"Scheme": "https", "Host": "www.example", "Port": 443, "Permanent": true}
{"Regexp": "^http://(.*)", "Replacement": "https://$1", "Permanent": false}
"""

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.limits import URL_BYTES_SEARCHED_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.rewrite import Replacement, encoded, redirect_to
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.template import url_of
from fairlead.proxy.pattern import compile_regexp

_PREFIX_FIELD = b"X-Forwarded-Prefix"
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}


class StripPrefix(Middleware):
    """Takes the first prefix off that fits."""

    def __init__(self, prefixes: tuple[bytes, ...]) -> None:
        self._prefixes = prefixes

    def on_request(self, call: Call) -> None:
        """Shorten the path; ``/apis`` does not begin with ``/api``."""
        path = call.request.path
        prefix = next((each for each in self._prefixes if path == each or path.startswith(each + b"/")), b"")
        if not prefix and not call.header(_PREFIX_FIELD.lower()):
            return
        request = call.edit()
        # What a client says of prefixes is not true, whether there was one or not.
        request.passed = [field for field in request.fields if field[0].lower() != _PREFIX_FIELD.lower()]
        if prefix:
            rest = request.target[len(prefix) :]
            request.target = rest if rest.startswith(b"/") else b"/" + rest
            request.path = request.target.partition(b"?")[0]
            request.passed.append((_PREFIX_FIELD, prefix))


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
        scheme = self._scheme or call.plan.scheme
        request = call.request
        host = self._host or request.host
        port = self._port
        if port and port != _DEFAULT_PORTS.get(scheme):
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
    prefixes = tuple(_read_prefix(each) for each in spec.texts("Prefixes"))
    if not prefixes:
        raise KeyProblem('Prefixes is missing; give a list such as ["/api"]')
    return StripPrefix(prefixes)


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
    if scheme not in {"", "http", "https"}:
        raise spec.problem("Scheme", f'must be "http" or "https", not {scheme!r}')
    return RedirectParts(
        scheme=scheme.encode(),
        host=encoded(host.encode()),
        port=str(port or "").encode(),
        is_permanent=is_permanent,
    )


def _read_prefix(text: str) -> bytes:
    prefix = text.rstrip("/").encode()
    if not prefix.startswith(b"/") or encoded(prefix) != prefix or b"?" in prefix:
        raise KeyProblem(f'a prefix looks like "/api", not {text!r}')
    return prefix
