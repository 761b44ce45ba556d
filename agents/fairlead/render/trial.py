"""Template tests: keys in, files out, compared with files that somebody has looked at.

A case is a file ``tests/NAME.yaml`` beside ``conf.d``; what it must give lies in the folder ``tests/NAME``, each file
under the path of its destination.  No store is needed, and nothing outside the folder counts: the environment, the
clock, the DNS and the host are those of the case.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from fairlead.render.diff import content_diff
from fairlead.render.environment import Renderer
from fairlead.render.errors import LookupFailedError
from fairlead.render.guards import refusal
from fairlead.render.lookup import SRV
from fairlead.render.rendered import Rendered
from fairlead.render.resource import Resource
from fairlead.render.view import Snapshot

_TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class CaseError(Exception):
    """The case itself is wrong; the text says where and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a test gives to the templates, and what it waits for.

    Attributes:
        name: the file's, without its suffix.
        golden: the folder of the expected files.
        resources: groups to render; empty for all.
        keys: full name in the store to value.
        error: a part of the error that is expected instead of files; empty where none is.
        env: the environment.
        files: what ``fileExists`` finds.
        hostname: what ``hostname`` gives.
        time: what ``datetime`` gives.
        dns: name to addresses, or, for ``_service._proto.name``, to ``[target, port, priority, weight]``.
    """

    name: str
    golden: Path
    resources: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    hostname: str = "host"
    time: datetime = _TIME
    dns: Mapping[str, Any] = field(default_factory=dict)


_FIELDS: Mapping[str, type] = {
    "resources": list, "keys": dict, "error": str, "env": dict, "files": list, "hostname": str, "time": datetime,
    "dns": dict,
}  # fmt: skip


def load_cases(directory: Path) -> list[Case]:
    """Read ``tests/*.yaml``, in the order of their names.

    Raises:
        CaseError: a file is not a case.
    """
    return [_load(path) for path in sorted(directory.glob("*.yaml"))]


def _load(path: Path) -> Case:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CaseError(f"{path}: cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CaseError(f"{path}: holds no case; write keys: {{/app/port: 80}}")
    for name, value in document.items():
        if name not in _FIELDS:
            raise CaseError(f"{path}: field {name} is unknown; known are {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[name]):
            raise CaseError(f"{path}: {name} must be a {_FIELDS[name].__name__}, not {value!r}")
    given = dict(document)
    given |= {name: tuple(map(str, given[name])) for name in ("resources", "files") if name in given}
    given["keys"] = dict(_flat(given.get("keys", {})))
    given["env"] = {name: _word(value) for name, value in given.get("env", {}).items()}
    return Case(name=path.stem, golden=path.with_suffix(""), **given)


def _flat(keys: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield full names and values; a map below a name stands for the keys below it."""
    for name, value in keys.items():
        full = f"{path}/{str(name).strip('/')}"
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        else:
            yield full, _word(value)


def _word(value: object) -> str:
    """Return what somebody meant who left the quotes away: ``true`` is a text in a store."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def world_of(case: Case) -> dict[str, Callable[..., Any]]:
    """Return the functions that look outside, as the case has it."""

    def addresses(name: str, mark: str = "") -> list[str]:
        if name not in case.dns:
            raise LookupFailedError(f"the case knows no address of {name}; write dns: {{{name}: [10.0.0.1]}}")
        return sorted(address for address in case.dns[name] if mark in address)

    def services(service: str, proto: str, name: str) -> list[SRV]:
        full = name if not service and not proto else f"_{service}._{proto}.{name}"
        if full not in case.dns:
            raise LookupFailedError(f"the case knows no records of {full}; write them under dns")
        found = [SRV(str(target), *map(int, numbers)) for target, *numbers in case.dns[full]]
        return sorted(found, key=lambda srv: f"{srv.target}{srv.port}{srv.priority}{srv.weight}")

    return {
        "datetime": lambda: case.time,
        "fileExists": lambda path: path in case.files,
        "getenv": lambda name, default="": case.env.get(name) or default,
        "hostname": lambda: case.hostname,
        "lookupIP": addresses,
        "lookupIPV4": lambda name: addresses(name, "."),
        "lookupIPV6": lambda name: addresses(name, ":"),
        "lookupIfaceIPV4": lambda name: next(iter(addresses(name, ".")), ""),
        "lookupIfaceIPV6": lambda name: next(iter(addresses(name, ":")), ""),
        "lookupSRV": services,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a case gave.

    Attributes:
        files: destination to content, of all resources that rendered.
        errors: of those that did not.
    """

    files: Mapping[str, bytes]
    errors: tuple[str, ...]


def run_case(
    case: Case, resources: tuple[Resource, ...], *, template_dir: Path, output_bytes_max: int
) -> Verdict:
    """Render the case's resources from the case's keys."""
    world = world_of(case)
    renderer = Renderer(template_dir, output_bytes_max=output_bytes_max, world=world)
    snapshot = Snapshot(case.keys, revision=1)
    files: dict[str, bytes] = {}
    errors: list[str] = []
    for resource in resources:
        if case.resources and resource.group not in case.resources:
            continue
        rendered = renderer.render(resource, snapshot)
        if (problem := _problem(rendered)) is not None:
            errors.append(problem)
            continue
        files |= {file.dest: file.content for file in rendered.files or ()}
    return Verdict(files=files, errors=tuple(errors))


def _problem(rendered: Rendered) -> str | None:
    if rendered.error is not None:
        return str(rendered.error)
    reason = refusal(rendered.resource.guards, rendered.counts, {})
    return None if reason is None else f"{rendered.resource.name}: {reason}"


def golden_files(case: Case) -> dict[str, bytes]:
    """Return the expected files by their destination."""
    paths = [path for path in case.golden.rglob("*") if path.is_file()]
    return {f"/{path.relative_to(case.golden)}": path.read_bytes() for path in sorted(paths)}


def write_golden(case: Case, verdict: Verdict) -> None:
    """Make what the case gave the expected, and drop what it gives no more."""
    for dest in golden_files(case):
        if dest not in verdict.files:
            (case.golden / dest.lstrip("/")).unlink()
    for dest, content in verdict.files.items():
        path = case.golden / dest.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def differences(case: Case, verdict: Verdict) -> Iterator[str]:
    """Yield what is other than expected, as lines for people; none when the case holds."""
    if case.error:
        if not any(case.error in error for error in verdict.errors):
            got = "; ".join(verdict.errors) or "no error"
            yield f"expected an error with {case.error!r}, got: {got}"
        return
    yield from verdict.errors
    expected = golden_files(case)
    for dest in sorted(expected.keys() | verdict.files.keys()):
        if dest not in verdict.files:
            yield f"{dest} is expected and was not written"
        elif dest not in expected:
            yield f"{dest} was written and is not expected; look at it, then run again with --update"
        else:
            yield from content_diff(dest, verdict.files[dest], expected[dest], names=("expected", "rendered"))
