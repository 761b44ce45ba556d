"""When a certificate is due, what is served meanwhile, and where an authority's questions are answered."""

import time
from typing import cast

import pytest
from tests.unit.proxy.harness import Upstream, running, status_of

from fairlead.client import Change, Client, KeyValue
from fairlead.proxy.acme import PREFIX, AcmeKeeper
from fairlead.proxy.acme.certs import challenge_pair
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


@pytest.mark.parametrize(
    ("renew_before_s", "certificate_s", "is_due"),
    [
        (DAY_S, 0.0, False),  # it is good for two days
        (3 * DAY_S, 0.0, True),
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
        keeper = AcmeKeeper(
            cast("Client", None),
            proxy.edge,
            proxy.service,
            seal_key=SEAL,
            web=proxy.world.tools.web,
            board=proxy.board,
        )
        host = Host(name="a.example", auto_cert=AutoCert(renew_before_s=renew_before_s))
        keeper.follow([], [host, Host(name="other.example")])
        if certificate_s is not None:
            pair = challenge_pair("a.example", "t.p", now_s=time.time() + certificate_s)
            keeper.apply(change(PREFIX + b"certificates/a.example", SEAL.seal_key_pair(pair)))
            assert proxy.service.certificates.find("a.example") is not None
        assert [name.name for name, _ in keeper._due()] == (["a.example"] if is_due else [])


async def test_questions_of_an_authority_are_answered_before_any_route() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        keeper = AcmeKeeper(
            cast("Client", None),
            proxy.edge,
            proxy.service,
            seal_key=SEAL,
            web=proxy.world.tools.web,
            board=proxy.board,
        )
        key = PREFIX + b"challenges/http/token"
        keeper.apply(change(key, b"token.print"))
        head, body = await proxy.get("/.well-known/acme-challenge/token")
        assert (status_of(head), body) == (200, b"token.print")
        assert upstream.heads == []
        await proxy.get("/.well-known/acme-challenge/another")
        keeper.apply(change(key, None))
        assert (await proxy.get("/.well-known/acme-challenge/token"))[1] == b"ok"
        assert len(upstream.heads) == 2
