"""The retry rules, against a store that fails as told (etcd.md 1.12, clientv3's retry interceptor)."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from tests.unit.client.fake_store import FakeStore, failing, hang

from fairlead.client import (
    AuthError,
    Backoff,
    Client,
    CompactedError,
    Credentials,
    LeaseLostError,
    Patience,
    RequestError,
    UnavailableError,
    methods,
)
from fairlead.proto import rpc_pb2

DEAD = "http://127.0.0.1:1"
PATIENCE = Patience(timeout_s=5.0, backoff=Backoff(first_s=0.001, max_s=0.01))
LOST = (grpc.StatusCode.UNAVAILABLE, "etcdserver: leader changed")
HEADER = rpc_pb2.ResponseHeader(revision=7)
RANGE = rpc_pb2.RangeResponse(header=HEADER)
PUT = rpc_pb2.PutResponse(header=HEADER)
Requests = AsyncIterator[rpc_pb2.LeaseKeepAliveRequest]
Responses = AsyncIterator[rpc_pb2.LeaseKeepAliveResponse]


def client_of(*endpoints: str, credentials: Credentials | None = None, timeout_s: float = 5.0) -> Client:
    patience = Patience(timeout_s=timeout_s, backoff=PATIENCE.backoff)
    return Client(endpoints, credentials=credentials, patience=patience)


async def test_a_read_is_repeated_when_its_answer_was_lost() -> None:
    async with FakeStore() as store, client_of(store.endpoint) as client:
        store.answers[methods.RANGE.path] = failing(LOST, LOST, then=RANGE)

        assert (await client.get("a")).revision == 7


async def test_a_write_whose_answer_was_lost_is_not_repeated_and_the_doubt_is_told() -> None:
    async with FakeStore() as store, client_of(store.endpoint) as client:
        store.answers[methods.PUT.path] = failing(LOST, then=PUT)

        with pytest.raises(UnavailableError, match="may have been applied") as caught:
            await client.put("a", "b")

        assert caught.value.is_sent
        assert store.calls == [methods.PUT.path]


async def test_a_write_goes_to_the_next_endpoint_when_the_first_was_never_reached() -> None:
    async with FakeStore() as store, client_of(DEAD, store.endpoint) as client:
        store.answers[methods.PUT.path] = failing(then=PUT)

        assert (await client.put("a", "b")).revision == 7


async def test_a_client_stays_with_the_endpoint_that_answered() -> None:
    async with (
        FakeStore() as first,
        FakeStore() as second,
        client_of(first.endpoint, second.endpoint) as client,
    ):
        first.answers[methods.RANGE.path] = failing(LOST, then=RANGE)
        second.answers[methods.RANGE.path] = failing(then=RANGE)
        for _ in range(3):
            await client.get("a")

        assert (len(first.calls), len(second.calls)) == (1, 3)


async def test_a_read_leaves_an_endpoint_that_hangs_while_there_is_time_for_the_next() -> None:
    async with FakeStore() as stuck, FakeStore() as store:
        stuck.answers[methods.RANGE.path] = hang
        store.answers[methods.RANGE.path] = failing(then=RANGE)
        async with client_of(stuck.endpoint, store.endpoint, timeout_s=2.0) as client:
            assert (await client.get("a")).revision == 7


async def test_a_transaction_that_only_reads_is_repeated_as_a_read_is() -> None:
    async with FakeStore() as store, client_of(store.endpoint) as client:
        store.answers[methods.TXN.path] = failing(LOST, then=rpc_pb2.TxnResponse(header=HEADER))

        assert (await client.txn([])).revision == 7


async def test_nobody_answers_is_one_line_with_every_endpoint_and_a_command() -> None:
    async with client_of(DEAD, "http://127.0.0.1:2") as client:
        with pytest.raises(UnavailableError) as caught:
            await client.get("a")

    assert str(caught.value) == (
        "no store answers at http://127.0.0.1:1,http://127.0.0.1:2 (connection refused); is it running? "
        "try: fairlead kv get --endpoints http://127.0.0.1:1,http://127.0.0.1:2 KEY"
    )
    assert not caught.value.is_sent


async def test_a_store_that_never_answers_is_given_up_in_time() -> None:
    async with FakeStore() as store, client_of(store.endpoint, timeout_s=0.2) as client:
        store.answers[methods.RANGE.path] = hang

        with pytest.raises(UnavailableError, match="did not answer in time"):
            await client.get("a")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT])
async def test_a_write_with_a_stale_token_is_repeated_with_a_new_one(code: grpc.StatusCode) -> None:
    text = {
        grpc.StatusCode.UNAUTHENTICATED: "etcdserver: invalid auth token",
        grpc.StatusCode.INVALID_ARGUMENT: "etcdserver: revision of auth store is old",
    }[code]
    tokens: list[str] = []

    async def sign_in(_: object, __: grpc.aio.ServicerContext) -> rpc_pb2.AuthenticateResponse:
        return rpc_pb2.AuthenticateResponse(token=f"token{len(store.calls)}")

    async def put(_: object, context: grpc.aio.ServicerContext) -> rpc_pb2.PutResponse:
        tokens.append(dict(context.invocation_metadata())["token"])
        if len(tokens) == 1:
            await context.abort(code, text)
        return PUT

    user = Credentials(user="app", password="secret")
    async with FakeStore() as store, client_of(store.endpoint, credentials=user) as client:
        store.answers[methods.AUTHENTICATE.path] = sign_in
        store.answers[methods.PUT.path] = put
        await client.put("a", "b")

    assert len(tokens) == 2
    assert tokens[0] != tokens[1]


async def test_calls_made_at_once_sign_in_once() -> None:
    user = Credentials(user="app", password="secret")
    async with FakeStore() as store, client_of(store.endpoint, credentials=user) as client:
        store.answers[methods.AUTHENTICATE.path] = failing(then=rpc_pb2.AuthenticateResponse(token="t"))
        store.answers[methods.RANGE.path] = failing(then=RANGE)
        await asyncio.gather(*(client.get("a") for _ in range(5)))

    assert store.calls.count(methods.AUTHENTICATE.path) == 1


async def test_a_user_is_no_hindrance_where_the_store_has_none() -> None:
    user = Credentials(user="app", password="secret")
    off = (grpc.StatusCode.FAILED_PRECONDITION, "etcdserver: authentication is not enabled")
    async with FakeStore() as store, client_of(store.endpoint, credentials=user) as client:
        store.answers[methods.AUTHENTICATE.path] = failing(off, then=rpc_pb2.AuthenticateResponse())
        store.answers[methods.RANGE.path] = failing(then=RANGE)

        assert (await client.get("a")).revision == 7


@pytest.mark.parametrize(
    ("code", "text", "kind", "hint"),
    [
        ("INVALID_ARGUMENT", "etcdserver: user name is empty", AuthError, "--user NAME:PASSWORD"),
        ("PERMISSION_DENIED", "etcdserver: permission denied", AuthError, "grant-permission"),
        (
            "INVALID_ARGUMENT",
            "etcdserver: authentication failed, invalid user ID or password",
            AuthError,
            "--user",
        ),
        (
            "OUT_OF_RANGE",
            "etcdserver: mvcc: required revision has been compacted",
            CompactedError,
            "revision 5",
        ),
        ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", RequestError, "space exceeded"),
    ],
)
async def test_what_the_store_refuses_comes_as_its_own_kind(
    code: str, text: str, kind: type[Exception], hint: str
) -> None:
    async with FakeStore() as store, client_of(store.endpoint) as client:
        store.answers[methods.RANGE.path] = failing((grpc.StatusCode[code], text), then=RANGE)

        with pytest.raises(kind, match=hint):
            await client.get("a", revision=5)

        assert len(store.calls) == 1


async def test_a_lease_that_a_former_leader_cannot_renew_is_asked_for_again() -> None:
    """It leaks as UNKNOWN "not a primary lessor" (etcd-io/etcd#21671)."""
    asked = 0

    async def renew(requests: Requests, context: grpc.aio.ServicerContext) -> Responses:
        nonlocal asked
        async for request in requests:
            asked += 1
            if asked == 1:
                await context.abort(grpc.StatusCode.UNKNOWN, "not a primary lessor")
            yield rpc_pb2.LeaseKeepAliveResponse(ID=request.ID, TTL=9)

    async with FakeStore() as store, client_of(store.endpoint) as client:
        store.talks[methods.LEASE_KEEP_ALIVE.path] = renew

        assert await client.keep_alive(1) == 9


async def test_a_renewal_answered_with_ttl_0_means_that_the_lease_is_gone() -> None:
    async def renew(requests: Requests, _: grpc.aio.ServicerContext) -> Responses:
        async for request in requests:
            yield rpc_pb2.LeaseKeepAliveResponse(ID=request.ID, TTL=0)

    async with FakeStore() as store, client_of(store.endpoint) as client:
        store.talks[methods.LEASE_KEEP_ALIVE.path] = renew

        with pytest.raises(LeaseLostError, match="lease ff is gone"):
            await client.keep_alive(0xFF)
