"""Rules of connections that are not HTTP: what is known of them before anybody has answered.

They are Traefik's, with ``&&``, ``||``, ``!`` and parentheses: ``HostSNI`` (``*``: every client; ``*.example``: one more
label), ``HostSNIRegexp`` (searched for), ``ClientIP`` (an address or a network), ``ALPN``.  Of several values in one
matcher any may match, as in version 2.  Sans-IO.  Source: traefik, pkg/muxer/tcp/matcher.go.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from fairlead.agent import Networks
from fairlead.proxy.config import REGEXP_SUBJECT_BYTES_MAX
from fairlead.proxy.errors import ExpressionError, KeyProblem
from fairlead.proxy.grammar import Called, Compared, Joined, Literal, Negated, Node, Vocabulary, parse
from fairlead.proxy.pattern import compile_regexp

EVERY_NAME = "*"
_NAME = re.compile(r"(?:\*\.)?[0-9A-Za-z_.:-]+|\*")
_CHALLENGE = "acme-tls/1"
_TLS_ONLY = frozenset({"HostSNIRegexp", "ALPN"})
_WORDS = Vocabulary(
    what="rule",
    names={name.lower(): name for name in ("HostSNI", "HostSNIRegexp", "ClientIP", "ALPN")},
    example="a matcher such as HostSNI(...)",
    literal="a string",
    arguments_min=1,
    folds_case=True,
)


class Caller(NamedTuple):
    """A connection as it comes.

    Attributes:
        address: the client's; the one that a PROXY header names, if there was one.
        is_tls: it begins with a ClientHello; name: the one that it asks for, lower-case, or empty.
        protocols: that it offers (RFC 7301).
    """

    address: str
    is_tls: bool = False
    name: str = ""
    protocols: tuple[str, ...] = ()


Test = Callable[[Caller], bool]


def parse_tcp_rule(text: str) -> Node:
    """Read a rule.

    Raises:
        ExpressionError: it cannot be read, or a value in it is not what it should be; says where.
    """
    rule = parse(text, _WORDS)
    compile_tcp_rule(rule)
    return rule


def names_in(rule: Node) -> tuple[str, ...]:
    """Return the names, one of which is all that a rule wants; empty when it wants anything else."""
    match rule:
        case Called("HostSNI", arguments):
            return tuple(_name(str(each)) for each in arguments)
        case Joined("||", terms):
            found = [names_in(term) for term in terms]
            return tuple(name for names in found for name in names) if all(found) else ()
        case _:
            return ()


def needs_tls(rule: Node) -> bool:
    """Whether a rule asks what only TLS clients say."""
    match rule:
        case Called(name, arguments):
            return name in _TLS_ONLY or (name == "HostSNI" and arguments != (EVERY_NAME,))
        case Negated(term):
            return needs_tls(term)
        case Joined(_, terms):
            return any(map(needs_tls, terms))
        case Literal() | Compared():
            raise AssertionError(rule)  # The vocabulary has none.


def compile_tcp_rule(rule: Node) -> Test:
    """Return what tells whether a connection meets a rule.

    Raises:
        ExpressionError: a value in it is not what it should be.
    """
    match rule:
        case Called(name, arguments, position):
            try:
                return _MAKERS[name](tuple(map(str, arguments)))
            except (KeyProblem, ValueError) as error:
                raise ExpressionError(f"{name}: {error}", position=position, what="rule") from error
        case Negated(term):
            unwanted = compile_tcp_rule(term)
            return lambda caller: not unwanted(caller)
        case Joined(sign, terms):
            tests = [compile_tcp_rule(term) for term in terms]
            holds = all if sign == "&&" else any
            return lambda caller: holds(test(caller) for test in tests)
        case Literal() | Compared():
            raise AssertionError(rule)  # The vocabulary has none.


def wildcard_of(name: str) -> str:
    """Return the name that stands for ``name`` and its neighbours: ``*.example`` for ``a.example``."""
    return "*." + name.partition(".")[2]


def _name(text: str) -> str:
    return text.lower().rstrip(".")


def _by_name(arguments: tuple[str, ...]) -> Test:
    for each in arguments:
        if _NAME.fullmatch(each) is None:
            raise KeyProblem(f"{each!r} is no host name; patterns are for HostSNIRegexp")
    names = frozenset(map(_name, arguments))
    if EVERY_NAME in names:
        return lambda _: True
    return lambda caller: bool(caller.name) and (caller.name in names or wildcard_of(caller.name) in names)


def _by_pattern(arguments: tuple[str, ...]) -> Test:
    regexps = [compile_regexp(each) for each in arguments]

    def test(caller: Caller) -> bool:
        name = caller.name.encode("latin-1", "replace")
        return len(name) <= REGEXP_SUBJECT_BYTES_MAX and any(each.search(name) for each in regexps)

    return test


def _by_address(arguments: tuple[str, ...]) -> Test:
    try:
        networks = Networks(arguments)
    except ValueError as error:
        raise KeyProblem(f"{error}; write an address or a network such as 10.0.0.0/8") from error
    return lambda caller: caller.address in networks


def _by_protocol(arguments: tuple[str, ...]) -> Test:
    if _CHALLENGE in arguments:
        raise KeyProblem(f"{_CHALLENGE} is for the authorities that certificates come from")
    wanted = frozenset(arguments)
    return lambda caller: not wanted.isdisjoint(caller.protocols)


_MAKERS: dict[str, Callable[[tuple[str, ...]], Test]] = {
    "HostSNI": _by_name,
    "HostSNIRegexp": _by_pattern,
    "ClientIP": _by_address,
    "ALPN": _by_protocol,
}
