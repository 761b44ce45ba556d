"""``fairlead render plan`` on a store: a diff, an exit status, an earlier revision, and what if."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.e2e.render.conftest import Etcdctl, Site
from tests.support.store import StoreServer

from fairlead.cli import main

pytestmark = pytest.mark.peer("etcdctl")
PASSWORD = "hunter2"


class Shown(NamedTuple):
    """What ``plan`` said."""

    returncode: int
    stdout: str
    stderr: str


Planner = Callable[..., Shown]


@pytest.fixture
def plan(site: Site, store: StoreServer, capsys: pytest.CaptureFixture[str]) -> Planner:
    """Run ``plan`` over the site, in this process: starting Python takes longer than planning."""

    def run(*flags: str) -> Shown:
        capsys.readouterr()
        folders = ["--confdir", str(site.path), "--state-dir", str(site.path / "state")]
        argv = ["render", "plan", "--endpoints", store.endpoint, *folders, *flags]
        status = main(argv)
        return Shown(status, *capsys.readouterr())

    return run


def test_a_plan_shows_the_diff_and_changes_nothing(site: Site, etcdctl: Etcdctl, plan: Planner) -> None:
    header = json.loads(etcdctl("put", "/app/port", "80", "-w", "json"))["header"]
    dest = site.resource("app", "port {{ getv('/app/port') }}\n", keys=["/app"])
    new = plan()
    assert (new.returncode, new.stderr) == (2, "")
    assert f"new file {dest}" in new.stdout
    assert "+port 80\n" in new.stdout
    assert not dest.exists()
    assert site.once().returncode == 0
    same = plan()
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    etcdctl("put", "/app/port", "81")
    later = plan()
    assert later.returncode == 2
    assert "-port 80\n+port 81\n" in later.stdout
    # The keys as they were; and as they might be.
    assert plan("--at-rev", str(header["revision"])).returncode == 0
    what_if = plan("--set", "/app/port=82", "--json")
    assert what_if.returncode == 2
    shown = next(json.loads(line) for line in what_if.stdout.splitlines() if "app.toml" in line)
    assert shown["files"][0]["diff"][-1] == "+port 82"
    assert dest.read_text() == "port 80\n"


def test_a_secret_is_planned_and_not_shown(site: Site, etcdctl: Etcdctl, plan: Planner) -> None:
    etcdctl("put", "/app/password", PASSWORD)
    dest = site.resource("app", "{{ secret('/app/password') }}\n", keys=["/app"])
    for shown in (plan(), plan("--json")):
        assert shown.returncode == 2
        assert PASSWORD not in shown.stdout + shown.stderr
        assert str(dest) in shown.stdout
    done = site.once()
    assert (done.returncode, PASSWORD in done.stdout + done.stderr) == (0, False)
    assert (dest.read_text(), dest.stat().st_mode & 0o777) == (f"{PASSWORD}\n", 0o600)


def test_what_a_command_prints_of_a_secret_is_hidden(site: Site, etcdctl: Etcdctl) -> None:
    etcdctl("put", "/app/password", PASSWORD)
    site.resource("app", "{{ secret('/app/password') }}\n", keys=["/app"], check_cmd="cat {{.src}}; exit 1")
    done = site.once()
    assert done.returncode == 1
    assert "exit status 1: (secret)" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    journal = [path.read_bytes() for path in (site.path / "state").rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in content for content in journal)


def test_a_plan_knows_what_this_host_has_done(site: Site, etcdctl: Etcdctl, plan: Planner) -> None:
    """What a run would remove, and what it would not do: the journal has it."""
    (site.path / "templates" / "v.j2").write_text("{{ getv('/v/' ~ item) }}\n")
    (site.path / "conf.d" / "v.yaml").write_text(
        f"group: v\nfiles: [{{src: v.j2, foreach: ls('/v'), dest: '{site.out}/{{{{ item }}}}.v', prune: true}}]\n"
        f"guards: {{ls('/v'): {{max_drop: 50%}}}}\nreload: {{shell: '! grep -q bad {site.out}/*.v'}}\n"
    )
    etcdctl("txn", stdin="\nput /v/a 1\nput /v/b 2\nput /v/c 3\n\n\n")
    assert site.once().returncode == 0
    assert plan().returncode == 0
    etcdctl("del", "/v/c")
    gone = plan()
    assert (gone.returncode, gone.stdout) == (2, f"removed file {site.out}/c.v\n")
    [line] = [json.loads(line) for line in plan("--json").stdout.splitlines() if "v.yaml" in line]
    assert (line["files"], line["removed"]) == ([], [f"{site.out}/c.v"])
    etcdctl("del", "/v/b")
    assert "guard ls('/v'): drops from 3 to 1, by more than 50%" in plan().stderr
    etcdctl("put", "/v/b", "bad")
    assert plan().returncode == 2
    assert site.once().returncode == 1
    quarantined = plan()
    assert (quarantined.returncode, quarantined.stdout) == (1, "")
    assert "these files were rolled back before and are not tried again" in quarantined.stderr


def test_what_cannot_be_planned_is_one_line_and_the_rest_is_shown(
    site: Site, etcdctl: Etcdctl, plan: Planner
) -> None:
    etcdctl("put", "/b", "x")
    site.resource("a", "{{ getv('/nope') }}")
    site.resource("b", "{{ getv('/b') }}\n")
    shown = plan()
    assert shown.returncode == 1
    assert shown.stderr == (
        "fairlead render: conf.d/a.toml: templates/a.j2:1: key /nope does not exist; "
        "write it with: fairlead kv put /nope VALUE\n"
    )
    assert "+x\n" in shown.stdout
    assert plan("--at-rev", "999999").returncode != 0
    assert "'nonsense' is not KEY=VALUE" in plan("--set", "nonsense").stderr
    assert Path(site.path / "out" / "b.conf").exists() is False


def test_a_plan_without_resources_says_so(site: Site, plan: Planner) -> None:
    (site.path / "conf.d" / "marker.toml").unlink()
    shown = plan()
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr == f"fairlead render: no resources in {site.path}/conf.d\n"


def test_a_plan_does_not_promise_what_a_run_could_not_do(site: Site, plan: Planner) -> None:
    site.resource("app", "x", dest=str(site.out / "no" / "app.conf"))
    shown = plan()
    assert shown.returncode == 1
    assert shown.stderr == (
        f"fairlead render: conf.d/app.toml: {site.out}/no does not exist; create it with: mkdir -p {site.out}/no\n"
    )
