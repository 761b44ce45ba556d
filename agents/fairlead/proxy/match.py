"""From a route expression to conditions that a request meets or not.

An expression becomes a list of conjunctions (``||`` is multiplied out, ``!`` goes down to the matchers), each
a list of conditions.  A condition is an index key, and then the router can look it up, or it is a test over
one field of the request.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

from fairlead.proxy.config import ALTERNATIVES_MAX, CACHED_MAX, QUERY_FIELDS_MAX, REGEXP_SUBJECT_BYTES_MAX
from fairlead.proxy.errors import ExpressionError, KeyProblem
from fairlead.proxy.expression import Both, Call, Either, Expression, Not
from fairlead.proxy.pattern import compile_pattern, compile_regexp, is_literal, literal_prefix

_SEPARATORS = {"Host": ".", "Path": "/", "Method": " ", "Header": "/"}
# What is decoded where a rule of Traefik's looks at a path: all but RFC 3986's reserved characters and the sign itself.
_ENCODED = re.compile(rb"%(?!2[1346-9A-Ca-c]|25|2[Ff]|3[AaBbDdFf]|40|5[BbDd])[0-9A-Fa-f]{2}")
_ONE_MORE_LABEL = re.compile(r"(?:\*|<(?:string:)?[^>:]+>)\.([^<>*]+)")


class Routable(Protocol):
    """What routing looks at.

    Attributes:
        host: lower-case, without port.
        path: raw and without query.
        target: path and query as they came.
        peer: the client's address as text.
        entrypoint: the id of the listener that it came to.
        is_secure: it came over TLS.
    """

    method: bytes
    host: bytes
    path: bytes
    target: bytes
    peer: bytes
    entrypoint: str
    is_secure: bool

    def header(self, name: bytes) -> bytes:
        """Return the first value of the field called ``name`` (lower-case), or ``b""``."""

    def header_values(self, name: bytes) -> list[bytes]:
        """Return every value of the field called ``name`` (lower-case)."""


Test = Callable[[Routable], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One matcher, compiled.

    Attributes:
        field: ``Host``, ``Path``, ``Method``, ``Header``, ``Query`` or ``ClientIP``.
        literal: the one value that meets it, or None when only ``test`` knows.
        pattern: a path with placeholders, or None.
        prefix: what a path must begin with, or None.
        domain: the host is this with one more label before it; or None.
        is_partial: being filed under ``prefix`` or ``domain`` is not enough; ``test`` decides.
        is_decoded: it looks at ``decoded`` of a path.
    """

    field: str
    test: Test
    literal: bytes | None = None
    pattern: str | None = None
    prefix: bytes | None = None
    domain: bytes | None = None
    is_partial: bool = False
    is_decoded: bool = False


Conjunction = tuple[Condition, ...]


def meets(conjunctions: tuple[Conjunction, ...], request: Routable) -> bool:
    """Whether ``request`` meets one of ``conjunctions``."""
    return any(all(each.test(request) for each in conjunction) for conjunction in conjunctions)


def decoded(path: bytes) -> bytes:
    """Return what rules of Traefik's match of a path, as Traefik does.

    ``/%61dmin`` is ``/admin`` there, or a rule that guards it would be passed by; ``%2F`` stays what it is.
    """
    return _ENCODED.sub(_decode, path) if b"%" in path else path


def _decode(found: re.Match[bytes]) -> bytes:
    return unquote_to_bytes(found[0])


@lru_cache(CACHED_MAX)
def compile_expression(expression: Expression) -> tuple[Conjunction, ...]:
    """Return the conjunctions, one of which a request must meet.

    Raises:
        ExpressionError: a pattern or regular expression in it is wrong, or it multiplies out to too many.
    """
    match expression:
        case Call():
            return ((_condition(expression),),)
        case Not(term):
            return _compile_not(term)
        case Either(terms):
            return _bounded([way for term in terms for way in compile_expression(term)])
        case Both(terms):
            ways: tuple[Conjunction, ...] = ((),)
            for term in terms:
                more = compile_expression(term)
                _check_count(len(ways) * len(more))
                ways = tuple(left + right for left, right in product(ways, more))
            return ways


def _compile_not(term: Expression) -> tuple[Conjunction, ...]:
    """Negate by De Morgan's rules, down to single matchers."""
    match term:
        case Not(inside):
            return compile_expression(inside)
        case Either(terms):
            return compile_expression(Both(tuple(Not(each) for each in terms)))
        case Both(terms):
            return compile_expression(Either(tuple(Not(each) for each in terms)))
        case Call():
            met = _condition(term)
            test = met.test
            return ((Condition(met.field, lambda request: not test(request)),),)


def _bounded(ways: list[Conjunction]) -> tuple[Conjunction, ...]:
    _check_count(len(ways))
    return tuple(ways)


def _check_count(count: int) -> None:
    if count > ALTERNATIVES_MAX:
        raise ExpressionError(
            f"stands for more than {ALTERNATIVES_MAX} alternatives; use several frontends", position=0
        )


def _condition(call: Call) -> Condition:
    try:
        return _make(call)
    except KeyProblem as problem:
        raise ExpressionError(str(problem), position=call.position) from problem


def _make(call: Call) -> Condition:
    if not all(call.arguments):
        raise KeyProblem(f"{call.name} of nothing: a string is empty")
    return _MAKERS.get(call.name, _make_pattern)(call)


