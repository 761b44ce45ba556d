"""What a probe finds: each holds, or says in one line what does not."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.render.change.probing import log_sizes, verify_all
from fairlead.render.config import Limits
from fairlead.render.resource.model import Command, CommandProbe, HttpProbe, LogProbe, Probe, TcpProbe, Verify

LIMITS = Limits(verify_within_s=0.05)


def ask(*probes: Probe, dest: str = "/etc/a b", marks: dict[str, int] | None = None) -> str | None:
    verify = tuple(Verify(probe=probe, within_s=0.05, pause_s=0.01) for probe in probes)
    return verify_all(verify, dest=dest, marks={} if marks is None else marks, limits=LIMITS)


def command(*argv: str) -> CommandProbe:
    return CommandProbe(command=Command(argv=argv, timeout_s=10.0))


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 503)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_an_answer_of_http_is_looked_at_by_its_status_and_what_is_in_it(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    assert ask(HttpProbe(url=f"{url}/", contains="well")) is None
    assert ask(HttpProbe(url=f"{url}/no", expect=(200, 503))) is None
    assert ask(HttpProbe(url=f"{url}/no", expect=(200, 204))) == (
        f"verify: {url}/no answers 503, not 200 or 204 (tried for 0.05 s)"
    )
    assert ask(HttpProbe(url=f"{url}/", contains="ill")) == (
        f"verify: {url}/ answers without 'ill' (tried for 0.05 s)"
    )


def test_nobody_at_a_port_is_said(port: int) -> None:
    assert ask(TcpProbe(host="127.0.0.1", port=port)) is None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    said = ask(TcpProbe(host="127.0.0.1", port=free))
    assert (
        said
        == f"verify: nobody accepts connections at 127.0.0.1:{free}: Connection refused (tried for 0.05 s)"
    )
    assert f"http://127.0.0.1:{free}" in str(ask(HttpProbe(url=f"http://127.0.0.1:{free}/")))


def test_a_command_is_told_the_file(tmp_path: Path) -> None:
    """``{{ dest }}`` and ``{{ src }}`` are the first file of the group, as in a reload; a shell gets it as one word."""
    seen = tmp_path / "seen"
    shell = CommandProbe(command=Command(shell=f"echo {{{{ dest }}}} {{{{.src}}}} > {seen}", timeout_s=10.0))
    assert ask(shell) is None
    assert seen.read_text() == "/etc/a b /etc/a b\n"
    assert ask(command("test", "{{ dest }}", "=", "/etc/a b")) is None
    assert ask(command("false")) == "verify: `false`: exit status 1 (tried for 0.05 s)"


def test_a_log_is_read_from_where_it_was_and_the_others_are_asked_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[emerg] old\n")
    marks = log_sizes((str(log), str(tmp_path / "none")))
    assert marks == {str(log): 12, str(tmp_path / "none"): 0}
    probe = LogProbe(path=str(log), pattern=r"\[emerg\]")
    assert ask(probe, marks=marks) is None
    writes = command("/bin/sh", "-c", f"echo '[emerg] new' >> {log}")
    assert ask(probe, writes, marks=marks) == f"verify: {log} says: [emerg] new"


def test_a_log_that_is_shorter_than_it_was_is_all_new(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[emerg]\n")
    probe = LogProbe(path=str(log), pattern="emerg")
    assert ask(probe, marks={str(log): 1000}) == f"verify: {log} says: [emerg]"


def test_on_the_way_back_a_log_only_has_to_fall_silent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[emerg] of the reload that failed\n")
    verify = (Verify(probe=LogProbe(path=str(log), pattern="emerg"), within_s=0.05, pause_s=0.01),)
    assert verify_all(verify, dest="", marks=None, limits=LIMITS) is None
