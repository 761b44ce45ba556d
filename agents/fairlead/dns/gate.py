"""Who is answered over UDP, and how often: the access list and the rate limits, between the sockets and the responder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fairlead.agent import EVERYWHERE, LOOPBACK, Networks
from fairlead.dns.cookies import Cookies
from fairlead.dns.edns import OptionCode, opt_record, option
from fairlead.dns.errors import MessageError
from fairlead.dns.message import DO, Query, Rcode, parse_query
from fairlead.dns.rate_limit import RateLimiter, RateLimits, Verdict

_TC: Final = 0x02  # of the third byte


@dataclass(slots=True, kw_only=True)
class Gate:
    """Decides by the client's address.

    Attributes:
        allowed: who is answered at all; others are refused.
        limiter: bounds what is sent over UDP.
        cookies: who shows one that we gave is not bounded: it receives at its address.
        clock: seconds since 1970, for cookies.
        monotonic: seconds, for rates.
        udp_bytes_max: what our OPT record says.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    allowed: Networks = field(default_factory=lambda: Networks(EVERYWHERE))
    limiter: RateLimiter = field(default_factory=lambda: RateLimiter(RateLimits()))
    cookies: Cookies | None = None
    udp_bytes_max: int = 1232

    def concerns(self, ip: str) -> bool:
        """Whether anything is to be decided about clients that can reach a socket bound to ``ip``.

        What comes to a loopback address comes from one.
        """
        network = next((one for one in LOOPBACK if ip in Networks((one,))), None)
        is_exempt = network is not None and self.limiter.exempt.covers(network)
        is_allowed = self.allowed.are_all or (network is not None and self.allowed.covers(network))
        return not is_allowed or (self.limiter.limits.is_on and not is_exempt)

    def pass_on(self, packet: bytes, response: bytes, ip: str) -> bytes | None:
        """Return ``response``, or what goes to ``ip`` in its place; None for nothing."""
        limiter = self.limiter
        if not limiter.limits.is_on or ip in limiter.exempt:
            return response
        try:
            query = parse_query(packet)
        except MessageError:
            verdict = limiter.judge(ip, response[3] & 0xF, self.monotonic())
            return response if verdict is Verdict.SEND else None
        cookie = query.edns.options.get(OptionCode.COOKIE) if query.edns is not None else None
        if (
            cookie is not None
            and self.cookies is not None
            and self.cookies.is_valid(cookie, ip, self.clock())
        ):
            return response
        verdict = limiter.judge(ip, _saying(query, response), self.monotonic())
        if verdict is Verdict.SLIP:
            return self._slip(query, response, ip, cookie)
        return response if verdict is Verdict.SEND else None

    def _slip(self, query: Query, response: bytes, ip: str, cookie: bytes | None) -> bytes:
        """Return what a real client can act on, no longer than its query: ask by TCP, or with the cookie given here."""
        opt, rcode = b"", 0
        if query.edns is not None:
            options = []
            if cookie is not None and self.cookies is not None:
                rcode = Rcode.BADCOOKIE
                options = [option(OptionCode.COOKIE, self.cookies.answer(cookie, ip, self.clock()))]
            opt = opt_record(
                udp_bytes_max=self.udp_bytes_max, flags=query.edns.flags & DO, rcode=rcode, options=options
            )
        tc = 0 if rcode else _TC
        head = bytes((response[2] | tc, response[3] & 0xF0 | rcode & 0xF)) + b"\0\1\0\0\0\0\0"
        return b"".join((query.packet[:2], head, bytes((bool(opt),)), query.question, opt))


def _saying(query: Query, response: bytes) -> object:
    """Return what a response says.  Errors are equal whatever was asked: random names must not help a flood."""
    rcode = response[3] & 0xF
    return (query.name, query.qtype) if rcode == Rcode.NOERROR else rcode
