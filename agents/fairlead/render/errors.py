"""What can go wrong between a key and a reloaded program.

::

    RenderError
    ├── ResourceError          a file in conf.d is not a resource
    ├── TemplateError          a template cannot be rendered from the keys there are
    ├── GuardError             the keys give too little, too much or suddenly less: the files stay
    ├── DestinationError       the file system refuses the destination
    ├── QuarantinedError       this very output was rolled back before
    ├── RolloutError           the rollout is halted or frozen, or the store does not say
    └── CommandError           a check, a reload or a probe did not succeed
        ├── CheckFailedError   the new files were refused; the old ones are untouched
        ├── ReloadFailedError  the new files are in place, the program did not take them: tried again
        ├── RolledBackError    the program did not take the new files; it runs on the old ones again
        └── RollbackFailedError  nor does it take the old ones: somebody has to look
    JournalError               the journal is damaged: nothing may be done that rests on it
    JournalInUseError          another renderer on this host works with the same journal
    HistoryError               what is to be shown or brought back is not in the history
    ControlError               the renderer that runs refuses a command
    TemplateFault              raised inside a template by a function; becomes a TemplateError
    ├── MissingKeyError
    └── LookupFailedError      the world did not answer: an error, never an empty list

Each ``str()`` is one line for an operator: where, what, and what to do next.
"""

from pathlib import Path


class RenderError(Exception):
    """One resource could not be processed; the others go on.

    Attributes:
        resource: the resource's file, relative to the configuration directory.
        is_transient: the same keys may do another time.
    """

    is_transient = False

    def __init__(self, resource: str, problem: str) -> None:
        super().__init__(f"{resource}: {one_line(problem)}")
        self.resource = resource


class ResourceError(RenderError):
    """The resource's file is wrong."""


class TemplateError(RenderError):
    """The template is wrong, or a key it needs is missing.

    Attributes:
        is_transient: the same keys may render another time, because the DNS did not answer.
    """

    def __init__(self, resource: str, problem: str, *, is_transient: bool = False) -> None:
        super().__init__(resource, problem)
        self.is_transient = is_transient


class GuardError(RenderError):
    """A guard refuses what the keys give."""


class DestinationError(RenderError):
    """The destination cannot be read, written or given its owner."""


class QuarantinedError(RenderError):
    """The output is one that was rolled back, and nothing has changed since."""


class RolloutError(RenderError):
    """The group may not change now, because of other hosts."""


class CommandError(RenderError):
    """A command ended with a failure or out of time."""


class CheckFailedError(CommandError):
    """The check refused the new file."""


class ReloadFailedError(CommandError):
    """The reload or a probe failed; the new files stay in place."""


class RolledBackError(CommandError):
    """The reload or a probe failed; the old files are in force again."""


class RollbackFailedError(CommandError):
    """The reload or a probe failed, and again after the old files were put back."""


class JournalError(Exception):
    """The journal is damaged, or holds what no renderer has written.

    Attributes:
        offset: where the line begins, in bytes.
        path: the file; None while it is not known.
    """

    def __init__(self, offset: int, *, path: Path | None = None) -> None:
        super().__init__(
            f"the journal{'' if path is None else f' {path}'} is damaged at byte {offset}; move it away to begin anew"
            " (every program is then reloaded once)"
        )
        self.offset = offset
        self.path = path


class JournalInUseError(Exception):
    """Another renderer has the journal open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another renderer runs with the state in {folder}; stop it, or give this one another --state-dir"
        )


class HistoryError(Exception):
    """A change is not in the history, or not with its contents."""


class ControlError(Exception):
    """A command cannot be carried out."""


class TemplateFault(Exception):  # noqa: N818 - half of an error: it has no place yet
    """A function was given what it cannot work with; the renderer adds template and line."""


class MissingKeyError(TemplateFault):
    """A key that the template needs is not there.

    Attributes:
        key: its full name in the store.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key} does not exist; write it with: fairlead kv put {key} VALUE")
        self.key = key


class LookupFailedError(TemplateFault):
    """The DNS did not answer."""


def one_line(text: str) -> str:
    """Return ``text`` in one line that may be shown on a terminal: words and blanks, no control characters."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Return ``text`` with every control character but a tab written out: a value must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode()
        for char in text
    )
