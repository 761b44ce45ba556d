"""A configuration directory that a test fills."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairlead.render.config import Limits, RenderSettings
from fairlead.render.errors import RenderError
from fairlead.render.rendered import Rendered, RenderedFile
from fairlead.render.resource import Resource, parse_confd
from fairlead.render.view import Dependencies

LIMITS = Limits(check_timeout_s=20.0, reload_timeout_s=20.0, kill_grace_s=0.2, retry_min_s=0.05)


@dataclass(frozen=True)
class ConfDir:
    """``conf.d``, ``templates`` and a place for destinations, below one folder."""

    path: Path

    def __post_init__(self) -> None:
        for name in ("conf.d", "templates", "out"):
            (self.path / name).mkdir()

    @property
    def out(self) -> Path:
        return self.path / "out"

    def settings(self, **changes: object) -> RenderSettings:
        return RenderSettings(**{"confdir": self.path, "limits": LIMITS, **changes})  # type: ignore[arg-type]

    def template(self, name: str, text: str) -> None:
        (self.path / "templates" / name).write_text(text)

    def resource(self, name: str, *lines: str, **fields: str) -> None:
        """Write a resource whose template and destination are named after it."""
        given = {"src": f"{name}.j2", "dest": str(self.out / f"{name}.conf"), **fields}
        texts = [f"{field} = '''{value}'''" for field, value in given.items()]
        (self.path / "conf.d" / f"{name}.toml").write_text("\n".join(["[template]", *texts, *lines]))

    def dest(self, name: str) -> Path:
        return self.out / f"{name}.conf"


@pytest.fixture
def confdir(tmp_path: Path) -> ConfDir:
    path = tmp_path / "confd"
    path.mkdir()
    return ConfDir(path)


MakeResource = Callable[..., Resource]


def rendered_as(
    resource: Resource,
    *contents: bytes | None,
    revision: int = 1,
    keys: Iterable[str] = (),
    error: RenderError | None = None,
) -> Rendered:
    """Return what a render gives: one content for each file of the resource, or None and an error."""
    files = tuple(
        RenderedFile(spec=spec, dest=spec.dest, content=content)
        for spec, content in zip(resource.files, contents, strict=False)
        if content is not None
    )
    return Rendered(
        resource=resource,
        revision=revision,
        dependencies=Dependencies(keys=set(keys)),
        files=None if error is not None else files,
        error=error,
    )


@pytest.fixture
def make_resource(confdir: ConfDir) -> MakeResource:
    """Make one resource from fields, with src ``web.j2`` and dest ``web.conf``."""

    def make(**fields: object) -> Resource:
        given = {"src": "web.j2", "dest": str(confdir.dest("web")), **fields}
        lines = [f"{name} = {_toml(value)}" for name, value in given.items()]
        text = "\n".join(["[template]", *lines])
        return parse_confd(text, name="conf.d/web.toml", settings=confdir.settings())

    return make


def _toml(value: object) -> str:
    return f"'''{value}'''" if isinstance(value, str) else str(value)
