"""``fairlead render history``, ``show`` and ``why``: what the journal of this host says."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from fairlead.agent import ConfigError
from fairlead.render.change import Entry, Memory
from fairlead.render.change.journal import read_content, read_memories
from fairlead.render.change.model import FileState
from fairlead.render.commands.options import json_option, state_options
from fairlead.render.config import RenderSettings
from fairlead.render.diff import describe_change
from fairlead.render.errors import HistoryError, JournalError
from fairlead.render.history import entries_as_lines, entry_as_json, explain, find_entry, versions


@click.command()
@click.argument("group", required=False)
@state_options
@json_option
def history(*, group: str | None, confdir: Path, state_dir: Path | None, as_json: bool) -> int:
    """List the finished changes of GROUP, or of all groups, the oldest first."""
    for name, memory in _memories(confdir, state_dir, group=group).items():
        if not as_json and group is None:
            click.echo(f"{name}:")
        told = (
            [json.dumps(entry_as_json(name, entry)) for entry in memory.history]
            if as_json
            else entries_as_lines(memory)
        )
        for line in told:
            click.echo(line)
    return 0


@click.command()
@click.argument("group")
@click.argument("number", type=int, required=False)
@click.option("--diff", is_flag=True, help="What the change did, and not what the files were after it.")
@state_options
@json_option
def show(
    *, group: str, number: int | None, diff: bool, confdir: Path, state_dir: Path | None, as_json: bool
) -> int:
    """Print the files of GROUP as they were after change NUMBER, the last one when left out."""
    folder = _settings(confdir, state_dir).state_folder
    memory = _memories(confdir, state_dir, group=group)[group]
    try:
        entry = find_entry(memory, number)
    except HistoryError as error:
        raise ConfigError(f"{group}: {error}") from error
    if as_json:
        found = {dest: version.digest for dest, version in versions(entry).items()}
        click.echo(json.dumps({**entry_as_json(group, entry), "files": found}))
    elif diff:
        _show_diff(folder, entry)
    else:
        _show_files(folder, entry)
    return 0


def _show_files(folder: Path, entry: Entry) -> None:
    for dest, version in versions(entry).items():
        click.echo(f"==> {dest} <==")
        click.echo(_content(folder, version.digest) or b"(not kept: a secret was in it)\n", nl=False)


def _show_diff(folder: Path, entry: Entry) -> None:
    for file in entry.change.changed:
        contents = [
            b"" if version is None else _content(folder, version.digest) for version in (file.old, file.new)
        ]
        old, new = (
            FileState(content=content or b"", mode=0, uid=0, gid=0) if content is not None else None
            for content in contents
        )
        if old is None or new is None:
            click.echo(f"{file.dest}: changed; a secret was in it, which is not kept")
            continue
        for line in describe_change(file.dest, new, old, names=("before", f"change {entry.number}")):
            click.echo(line)


def _content(folder: Path, digest: str) -> bytes | None:
    try:
        return read_content(folder, digest)
    except OSError:
        return None


@click.command()
@click.argument("what")
@state_options
@json_option
def why(*, what: str, confdir: Path, state_dir: Path | None, as_json: bool) -> int:
    """Explain which keys, at which revision, made WHAT (a group or a file) what it is, and when."""
    memories = _memories(confdir, state_dir)
    found = {
        name: memory for name, memory in memories.items() if what == name or what in (memory.running or {})
    }
    if not found:
        raise ConfigError(f"no group and no file {what} in the journal", f"there are {_names(memories)}")
    for name, memory in found.items():
        if as_json:
            entries = [entry_as_json(name, entry) for entry in memory.history]
            facts = {"group": name, "phase": memory.phase.value, "quarantined": memory.quarantined}
            click.echo(json.dumps({**facts, "reason": memory.reason, "history": entries}))
        else:
            for line in explain(name, memory):
                click.echo(line)
    return 0


def _settings(confdir: Path, state_dir: Path | None) -> RenderSettings:
    return RenderSettings(confdir=confdir, state_dir=state_dir)


def _memories(confdir: Path, state_dir: Path | None, *, group: str | None = None) -> Mapping[str, Memory]:
    folder = _settings(confdir, state_dir).state_folder
    try:
        memories = read_memories(folder)
    except OSError as error:
        hint = "give the --confdir or --state-dir of the renderer"
        raise ConfigError(f"no journal in {folder}: {error.strerror}", hint) from error
    except JournalError as error:
        raise ConfigError(str(error)) from error
    if group is None:
        return dict(sorted(memories.items()))
    if group not in memories:
        raise ConfigError(f"no group {group} in the journal", f"there are {_names(memories)}")
    return {group: memories[group]}


def _names(memories: Mapping[str, Memory]) -> str:
    return ", ".join(sorted(memories)) or "none"
