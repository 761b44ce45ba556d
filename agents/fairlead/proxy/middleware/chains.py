"""The middlewares in force, per frontend: what did not change stays, and what changed takes its state along.

A limiter's buckets and a breaker's state outlive every change but the deletion of their key: a middleware is
found again by its frontend's id and its own, made anew only when what its key says is another, and then from the
one before it.  Sans-IO.
"""

from collections.abc import Iterable
from dataclasses import replace

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Chain
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.types import maker_of
from fairlead.proxy.model import Middleware as Settings

# Without one of these a frontend would be open to those whom it is to keep out.
GUARDS = frozenset({"basicauth", "forwardauth", "ipallow"})
_CLOSED = {
    "StatusCode": 503,
    "Body": '{"error":"a guard of this route cannot be read"}',
    "ContentType": "application/json",
}


def make_middleware(settings: Settings, *, tools: Tools, previous: Middleware | None = None) -> Middleware:
    """Return the middleware that ``settings`` describe.

    Raises:
        KeyProblem: they cannot be used.
    """
    spec = Spec(settings.settings, where="Middleware")
    try:
        return maker_of(settings.type)(spec, tools=tools, previous=previous)
    except KeyProblem:
        raise
    except Exception as error:
        # A third party's: what it raises costs its own key and nothing else.
        raise KeyProblem(f"{settings.type}: {type(error).__name__}: {error}") from error


def closed_instead_of(settings: Settings) -> Settings | None:
    """Return what stands in for a guard that cannot be made and never could; None: its frontend goes without."""
    return replace(settings, type="respond", settings=_CLOSED) if settings.type in GUARDS else None


class Chains:
    """All chains, by the id of their frontend."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._made: dict[str, dict[str, tuple[Settings, Middleware]]] = {}

    def check(self, settings: Settings) -> None:
        """Raise KeyProblem when ``settings`` cannot be used."""
        make_middleware(settings, tools=self._tools)

    def follow(self, frontend_id: str, wanted: Iterable[Settings]) -> Chain | None:
        """Return the chain of one frontend, None without middlewares; ``wanted`` has passed ``check``."""
        known = self._made.pop(frontend_id, {})
        settings = sorted(wanted, key=lambda each: (each.priority, each.id))
        if not settings:
            return None
        made = {each.id: (each, self._middleware(each, known.get(each.id))) for each in settings}
        self._made[frontend_id] = made
        return Chain([middleware for _, middleware in made.values()])

    def of(self, frontend_id: str) -> Iterable[tuple[Settings, Middleware]]:
        """Return what is in force at a frontend, in its order, for those who look at it."""
        return self._made.get(frontend_id, {}).values()

    def _middleware(self, settings: Settings, before: tuple[Settings, Middleware] | None) -> Middleware:
        if before is None:
            return make_middleware(settings, tools=self._tools)
        old, middleware = before
        if (old.type, old.settings) == (settings.type, settings.settings):
            return middleware
        previous = middleware if old.type == settings.type else None
        return make_middleware(settings, tools=self._tools, previous=previous)
