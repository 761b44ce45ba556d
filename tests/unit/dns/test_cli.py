"""The command line: every mistake is one line that says what to do."""

import socket

import pytest
from tests.e2e.cli.command import run, run_here

MISTAKES = {
    "unknown flag": (["--frobnicate"], 2, "no such option"),
    "unknown command": (["frobnicate"], 2, "no such command"),
    "no port": (["--listen", "127.0.0.1"], 1, "--listen"),
    "empty listen": (["--listen", ","], 1, "--listen is empty"),
    "bad zone": (["--domain", "a..b"], 1, "'a..b' is no name"),
    "an address for a network": (["--domain", "10.1.2.3/8"], 1, "write 10.0.0.0/8"),
    "empty zone": (["--domain", " , "], 1, "--domain is empty"),
    "dialect": (["--dialect", "bind"], 2, "coredns"),
    "nameserver": (["--nameservers", "ns.example"], 1, "'ns.example' is no address"),
    "nameserver port": (["--nameservers", "192.0.2.1:0"], 1, "no such port"),
    "ourselves": (["--nameservers", "127.0.0.1:5353"], 1, "names ourselves: 127.0.0.1:5353"),
    "no resolv.conf": (["--nameservers", "/nowhere/resolv.conf"], 1, "cannot read /nowhere/resolv.conf"),
    "guard": (["--deletion-guard", "0"], 1, "give 1 to 100 percent"),
    "workers": (["--workers", "0"], 2, "not in the range"),
    "no certificate": (["--listen-tls", "127.0.0.1:0"], 1, "give --tls-cert and --tls-key"),
    "no network": (["--allow", "10.0.0.0/33"], 1, "write networks as"),
    "bad endpoint": (["--endpoints", "ftp://x"], 1, "ftp"),
}


@pytest.mark.parametrize(("arguments", "status", "text"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line(
    arguments: list[str], status: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_here(capsys, "dns", *arguments)
    assert answer.status == status
    assert text in answer.err
    assert status == 2 or answer.refusal  # click says how to get help, too


NOWHERE = ("--listen", "127.0.0.1:0")
LATE = {
    "a certificate that is none": (
        ["--listen-tls", "127.0.0.1:0", "--tls-cert", "/dev/null", "--tls-key", "/dev/null"],
        "cannot use the certificate /dev/null",
    ),
    "data folder": (["--data-dir", "/dev/null/x"], "check --data-dir"),
}


@pytest.mark.parametrize(("arguments", "text"), LATE.values(), ids=LATE.keys())
def test_a_mistake_that_shows_once_it_runs_is_one_line(arguments: list[str], text: str) -> None:
    answer = run("dns", *NOWHERE, *arguments)
    assert answer.status == 1
    assert text in answer.refusal


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        answer = run("dns", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert answer.status == 1
    assert "the port is in use" in answer.refusal
