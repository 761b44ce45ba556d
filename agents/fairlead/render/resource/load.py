"""Reads ``conf.d``.  One bad file costs only itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fairlead.render.config import RenderSettings
from fairlead.render.errors import ResourceError
from fairlead.render.resource.confd import parse_confd
from fairlead.render.resource.group import parse_group
from fairlead.render.resource.model import Resource
from fairlead.render.resource.naming import outermost

_PARSERS = {".toml": parse_confd, ".yaml": parse_group, ".yml": parse_group}


class Loaded(NamedTuple):
    """What ``conf.d`` holds: the good and the bad, both in the order of their names."""

    resources: tuple[Resource, ...]
    problems: tuple[ResourceError, ...]


def load_resources(settings: RenderSettings) -> Loaded:
    """Read ``conf.d/**/*.toml``, ``*.yaml`` and ``*.yml``.

    Two resources with one name or one destination are a problem of the later one.
    """
    resources: list[Resource] = []
    problems: list[ResourceError] = []
    taken: dict[str, str] = {}
    for path in sorted(path for path in settings.resource_dir.rglob("*") if path.suffix in _PARSERS):
        name = str(path.relative_to(settings.confdir))
        try:
            resource = _PARSERS[path.suffix](_read(name, path), name=name, settings=settings)
            claims = _claims(resource)
            _refuse_taken(resource, claims, taken)
        except ResourceError as error:
            problems.append(error)
            continue
        if len(resources) >= settings.limits.resources_max:
            problems.append(ResourceError(name, f"more than {settings.limits.resources_max} resources"))
            break
        taken |= dict.fromkeys(claims, name)
        resources.append(resource)
    return Loaded(tuple(resources), tuple(problems))


def _claims(resource: Resource) -> list[str]:
    """What no other resource may have: the name, and each destination that is known before rendering."""
    return [f"group {resource.group}", *(f"dest {file.dest}" for file in resource.files)]


def _refuse_taken(resource: Resource, claims: list[str], taken: Mapping[str, str]) -> None:
    for claim in claims:
        if (earlier := taken.get(claim)) is not None:
            verb = "is written by" if claim.startswith("dest ") else "is the name of"
            raise ResourceError(resource.name, f"{claim} {verb} {earlier} already")
    if len(set(claims)) < len(claims):
        twice = next(claim for claim in claims if claims.count(claim) > 1)
        raise ResourceError(resource.name, f"{twice} stands twice among its files")


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResourceError(name, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ResourceError(name, "is not UTF-8") from error


def mirrored_prefixes(resources: tuple[Resource, ...]) -> tuple[str, ...]:
    """Return the paths that hold every key some resource may see, none below another."""
    return outermost(path for resource in resources for path in resource.visible)


def keep_last_good(loaded: Loaded, before: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """Return the resources, with those of ``before`` whose files have become wrong still in force."""
    wrong = {problem.resource for problem in loaded.problems}
    taken = {claim for resource in loaded.resources for claim in _claims(resource)}
    kept = [resource for resource in before if resource.name in wrong and taken.isdisjoint(_claims(resource))]
    return tuple(sorted([*loaded.resources, *kept], key=lambda resource: resource.name))
