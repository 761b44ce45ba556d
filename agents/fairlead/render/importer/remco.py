"""remco's ``config`` and ``resource.d``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairlead.render.importer.findings import ImportedTree, line_of
from fairlead.render.importer.pongo2 import translate_pongo2
from fairlead.render.importer.reading import read_toml, shell_command
from fairlead.render.importer.yamlfile import yaml_file
from fairlead.render.view import to_bytes, to_text

_CONFIG_NAMES = ("config", "config.toml", "remco.toml")
_TEMPLATE_FIELDS = frozenset(
    {"src", "dst", "check_cmd", "reload_cmd", "mode", "uid", "gid", "make_directories"}
)
_BACKEND_FIELDS = frozenset(
    {"keys", "prefix", "watch", "interval", "onetime", "nodes", "version", "watchkeys"}
)
_RESOURCE_FIELDS = frozenset({"name", "template", "backend", "exec", "reload_cmd", "start_cmd"})


def _config(source: Path) -> Path | None:
    if source.is_file():
        return source
    return next((source / name for name in _CONFIG_NAMES if (source / name).is_file()), None)


def is_remco(source: Path) -> bool:
    """Whether the folder, or the file, is remco's."""
    return _config(source) is not None


def import_remco(source: Path, tree: ImportedTree) -> None:
    """Translate the configuration and the resources that it includes."""
    config = _config(source)
    assert config is not None, "is_remco was asked"
    root = config.parent
    read = read_toml(config, config.name, tree)
    if read is None:
        return
    text, document = read
    for resource in document.get("resource", []):
        _Resource(config.name, text, root, tree).convert(resource)
    include = document.get("include_dir", "")
    directory = (
        root / Path(include).name
        if include and not Path(include).is_dir()
        else Path(include or root / "resource.d")
    )
    for path in sorted(directory.glob("*.toml")):
        name = f"{directory.name}/{path.name}"
        if (included := read_toml(path, name, tree)) is not None:
            _Resource(name, included[0], root, tree).convert(included[1] | {"name": path.stem})
    for key in document:
        if key not in {"resource", "include_dir", "log_level", "log_format", "log_file", "pid_file"}:
            tree.find(config.name, line_of(text, key), f"{key} is not translated")


class _Resource:
    """One resource: its templates become the files of one group."""

    def __init__(self, path: str, text: str, root: Path, tree: ImportedTree) -> None:
        self._path = path
        self._text = text
        self._root = root
        self._tree = tree

    def convert(self, resource: Mapping[str, Any]) -> None:
        """Put the YAML resource and its templates into the tree."""
        name = str(resource.get("name", "resource"))
        backends = resource.get("backend", {})
        keys, prefix = self._keys(backends)
        templates = [
            {key.lower(): value for key, value in item.items()} for item in resource.get("template", [])
        ]
        checks = [check for item in templates if (check := self._shell(item, "check_cmd"))]
        reloads = [
            reload
            for item in templates
            if (reload := self._shell(item, "reload_cmd", dest=str(item.get("dst", ""))))
        ]
        if own := self._shell(resource, "reload_cmd"):
            reloads.append(own)
        if len(checks) > 1 or (checks and len(templates) > 1):
            self._find(
                "check_cmd",
                "a group has one check, with {{ src }} as its first file; split the resource, or check all at once",
            )
        fields = {
            "group": name,
            "prefix": prefix,
            "keys": keys,
            "files": [self._file(item) for item in templates],
            "check": {"shell": checks[0]} if checks else None,
            "reload": {"shell": " && ".join(dict.fromkeys(reloads))} if reloads else None,
            "exec": self._exec(resource.get("exec")),
            "on_failure": "retry",
        }
        if resource.get("start_cmd"):
            self._find("start_cmd", "start_cmd is not translated: a reload runs after the first change too")
        for key in resource:
            if key not in _RESOURCE_FIELDS:
                self._find(key, f"{key} is not translated")
        self._tree.files[f"conf.d/{name}.yaml"] = yaml_file(
            fields, comment=f"Imported from remco's {self._path}."
        )

    def _find(self, field: str, text: str) -> None:
        self._tree.find(self._path, line_of(self._text, field), text)

    def _shell(self, fields: Mapping[str, Any], field: str, *, dest: str = "") -> str:
        text = (
            str(fields.get(field, ""))
            .replace("{{.dst}}", dest or "{{.dest}}")
            .replace("{{ .dst }}", dest or "{{.dest}}")
        )
        return (
            shell_command(text, name=self._path, line=line_of(self._text, field), tree=self._tree)
            if text
            else ""
        )

    def _keys(self, backends: Mapping[str, Any]) -> tuple[list[str], str]:
        keys: list[str] = []
        prefix = ""
        for kind, backend in backends.items():
            fields = {key.lower(): value for key, value in backend.items()}
            keys += [key for key in fields.get("keys", []) if key not in keys]
            prefix = str(fields.get("prefix", prefix))
            if kind != "etcd" or str(fields.get("version", "3")) == "2":
                self._find(kind, f"backend {kind} is not read; copy its keys to the store")
            if fields.get("watchkeys"):
                self._find(
                    "watchKeys", "watchKeys is not translated: what a template reads is what is watched"
                )
            for key in fields:
                if key not in _BACKEND_FIELDS:
                    self._find(
                        key, f"{key} of backend {kind} is not translated; see fairlead render run --help"
                    )
        return keys, prefix

    def _file(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        src = str(fields.get("src", ""))
        new = f"{Path(src).name.removesuffix('.tmpl')}.j2"
        self._template(src, new)
        found: dict[str, Any] = {"src": new, "dest": fields.get("dst", "")}
        found |= {name: fields[name] for name in ("mode", "uid", "gid") if name in fields}
        if fields.get("make_directories"):
            found["make_dirs"] = True
        for key in fields:
            if key not in _TEMPLATE_FIELDS:
                self._find(key, f"{key} is not translated")
        return found

    def _template(self, src: str, new: str) -> None:
        beside = self._root / "templates" / Path(src).name
        path = beside if beside.is_file() else Path(src)
        name = f"templates/{path.name}"
        if not path.is_file():
            self._find("src", f"there is no template {src}")
            return
        text = translate_pongo2(
            to_text(path.read_bytes()), complain=lambda line, problem: self._tree.find(name, line, problem)
        )
        self._tree.files[f"templates/{new}"] = to_bytes(text)

    def _exec(self, fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if not fields:
            return None
        child: dict[str, Any] = {"cmd": ["/bin/sh", "-c", f"exec {fields.get('command', '')}"]}
        if fields.get("kill_signal"):
            child["stop_signal"] = str(fields["kill_signal"]).removeprefix("SIG")
        if fields.get("kill_timeout"):
            child["stop_timeout"] = f"{fields['kill_timeout']}s"
        for key in fields:
            if key not in {"command", "kill_signal", "kill_timeout"}:
                self._find(key, f"{key} of exec is not translated")
        return child
