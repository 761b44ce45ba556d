"""Compiled answers, by the bytes of their questions.

An entry is built when its question is first asked, and goes when a change touches a name that it was made from: a changed
key touches its own name and every name above it, since those answer for their subtrees.  The table is bounded, and answers
that a name does not exist are never put into it: whoever asks for random names gets them computed, and fills nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import cycle
from typing import TYPE_CHECKING, Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, Soa
from fairlead.dns.client import Origin
from fairlead.dns.edns import OPT_BYTES, Ede
from fairlead.dns.message import AA, CD, HEADER_BYTES, QR, RA, RD, TC, TCP_BYTES_MAX, TTL_S_MAX, Query, Rcode
from fairlead.dns.names import Name
from fairlead.dns.tallies import Kind, Tallies
from fairlead.dns.wire import ALL, Sections

if TYPE_CHECKING:
    from fairlead.dns.zone import Zone

_ROOMS_MAX: Final = 4
"""Sizes for which one entry is kept cut to fit; other sizes are cut anew."""

DO_SUFFIX: Final = b"\1"
"""Ends the key of an entry with signatures."""

_READY_MAX: Final = 4
"""Forms of one question (with RD, with EDNS, ...) for which whole responses are kept ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for all answers at present.

    Attributes:
        ttl_s_max: no answer may be remembered for longer; cut while the store is away.
        edes: extended errors in all answers to clients with EDNS (RFC 8914).
        recursion_available: RA, for a server that forwards.
        answers_max: records of one RRset over UDP, 1 or more; others have their turn.
    """

    ttl_s_max: int = TTL_S_MAX
    edes: tuple[Ede, ...] = ()
    recursion_available: bool = False
    answers_max: int = ALL


def key_of(query: Query) -> bytes:
    """Return the key of the entry that answers ``query``: name in lower case, type and class, and the DO bit."""
    return query.name + query.question[-4:] + (DO_SUFFIX if query.dnssec_ok else b"")


def variant(flags: int, *, has_opt: bool) -> int:
    """Return which of an entry's heads answers a query with ``flags``: RD and CD are copied, OPT is counted."""
    return (flags & RD) >> 8 | (flags & CD) >> 3 | has_opt << 2


@lru_cache(maxsize=4096)
def heads_of(flags: int, answers: int, authorities: int, additionals: int) -> tuple[bytes, ...]:
    """Return the header without its id for each `variant`; shared by all entries that look alike."""
    return tuple(
        b"".join(
            word.to_bytes(2, "big")
            for word in (
                flags | QR | (RD if number & 1 else 0) | (CD if number & 2 else 0),
                1,
                answers,
                authorities,
                additionals + (number >> 2),
            )
        )
        for number in range(8)
    )


