"""The renderer as the parent of the program whose files it keeps, as in a container."""

import sys
from signal import SIGTERM

import pytest
from tests.e2e.render.conftest import Etcdctl, Site
from tests.support.processes import wait_for
from tests.unit.render.test_supervisor import PROGRAM

pytestmark = [
    pytest.mark.peer("etcdctl"),
    # What is tested here is between the renderer and its child; one store will do.
    pytest.mark.parametrize("store", ["fairlead"], indirect=True),
]


def test_the_program_runs_on_its_files_and_ends_with_the_renderer(site: Site, etcdctl: Etcdctl) -> None:
    said, program = site.path / "said", site.path / "program.py"
    program.write_text(PROGRAM)
    (site.path / "templates" / "app.j2").write_text("{{ getv('/app') }}")
    (site.path / "conf.d" / "app.yaml").write_text(
        f"files: [{{src: app.j2, dest: {site.out}/app.conf}}]\n"
        f"keys: [/app]\nreload: {{signal: HUP}}\n"
        f"exec: {{cmd: [{sys.executable}, {program}, {said}], restart_min: 10ms}}\n"
        f"verify: [{{shell: 'grep -q start {said}', within: 10s}}]\n"
    )

    def lines() -> list[str]:
        return [line.split()[0] for line in said.read_text().splitlines()] if said.exists() else []

    etcdctl("put", "/app", "1")
    site.watch()
    assert lines() == ["start"]
    etcdctl("put", "/app", "2")
    site.until(site.out / "app.conf", "2")
    wait_for(lambda: lines() == ["start", "reload"], "signalled")
    assert site.agent.stop(SIGTERM) == 0
    assert lines() == ["start", "reload", "stop"]
    site.watch()
    wait_for(lambda: lines() == ["start", "reload", "stop", "start"], "started though nothing has changed")
