"""Real programs that say yes and mean no: what a check and a reload do not notice, a probe or a guard does."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.render.test_templates import get, needs_root, path_of
from tests.support.applying import apply
from tests.support.ports import free_ports
from tests.support.processes import Program, wait_for

from fairlead.render import Renderer, RenderSettings, Snapshot
from fairlead.render.change import Outcome, Step
from fairlead.render.change.journal import Journal
from fairlead.render.errors import GuardError, RolledBackError
from fairlead.render.resource import parse_group


class Bench:
    """One group over keys that the test has in its hand."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path = path
        self.journal = journal
        (path / "templates").mkdir()
        self.settings = RenderSettings(confdir=path)

    def apply(self, template: str, resource: str, **keys: str) -> Outcome:
        """Render ``template`` to ``conf`` and apply it; ``PATH`` in the resource is the test's folder."""
        (self.path / "templates" / "t.j2").write_text(template)
        text = f"files: [{{src: t.j2, dest: {self.conf}}}]\n" + resource.replace("PATH", str(self.path))
        group = parse_group(text, name="conf.d/app.yaml", settings=self.settings)
        snapshot = Snapshot({f"/{name.replace('_', '/')}": value for name, value in keys.items()}, revision=1)
        renderer = Renderer(self.settings.template_dir, output_bytes_max=1_000_000)
        return apply(renderer.render(group, snapshot), self.journal, self.settings)

    @property
    def conf(self) -> Path:
        return self.path / "app.conf"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Journal(tmp_path / "state") as journal:
        yield Bench(tmp_path, journal)


NGINX = """
pid PATH/nginx.pid; error_log PATH/error.log;
events {}
http {
    access_log off;
{% for address in getvs('/listen/*') %}
    server { listen {{ address }}; location / { return 200 {{ getv('/text') }}; } }
{% endfor %}
}
"""
NGINX_GROUP = """
check: {cmd: [NGINX, -t, -q, -c, "{{ src }}"]}
reload: {signal: HUP, pidfile: PATH/nginx.pid}
verify:
  - {http: "http://127.0.0.1:PORT/"}
  - {log_absent: PATH/error.log, match: "\\\\[emerg\\\\]"}
"""


@needs_root
@pytest.mark.peer("nginx")
def test_nginx_that_cannot_bind_is_rolled_back_and_says_why(bench: Bench) -> None:
    """``nginx -t`` is content, ``nginx -s reload`` too, and what is served is the old configuration."""
    port, taken = free_ports(2)
    template = NGINX.replace("PATH", str(bench.path))

    def put(text: str, **listen: str) -> Outcome:
        resource = NGINX_GROUP.replace("NGINX", path_of("nginx")).replace("PORT", str(port))
        return bench.apply(template, resource, text=text, **listen)

    listen = f"127.0.0.1:{port}"
    bench.conf.write_text(
        template.split("{%", 1)[0] + f"server {{ listen {listen}; location / {{ return 200 zero; }} }} }}"
    )
    argv = [path_of("nginx"), "-c", str(bench.conf), "-g", "daemon off;"]
    with Program(argv, log=bench.path / "nginx.log") as nginx, socket.socket() as other:
        nginx.start(lambda: answer(port) == "zero")
        assert put("one", listen_a=listen).error is None
        nginx.wait_until(lambda: answer(port) == "one", "serving the new file")
        other.bind(("127.0.0.1", taken))
        other.listen()
        outcome = put("two", listen_a=listen, listen_b=f"127.0.0.1:{taken}")
        assert outcome.step is Step.ROLL_BACK
        assert isinstance(outcome.error, RolledBackError)
        assert "rolled back, " in str(outcome.error)
        assert f"bind() to 127.0.0.1:{taken} failed" in str(outcome.error) or "without 'two'" in str(
            outcome.error
        )
        assert "return 200 one" in bench.conf.read_text()
        assert answer(port) == "one"
        assert put("three", listen_a=listen).error is None
        nginx.wait_until(lambda: answer(port) == "three", "serving the next good file")


def answer(port: int) -> str:
    with contextlib.suppress(OSError):
        return get(port, "x")[1]
    return ""


@pytest.mark.peer("haproxy")
def test_haproxy_finds_an_empty_backend_good_and_a_guard_does_not(bench: Bench) -> None:
    template = (
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
        "frontend f\n  bind 127.0.0.1:1\n  default_backend b\nbackend b\n"
        "{% for kv in gets('/up/*') %}\n  server {{ kv.key|base }} {{ kv.value }}\n{% endfor %}\n"
    )
    check = f"check: {{cmd: [{path_of('haproxy')}, -c, -q, -f, '{{{{ src }}}}']}}\n"
    guards = "guards: {\"gets('/up/*')\": {min: 1}}\n"
    assert bench.apply(template, check + guards, up_a="127.0.0.1:81").error is None
    before = bench.conf.read_text()
    outcome = bench.apply(template, check + guards)
    assert isinstance(outcome.error, GuardError)
    assert "guard gets('/up/*'): gives 0, fewer than 1" in str(outcome.error)
    assert bench.conf.read_text() == before
    assert bench.apply(template, check).error is None, "haproxy itself sees nothing wrong"


@pytest.mark.peer("dnsmasq", "dig")
def test_dnsmasq_does_not_read_its_file_on_a_hang_up_and_does_when_restarted(bench: Bench) -> None:
    """A reload that does nothing exits with 0 as well; only a probe can tell."""
    [port] = free_ports(1)
    dnsmasq, dig, pid = path_of("dnsmasq"), path_of("dig"), bench.path / "pid"
    template = (
        f"port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=root\n"
        f"pid-file={pid}\naddress=/web.lan/{{{{ getv('/address') }}}}\n"
    )

    def verify(address: str) -> str:
        ask = f"{dig} @127.0.0.1 -p {port} +short +tries=1 +time=1 web.lan"
        return f'verify: [{{shell: \'test "$({ask})" = "{address}"\', within: 3s}}]\n'

    start = f"{dnsmasq} -C {bench.conf}"
    restart = f"reload: {{shell: 'kill $(cat {pid}) && while test -e {pid}; do sleep 0.05; done; {start}'}}\n"
    hang_up = f"reload: {{signal: HUP, pidfile: {pid}}}\n"
    bench.conf.write_text(template.replace("{{ getv('/address') }}", "10.0.0.0"))
    subprocess.run([*start.split()], check=True)
    try:
        assert bench.apply(template, restart + verify("10.0.0.1"), address="10.0.0.1").error is None
        refused = bench.apply(
            template, hang_up + verify("10.0.0.2").replace("within: 3s", "within: 300ms"), address="10.0.0.2"
        )
        assert "(tried for 0.3 s)" in str(refused.error)
        assert "10.0.0.1" in bench.conf.read_text()
        assert bench.apply(template, restart + verify("10.0.0.3"), address="10.0.0.3").error is None
    finally:
        number = int(pid.read_text())
        os.kill(number, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{number}").exists(), "dnsmasq is gone")