def _make_pattern(call: Call) -> Condition:
    """Make Host, Path, Method or Header: text, in vulcand's language with placeholders."""
    field, text, value_of = call.name, call.arguments[-1], _VALUES.get(call.name)
    if field == "Host":
        text = text.lower().rstrip(".")
    if call.is_plain:
        text = _check_plain(call, text)
        if field == "Header":
            return _make_plain_header(call)
    elif field == "Header":
        value_of = _header(call)
    assert value_of is not None
    if field == "Host" and (more := _ONE_MORE_LABEL.fullmatch(text)) and (text[0] == "*") == call.is_plain:
        return _make_domain(more[1], may_be_empty=text[0] == "<")
    if call.is_plain or is_literal(text):
        wanted = text.encode()
        is_decoded = call.is_plain and field == "Path"
        if is_decoded:
            value_of = _decoded_path
        return Condition(
            field, lambda request: value_of(request) == wanted, literal=wanted, is_decoded=is_decoded
        )
    pattern = compile_pattern(text, separator=_SEPARATORS[field])
    return Condition(field, lambda request: pattern.fullmatch(value_of(request)) is not None, pattern=text)


def _check_plain(call: Call, text: str) -> str:
    if call.name.startswith("Host") and (not text.isascii() or "/" in text):
        raise KeyProblem(f"{text!r} is not a host name")
    if call.name == "Path" and not text.startswith("/"):
        raise KeyProblem(f"the path {text!r} does not begin with a slash")
    return text.upper() if call.name == "Method" else text


def _make_domain(rest: str, *, may_be_empty: bool) -> Condition:
    domain = rest.encode()

    def test(request: Routable) -> bool:
        label, dot, host = request.host.partition(b".")
        return bool(dot) and host == domain and (may_be_empty or bool(label))

    return Condition("Host", test, domain=domain, is_partial=True)


def _make_prefix(call: Call) -> Condition:
    text = call.arguments[0]
    if not text.startswith("/"):
        raise KeyProblem(f"the path {text!r} does not begin with a slash")
    prefix = text.encode()
    value_of = _decoded_path if call.is_plain else _VALUES["Path"]
    return Condition(
        "Path", lambda request: value_of(request).startswith(prefix), prefix=prefix, is_decoded=call.is_plain
    )


def _make_regexp(call: Call) -> Condition:
    field = call.name.removesuffix("Regexp")
    if field == "Query" and len(call.arguments) == 1:
        return _make_query(call)
    if call.is_plain and field == "Host":
        _check_plain(call, call.arguments[0])
    # Routing sees hosts in lower case; vulcand's regular expressions may be written in any.
    regexp = compile_regexp(call.arguments[-1], ignore_case=field == "Host" and not call.is_plain)
    if field == "Query":
        name = call.arguments[0]
        return Condition(field, lambda request: any(_finds(regexp, each) for each in _query(request, name)))
    if field == "Header" and call.is_plain:
        header = call.arguments[0].lower().encode()
        return Condition(
            field, lambda request: any(_finds(regexp, each) for each in request.header_values(header))
        )
    value_of = _header(call) if field == "Header" else _VALUES[field]
    prefix = literal_prefix(call.arguments[0]).encode() if field == "Path" else b""
    is_decoded = call.is_plain and field == "Path"
    if is_decoded:
        value_of = _decoded_path
    return Condition(
        field,
        lambda request: _finds(regexp, value_of(request)),
        prefix=prefix or None,
        is_partial=True,
        is_decoded=is_decoded,
    )


def _finds(regexp: re.Pattern[bytes], value: bytes) -> bool:
    return len(value) <= REGEXP_SUBJECT_BYTES_MAX and regexp.search(value) is not None


def _make_plain_header(call: Call) -> Condition:
    name, wanted = call.arguments[0].lower().encode(), call.arguments[1].encode()
    return Condition("Header", lambda request: wanted in request.header_values(name))


def _make_query(call: Call) -> Condition:
    name = call.arguments[0]
    wanted = call.arguments[1].encode() if len(call.arguments) > 1 else b""
    return Condition("Query", lambda request: wanted in _query(request, name))


def _query(request: Routable, name: str) -> list[bytes]:
    """Return the decoded values of one field of the query; none when it is too long to be taken apart."""
    query = request.target.partition(b"?")[2]
    try:
        fields = parse_qsl(
            query.decode("latin-1"),
            keep_blank_values=True,
            encoding="latin-1",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except ValueError:
        return []
    wanted = name.encode().decode("latin-1")
    return [value.encode("latin-1") for each, value in fields if each == wanted]


def _make_client(call: Call) -> Condition:
    try:
        network = ipaddress.ip_network(call.arguments[0], strict=False)
    except ValueError as error:
        raise KeyProblem(f"{call.arguments[0]!r} is neither an address nor a network") from error

    def test(request: Routable) -> bool:
        address = _address(request.peer)
        return address is not None and address in network

    return Condition("ClientIP", test)


@lru_cache(CACHED_MAX)
def _address(peer: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(peer.decode("latin-1").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


_MAKERS: dict[str, Callable[[Call], Condition]] = {
    "PathPrefix": _make_prefix,
    "HostRegexp": _make_regexp,
    "PathRegexp": _make_regexp,
    "MethodRegexp": _make_regexp,
    "HeaderRegexp": _make_regexp,
    "QueryRegexp": _make_regexp,
    "Query": _make_query,
    "ClientIP": _make_client,
}

_VALUES: dict[str, Callable[[Routable], bytes]] = {
    "Host": lambda request: request.host,
    "Path": lambda request: request.path,
    "Method": lambda request: request.method,
}


def _decoded_path(request: Routable) -> bytes:
    return decoded(request.path)


def _header(call: Call) -> Callable[[Routable], bytes]:
    name = call.arguments[0].lower().encode()
    return lambda request: request.header(name)