class Entry:
    """One answer, ready to be sent.

    Attributes:
        heads: the header after the id, by `variant`.
        bodies: what follows the question, in each of its orders; empty when it is made anew for each use.
        next_body: gives what follows the question; each call gives the next order.
        keys: under which responses made from this entry are ready.
        size: bytes of the largest response, without OPT.
        is_kept: the table has it, and drops it in time.
        is_truncated: something that was required is missing.
        rcode: what it says of the name, also where a compact denial puts it otherwise.
        edes: extended errors of this answer.
    """

    __slots__ = (
        "_choose", "_cuts", "_flags", "_question_size", "_sections", "_variants", "bodies", "edes", "heads",
        "is_kept", "is_truncated", "keys", "next_body", "rcode", "size",
    )  # fmt: skip

    def __init__(self, *, flags: int, question_size: int, sections: Sections | None) -> None:
        self._flags = flags
        self._question_size = question_size
        self._sections = sections
        self._cuts: dict[tuple[int, int], Entry] = {}
        self._choose: Callable[[Origin], int] | None = None
        self._variants: tuple[Entry, ...] = ()
        self.bodies: tuple[bytes, ...] = ()
        self.is_kept = False
        self.is_truncated = False
        self.keys: list[bytes] = []
        self.edes: tuple[Ede, ...] = ()
        self.rcode = flags & 0xF

    def __repr__(self) -> str:
        return f"Entry({self.size} bytes, truncated={self.is_truncated})"

    @classmethod
    def of_answer(cls, question_name: Name, answer: Answer, terms: Terms) -> "Entry":
        """Return the entry of a question for ``question_name``, as large as TCP allows."""
        question_size = len(question_name) + 4
        is_ours = (answer.zone is not None and not answer.is_referral) or answer.is_local
        is_ours = is_ours and answer.rcode != Rcode.SERVFAIL
        flags = answer.rcode | (AA if is_ours else 0) | (RA if terms.recursion_available else 0)
        if answer.soa is not Soa.NOWHERE:
            entry = cls._of_soa(question_name, answer, flags, terms)
        else:
            sections = Sections(question_name, answer, ttl_s_max=terms.ttl_s_max)
            entry = cls(flags=flags, question_size=question_size, sections=sections)
            entry._lay_out(TCP_BYTES_MAX - OPT_BYTES)
        entry.edes = answer.edes
        if answer.choose is not None:
            entry._choose = answer.choose
            entry._variants = tuple(cls.of_answer(question_name, one, terms) for one in answer.variants)
        return entry

    @classmethod
    def _of_soa(cls, question_name: Name, answer: Answer, flags: int, terms: Terms) -> "Entry":
        """The SOA record is asked for at each use: the zone knows its serial."""
        zone = answer.zone
        assert zone is not None
        entry = cls(flags=flags, question_size=len(question_name) + 4, sections=None)
        is_answer = answer.soa is Soa.ANSWER
        owner_offset = HEADER_BYTES + len(question_name) - len(zone.name)
        entry.next_body = (
            partial(zone.soa_answer, terms.ttl_s_max)
            if is_answer
            else partial(zone.soa_denial, terms.ttl_s_max, owner_offset)
        )
        entry.heads = heads_of(flags, int(is_answer), int(not is_answer), 0)
        entry.size = HEADER_BYTES + entry._question_size + len(entry.next_body())
        return entry

    @property
    def is_for_all(self) -> bool:
        """Whether every client may be sent the same response."""
        return self._choose is None and not self.edes

    @property
    def depends_on_origin(self) -> bool:
        """Whether `chosen` must be asked which answer it is."""
        return self._choose is not None

    def chosen(self, origin: Origin) -> "Entry":
        """Return the entry for who asks from ``origin``."""
        if self._choose is None:
            return self
        return self._variants[self._choose(origin)]

    def fitted(self, room: int, answers_max: int) -> "Entry":
        """Return this entry, or as much of it as ``room`` bytes hold, OPT not counted; see `Sections.lay_out`."""
        sections = self._sections
        if sections is None or (self.size <= room and sections.records_max <= answers_max):
            return self
        cut = self._cuts.get((room, answers_max))
        if cut is None:
            cut = Entry(flags=self._flags, question_size=self._question_size, sections=sections)
            cut._lay_out(room, answers_max)
            if len(self._cuts) < _ROOMS_MAX:
                self._cuts[room, answers_max] = cut
        return cut

    def _lay_out(self, room: int, answers_max: int = ALL) -> None:
        assert self._sections is not None
        fixed = HEADER_BYTES + self._question_size
        layout = self._sections.lay_out(room - fixed, answers_max)
        self.is_truncated = layout.is_truncated
        flags = self._flags | (TC if layout.is_truncated else 0)
        self.heads = heads_of(flags, layout.answers, layout.authorities, layout.additionals)
        self.size = fixed + max(map(len, layout.bodies))
        self.bodies = layout.bodies
        self.next_body: Callable[[], bytes] = cycle(layout.bodies).__next__


