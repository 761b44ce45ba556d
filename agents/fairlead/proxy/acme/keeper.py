"""Keeps the certificates of hosts with AutoCert: one proxy orders, all of them answer challenges and serve.

    /fairlead/proxy/acme/lock                    who orders, on a lease
    /fairlead/proxy/acme/accounts/HASH           the account's key, sealed
    /fairlead/proxy/acme/certificates/NAME       certificate and key, sealed
    /fairlead/proxy/acme/failures/NAME           the last order, if it failed, and until when nobody tries again
    /fairlead/proxy/acme/challenges/http/TOKEN   what is answered below /.well-known/acme-challenge/
    /fairlead/proxy/acme/challenges/alpn/NAME    what is shown to TLS clients of NAME for the moment

The first certificate of a name may be proved by TLS-ALPN-01 when nobody listens on port 80; a renewal is tried by
HTTP-01 first, since during TLS-ALPN-01 other TLS clients of the name see the challenge's certificate.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from fairlead.client import Change, Changes, Client, ClientError, Compare, Lease, op_delete, op_put
from fairlead.proxy.acme.certs import challenge_pair, renew_s
from fairlead.proxy.acme.client import AcmeClient, AcmeError
from fairlead.proxy.acme.failure import Failure, failed, read_failure
from fairlead.proxy.acme.jose import AccountKey
from fairlead.proxy.certificates import context_of
from fairlead.proxy.edge import Edge
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.making import Web
from fairlead.proxy.model import AutoCert, Host, Listener
from fairlead.proxy.secretbox import KeyPair, SealKey
from fairlead.proxy.service import Service

if TYPE_CHECKING:
    import ssl

PREFIX = b"/fairlead/proxy/acme/"
DEFAULT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
_LOCK = PREFIX + b"lock"
_CERTIFICATES = PREFIX + b"certificates/"
_FAILURES = PREFIX + b"failures/"
_HTTP = PREFIX + b"challenges/http/"
_ALPN = PREFIX + b"challenges/alpn/"
_LOCK_TTL_S = 20
_LOOK_S = 60.0
_SEEN_S = 1.0
"""How long the other proxies get to see a challenge before the authority is told to look."""
_PAUSE_S = 0.05
"""At least, between two looks."""
K = TypeVar("K")
V = TypeVar("V")
_LOG = logging.getLogger(__name__)


class Board(Protocol):
    """Where the operator is told; ``fairlead.agent.Status`` is one."""

    def problem(self, key: bytes | str, text: str) -> None:
        """``key`` is wrong."""

    def healed(self, key: bytes | str) -> None:
        """``key`` is right again."""


class AcmeKeeper:
    """One proxy's part in it."""

    def __init__(
        self,
        client: Client,
        edge: Edge,
        service: Service,
        *,
        seal_key: SealKey | None,
        web: Web,
        board: Board,
        member: str = "",
    ) -> None:
        """Keep nothing yet; ``member`` is this proxy's name in the lock."""
        self._client = client
        self._edge = edge
        self._service = service
        self._seal_key = seal_key
        self._web = web
        self._board = board
        self._listeners: tuple[Listener, ...] = ()
        self._hosts: tuple[Host, ...] = ()
        self._sealed: dict[str, bytes] = {}
        self._failures: dict[str, Failure] = {}
        self._told: set[str] = set()
        self._member = member
        self._news = asyncio.Event()

    # What is served

    def follow(self, listeners: Iterable[Listener], hosts: Iterable[Host]) -> None:
        """Take the newest of both; hosts with AutoCert get the certificates that are kept here."""
        self._listeners, self._hosts = tuple(listeners), tuple(hosts)
        self._tell()
        self._tell_failures()
        self._news.set()

    def apply(self, change: Change) -> None:
        """Take one change of the keys below ``PREFIX``."""
        has_new = False
        for key in change.deletes:
            has_new |= self._take(key, None)
        for key, kv in change.puts.items():
            has_new |= self._take(key, kv.value)
        if has_new:
            self._tell()

    def _take(self, key: bytes, value: bytes | None) -> bool:
        if key.startswith(_HTTP):
            _put(self._service.challenges, key[len(_HTTP) :], value)
        elif key.startswith(_ALPN):
            name = key[len(_ALPN) :].decode()
            context: ssl.SSLContext | None = None
            if value is not None:
                context = context_of(challenge_pair(name, value.decode(), now_s=time.time()))
                context.set_alpn_protocols(["acme-tls/1"])
            _put(self._service.certificates.challenges, name, context)
        elif key.startswith(_CERTIFICATES):
            _put(self._sealed, key[len(_CERTIFICATES) :].decode(), value)
            self._news.set()
            return True
        elif key.startswith(_FAILURES):
            failure = read_failure(value, now_s=time.time()) if value is not None else None
            _put(self._failures, key[len(_FAILURES) :].decode(), failure)
            self._tell_failures()
            self._news.set()
        elif key == _LOCK and value is None:
            # Who held it is done, or is gone and has left its work to us.
            self._news.set()
        return False

    def _tell_failures(self) -> None:
        names = {each.name for each in self._hosts if each.auto_cert is not None} & self._failures.keys()
        for name in sorted(names):
            kept = ", the old one stays" if name in self._sealed else ""
            text = f"host {name}: no new certificate{kept}: {self._failures[name]}"
            self._board.problem(_problem_of(name), text)
        for name in self._told - names:
            self._board.healed(_problem_of(name))
        self._told = names

    def _tell(self) -> None:
        hosts = [
            replace(each, sealed_key_pair=self._sealed[each.name])
            if each.auto_cert is not None and each.name in self._sealed and not each.sealed_key_pair
            else each
            for each in self._hosts
        ]
        self._edge.follow(self._listeners, hosts)

    # What is ordered

    async def run(self, changes: Changes) -> None:
        """Follow the keys and order what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_keys(changes))
            group.create_task(self._order_all())

    async def _follow_keys(self, changes: Changes) -> None:
        async for change in changes:
            self.apply(change)

    async def _order_all(self) -> None:
        wait_s = _LOOK_S
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            wait_s = _LOOK_S
            now_s = time.time()
            if not any(self._due_s(host, auto_cert) <= now_s for host, auto_cert in self._wanted()):
                soonest_s = min((self._due_s(*each) for each in self._wanted()), default=now_s + _LOOK_S)
                wait_s = min(max(soonest_s - now_s, _PAUSE_S), _LOOK_S)
                continue
            try:
                await self._order_under_lock()
            except ClientError as error:
                _LOG.warning("certificates cannot be ordered: %s", error)

    def _wanted(self) -> list[tuple[Host, AutoCert]]:
        """Return the hosts whose certificates are ordered."""
        return [
            (each, each.auto_cert)
            for each in self._hosts
            if each.auto_cert is not None and not each.sealed_key_pair
        ]

    def _due_s(self, host: Host, auto_cert: AutoCert) -> float:
        """Return when a certificate is to be ordered, in seconds since 1970."""
        failure = self._failures.get(host.name)
        not_before_s = failure.until_s if failure is not None else 0.0
        sealed = self._sealed.get(host.name)
        if sealed is None or self._seal_key is None:
            return not_before_s
        try:
            chain = self._seal_key.open_key_pair(sealed).certificate
        except KeyProblem:
            # Sealed by another key: two proxies that order in turn, and replace each other's, would end nowhere.
            return float("inf")
        try:
            return max(not_before_s, renew_s(chain, before_s=auto_cert.renew_before_s))
        except ValueError:
            return not_before_s

    async def _order_under_lock(self) -> None:
        if self._seal_key is None:
            self._board.problem("AutoCert", "certificates cannot be kept without --seal-key-file; give one")
            return
        async with self._client.lease(_LOCK_TTL_S) as lease:
            free = Compare.create_revision(_LOCK).equals(0)
            if not (
                await self._client.txn([free], [op_put(_LOCK, self._member, lease=lease.lease_id)])
            ).succeeded:
                return  # another proxy is at it; what it orders arrives by itself
            # Somebody may have ordered, or failed to, between our look and the lock.
            for prefix in (_CERTIFICATES, _FAILURES):
                for kv in (await self._client.get(prefix, prefix=True)).kvs:
                    self._take(kv.key, kv.value)
            for host, auto_cert in self._wanted():
                if lease.is_lost:
                    return
                if self._due_s(host, auto_cert) <= time.time():
                    await self._order(host.name, auto_cert, lease)

    async def _order(self, name: str, auto_cert: AutoCert, lease: Lease) -> None:
        assert self._seal_key is not None
        try:
            key = await self._account_key(auto_cert, self._seal_key)
            client = AcmeClient(
                self._web, auto_cert.directory_url or DEFAULT_DIRECTORY, key, sleep=asyncio.sleep
            )
            await client.register(auto_cert.email)
            pair = await self._by_any(client, name, lease)
        except (AcmeError, OSError, ValueError, KeyError) as error:
            failure = failed(self._failures.get(name), str(error), now_s=time.time())
            self._take(_FAILURES + name.encode(), failure.encoded())
            await self._client.put(_FAILURES + name.encode(), failure.encoded())
            return
        sealed = self._seal_key.seal_key_pair(pair)
        done = [op_put(_CERTIFICATES + name.encode(), sealed), op_delete(_FAILURES + name.encode())]
        await self._client.txn([], done)
        self._take(_CERTIFICATES + name.encode(), sealed)
        self._take(_FAILURES + name.encode(), None)
        self._tell()
        _LOG.info("host %s: a certificate was ordered and is served", name)

    async def _by_any(self, client: AcmeClient, name: str, lease: Lease) -> KeyPair:
        solver = StoreSolver(self._client, lease)
        try:
            return await client.order(name, solver, kinds=("http-01", "tls-alpn-01"))
        except AcmeError as error:
            _LOG.info("host %s: by HTTP-01: %s; trying TLS-ALPN-01", name, error)
            return await client.order(name, solver, kinds=("tls-alpn-01",))

    async def _account_key(self, auto_cert: AutoCert, seal_key: SealKey) -> AccountKey:
        if auto_cert.key:
            return AccountKey.read(auto_cert.key.encode())
        directory = auto_cert.directory_url or DEFAULT_DIRECTORY
        name = hashlib.sha256(f"{directory} {auto_cert.email}".encode()).hexdigest()[:16]
        at = PREFIX + b"accounts/" + name.encode()
        kept = (await self._client.get(at)).kv
        if kept is not None:
            try:
                return AccountKey.read(seal_key.open(kept.value))
            except KeyProblem as problem:
                raise ValueError(f"the account's key {at.decode()}: {problem}") from problem
        key = AccountKey.made()
        await self._client.put(at, seal_key.seal(key.pem()))
        return key


class StoreSolver:
    """Shows challenges at every proxy, by keys on the lease of who orders."""

    def __init__(self, client: Client, lease: Lease) -> None:
        self._client = client
        self._lease = lease
        self._shown: list[bytes] = []

    async def show(self, kind: str, name: str, token: str, key_authorization: str) -> None:
        """See ``Solver``."""
        key = _HTTP + token.encode() if kind == "http-01" else _ALPN + name.encode()
        self._shown.append(key)
        await self._client.put(key, key_authorization, lease=self._lease.lease_id)
        await asyncio.sleep(_SEEN_S)

    async def hide(self) -> None:
        """See ``Solver``."""
        while self._shown:
            await self._client.delete(self._shown.pop())


def _problem_of(name: str) -> str:
    return f"hosts/{name}/host AutoCert"


def _put(table: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
