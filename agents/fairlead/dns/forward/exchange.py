"""One question on its way through the upstreams: whom to ask next, when, and which answer counts.

Without IO: it is told of packets and of time, and says what to send.  Hedged: when the first upstream takes longer than it
mostly does, the second is asked beside it, and the first good answer wins.
"""

from dataclasses import dataclass
from typing import Final

from fairlead.dns.forward.errors import BadResponseError, WrongCaseError
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.packet import Question, Response, parse_response, query_packet, question_bytes
from fairlead.dns.forward.upstream import Chance, Pool, Upstream
from fairlead.dns.message import Rcode

_ANSWERS: Final = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN})
_NO_EDNS: Final = frozenset({Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS})


@dataclass(slots=True, eq=False)
class Attempt:
    """One query to one upstream.

    Attributes:
        packet: what is sent.
        over_tcp: by which way.
        late_s: when its time is over.
        is_open: an answer may still come.
        is_late: its time is over; an answer is welcome all the same.
        has_refused: the upstream has answered, but not the question.
        proves_case: the same question was answered in the wrong case over UDP.
    """

    upstream: Upstream
    packet: bytes
    asked: bytes
    ident: int
    over_tcp: bool
    sent_s: float
    late_s: float
    is_open: bool = True
    is_late: bool = False
    has_refused: bool = False
    proves_case: bool = False


