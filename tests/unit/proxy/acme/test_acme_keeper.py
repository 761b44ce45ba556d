"""When a certificate is due, what is served meanwhile, and where an authority's questions are answered."""

import time
from typing import cast

import pytest
from tests.unit.proxy.harness import Proxy, Upstream, running, status_of

from fairlead.client import Change, Client, KeyValue
from fairlead.proxy.acme import PREFIX, AcmeKeeper
from fairlead.proxy.acme.certs import challenge_pair
from fairlead.proxy.acme.failure import failed, read_failure
from fairlead.proxy.certificates import Certificates
from fairlead.proxy.model import AutoCert, Host
from fairlead.proxy.secretbox import SealKey

SEAL = SealKey("7" * 64)
DAY_S = 86_400.0


def change(key: bytes, value: bytes | None) -> Change:
    kv = KeyValue(key=key, value=value or b"", create_revision=1, mod_revision=1, version=1, lease=0)
    if value is None:
        return Change(revision=2, puts={}, deletes=frozenset({key}))
    return Change(revision=2, puts={key: kv}, deletes=frozenset())


def keeper_of(proxy: Proxy) -> AcmeKeeper:
    """One that is told of changes, and never gets to order."""
    return AcmeKeeper(
        cast("Client", None),
        proxy.edge,
        proxy.service,
        seal_key=SEAL,
        web=proxy.world.tools.web,
        board=proxy.board,
    )


@pytest.mark.parametrize(
    ("renew_before_s", "certificate_s", "is_due"),
    [
        (DAY_S, 0.0, False),  # it is good for two days, and has been for one
        (1.4 * DAY_S, -0.7 * DAY_S, True),
        (9 * DAY_S, -0.4 * DAY_S, False),  # not in the first half of its life
        (9 * DAY_S, -0.6 * DAY_S, True),
        (DAY_S, -3 * DAY_S, True),  # it has expired
        (DAY_S, None, True),  # there is none
    ],
)
async def test_a_certificate_is_ordered_in_time(
    renew_before_s: float,
    certificate_s: float | None,
    is_due: bool,  # noqa: FBT001
) -> None:
    async with running() as proxy:
        proxy.service.certificates = Certificates(SEAL)
        keeper = keeper_of(proxy)
        host = Host(name="a.example", auto_cert=AutoCert(renew_before_s=renew_before_s))
        keeper.follow([], [host, Host(name="other.example")])
        if certificate_s is not None:
            pair = challenge_pair("a.example", "t.p", now_s=time.time() + certificate_s)
            keeper.apply(change(PREFIX + b"certificates/a.example", SEAL.seal_key_pair(pair)))
            assert proxy.service.certificates.find("a.example") is not None
        assert due(keeper) == (["a.example"] if is_due else [])


def due(keeper: AcmeKeeper) -> list[str]:
    return [
        host.name for host, auto_cert in keeper._wanted() if keeper._due_s(host, auto_cert) <= time.time()
    ]


async def test_a_failure_that_another_proxy_met_holds_us_back_and_is_told_here_too() -> None:
    async with running() as proxy:
        keeper = keeper_of(proxy)
        host = Host(name="a.example", auto_cert=AutoCert())
        keeper.follow([], [host])
        assert due(keeper) == ["a.example"]
        expired = challenge_pair("a.example", "t.p", now_s=0.0)
        failure = failed(None, "no", now_s=time.time())
        keeper.apply(change(PREFIX + b"certificates/a.example", SEAL.seal_key_pair(expired)))
        keeper.apply(change(PREFIX + b"failures/a.example", failure.encoded()))
        assert due(keeper) == [], "a renewal waits too"
        keeper.apply(change(PREFIX + b"certificates/a.example", None))
        keeper.apply(change(PREFIX + b"failures/gone.example", failure.encoded()))
        assert due(keeper) == []
        (text,) = proxy.board.problems.values()
        assert text.startswith("host a.example: no new certificate: no; tried again at 20")
        keeper.apply(change(PREFIX + b"failures/a.example", None))
        assert (due(keeper), proxy.board.problems) == (["a.example"], {})
        keeper.apply(change(PREFIX + b"failures/a.example", failure.encoded()))
        keeper.follow([], [])
        assert proxy.board.problems == {}, "nobody wants it any more"


async def test_a_certificate_that_another_key_has_sealed_is_not_ordered_again() -> None:
    """Two proxies with a key each would order in turn, and for ever."""
    async with running() as proxy:
        keeper = keeper_of(proxy)
        keeper.follow([], [Host(name="a.example", auto_cert=AutoCert())])
        pair = challenge_pair("a.example", "t.p", now_s=0.0)
        keeper.apply(change(PREFIX + b"certificates/a.example", SealKey("8" * 64).seal_key_pair(pair)))
        assert due(keeper) == []


def test_who_fails_again_waits_twice_as_long_to_a_day() -> None:
    waits, failure = [], None
    for _ in range(12):
        failure = failed(failure, "no", now_s=1000.0)
        waits.append(failure.until_s - 1000.0)
    assert waits[:4] == [300.0, 600.0, 1200.0, 2400.0]
    assert waits[-1] == DAY_S
    assert read_failure(failure.encoded(), now_s=1000.0) == failure if failure is not None else None


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"{}", b'{"count":1,"until_s":"soon","reason":""}', b"[" * 9999]
)
def test_what_is_no_failure_holds_nobody_back(value: bytes) -> None:
    assert read_failure(value, now_s=0.0) is None


def test_the_clock_of_another_proxy_costs_a_day_at_most() -> None:
    failure = read_failure(b'{"count":1,"until_s":1e18,"reason":""}', now_s=1000.0)
    assert failure is not None
    assert failure.until_s == 1000.0 + DAY_S


async def test_questions_of_an_authority_are_answered_before_any_route() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        keeper = keeper_of(proxy)
        key = PREFIX + b"challenges/http/token"
        keeper.apply(change(key, b"token.print"))
        head, body = await proxy.get("/.well-known/acme-challenge/token")
        assert (status_of(head), body) == (200, b"token.print")
        assert upstream.heads == []
        await proxy.get("/.well-known/acme-challenge/another")
        keeper.apply(change(key, None))
        assert (await proxy.get("/.well-known/acme-challenge/token"))[1] == b"ok"
        assert len(upstream.heads) == 2
