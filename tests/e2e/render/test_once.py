"""``fairlead render --onetime`` from keys to files, on etcd and on Fairlead."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.render.conftest import COMMAND, Etcdctl, Site
from tests.support.ports import free_ports
from tests.support.processes import clean_environment

pytestmark = pytest.mark.peer("etcdctl")


def test_keys_become_a_file_and_a_reload(site: Site, etcdctl: Etcdctl, tmp_path: Path) -> None:
    etcdctl("put", "/app/name", "demo")
    etcdctl("put", "/app/hosts/b", "10.0.0.2")
    etcdctl("put", "/app/hosts/a", "10.0.0.1")
    dest = site.resource(
        "app",
        "{{ getv('/name') }}\n{% for kv in gets('/hosts/*') %}\n{{ kv.key|base }} {{ kv.value }}\n{% endfor %}\n",
        prefix="/app",
        check_cmd="grep -q demo {{.src}}",
        reload_cmd=f"echo reloaded >> {tmp_path}/log",
        mode="0600",
    )
    first = site.once()
    assert (first.returncode, first.stderr) == (0, "")
    assert f"replaced {dest}\n" in first.stdout
    assert dest.read_text() == "demo\na 10.0.0.1\nb 10.0.0.2\n"
    second = site.once()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert (tmp_path / "log").read_text() == "reloaded\n"


def test_a_global_prefix_is_joined_before_the_resources_own(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/prod/app/port", "80")
    etcdctl("put", "/app/port", "81")
    dest = site.resource("app", "{{ getv('/port') }}", prefix="/app")
    assert site.once("--prefix", "prod").returncode == 0
    assert dest.read_text() == "80"


def test_noop_prints_a_diff_and_changes_nothing(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/app", "new")
    dest = site.resource("app", "{{ getv('/app') }}\n", check_cmd="exit 1", reload_cmd="exit 1")
    dest.write_text("old\n")
    result = site.once("--noop")
    assert result.returncode == 0, result.stderr
    assert "-old\n+new\n" in result.stdout
    assert "\x1b" not in result.stdout
    assert dest.read_text() == "old\n"


def test_each_failure_is_one_line_and_the_others_go_on(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/app", "x")
    good = site.resource("z-good", "{{ getv('/app') }}")
    site.resource("a-missing", "line one\n{{ getv('/app/port') }}")
    checked = site.resource("b-check", "x", check_cmd="echo refused; exit 1")
    site.resource("c-reload", "x", reload_cmd="exit 7")
    (site.path / "conf.d" / "d-bad.toml").write_text("[template]\nscr = 'x'")
    result = site.once()
    assert result.returncode == 1
    assert good.read_text() == "x"
    assert not checked.exists()
    assert result.stderr.splitlines() == [
        "fairlead render: conf.d/d-bad.toml: field scr is unknown; is it src?",
        (
            "fairlead render: conf.d/a-missing.toml: templates/a-missing.j2:2: key /app/port does not exist; "
            "write it with: fairlead kv put /app/port VALUE"
        ),
        (
            f"fairlead render: conf.d/b-check.toml: check failed, {checked} is left as it was"
            " (from templates/b-check.j2): `echo refused; exit 1`: exit status 1: refused"
        ),
        (
            f"fairlead render: conf.d/c-reload.toml: {site.out}/c-reload.conf in place, but the reload failed"
            " (from templates/c-reload.j2): `exit 7`: exit status 7"
        ),
    ]


# Between the command and the host; one store will do.
@pytest.mark.parametrize("store", ["fairlead"], indirect=True)
def test_once_tells_machines_and_has_a_status_for_each_kind_of_end(site: Site, etcdctl: Etcdctl) -> None:
    def once(status: int) -> dict[str, dict[str, object]]:
        argv = [*site.argv(), "--json"]
        argv.insert(argv.index("render") + 1, "once")
        done = subprocess.run(
            argv, env=clean_environment(), check=False, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (status, "")
        return {line["resource"]: line for line in map(json.loads, done.stdout.splitlines())}

    etcdctl("put", "/app", "x")
    dest = site.out / "app.conf"
    (site.path / "templates" / "app.j2").write_text("{{ getv('/app') }}\n")
    (site.path / "conf.d" / "app.yaml").write_text(
        f"files: [{{src: app.j2, dest: {dest}}}]\ncheck: {{shell: '! grep bad {{{{ src }}}}'}}\n"
        f"reload: {{shell: '! grep -E \"worse|broken\" {dest}; ! test -e {site.path}/down'}}\n"
    )
    first = once(0)["conf.d/app.yaml"]
    assert (first["group"], first["step"], first["changed"]) == ("app", "replace", [str(dest)])
    etcdctl("put", "/app", "bad")
    assert "check failed" in str(once(3)["conf.d/app.yaml"]["error"])
    etcdctl("put", "/app", "good")
    (site.path / "down").touch()
    assert "the rollback failed too" in str(once(5)["conf.d/app.yaml"]["error"])
    (site.path / "down").unlink()
    assert "rolled back" in str(once(4)["conf.d/app.yaml"]["error"])


def test_sync_only_puts_files_in_place_without_commands(site: Site) -> None:
    dest = site.resource("app", "x", check_cmd="exit 1", reload_cmd="exit 1")
    assert site.once("--sync-only").returncode == 0
    assert dest.read_text() == "x"


def refused(*argv: str) -> tuple[int, list[str]]:
    result = subprocess.run(
        [*COMMAND, *argv], check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    return result.returncode, result.stderr.splitlines()


def test_a_store_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text('[template]\nsrc = "a"\ndest = "/nowhere/a"')
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    status, lines = refused("--onetime", "--confdir", str(tmp_path), "--endpoints", endpoint)
    assert (status, len(lines)) == (1, 1)
    assert f"no store answers at {endpoint}" in lines[0]


def test_a_confdir_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    status, lines = refused("--onetime", "--confdir", str(tmp_path))
    assert status == 1
    assert lines == [f"fairlead: no directory {tmp_path}/conf.d; give --confdir, or make it"]


def test_modes_that_exclude_each_other_are_a_usage_error(tmp_path: Path) -> None:
    for flags in (["--watch"], ["--interval", "5"]):
        status, lines = refused("--onetime", *flags, "--confdir", str(tmp_path))
        assert status == 64
        assert "--onetime goes with neither --watch nor --interval" in lines[-1]
    assert refused("--frobnicate")[0] == 64


def test_no_resources_is_said_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    status, lines = refused("--onetime", "--confdir", str(tmp_path))
    assert status == 0
    assert lines == [f"fairlead render: no resources in {tmp_path}/conf.d"]
    assert sys.executable == COMMAND[0]
