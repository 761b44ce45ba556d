"""What operators are told: each line says which resource, which templates, which keys, what happened, what next."""

from fairlead.render.change.model import Change
from fairlead.render.errors import (
    CheckFailedError,
    DestinationError,
    ReloadFailedError,
    RollbackFailedError,
    RolledBackError,
    RolloutError,
)
from fairlead.render.rendered import Rendered
from fairlead.render.resource.model import Resource
from fairlead.render.view import Dependencies

_SHOWN_MAX = 3


def nothing_rendered(resource: Resource) -> Rendered:
    """Return what stands for a render that has not been made yet."""
    return Rendered(resource=resource, revision=0, dependencies=Dependencies(), files=())


def is_same_output(rendered: Rendered, change: Change | None) -> bool:
    """Whether ``change`` puts exactly this in place."""
    if rendered.files is None or change is None:
        return False
    return change.installed == {file.dest: file.digest for file in rendered.files}


def some(names: tuple[str, ...]) -> str:
    """Return the first of them, and how many more there are."""
    more = len(names) - _SHOWN_MAX
    shown = ", ".join(names[:_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown


def _files(change: Change) -> str:
    return some(tuple(file.dest for file in change.changed or change.files))


def _origin(resource: Resource, change: Change) -> str:
    """Say where the files come from: the templates, and the keys that were touched."""
    sources = some(tuple(dict.fromkeys(f"templates/{file.src}" for file in resource.files)))
    keys = f", after a change of {some(change.cause)}" if change.cause else ""
    return f"(from {sources}{keys})"


def check_failed(resource: Resource, change: Change, problem: str) -> CheckFailedError:
    """The check said no."""
    stays = "is left as it was" if len(change.changed) == 1 else "are left as they were"
    return CheckFailedError(
        resource.name, f"check failed, {_files(change)} {stays} {_origin(resource, change)}: {problem}"
    )


def reload_failed(resource: Resource, change: Change, problem: str) -> ReloadFailedError:
    """The new files stay, and the reload is tried again."""
    return ReloadFailedError(
        resource.name,
        f"{_files(change)} in place, but the reload failed {_origin(resource, change)}: {problem}",
    )


def rolled_back(resource: Resource, change: Change, problem: str) -> RolledBackError:
    """The old files are in force again."""
    return RolledBackError(
        resource.name,
        f"rolled back, {_files(change)} as before {_origin(resource, change)}: {problem};"
        f" correct the keys, or try again with: fairlead render retry {resource.group}",
    )


def rollback_failed(resource: Resource, change: Change, problem: str, *, again: str) -> RollbackFailedError:
    """Nothing works any more."""
    return RollbackFailedError(
        resource.name,
        f"the rollback failed too, {_files(change)} as before, and the program does not run on that"
        f" {_origin(resource, change)}: {again}; it was rolled back for: {problem}; look at the program",
    )


def refused_by_the_host(resource: Resource, problem: str) -> DestinationError:
    """The file system says no."""
    return DestinationError(resource.name, problem)


def no_slot(resource: Resource, problem: str) -> RolloutError:
    """The rollout says no."""
    return RolloutError(resource.name, problem)


def quarantined(group: str, reason: str) -> str:
    """Say why nothing is done."""
    return (
        f"these files were rolled back before and are not tried again: {reason};"
        f" correct the keys, or: fairlead render retry {group}"
    )


def guarded(group: str, reason: str) -> str:
    """Say what the guard refuses."""
    return f"{reason}; the files stay as they are; if that is right: fairlead render retry {group}"
