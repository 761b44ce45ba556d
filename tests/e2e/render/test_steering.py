"""What an operator asks a host, and tells it: history, show, why, rollback, retry, status."""

import json
from signal import SIGKILL

import pytest
from click.testing import CliRunner
from tests.e2e.render.conftest import Etcdctl, Site
from tests.support.processes import wait_for

from fairlead.render.cli import render

pytestmark = [
    pytest.mark.peer("etcdctl"),
    # What is tested here is between the operator and the host; one store will do.
    pytest.mark.parametrize("store", ["fairlead"], indirect=True),
]
GROUP = """
group: app
files: [{{src: app.j2, dest: {out}/app.conf}}]
keys: [/app]
guards: {{"atoi(getv('/app/up'))": {{max_drop: 50%}}}}
reload: {{shell: "! grep -q bad {out}/app.conf"}}
"""


class Operator:
    """Types commands at one host."""

    def __init__(self, site: Site, etcdctl: Etcdctl) -> None:
        self.site = site
        self._etcdctl = etcdctl
        self.dest = site.out / "app.conf"
        (site.path / "templates" / "app.j2").write_text("{{ getv('/app/value') }}")
        (site.path / "conf.d" / "app.yaml").write_text(GROUP.format(out=site.out))

    def put(self, value: str, *, up: int = 1) -> None:
        self._etcdctl("txn", stdin=f"\nput /app/value {value}\nput /app/up {up}\n\n\n")

    def __call__(self, *words: str, status: int = 0) -> str:
        """Run a command in this process: a new one for each would take longer than what it does."""
        state = ["--confdir", str(self.site.path), "--state-dir", str(self.site.path / "state")]
        return typed(*words, *state, status=status)


def typed(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(render, words, standalone_mode=False)
    text = f"{result.output}{result.exception or ''}"
    assert (result.exit_code or result.return_value) == status, text
    return text


@pytest.fixture
def operator(site: Site, etcdctl: Etcdctl) -> Operator:
    return Operator(site, etcdctl)


def test_a_host_tells_its_story_and_goes_back_and_forth(
    operator: Operator, site: Site, etcdctl: Etcdctl
) -> None:
    operator.put("one")
    site.watch()
    for value in ("two", "three"):
        operator.put(value)
        site.until(operator.dest, value)
    operator.put("bad")
    site.until_logged("rolled back")
    history = [json.loads(line) for line in operator("history", "app", "--json").splitlines()]
    assert [(change["change"], change["result"]) for change in history] == [
        (1, "done"),
        (2, "done"),
        (3, "done"),
        (4, "rolled_back"),
    ]
    told = [line for line in operator("history").splitlines() if "app.conf" in line]
    assert [line.split("revision")[1].split()[1] for line in told] == ["done", "done", "in", "rolled"]
    assert operator("show", "app", "1") == f"==> {operator.dest} <==\none"
    diff = operator("show", "app", "2", "--diff")
    assert diff.startswith(f"--- {operator.dest} (before)\n+++ {operator.dest} (change 2)\n")
    assert "-one" in diff
    assert "no change 9 in the history; it has 1 to 4" in operator("show", "app", "9", status=1)
    why = operator("why", str(operator.dest))
    assert "app: an output is quarantined: `! grep -q bad" in why
    assert "keys /app/value" in why
    # Back to what was before "three", which does not come back while the keys stay.
    etcdctl("put", "/app/value", "three")
    site.until_settled(etcdctl)
    assert "is as it was after change 2" in operator("rollback", "app")
    assert operator.dest.read_text() == "two"
    assert "is as it was after change 1" in operator("rollback", "app", "--to", "1")
    assert "app is tried again" in operator("retry", "app")
    site.until(operator.dest, "three")
    assert "there is no group ap; there are app, marker" in operator("retry", "ap", status=1)


def test_a_drop_that_is_meant_goes_through_with_a_retry(operator: Operator, site: Site) -> None:
    operator.put("one", up=10)
    site.watch()
    operator.put("two", up=1)
    site.until_logged("guard atoi(getv('/app/up')): drops from 10 to 1, by more than 50%")
    assert operator.dest.read_text() == "one"
    operator("retry", "app")
    site.until(operator.dest, "two")


def test_without_a_renderer_that_runs_the_command_does_it_itself(operator: Operator, site: Site) -> None:
    for value in ("one", "two"):
        operator.put(value)
        assert site.once().returncode == 0
    assert "is as it was after change 1" in operator("rollback", "app")
    assert operator.dest.read_text() == "one"
    assert site.once().returncode == 1
    assert operator.dest.read_text() == "one"
    assert "is tried again as soon as a renderer runs" in operator("retry", "app")
    assert site.once().returncode == 0
    assert operator.dest.read_text() == "two"
    assert "there is no earlier change" in operator("rollback", "marker", status=1)


def test_two_renderers_cannot_share_a_host_and_a_state(operator: Operator, site: Site) -> None:
    operator.put("one")
    site.watch()
    second = site.once()
    assert second.returncode == 1
    assert f"another renderer runs with the state in {site.path}/state; stop it" in second.stderr


def test_a_reload_that_is_owed_survives_a_kill(operator: Operator, site: Site, etcdctl: Etcdctl) -> None:
    """The file is equal when the renderer comes back; every other renderer would leave it at that."""
    runs, good, started = (site.path / name for name in ("runs", "good", "started"))
    site.resource(
        "slow",
        "{{ getv('/n') }}",
        reload_cmd=f"if test -e {good}; then cat {site.out}/slow.conf > {runs}; else touch {started};"
        f" until test -e {good}; do sleep 0.05; done; fi",
    )
    etcdctl("put", "/n", "1")
    operator.put("one")
    site.start()
    site.agent.wait_until(started.exists, "reloading")
    site.agent.stop(SIGKILL)
    assert (site.out / "slow.conf").read_text() == "1"
    good.touch()
    site.start()
    site.until(runs, "1")


def test_the_table_shows_every_group_of_every_host(operator: Operator, site: Site, etcdctl: Etcdctl) -> None:
    operator.put("one")
    site.watch("--watch", "--host", "web1")
    prefix = ["get", "--prefix", "/fairlead/render/status/web1/"]
    wait_for(lambda: etcdctl(*prefix, "--keys-only").split() != [], "the rows are written")

    def rows() -> dict[str, dict[str, object]]:
        lines = etcdctl(*prefix, "--print-value-only").splitlines()
        return {row["group"]: row for row in map(json.loads, lines)}

    wait_for(lambda: set(rows()) == {"app", "marker"}, "both groups")
    assert {row["state"] for row in rows().values()} == {"ok"}
    operator.put("bad")
    wait_for(lambda: rows()["app"]["state"] == "rolled back", "the table says so")
    table = typed("status", "--endpoints", site.endpoint, status=1)
    assert "HOST  GROUP" in table
    assert "exit status 1" in table
    states = [
        json.loads(line)["state"]
        for line in typed("status", "--endpoints", site.endpoint, "--json", status=1).splitlines()
    ]
    assert states == ["rolled back", "ok"]
    site.agent.stop()
    wait_for(lambda: rows() == {}, "a host that is gone is gone from the table")
