"""The pages of the name server beside /metrics: ``/explain``, ``/dns.json``, and ``/dns`` for people."""

import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, Final

import dns.exception
import dns.rdatatype
from fairlead.agent import Page
from fairlead.dns import names
from fairlead.dns.errors import BadNameError
from fairlead.dns.explain.explain import Explainer
from fairlead.dns.explain.live import Live

_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
_USAGE: Final = "write /explain?name=web.skydns.local&type=A&client=10.0.0.1\n"


class Pages:
    """Makes the pages.

    Args:
        explainer: explains.
        live: what is asked for and what changes.
        about: what holds for the whole server now, for the top of the page.
    """

    def __init__(self, explainer: Explainer, live: Live, *, about: Callable[[], Mapping[str, Any]]) -> None:
        self._explainer = explainer
        self._live = live
        self._about = about

    def by_path(self) -> dict[str, Callable[[Mapping[str, str]], Page]]:
        """Return the pages by their paths."""
        return {"/explain": self.explain, "/dns.json": self.state, "/dns": self.page}

    def explain(self, fields: Mapping[str, str]) -> Page:
        """Explain ``name``, ``type`` (A) as asked by ``client``; with ``as=text`` for a terminal."""
        try:
            name = names.from_text(fields["name"].lower())
            qtype = dns.rdatatype.from_text(fields.get("type", "A"))
            client = str(ip_address(fields.get("client", "127.0.0.1")))
        except (KeyError, ValueError, BadNameError, dns.exception.DNSException) as error:
            return Page(status=400, body=f"{error}; {_USAGE}".encode())
        told = self._explainer.explain(name, qtype, ip=client)
        if fields.get("as") == "text":
            return Page(body=told.as_text().encode())
        return Page(body=json.dumps(told.as_json()).encode(), kind=_JSON)

    def state(self, fields: Mapping[str, str]) -> Page:
        """Return all that the page shows; ``at`` is where in the tree."""
        try:
            at = names.from_text(fields.get("at", "").lower())
        except BadNameError as error:
            return Page(status=400, body=f"{error}\n".encode())
        state = {
            "about": dict(self._about()),
            **self._live.top(),
            "changes": self._live.changes(),
            "at": names.to_text(at),
            "tree": self._live.tree(at),
        }
        return Page(body=json.dumps(state).encode(), kind=_JSON)

    def page(self, fields: Mapping[str, str]) -> Page:
        """Return the page itself."""
        del fields
        return Page(body=files(__package__).joinpath("page.html").read_bytes(), kind=_HTML)
