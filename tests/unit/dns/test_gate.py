"""Who is answered, and how often."""

import dns.edns
import dns.message
import pytest
from dns.edns import GenericOption, OptionType
from tests.unit.dns.site import Asker, Site, flags, rcode, rdatas

from fairlead.agent import EVERYWHERE, Networks
from fairlead.dns.cookies import Cookies
from fairlead.dns.gate import Gate
from fairlead.dns.rate_limit import ACCOUNTS_MAX, RateLimiter, RateLimits, Verdict

NAME = "web.skydns.test"
POOL = {f"{n}.{NAME}": {"host": f"10.0.0.{n}"} for n in range(1, 5)}
STRANGER = "192.0.2.7"


class Door:
    """A site behind a gate, at a time of its own."""

    def __init__(self, *, allowed: tuple[str, ...] = EVERYWHERE, **rates: object) -> None:
        self.site = Site(POOL, allowed=allowed)
        self.now_s = 0.0
        self.gate = Gate(
            clock=lambda: self.site.now_s,
            monotonic=lambda: self.now_s,
            allowed=Networks(allowed),
            limiter=RateLimiter(RateLimits(**rates)),  # type: ignore[arg-type]
            cookies=Cookies(bytes(16)),
        )

    def ask(self, query: dns.message.Message, ip: str = STRANGER) -> dns.message.Message | None:
        wire = query.to_wire()
        response = self.site.responder.respond(wire, Asker(ip=ip))
        assert response
        passed = self.gate.pass_on(wire, response, ip)
        return None if passed is None else dns.message.from_wire(passed)

    def flood(self, count: int, ip: str = STRANGER, name: str = NAME) -> list[str]:
        """What came of so many queries at once: '.' whole, 't' truncated, '-' nothing."""
        marks = []
        for _ in range(count):
            response = self.ask(dns.message.make_query(name, "A", use_edns=0), ip)
            marks.append("-" if response is None else "t" if "TC" in flags(response).split() else ".")
        return marks


def test_beyond_the_rate_responses_are_dropped_and_every_second_is_cut() -> None:
    door = Door(responses_per_s=5, slip=2)
    assert "".join(door.flood(13)) == "....." + "-t-t-t-t"
    assert (door.gate.limiter.dropped, door.gate.limiter.slipped) == (4, 4)


def test_who_was_limited_pays_its_debt_first_and_the_debt_has_an_end() -> None:
    door = Door(responses_per_s=5, slip=0)
    door.flood(500)
    door.now_s = 1.0
    assert door.flood(1) == ["-"]
    door.now_s = 17.0
    assert door.flood(1) == ["."]


def test_a_cut_response_has_the_question_and_opt_and_is_no_longer_than_the_query() -> None:
    door = Door(responses_per_s=1, slip=1)
    query = dns.message.make_query(NAME, "A", use_edns=0, want_dnssec=True)
    door.ask(query)
    response = door.ask(query)
    assert response is not None
    assert query.is_response(response)
    assert "TC" in flags(response).split()
    assert (response.answer, response.edns, response.ednsflags) == ([], 0, 0x8000)
    assert len(response.to_wire()) <= len(query.to_wire())


def test_other_names_and_networks_have_accounts_of_their_own() -> None:
    door = Door(responses_per_s=2, slip=0)
    assert door.flood(3) == [".", ".", "-"]
    assert door.flood(1, name="1." + NAME) == ["."]
    assert door.flood(1, ip="192.0.2.200") == ["-"], "of one /24"
    assert door.flood(1, ip="192.0.3.1") == ["."]
    assert door.flood(3, ip="2001:db8::1") == [".", ".", "-"]
    assert door.flood(1, ip="2001:db8:0:ff::1") == ["-"], "of one /56"
    assert door.flood(1, ip="2001:db8:0:100::1") == ["."]


def test_random_names_that_are_not_there_share_one_account() -> None:
    door = Door(responses_per_s=2, slip=0)
    marks = [door.flood(1, name=f"r{n}.skydns.test")[0] for n in range(5)]
    assert marks == [".", ".", "-", "-", "-"]


def test_loopback_is_exempt_by_default_and_whom_the_operator_names() -> None:
    door = Door(responses_per_s=1, slip=0)
    assert set(door.flood(10, ip="127.0.0.1") + door.flood(10, ip="::1")) == {"."}
    door = Door(responses_per_s=1, slip=0, exempt=("192.0.2.0/25",))
    assert set(door.flood(10)) == {"."}
    assert door.flood(2, ip="127.0.0.1") == [".", "-"]


