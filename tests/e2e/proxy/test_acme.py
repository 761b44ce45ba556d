"""Certificates that are ordered by themselves: from an authority that asks over real sockets, on each kind of store."""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from signal import SIGKILL

import pytest
from cryptography import x509
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, until_told, upstreams
from tests.support.acme import Authority
from tests.support.ports import free_ports
from tests.support.store import StoreServer

from fairlead.client import KeyValue

NAME = "www.example"
SOON = {"RenewBefore": "57s"}
"""Of a minute: certificates are due three seconds after they were issued."""


async def served(port: int) -> x509.Certificate | None:
    """The certificate that clients of ``NAME`` get, if any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=NAME)
    except OSError:
        return None
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(der)


async def until_served(port: int, *, serial: int | None = None) -> x509.Certificate:
    """Wait for a certificate of the authority's, other than that with ``serial``."""
    async with asyncio.timeout(40):
        while True:
            found = await served(port)
            is_new = found is not None and found.issuer.rfc4514_string() == "CN=Test Authority"
            if found is not None and is_new and found.serial_number != serial:
                return found
            await asyncio.sleep(0.1)


async def until_unlocked(proxy: RunningProxy) -> tuple[KeyValue, ...]:
    """All that is kept, once who ordered has let the lock go."""
    async with asyncio.timeout(20):
        while True:
            kept = (await proxy.client.get("/fairlead/proxy/acme/", prefix=True)).kvs
            if all(kv.key != b"/fairlead/proxy/acme/lock" for kv in kept):
                return kept
            await asyncio.sleep(0.1)


def host(authority: Authority, **auto_cert: object) -> dict[str, object]:
    """A host whose certificate is ordered there."""
    wanted = {"Email": "a@example", "DirectoryURL": f"{authority.url}/directory", **auto_cert}
    return {"Name": NAME, "Settings": {"Default": True, "AutoCert": wanted}}


def listener(port: int) -> dict[str, object]:
    return {"Protocol": "https", "Address": {"Network": "tcp", "Address": f"127.0.0.1:{port}"}}


