"""Clients of other people on every transport, and the EDNS compliance questions that operators put to servers."""

import re
import ssl
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from tests import peers
from tests.e2e.dns.test_dns import SITE, NameServer, put
from tests.support.certificates import Certificates
from tests.support.ports import free_ports
from tests.support.store import FairleadStore

pytestmark = pytest.mark.peer("dig", "kdig", "openssl")
WITHIN_S = 20.0


class Served:
    """One name server on every transport."""

    def __init__(
        self, server: NameServer, tls_port: int, https_port: int, certificates: Certificates
    ) -> None:
        self.server = server
        self.tls_port = tls_port
        self.https_port = https_port
        self.certificates = certificates

    def run(self, program: str, *arguments: str, port: int | None = None) -> str:
        command = [
            peers.find(program) or program,
            "@127.0.0.1",
            "-p",
            str(port or self.server.port),
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=True).stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    certificates = Certificates(folder)
    tls_port, https_port = free_ports(2)
    with FairleadStore(folder / "store") as store:
        put(store, SITE)
        server = NameServer(store, folder)
        server.program.argv += [
            *("--listen-tls", f"127.0.0.1:{tls_port}", "--listen-https", f"127.0.0.1:{https_port}"),
            *("--tls-cert", certificates["server.crt"], "--tls-key", certificates["server.key"]),
            *("--nsid", "one", "--log-queries", "1", "--rrl", "1", "--lameduck", "0.2"),
        ]
        server.start()
        yield Served(server, tls_port, https_port, certificates)
        assert server.program.stop() == 0
        assert "Traceback" not in server.program.log()


# Arguments of dig, and what must be in its output, and what must not.
DIG = {
    "plain": (["+noedns", "web.skydns.local"], ["NOERROR", "10.0.0.1"], ["EDNS"]),
    "edns": (["+edns=0", "web.skydns.local"], ["NOERROR", "EDNS: version: 0", "udp: 1232"], []),
    "edns 1": (["+edns=1", "+noednsneg", "web.skydns.local"], ["BADVERS", "EDNS: version: 0"], ["10.0.0.1"]),
    "edns 1 and an unknown option": (["+edns=1", "+noednsneg", "+ednsopt=100", "web.skydns.local"], ["BADVERS"], ["OPT=100"]),
    "an unknown option": (["+ednsopt=100:abcd", "web.skydns.local"], ["NOERROR", "10.0.0.1"], ["OPT=100"]),
    "an unknown flag": (["+ednsflags=0x40", "web.skydns.local"], ["NOERROR", "10.0.0.1"], ["MBZ"]),
    "DO": (["+dnssec", "web.skydns.local"], ["flags: do;", "10.0.0.1"], []),
    "a small buffer": (["+bufsize=512", "+ignore", "web.skydns.local"], ["NOERROR", "udp: 1232"], ["tc"]),
    "a large buffer": (["+bufsize=65535", "web.skydns.local"], ["NOERROR", "udp: 1232"], []),
    "AD": (["+adflag", "web.skydns.local"], ["NOERROR"], [" ad"]),
    "CD": (["+cdflag", "web.skydns.local"], [" cd"], []),
    "Z": (["+zflag", "web.skydns.local"], ["NOERROR", "10.0.0.1"], ["MBZ"]),
    "no RD": (["+norecurse", "web.skydns.local"], ["NOERROR"], [" rd"]),
    "another opcode": (["+opcode=15", "+norecurse", "web.skydns.local"], ["NOTIMP"], []),
    "a cookie": (["+cookie", "web.skydns.local"], ["(good)"], []),
    "NSID": (["+nsid", "web.skydns.local"], ['NSID: 6f 6e 65 ("one")'], []),
    "a subnet": (["+subnet=192.0.2.0/24", "web.skydns.local"], ["CLIENT-SUBNET: 192.0.2.0/24/0"], []),
    "a large key": (["TYPE1000", "web.skydns.local"], ["NOERROR", "ANSWER: 0", "SOA"], []),
    "ANY": (["ANY", "+notcp", "web.skydns.local"], ["RFC8482"], []),
    "CHAOS": (["CH", "TXT", "id.server"], ['"one"'], []),
    "outside": (["+ednsopt=100", "example.com"], ["REFUSED", "EDE: 20"], [" aa"]),
    "localhost": (["localhost"], ["127.0.0.1", " aa"], []),
    "tcp": (["+tcp", "+keepalive", "web.skydns.local"], ["10.0.0.1", "KEEPALIVE: 10.0"], []),
    "a transfer": (["+tcp", "AXFR", "skydns.local"], ["Transfer failed"], []),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected", "unexpected"), DIG.values(), ids=DIG.keys())
def test_dig(served: Served, arguments: list[str], expected: list[str], unexpected: list[str]) -> None:
    said = served.run("dig", "+tries=1", "+time=20", *arguments)
    assert [text for text in expected if text.lower() not in said.lower()] == []
    header = "\n".join(line for line in said.splitlines() if line.startswith(";"))
    assert [text for text in unexpected if re.search(re.escape(text) + r"\b", header)] == []


@pytest.mark.parametrize("transport", ["+notcp", "+tcp", "+tls", "+https", "+https-get"])
def test_kdig_on_every_transport(served: Served, transport: str) -> None:
    port = {"+tls": served.tls_port, "+https": served.https_port, "+https-get": served.https_port}.get(
        transport
    )
    check = (
        [f"+tls-ca={served.certificates['ca.crt']}", "+tls-hostname=127.0.0.1"] if transport == "+tls" else []
    )
    said = served.run(
        "kdig",
        "+nsid",
        "+cookie",
        "+padding=128",
        *check,
        transport,
        "+retry=0",
        "+time=20",
        "web.skydns.local",
        port=port,
    )
    assert "status: NOERROR" in said
    assert "10.0.0.1" in said
    assert "NSID: 6F6E65" in said
    assert ("PADDING" in said) is (transport not in {"+notcp", "+tcp"})


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_a_browser(served: Served, http2: bool) -> None:  # noqa: FBT001 - a parameter
    verify = ssl.create_default_context(cafile=served.certificates["ca.crt"])
    with httpx.Client(http1=not http2, http2=http2, verify=verify) as client:
        url = f"https://127.0.0.1:{served.https_port}/dns-query?dns=AAABAAABAAAAAAAAA3dlYgZza3lkbnMFbG9jYWwAAAEAAQ"
        response = client.get(url)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dns-message")
    assert b"\x0a\x00\x00\x01" in response.content


def test_every_query_was_logged(served: Served) -> None:
    served.run("dig", "logged.skydns.local")
    served.run("dig", "+tcp", "logged.skydns.local")
    lines = [line for line in served.server.program.log().splitlines() if "logged.skydns.local." in line]
    assert [("transport=udp" in line, "NXDOMAIN" in line) for line in lines] == [(True, True), (False, True)]
