"""TLS between members: certificates both ways, what is said when they do not fit, and renewal."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from tests.e2e.peer.world import World, heartbeat, is_connected, until

from fairlead.peer import PeerTls, PeerTlsError, PeerUnreachableError, ask
from fairlead.raft import Forward

pytestmark = pytest.mark.peer("openssl")
LISTEN = ("https://127.0.0.1:0",)


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.cert = folder / "ca.crt"
        self._openssl(
            *(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ),
            *("-subj", f"/CN={folder.name}", "-keyout", folder / "ca.key", "-out", self.cert),
        )

    def sign(self, name: str, host: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """Return a certificate for ``host`` and its key."""
        cert, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        self._openssl(
            *(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ),
            *(
                "-subj",
                f"/CN={name}",
                "-addext",
                f"subjectAltName={host}",
                "-addext",
                "basicConstraints=CA:FALSE",
            ),
            *("-CA", self.cert, "-CAkey", self._folder / "ca.key", "-keyout", key, "-out", cert),
        )
        return cert, key

    def files(self, name: str, host: str = "IP:127.0.0.1") -> PeerTls:
        cert, key = self.sign(name, host)
        return PeerTls(cert_file=cert, key_file=key, trusted_ca_file=self.cert, client_cert_auth=True)

    def _openssl(self, *args: str | Path) -> None:
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "theirs")


def why(log: LogCapture) -> str:
    """Why a peer cannot be reached."""
    events = {"cannot reach a peer, trying again", "lost the connection to a peer, trying again"}
    return next((line["why"] for line in log.entries if line["event"] in events), "")


async def test_members_show_each_other_certificates(world: World, ours: Authority) -> None:
    one, two = await world.members(1, 2, listen_urls=LISTEN, tls=ours.files("member"))
    one.transport.send([heartbeat(2, 1, at) for at in range(100)])
    await until(lambda: len(two.heard.messages) == 100)
    wire = one.transport._peers[2].urgent.wire
    assert wire is not None
    assert wire._transport is not None
    assert wire._transport.get_extra_info("peercert")["subject"] == ((("commonName", "member"),),)


async def test_large_messages_go_through_tls(world: World, ours: Authority) -> None:
    one, two = await world.members(1, 2, listen_urls=LISTEN, tls=ours.files("member"))
    forward = Forward(to=2, sender=1, term=1, proposals=[bytes(5_000_000), b"end"])
    one.transport.send([forward])
    await until(lambda: two.heard.messages)
    assert two.heard.messages == [forward]


async def test_who_shows_no_certificate_is_not_let_in(world: World, ours: Authority, log: LogCapture) -> None:
    two = await world.member(2, listen_urls=LISTEN, tls=ours.files("member"))
    one = await world.member(1, tls=PeerTls(trusted_ca_file=ours.cert))
    one.transport.set_peers({2: [two.url]})
    await until(lambda: why(log))
    assert "it may not take our certificate: check --peer-cert-file" in why(log)
    assert not is_connected(one, two)
    assert not two.transport._incoming._wires  # type: ignore[union-attr]


async def test_who_shows_one_of_another_authority_is_not_let_in(
    world: World, ours: Authority, theirs: Authority, log: LogCapture
) -> None:
    two = await world.member(2, listen_urls=LISTEN, tls=ours.files("member"))
    cert, key = theirs.sign("stranger")
    one = await world.member(1, tls=PeerTls(cert_file=cert, key_file=key, trusted_ca_file=ours.cert))
    one.transport.set_peers({2: [two.url]})
    await until(lambda: why(log))
    assert "it may not take our certificate" in why(log)
    assert not is_connected(one, two)


async def test_a_member_that_nobody_vouches_for_is_not_spoken_to(
    world: World, ours: Authority, theirs: Authority, log: LogCapture
) -> None:
    two = await world.member(2, listen_urls=LISTEN, tls=theirs.files("member"))
    one = await world.member(1, tls=ours.files("member"))
    one.transport.set_peers({2: [two.url]})
    await until(lambda: why(log))
    assert "its certificate is not trusted" in why(log)
    assert "check --peer-trusted-ca-file" in why(log)


async def test_a_certificate_of_another_host_is_not_taken(
    world: World, ours: Authority, log: LogCapture
) -> None:
    two = await world.member(2, listen_urls=LISTEN, tls=ours.files("elsewhere", "DNS:elsewhere.example"))
    one = await world.member(1, tls=ours.files("member"))
    one.transport.set_peers({2: [two.url]})
    await until(lambda: why(log))
    assert "the names in the certificate" in why(log)


async def test_http_to_https_and_back_say_what_to_mend(
    world: World, ours: Authority, log: LogCapture
) -> None:
    plain, secure = (
        await world.member(1, tls=ours.files("member")),
        await world.member(2, listen_urls=LISTEN, tls=ours.files("member")),
    )
    plain.transport.set_peers({2: [secure.url.replace("https", "http")]})
    await until(lambda: why(log))
    log.entries.clear()
    secure.transport.set_peers({1: [plain.url.replace("http", "https")]})
    await until(lambda: why(log) and any(line["event"].startswith("cut off") for line in log.entries))
    assert "check whether its peer URL is https" in why(log)
    (line,) = [line for line in log.entries if line["event"].startswith("cut off")]
    assert "it speaks TLS and we do not; make the peer URLs of both https or http" in line["why"]


async def test_a_guest_may_ask_over_tls(world: World, ours: Authority) -> None:
    one = await world.member(1, listen_urls=LISTEN, tls=ours.files("member"))
    assert await ask([one.url], "echo", b"abc", tls=ours.files("guest")) == b"cba"
    with pytest.raises(PeerUnreachableError, match="not trusted"):
        await ask([one.url], "echo", b"abc")


async def test_renewed_certificates_are_taken_without_a_restart(
    world: World, ours: Authority, theirs: Authority, tmp_path: Path, log: LogCapture
) -> None:
    def put(authority: Authority, name: str) -> None:
        for source, target in zip(authority.sign(name), (cert, key), strict=True):
            shutil.copy(source, tmp_path / "new")
            os.replace(tmp_path / "new", target)  # noqa: PTH105 - as renewal tools do

    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    put(theirs, "old")
    files = PeerTls(cert_file=cert, key_file=key, trusted_ca_file=ours.cert)
    two = await world.member(2, listen_urls=LISTEN, tls=files, ping_interval_s=0.02, pings_missed_max=1000)
    one = await world.member(1, tls=ours.files("member"))
    one.transport.set_peers({2: [two.url]})
    await until(lambda: "not trusted" in why(log))

    key.write_text("broken")
    await until(lambda: any(line["event"].startswith("cannot take the renewed") for line in log.entries))
    assert two.transport._ticker is not None, "the old ones stay in force"
    put(ours, "new")
    await until(lambda: is_connected(one, two))
    assert len([line for line in log.entries if line["event"].startswith("cannot take the renewed")]) >= 1


async def test_files_that_cannot_be_used_stop_the_start(
    world: World, ours: Authority, tmp_path: Path
) -> None:
    cert, _ = ours.sign("member")
    with pytest.raises(PeerTlsError, match=r"nowhere: cannot be read \(No such file"):
        await world.member(1, listen_urls=LISTEN, tls=PeerTls(cert_file=cert, key_file=tmp_path / "nowhere"))
