"""confd's resource files: TOML, one ``[template]`` for one file.

The fields are confd's, as its documentation and its active fork have them; names of fields are not
case-sensitive, as in confd.  A field that nobody knows is refused, because a ``reload_cdm`` that is passed
over in silence is a reload that never happens.

What confd's users expect of a failed reload is kept: the new file stays and the reload is tried again.
"""

import grp
import pwd
import tomllib
from typing import Any

from fairlead.render.config import RenderSettings
from fairlead.render.errors import ResourceError
from fairlead.render.paths import join
from fairlead.render.resource.fields import Fields
from fairlead.render.resource.model import (
    WAIT_MAX_FACTOR,
    Check,
    Command,
    FileSpec,
    Reload,
    Resource,
    Wait,
)
from fairlead.render.resource.naming import group_name, outermost

_FIELDS = (
    *("src", "dest", "keys", "prefix", "mode", "uid", "gid", "owner", "group"),
    *("check_cmd", "reload_cmd", "check_cmd_timeout", "reload_cmd_timeout"),
    *("output_format", "min_reload_interval", "debounce"),
)
_FORMATS = ("", "json", "yaml", "yml", "toml", "xml")


def parse_confd(text: str, *, name: str, settings: RenderSettings) -> Resource:
    """Read one resource.

    Args:
        text: the TOML.
        name: the file, relative to the configuration directory.
        settings: the global prefix and the default timeouts.

    Raises:
        ResourceError: it is not TOML, a field is missing, unknown or of the wrong kind.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ResourceError(name, f"is not TOML: {error}") from error
    fields = Fields(_template(document, name=name), name=name, known=_FIELDS)
    root = join(settings.root, fields.text("prefix"))
    limits = settings.limits
    check = _command(
        fields, "check_cmd", timeout_s=fields.timeout_s("check_cmd_timeout", limits.check_timeout_s)
    )
    reload = _command(
        fields, "reload_cmd", timeout_s=fields.timeout_s("reload_cmd_timeout", limits.reload_timeout_s)
    )
    return Resource(
        name=name,
        group=group_name(name),
        files=(_file(fields),),
        root=root,
        visible=outermost(join(root, key) for key in fields.texts("keys") or ("/",)),
        check=None if check is None else Check(command=check),
        reload=None
        if reload is None
        else Reload(command=reload, min_interval_s=fields.duration_s("min_reload_interval", 0.0)),
        wait=_wait(fields),
        on_failure="retry",
    )


def _template(document: dict[str, Any], *, name: str) -> dict[str, Any]:
    """Return the ``[template]`` table, names in lower case."""
    tables = {key.lower(): value for key, value in document.items()}
    table = tables.pop("template", None)
    if isinstance(table, list):
        raise ResourceError(name, "holds several [[template]] tables; write one file for each")
    if not isinstance(table, dict):
        raise ResourceError(name, "has no [template] table")
    if tables:
        raise ResourceError(name, f"[{next(iter(tables))}] is unknown; a resource is one [template] table")
    return {key.lower(): value for key, value in table.items()}


def _file(fields: Fields) -> FileSpec:
    return FileSpec(
        src=fields.template_path("src", example='src = "..." under [template]'),
        dest=fields.required("dest", 'dest = "..." under [template]'),
        mode=fields.mode("mode"),
        uid=fields.account(number="uid", word="owner", look_up=lambda who: pwd.getpwnam(who).pw_uid),
        gid=fields.account(number="gid", word="group", look_up=lambda who: grp.getgrnam(who).gr_gid),
        format=fields.choice("output_format", _FORMATS, "").replace("yml", "yaml"),
    )


def _wait(fields: Fields) -> Wait:
    """Read the fork's ``debounce``; keys that never rest do not put a change off for ever."""
    debounce_s = fields.duration_s("debounce", 0.0)
    return Wait(min_s=debounce_s, max_s=debounce_s * WAIT_MAX_FACTOR)


def _command(fields: Fields, field: str, *, timeout_s: float) -> Command | None:
    shell = fields.text(field)
    return Command(shell=shell, timeout_s=timeout_s) if shell else None
