"""A template resource: which template makes which file, from which keys, with which commands.

The fields are confd's, as its documentation and its active fork have them; names of fields are not
case-sensitive, as in confd.  A field that nobody knows is refused, because a ``reload_cdm`` that is passed
over in silence is a reload that never happens.  One bad file costs only itself.
"""

import difflib
import grp
import pwd
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fairlead.render.config import RenderSettings
from fairlead.render.errors import ResourceError
from fairlead.render.paths import clean, is_under, join

MODE_MAX = 0o7777
_FIELDS: Mapping[str, type] = {
    "src": str, "dest": str, "keys": list, "prefix": str, "mode": str, "uid": int, "gid": int, "owner": str,
    "group": str, "check_cmd": str, "reload_cmd": str, "check_cmd_timeout": str, "reload_cmd_timeout": str,
}  # fmt: skip
_KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", list: "a list of texts"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One destination file.

    Attributes:
        name: the TOML file, relative to the configuration directory, as messages show it.
        src: the template, relative to ``templates``.
        dest: the file to write; its directory must exist.
        root: what is taken off the keys' names: the global prefix and the resource's own, joined.
        visible: the full paths that the template may see, none below another.
        mode: permission bits; None keeps the existing file's, or makes 0644.
        uid: None for the effective user.
        gid: None for the effective group.
        check_cmd: a shell command, empty for none; ``{{.src}}`` stands for the staged file.
        reload_cmd: a shell command, empty for none; ``{{.dest}}`` stands for the destination.
    """

    name: str
    src: str
    dest: str
    root: str
    visible: tuple[str, ...]
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    check_cmd: str = ""
    reload_cmd: str = ""
    check_timeout_s: float
    reload_timeout_s: float


class Loaded(NamedTuple):
    """What ``conf.d`` holds: the good and the bad, both in the order of their names."""

    resources: tuple[Resource, ...]
    problems: tuple[ResourceError, ...]


def load_resources(settings: RenderSettings) -> Loaded:
    """Read ``conf.d/**/*.toml``.

    Two resources with one destination are a problem of the later one.
    """
    resources: dict[str, Resource] = {}
    problems: list[ResourceError] = []
    for path in sorted(settings.resource_dir.rglob("*.toml")):
        name = str(path.relative_to(settings.confdir))
        try:
            resource = parse_resource(_read(name, path), name=name, settings=settings)
        except ResourceError as error:
            problems.append(error)
            continue
        if (earlier := resources.get(resource.dest)) is not None:
            problems.append(ResourceError(name, f"dest {resource.dest} is written by {earlier.name} already"))
        elif len(resources) >= settings.limits.resources_max:
            problems.append(ResourceError(name, f"more than {settings.limits.resources_max} resources"))
        else:
            resources[resource.dest] = resource
    return Loaded(tuple(resources.values()), tuple(problems))


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResourceError(name, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ResourceError(name, "is not UTF-8") from error


def parse_resource(text: str, *, name: str, settings: RenderSettings) -> Resource:
    """Read one resource.

    Raises:
        ResourceError: it is not TOML, a field is missing, unknown or of the wrong kind.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ResourceError(name, f"is not TOML: {error}") from error
    fields = _fields(document, name=name)
    root = join(settings.root, fields.get("prefix", ""))
    limits = settings.limits
    return Resource(
        name=name,
        src=fields["src"],
        dest=fields["dest"],
        root=root,
        visible=_outermost(join(root, key) for key in fields.get("keys") or ["/"]),
        mode=_mode(fields, name=name),
        uid=_account(fields, name=name, number="uid", word="owner", look_up=lambda n: pwd.getpwnam(n).pw_uid),
        gid=_account(fields, name=name, number="gid", word="group", look_up=lambda n: grp.getgrnam(n).gr_gid),
        check_cmd=fields.get("check_cmd", ""),
        reload_cmd=fields.get("reload_cmd", ""),
        check_timeout_s=_duration_s(
            fields, name=name, field="check_cmd_timeout", default_s=limits.check_timeout_s
        ),
        reload_timeout_s=_duration_s(
            fields, name=name, field="reload_cmd_timeout", default_s=limits.reload_timeout_s
        ),
    )


