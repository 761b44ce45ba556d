"""The renderer as the parent of the program whose files it keeps, as in a container."""

import shutil
import subprocess
import sys
from pathlib import Path
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


SPACE = ["unshare", "--pid", "--fork", "--mount-proc"]


def no_space() -> str:
    """Return why there can be no process 1 of ours here, empty when there can."""
    if shutil.which("unshare") is None:
        return "unshare (util-linux) is not installed"
    done = subprocess.run([*SPACE, "true"], check=False, capture_output=True, text=True)
    return done.stderr.strip()


@pytest.mark.skipif(no_space() != "", reason=f"no process 1 to be: {no_space()}")
def test_as_process_1_it_waits_for_orphans_and_passes_on_what_it_is_told(
    site: Site, etcdctl: Etcdctl
) -> None:
    """Whatever a command leaves behind becomes the child of process 1, and stays a zombie if nobody waits for it."""
    said, program, orphan = site.path / "said", site.path / "program.py", site.path / "orphan"
    program.write_text(PROGRAM)
    (site.path / "templates" / "app.j2").write_text("{{ getv('/app') }}")
    (site.path / "conf.d" / "app.yaml").write_text(
        f"files: [{{src: app.j2, dest: {site.out}/app.conf}}]\n"
        f"keys: [/app]\nreload: {{signal: HUP}}\n"
        f"exec: {{cmd: [{sys.executable}, {program}, {said}]}}\n"
        f"verify: [{{shell: '(sh -c \"echo \\$\\$ > {orphan}\" &) ; grep -q start {said}', within: 10s}}]\n"
    )
    etcdctl("put", "/app", "1")
    site.agent.argv = [*SPACE, *site.argv("--watch", "--metrics-listen", site.metrics)]
    site.agent.start()
    site.until_logged("ready")
    children = Path(f"/proc/{site.agent.pid}/task/{site.agent.pid}/children")
    # Its own view of the processes, through its root folder.
    processes = Path("/proc") / children.read_text().split()[0] / "root" / "proc"
    assert (processes / "1").exists()
    wait_for(lambda: orphan.exists() and orphan.read_text().strip(), "an orphan has run")
    pid = orphan.read_text().strip()
    assert pid != "1"
    wait_for(lambda: not (processes / pid).exists(), "nothing is left of the orphan")
    etcdctl("put", "/app", "2")
    site.until(site.out / "app.conf", "2")
    wait_for(lambda: "reload" in said.read_text(), "signalled")
    assert site.agent.stop(SIGTERM) == 0
    assert said.read_text().split()[-1] == "stop"
