"""What would become of a request: which routes match, why the others do not, and who would be asked.  Sans-IO."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.proxy.admin.tally import FACTS, Numbers
from fairlead.proxy.match import Condition, compile_expression
from fairlead.proxy.middleware.chains import Chains
from fairlead.proxy.model import Frontend
from fairlead.proxy.plan import Plan
from fairlead.proxy.request import Request, RequestParser
from fairlead.proxy.router import in_order_of_precedence
from fairlead.proxy.state import Group, ServerState, Snapshot

LOST_SHOWN_MAX = 50


def parse_request(asked: Mapping[str, Any], *, parser: RequestParser) -> Request:
    """Return the request that ``{"method", "url", "headers", "client", "entrypoint"}`` describes.

    Raises:
        BadRequest: the proxy would not take it.
    """
    method, url = str(asked.get("method", "GET")), str(asked.get("url", "/"))
    headers = asked.get("headers") or {}
    rest = url.partition("://")[2] if "://" in url else ""
    host, slash, path = rest.partition("/") if rest else ("", "", "")
    target = slash + path if rest and slash else "/" if rest else url
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(str(name).lower() == "host" for name in headers):
        lines.append(f"Host: {host or 'localhost'}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines) + "\r\n\r\n"
    request = parser.parse(head.encode())
    request.peer = str(asked.get("client", "127.0.0.1")).encode()
    request.entrypoint = str(asked.get("entrypoint", "web"))
    request.is_secure = url.lower().startswith("https://")
    return request


def explain(
    request: Request,
    snapshot: Snapshot,
    frontends: Iterable[Frontend],
    *,
    chains: Chains,
    now_s: float,
    others: Sequence[Numbers] = (),
) -> dict[str, Any]:
    """Return what the proxy thinks of ``request``.

    Args:
        request: fit to forward.
        snapshot: the configuration in force.
        frontends: all of its frontends.
        chains: its middlewares.
        now_s: monotonic.
        others: what other processes of this proxy have to say.
    """
    chosen = snapshot.router.find(request)
    matched: list[dict[str, Any]] = []
    lost: list[dict[str, Any]] = []
    lost_count = 0
    for frontend in in_order_of_precedence(frontends):
        why = why_not(frontend, request)
        line = {"frontend": frontend.id, "route": frontend.route, "priority": frontend.priority}
        if why is None:
            reason = "chosen" if frontend is chosen else "an earlier one has matched"
            matched.append(line | {"verdict": reason})
        else:
            lost_count += 1
            if len(lost) < LOST_SHOWN_MAX:
                lost.append(line | {"verdict": why})
    answer: dict[str, Any] = {
        "revision": snapshot.revision,
        "request": {
            "method": _text(request.method),
            "host": _text(request.host),
            "path": _text(request.path),
        },
        "matched": matched,
        "lost": lost,
        "lost_not_shown": lost_count - len(lost),
        "frontend": chosen.id if chosen is not None else None,
    }
    if chosen is None:
        return answer | {"answer": 404}
    return answer | _beyond(chosen, request, snapshot, chains=chains, now_s=now_s, others=others)


def why_not(frontend: Frontend, request: Request) -> str | None:
    """Return the first condition that a request does not meet, of the alternative that it meets best; or None."""
    if frontend.is_tls_only and not request.is_secure:
        return "only over TLS"
    if frontend.entrypoints and request.entrypoint not in frontend.entrypoints:
        return f"only on {', '.join(frontend.entrypoints)}, not on {request.entrypoint}"
    best: tuple[int, str] | None = None
    for conjunction in compile_expression(frontend.expression):
        failed = [each for each in conjunction if not each.test(request)]
        if not failed:
            return None
        met = len(conjunction) - len(failed)
        if best is None or met > best[0]:
            best = (met, _said(failed[0], request))
    return best[1] if best is not None else "it has no conditions"


def _said(condition: Condition, request: Request) -> str:
    wanted = condition.literal or condition.pattern or condition.prefix or condition.domain
    value = {
        "Host": request.host,
        "Path": request.path,
        "Method": request.method,
        "ClientIP": request.peer,
    }.get(condition.field)
    text = f"{condition.field}"
    if wanted is not None:
        text += (
            f" is to be {_text(wanted)}" if condition.literal is not None else f" is to fit {_text(wanted)}"
        )
    else:
        text += " does not fit"
    return text + (f", and is {_text(value)}" if value is not None else "")


def _beyond(
    frontend: Frontend,
    request: Request,
    snapshot: Snapshot,
    *,
    chains: Chains,
    now_s: float,
    others: Sequence[Numbers],
) -> dict[str, Any]:
    target = snapshot.targets[frontend.id]
    plan = Plan(request, snapshot, peer=request.peer, port=b"80")
    plan.forward(frontend, b"")
    group = snapshot.groups.get(target.backend_id)
    if target.split is not None:
        group = target.split(plan, snapshot.groups, now_s)
    told: dict[str, Any] = {
        "middlewares": [
            {
                "id": settings.id,
                "type": settings.type,
                "priority": settings.priority,
                **described(middleware),
                **_elsewhere((frontend.id, settings.id), others),
            }
            for settings, middleware in chains.of(frontend.id)
        ],
        "backend": group.backend.id if group is not None else target.backend_id,
        "servers": servers_together(group, others, now_s=now_s) if group is not None else [],
    }
    chosen = None if group is None else group.balancer.choose(plan, (), now_s)
    if isinstance(chosen, ServerState):
        assert group is not None
        group.balancer.ended(chosen, status=0, failure=None, head_us=0, now_s=now_s)
        return told | {"server": chosen.server.id, "answer": "the server's"}
    if chosen is None:
        return told | {"server": None, "answer": 503}
    return told | {"server": None, "answer": "waits in the queue"}


def servers_of(group: Group, *, now_s: float) -> list[dict[str, Any]]:
    """Return the servers of a backend, with what is thought of each."""
    return [
        {
            "id": each.server.id,
            "address": _text(each.authority),
            "state": each.server.state,
            "weight": round(each.standing.weight, 3),
            "in_flight": each.in_flight,
            "idle": len(each.pool),
            "requests": each.requests,
            "failures": each.failures,
            "latency_ms": round(each.standing.latency_us / 1000, 3),
            "is_available": each.standing.is_available(now_s),
            "is_healthy": each.standing.is_healthy,
            "ejected_s": round(max(0.0, each.standing.ejected_until_s - now_s), 1),
        }
        for each in group.servers
    ]


def servers_together(group: Group, others: Sequence[Numbers], *, now_s: float) -> list[dict[str, Any]]:
    """Return the servers of a backend with what all processes have of them.

    ``workers`` is how many know the server, ``out_in`` how many of them do not ask it; what does not add up (weight,
    latency, verdicts) is this process's own.
    """
    found = []
    for facts in servers_of(group, now_s=now_s):
        key = (group.backend.id, facts["id"])
        elsewhere = [each.servers[key] for each in others if key in each.servers]
        sums = {name: facts[name] + sum(each[name] for each in elsewhere) for name in FACTS}
        workers, available = 1 + len(elsewhere), sums.pop("is_available")
        found.append({**facts, **sums, "workers": workers, "out_in": workers - available})
    return found


def _elsewhere(key: tuple[str, str], others: Sequence[Numbers]) -> dict[str, Any]:
    told = [each.middlewares[key] for each in others if key in each.middlewares]
    return {"elsewhere": told} if told else {}


def described(middleware: object) -> dict[str, Any]:
    """Return how a middleware is now, under ``now``; nothing, if it has nothing to say."""
    describe = getattr(middleware, "describe", None)
    return {"now": describe()} if describe is not None else {}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
