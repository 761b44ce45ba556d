"""Certificates that are ordered by themselves: from an authority that asks over real sockets, on each kind of store."""

import asyncio
import secrets
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.support.acme import Authority
from tests.support.ports import free_ports
from tests.support.store import StoreServer

from fairlead.client import KeyValue

NAME = "www.example"


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
            auto_cert = {"Email": "a@example", "DirectoryURL": f"{authority.url}/directory"}
            await one.put(
                {
                    "frontends/f/frontend": frontend("/"),
                    "backends/b/servers/s": server(upstream),
                    "listeners/tls": {
                        "Protocol": "https",
                        "Address": {"Network": "tcp", "Address": f"127.0.0.1:{tls_port}"},
                    },
                    f"hosts/{NAME}/host": {
                        "Name": NAME,
                        "Settings": {"Default": True, "AutoCert": auto_cert},
                    },
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
