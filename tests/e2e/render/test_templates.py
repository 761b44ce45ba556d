"""The ready templates, each checked by the program it is for, and served by it."""

import dataclasses
import http.client
import subprocess
from collections.abc import Mapping
from pathlib import Path
from signal import SIGHUP

import pytest
from tests.e2e.render.conftest import TEMPLATES, get, needs_root
from tests.peers import path_of
from tests.support.applying import apply
from tests.support.ports import free_ports
from tests.support.processes import Program

from fairlead.render import Renderer, RenderSettings, Snapshot, load_resources
from fairlead.render.change import Outcome
from fairlead.render.change.journal import Journal
from fairlead.render.errors import CheckFailedError, TemplateError


def put_in_place(app: str, keys: Mapping[str, str], out: Path) -> dict[str, Outcome]:
    """Render a ready folder into ``out``, with its own checks and without its reloads."""
    settings = RenderSettings(confdir=TEMPLATES / app)
    loaded = load_resources(settings)
    assert loaded.problems == ()
    renderer = Renderer(settings.template_dir, output_bytes_max=1_000_000)
    outcomes = {}
    journal = Journal(out / "state")
    for resource in loaded.resources:
        [file] = resource.files
        name = Path(file.dest).name
        moved = dataclasses.replace(
            resource, files=(dataclasses.replace(file, dest=str(out / name)),), reload=None, verify=()
        )
        outcomes[name] = apply(renderer.render(moved, Snapshot(keys, revision=1)), journal, settings)
    journal.close()
    return outcomes


def complaints(outcomes: Mapping[str, Outcome]) -> list[str]:
    return [str(outcome.error) for outcome in outcomes.values() if outcome.error is not None]


def answers(port: int) -> bool:
    try:
        return get(port, "nobody.example")[0] == http.HTTPStatus.NOT_FOUND
    except OSError:
        return False


def web_keys(upstream: int, **more: str) -> dict[str, str]:
    return {
        "/apps/shop/host": "shop.example",
        "/apps/shop/upstreams/1": f"127.0.0.1:{upstream}",
        "/apps/empty/host": "empty.example",
        "/apps/empty/upstreams/group/not-an-upstream": "x",
        **more,
    }


def own_files(out: Path) -> dict[str, str]:
    """Return the keys that keep nginx away from the host's own files."""
    return {"/nginx/pid": str(out / "nginx.pid"), "/nginx/error_log": str(out / "error.log")}


@needs_root
@pytest.mark.peer("nginx")
def test_nginx_serves_what_the_keys_say(upstream: int, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    listen = {"/nginx/listen": f"127.0.0.1:{port}", **own_files(tmp_path)}
    assert complaints(put_in_place("nginx", web_keys(upstream) | listen, tmp_path)) == []
    argv = [path_of("nginx"), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    with Program(argv, log=tmp_path / "nginx.log") as nginx:
        nginx.start(lambda: answers(port))
        assert get(port, "shop.example") == (200, "shop")
        assert get(port, "empty.example")[0] == 503


@pytest.mark.peer("haproxy")
def test_haproxy_serves_what_the_keys_say(upstream: int, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    keys = web_keys(upstream) | {"/haproxy/listen": f"127.0.0.1:{port}"}
    assert complaints(put_in_place("haproxy", keys, tmp_path)) == []
    argv = [path_of("haproxy"), "-db", "-f", str(tmp_path / "haproxy.cfg")]
    with Program(argv, log=tmp_path / "haproxy.log") as haproxy:
        haproxy.start(lambda: answers(port))
        assert get(port, "shop.example") == (200, "shop")
        assert get(port, "empty.example")[0] == 503


@pytest.mark.peer("dnsmasq", "dig")
def test_dnsmasq_serves_what_the_keys_say_and_a_hup_takes_new_hosts(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    keys = {"/dnsmasq/domain": "lan", "/dnsmasq/hosts/db": "10.1.2.3", "/dnsmasq/servers/1": "127.0.0.1"}
    assert complaints(put_in_place("dnsmasq", keys, tmp_path)) == []
    argv = [
        *(path_of("dnsmasq"), "-k", "-C", str(tmp_path / "fairlead.conf"), "--port", str(port)),
        *("--addn-hosts", str(tmp_path / "dnsmasq.hosts"), "--user=root", "--pid-file"),
        *("--listen-address=127.0.0.1", "--bind-interfaces"),
    ]

    def dig(name: str) -> str:
        command = [path_of("dig"), "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=1", name]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

    # Run as root, dnsmasq would give up its rights and could not read the test's folder.
    with Program(argv, log=tmp_path / "dnsmasq.log") as dnsmasq:
        dnsmasq.start(lambda: dig("db.lan") == "10.1.2.3")
        put_in_place("dnsmasq", keys | {"/dnsmasq/hosts/web": "10.1.2.4"}, tmp_path)
        dnsmasq.signal(SIGHUP)
        dnsmasq.wait_until(lambda: dig("web.lan") == "10.1.2.4", "serving the new host")


def test_a_value_of_more_than_a_word_is_refused_before_unbound_is_asked(tmp_path: Path) -> None:
    """Its check is of the whole host's configuration: ``test_ready_hosts`` has it."""
    smuggled = put_in_place("unbound", {"/unbound/allow/a": "127.0.0.1; }\nevil"}, tmp_path)["fairlead.conf"]
    assert isinstance(smuggled.error, TemplateError)
    assert "not one plain word" in str(smuggled.error)
    assert not (tmp_path / "fairlead.conf").exists()


@pytest.mark.parametrize(
    ("app", "file", "key"),
    [
        pytest.param(
            "nginx", "nginx.conf", "/apps/a/upstreams/1", marks=[needs_root, pytest.mark.peer("nginx")]
        ),
        pytest.param("haproxy", "haproxy.cfg", "/apps/a/upstreams/1", marks=pytest.mark.peer("haproxy")),
        pytest.param("dnsmasq", "fairlead.conf", "/dnsmasq/servers/1", marks=pytest.mark.peer("dnsmasq")),
        pytest.param("dnsmasq", "dnsmasq.hosts", "/dnsmasq/hosts/a", marks=pytest.mark.peer("dnsmasq")),
        pytest.param("redis", "redis.conf", "/redis/maxmemory", marks=pytest.mark.peer("redis-server")),
        pytest.param(
            "nftables",
            "fairlead.nft",
            "/nftables/blocked/a",
            marks=[needs_root, pytest.mark.peer("nft")],
        ),
    ],
)
def test_a_bad_value_never_reaches_the_file(app: str, file: str, key: str, tmp_path: Path) -> None:
    """One that the program refuses fails the check; one that would say more than a word, the template."""
    listen = own_files(tmp_path)
    put_in_place(app, listen, tmp_path)
    good = (tmp_path / file).read_text()
    refused = put_in_place(app, listen | {key: "no-such-address:99999"}, tmp_path)[file]
    assert isinstance(refused.error, CheckFailedError), refused
    smuggled = put_in_place(app, listen | {key: "127.0.0.1; }\nevil"}, tmp_path)[file]
    assert isinstance(smuggled.error, TemplateError)
    assert "not one plain word" in str(smuggled.error)
    assert (tmp_path / file).read_text() == good
