"""A host in memory: files, a journal, and a program that takes its files or does not.

What is on its disk survives a crash; what the machine knows does not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tests.unit.render.conftest import rendered_as

from fairlead.render.change import Machine, Memory, Outcome, Phase
from fairlead.render.change import actions as act
from fairlead.render.change.actions import Action, Done, Failed, Result
from fairlead.render.change.memory import remember
from fairlead.render.change.model import FileChange, FileVersion, Found, change_as_json
from fairlead.render.rendered import Rendered
from fairlead.render.resource import (
    Check,
    Command,
    FileSpec,
    Reload,
    Resource,
    Rollout,
    TcpProbe,
    Verify,
)

COMMAND = Command(argv=("true",), timeout_s=1.0)
STEPS_MAX = 300
"""More than any attempt takes: a machine that goes in circles is a bug."""


class Crash(Exception):  # noqa: N818 - it is no error, it is the end
    """The process is killed."""


@dataclass
class Program:
    """What reads the files.

    Attributes:
        runs_on: destination to content, as last taken; None before the first time.
        accepts: whether it can run on such files.
        tells: a reload that it cannot follow fails; else it stays on the old files and says nothing.
    """

    runs_on: dict[str, bytes] | None = None
    accepts: Callable[[Mapping[str, bytes]], bool] = lambda _: True
    tells: bool = True
    reloads: int = 0

    def reload(self, files: Mapping[str, bytes]) -> bool:
        self.reloads += 1
        if self.accepts(files):
            self.runs_on = dict(files)
            return True
        return not self.tells


@dataclass
class Host:
    """The disk and the program; ``fails`` says which actions the host refuses."""

    program: Program = field(default_factory=Program)
    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    staged: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    journal: list[Mapping[str, object]] = field(default_factory=list)
    check: Callable[[Mapping[str, bytes]], bool] = lambda _: True
    fails: Callable[[Action], str] = lambda _: ""
    slot: str = ""
    holds_slot: bool = False
    halted: str = ""
    now_s: float = 100.0
    log: list[str] = field(default_factory=list)
    crash_after: float = float("inf")
    """So many effects are done; the next one is not begun.  A file is an effect of its own."""

    def memory(self) -> Memory:
        memory = Memory()
        for record in self.journal:
            memory = remember(memory, record)
        return memory

    def _effect(self) -> None:
        if self.crash_after <= 0:
            raise Crash
        self.crash_after -= 1

    def perform(self, action: Action) -> Result:
        self.log.append(type(action).__name__)
        self._effect()
        if problem := self.fails(action):
            return Failed(problem=problem)
        result = getattr(self, f"_{type(action).__name__.lower()}")(action)
        # Done, and nobody has heard of it.
        self._effect()
        assert isinstance(result, Done | Failed)
        return result

    def _version(self, dest: str) -> FileVersion | None:
        content = self.files.get(dest)
        if content is None:
            return None
        return FileVersion(digest=_digest(content), mode=self.modes.get(dest, 0o644), uid=0, gid=0)

    def _inspect(self, action: act.Inspect) -> Result:
        return Done(value=Found(files={dest: self._version(dest) for dest in action.dests}, uid=0, gid=0))

    def _stage(self, action: act.Stage) -> Result:
        for file in action.files:
            self._effect()
            self.staged[file.dest] = action.contents[file.dest]
        return Done()

    def _discard(self, action: act.Discard) -> Result:
        for dest in action.dests:
            self.staged.pop(dest, None)
        return Done()

    def _runcheck(self, action: act.RunCheck) -> Result:
        kept = {file.dest for file in action.files if file.new is not None}
        seen = {dest: content for dest, content in (self.files | self.staged).items() if dest in kept}
        return Done() if self.check(seen) else Failed(problem="check: exit status 1")

    def _pause(self, action: act.Pause) -> Result:
        self.now_s = max(self.now_s, action.until_s)
        return Done()

    def _acquire(self, _: act.Acquire) -> Result:
        if self.halted:
            return Failed(problem=f"halted: {self.halted}")
        self.holds_slot = self.holds_slot or not self.slot
        return Done(value=self.slot)

    def _release(self, action: act.Release) -> Result:
        self.holds_slot = False
        self.halted = self.halted or action.error
        return Done()

    def _prepare(self, action: act.Prepare) -> Result:
        for file in action.change.files:
            self._effect()
            for version in (file.old, file.new):
                for content in (self.files.get(file.dest), action.contents.get(file.dest)):
                    if version is not None and content is not None and _digest(content) == version.digest:
                        self.kept[version.digest] = content
        record = {
            "group": action.group,
            "kind": "pending",
            "change": change_as_json(action.change),
            "marks": dict.fromkeys(action.logs, 0),
        }
        return self._write(record)

    def _append(self, action: act.Append) -> Result:
        return self._write(action.record)

    def _write(self, record: Mapping[str, object]) -> Result:
        self._effect()
        written = {**record, "at_s": self.now_s}
        self.journal.append(written)
        return Done(value=written)

    def _swap(self, action: act.Swap) -> Result:
        for file in action.files:
            self._effect()
            self._put(file.dest, file.new)
            self.staged.pop(file.dest, None)
        return Done(value=())

    def _restore(self, action: act.Restore) -> Result:
        for file in action.files:
            self._effect()
            self._put(file.dest, file.old)
        return Done()

    def _repair(self, action: act.Repair) -> Result:
        for file in action.files:
            assert file.new is not None
            self.modes[file.dest] = file.new.mode
        return Done()

    def _put(self, dest: str, version: FileVersion | None) -> None:
        if version is None:
            self.files.pop(dest, None)
        elif dest not in self.files or _digest(self.files[dest]) != version.digest:
            self.files[dest] = self.kept[version.digest]
            self.modes[dest] = version.mode

    def _runreload(self, _: act.RunReload) -> Result:
        return Done() if self.program.reload(self.files) else Failed(problem="reload: exit status 1")

    def _runverify(self, _: act.RunVerify) -> Result:
        return Done() if self.program.runs_on == self.files else Failed(problem="no answer")


def _digest(content: bytes) -> str:
    resource = Resource(name="x", group="x", files=(FileSpec(src="a", dest="/a"),))
    files = rendered_as(resource, content).files
    assert files is not None
    return files[0].digest


def group(*dests: str, **fields: object) -> Resource:
    """Return a group that checks, reloads and verifies."""
    given = {
        "check": Check(command=COMMAND),
        "reload": Reload(command=COMMAND),
        "verify": (Verify(probe=TcpProbe(host="127.0.0.1", port=1)),),
        **fields,
    }
    files = tuple(FileSpec(src="t.j2", dest=dest) for dest in dests or ("/a", "/b"))
    return replace(Resource(name="conf.d/g.yaml", group="g", files=files), **given)  # type: ignore[arg-type]


ROLLOUT = Rollout(group="web", soak_s=5.0)


class Process:
    """One life of the renderer on a host."""

    def __init__(self, host: Host, resource: Resource) -> None:
        self.host = host
        self.resource = resource
        self.machine = Machine("g", host.memory())
        self.outcomes: list[Outcome] = []

    def start(self) -> None:
        """End what an earlier life began."""
        self.machine.resume(self.resource, now_s=self.host.now_s)
        self.run()

    def offer(self, *contents: bytes | None, hold: str = "") -> Outcome:
        """Offer these contents and run to the next rest."""
        return self.offer_rendered(rendered_as(self.resource, *contents), hold=hold)

    def offer_rendered(self, rendered: Rendered, hold: str = "") -> Outcome:
        self.machine.offer(rendered, now_s=self.host.now_s, cause=("/key",), hold=hold)
        self.run()
        return self.outcomes[-1]

    def retry(self) -> None:
        """What ``fairlead render retry`` does."""
        record = {"group": "g", "kind": "retry", "at_s": 0.0}
        self.host.journal.append(record)
        self.machine.learn(record)

    def run(self) -> None:
        for _ in range(STEPS_MAX):
            if self.machine.action is None:
                break
            result = self.host.perform(self.machine.action)
            self.machine.complete(result, now_s=self.host.now_s)
        else:
            raise AssertionError(f"{self.machine!r} goes in circles: {self.host.log[-20:]}")
        self.outcomes += self.machine.take_outcomes()


def is_settled(host: Host) -> bool:
    """Whether files, running configuration and journal agree."""
    memory = host.memory()
    digests = {dest: _digest(content) for dest, content in host.files.items()}
    return (
        memory.phase is Phase.SETTLED and memory.is_running_on(digests) and host.program.runs_on == host.files
    )


def one_file(changes: tuple[FileChange, ...]) -> FileChange:
    [change] = changes
    return change
