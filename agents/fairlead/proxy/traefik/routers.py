"""Traefik's routers, in vulcand's JSON."""

from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.traefik.node import Node
from fairlead.proxy.traefik.rules import version_3_of
from fairlead.proxy.traefik.services import Way

SYNTAXES = ("", "default", "v2", "v3")


def frontend_of(node: Node, way: Way) -> dict[str, Any]:
    """Return the frontend that a router stands for.

    Args:
        node: the router.
        way: where its service leads.

    Raises:
        KeyProblem: an option is missing or not what it should be.
    """
    main, *others = sorted(way.shares, key=lambda each: -way.shares[each])
    rule = node.required("rule")
    syntax = node.text("rulesyntax").lower()
    if syntax not in SYNTAXES:
        raise KeyProblem(f"ruleSyntax {syntax!r} is not read here; write the rule in version 3")
    value: dict[str, Any] = {
        "Type": "http",
        "BackendId": main,
        "Routes": [version_3_of(rule) if syntax == "v2" else rule],
        "Entrypoints": node.texts("entrypoints"),
        "TLS": node.flag("tls", default="tls" in node),
        "Canary": [
            {"BackendId": each, "Percent": way.shares[each] * 100} for each in others if way.shares[each]
        ],
        "Mirror": list(way.mirrors),
        "Fallback": way.fallback,
        "AccessLog": node.flag("observability/accesslogs", default=True),
        "Settings": {"PassHostHeader": way.pass_host},
    }
    node.accept("observability/metrics", "true")
    if priority := node.number("priority") or (len(rule) if syntax == "v2" else 0):
        value["Priority"] = priority
    return value