def test_log_only_counts_and_sends() -> None:
    door = Door(responses_per_s=1, slip=0, is_log_only=True)
    assert set(door.flood(10)) == {"."}
    assert door.gate.limiter.dropped == 9


def test_queries_of_one_client_are_bounded_whatever_it_asks() -> None:
    door = Door(queries_per_s=3, slip=0)
    marks = [door.flood(1, name=f"{n}.{NAME}")[0] for n in range(1, 5)]
    assert marks == [".", ".", ".", "-"]
    assert door.flood(1, ip="192.0.2.8") == ["."], "an address, not a network"


def test_whoever_shows_a_cookie_of_ours_is_not_bounded() -> None:
    door = Door(responses_per_s=1, slip=0)
    cookie = Cookies(bytes(16)).answer(b"8 bytes.", STRANGER, door.site.now_s)
    query = dns.message.make_query(NAME, "A", options=[GenericOption(OptionType.COOKIE, cookie)])
    for _ in range(10):
        assert door.ask(query) is not None


def test_under_attack_a_cookie_that_is_not_ours_is_badcookie_with_a_good_one() -> None:
    """RFC 7873, section 5.2.4."""
    door = Door(responses_per_s=1, slip=1)
    query = dns.message.make_query(NAME, "A", options=[GenericOption(OptionType.COOKIE, b"8 bytes.")])
    first, second = door.ask(query), door.ask(query)
    assert first is not None
    assert second is not None
    assert rcode(first) == "NOERROR", "in peace nobody needs one"
    assert (rcode(second), second.answer) == ("BADCOOKIE", [])
    retry = dns.message.make_query(NAME, "A", options=list(second.options))
    third = door.ask(retry)
    assert third is not None
    assert len(rdatas(third, "A")) == 4


def test_accounts_are_bounded() -> None:
    limiter = RateLimiter(RateLimits(responses_per_s=1))
    for n in range(ACCOUNTS_MAX + 100):
        assert limiter.judge(STRANGER, n, 0.0) is Verdict.SEND
    assert len(limiter) == ACCOUNTS_MAX


# The access list


def test_who_is_not_on_the_list_is_refused_and_told_why() -> None:
    door = Door(allowed=("10.0.0.0/8", "127.0.0.1"))
    query = dns.message.make_query(NAME, "A", use_edns=0)
    for ip, code in (
        ("10.9.9.9", "NOERROR"),
        ("127.0.0.1", "NOERROR"),
        (STRANGER, "REFUSED"),
        ("::1", "REFUSED"),
    ):
        response = door.ask(query, ip)
        assert response is not None
        assert rcode(response) == code
        assert response.options == (() if code == "NOERROR" else (dns.edns.EDEOption(dns.edns.EDECode(18)),))


@pytest.mark.parametrize(
    ("bound", "options", "concerned"),
    [
        ("127.0.0.1", {}, False),
        ("0.0.0.0", {}, False),
        ("127.0.0.1", {"responses_per_s": 5}, False),
        ("::1", {"queries_per_s": 5}, False),
        ("0.0.0.0", {"responses_per_s": 5}, True),
        ("127.0.0.1", {"responses_per_s": 5, "exempt": ()}, True),
        ("127.0.0.1", {"allowed": ("10.0.0.0/8",)}, True),
        ("127.0.0.1", {"allowed": ("127.0.0.0/8",)}, False),
        ("127.0.0.1", {"allowed": ("127.0.0.1",)}, True),
        ("::1", {"allowed": ("127.0.0.0/8",)}, True),
        ("192.0.2.1", {"allowed": ("127.0.0.0/8",)}, True),
    ],
)
def test_a_socket_that_only_exempt_clients_reach_needs_no_gate(
    bound: str,
    options: dict[str, object],
    concerned: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert Door(**options).gate.concerns(bound) is concerned  # type: ignore[arg-type]


def test_networks_know_addresses_however_they_are_written() -> None:
    networks = Networks(("192.0.2.0/24", "fe80::/10"))
    assert "192.0.2.1" in networks
    assert "::ffff:192.0.2.1" in networks
    assert "fe80::1%eth0" in networks
    assert "192.0.3.1" not in networks
    with pytest.raises(ValueError, match="network"):
        Networks(("no network",))
