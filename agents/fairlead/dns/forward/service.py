"""The forwarder behind the responder's hooks: what is forwarded, what is refused, and what is said about it."""

from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from fairlead.dns import names
from fairlead.dns.answer import Answer
from fairlead.dns.client import Client
from fairlead.dns.edns import Ede, EdeCode
from fairlead.dns.forward.complete import End, completed, open_ends
from fairlead.dns.forward.forwarder import Forwarder, Told
from fairlead.dns.forward.packet import LOOP_OPTION, Question
from fairlead.dns.forward.routes import Routes, find_stubs
from fairlead.dns.forward.settings import ForwardSettings
from fairlead.dns.forward.upstream import Pool
from fairlead.dns.hooks import Forward, Reply
from fairlead.dns.message import CD, QR, RA, RD, Query, Rcode
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zones

TOKEN_BYTES: Final = 8
"""Who we are, in `LOOP_OPTION`; a question that has passed several of us carries one after the other."""

HOPS_MAX: Final = 8

_STALE: Final = Ede(EdeCode.STALE_ANSWER, "no upstream answers")
_STALE_NXDOMAIN: Final = Ede(EdeCode.STALE_NXDOMAIN_ANSWER, "no upstream answers")
_UNREACHABLE: Final = Ede(EdeCode.NO_REACHABLE_AUTHORITY, "no upstream answers")
_FULL: Final = Ede(EdeCode.OTHER, "too many questions under way")
_LOOP: Final = Ede(EdeCode.OTHER, "forwarding loop")
_REFUSED: Final = Answer(rcode=Rcode.REFUSED, zone=None)
_FAILED: Final = Answer(rcode=Rcode.SERVFAIL, zone=None)


class Report(Protocol):
    """Who hears of what the operator should put right."""

    def problem(self, key: str, text: str, /) -> None:
        """``key`` is wrong; ``text`` says how, and what to do."""


class Forwarding:
    """Decides which questions are forwarded, and answers them.

    Attributes:
        forwarder: asks and remembers.
        routes: who is asked.
        loops: questions that came back to us.
    """

    def __init__(
        self, forwarder: Forwarder, settings: ForwardSettings, *, zones: Zones, report: Report
    ) -> None:
        self.forwarder = forwarder
        self.routes = Routes()
        self.loops = 0
        self._zones = zones
        self._report = report
        self.settings = settings
        self.renew(settings)

    def renew(self, settings: ForwardSettings) -> None:
        """Take up new settings; what the old upstreams have said is forgotten if they change."""
        self.settings = settings
        self.forwarder.limits = settings.limits
        if self.routes.set_general(settings.nameservers, in_order=settings.in_order):
            self.forwarder.cache.clear()

    def follow(self, tree: Tree) -> bool:
        """Take up the stub zones that the keys name now; return whether they are others than before."""
        stubs = find_stubs(tree, self._zones.settings.zones) if self.settings.has_stubs else {}
        is_new = self.routes.set_stubs(stubs)
        if is_new:
            self.forwarder.cache.clear()
        return is_new

    # The hooks.

    def before(self, query: Query) -> Forward | None:
        """Return who answers before our own data does: the servers of a stub zone."""
        pool = self.routes.stub_of(query.name)
        return partial(self._ask, pool=pool) if pool is not None else None

    def forward(self, query: Query, client: Client, reply: Reply) -> None:
        """Answer a question outside our zones."""
        pool = self.routes.general
        if (
            pool is None
            or self.settings.no_rec
            or names.count_labels(query.name) < self._zones.settings.ndots
        ):
            reply(_REFUSED)
            return
        self._ask(query, client, reply, pool=pool)

    def complete(self, query: Query, answer: Answer) -> Forward | None:
        """Return who completes ``answer``, if it leads out of our zones to where we can ask."""
        if not query.recursion_desired or self.settings.no_rec:
            return None
        ends = [
            (end, pool)
            for end in open_ends(answer, query.qtype, zones=self._zones)
            if (pool := self.routes.of(end.question.name)) is not None
        ]
        return partial(self._complete, answer=answer, ends=ends) if ends else None

    # How they answer.

    def _ask(self, query: Query, client: Client, reply: Reply, *, pool: Pool) -> None:
        del client
        question = Question(
            name=query.name,
            qtype=query.qtype,
            dnssec_ok=query.dnssec_ok,
            checking_disabled=bool(query.flags & CD),
        )
        if not query.recursion_desired:
            told = self.forwarder.at_hand(question)
            if told is None:
                reply(_REFUSED)
            else:
                _tell(query, reply, told)
        elif self._is_loop(query):
            reply(replace(_FAILED, edes=(_LOOP,)))
        else:
            self.forwarder.ask(question, pool=pool, trail=_trail(query), take=partial(_tell, query, reply))

    def _complete(
        self, query: Query, client: Client, reply: Reply, *, answer: Answer, ends: list[tuple[End, Pool]]
    ) -> None:
        del client
        told: dict[End, Told] = {}

        def take(end: End, one: Told) -> None:
            told[end] = one
            if len(told) == len(ends):
                full = completed(answer, query.qtype, {end: told[end] for end, _ in ends})
                edes = (_STALE,) if any(one.is_stale for one in told.values()) else ()
                reply(replace(full, edes=edes) if full else replace(_FAILED, edes=(_UNREACHABLE,)))

        if self._is_loop(query):
            reply(replace(_FAILED, edes=(_LOOP,)))
            return
        trail = _trail(query)
        for end, pool in ends:
            self.forwarder.ask(end.question, pool=pool, trail=trail, take=partial(take, end))

    def _is_loop(self, query: Query) -> bool:
        trail = _trail(query)
        hops = [trail[at : at + TOKEN_BYTES] for at in range(0, len(trail), TOKEN_BYTES)]
        if self.forwarder.token not in hops and len(hops) < HOPS_MAX:
            return False
        self.loops += 1
        self._report.problem(
            "forwarding loop",
            f"a question for {names.to_text(query.name)} came back: one of the servers that we forward to forwards to "
            "us; take it out of --nameservers, or out of the stub zone's keys",
        )
        return True


def _trail(query: Query) -> bytes:
    data = query.edns.options.get(LOOP_OPTION, b"") if query.edns is not None else b""
    return data if len(data) % TOKEN_BYTES == 0 else b""


def _tell(query: Query, reply: Reply, told: Told) -> None:
    response = told.response
    if response is None:
        reply(replace(_FAILED, edes=(_FULL if told.is_full else _UNREACHABLE,)))
        return
    rcode = response.rcode if response.rcode <= 0xF else Rcode.SERVFAIL
    flags = QR | RA | rcode | query.flags & (RD | CD)
    words = (0, flags, 1, *response.counts)
    header = b"".join(word.to_bytes(2, "big") for word in words)
    stale = (_STALE_NXDOMAIN if rcode == Rcode.NXDOMAIN else _STALE,) if told.is_stale else ()
    reply(header + query.question + told.body, *stale)
