"""The admin's pages, without any I/O: what is in force, what passes, and vulcand's read API beside ours.

/                  a live page                       /v2/status
/routes            frontends, in order of precedence  /v2/hosts[/H] /v2/listeners[/L]
/explain           GET ?url=&method= or POST JSON     /v2/frontends[/F[/middlewares[/M]]]
/top               who gets how much, of what         /v2/backends[/B[/servers[/S]]]
/status            the agent's own board              /v2/top/frontends /v2/top/servers
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from fairlead.agent import Asked, Page
from fairlead.proxy.admin.explain import described, explain, parse_request, servers_of, servers_together
from fairlead.proxy.admin.tally import FACTS, Numbers, Tallies, Tally, error_ratio
from fairlead.proxy.admin.vulcand import VulcandApi
from fairlead.proxy.errors import BadRequest
from fairlead.proxy.model import Frontend
from fairlead.proxy.request import RequestParser
from fairlead.proxy.router import in_order_of_precedence
from fairlead.proxy.routes import Routes
from fairlead.proxy.state import Snapshot

_JSON = "application/json"
_ROWS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the pages take their facts.

    Attributes:
        snapshot: returns the configuration in force.
        parser: reads requests as those of clients are read.
        status: returns what the status key says.
        worker: which of several processes of this proxy this one is; None: it is alone.
    """

    routes: Routes
    tallies: Tallies
    snapshot: Callable[[], Snapshot]
    status: Callable[[], Mapping[str, Any]]
    parser: RequestParser
    worker: int | None = None


class Views:
    """Answers requests of operators."""

    def __init__(self, sources: Sources, others: Sequence[Numbers] = ()) -> None:
        """Show what ``sources`` have, and what ``others``, processes of the same proxy, have counted."""
        if others:
            tallies = Tallies()
            for each in (sources.tallies, *(other.tallies for other in others)):
                tallies.add(each)
            sources = replace(sources, tallies=tallies)
        self._from = sources
        self._others = others
        self._vulcand = VulcandApi(sources.routes.catalog, sources.tallies)

    def numbers(self, *, now_s: float) -> Numbers:
        """Return what the others are to know."""
        servers = {
            (backend_id, facts["id"]): {name: facts[name] for name in FACTS}
            for backend_id, group in self._from.snapshot().groups.items()
            for facts in servers_of(group, now_s=now_s)
        }
        chains = self._from.routes.chains
        middlewares = {
            (name, settings.id): told["now"]
            for name in self._from.routes.catalog.middlewares
            for settings, middleware in chains.of(name)
            if (told := described(middleware))
        }
        return Numbers(self._from.tallies, servers, middlewares)

    def answer(self, asked: Asked, *, now_s: float) -> Page:
        """Return the page for a request."""
        path = asked.path
        if path == "/explain":
            return self._explain(asked, now_s=now_s)
        if not asked.is_reading:
            return page(405, {"message": "everything here but POST /explain is read with GET"})
        if path == "/":
            text = files("fairlead.proxy.admin").joinpath("page.html").read_bytes()
            return Page(body=text, kind="text/html; charset=utf-8")
        if path.startswith("/v2/"):
            return page(*self._vulcand.answer(path, asked.query, now_s=now_s))
        views = {"/routes": self.routes, "/top": self.top, "/status": self._status}
        view = views.get(path)
        if view is None:
            return page(404, {"message": f"try {', '.join(views)}, /explain or /v2/status"})
        return page(200, view(now_s=now_s))

    def routes(self, *, now_s: float) -> dict[str, Any]:
        """Return the frontends in the order in which they are tried."""
        snapshot, catalog = self._from.snapshot(), self._from.routes.catalog
        frontends = in_order_of_precedence(catalog.frontends.values())
        return {
            "revision": snapshot.revision,
            "count": len(frontends),
            "routes": [self._route(each, snapshot, now_s=now_s) for each in frontends[:_ROWS_MAX]],
        }

    def top(self, *, now_s: float) -> dict[str, Any]:
        """Return what passes now, busiest first."""
        snapshot, tallies = self._from.snapshot(), self._from.tallies
        frontends = [
            _row(tally, now_s=now_s, id=name or "(no route)") for name, tally in tallies.frontends.items()
        ]
        servers = []
        for backend_id, group in snapshot.groups.items():
            for facts in servers_together(group, self._others, now_s=now_s):
                tally = tallies.servers.get((backend_id, facts["id"])) or Tally()
                servers.append(_row(tally, now_s=now_s, backend=backend_id, **facts))
        key: Callable[[dict[str, Any]], float] = lambda row: -row["per_s"]  # noqa: E731  a sort key
        return {
            "revision": snapshot.revision,
            "frontends": sorted(frontends, key=key)[:_ROWS_MAX],
            "servers": sorted(servers, key=key)[:_ROWS_MAX],
            "flags": dict(sorted(tallies.flags.items())),
        }

    def _route(self, frontend: Frontend, snapshot: Snapshot, *, now_s: float) -> dict[str, Any]:
        group = snapshot.groups.get(frontend.backend_id)
        tally = self._from.tallies.frontends.get(frontend.id) or Tally()
        return {
            "frontend": frontend.id,
            "route": frontend.route,
            "priority": frontend.priority,
            "backend": frontend.backend_id,
            "servers": len(group.servers) if group is not None else 0,
            "middlewares": [settings.type for settings, _ in self._from.routes.chains.of(frontend.id)],
            "per_s": _row(tally, now_s=now_s)["per_s"],
        }

    def _status(self, *, now_s: float) -> dict[str, Any]:
        return {**self._from.status(), **self._whose()}

    def _whose(self) -> dict[str, Any]:
        """Say which of several processes speaks."""
        number = self._from.worker
        return {} if number is None else {"worker": number, "workers": 1 + len(self._others)}

    def _explain(self, asked: Asked, *, now_s: float) -> Page:
        told: Mapping[str, Any] = asked.query
        if asked.method == "POST":
            try:
                told = json.loads(asked.body)
            except (ValueError, RecursionError):
                told = {}
            if (
                not isinstance(told, dict)
                or not isinstance(told.get("headers", {}), dict)
                or "url" not in told
            ):
                return page(400, {"message": 'send {"method": "GET", "url": "http://a/b", "headers": {}}'})
        elif "url" not in told:
            return page(400, {"message": "say which, as in /explain?url=http://a.example/path"})
        try:
            request = parse_request(told, parser=self._from.parser)
        except BadRequest as error:
            return page(200, {"answer": error.status, "reason": error.reason, "matched": [], "lost": []})
        routes = self._from.routes
        frontends = routes.catalog.frontends.values()
        told = explain(
            request,
            self._from.snapshot(),
            frontends,
            chains=routes.chains,
            now_s=now_s,
            others=self._others,
        )
        return page(200, told | self._whose())


def page(status: int, value: object) -> Page:
    """Return a page of JSON."""
    return Page(status=status, body=json.dumps(value).encode() + b"\n", kind=_JSON)


def _row(tally: Tally, *, now_s: float, **facts: Any) -> dict[str, Any]:
    window = tally.window
    ratio, total = error_ratio(window, now_s=now_s)
    return facts | {
        "per_s": total / 10,
        "errors_percent": round(ratio * 100, 1),
        "p50_ms": window.latency_us(50, now_s=now_s) / 1000,
        "p99_ms": window.latency_us(99, now_s=now_s) / 1000,
        "total": sum(tally.by_class),
    }
