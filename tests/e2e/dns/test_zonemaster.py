"""A signed zone below a signed root, both ours, judged by zonemaster in a network of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests import peers
from tests.chaos.spaces import Kind, Space, SpaceError
from tests.support.processes import Program

from fairlead.dns.cli import dns as command

ROOT = Path(__file__).parents[3]
ZONE = "fairlead.example"
PARENT, CHILDREN = "11.3.0.1", ("11.0.0.1", "11.1.0.1")
STORE = "http://127.0.0.1:2379"
SERVERS = [f"{name}.ns.dns.{ZONE}" for name in "ab"]
RECORDS: dict[str, object] = {
    "dns/ns/a": {"host": PARENT},
    "example/fairlead/dns/ns/a": {"host": CHILDREN[0]},
    "example/fairlead/dns/ns/b": {"host": CHILDREN[1]},
    "example/fairlead/www/1": {"host": "11.2.0.1"},
    "example/fairlead/mail": {"host": "11.2.0.2"},
    "config": {"hostmaster": f"hostmaster@{ZONE}", "min_ttl": 300},
}
PUT = """
import json, sys
from types import SimpleNamespace
from tests.e2e.dns.test_dns import put
put(SimpleNamespace(address="127.0.0.1:2379"), json.load(sys.stdin))
"""

KNOWN = {
    # Of the network that the test made, which has no reverse zones, no IPv6, and nothing beyond.
    "NAMESERVER_IP_WITHOUT_REVERSE",
    "NO_IPV6_NS_CHILD",
    "NO_IPV6_NS_DEL",
}

LOOKED_AT = {
    "ADDRESSES_MATCH", "ALGORITHM_OK", "ARE_AUTHORITATIVE", "CASE_QUERIES_RESULTS_OK", "DS10_HAS_NSEC",
    "DS15_HAS_CDS_AND_CDNSKEY", "EDNS0_SUPPORT", "NAMES_MATCH", "NO_RECURSOR", "NO_UPWARD_REFERRAL", "ONE_SOA_SERIAL",
    "REFERRAL_SIZE_OK", "RRSIG_EXPIRATION",
}  # fmt: skip
"""What it has a good word for, as proof that it asked."""


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    try:
        with Space(Kind.NETWORK, log=tmp_path / "space.log") as space:
            space.run("ip", "link", "set", "lo", "up")
            for address in (PARENT, *CHILDREN):
                space.run("ip", "address", "add", f"{address}/32", "dev", "lo")
            yield space
    except SpaceError as error:
        pytest.skip(str(error))


def fairlead(space: Space, log: Path, *arguments: str) -> Program:
    program = Program([*space.enter, sys.executable, "-m", "fairlead.cli", *arguments], log=log)
    return program.start(lambda: "ready" in program.log())


def keys(*arguments: str, directory: Path) -> str:
    result = CliRunner().invoke(
        command, ["keys", *arguments, "--dir", str(directory)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.peer("zonemaster-cli")
def test_zonemaster_finds_nothing_wrong(space: Space, tmp_path: Path) -> None:
    store = fairlead(
        space,
        tmp_path / "store.log",
        *("store", "--name", "m1", "--data-dir", str(tmp_path / "store")),
        *("--listen-client-urls", STORE, "--advertise-client-urls", STORE),
    )
    keys("generate", ".", directory=tmp_path / "keys" / "root")
    ds = keys("generate", ZONE, directory=tmp_path / "keys" / "child").split(" IN DS ")[1].splitlines()[0]
    apex = {"ns": SERVERS, "ds": ds, "text": "v=spf1 -all", "records": [f"MX 10 mail.{ZONE}."]}
    subprocess.run(
        [*space.enter, sys.executable, "-c", PUT],
        cwd=ROOT,
        check=True,
        input=json.dumps(RECORDS | {"example/fairlead": apex}).encode(),
    )
    common = ("dns", "--endpoints", STORE, "--no-rec")
    running = [
        store,
        fairlead(
            space,
            tmp_path / "parent.log",
            *(
                *common,
                "--listen",
                f"{PARENT}:53",
                "--domain",
                ".",
                "--dnssec-keys",
                str(tmp_path / "keys" / "root"),
            ),
        ),
        fairlead(
            space,
            tmp_path / "child.log",
            *(*common, "--listen", ",".join(f"{one}:53" for one in CHILDREN), "--domain", ZONE),
            *("--dnssec-keys", str(tmp_path / "keys" / "child")),
        ),
    ]
    hints = tmp_path / "hints"
    hints.write_text(f". 3600000 NS a.ns.dns.\na.ns.dns. 3600000 A {PARENT}\n")
    try:
        judge = [*space.enter, peers.find("zonemaster-cli") or "", "--hints", str(hints), "--no-ipv6"]
        done = subprocess.run(
            [*judge, "--level", "INFO", "--json", "--raw", "--no-progress", ZONE],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        for program in running[::-1]:
            program.stop()
    found = [(one["level"], one["tag"]) for one in json.loads(done.stdout)]
    assert {tag for level, tag in found if level != "INFO"} - KNOWN == set()
    assert {tag for _, tag in found} >= LOOKED_AT
