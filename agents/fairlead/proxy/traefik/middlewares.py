"""Traefik's middlewares, those that have a counterpart here.

What has none is passed on under Traefik's own name, so that it is refused and named like any unknown type; and a guard
that has none closes its routers, since without it they would stand open.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.traefik.node import Node, without_provider

Made = tuple[str, dict[str, Any]]
"""A type of ours, and its settings."""
_DEPTH_MAX = 8
_MEMBERS_MAX = 100
_GUARDS = frozenset(
    {"digestauth", "passtlsclientcert", "ipwhitelist", "ipallowlist", "basicauth", "forwardauth"}
)
_CORS = {
    "AllowOrigins": "accesscontrolalloworiginlist",
    "AllowOriginRegexps": "accesscontrolalloworiginlistregex",
    "AllowMethods": "accesscontrolallowmethods",
    "AllowHeaders": "accesscontrolallowheaders",
    "ExposeHeaders": "accesscontrolexposeheaders",
}


def expand(names: list[str], middlewares: Mapping[str, Node], depth: int = 0) -> list[str]:
    """Return the names of single middlewares that ``names`` come to: chains are taken apart.

    Raises:
        KeyProblem: chains that lead in a circle, or too many members.
    """
    if depth > _DEPTH_MAX:
        raise KeyProblem(f"the chain {names[0]} leads in a circle")
    found: list[str] = []
    for each in map(without_provider, names):
        node = middlewares.get(each)
        inside = node.texts("chain/middlewares") if node is not None and "chain" in node else []
        found += expand(inside, middlewares, depth + 1) if inside else [each]
        if len(found) > _MEMBERS_MAX:
            raise KeyProblem(f"more than {_MEMBERS_MAX} middlewares")
    return found


def middlewares_of(node: Node) -> list[Made]:
    """Return what one middleware becomes here; headers may become two.

    Raises:
        KeyProblem: it says nothing, or an option is not what it should be.
    """
    (kind, *others) = node.names() or [""]
    if not kind or others:
        raise KeyProblem("a middleware has exactly one type")
    make = _MAKERS.get(kind)
    node.text(kind)  # "true", where it has no options
    if make is not None:
        return make(node.at(kind))
    node.leave()
    # Nobody's password: a guard that cannot be made is a guard that lets nobody in.
    return [("basicauth" if kind in _GUARDS else kind, {})]


def _headers(node: Node) -> list[Made]:
    made: list[Made] = []
    cors: dict[str, Any] = {ours: found for ours, theirs in _CORS.items() if (found := node.texts(theirs))}
    if cors:
        cors["AllowCredentials"] = node.flag("accesscontrolallowcredentials")
        cors["MaxAge"] = node.number("accesscontrolmaxage")
        made.append(("cors", cors))
    changes: dict[str, Any] = {}
    for side in ("Request", "Response"):
        pairs = node.pairs(f"custom{side.lower()}headers")
        if pairs:
            # In Traefik an empty value removes the field.
            changes[side] = {
                "Set": {name: value for name, value in pairs.items() if value},
                "Remove": [name for name, value in pairs.items() if not value],
            }
    if changes or not made:
        made.append(("headers", changes))
    return made


def _rate_limit(node: Node) -> list[Made]:
    average = node.number("average")
    period = node.duration("period") or "1s"
    if not period.endswith("s") or not period[:-1].isdigit():
        raise KeyProblem(f"rateLimit/period must be whole seconds here, not {period!r}")
    settings = {"Requests": average, "PeriodSeconds": int(period[:-1]), "Burst": node.number("burst", 1)}
    return [("ratelimit", {**settings, "Variable": _source(node)})]


def _source(node: Node) -> str:
    name = node.text("sourcecriterion/requestheadername")
    if name:
        return f"request.header.{name}"
    return "request.host" if node.flag("sourcecriterion/requesthost") else "client.ip"


def _basic_auth(node: Node) -> list[Made]:
    settings = {
        "Users": node.texts("users"),
        "Realm": node.text("realm") or "traefik",
        "RemoveHeader": node.flag("removeheader"),
    }
    return [
        ("basicauth", {**settings, "UserHeader": name} if (name := node.text("headerfield")) else settings)
    ]


def _forward_auth(node: Node) -> list[Made]:
    return [
        (
            "forwardauth",
            {
                "Address": node.text("address"),
                "AuthRequestHeaders": node.texts("authrequestheaders"),
                "AuthResponseHeaders": node.texts("authresponseheaders"),
            },
        )
    ]


def _circuit_breaker(node: Node) -> list[Made]:
    action = {"StatusCode": node.number("responsecode", 503), "Body": "", "ContentType": "text/plain"}
    fallback = {"Type": "response", "Action": action}
    return [("cbreaker", {"Condition": node.text("expression"), "Fallback": fallback})]


def _redirect_scheme(node: Node) -> list[Made]:
    settings = {
        "Scheme": node.text("scheme"),
        "Port": node.number("port"),
        "Permanent": node.flag("permanent"),
    }
    return [("redirect", settings)]


def _redirect_regex(node: Node) -> list[Made]:
    settings = {
        "Regexp": node.text("regex"),
        "Replacement": node.text("replacement"),
        "Permanent": node.flag("permanent"),
    }
    return [("redirect", settings)]


def _ip_allow(node: Node) -> list[Made]:
    return [("ipallow", {"SourceRange": node.texts("sourcerange")})]


_MAKERS: dict[str, Callable[[Node], list[Made]]] = {
    "addprefix": lambda node: [("addprefix", {"Prefix": node.text("prefix")})],
    "stripprefix": lambda node: [("stripprefix", {"Prefixes": node.texts("prefixes")})],
    "compress": lambda node: [("compress", {})],  # noqa: ARG005  it takes what others take
    "buffering": lambda node: [("buffer", {"MaxBodyBytes": node.number("maxrequestbodybytes")})],
    "circuitbreaker": _circuit_breaker,
    "inflightreq": lambda node: [
        ("connlimit", {"Connections": node.number("amount"), "Variable": _source(node)})
    ],
    "headers": _headers,
    "ratelimit": _rate_limit,
    "basicauth": _basic_auth,
    "forwardauth": _forward_auth,
    "redirectscheme": _redirect_scheme,
    "redirectregex": _redirect_regex,
    "ipallowlist": _ip_allow,
    "ipwhitelist": _ip_allow,
}
