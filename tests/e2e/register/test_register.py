"""One registration, seen by DNS, proxy and templates alike; and gone from all of them."""

import subprocess
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
from tests import peers
from tests.e2e.cli.command import run, run_here
from tests.e2e.register.conftest import Suite
from tests.support.ports import free_port
from tests.support.processes import wait_for
from tests.support.store import StoreServer

from fairlead.client import Client

TTL_S = 3


def test_a_service_that_registers_is_found_by_all_and_leaves_all_when_it_is_stopped(suite: Suite) -> None:
    port = free_port()
    registered = suite.register(port, *suite.service(port), name="one")
    wait_for(lambda: suite.knows(port), "all know it")
    registered.stop(SIGTERM)
    wait_for(suite.knows, "nobody knows it")
    assert "left" in registered.log()


def test_a_registration_that_is_killed_is_gone_within_its_ttl_and_a_second(suite: Suite) -> None:
    port = free_port()
    registered = suite.register(port, "--ttl", f"{TTL_S}s", *suite.service(port), name="one")
    wait_for(lambda: suite.knows(port), "all know it")
    began_s = time.monotonic()
    registered.stop(SIGKILL)
    wait_for(lambda: suite.in_dns() == suite.in_file() == set(), "it is gone", within_s=TTL_S + 30)
    # The promise of the issue is on an idle machine; here only that it is the lease which ends it.
    assert time.monotonic() - began_s < TTL_S + 15


def test_a_service_that_dies_is_gone_at_once_and_comes_back_when_it_was_started_again(suite: Suite) -> None:
    port = free_port()
    suite.register(port, "--ttl", "60s", *suite.service(port), name="one")
    wait_for(lambda: suite.knows(port), "all know it")
    pid = int(
        subprocess.check_output(["ss", "-Hltnp", f"sport = :{port}"], text=True)
        .split("pid=")[1]
        .split(",")[0]
    )
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for(lambda: "left" in suite.programs[-1].log(), "it is put out")
    wait_for(lambda: suite.knows(port), "it is back")


def test_a_check_that_fails_puts_it_out_and_one_that_holds_lets_it_in(suite: Suite) -> None:
    port, well = free_port(), suite.folder / "well"
    suite.register(port, "--check-cmd", f"test -e {well}", *suite.service(port), name="one")
    wait_for(lambda: "not registered: `sh -c" in suite.programs[-1].log(), "it says why it waits")
    assert suite.knows()
    well.touch()
    wait_for(lambda: suite.knows(port), "all know it")
    well.unlink()
    wait_for(suite.knows, "nobody knows it")


async def test_a_lease_that_is_revoked_behind_its_back_is_made_anew(suite: Suite) -> None:
    port = free_port()
    registered = suite.register(port, "--ttl", "3s", *suite.service(port), name="one")
    wait_for(lambda: suite.knows(port), "all know it")
    async with Client([suite.store.endpoint]) as client:
        (pair,) = (await client.get("/services/web/", prefix=True)).kvs
        await client.revoke(pair.lease)
    wait_for(lambda: "the lease was lost; registering anew" in registered.log(), "it notices")
    wait_for(lambda: suite.knows(port), "it is back")


@pytest.mark.peer("wrk")
def test_no_request_fails_while_one_of_two_is_stopped_in_order(suite: Suite) -> None:
    ports = [free_port(), free_port()]
    first, _ = (
        suite.register(port, "--drain", "1s", *suite.service(port), name=f"one-{port}") for port in ports
    )
    wait_for(lambda: suite.knows(*ports), "all know both")
    wrk = peers.find("wrk")
    assert wrk is not None
    load = subprocess.Popen(
        [wrk, "-t1", "-c8", "-d4s", f"http://127.0.0.1:{suite.proxy_port}/"],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(1)  # wrk has no way to say that it has begun
    first.signal(SIGTERM)
    told, _ = load.communicate(timeout=60)
    assert "Socket errors" not in told, told
    assert "Non-2xx" not in told, told
    assert suite.knows(ports[1])


def test_an_address_that_is_taken_is_refused_and_its_holder_stays(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    suite = Suite(fairlead_store, tmp_path)
    value = '{"owner": "other-host pid 7"}'
    suite.kv("put", "/services/web/127-0-0-1-80", value)
    refused = run(
        *("register", "web", "--address", "127.0.0.1:80", "--endpoints", fairlead_store.endpoint),
        *("--", "sleep", "60"),
    )
    assert refused.status == 1
    assert "web at 127.0.0.1:80 is registered by other-host pid 7 already; stop it there" in refused.err
    assert suite.kv("get", "/services/web/127-0-0-1-80").out.strip() == value


def test_the_program_s_end_is_the_registrations_end(fairlead_store: StoreServer) -> None:
    done = run(
        *("register", "web", "--address", "127.0.0.1:80", "--endpoints", fairlead_store.endpoint),
        *("--restart", "never", "--", "sh", "-c", "exit 7"),
    )
    assert done.status == 7


MISTAKES = [
    (("We_b!", "--address", "127.0.0.1:1"), "name 'We_b!': 'We_b!' is no DNS label"),
    (("web",), "missing option '--address'"),
    (("web", "--address", "nowhere"), "not an address: 'nowhere'; write --address HOST:PORT"),
    (("web", "--address", "0.0.0.0:1"), "is no address that others can reach"),
    (("web", "--address", "127.0.0.1:1", "--ttl", "soon"), "--ttl: 'soon' is no duration"),
    (("web", "--address", "127.0.0.1:1", "--domain", "shop..lan"), "domain 'shop..lan': '' is no DNS label"),
    (("web", "--address", "127.0.0.1:1", "--interval", "1ms"), "--interval: checks 0.001 s apart"),
    (("web", "--address", "127.0.0.1:1", "--check", "http://"), "--check: 'http://' is no URL"),
    (("web", "--address", "127.0.0.1:1", "--check", "http://a", "--check-cmd", "x"), "are two checks"),
]


@pytest.mark.parametrize(("words", "refusal"), MISTAKES)
def test_a_mistake_gets_one_line(
    words: tuple[str, ...], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_here(capsys, "register", *words)
    assert answer.status != 0
    assert refusal in answer.err


def test_a_program_that_is_not_there_gets_one_line() -> None:
    answer = run("register", "web", "--address", "127.0.0.1:1", "--", "/no/such/program")
    assert answer.status != 0
    assert "`/no/such/program` cannot be run" in answer.err
    assert "Traceback" not in answer.err
