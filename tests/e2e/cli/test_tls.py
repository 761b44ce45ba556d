"""A store behind certificates: who gets in, over which protocols, and what the others are told."""

import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import peers
from tests.e2e.cli.command import COMMAND, Kv
from tests.support.certificates import Certificates
from tests.support.cluster import StoreCluster
from tests.support.ports import free_port
from tests.support.processes import Program, clean_environment
from tests.support.store import FairleadStore, Get, StoreServer

pytestmark = pytest.mark.peer("openssl")


class TlsStore(FairleadStore):
    """A store that talks to nobody without a certificate."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self._context = ssl.create_default_context(cafile=certificates["ca.crt"])
        self._context.load_cert_chain(certificates["client.crt"], certificates["client.key"])
        super().__init__(
            folder,
            flags=[
                *("--cert-file", certificates["server.crt"], "--key-file", certificates["server.key"]),
                *("--trusted-ca-file", certificates["ca.crt"], "--client-cert-auth"),
            ],
        )

    @property
    def endpoint(self) -> str:
        return f"https://{self.address}"

    def get(self, path: str) -> Get:
        with urllib.request.urlopen(self.endpoint + path, timeout=5, context=self._context) as answer:
            return answer.status, answer.read()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def store(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsStore]:
    with TlsStore(tmp_path_factory.mktemp("tls"), certificates) as running:
        yield running


def call(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [peers.find(program) or program, *words],
        env=clean_environment({"ETCDCTL_API": "3"}),
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.peer("etcdctl")
def test_etcdctl_gets_in_with_a_certificate_and_not_without(
    store: TlsStore, certificates: Certificates
) -> None:
    at = ("--endpoints", store.endpoint, "--dial-timeout", "1s", "--command-timeout", "2s")

    assert call("etcdctl", *at, *certificates.flags(), "put", "/a", "1").stdout == "OK\n"
    refused = call("etcdctl", *at, "--cacert", certificates["ca.crt"], "get", "/a")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert store.is_healthy()


@pytest.mark.peer("curl")
@pytest.mark.parametrize(("flag", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_speaks_either_version(
    store: TlsStore, certificates: Certificates, flag: str, version: str
) -> None:
    words = ("-sS", flag, "-w", " %{http_version}", f"{store.endpoint}/health")

    answered = call("curl", *certificates.flags(), *words)
    assert '"health":"true"' in answered.stdout
    assert answered.stdout.endswith(f" {version}")
    assert call("curl", "--cacert", certificates["ca.crt"], *words).returncode != 0


def test_our_own_client_gets_in_with_a_certificate_and_says_why_not_without(
    store: TlsStore, certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    kv = Kv(store.endpoint, capsys)
    flags = certificates.flags()

    kv.lines("put", "/own", "1", *flags)
    assert kv.lines("get", "/own", *flags) == ["1"]
    for fewer in (flags[:2], ()):  # no certificate of ours; not even the authority that signed the store's
        line = kv("get", "/own", *fewer).refusal
        assert line.startswith(f"fairlead: no store answers at {store.endpoint}")


def test_an_agent_follows_a_store_behind_certificates(
    store: TlsStore, certificates: Certificates, tmp_path: Path
) -> None:
    health = f"127.0.0.1:{free_port()}"
    words = ("--endpoints", store.endpoint, *certificates.flags(), "--metrics-listen", health)
    agent = Program(
        [*COMMAND, "proxy", "--listen", f"127.0.0.1:{free_port()}", *words], log=tmp_path / "proxy.log"
    )
    with agent.start(lambda: "ready" in agent.log()):
        pass

    assert agent.exit_status == 0
    assert "Traceback" not in agent.log()


def test_members_reach_each_other_with_certificates_only(
    tmp_path: Path, certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    """What travels between members is everything there is."""
    own = ("--peer-cert-file", certificates["server.crt"], "--peer-key-file", certificates["server.key"])
    trust = ("--peer-trusted-ca-file", certificates["ca.crt"], "--peer-client-cert-auth")
    with StoreCluster(FairleadStore, tmp_path, flags=(*own, *trust), scheme="https") as cluster:
        first, second, _ = cluster.members.values()
        assert Kv(first.endpoint, capsys)("put", "/a", "1").status == 0
        assert Kv(second.endpoint, capsys)("get", "/a").out == "1\n"
        stranger = ssl.create_default_context(cafile=certificates["ca.crt"])
        acquaintance = ssl.create_default_context(cafile=certificates["ca.crt"])
        acquaintance.load_cert_chain(certificates["client.crt"], certificates["client.key"])
        # A member says who it is at once, to those it lets in.
        assert (first_byte(first, stranger), len(first_byte(first, acquaintance))) == (b"", 1)


def first_byte(member: StoreServer, context: ssl.SSLContext) -> bytes:
    """What a member says to whoever connects to its port for other members; nothing when it hangs up."""
    plain = socket.create_connection(("127.0.0.1", member.peer_port), timeout=10)
    try:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            return tls.recv(1)
    except (ssl.SSLError, ConnectionError):
        return b""


class OwnTlsStore(FairleadStore):
    """A store that makes its certificate itself."""

    @property
    def endpoint(self) -> str:
        return f"https://{self.address}"

    def get(self, path: str) -> Get:
        # Read anew each time: before the first start there is none.
        context = ssl.create_default_context(cafile=self.data_dir / "fixtures" / "client" / "cert.pem")
        with urllib.request.urlopen(self.endpoint + path, timeout=5, context=context) as answer:
            return answer.status, answer.read()


@pytest.mark.peer("etcdctl")
def test_members_that_make_their_certificates_themselves_reach_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--auto-tls", "--peer-auto-tls")
    with StoreCluster(OwnTlsStore, tmp_path, flags=flags, scheme="https") as cluster:
        first, second, _ = cluster.members.values()
        cert = first.data_dir / "fixtures" / "client" / "cert.pem"
        assert Kv(first.endpoint, capsys)("put", "/a", "1", "--cacert", str(cert)).status == 0
        words = ("--endpoints", second.endpoint, "--insecure-transport=false", "--insecure-skip-tls-verify")
        assert call("etcdctl", *words, "get", "/a").stdout == "/a\n1\n"
        assert Kv(first.endpoint, capsys)("get", "/a").status != 0
        keys = [cert.with_name("key.pem"), first.data_dir / "fixtures" / "peer" / "key.pem"]
        assert [key.stat().st_mode & 0o777 for key in keys] == [0o600, 0o600]
        assert first.program.log().count("that nobody signed") == len(keys)
        before = cert.read_bytes()
        first.restart()
        assert cert.read_bytes() == before