@pytest.mark.parametrize("kinds", [("http-01", "tls-alpn-01"), ("tls-alpn-01",)], ids=["http", "alpn"])
async def test_one_proxy_orders_and_all_of_them_serve(
    store: StoreServer, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    (tls_port,) = free_ports(1)
    (tmp_path / "seal").write_text(secrets.token_hex(32))
    flags = ["--seal-key-file", str(tmp_path / "seal")]
    proxies = [RunningProxy(store, tmp_path / name, flags=flags) for name in ("one", "two")]
    one, two = proxies
    authority = Authority(http_port=two.port, tls_port=tls_port, kinds=kinds)
    await authority.start()
    upstream = Echo("secure")
    try:
        one.start()
        two.start()
        async with upstreams(upstream):
            await one.put(
                {
                    "frontends/f/frontend": frontend("/"),
                    "backends/b/servers/s": server(upstream),
                    "listeners/tls": listener(tls_port),
                    f"hosts/{NAME}/host": host(authority),
                }
            )
            await until_served(tls_port)
            assert authority.proofs == [kinds[0]]
            assert len(authority.orders) == 1
            assert len(authority.accounts) == 1
            kept = await until_unlocked(one)
            assert not [kv.key for kv in kept if b"PRIVATE" in kv.value]
            assert {kv.key.split(b"/")[4] for kv in kept} == {b"accounts", b"certificates"}
            status, output = await one.run(
                *("curl", "-sS", "-k", "--max-time", "10", "--resolve", f"{NAME}:{tls_port}:127.0.0.1"),
                f"https://{NAME}:{tls_port}/",
            )
            assert (status, output) == (0, b"secure")
    finally:
        for each in proxies:
            each.program.stop()
            await each.client.close()
        await authority.stop()
    assert all("Traceback" not in each.program.log() for each in proxies)
    assert all("PRIVATE" not in each.program.log() for each in proxies)


@contextlib.asynccontextmanager
async def ordering(
    store: StoreServer, folder: Path, names: Sequence[str], *, lifetime_s: int = 86_400 * 90
) -> AsyncIterator[tuple[Authority, list[RunningProxy], int]]:
    """Proxies that share a key, and an authority that asks the last of them; and the port of their TLS."""
    (tls_port,) = free_ports(1)
    (folder / "seal").write_text(secrets.token_hex(32))
    proxies = [
        RunningProxy(store, folder / name, flags=["--seal-key-file", str(folder / "seal")]) for name in names
    ]
    authority = Authority(http_port=proxies[-1].port, tls_port=tls_port, lifetime_s=lifetime_s)
    await authority.start()
    try:
        for each in proxies:
            each.start()
        yield authority, proxies, tls_port
    finally:
        for each in proxies:
            each.program.stop()
            await each.client.close()
        await authority.stop()


async def test_a_certificate_is_renewed_before_it_expires_and_nobody_is_without_one_meanwhile(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    async with ordering(fairlead_store, tmp_path, ["one"], lifetime_s=60) as (authority, (proxy,), port):
        await proxy.put({"listeners/tls": listener(port), f"hosts/{NAME}/host": host(authority, **SOON)})
        first = await until_served(port)
        found: list[x509.Certificate | None] = [first]
        async with asyncio.timeout(40):
            while found[-1] == first:
                found.append(await served(port))
        second = found[-1]
        assert second is not None
        assert second.issuer == first.issuer
        assert len(authority.accounts) == 1, "the account is kept"


async def test_an_authority_that_refuses_is_left_alone_for_a_while_and_the_old_certificate_stays(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    async with ordering(fairlead_store, tmp_path, ["one", "two"], lifetime_s=60) as (
        authority,
        proxies,
        port,
    ):
        one, two = proxies
        await one.put({"listeners/tls": listener(port), f"hosts/{NAME}/host": host(authority, **SOON)})
        await until_served(port)
        authority.refused = "too many"
        text = f"host {NAME}: no new certificate, the old one stays: 400 too many; tried again at 2"
        await until_told(two, text)
        kept = await until_served(port)
        refusals = authority.refusals
        assert refusals == 2, "one order, by either challenge"
        for number in range(3):
            # Each is news of the hosts, and so a reason to look at what is due.
            await one.put({"hosts/other.example/host": {"Name": f"{number}"}})
            await one.put({f"frontends/f{number}/frontend": frontend(f"/{number}")})
            await one.until(f"/{number}", 503)
            await two.until(f"/{number}", 503)
        assert authority.refusals == refusals
        assert await served(port) == kept
        authority.refused = ""
        await one.client.delete(f"/fairlead/proxy/acme/failures/{NAME}")
        await until_served(port, serial=kept.serial_number)
        assert not (await one.client.get("/fairlead/proxy/acme/failures/", prefix=True)).kvs


async def test_when_the_proxy_that_orders_dies_another_one_orders(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    async with ordering(fairlead_store, tmp_path, ["one", "two"]) as (authority, proxies, _):
        authority.gate.clear()
        await proxies[0].put({f"hosts/{NAME}/host": host(authority)})
        await asyncio.wait_for(authority.waiting.wait(), 40)
        lock = (await proxies[0].client.get("/fairlead/proxy/acme/lock")).kv
        assert lock is not None
        pid = int(lock.value.split()[-1])
        (dead,) = (each for each in proxies if each.program.pid == pid)
        (alive,) = (each for each in proxies if each is not dead)
        dead.program.stop(SIGKILL)
        authority.waiting.clear()
        authority.http_port = alive.port
        await asyncio.wait_for(authority.waiting.wait(), 60)  # the lock's lease has to end before
        authority.gate.set()
        key = f"/fairlead/proxy/acme/certificates/{NAME}"
        async with asyncio.timeout(40):
            while (await alive.client.get(key)).kv is None:  # noqa: ASYNC110  only asking can tell
                await asyncio.sleep(0.1)
        assert len(authority.orders) == 2
