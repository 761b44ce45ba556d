r"""Rules of Traefik's version 2, said in version 3.

There a matcher takes several values, any of which may match (all, for headers and queries), and ``{name:regexp}`` in a
path, a host or the value of a query stands for what the expression matches.  Source: traefik, pkg/muxer/http,
matcher_v2.go; gorilla/mux on templates.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from fairlead.proxy.errors import ExpressionError
from fairlead.proxy.grammar import Called, Compared, Joined, Literal, Negated, Node, Vocabulary, parse

_NAMES = (
    "Host", "HostHeader", "HostRegexp", "ClientIP", "Path", "PathPrefix", "Method", "Headers", "HeadersRegexp", "Query",
)  # fmt: skip
_TCP_NAMES = ("HostSNI", "HostSNIRegexp", "ClientIP", "ALPN")
_VERSION_2 = Vocabulary(
    what="rule",
    names={name.lower(): name for name in _NAMES},
    example="a matcher such as Host(...)",
    literal="a string",
    arguments_min=1,
    folds_case=True,
)
_TCP_VERSION_2 = replace(
    _VERSION_2,
    names={name.lower(): name for name in _TCP_NAMES},
    example="a matcher such as HostSNI(...)",
)
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"}


def version_3_of(rule: str) -> str:
    """Return the rule that says in version 3 what ``rule`` says in version 2.

    Raises:
        ExpressionError: it cannot be read.
    """
    return _said(parse(rule, _VERSION_2))


def tcp_version_3_of(rule: str) -> str:
    """Return the rule for TCP that says in version 3 what ``rule`` says in version 2.

    Raises:
        ExpressionError: it cannot be read.
    """
    return _said(parse(rule, _TCP_VERSION_2))


def _said(node: Node) -> str:
    match node:
        case Negated(term):
            return f"!({_said(term)})"
        case Joined(sign, terms):
            return _joined(sign, map(_said, terms))
        case Called():
            try:
                return _MAKERS[node.name](tuple(map(str, node.arguments)))
            except ValueError as error:
                raise ExpressionError(str(error), position=node.position, what="rule") from error
        case Literal() | Compared():
            raise AssertionError(node)  # The vocabulary has none.


def _joined(sign: str, terms: Iterator[str]) -> str:
    first, *others = terms
    return f"({f' {sign} '.join([first, *others])})" if others else first


def _call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(map(_quoted, arguments))})"


def _quoted(text: str) -> str:
    shown = (_ESCAPES.get(each) or (each if each >= " " else f"\\x{ord(each):02x}") for each in text)
    return f'"{"".join(shown)}"'


def _any(name: str) -> Callable[[tuple[str, ...]], str]:
    return lambda values: _joined("||", (_call(name, each) for each in values))


def _paths(name: str, end: str) -> Callable[[tuple[str, ...]], str]:
    def make(values: tuple[str, ...]) -> str:
        return _joined("||", (path(each) for each in values))

    def path(value: str) -> str:
        if "{" not in value and "}" not in value:
            return _call(name, value)
        return _call("PathRegexp", f"^{_expression(value, other='[^/]+')}{end}")

    return make


def _hosts(name: str) -> Callable[[tuple[str, ...]], str]:
    def make(values: tuple[str, ...]) -> str:
        expressions = (f"(?i)^{_expression(each, other='[^.]+')}$" for each in values)
        return _joined("||", (_call(name, each) for each in expressions))

    return make


def _headers(name: str) -> Callable[[tuple[str, ...]], str]:
    def make(values: tuple[str, ...]) -> str:
        if len(values) % 2:
            raise ValueError("headers come in pairs of a name and a value")
        pairs = zip(values[::2], values[1::2], strict=True)
        # Without a value it is enough that the header is there.
        said = (_call(name, key, value) if value else _call("HeaderRegexp", key, "^") for key, value in pairs)
        return _joined("&&", said)

    return make


def _query(values: tuple[str, ...]) -> str:
    return _joined("&&", map(_query_field, values))


def _query_field(field: str) -> str:
    name, sign, value = field.partition("=")
    if not sign or not name:
        raise ValueError(f"a query is written as `name=value`, not {field!r}")
    if not value:
        return _call("QueryRegexp", name, "^")
    if "{" not in value:
        return _call("Query", name, value)
    return _call("QueryRegexp", name, f"^{_expression(value, other='.*')}$")


def _expression(template: str, *, other: str) -> str:
    """Return the regular expression of a template; ``other`` stands for ``{name}``."""
    parts: list[str] = []
    at = 0
    for start, end in _braces(template):
        name, _, pattern = template[start + 1 : end - 1].partition(":")
        if not name:
            raise ValueError(f"{template!r}: a placeholder is written as {{name}} or {{name:regexp}}")
        parts += (re.escape(template[at:start]), f"(?:{pattern or other})")
        at = end
    return "".join((*parts, re.escape(template[at:])))


def _braces(template: str) -> Iterator[tuple[int, int]]:
    """Yield where placeholders begin and end; braces inside them belong to their expressions."""
    depth = start = 0
    for at, char in enumerate(template):
        if char == "{":
            start = at if depth == 0 else start
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                yield start, at + 1
        if depth < 0:
            break
    if depth:
        raise ValueError(f"{template!r}: a brace has no other")


_MAKERS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "Host": _any("Host"),
    "HostHeader": _any("Host"),
    "HostRegexp": _hosts("HostRegexp"),
    "ClientIP": _any("ClientIP"),
    "Path": _paths("Path", "$"),
    "PathPrefix": _paths("PathPrefix", ""),
    "Method": _any("Method"),
    "Headers": _headers("Header"),
    "HeadersRegexp": _headers("HeaderRegexp"),
    "Query": _query,
    "HostSNI": _any("HostSNI"),
    "HostSNIRegexp": _hosts("HostSNIRegexp"),
    "ALPN": _any("ALPN"),
}
