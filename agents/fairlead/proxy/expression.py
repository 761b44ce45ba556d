"""Routes: vulcand's expressions with ``||``, ``!`` and parentheses beside them, and Traefik's rules.

The form is that of ``grammar``; here are the matchers.  What they mean is decided in ``match``.  vulcand accepts
``&&`` alone, so each of its expressions reads the same here.  Traefik's rules have the same form; names match whatever
their case, and what stands in a string is no pattern.  Sources: vulcand/route; traefik, pkg/rules.
"""

from dataclasses import dataclass, replace

from fairlead.proxy.errors import ExpressionError
from fairlead.proxy.grammar import Called, Compared, Joined, Literal, Negated, Node, Vocabulary, parse

ARITY = {
    "Host": (1, 1),
    "HostRegexp": (1, 1),
    "Path": (1, 1),
    "PathPrefix": (1, 1),
    "PathRegexp": (1, 1),
    "Method": (1, 1),
    "MethodRegexp": (1, 1),
    "Header": (2, 2),
    "HeaderRegexp": (2, 2),
    "Query": (1, 2),
    "QueryRegexp": (1, 2),
    "ClientIP": (1, 1),
}
"""The matchers, and the least and the most strings that each takes."""
_ROUTES = Vocabulary(
    what="route",
    names={name: name for name in ARITY},
    example="a matcher such as Host(...)",
    literal="a string",
    arguments_min=1,
)
_RULES = replace(
    _ROUTES, names={name.lower(): name for name in ARITY if name != "MethodRegexp"}, folds_case=True
)


@dataclass(frozen=True, slots=True)
class Call:
    """One matcher with its arguments.

    Attributes:
        position: where it stands in the text.
        is_plain: it is Traefik's: what is in its strings has no placeholders.
    """

    name: str
    arguments: tuple[str, ...]
    position: int
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    term: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    """All of the terms."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the terms."""

    terms: tuple["Expression", ...]


Expression = Call | Not | Both | Either


def parse_expression(text: str) -> Expression:
    """Read a route expression: vulcand's, and what goes beyond it.

    Raises:
        ExpressionError: it cannot be read; says where, and what was expected there.
    """
    return _routing(parse(text, _ROUTES), is_plain=False)


def parse_rule(text: str) -> Expression:
    """Read a rule of Traefik's (version 3).

    Raises:
        ExpressionError: it cannot be read; says where, and what was expected there.
    """
    return _routing(parse(text, _RULES), is_plain=True)


def _routing(node: Node, *, is_plain: bool) -> Expression:
    match node:
        case Negated(term):
            return Not(_routing(term, is_plain=is_plain))
        case Joined(sign, terms):
            return (Both if sign == "&&" else Either)(
                tuple(_routing(term, is_plain=is_plain) for term in terms)
            )
        case Called(name, arguments, position):
            least, most = ARITY[name]
            if not least <= len(arguments) <= most:
                wanted = str(least) if least == most else f"{least} or {most}"
                said = f"{name} takes {wanted} strings, not {len(arguments)}"
                raise ExpressionError(said, position=position)
            return Call(name, tuple(map(str, arguments)), position, is_plain)
        case Literal() | Compared():
            raise AssertionError(node)  # The vocabulary has none.
