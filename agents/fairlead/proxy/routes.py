"""From changes of the store to the snapshot in force: one revision is one switch.

A Change is taken whole, a new snapshot is built beside the old one, and one assignment puts it in force: a
request sees all of a transaction or nothing of it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from fairlead.proxy.aliases import Alias
from fairlead.proxy.catalog import Catalog, Touched, is_discovered
from fairlead.proxy.config import Limits
from fairlead.proxy.discovery import Discovery
from fairlead.proxy.findings import Findings
from fairlead.proxy.keys import Kind
from fairlead.proxy.middleware.chains import Chains
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.model import Host, Listener
from fairlead.proxy.registry import Registry
from fairlead.proxy.relations import backends_of
from fairlead.proxy.state import Snapshot
from fairlead.proxy.tcp_routes import with_routes
from fairlead.proxy.traefik import VIRTUAL, Translator


class Board(Protocol):
    """Where the operator is told; ``fairlead.agent.Status`` is one."""

    def applied(self, revision: int) -> None:
        """Everything up to ``revision`` is in force."""

    def problem(self, key: bytes | str, text: str) -> None:
        """``key`` is wrong."""

    def healed(self, key: bytes | str) -> None:
        """``key`` is right again, or gone."""

    def count(self, name: str, number: int) -> None:
        """There are so many ``name`` now."""


class Routes:
    """The configuration as it follows the store.

    Attributes:
        names_wanted: set once a backend is a DNS name, and ``apply_names`` has to be called from then on.
    """

    def __init__(
        self,
        prefixes: tuple[bytes, ...],
        *,
        limits: Limits,
        board: Board,
        switch: Callable[[Snapshot], None],
        tools: Tools,
        zone: str = "",
        edge: Callable[[Iterable[Listener], Iterable[Host]], None] = lambda *_: None,
        discovery: Discovery | None = None,
        translator: Translator | None = None,
        aliases: Sequence[Alias] = (),
    ) -> None:
        """Start with nothing.

        Args:
            prefixes: of the keys to read.
            limits: for backends that name none.
            board: where problems are named.
            switch: puts a snapshot in force.
            tools: what middlewares may use of the world.
            zone: where this proxy is.
            edge: told of the listeners and hosts when one of them has changed.
            translator: reads Traefik's keys too; None: they are not read.
            aliases: texts in routes that may as well be others.
            discovery: reads DNS records; None: those of SkyDNS's own prefix and domain.
        """
        self.chains = Chains(tools)
        self.discovery = discovery or Discovery("/skydns", "skydns.local")
        self.names_wanted = asyncio.Event()
        self._translator = translator
        self._names: dict[str, str] = {}  # by id of the backends that are DNS names
        self.catalog = Catalog((*prefixes, VIRTUAL + b"/"), check=self.chains.check, aliases=aliases)
        self._registry = Registry(limits, self.chains, zone=zone, workers=tools.workers)
        self._board = board
        self._switch = switch
        self._edge = edge
        self._findings = Findings(board)
        self._revision = 0
        self._has_switched = False
        self._panicking: frozenset[str] = frozenset()

    def apply(self, revision: int, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> None:
        """Take one change of the store, and switch if it touches anything."""
        catalog, board = self.catalog, self._board
        if self._translator is not None:
            puts, deletes = self._translate(self._translator, puts, deletes)
        touched, report = catalog.apply(puts, deletes)
        # The two spellings of the prefix are followed apart; the newer of the two tells how far we are.
        self._revision = max(self._revision, revision)
        self._follow_names(touched)
        self._follow(touched)
        if touched.sockets or (touched.backends and catalog.tcp_routes):
            self._follow_sockets()
        for key in sorted(report.healed):
            board.healed(self._named(key))
        for key, text in sorted(report.problems.items()):
            board.problem(self._named(key), text)
        board.count("frontends", len(catalog.frontends))
        board.count("backends", len(catalog.backends))
        board.count("servers", catalog.servers_count)
        board.applied(self._revision)

    def _translate(
        self, translator: Translator, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]
    ) -> tuple[Mapping[bytes, bytes], Iterable[bytes]]:
        deletes = list(deletes)
        translated = translator.apply(puts, deletes)
        for key, text in sorted(translated.problems.items()):
            if text:
                self._board.problem(key, text)
            else:
                self._board.healed(key)
        return {**puts, **translated.puts}, [*deletes, *translated.deletes]

    def _named(self, key: bytes) -> bytes:
        return self._translator.name_of(key) if self._translator is not None else key

    def apply_names(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> None:
        """Take one change of the DNS records."""
        keys = self.discovery.apply(puts, deletes)
        touched = Touched()
        for backend_id, name in self._names.items():
            if self.discovery.concerns(name, keys):
                servers = self.discovery.servers_of(name, backend_id=backend_id)
                self.catalog.discover(backend_id, servers, touched)
        self._follow(touched)
        self._board.count("servers", self.catalog.servers_count)

    def _follow(self, touched: Touched) -> None:
        if touched or not self._has_switched:
            self._has_switched = True
            self._switch(self._registry.follow(self.catalog, touched, revision=self._revision))

    def _follow_sockets(self) -> None:
        catalog = self.catalog
        listeners, wrong = with_routes(
            catalog.listeners.values(), catalog.tcp_routes.values(), has_backend=catalog.has_backend
        )
        self._edge(listeners, catalog.hosts.values())
        self._findings.tell(
            {
                self._named(catalog.key_of(Kind.TCP_ROUTE, name)): f"TCP route {name}: {text}"
                for name, text in wrong.items()
            }
        )

    def _follow_names(self, touched: Touched) -> None:
        """Find out which backends are DNS names now, and what their servers are."""
        catalog = self.catalog
        concerned = set(touched.backends)
        for name, old in touched.frontends.items():
            for frontend in (old, catalog.frontends.get(name)):
                if frontend is not None:
                    concerned |= {each for each in backends_of(frontend) if is_discovered(each)}
        for backend_id in concerned:
            if name := catalog.name_of(backend_id):
                self._names[backend_id] = name
                self.names_wanted.set()
                servers = self.discovery.servers_of(name, backend_id=backend_id)
            else:
                self._names.pop(backend_id, None)
                servers = {}
            catalog.discover(backend_id, servers, touched)
        touched.backends |= concerned

    def tick(self, now_s: float) -> None:
        """Do what time brings: for ``Service.on_tick``."""
        self._registry.tick(now_s)
        panicking = self._registry.panicking()
        if panicking != self._panicking:
            for backend_id in panicking - self._panicking:
                self._board.problem(
                    f"backend {backend_id}", "none of its servers is fit; all of them are asked"
                )
            for backend_id in self._panicking - panicking:
                self._board.healed(f"backend {backend_id}")
            self._panicking = panicking
