"""``errorpages`` of another server: fetched ahead, so that they are here when nothing else is.

    {"From": ["http://10.0.0.1:8080"], "Query": "/{status}.html", "Statuses": ["404", "500-599"]}

The first request waits a little for them; then they are fetched anew once a minute, beside requests that do not wait.
Of a range those statuses count that HTTP knows.  What cannot be fetched changes nothing, and is tried again soon.
Source: Traefik's errors, which asks its service at each error.
"""

import asyncio
import http
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.answers import ErrorPages, Page, statuses_in
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.limits import PAGES_FETCHED_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

if TYPE_CHECKING:
    from fairlead.proxy.headers import Fields

_LOG = logging.getLogger(__name__)
_KEPT_S = 60.0
_AGAIN_S = 5.0
_FIRST_S = 2.0
_PLACE = "{status}"


class FetchedPages(ErrorPages):
    """Puts a page of another server in the place of an error's body."""

    def __init__(
        self, servers: tuple[str, ...], *, query: str, statuses: tuple[range, ...], tools: Tools
    ) -> None:
        super().__init__(())
        self.source = (servers, query, statuses)
        self.fetched: dict[str, Page] = {}
        self.due_s = 0.0
        self._tools = tools
        self._first: asyncio.Event | None = None
        self._is_under_way = False

    def on_request(self, call: Call) -> Coroutine[Any, Any, Answer | None] | None:
        """See to it that the pages are here."""
        if call.now_s < self.due_s:
            return None
        if self.due_s:
            self._begin(call.now_s)
            return None
        return self._wait(call.now_s)

    def page_for(self, status: int) -> Page | None:
        """Return the page, if it is here."""
        _, query, statuses = self.source
        if any(status in each for each in statuses):
            return self.fetched.get(query.replace(_PLACE, str(status)))
        return None

    def _begin(self, now_s: float) -> None:
        if not self._is_under_way:
            self._is_under_way = True
            self._tools.spawn(self._fetch(now_s))

    async def _wait(self, now_s: float) -> None:
        if self._first is None:
            self._first = asyncio.Event()
            self._begin(now_s)
        try:
            async with asyncio.timeout(_FIRST_S):
                await self._first.wait()
        except TimeoutError:
            self.due_s = self.due_s or now_s + _AGAIN_S

    async def _fetch(self, now_s: float) -> None:
        servers, query, statuses = self.source
        found: dict[str, Page] = {}
        missing = 0
        try:
            for target in targets_of(query, statuses):
                page = await self._ask(servers, target)
                if page is None:
                    missing += 1
                else:
                    found[target] = page
            if missing:
                _LOG.warning("%d error pages cannot be had from %s", missing, ", ".join(servers))
        finally:
            self.fetched |= found
            self.due_s = now_s + (_KEPT_S if found else _AGAIN_S)
            self._is_under_way = False
            if self._first is not None:
                self._first.set()

    async def _ask(self, servers: tuple[str, ...], target: str) -> Page | None:
        fields: Fields = [(b"Accept", b"text/html, */*")]
        for each in servers:
            try:
                status, said, body = await self._tools.web.ask(
                    "GET", each + target, fields=fields, timeout_s=_FIRST_S
                )
            except OSError:
                continue
            if 200 <= status < 300:
                kind = next((value for name, value in said if name.lower() == b"content-type"), b"")
                return Page(body, kind or b"text/html; charset=utf-8")
        return None


def targets_of(query: str, statuses: tuple[range, ...]) -> list[str]:
    """Return what is to be asked for."""
    if _PLACE not in query:
        return [query]
    known = {int(each) for each in http.HTTPStatus if each >= http.HTTPStatus.BAD_REQUEST}
    wanted = sorted({code for each in statuses for code in each if len(each) == 1 or code in known})
    return [query.replace(_PLACE, str(code)) for code in wanted[:PAGES_FETCHED_MAX]]


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> FetchedPages:
    """Read the JSON above; pages that are here stay, as long as they are those that are wanted."""
    servers = tuple(each.rstrip("/") for each in spec.texts("From"))
    for each in servers:
        parts = urlsplit(each)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not each.isascii() or " " in each:
            raise spec.problem("From", f'must have servers such as "http://10.0.0.1:8080", not {each!r}')
    query = spec.text("Query") or "/"
    if not query.startswith("/") or not query.isascii() or not query.isprintable() or " " in query:
        raise spec.problem("Query", f'must look like "/{{status}}.html", not {query!r}')
    statuses = tuple(statuses_in("Statuses", each) for each in spec.texts("Statuses"))
    if not statuses:
        raise KeyProblem('Statuses is missing; give a list such as ["404", "500-599"]')
    made = FetchedPages(servers, query=query, statuses=statuses, tools=tools)
    if isinstance(previous, FetchedPages) and previous.source == made.source:
        made.fetched, made.due_s = previous.fetched, previous.due_s
    return made
