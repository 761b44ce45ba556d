"""Keeps the certificates of hosts with AutoCert: one proxy orders, all of them answer challenges and serve.

    /fairlead/proxy/acme/lock                    who orders, on a lease
    /fairlead/proxy/acme/accounts/HASH           the account's key, sealed
    /fairlead/proxy/acme/certificates/NAME       certificate and key, sealed
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

from fairlead.client import Change, Changes, Client, ClientError, Compare, Lease, op_put
from fairlead.proxy.acme.certs import challenge_pair, expires_s
from fairlead.proxy.acme.client import AcmeClient, AcmeError
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
_HTTP = PREFIX + b"challenges/http/"
_ALPN = PREFIX + b"challenges/alpn/"
_LOCK_TTL_S = 20
_LOOK_S = 60.0
_SEEN_S = 1.0
"""How long the other proxies get to see a challenge before the authority is told to look."""
_FAILED_S = 300.0
_FAILED_MAX_S = 86_400.0
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
    ) -> None:
        self._client = client
        self._edge = edge
        self._service = service
        self._seal_key = seal_key
        self._web = web
        self._board = board
        self._listeners: tuple[Listener, ...] = ()
        self._hosts: tuple[Host, ...] = ()
        self._sealed: dict[str, bytes] = {}
        self._not_before_s: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._news = asyncio.Event()

    # What is served

    def follow(self, listeners: Iterable[Listener], hosts: Iterable[Host]) -> None:
        """Take the newest of both; hosts with AutoCert get the certificates that are kept here."""
        self._listeners, self._hosts = tuple(listeners), tuple(hosts)
        self._tell()
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
            return True
        return False

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
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            if self._due():
                try:
                    await self._order_under_lock()
                except ClientError as error:
                    _LOG.warning("certificates cannot be ordered: %s", error)

    def _due(self) -> list[tuple[Host, AutoCert]]:
        now_s = time.time()
        return [
            (each, each.auto_cert)
            for each in self._hosts
            if each.auto_cert is not None
            and not each.sealed_key_pair
            and self._not_before_s.get(each.name, 0.0) <= now_s
            and self._expires_s(each.name) - each.auto_cert.renew_before_s <= now_s
        ]

    def _expires_s(self, name: str) -> float:
        sealed = self._sealed.get(name)
        if sealed is None or self._seal_key is None:
            return 0.0
        try:
            return expires_s(self._seal_key.open_key_pair(sealed).certificate)
        except (KeyProblem, ValueError):
            return 0.0

    async def _order_under_lock(self) -> None:
        if self._seal_key is None:
            self._board.problem("AutoCert", "certificates cannot be kept without --seal-key-file; give one")
            return
        async with self._client.lease(_LOCK_TTL_S) as lease:
            free = Compare.create_revision(_LOCK).equals(0)
            if not (await self._client.txn([free], [op_put(_LOCK, b"", lease=lease.lease_id)])).succeeded:
                return  # another proxy is at it; what it orders arrives by itself
            # Somebody may have ordered between our look and the lock.
            kept = await self._client.get(_CERTIFICATES, prefix=True)
            self._sealed = {kv.key[len(_CERTIFICATES) :].decode(): kv.value for kv in kept.kvs}
            for host, auto_cert in self._due():
                if lease.is_lost:
                    return
                await self._order(host.name, auto_cert, lease)

    async def _order(self, name: str, auto_cert: AutoCert, lease: Lease) -> None:
        assert self._seal_key is not None
        is_renewal = name in self._sealed
        try:
            key = await self._account_key(auto_cert, self._seal_key)
            client = AcmeClient(
                self._web, auto_cert.directory_url or DEFAULT_DIRECTORY, key, sleep=asyncio.sleep
            )
            await client.register(auto_cert.email)
            pair = await self._by_any(client, name, lease)
        except (AcmeError, OSError, ValueError, KeyError) as error:
            failures = self._failures[name] = self._failures.get(name, 0) + 1
            wait_s = min(_FAILED_S * 2 ** (failures - 1), _FAILED_MAX_S)
            self._not_before_s[name] = time.time() + wait_s
            kept = "; the old one stays" if is_renewal else ""
            text = f"host {name}: no certificate: {error}{kept}; tried again in {wait_s:.0f} s"
            self._board.problem(f"hosts/{name}/host AutoCert", text)
            return
        sealed = self._seal_key.seal_key_pair(pair)
        await self._client.put(_CERTIFICATES + name.encode(), sealed)
        self._sealed[name] = sealed
        self._failures.pop(name, None)
        self._board.healed(f"hosts/{name}/host AutoCert")
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


def _put(table: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