def _fields(document: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return the checked fields of ``[template]``, names in lower case."""
    tables = {key.lower(): value for key, value in document.items()}
    table = tables.pop("template", None)
    if isinstance(table, list):
        raise ResourceError(name, "holds several [[template]] tables; write one file for each")
    if not isinstance(table, dict):
        raise ResourceError(name, "has no [template] table")
    if tables:
        raise ResourceError(name, f"[{next(iter(tables))}] is unknown; a resource is one [template] table")
    fields = {key.lower(): value for key, value in table.items()}
    for field, value in fields.items():
        kind = _FIELDS.get(field)
        if kind is None:
            near = difflib.get_close_matches(field, _FIELDS, n=1)
            raise ResourceError(name, f"field {field} is unknown" + (f"; is it {near[0]}?" if near else ""))
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ResourceError(name, f"{field} must be {_KINDS[kind]}, not {value!r}")
    if not all(isinstance(key, str) for key in fields.get("keys", [])):
        raise ResourceError(name, f"keys must be a list of texts, not {fields['keys']!r}")
    for field in ("src", "dest"):
        if not fields.get(field):
            raise ResourceError(name, f'{field} is missing; write {field} = "..." under [template]')
    # The check above could not see inside a path: a template outside templates/ is not loaded.
    if fields["src"].startswith("/") or ".." in fields["src"].split("/"):
        raise ResourceError(name, f"src {fields['src']} must be a path inside templates/")
    return fields


def _mode(fields: Mapping[str, Any], *, name: str) -> int | None:
    """Read ``mode`` as Go does with base 0: 0644 and 0o644 are octal, 0x1a4 is hex, 420 is decimal."""
    text = fields.get("mode", "")
    if not text:
        return None
    try:
        # Go's leading zero means octal; Python wants the letter.
        mode = int(f"0o{text[1:]}" if re.fullmatch(r"0[0-7_]+", text) else text, 0)
    except ValueError:
        mode = -1
    if not 0 <= mode <= MODE_MAX:
        raise ResourceError(name, f'mode {text!r} is not a mode; write it in octal: mode = "0644"')
    return mode


def _account(
    fields: Mapping[str, Any], *, name: str, number: str, word: str, look_up: Callable[[str], int]
) -> int | None:
    """Return the id; confd takes -1 for unset, and the fork's name wins over the number."""
    if who := fields.get(word):
        try:
            return look_up(who)
        except KeyError:
            raise ResourceError(name, f"{word} {who} is not known on this host") from None
    value: int = fields.get(number, -1)
    return None if value == -1 else _not_negative(value, name=name, field=number)


def _not_negative(value: int, *, name: str, field: str) -> int:
    if value < 0:
        raise ResourceError(name, f"{field} must not be negative, is {value}")
    return value


def _duration_s(fields: Mapping[str, Any], *, name: str, field: str, default_s: float) -> float:
    """Read a duration as Go writes it, such as ``30s`` or ``1m30s``."""
    text = fields.get(field, "")
    if not text:
        return default_s
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ResourceError(name, f'{field} {text!r} is not a duration; write it as in {field} = "30s"')
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


def _outermost(paths: Any) -> tuple[str, ...]:
    """Drop the paths that lie below another one."""
    kept: list[str] = []
    for path in sorted({clean(path) for path in paths}):
        if not any(is_under(path, above) for above in kept):
            kept.append(path)
    return tuple(kept)


def mirrored_prefixes(resources: tuple[Resource, ...]) -> tuple[str, ...]:
    """Return the paths that hold every key some resource may see, none below another."""
    return _outermost(path for resource in resources for path in resource.visible)


def keep_last_good(loaded: Loaded, before: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Return the resources, with those of ``before`` whose files have become wrong still in force."""
    wrong = {problem.resource for problem in loaded.problems}
    taken = {resource.dest for resource in loaded.resources}
    kept = [resource for resource in before if resource.name in wrong and resource.dest not in taken]
    return tuple(sorted([*loaded.resources, *kept], key=lambda resource: resource.name))
