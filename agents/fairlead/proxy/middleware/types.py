"""The types of middlewares: ours by name, third parties' by entry point."""

import importlib.metadata
import logging
from collections.abc import Callable, Mapping
from functools import cache

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware import (
    answers,
    basicauth,
    bodies,
    cbreaker,
    compress,
    connlimit,
    cors,
    fetchedpages,
    forwardauth,
    headers,
    ipallow,
    paths,
    ratelimit,
    requestid,
    rewrite,
    trace,
    tracecontext,
)
from fairlead.proxy.middleware.hooks import Middleware
from fairlead.proxy.middleware.making import Make, Tools
from fairlead.proxy.middleware.spec import Spec

GROUP = "fairlead.proxy.middleware"
_LOG = logging.getLogger(__name__)


def _make_error_pages(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Middleware:
    make = fetchedpages.make if "From" in spec else answers.make_error_pages
    return make(spec, tools=tools, previous=previous)


OURS: Mapping[str, Make] = {
    "addprefix": paths.make_add_prefix,
    "basicauth": basicauth.make,
    "bodylimit": bodies.make_limit,
    "buffer": bodies.make_buffer,
    "cbreaker": cbreaker.make,
    "compress": compress.make,
    "connlimit": connlimit.make,
    "cors": cors.make,
    "errorpages": _make_error_pages,
    "forwardauth": forwardauth.make,
    "headers": headers.make,
    "ipallow": ipallow.make,
    "ratelimit": ratelimit.make,
    "redirect": paths.make_redirect,
    "replacepath": paths.make_replace_path,
    "requestid": requestid.make,
    "respond": answers.make_respond,
    "rewrite": rewrite.make,
    "stripprefix": paths.make_strip_prefix,
    "trace": trace.make,
    "tracecontext": tracecontext.make,
}


def maker_of(kind: str, *, entry_points: "EntryPoints | None" = None) -> Make:
    """Return what makes middlewares of the type ``kind``.

    Raises:
        KeyProblem: there is none, or its package cannot be loaded.
    """
    ours = OURS.get(kind)
    if ours is not None:
        return ours
    found = (entry_points or _installed)()
    if kind not in found:
        raise KeyProblem(f"Type {kind!r} is not one of {', '.join(sorted({*OURS, *found}))}")
    try:
        loaded: Make = found[kind].load()
    except Exception as error:
        # Whatever somebody else's package raises when it is loaded costs its own middlewares only.
        _LOG.exception("cannot load the middleware %s", kind)
        raise KeyProblem(f"Type {kind!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return loaded


EntryPoints = Callable[[], Mapping[str, importlib.metadata.EntryPoint]]


@cache
def _installed() -> Mapping[str, importlib.metadata.EntryPoint]:
    return {each.name: each for each in importlib.metadata.entry_points(group=GROUP)}
