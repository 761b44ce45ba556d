"""Linearizable reads that wait: for the leader's word, then for this member to have applied enough.

Many reads share one question to the leader: what arrives while one is under way waits for the next.  A question
that gets no answer is put again, with a number that was never used before, so that the answer to one attempt
cannot confirm a later one.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from fairlead.member.errors import MemberError, TooManyRequestsError
from fairlead.raft import ReadState

Done = Callable[[MemberError | None], None]
"""Called once: with None when the applied state may be read, or with the reason why it may not."""


class WaitingReads:
    """Reads of one member, from their arrival to their end."""

    __slots__ = ("_arrived", "_asked", "_asked_ticks", "_confirmed", "_count", "_count_max", "_order", "_retry_ticks", "context")  # fmt: skip

    def __init__(self, *, count_max: int, retry_ticks: int) -> None:
        self._count_max = count_max
        self._retry_ticks = retry_ticks
        self._arrived: deque[tuple[float, Done]] = deque()
        self._asked: deque[tuple[float, Done]] = deque()
        self._asked_ticks = 0
        self._confirmed: list[tuple[int, int, deque[tuple[float, Done]]]] = []
        self._count = 0
        self._order = 0
        self.context = 0
        """Of the question that is under way; 0 when there is none."""

    def __len__(self) -> int:
        return self._count

    def add(self, done: Done, *, deadline_s: float) -> None:
        """Take a read.

        Raises:
            TooManyRequestsError: too many wait.
        """
        if self._count >= self._count_max:
            raise TooManyRequestsError
        self._count += 1
        self._arrived.append((deadline_s, done))

    @property
    def is_due(self) -> bool:
        """Whether there is something to ask now."""
        return not self.context and bool(self._arrived)

    def asked(self, context: int) -> None:
        """Take note of a question: everything that has arrived waits for its answer."""
        self.context = context
        self._asked, self._arrived = self._arrived, deque()
        self._asked_ticks = 0

    def ask_again(self) -> None:
        """Give up the question that is under way; its reads are due again."""
        self._asked.extend(self._arrived)
        self._arrived, self._asked = self._asked, deque()
        self.context = 0

    def tick(self) -> None:
        """Let one tick pass: a question without an answer is due again after a while."""
        if self.context:
            self._asked_ticks += 1
            if self._asked_ticks >= self._retry_ticks:
                self.ask_again()

    def confirmed(self, state: ReadState) -> None:
        """Take an answer; one to a question that was given up is of no use."""
        if state.context == self.context:
            self._order += 1
            heappush(self._confirmed, (state.index, self._order, self._asked))
            self._asked = deque()
            self.context = 0

    def release(self, *, applied: int) -> None:
        """Let everybody read who waits for no more than ``applied``."""
        while self._confirmed and self._confirmed[0][0] <= applied:
            _, _, reads = heappop(self._confirmed)
            self._count -= len(reads)
            for _, done in reads:
                done(None)

    def expire(self, *, now_s: float, error_for: Callable[[float], MemberError]) -> None:
        """Tell those who have waited too long."""
        for waiting in (self._arrived, self._asked, *(reads for _, _, reads in self._confirmed)):
            while waiting and waiting[0][0] <= now_s:
                deadline_s, done = waiting.popleft()
                self._count -= 1
                done(error_for(deadline_s))

    def fail_all(self, error: MemberError) -> None:
        """Tell everybody."""
        everybody = [
            *self._arrived,
            *self._asked,
            *(read for _, _, reads in self._confirmed for read in reads),
        ]
        self._arrived, self._asked, self._confirmed = deque(), deque(), []
        self._count = self.context = 0
        for _, done in everybody:
            done(error)
