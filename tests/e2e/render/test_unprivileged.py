"""A renderer that may not mount: a check in place becomes what it can be, and that is said, or it is refused."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.e2e.render.conftest import COMMAND, Etcdctl, Site, needs_root
from tests.support.processes import clean_environment

pytestmark = [
    needs_root,
    pytest.mark.peer("etcdctl"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) takes the right away"),
    # What is tested here is between the renderer and its host; one store will do.
    pytest.mark.parametrize("store", ["fairlead"], indirect=True),
]
WITHOUT_MOUNTS = ["setpriv", "--bounding-set", "-sys_admin"]
ALONE = "conf.d/app.yaml: the check sees the staged file alone, not in place, which needs root and overlays: unshare"


def write(site: Site, check: str) -> Path:
    (site.path / "templates" / "app.j2").write_text("{{ getv('/app') }}\n")
    (site.path / "conf.d" / "app.yaml").write_text(
        f"files: [{{src: app.j2, dest: {site.out}/app.conf}}]\ncheck: {{cmd: {check}, in_place: true}}\n"
    )
    return site.out / "app.conf"


def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*WITHOUT_MOUNTS, *argv],
        env=clean_environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def plan(site: Site) -> subprocess.CompletedProcess[str]:
    return run([*COMMAND, "plan", "--endpoints", site.endpoint, "--confdir", str(site.path)])


def test_a_check_that_names_the_staged_file_runs_on_that_alone_and_plan_says_so(
    site: Site, etcdctl: Etcdctl
) -> None:
    dest = write(site, '[grep, -q, good, "{{ src }}"]')
    etcdctl("put", "/app", "good")
    assert ALONE in plan(site).stderr
    site.agent.argv = [*WITHOUT_MOUNTS, *site.argv("--watch", "--metrics-listen", site.metrics)]
    site.agent.start()
    site.until(dest, "good\n")
    etcdctl("put", "/app", "better")
    site.until_logged("check failed")
    assert dest.read_text() == "good\n"
    etcdctl("put", "/app", "good too")
    site.until(dest, "good too\n")
    assert site.agent.log().count("the check sees the staged file alone") == 1, "a warning is told once"


def test_a_check_that_can_only_be_in_place_is_no_check_and_nothing_goes_unchecked(
    site: Site, etcdctl: Etcdctl
) -> None:
    dest = write(site, '["true"]')
    etcdctl("put", "/app", "good")
    said = "the check cannot run in place, which needs root and overlays: unshare"
    assert said in plan(site).stderr
    once = run(site.argv("--onetime"))
    assert once.returncode == 1
    assert said in once.stderr
    assert "run the renderer as root, or give the check {{ src }}, the staged file" in once.stderr
    assert not dest.exists()
