"""Real files, real commands, a real SIGKILL: between any two steps that the kernel takes for us.

A child of the test runs the scenario and kills itself before its n-th write, rename or command; whoever starts next
ends what was begun.  The simulation in ``test_machine`` has more histories, this has the true order of things.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL
from typing import Any

from tests.support.applying import apply
from tests.unit.render.conftest import ConfDir, rendered_as

from fairlead.render.change import Phase
from fairlead.render.change.journal import Journal
from fairlead.render.resource import parse_group

STEPS = (
    (os, "fsync"),
    (os, "write"),
    (os, "unlink"),
    (Path, "rename"),
    (Path, "replace"),
    (subprocess, "Popen"),
)
SCENARIO = ((b"1", b"2"), (b"3", b"4"), (b"bad", b"5"))
GOOD = {(b"1", b"2"), (b"3", b"4")}


class Site:
    """Two files, and a program that copies them when it is told to, unless one of them is bad."""

    def __init__(self, confdir: ConfDir, path: Path) -> None:
        self.out = path / "out"
        self.running = path / "running"
        self._state = path / "state"
        for folder in (self.out, self.running):
            folder.mkdir(parents=True)
        self._settings = confdir.settings()
        files = ", ".join(f"{{src: t.j2, dest: {self.out}/{name}}}" for name in "ab")
        reload = f"! grep -q bad {self.out}/a && cp {self.out}/a {self.out}/b {self.running}/"
        text = f"files: [{files}]\nreload: {{shell: '{reload}'}}\n"
        self._resource = parse_group(text, name="conf.d/web.yaml", settings=self._settings)

    def offer(self, *contents: bytes) -> object:
        with Journal(self._state) as journal:
            return apply(rendered_as(self._resource, *contents), journal, self._settings).error

    @property
    def phase(self) -> Phase:
        with Journal(self._state) as journal:
            return journal.memory("web").phase

    def read(self, folder: Path) -> tuple[bytes, ...]:
        return tuple(path.read_bytes() for path in sorted(folder.iterdir()))


def die_before(step: int) -> None:
    """Have the process killed before its n-th step."""
    left = [step]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), SIGKILL)
            left[0] -= 1
            return call(*args, **kwargs)

        return counting

    for owner, name in STEPS:
        setattr(owner, name, counted(getattr(owner, name)))


def run_killed(site: Site, step: int) -> bool:
    """Run the scenario in a child; return whether it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            die_before(step)
            for contents in SCENARIO:
                site.offer(*contents)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_between_any_two_steps_all_agree_after_the_next_start(
    confdir: ConfDir, tmp_path: Path
) -> None:
    """Every fifth step; every one where FAIRLEAD_CRASH_RUNS is set."""
    step = 0
    while run_killed(site := Site(confdir, tmp_path / f"{step}"), step):
        # What the keys say meanwhile is bad, so that only what was begun can help.
        site.offer(b"bad", b"5")
        if site.phase is Phase.SETTLED:
            assert site.read(site.out) == site.read(site.running), f"killed before step {step}"
            assert site.read(site.out) in GOOD, f"killed before step {step}"
        else:
            assert site.read(site.running) == (), "only a first change may be in place and not taken"
        assert site.offer(b"7", b"8") is None, f"killed before step {step}"
        assert site.read(site.out) == site.read(site.running) == (b"7", b"8")
        assert [path.name for path in sorted(site.out.iterdir())] == ["a", "b"], "nothing is left behind"
        step += 1 if os.environ.get("FAIRLEAD_CRASH_RUNS") else 5
    assert step > 60
