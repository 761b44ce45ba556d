"""Does what the machine asks for: files, commands, probes, the journal.

Each call blocks for as long as it takes and runs in a thread of its own; what the host refuses comes back as
``Failed``, never as an exception.  Everything may be asked for twice: a crash may have come in between.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fairlead.durable import make_directory
from fairlead.render.change import actions
from fairlead.render.change.actions import Action, Done, Failed, Result
from fairlead.render.change.in_place import in_namespace, shortcoming
from fairlead.render.change.journal import Journal
from fairlead.render.change.model import FileChange, FileVersion, Found, change_as_json
from fairlead.render.change.probing import log_sizes, verify_all
from fairlead.render.command import expand, names_src, run_command
from fairlead.render.config import RenderSettings
from fairlead.render.destination import Destination, explain

SignalChild = Callable[[str], str | None]
"""Signals the supervised program by name; returns what went wrong."""


class Effects:
    """The host, for one group."""

    def __init__(
        self, journal: Journal, settings: RenderSettings, *, signal_child: SignalChild | None = None
    ) -> None:
        """Touch nothing yet.

        Args:
            journal: shared by all groups.
            settings: limits, and whether staged files are kept to be looked at.
            signal_child: for a group that supervises its program.
        """
        self._journal = journal
        self._settings = settings
        self._signal_child = signal_child

    def run(self, action: Action) -> Result:
        """Do it; all of its files are on the disk when this returns."""
        do = _DEEDS[type(action)]
        try:
            return do(self, action)
        except OSError as error:
            return Failed(problem=explain(error))

    # Files

    def inspect(self, action: actions.Inspect) -> Result:
        """Look at the destinations."""
        files = {dest: Destination(Path(dest)).inspect() for dest in action.dests}
        return Done(value=Found(files=files, uid=os.geteuid(), gid=os.getegid()))

    def stage(self, action: actions.Stage) -> Result:
        """Write the new contents beside the destinations."""
        for file in action.files:
            assert file.new is not None
            if file.make_dirs:
                make_directory(Path(file.dest).parent, mode=0o755)
            Destination(Path(file.dest)).stage(action.contents[file.dest], file.new)
        return Done()

    def discard(self, action: actions.Discard) -> Result:
        """Remove what was staged."""
        if not self._settings.keep_stage_file:
            for dest in action.dests:
                Destination(Path(dest)).discard()
        return Done()

    def repair(self, action: actions.Repair) -> Result:
        """Set mode and owner."""
        for file in action.files:
            if file.new is not None:
                Destination(Path(file.dest)).set_attributes(file.new)
        return Done()

    def swap(self, action: actions.Swap) -> Result:
        """Put the new files in place."""
        return Done(value=self._put_all((file.dest, file.new) for file in action.files))

    def restore(self, action: actions.Restore) -> Result:
        """Put the old files in place, the last first."""
        return Done(value=self._put_all((file.dest, file.old) for file in reversed(action.files)))

    def _put_all(self, versions: Any) -> tuple[str, ...]:
        warnings = [self._put(Destination(Path(dest)), version) for dest, version in versions]
        return tuple(warning for warning in warnings if warning is not None)

    def _put(self, destination: Destination, version: FileVersion | None) -> str | None:
        """Make one file what it shall be; return a warning."""
        if version is None:
            destination.remove()
            return None
        found = destination.inspect()
        if found is not None and found.digest == version.digest:
            destination.set_attributes(version)
            destination.discard()
            return None
        if destination.swap(version) or destination.put(self._journal.contents.read(version.digest), version):
            return None
        return f"{destination.path} is a mount: written in place, which is not atomic"

    # The journal

    def prepare(self, action: actions.Prepare) -> Result:
        """Keep what is needed to go either way, then say so in the journal."""
        contents: dict[str, bytes] = {}
        kept = self._journal.memory(action.group).digests
        # What stays as it is, too: somebody may change it before we are through.
        for file in action.change.files:
            if file.new is not None:
                contents[file.new.digest] = action.contents[file.dest]
            contents |= self._old(file, kept=kept)
        record = {
            "group": action.group,
            "kind": "pending",
            "change": change_as_json(action.change),
            "marks": log_sizes(action.logs),
        }
        return Done(value=self._journal.append(record, contents=contents))

    @staticmethod
    def _old(file: FileChange, *, kept: set[str]) -> dict[str, bytes]:
        """Return the content that the way back leads to, by digest, unless it is kept already."""
        if file.old is None or file.old.digest in kept:
            return {}
        destination = Destination(Path(file.dest))
        state = destination.read()
        if state is None or destination.inspect() != file.old:
            raise OSError(f"{file.dest} was changed by somebody else meanwhile")
        return {file.old.digest: state.content}

    def append(self, action: actions.Append) -> Result:
        """Write one record."""
        return Done(value=self._journal.append(action.record))

    # Commands

    def check(self, action: actions.RunCheck) -> Result:
        """Run the check over the staged files."""
        command = action.check.command
        changed = [file for file in action.files if file.is_content_changed and file.new is not None]
        dest = changed[0].dest if changed else action.files[0].dest
        problem = shortcoming(action.check)
        if problem is not None and not names_src(command):
            return Failed(problem=problem)
        if problem is not None or not action.check.in_place:
            staged = str(Destination(Path(dest)).staged_path) if changed else dest
            result = self._command(expand(command, src=staged, dest=dest), timeout_s=command.timeout_s)
            return result if problem is None or isinstance(result, Failed) else Done(value=(problem,))
        with tempfile.TemporaryDirectory(prefix="fairlead-check-") as work:
            argv = in_namespace(expand(command, src=dest, dest=dest), action.files, work=Path(work))
            return self._command(argv, timeout_s=command.timeout_s)

    def reload(self, action: actions.RunReload) -> Result:
        """Run the reload, or send the signal."""
        reload = action.reload
        if reload.command is not None:
            argv = expand(reload.command, src=action.dest, dest=action.dest)
            return self._command(argv, timeout_s=reload.command.timeout_s)
        if reload.pidfile:
            problem = _signal_pid(reload.pidfile, reload.signal)
        else:
            assert self._signal_child is not None
            problem = self._signal_child(reload.signal)
        return Done() if problem is None else Failed(problem=problem)

    def verify(self, action: actions.RunVerify) -> Result:
        """Ask the probes."""
        marks = None if action.is_rollback else action.marks
        limits = self._settings.limits
        problem = verify_all(action.verify, dest=action.dest, marks=marks, limits=limits)
        return Done() if problem is None else Failed(problem=problem)

    def _command(self, argv: list[str], *, timeout_s: float) -> Result:
        problem = run_command(argv, timeout_s=timeout_s, limits=self._settings.limits)
        return Done() if problem is None else Failed(problem=problem)


_DEEDS: Mapping[type, Callable[[Effects, Any], Result]] = {
    actions.Inspect: Effects.inspect,
    actions.Stage: Effects.stage,
    actions.Discard: Effects.discard,
    actions.Repair: Effects.repair,
    actions.Swap: Effects.swap,
    actions.Restore: Effects.restore,
    actions.Prepare: Effects.prepare,
    actions.Append: Effects.append,
    actions.RunCheck: Effects.check,
    actions.RunReload: Effects.reload,
    actions.RunVerify: Effects.verify,
}


def _signal_pid(pidfile: str, name: str) -> str | None:
    """Send a signal to the process that a file names; return what went wrong."""
    number = getattr(signal, f"SIG{name}", None)
    if number is None:
        return f"there is no signal {name}"
    try:
        words = Path(pidfile).read_text(errors="replace").split()
        # 0 and negative numbers are groups.
        if not words or not words[0].isdecimal() or int(words[0]) == 0:
            return f"SIG{name} by {pidfile}: it holds no process id"
        os.kill(int(words[0]), number)
    except OSError as error:
        return f"SIG{name} by {pidfile}: {error.strerror}"
    return None