class Exchange:
    """One question until it is answered, or given up.

    Attributes:
        response: the answer, once there is one; else the last failure that an upstream has told.
        is_done: nothing more will happen.
        next_s: when `tick` wants to be called.
        bogus: answers that were not ours, or not well-formed.
    """

    def __init__(
        self,
        question: Question,
        pool: Pool,
        *,
        limits: ForwardLimits,
        rng: Chance,
        token: bytes,
        now_s: float,
    ) -> None:
        self.question = question
        self.response: Response | None = None
        self.is_done = False
        self.bogus = 0
        self._limits = limits
        self._rng = rng
        self._token = token
        self._order, self._trial = pool.order(now_s=now_s)
        self._turn = 0
        self._attempts: list[Attempt] = []
        self._deadline_s = self.next_s = now_s + limits.deadline_s

    def start(self, *, now_s: float) -> list[Attempt]:
        """Return the first queries to send."""
        attempts = self._ask_next(now_s=now_s)
        if self._trial is not None:
            attempts.append(self._ask(self._trial, now_s=now_s))
        return attempts

    def tick(self, *, now_s: float) -> list[Attempt]:
        """Return the queries to send now that ``next_s`` is over."""
        if self.is_done or now_s < self.next_s:
            return []
        self._note_late(now_s=now_s)
        if now_s >= self._deadline_s:
            self.end()
            return []
        return self._ask_next(now_s=now_s)

    def take(self, attempt: Attempt, packet: bytes, *, now_s: float) -> list[Attempt]:
        """Return the queries to send now that ``packet`` has come for ``attempt``."""
        if self.is_done or not attempt.is_open:
            return []
        try:
            response = parse_response(packet, asked=attempt.asked, ident=attempt.ident)
        except WrongCaseError:
            return self._after_wrong_case(attempt, now_s=now_s)
        except BadResponseError:
            return self._after_bogus(attempt, now_s=now_s)
        attempt.is_open = False
        attempt.upstream.took(now_s - attempt.sent_s, is_of_use=response.rcode in _ANSWERS)
        if attempt.proves_case:
            attempt.upstream.was_lazy()
        if response.is_truncated and not attempt.over_tcp:
            return [self._ask(attempt.upstream, now_s=now_s, over_tcp=True)]
        if response.rcode in _ANSWERS:
            self.response = response
            self._note_late(now_s=now_s)
            self._note_refusals(now_s=now_s)
            self.end()
            return []
        return self._after_refusal(attempt, response, now_s=now_s)

    def lost(self, attempt: Attempt, *, now_s: float, is_our_fault: bool = False) -> list[Attempt]:
        """Return the queries to send now that ``attempt`` cannot be answered: no route, port closed, connection lost.

        Args:
            attempt: which.
            now_s: the time.
            is_our_fault: it was never sent, since we have no socket: that is not the upstream's failure.
        """
        if self.is_done or not attempt.is_open:
            return []
        attempt.is_open = False
        if not attempt.is_late and not is_our_fault:
            attempt.upstream.lost(now_s=now_s, rng=self._rng)
        return self._ask_next(now_s=now_s)

    # After an answer that is none.

    def _after_refusal(self, attempt: Attempt, response: Response, *, now_s: float) -> list[Attempt]:
        upstream = attempt.upstream
        if response.rcode in _NO_EDNS and upstream.has_edns:
            # RFC 6891, section 7: who does not know EDNS may say so by FORMERR.
            upstream.has_edns = False
            return [self._ask(upstream, now_s=now_s)]
        attempt.has_refused = True
        self.response = response
        return self._ask_next(now_s=now_s)

    def _after_wrong_case(self, attempt: Attempt, *, now_s: float) -> list[Attempt]:
        """The upstream changes the case of letters, or somebody forges: TCP can tell, since nobody forges there."""
        attempt.is_open = False
        self.bogus += 1
        if attempt.over_tcp:
            attempt.upstream.keeps_case = False
        again = self._ask(attempt.upstream, now_s=now_s, over_tcp=True)
        again.proves_case = True
        return [again]

    def _after_bogus(self, attempt: Attempt, *, now_s: float) -> list[Attempt]:
        """The true answer may still come; when many come that are not, ask where nobody can forge."""
        self.bogus += 1
        if attempt.over_tcp:
            return self.lost(attempt, now_s=now_s)
        if self.bogus < self._limits.bogus_max:
            return []
        attempt.is_open = False
        return [self._ask(attempt.upstream, now_s=now_s, over_tcp=True)]

    # Asking.

    def _ask_next(self, *, now_s: float) -> list[Attempt]:
        was_refused_by_all = self.response is not None and self._turn >= len(self._order)
        if was_refused_by_all or len(self._attempts) >= self._limits.attempts_max:
            self._wait_or_end()
            return []
        upstream = self._order[self._turn % len(self._order)]
        can_hedge = self._turn == 0 and len(self._order) > 1
        self._turn += 1
        wait_s = upstream.hedge_s if can_hedge else upstream.timeout_s
        self.next_s = min(now_s + wait_s, self._deadline_s)
        return [self._ask(upstream, now_s=now_s)]

    def _wait_or_end(self) -> None:
        """Nobody is left to ask: wait for those that were."""
        waiting = [attempt for attempt in self._attempts if attempt.is_open]
        if not waiting:
            self.end()
            return
        ends_s = [attempt.late_s for attempt in waiting if not attempt.is_late]
        self.next_s = min([self._deadline_s, *ends_s])

    def _ask(self, upstream: Upstream, *, now_s: float, over_tcp: bool = False) -> Attempt:
        letters = self._rng.getrandbits(8 * len(self.question.name)) if upstream.keeps_case else 0
        asked = question_bytes(self.question, case_bits=letters)
        ident = self._rng.getrandbits(16)
        packet = query_packet(
            self.question,
            asked,
            ident=ident,
            udp_bytes_max=self._limits.udp_bytes_max if upstream.has_edns else 0,
            token=self._token,
        )
        upstream.asked += 1
        wait_s = self._limits.tcp_s if over_tcp else upstream.timeout_s
        attempt = Attempt(upstream, packet, asked, ident, over_tcp, now_s, now_s + wait_s)
        self._attempts.append(attempt)
        return attempt

    # What the upstreams are remembered for.

    def _note_late(self, *, now_s: float) -> None:
        for attempt in self._attempts:
            if attempt.is_open and not attempt.is_late and now_s >= attempt.late_s:
                attempt.is_late = True
                attempt.upstream.lost(now_s=now_s, rng=self._rng)

    def _note_refusals(self, *, now_s: float) -> None:
        """Who refuses what another answers is of no use, however fast it is."""
        for attempt in self._attempts:
            if attempt.has_refused:
                attempt.upstream.lost(now_s=now_s, rng=self._rng)

    def end(self) -> None:
        """Nothing more will happen."""
        self.is_done = True
        for attempt in self._attempts:
            attempt.is_open = False
