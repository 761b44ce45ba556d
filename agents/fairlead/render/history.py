"""The finished changes of a group: told to people, and brought back."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from fairlead.render.change import Entry, FileVersion, Memory, Phase
from fairlead.render.change.words import some
from fairlead.render.errors import HistoryError
from fairlead.render.rendered import Rendered, RenderedFile
from fairlead.render.resource.model import FileSpec, Resource
from fairlead.render.view import Dependencies

ReadContent = Callable[[str], bytes]
"""Returns a kept content by its digest; raises OSError."""


def find_entry(memory: Memory, number: int | None) -> Entry:
    """Return the entry of that number, the last one for None.

    Raises:
        HistoryError: there is none.
    """
    entries = [entry for entry in memory.history if number is None or entry.number == number]
    if not entries:
        what = "no change" if number is None else f"no change {number}"
        numbers = [str(entry.number) for entry in memory.history]
        known = f"; it has {' to '.join(dict.fromkeys((numbers[0], numbers[-1])))}" if numbers else ""
        raise HistoryError(f"there is {what} in the history{known}")
    return entries[-1]


def last_but_one(memory: Memory) -> Entry:
    """Return the last change that was in force before the present one.

    Raises:
        HistoryError: there is none.
    """
    running = [entry for entry in memory.history if entry.kind == "done"]
    earlier = [entry for entry in running[:-1] if entry.change.output != running[-1].change.output]
    if not earlier:
        raise HistoryError("there is no earlier change in the history to go back to")
    return earlier[-1]


def versions(entry: Entry) -> dict[str, FileVersion]:
    """Return what was in force after the change, by destination."""
    is_new = entry.kind == "done"
    found = {file.dest: file.new if is_new else file.old for file in entry.change.files}
    return {dest: version for dest, version in found.items() if version is not None}


def as_rendered(resource: Resource, entry: Entry, read: ReadContent) -> Rendered:
    """Return the files after ``entry`` as if they had just been rendered.

    Raises:
        HistoryError: a content is not kept, because a secret was in it.
    """
    secret = {file.dest for file in entry.change.files if file.is_secret}
    files = []
    for dest, version in versions(entry).items():
        if dest in secret:
            raise HistoryError(
                f"{dest} held a secret in change {entry.number}, and such contents are not kept"
            )
        try:
            content = read(version.digest)
        except OSError as error:
            problem = f"{dest} as of change {entry.number} is not kept: {error.strerror or error}"
            raise HistoryError(problem) from error
        spec = FileSpec(src="", dest=dest, mode=version.mode, uid=version.uid, gid=version.gid)
        files.append(RenderedFile(spec=spec, dest=dest, content=content))
    return Rendered(
        resource=resource,
        revision=entry.change.revision,
        inputs=entry.change.inputs,
        dependencies=Dependencies(),
        files=tuple(files),
        counts=dict(entry.change.counts),
    )


def entry_as_json(group: str, entry: Entry) -> dict[str, Any]:
    """Return one change for ``--json``."""
    return {
        "group": group,
        "change": entry.number,
        "result": entry.kind,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.at_s)),
        "revision": entry.change.revision,
        "output": entry.change.output,
        "cause": list(entry.change.cause),
        "changed": [file.dest for file in entry.change.changed],
        "error": entry.error,
    }


def entries_as_lines(memory: Memory) -> list[str]:
    """Return every change for people, the oldest first; the last that was done is the one in force."""
    in_force = max((entry.number for entry in memory.history if entry.kind == "done"), default=None)
    return [_as_line(entry, is_in_force=entry.number == in_force) for entry in memory.history]


def _as_line(entry: Entry, *, is_in_force: bool) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at_s))
    result = "in force" if is_in_force else "done" if entry.kind == "done" else "rolled back"
    cause = f", keys {some(entry.change.cause)}" if entry.change.cause else ""
    changed = some(tuple(file.dest for file in entry.change.changed)) or "nothing but the program"
    error = f": {entry.error}" if entry.error else ""
    return f"{entry.number:4}  {at}  revision {entry.change.revision}  {result}  {changed}{cause}{error}"


def explain(group: str, memory: Memory) -> Iterator[str]:
    """Yield why the group is as it is, the present first."""
    if memory.phase is not Phase.SETTLED and memory.change is not None:
        doing = "was begun" if memory.phase is Phase.PENDING else "is being rolled back"
        reason = f" because of: {memory.reason}" if memory.reason else ""
        yield f"{group}: a change at revision {memory.change.revision} {doing} and is not ended{reason}"
    if memory.quarantined:
        yield f"{group}: an output is quarantined: {memory.reason}; try it with: fairlead render retry {group}"
    if not memory.history:
        yield f"{group}: no change has been finished yet"
    for line in reversed(entries_as_lines(memory)):
        yield f"{group}: {line.strip()}"
