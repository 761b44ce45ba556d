"""The agent itself, killed at random moments while its keys change: in the end all agree, and no reload is lost.

``test_killed`` of the unit tests kills before every single step; here it is the whole process with everything in it
(the mirror, lanes side by side, a rollout, commands that outlive it), and nobody chooses the moment.  FAIRLEAD_CRASH_RUNS
says how often, 8 times where it does not.
"""

import contextlib
import hashlib
import os
import random
import time
from signal import SIGKILL

import pytest
from tests.e2e.render.conftest import Site
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb
from fairlead.render.change import Phase
from fairlead.render.change.journal import read_memories
from fairlead.render.rollout import ROLLOUT_PREFIX

# What is killed is between the renderer and its host; one store will do.
pytestmark = pytest.mark.parametrize("store", ["fairlead"], indirect=True)

KILLS = int(os.environ.get("FAIRLEAD_CRASH_RUNS", "8"))
GROUPS = ("alone", "apart", "rolled")
BAD, REFUSED = "bad", "refused"
"""Values that the program does not take, and that the check refuses."""
GROUP = """
files:
  - {{src: t.j2, dest: {out}/{name}.1}}
  - {{src: t.j2, dest: {out}/{name}.2}}
keys: [/{name}]
check: {{shell: "! grep -q refused {{{{ src }}}}"}}
reload: {{shell: "! grep -q bad {out}/{name}.1 && cp {out}/{name}.1 {running}/ && sleep 0.01 && cp {out}/{name}.2 {running}/"}}
verify: [{{shell: "cmp {out}/{name}.1 {running}/{name}.1 && cmp {out}/{name}.2 {running}/{name}.2", within: 100ms, pause: 10ms}}]
"""


class Victim:
    """An agent with three groups, one of them in a rollout, and the program's idea of its files in ``running``."""

    def __init__(self, site: Site, store: StoreServer, rng: random.Random) -> None:
        self._site, self._rng = site, rng
        self._wire = Wire(store.address)
        self.running = site.path / "running"
        self.running.mkdir()
        (site.path / "conf.d" / "marker.toml").unlink()
        (site.path / "templates" / "t.j2").write_text("{{ gets('/*/*')|map(attribute='value')|join }}\n")
        for name in GROUPS:
            text = GROUP.format(name=name, out=site.out, running=self.running)
            rollout = "rollout: {group: web}\n" if name == "rolled" else ""
            (site.path / "conf.d" / f"{name}.yaml").write_text(text + rollout)
        self.values: dict[str, str] = {}
        self.revision = 0

    def close(self) -> None:
        self._wire.close()

    def put(self, name: str, value: str) -> None:
        request = pb.PutRequest(key=f"/{name}/value".encode(), value=value.encode())
        self.revision = self._wire.get("Put", request).header.revision
        self.values[name] = value

    def change(self, number: int) -> None:
        """Have one of the groups want something else; now and then something that cannot be."""
        kind = self._rng.choice((BAD, REFUSED, "good", "good", "good"))
        self.put(self._rng.choice(GROUPS), f"{kind} {number}")

    def kill(self) -> None:
        """SIGKILL to the agent alone, after a while or as soon as one of the files is another: what it started goes on."""
        file = self._site.out / f"{self._rng.choice(GROUPS)}.{self._rng.choice((1, 2))}"
        before, until_s = file.stat().st_ino, time.monotonic() + self._rng.uniform(0, 0.5)
        is_hasty = self._rng.random() < 0.7
        while time.monotonic() < until_s and not (is_hasty and file.stat().st_ino != before):
            pass
        self._site.agent.signal(SIGKILL)
        self._site.agent.wait()

    def settle(self) -> None:
        """Wait until the agent is done with every key."""

        def is_settled() -> bool:
            with contextlib.suppress(OSError):
                return self._site.applied_revision() >= self.revision
            return False

        self._site.agent.wait_until(is_settled, f"done with revision {self.revision}")

    def check(self) -> None:
        """Files, what the program runs on, journal and rollout agree, and are what the keys say if that can be."""
        memories = read_memories(self._site.path / "state")
        names = sorted(path.name for path in self._site.out.iterdir())
        assert names == sorted(f"{name}.{number}" for name in GROUPS for number in (1, 2)), (
            "nothing is left behind"
        )
        for name, value in self.values.items():
            files = [self._site.out / f"{name}.{number}" for number in (1, 2)]
            contents = [path.read_bytes() for path in files]
            assert contents == [(self.running / path.name).read_bytes() for path in files], (
                f"{name}: a lost reload"
            )
            assert contents[0] == contents[1], f"{name}: half of a change"
            if value.startswith("good"):
                assert contents[0].decode() == f"{value}\n", f"{name}: not what the keys say"
            memory = memories[name]
            assert memory.phase is Phase.SETTLED, name
            digests = {
                str(path): hashlib.sha256(content).hexdigest()
                for path, content in zip(files, contents, strict=True)
            }
            assert memory.is_running_on(digests), f"{name}: the journal says otherwise"
        slots = pb.RangeRequest(
            key=f"{ROLLOUT_PREFIX}web/slots/".encode(), range_end=f"{ROLLOUT_PREFIX}web/slots0".encode()
        )
        assert not self._wire.get("Range", slots).kvs, "a slot is held for ever"


def test_killed_at_random_moments_files_program_and_journal_agree_in_the_end(
    site: Site, empty_store: StoreServer
) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    victim = Victim(site, empty_store, rng)
    try:
        for name in GROUPS:
            victim.put(name, "good")
        site.watch()
        victim.settle()
        victim.check()
        for number in range(KILLS):
            # Some at the start, where an earlier life is ended; most in the middle of changes.
            for _ in range(rng.randint(1, 4)):
                victim.change(number)
            victim.kill()
            site.start()
            if rng.random() < 0.7:
                victim.settle()
                victim.check()
        victim.settle()
        victim.check()
        for name in GROUPS:
            victim.put(name, "good in the end")
        victim.settle()
        victim.check()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        victim.close()
