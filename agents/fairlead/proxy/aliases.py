"""Aliases: texts in routes that may as well be others, as vulcand's flag -aliases has it.

    Host("localhost")=Host("192.168.1.1")

A route with the text on the left serves what it would serve with the text on the right, too.
"""

from collections.abc import Sequence
from dataclasses import replace

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import Either, parse_expression
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model import Frontend

Alias = tuple[str, str]


def parse_alias(text: str) -> Alias:
    """Return what stands for what.

    Raises:
        KeyProblem: a side is no route expression.
    """
    # An equals sign may stand in a string as well; the one between two expressions follows a parenthesis.
    left, sign, right = text.partition(")=")
    if not sign:
        raise KeyProblem(f'an alias looks like Host("a")=Host("b"), not {text!r}')
    alias = (f"{left})".strip(), right.strip())
    for side in alias:
        compile_expression(parse_expression(side))
    return alias


def with_aliases(frontend: Frontend, aliases: Sequence[Alias]) -> Frontend:
    """Return ``frontend`` with the routes that the aliases add to its own."""
    routes = [frontend.expression]
    for name, alias in aliases:
        if name in frontend.route:
            routes.append(parse_expression(frontend.route.replace(name, alias)))
    if len(routes) == 1:
        return frontend
    return replace(frontend, expression=Either(tuple(routes)))
