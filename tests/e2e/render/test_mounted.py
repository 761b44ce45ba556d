"""A destination that is a mount of its own, as files are in containers: written in place, since it cannot be replaced."""

import pytest
from tests.e2e.render.conftest import Etcdctl, Site, needs_root

from fairlead.render.change import Phase
from fairlead.render.change.journal import read_memories

pytestmark = [
    needs_root,
    pytest.mark.peer("etcdctl"),
    # What is tested here is between the renderer and its host; one store will do.
    pytest.mark.parametrize("store", ["fairlead"], indirect=True),
]
MOUNTED = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "/bin/sh",
    "-c",
    'mount --bind "$1" "$2" && shift 2 && exec "$@"',
]


class Container:
    """A renderer that sees ``real`` at the destination; nobody else does."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.real = site.path / "real.conf"
        self.running = site.path / "running"
        self.real.write_text("before\n")
        self.dest = site.resource(
            "app",
            "{{ getv('/app') }}\n",
            check_cmd="! grep -q refused {{.src}}",
            reload_cmd=f"! grep -q bad {{{{.dest}}}} && cp {{{{.dest}}}} {self.running}",
        )
        self.dest.write_text("below the mount\n")

    def start(self) -> None:
        site = self.site
        argv = site.argv("--watch", "--metrics-listen", site.metrics)
        site.agent.argv = [*MOUNTED, "sh", str(self.real), str(self.dest), *argv]
        site.agent.start()


@pytest.fixture
def container(site: Site) -> Container:
    return Container(site)


def test_it_is_written_in_place_and_that_is_told_once(container: Container, etcdctl: Etcdctl) -> None:
    site, inode = container.site, container.real.stat().st_ino
    etcdctl("put", "/app", "one")
    container.start()
    site.until(container.running, "one\n")
    etcdctl("put", "/app", "a second one that is longer")
    site.until(container.running, "a second one that is longer\n")
    etcdctl("put", "/app", "3")
    site.until(container.running, "3\n")
    site.until_settled(etcdctl)
    assert container.real.read_text() == "3\n"
    assert container.real.stat().st_ino == inode
    assert container.dest.read_text() == "below the mount\n"
    assert sorted(path.name for path in site.out.iterdir()) == ["app.conf", "marker.conf"], (
        "nothing is left staged"
    )
    assert site.agent.log().count(f"{container.dest} is a mount: written in place, which is not atomic") == 1


def test_what_a_check_refuses_does_not_reach_it_and_a_reload_that_fails_is_tried_again(
    container: Container, etcdctl: Etcdctl
) -> None:
    site = container.site
    etcdctl("put", "/app", "one")
    container.start()
    site.until(container.running, "one\n")
    etcdctl("put", "/app", "refused")
    site.until_logged("check failed")
    assert container.real.read_text() == "one\n"
    etcdctl("put", "/app", "bad")
    site.until_logged("the reload failed")
    assert container.real.read_text() == "bad\n", "as confd's resources have it"
    etcdctl("put", "/app", "two")
    site.until(container.running, "two\n")
    assert container.real.read_text() == "two\n"


def test_a_group_brings_the_old_content_back_through_the_mount(
    container: Container, etcdctl: Etcdctl
) -> None:
    site = container.site
    reload = f"! grep -q bad {container.dest} && cp {container.dest} {container.running}"
    (site.path / "conf.d" / "app.toml").unlink()
    (site.path / "conf.d" / "app.yaml").write_text(
        f"files: [{{src: app.j2, dest: {container.dest}}}]\nreload: {{shell: '{reload}'}}\n"
    )
    inode = container.real.stat().st_ino
    etcdctl("put", "/app", "one")
    container.start()
    site.until(container.running, "one\n")
    etcdctl("put", "/app", "bad")
    site.until_logged("rolled back, ")
    site.until_settled(etcdctl)
    assert container.real.read_text() == container.running.read_text() == "one\n"
    assert container.real.stat().st_ino == inode
    assert read_memories(site.path / "state")["app"].phase is Phase.SETTLED


def test_without_the_mount_the_name_is_replaced(container: Container, etcdctl: Etcdctl) -> None:
    """The other side: nothing above says so of a file that is none."""
    site = container.site
    etcdctl("put", "/app", "one")
    site.watch()
    site.until(container.running, "one\n")
    assert container.real.read_text() == "before\n"
    assert "is a mount" not in site.agent.log()
