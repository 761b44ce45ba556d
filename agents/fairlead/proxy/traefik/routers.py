"""Traefik's routers, in vulcand's JSON."""

from collections.abc import Mapping
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.traefik.node import Node, without_provider
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
    main, *others = sorted(
        (each for each in way.shares if way.shares[each]), key=lambda each: -way.shares[each]
    )
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
        "Canary": [{"BackendId": each, "Percent": way.shares[each] * 100} for each in others],
        **({"Sticky": way.sticky} if way.sticky is not None else {}),
        "Mirror": list(way.mirrors),
        # In a weighted service the parts of those that are down go to the others.
        "Fallback": way.fallback or next(iter(others), ""),
        "AccessLog": node.flag("observability/accesslogs", default=True),
        "Settings": {"PassHostHeader": way.pass_host},
    }
    node.accept("observability/metrics", "true")
    if priority := node.number("priority") or (len(rule) if syntax == "v2" else 0):
        value["Priority"] = priority
    return value


def options_of(node: Node) -> tuple[str, ...]:
    """Return the names of the TLS options that a router is under; none when it is for clients without TLS."""
    if not node.flag("tls", default="tls" in node):
        return ()
    name = without_provider(node.text("tls/options")) or "default"
    node.disown("tls/options")
    return (name,)


def check_clients(node: Node, options: Mapping[str, Node]) -> None:
    """Refuse a router for clients with certificates: nobody asks for those here, and it would stand open.

    Raises:
        KeyProblem: its TLS options want certificates.
    """
    for name in options_of(node):
        wanted = options[name].text("clientauth/clientauthtype") if name in options else ""
        if wanted.lower().startswith("require"):
            raise KeyProblem(
                f"TLS options {name} want certificates of clients, and nobody asks for them here"
            )
