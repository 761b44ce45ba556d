"""FleetLock over the wire, by httpx as the client and by raw bytes."""

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.lock.conftest import Lock
from tests.support.certificates import Certificates
from tests.support.ports import free_port
from tests.support.processes import Program, wait_for
from tests.support.store import FairleadStore

MARK = {"fleet-lock-protocol": "true"}


def body(holder: str, group: str = "default") -> dict[str, dict[str, str]]:
    return {"client_params": {"id": holder, "group": group}}


def post(address: str, path: str, holder: str, group: str = "default") -> httpx.Response:
    return httpx.post(f"http://{address}/v1/{path}", json=body(holder, group), headers=MARK, timeout=20)


def test_a_zincati_host_goes_through_its_update(lock: Lock) -> None:
    """Its states: steady, then pre-reboot until granted, then steady again under the new system."""
    address = lock.serve("--groups", "default=1,web=2")
    assert post(address, "steady-state", "a").status_code == 200
    assert post(address, "pre-reboot", "a").status_code == 200
    assert post(address, "pre-reboot", "a").status_code == 200, "asking again is no second permit"
    refused = post(address, "pre-reboot", "b")
    assert (refused.status_code, refused.json()["kind"]) == (423, "lock_held")
    assert post(address, "steady-state", "b").status_code == 200, "who is not in becomes steady all the same"
    assert post(address, "steady-state", "a").status_code == 200
    assert post(address, "pre-reboot", "b").status_code == 200
    assert [post(address, "pre-reboot", name, "web").status_code for name in "xyz"] == [200, 200, 423]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Program]]:
    """The address of a server, and the program: one for all who ask about HTTP and not about permits."""
    folder = tmp_path_factory.mktemp("serve")
    with FairleadStore(folder / "store") as store:
        lock = Lock(store, folder)
        address = lock.serve()
        with lock.programs[0] as program:
            yield address, program


def test_each_refusal_has_its_status_and_kind(server: tuple[str, Program]) -> None:
    address, _ = server
    url = f"http://{address}/v1/pre-reboot"
    answers = [
        httpx.get(url, headers=MARK),
        httpx.post(url, json=body("a")),
        httpx.post(url, content=b"{", headers=MARK),
        httpx.post(url, json=body("a", "nope"), headers=MARK),
        httpx.post(url, json=body("", "default"), headers=MARK),
        httpx.post(f"http://{address}/v2/pre-reboot", json=body("a"), headers=MARK),
        httpx.post(url, content=b"x" * 20_000, headers=MARK),
    ]
    assert [(answer.status_code, answer.json()["kind"]) for answer in answers] == [
        (405, "method_not_allowed"),
        (400, "missing_header"),
        (400, "decode_error"),
        (400, "unknown_group"),
        (400, "invalid_id"),
        (404, "not_found"),
        (413, "too_large"),
    ]
    assert answers[0].headers["allow"] == "POST"


@pytest.mark.parametrize(
    "junk", [b"\x00\x01\x02\r\n\r\n", b"POST /v1/pre-reboot HTTP/1.1\r\n\r\n", b"G" * 40_000]
)
def test_what_is_no_http_is_refused_and_the_next_is_served(server: tuple[str, Program], junk: bytes) -> None:
    address, program = server
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(junk)
        assert raw.recv(64).startswith(b"HTTP/1.1 400 ")
    assert post(address, "steady-state", "a").status_code == 200
    assert "Traceback" not in program.log()


def converse(address: str, request: bytes) -> bytes:
    """Send ``request`` and return all that comes until the server closes."""
    host, _, port = address.partition(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(request)
        while data := raw.recv(4096):
            answer += data
    return answer


def test_a_head_request_gets_a_head_and_no_body(server: tuple[str, Program]) -> None:
    address, program = server
    answer = converse(address, b"HEAD /v1/pre-reboot HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert rest == b""
    assert "Traceback" not in program.log()


def test_who_waits_to_be_told_to_send_the_body_is_told(server: tuple[str, Program]) -> None:
    """RFC 9110, section 10.1.1."""
    address, _ = server
    content = json.dumps(body("a")).encode()
    head = (
        b"POST /v1/pre-reboot HTTP/1.1\r\nhost: x\r\nfleet-lock-protocol: true\r\n"
        b"expect: 100-continue\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    )
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(head % len(content))
        assert raw.recv(4096).startswith(b"HTTP/1.1 100 ")
        raw.sendall(content)
        assert raw.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_store_that_is_away_is_said_so(lock: Lock) -> None:
    address = lock.serve()
    lock.store.stop()
    answer = post(address, "pre-reboot", "a")
    assert (answer.status_code, answer.json()["kind"]) == (503, "store_unavailable")


def test_what_an_operator_has_set_is_not_undone_by_a_restart(lock: Lock) -> None:
    lock("set-max", "5", "--group", "web")
    lock.serve("--groups", "web=1")
    assert "0 of 5 held" in lock("status", "--group", "web").out


@pytest.mark.peer("openssl")
def test_it_speaks_tls(lock: Lock, tmp_path: Path) -> None:
    made = Certificates(tmp_path)
    address = lock.serve("--tls-cert", made["server.crt"], "--tls-key", made["server.key"])
    trust = ssl.create_default_context(cafile=made["ca.crt"])
    answer = httpx.post(f"https://{address}/v1/steady-state", json=body("a"), headers=MARK, verify=trust)
    assert answer.status_code == 200


def test_metrics_count_by_kind(lock: Lock) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    address = lock.serve("--metrics-listen", metrics)
    post(address, "pre-reboot", "a")
    post(address, "pre-reboot", "b")

    def text() -> str:
        return httpx.get(f"http://{metrics}/metrics").text

    assert 'fairlead_lock_requests_total{request="pre-reboot"} 2.0' in text()
    assert 'fairlead_lock_refusals_total{kind="lock_held"} 1.0' in text()
    wait_for(
        lambda: 'fairlead_lock_permits{group="default"} 1.0' in text(), "the gauges are set", within_s=20
    )
