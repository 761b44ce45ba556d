"""vulcand's read API: the objects in force as its ``vctl`` and its users' scripts read them.

Writing goes to the store, not here.  Source: vulcand, api/api.go and engine/model.go.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.proxy.admin.tally import Tallies, Tally, error_ratio, round_trip
from fairlead.proxy.catalog import Catalog
from fairlead.proxy.model import Backend, Frontend, Host, Listener, Middleware, Server

Answer = tuple[int, object]
_BAD_RATIO = 1.5


class VulcandApi:
    """Answers what is below /v2."""

    def __init__(self, catalog: Catalog, tallies: Tallies) -> None:
        self._catalog = catalog
        self._tallies = tallies

    def answer(self, path: str, asked: Mapping[str, str], *, now_s: float) -> Answer:
        """Return status and JSON for a path."""
        catalog = self._catalog
        match path.strip("/").split("/")[1:]:
            case ["status"]:
                return 200, {"Status": "ok"}
            case ["log", "severity"]:
                return 200, {"severity": "INFO"}
            case ["hosts"]:
                return 200, {"Hosts": [_host(each) for each in catalog.hosts.values()]}
            case ["hosts", name]:
                return _one(catalog.hosts, name, _host)
            case ["listeners"]:
                return 200, {"Listeners": [_listener(each) for each in catalog.listeners.values()]}
            case ["listeners", name]:
                return _one(catalog.listeners, name, _listener)
            case ["frontends"]:
                return 200, {"Frontends": [_frontend(each) for each in catalog.frontends.values()]}
            case ["frontends", name]:
                return _one(catalog.frontends, name, _frontend)
            case ["frontends", name, "middlewares"]:
                found = catalog.middlewares.get(name, {}).values()
                return 200, {"Middlewares": [_middleware(each) for each in found]}
            case ["frontends", name, "middlewares", one]:
                return _one(catalog.middlewares.get(name, {}), one, _middleware)
            case ["backends"]:
                return 200, {"Backends": [_backend(each) for each in catalog.backends.values()]}
            case ["backends", name]:
                return _one(catalog.backends, name, _backend)
            case ["backends", name, "servers"]:
                return 200, {"Servers": [_server(each) for each in catalog.servers.get(name, {}).values()]}
            case ["backends", name, "servers", one]:
                return _one(catalog.servers.get(name, {}), one, _server)
            case ["top", "frontends"]:
                return self._top_frontends(asked, now_s=now_s)
            case ["top", "servers"]:
                return self._top_servers(asked, now_s=now_s)
            case _:
                return 404, {"message": "not found"}

    def _top_frontends(self, asked: Mapping[str, str], *, now_s: float) -> Answer:
        found = [
            (self._tallies.frontends.get(name) or Tally(), _frontend(each))
            for name, each in self._catalog.frontends.items()
            if asked.get("backendId", each.backend_id) == each.backend_id
        ]
        return 200, {"Frontends": _busiest(found, asked, now_s=now_s)}

    def _top_servers(self, asked: Mapping[str, str], *, now_s: float) -> Answer:
        found = []
        for backend_id, servers in self._catalog.servers.items():
            if asked.get("backendId", backend_id) == backend_id:
                members = [
                    (self._tallies.servers.get((backend_id, name)) or Tally(), each)
                    for name, each in servers.items()
                ]
                bad = _bad([tally for tally, _ in members], now_s=now_s)
                found += [(tally, _server(each) | {"_bad": tally in bad}) for tally, each in members]
        return 200, {"Servers": _busiest(found, asked, now_s=now_s)}


def _one(objects: Mapping[str, Any], name: str, shown: Any) -> Answer:
    found = objects.get(name)
    return (404, {"message": f"{name!r} not found"}) if found is None else (200, shown(found))


def _busiest(
    found: Iterable[tuple[Tally, dict[str, Any]]], asked: Mapping[str, str], *, now_s: float
) -> list[dict[str, Any]]:
    limit = int(asked["limit"]) if asked.get("limit", "").isdigit() else 100
    ranked = sorted(found, key=lambda each: -each[0].window.total(now_s))
    return [
        facts | {"Stats": round_trip(tally.window, now_s=now_s, is_bad=bool(facts.pop("_bad", False)))}
        for tally, facts in ranked[: limit or None]
    ]


def _bad(tallies: list[Tally], *, now_s: float) -> list[Tally]:
    """Return those whose part of errors stands out: above 1.5 times median and deviation together."""
    ratios = [error_ratio(each.window, now_s=now_s)[0] for each in tallies]
    values = ratios if len(ratios) % 2 else [*ratios, 0.0]
    median = _median(values)
    bound = (median + _median([abs(each - median) for each in values])) * _BAD_RATIO
    return [tally for tally, ratio in zip(tallies, ratios, strict=True) if ratio > bound]


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def _host(host: Host) -> dict[str, Any]:
    # What is sealed of a host stays sealed.
    return {"Name": host.name, "Settings": {"Default": host.is_default}}


def _listener(listener: Listener) -> dict[str, Any]:
    is_unix = bool(listener.path)
    address = {
        "Network": "unix" if is_unix else "tcp",
        "Address": listener.path if is_unix else f"{listener.host}:{listener.port}",
    }
    return {
        "Id": listener.id,
        "Protocol": "tcp" if listener.is_raw else "https" if listener.tls else "http",
        "Address": address,
    }


def _frontend(frontend: Frontend) -> dict[str, Any]:
    return {
        "Id": frontend.id,
        "Route": frontend.route,
        "Type": "http",
        "BackendId": frontend.backend_id,
        "Priority": frontend.priority,
        "Settings": {
            "Limits": {"MaxMemBodyBytes": frontend.memory_bytes_max, "MaxBodyBytes": frontend.body_bytes_max},
            "FailoverPredicate": frontend.failover,
            "Hostname": frontend.hostname,
            "TrustForwardHeader": frontend.trust_forward_header,
            "PassHostHeader": frontend.pass_host_header,
            "Stream": frontend.stream,
            **_trailers(frontend),
        },
    }


def _trailers(frontend: Frontend) -> dict[str, Any]:
    names = frontend.trailers
    return {} if names is None else {"Trailers": sorted(each.decode() for each in names)}


def _backend(backend: Backend) -> dict[str, Any]:
    return {"Id": backend.id, "Type": "http", "Settings": {}}


def _server(server: Server) -> dict[str, Any]:
    return {"Id": server.id, "URL": f"{server.scheme}://{server.host}:{server.port}", "State": server.state}


def _middleware(middleware: Middleware) -> dict[str, Any]:
    return {
        "Id": middleware.id,
        "Priority": middleware.priority,
        "Type": middleware.type,
        "Middleware": _without_secrets(middleware),
    }


def _without_secrets(middleware: Middleware) -> dict[str, Any]:
    """Return the settings as they stand, but for the passwords' hashes."""
    settings = dict(middleware.settings)
    if middleware.type == "basicauth":
        for name, value in middleware.settings.items():
            if name.lower() == "users":
                settings[name] = [str(line).partition(":")[0] + ":..." for line in value]
    return settings
