"""TLS as the operator gives it, against a store that asks for a client certificate."""

import subprocess
from pathlib import Path

import grpc
import pytest
from tests.unit.client.fake_store import FakeStore, failing

from fairlead.client import Client, EndpointError, Tls, UnavailableError, methods
from fairlead.proto import rpc_pb2


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """One certificate for both sides, signed by itself."""
    folder = tmp_path_factory.mktemp("pki")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return Tls(ca=cert, cert=cert, key=key)


def store_with(pki: Tls) -> FakeStore:
    assert pki.cert is not None
    assert pki.key is not None
    cert, key = pki.cert.read_bytes(), pki.key.read_bytes()
    store = FakeStore(grpc.ssl_server_credentials([(key, cert)], cert, require_client_auth=True))
    store.answers[methods.RANGE.path] = failing(then=rpc_pb2.RangeResponse(count=3))
    return store


@pytest.mark.peer("openssl")
async def test_a_store_that_asks_for_a_certificate_is_shown_ours(pki: Tls) -> None:
    async with store_with(pki) as store, Client([store.endpoint], tls=pki) as client:
        assert (await client.get("a")).count == 3


@pytest.mark.peer("openssl")
async def test_a_store_whose_certificate_nobody_vouches_for_is_not_spoken_to(pki: Tls) -> None:
    async with store_with(pki) as store, Client([store.endpoint]) as client:
        with pytest.raises(
            UnavailableError, match="not trusted, self signed certificate: check --cacert"
        ) as caught:
            await client.get("a")

    assert store.calls == []
    assert not caught.value.is_sent


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_store_that_ends_the_handshake_is_told_with_what_may_be_missing(
    pki: Tls, scheme: str
) -> None:
    """No certificate of ours, or no TLS at all: gRPC says "Socket closed" to both."""
    async with store_with(pki) as store:
        endpoint = f"{scheme}://127.0.0.1:{store.port}"
        async with Client([endpoint], tls=Tls(ca=pki.ca)) as client:
            with pytest.raises(UnavailableError, match="check http:// or https://, and --cert and --key"):
                await client.get("a")


async def test_tls_to_a_store_without_it_is_told() -> None:
    async with FakeStore() as store, Client([f"https://127.0.0.1:{store.port}"]) as client:
        with pytest.raises(UnavailableError, match="write http:// instead of https://"):
            await client.get("a")


def test_a_file_that_is_no_pem_is_named_with_its_flag(tmp_path: Path) -> None:
    (tmp_path / "ca").write_bytes(b"junk")
    with pytest.raises(EndpointError, match="is not a PEM file; check --cacert"):
        Client(["https://127.0.0.1:1"], tls=Tls(ca=tmp_path / "ca"))


def test_a_file_that_cannot_be_read_is_named_with_its_flag(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="No such file or directory; check --cacert") as caught:
        Client(["https://127.0.0.1:1"], tls=Tls(ca=tmp_path / "absent.pem"))

    assert str(tmp_path / "absent.pem") in str(caught.value)


def test_without_any_endpoint_there_is_no_client() -> None:
    with pytest.raises(EndpointError, match="--endpoints"):
        Client([])
