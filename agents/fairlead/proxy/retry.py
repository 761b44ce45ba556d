"""Whether a request goes to another server after it failed at one: only where that is safe, and within a budget.

A request is repeated if its predicate says so, if doing it twice does no more than doing it once (an idempotent method,
or nothing of it has reached a server; RFC 9110, section 9.2.2), if all of its body is still here, if there is a server
that has not failed it yet, and if the budget has room: repeats must not multiply the load of servers that are failing
because of it.  So a repeat costs nothing when the attempt before it reached no server, and what it cost comes back when
a predicate, which sees all answers, is content with its answer.  Sans-IO.
"""

from typing import TYPE_CHECKING

from fairlead.proxy.balance import REFUSED, Attempt, Chance
from fairlead.proxy.failover import Failed, decides_about_methods, parse_failover
from fairlead.proxy.model import Frontend, Retry

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan

_FLOOR_PER_S = 3.0
"""So many repeats a second are always allowed, however few requests there are."""
_SAVED_MAX = 10.0
"""So many repeats may be saved up for a bad moment."""
_WAIT_FIRST_S = 0.025
_WAIT_MAX_S = 0.25


class Budget:
    """How many repeats one frontend has left; it outlives every change."""

    __slots__ = ("_repeats", "_requests", "_seen_s", "_tokens")

    def __init__(self) -> None:
        self._tokens = _SAVED_MAX
        self._requests = 0
        self._repeats = 0
        self._seen_s: float | None = None

    def take(self, ratio: float, *, requests: int, now_s: float) -> bool:
        """Take one repeat if there is one.

        Args:
            ratio: repeats for each request.
            requests: that servers have been asked for since the start, repeats among them; any drop is a server
                that has gone.
            now_s: monotonic.
        """
        if self._seen_s is None:
            self._seen_s, self._requests = now_s, requests
        fresh = max(0, requests - self._requests - self._repeats)
        earned = fresh * ratio + (now_s - self._seen_s) * _FLOOR_PER_S
        self._tokens = min(self._tokens + earned, _SAVED_MAX)
        self._seen_s, self._requests, self._repeats = now_s, requests, 0
        if self._tokens < 1:
            return False
        self._tokens -= 1
        self._repeats = 1
        return True

    def give_back(self) -> None:
        """Give one repeat back: it was worth its while."""
        self._tokens = min(self._tokens + 1, _SAVED_MAX)


class Repeating:
    """The policy of one frontend; see ``RetryPolicy``."""

    __slots__ = (
        "_attempts_max",
        "_budget",
        "_predicate",
        "_ratio",
        "_rng",
        "_trusts_predicate",
        "sees_answers",
    )

    def __init__(self, frontend: Frontend, budget: Budget, *, rng: Chance) -> None:
        retry = frontend.retry or Retry()
        self._budget = budget
        self._ratio = retry.budget_ratio
        self._attempts_max = retry.attempts_max
        self._rng = rng
        self._predicate = parse_failover(frontend.failover) if frontend.failover else None
        self._trusts_predicate = decides_about_methods(frontend.failover)
        self.sees_answers = self._predicate is not None

    def delay_s(self, plan: "Plan", attempt: Attempt, now_s: float) -> float | None:
        """See ``RetryPolicy``."""
        if not attempt.is_repeatable or attempt.attempts >= self._attempts_max or attempt.retry_after:
            return None
        is_safe = not attempt.may_have_acted or plan.request.is_idempotent
        if self._predicate is None:
            is_wanted = attempt.failure is not None
        else:
            failed = Failed(attempt.status, attempt.attempts, plan.request.method.decode("latin-1"))
            is_wanted = self._predicate(failed)
            is_safe = is_safe or self._trusts_predicate
            # What a predicate would not have repeated after a first attempt either is not merely the last one allowed.
            is_content = attempt.failure is None and not self._predicate(failed._replace(attempts=1))
            if is_content and attempt.attempts > 1:
                self._budget.give_back()
        if not is_wanted or not is_safe:
            return None
        servers = [
            server
            for backend_id in _backends(plan)
            if (group := plan.snapshot.groups.get(backend_id)) is not None
            for server in group.servers
        ]
        requests = sum(server.requests for server in servers)
        if attempt.attempts >= len(servers):
            return None
        # Who could not even be connected to has had no load.
        if attempt.failure is not REFUSED and not self._budget.take(
            self._ratio, requests=requests, now_s=now_s
        ):
            return None
        if attempt.attempts == 1:
            return 0.0
        longest_s = min(_WAIT_FIRST_S * float(2 ** (attempt.attempts - 2)), _WAIT_MAX_S)
        return longest_s * (0.5 + self._rng.random() / 2)


def _backends(plan: "Plan") -> tuple[str, ...]:
    fallback = plan.frontend.fallback if plan.frontend is not None else ""
    return (plan.target.backend_id, fallback) if fallback else (plan.target.backend_id,)
