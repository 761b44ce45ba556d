"""Response rate limiting: a server that answers forged queries at full speed is a weapon against who is named in them.

Responses over UDP are counted by the client's network and by what they say; those beyond a rate are dropped, but for every
few that go out truncated, so that a real client behind a forged address asks again over TCP, which cannot be forged.  After
BIND's and NSD's RRL.  A client may be bounded by the number of its queries as well.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fairlead.agent import LOOPBACK, Networks, address_of

ACCOUNTS_MAX: Final = 100_000
"""Clients and answers counted at a time; who was not heard of for longest makes room."""

WINDOW_S: Final = 15
"""For how many seconds of rate a client can be in debt: who floods stays limited for so long after."""


class Verdict(Enum):
    """What to do with a response."""

    SEND = "send"
    SLIP = "slip"  # send it truncated
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The rates.

    Attributes:
        responses_per_s: equal responses to one network; 0 is no bound.
        queries_per_s: queries of one address; 0 is no bound.
        slip: one in so many responses beyond the rate goes out truncated; 0 for none.
        exempt: who is never bounded.
        is_log_only: count what would be dropped, and send it.
        prefix_v4: the size of a network, in bits.
        prefix_v6: the same for IPv6.
    """

    responses_per_s: int = 0
    queries_per_s: int = 0
    slip: int = 2
    exempt: tuple[str, ...] = LOOPBACK
    is_log_only: bool = False
    prefix_v4: int = 24
    prefix_v6: int = 56

    @property
    def is_on(self) -> bool:
        """Whether anything is bounded."""
        return bool(self.responses_per_s or self.queries_per_s)


class RateLimiter:
    """The accounts of clients.  Time comes from the caller, in seconds of any clock that does not jump."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self.exempt = Networks(limits.exempt)
        self.dropped = 0
        self.slipped = 0
        self._accounts: OrderedDict[object, list[float]] = OrderedDict()
        self._networks: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    def judge(self, ip: str, saying: object, now_s: float) -> Verdict:
        """Return what to do with a response to ``ip`` that says ``saying``: equal responses have equal ones."""
        limits = self.limits
        over = self._over_rate((ip,), limits.queries_per_s, now_s)
        over = over or self._over_rate((self._network(ip), saying), limits.responses_per_s, now_s)
        if not over:
            return Verdict.SEND
        verdict = Verdict.SLIP if limits.slip and over % limits.slip == 0 else Verdict.DROP
        self.slipped += verdict is Verdict.SLIP
        self.dropped += verdict is Verdict.DROP
        return Verdict.SEND if limits.is_log_only else verdict

    def _over_rate(self, key: object, per_s: int, now_s: float) -> int:
        """Take one from the account of ``key``; return 0, or how often in a row it had none."""
        if not per_s:
            return 0
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= ACCOUNTS_MAX:
                self._accounts.popitem(last=False)
            account = self._accounts[key] = [float(per_s), now_s, 0]
        else:
            self._accounts.move_to_end(key)
        balance, last_s, refused = account
        balance = min(balance + (now_s - last_s) * per_s, float(per_s)) - 1
        account[0] = max(balance, -float(per_s * WINDOW_S))
        account[1] = now_s
        account[2] = refused + 1 if balance < 0 else 0
        return int(account[2])

    def _network(self, ip: str) -> bytes:
        network = self._networks.get(ip)
        if network is None:
            address = address_of(ip)
            prefix = self.limits.prefix_v4 if address.version == 4 else self.limits.prefix_v6
            bits = 8 * len(address.packed)
            kept = int(address) >> (bits - prefix) << (bits - prefix)
            network = kept.to_bytes(len(address.packed), "big")
            if len(self._networks) >= ACCOUNTS_MAX:
                self._networks.clear()
            self._networks[ip] = network
        return network
