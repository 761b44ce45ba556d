"""Brings one destination up to date: stage, check, swap, reload.

The order is the promise: the check reads the staged file and the destination is not touched before it has
passed; the file is on disk before its name is; a reload is owed from before the swap until it has
succeeded.  What ``decide`` says is done here and nothing is decided twice.

Not here yet: the journal that remembers an owed reload over a restart, and the way back to the old file.
"""

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead.render.command import expand, run_command
from fairlead.render.config import RenderSettings
from fairlead.render.destination import Destination
from fairlead.render.errors import CheckFailedError, DestinationError, ReloadFailedError, RenderError
from fairlead.render.plan import FileState, Step, decide, wanted_state
from fairlead.render.rendered import Rendered
from fairlead.render.resource import Command, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one rendered resource.

    Attributes:
        step: what was called for; in a dry run, what would be done.
        wanted: the file as it ought to be; None when rendering failed or the destination cannot be read.
        found: the file as it was, None when there was none.
        error: why the step did not succeed.
        is_reload_owed: the file is in place and its program has not taken it yet.
        warning: what went otherwise than it should, though it went.
    """

    resource: Resource
    step: Step
    wanted: FileState | None = None
    found: FileState | None = None
    error: RenderError | None = None
    is_reload_owed: bool = False
    warning: str | None = None


def apply(rendered: Rendered, settings: RenderSettings, *, is_reload_owed: bool = False) -> Outcome:
    """Do what it takes for ``rendered``; the outcome carries the error where there is one.

    Args:
        rendered: one resource's content, or why there is none.
        settings: whether this is a dry run, and the limits.
        is_reload_owed: an earlier reload of this resource has not succeeded.
    """
    resource = rendered.resource
    if rendered.files is None:
        return _keep(rendered, settings, is_reload_owed=is_reload_owed)
    file = rendered.files[0]
    destination = Destination(Path(file.dest))
    try:
        found = destination.read()
    except OSError as problem:
        return Outcome(
            resource=resource,
            step=Step.NOTHING,
            error=_destination_error(resource, problem),
            is_reload_owed=is_reload_owed,
        )
    wanted = wanted_state(file.spec, file.content, found, uid=os.geteuid(), gid=os.getegid())
    step = decide(wanted, found, is_reload_owed=is_reload_owed)
    application = _Application(
        resource,
        settings,
        destination=destination,
        wanted=wanted,
        found=found,
        is_reload_owed=is_reload_owed,
    )
    error = application.take(step)
    return Outcome(
        resource=resource,
        step=step,
        wanted=wanted,
        found=found,
        error=error,
        is_reload_owed=application.is_reload_owed,
        warning=application.warning,
    )


def _keep(rendered: Rendered, settings: RenderSettings, *, is_reload_owed: bool) -> Outcome:
    """Leave the last good file; its program may still have to take it."""
    error: RenderError | None = rendered.error
    if is_reload_owed and not settings.noop:
        try:
            _reload(rendered.resource, settings)
            is_reload_owed = False
        except ReloadFailedError as failure:
            error = failure
    return Outcome(resource=rendered.resource, step=Step.NOTHING, error=error, is_reload_owed=is_reload_owed)


class _Application:
    """One step on one destination."""

    def __init__(
        self,
        resource: Resource,
        settings: RenderSettings,
        *,
        destination: Destination,
        wanted: FileState,
        found: FileState | None,
        is_reload_owed: bool,
    ) -> None:
        self.is_reload_owed = is_reload_owed
        self.warning: str | None = None
        self._resource = resource
        self._settings = settings
        self._destination = destination
        self._wanted = wanted
        self._found = found

    def take(self, step: Step) -> RenderError | None:
        """Do it; return what went wrong."""
        actions = _REHEARSALS if self._settings.noop else _ACTIONS
        try:
            actions[step](self)
        except RenderError as error:
            return error
        except OSError as error:
            return _destination_error(self._resource, error)
        return None

    def nothing(self) -> None:
        """The file and its program are up to date."""

    def rehearse(self) -> None:
        """Show the staged file to whoever wants to look at it."""
        if self._settings.keep_stage_file:
            self._destination.stage(self._wanted)

    def repair(self) -> None:
        """Set mode and owner."""
        self._destination.set_attributes(self._wanted)

    def reload(self) -> None:
        """Make good a reload that failed."""
        self.repair()
        self._reload()

    def replace(self) -> None:
        """Stage, check, swap, reload."""
        staged = self._destination.stage(self._wanted)
        try:
            self._check(staged)
            self.is_reload_owed = bool(self._resource.reload) and not self._settings.sync_only
            self._swap(staged)
        finally:
            if not self._settings.keep_stage_file:
                staged.unlink(missing_ok=True)
        self._reload()

    def _check(self, staged: Path) -> None:
        try:
            _check(self._resource, self._settings, staged)
        except CheckFailedError:
            # The file that stays may still wait for its program.
            if self.is_reload_owed:
                self._reload()
            raise

    def _swap(self, staged: Path) -> None:
        try:
            self._destination.swap(staged)
        except OSError as error:
            # Bind-mounted into a container, a file can be written and not replaced.
            if error.errno not in {errno.EBUSY, errno.EXDEV}:
                raise
            self._destination.write_in_place(self._wanted, self._found)
            self.warning = f"{_dest(self._resource)} is a mount: written in place, which is not atomic"

    def _reload(self) -> None:
        _reload(self._resource, self._settings)
        self.is_reload_owed = False


_ACTIONS: Mapping[Step, Callable[[_Application], None]] = {
    Step.NOTHING: _Application.nothing,
    Step.REPAIR: _Application.repair,
    Step.RELOAD: _Application.reload,
    Step.REPLACE: _Application.replace,
}
_REHEARSALS = dict.fromkeys(Step, _Application.nothing) | {Step.REPLACE: _Application.rehearse}


def _dest(resource: Resource) -> str:
    return resource.files[0].dest


def _check(resource: Resource, settings: RenderSettings, staged: Path) -> None:
    problem = _command(
        resource, settings, None if resource.check is None else resource.check.command, src=str(staged)
    )
    if problem is not None:
        raise CheckFailedError(resource.name, f"check failed, {_dest(resource)} is left as it was: {problem}")


def _reload(resource: Resource, settings: RenderSettings) -> None:
    problem = _command(
        resource, settings, None if resource.reload is None else resource.reload.command, src=_dest(resource)
    )
    if problem is not None:
        raise ReloadFailedError(
            resource.name, f"{_dest(resource)} is in place, but its reload failed: {problem}"
        )


def _command(
    resource: Resource, settings: RenderSettings, command: Command | None, *, src: str
) -> str | None:
    """Run a check or a reload, where there is one to run; return what went wrong."""
    if command is None or settings.sync_only:
        return None
    try:
        return run_command(
            expand(command.shell, src=src, dest=_dest(resource)),
            timeout_s=command.timeout_s,
            kill_grace_s=settings.limits.kill_grace_s,
            output_bytes_max=settings.limits.command_output_bytes_max,
        )
    except OSError as error:
        return f"the command cannot be run: {error}"


def _destination_error(resource: Resource, error: OSError) -> DestinationError:
    directory = Path(_dest(resource)).parent
    if error.errno == errno.ENOENT and not directory.is_dir():
        return DestinationError(
            resource.name, f"{directory} does not exist; create it with: mkdir -p {directory}"
        )
    problem = error.strerror or str(error)
    hint = "; run the agent as a user who may" if error.errno in {errno.EPERM, errno.EACCES} else ""
    return DestinationError(resource.name, f"{_dest(resource)}: {problem}{hint}")