class Ready:
    """A whole response but for its id, and how often it has been sent.

    Attributes:
        uses: counted by who sends it.
        next_response: gives what follows the id, the name in lower case; each call gives the next order.
        kind: which of the `Tallies` its uses belong to.
        is_whole: nothing was left out for want of room, so it answers on streams too.
    """

    __slots__ = ("is_whole", "kind", "next_response", "uses")

    def __init__(self, next_response: Callable[[], bytes], kind: Kind, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.next_response = next_response
        self.kind = kind
        self.uses = 0


class Table:
    """The entries, at most ``entries_max``; the oldest makes room."""

    def __init__(self, *, entries_max: int) -> None:
        self.entries: OrderedDict[bytes, Entry] = OrderedDict()
        """By `key_of` a question."""
        self.ready: dict[bytes, Ready] = {}
        """By all of a query but its id, the name in lower case.  Read on the hot path."""
        self.tallies = Tallies()
        self.heard: Callable[[Name, int], None] | None = None
        """Hears how often a name was answered from the table, when uses are counted."""
        self.terms = Terms()
        self._entries_max = entries_max
        self._denials: dict[tuple[Zone, int], Entry] = {}
        self._sources: dict[bytes, frozenset[Name]] = {}
        self._dependents: dict[Name, set[bytes]] = {}

    def __repr__(self) -> str:
        return f"Table({len(self.entries)} of {self._entries_max} entries)"

    def set_terms(self, terms: Terms) -> None:
        """Let ``terms`` hold for all answers from now on."""
        if terms != self.terms:
            self.terms = terms
            self.clear()

    def compile(self, question_name: Name, answer: Answer) -> Entry:
        """Return the entry for ``answer``, without keeping it."""
        return Entry.of_answer(question_name, answer, self.terms)

    def add(self, question: bytes, entry: Entry, depends_on: frozenset[Name]) -> None:
        """Keep ``entry`` until one of ``depends_on``, or a name below one, changes."""
        if question in self.entries:
            self._drop(question)
        elif len(self.entries) >= self._entries_max:
            self._drop(next(iter(self.entries)))
        self.entries[question] = entry
        entry.is_kept = True
        self._sources[question] = depends_on
        for name in depends_on:
            self._dependents.setdefault(name, set()).add(question)

    def make_ready(self, key: bytes, entry: Entry, ready: Ready) -> None:
        """Let ``ready`` answer the query ``key`` for as long as ``entry`` is kept, if it is at all."""
        if not entry.is_kept or key in self.ready:
            return
        if len(entry.keys) >= _READY_MAX:
            self._retire(entry.keys.pop(0))
        entry.keys.append(key)
        self.ready[key] = ready

    def count(self) -> Tallies:
        """Return the tallies, with the uses of all responses that are ready counted in."""
        for key, ready in self.ready.items():
            self._tally(key, ready)
        return self.tallies

    def denial(self, question_name: Name, answer: Answer) -> Entry:
        """Return the entry for a name that does not exist: one serves all names of one length in a zone."""
        assert answer.rcode == Rcode.NXDOMAIN
        assert answer.zone is not None
        if answer.soa is Soa.NOWHERE:  # it proves what it says, of this one name
            return self.compile(question_name, answer)
        key = (answer.zone, len(question_name))
        entry = self._denials.get(key)
        if entry is None:
            entry = self._denials[key] = self.compile(question_name, answer)
        return entry

    def touch(self, changed: Iterable[Name]) -> None:
        """Drop every entry that was made from one of the names ``changed``, or from a name above."""
        above = {suffix for name in changed for suffix in names.suffixes(name)}
        for name in above:
            for question in tuple(self._dependents.get(name, ())):
                self._drop(question)

    def clear(self) -> None:
        """Drop every entry."""
        self.count()
        self.ready.clear()
        self.entries.clear()
        self._denials.clear()
        self._sources.clear()
        self._dependents.clear()

    def _drop(self, question: bytes) -> None:
        for key in self.entries.pop(question).keys:
            self._retire(key)
        for name in self._sources.pop(question):
            dependents = self._dependents[name]
            dependents.discard(question)
            if not dependents:
                del self._dependents[name]

    def _retire(self, key: bytes) -> None:
        self._tally(key, self.ready.pop(key))

    def _tally(self, key: bytes, ready: Ready) -> None:
        if ready.uses:
            self.tallies.add(ready.kind, ready.uses)
            if self.heard is not None:
                # The key is a query without its id, and the name ends at its first zero byte.
                self.heard(key[HEADER_BYTES - 2 : key.index(0, HEADER_BYTES - 2) + 1], ready.uses)
            ready.uses = 0
