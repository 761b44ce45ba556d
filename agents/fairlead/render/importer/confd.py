"""confd's ``conf.d/**/*.toml``, ``templates/`` and ``confd.toml``."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fairlead.render.gotemplate import GoTemplateError, translate
from fairlead.render.importer.findings import ImportedTree, line_of
from fairlead.render.importer.reading import read_toml, shell_command
from fairlead.render.importer.settings import settings_of
from fairlead.render.importer.yamlfile import yaml_file
from fairlead.render.view import to_bytes, to_text

_SUFFIXES = (".tmpl", ".tpl", ".gotmpl", ".template")


def import_confd(source: Path, tree: ImportedTree) -> None:
    """Translate the tree below ``source``."""
    templates = template_names(source / "templates")
    for path in sorted((source / "conf.d").rglob("*.toml")):
        _Resource(path, source, tree, templates).convert(global_prefix=_global_prefix(source))
    for old, new in templates.items():
        _template(source, old, new, tree, rename=lambda name: templates.get(name, name))
    settings_of(source / "confd.toml", tree)


def template_names(directory: Path) -> dict[str, str]:
    """Return the new name of each template: ``app.conf.tmpl`` becomes ``app.conf.j2``."""
    olds = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    names: dict[str, str] = {}
    for old in olds:
        stem = next((old.removesuffix(suffix) for suffix in _SUFFIXES if old.endswith(suffix)), old)
        new = f"{stem}.j2"
        names[old] = new if new not in names.values() else f"{old}.j2"
    return names


def _global_prefix(source: Path) -> str:
    try:
        prefix = tomllib.loads((source / "confd.toml").read_text(encoding="utf-8")).get("prefix", "")
    except (OSError, ValueError):
        return ""
    return prefix if isinstance(prefix, str) else ""


def _template(source: Path, old: str, new: str, tree: ImportedTree, *, rename: Callable[[str], str]) -> None:
    name = f"templates/{old}"
    try:
        translation = translate(to_text((source / name).read_bytes()), rename=rename)
    except GoTemplateError as error:
        tree.find(name, error.line, f"is no Go template: {error.problem}")
        return
    for problem in translation.problems:
        tree.find(name, problem.line, problem.text)
    tree.files[f"templates/{new}"] = to_bytes(translation.text)


class _Resource:
    """One ``[template]``."""

    def __init__(self, path: Path, source: Path, tree: ImportedTree, templates: Mapping[str, str]) -> None:
        self._path = path
        self._name = str(path.relative_to(source))
        self._tree = tree
        self._templates = templates
        self._text = ""

    def convert(self, *, global_prefix: str) -> None:
        """Put the YAML resource into the tree."""
        read = read_toml(self._path, self._name, self._tree)
        if read is None:
            return
        self._text, document = read
        tables = {key.lower(): value for key, value in document.items()}
        table = tables.pop("template", None)
        if not isinstance(table, dict):
            self._tree.find(self._name, 0, "has no [template] table")
            return
        for key in tables:
            hint = "; all keys come from the one store: copy them there" if key == "backend" else ""
            self._find(key, f"[{key}] is not translated{hint}")
        fields = {key.lower(): value for key, value in table.items()}
        prefix = str(fields.pop("prefix", ""))
        if global_prefix and prefix:
            self._find(
                "prefix",
                f"left out: confd's global prefix {global_prefix} takes its place (its fork joins both)",
            )
            prefix = ""
        resource = {
            "group": str(Path(self._name).relative_to("conf.d").with_suffix("")),
            "prefix": prefix,
            "keys": fields.pop("keys", []),
            "files": [self._file(fields)],
            "check": self._command(fields, "check_cmd"),
            "reload": self._reload(fields),
            "wait": {"min": fields.pop("debounce")} if fields.get("debounce") else None,
            # What confd does: the new file stays.  Write rollback to have the old one back.
            "on_failure": "retry",
        }
        for field in fields:
            self._find(field, f"field {field} is not translated")
        path = Path(self._name).with_suffix(".yaml")
        self._tree.files[str(path)] = yaml_file(resource, comment=f"Imported from confd's {self._name}.")

    def _find(self, field: str, text: str) -> None:
        self._tree.find(self._name, line_of(self._text, field), text)

    def _file(self, fields: dict[str, Any]) -> dict[str, Any]:
        src = str(fields.pop("src", ""))
        if src not in self._templates:
            self._find("src", f"there is no template {src or '(src is missing)'} under templates/")
        found: dict[str, Any] = {"src": self._templates.get(src, src), "dest": fields.pop("dest", "")}
        if fields.get("mode"):
            found["mode"] = fields["mode"]
        for number, word in (("uid", "owner"), ("gid", "group")):
            value, name = fields.pop(number, -1), fields.pop(word, "")
            if name:
                found[word] = name
            elif value != -1:
                found[number] = value
        if output_format := fields.pop("output_format", ""):
            found["format"] = output_format
        fields.pop("mode", None)
        return found

    def _command(self, fields: dict[str, Any], field: str) -> dict[str, Any] | None:
        text, timeout = str(fields.pop(field, "")), fields.pop(f"{field}_timeout", "")
        if not text:
            return None
        line = line_of(self._text, field)
        command = {"shell": shell_command(text, name=self._name, line=line, tree=self._tree)}
        return command | ({"timeout": timeout} if timeout else {})

    def _reload(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        interval = fields.pop("min_reload_interval", "")
        command = self._command(fields, "reload_cmd")
        if command is not None and interval:
            command["min_interval"] = interval
        return command
