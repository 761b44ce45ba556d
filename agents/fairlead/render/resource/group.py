"""Resource files in YAML: a group of files that check, swap, reload and roll back as one.

    group: nginx
    files:
      - {src: nginx.conf.j2, dest: /etc/nginx/nginx.conf}
      - {src: vhost.j2, foreach: "lsdir('/sites')", dest: "/etc/nginx/conf.d/{{ item }}.conf", prune: true}
    prefix: /prod/web
    guards: {"gets('/up/*')": {min: 1, max_drop: 50%}}
    check: {cmd: [nginx, -t, -q], in_place: true, timeout: 10s}
    reload: {unit: nginx, timeout: 30s, min_interval: 5s}
    verify: [{http: "http://127.0.0.1/healthz", expect: 200, within: 10s}]
    wait: {min: 1s, max: 10s}
    rollout: {group: web, max: 1, canary: [web1], soak: 60s}

Commands are lists; a shell is asked for by ``shell``.  What a field means is said in ``model``.
"""

import grp
import pwd
import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from fairlead.render.config import RenderSettings
from fairlead.render.errors import ResourceError
from fairlead.render.paths import join
from fairlead.render.presets import expand_preset
from fairlead.render.resource.fields import Fields
from fairlead.render.resource.model import (
    WAIT_MAX_FACTOR,
    Check,
    Child,
    Command,
    Delimiters,
    FileSpec,
    Guard,
    Reload,
    Resource,
    Rollout,
    Wait,
)
from fairlead.render.resource.naming import group_name, outermost
from fairlead.render.resource.probes import PROBE_FIELDS, parse_verify

_FIELDS = (
    *("group", "app", "files", "prefix", "keys", "guards", "check", "reload", "verify", "wait", "rollout"),
    *("exec", "delimiters", "on_failure", "on_first_failure"),
)
_FILE_FIELDS = (
    *("src", "dest", "mode", "uid", "gid", "owner", "group", "foreach", "prune", "make_dirs"),
    *("format", "schema"),
)
_FORMATS = ("", "json", "yaml", "toml", "ini", "xml")
_UNIT_ACTIONS = ("reload", "restart", "reload-or-restart", "try-reload-or-restart", "try-restart")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def parse_group(text: str, *, name: str, settings: RenderSettings) -> Resource:
    """Read one resource.

    Args:
        text: the YAML.
        name: the file, relative to the configuration directory.
        settings: the global prefix and the default timeouts.

    Raises:
        ResourceError: it is not YAML, a field is missing, unknown or of the wrong kind.
    """
    document = _document(text, name=name)
    app = document.get("app", "")
    if app:
        document = expand_preset(document, name=name)
    fields = Fields(document, name=name, known=_FIELDS)
    root = join(settings.root, fields.text("prefix"))
    reader = _Reader(fields, settings)
    return Resource(
        name=name,
        group=reader.group(),
        files=reader.files(),
        root=root,
        visible=outermost(join(root, key) for key in fields.texts("keys") or ("/",)),
        guards=reader.guards(),
        check=reader.check(),
        reload=reader.reload(),
        verify=tuple(parse_verify(probe, settings) for probe in fields.maps("verify", PROBE_FIELDS)),
        wait=reader.wait(),
        rollout=reader.rollout(),
        child=reader.child(),
        delimiters=reader.delimiters(),
        on_failure="retry"
        if fields.choice("on_failure", ("rollback", "retry"), "rollback") == "retry"
        else "rollback",
        remove_on_first_failure=fields.choice("on_first_failure", ("keep", "remove"), "keep") == "remove",
        app=fields.text("app"),
    )


def _document(text: str, *, name: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = "" if mark is None else f"line {mark.line + 1}: "
        problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)
        raise ResourceError(name, f"is not YAML: {where}{problem}") from error
    if not isinstance(document, dict):
        raise ResourceError(name, "holds no resource; write files: [{src: ..., dest: ...}]")
    return document


class _Reader:
    """Reads one field after the other of one document."""

    def __init__(self, fields: Fields, settings: RenderSettings) -> None:
        self._fields = fields
        self._limits = settings.limits

    def group(self) -> str:
        group = self._fields.text("group") or group_name(self._fields.name)
        if not _GROUP.fullmatch(group):
            raise self._fields.error(f"group {group!r} must be letters, digits and . _ - /")
        return group

    def files(self) -> tuple[FileSpec, ...]:
        files = self._fields.maps("files", _FILE_FIELDS)
        if not files:
            raise self._fields.error("files is missing; write files: [{src: ..., dest: ...}]")
        return tuple(self._file(file) for file in files)

    @staticmethod
    def _file(file: Fields) -> FileSpec:
        dest = file.required("dest", "dest: /etc/...")
        if not PurePosixPath(dest).is_absolute():
            raise file.error(f"{file.where}dest {dest} must be an absolute path")
        foreach = file.text("foreach")
        if not foreach and ("{{" in dest or "prune" in file):
            raise file.error(f"{file.where}dest with {{{{ }}}}, and prune, go with foreach only")
        return FileSpec(
            src=file.template_path("src", example="src: NAME.j2"),
            dest=dest,
            mode=file.mode("mode"),
            uid=file.account(number="uid", word="owner", look_up=lambda who: pwd.getpwnam(who).pw_uid),
            gid=file.account(number="gid", word="group", look_up=lambda who: grp.getgrnam(who).gr_gid),
            foreach=foreach,
            prune=file.flag("prune"),
            make_dirs=file.flag("make_dirs"),
            format=file.choice("format", _FORMATS, ""),
            schema=file.template_path("schema", example="schema: NAME.json") if "schema" in file else "",
        )

    def guards(self) -> tuple[Guard, ...]:
        expressions = self._fields.values.get("guards")
        if expressions is None:
            return ()
        # The names are expressions here, so that none of them is unknown.
        guards = Fields(expressions, name=self._fields.name, known=map(str, expressions), where="guards.")
        return tuple(self._guard(guards, expression) for expression in guards.values)

    @staticmethod
    def _guard(guards: Fields, expression: str) -> Guard:
        bounds = guards.map(expression, ("min", "max", "max_drop", "not_empty"))
        if bounds is None or not bounds.values:
            raise guards.error(f"guards.{expression} says nothing; write {{min: 1}}")
        return Guard(
            expression=expression,
            min=bounds.whole("min") if "min" in bounds else None,
            max=bounds.whole("max") if "max" in bounds else None,
            max_drop=bounds.share("max_drop"),
            not_empty=bounds.flag("not_empty"),
        )

    def check(self) -> Check | None:
        check = self._fields.map("check", ("cmd", "shell", "in_place", "timeout"))
        if check is None:
            return None
        command = parse_command(check, default_timeout_s=self._limits.check_timeout_s)
        return Check(command=command, in_place=check.flag("in_place"))

    def reload(self) -> Reload | None:
        known = ("cmd", "shell", "unit", "action", "signal", "pidfile", "timeout", "min_interval")
        reload = self._fields.map("reload", known)
        if reload is None:
            return None
        min_interval_s = reload.duration_s("min_interval", 0.0)
        if "signal" in reload:
            if "pidfile" not in reload and "exec" not in self._fields:
                raise reload.error("reload.signal needs reload.pidfile, or exec: the signal goes to nobody")
            return Reload(
                signal=reload.signal("signal"), pidfile=reload.text("pidfile"), min_interval_s=min_interval_s
            )
        return Reload(command=self._reload_command(reload), min_interval_s=min_interval_s)

    def _reload_command(self, reload: Fields) -> Command:
        timeout_s = self._limits.reload_timeout_s
        unit = reload.text("unit")
        if not unit:
            return parse_command(reload, default_timeout_s=timeout_s)
        action = reload.choice("action", _UNIT_ACTIONS, "reload-or-restart")
        return Command(argv=("systemctl", action, unit), timeout_s=reload.timeout_s("timeout", timeout_s))

    def wait(self) -> Wait:
        wait = self._fields.map("wait", ("min", "max"))
        if wait is None:
            return Wait()
        min_s = wait.duration_s("min", 0.0)
        max_s = wait.duration_s("max", min_s * WAIT_MAX_FACTOR)
        if max_s < min_s:
            raise wait.error("wait.max must not be less than wait.min")
        return Wait(min_s=min_s, max_s=max_s)

    def rollout(self) -> Rollout | None:
        rollout = self._fields.map("rollout", ("group", "max", "canary", "soak", "on_failure"))
        if rollout is None:
            return None
        rollout.choice("on_failure", ("halt",), "halt")
        return Rollout(
            group=rollout.required("group", "rollout: {group: NAME}"),
            max=rollout.whole("max", 1, least=1),
            canary=rollout.texts("canary"),
            soak_s=rollout.duration_s("soak", 0.0),
        )

    def child(self) -> Child | None:
        child = self._fields.map("exec", ("cmd", "stop_signal", "stop_timeout", "restart_min", "restart_max"))
        if child is None:
            return None
        argv = child.texts("cmd")
        if not argv:
            raise child.error("exec.cmd is missing; write exec: {cmd: [PROGRAM, ARGUMENT]}")
        restart_min_s = child.timeout_s("restart_min", 1.0)
        return Child(
            argv=argv,
            stop_signal=child.signal("stop_signal", "TERM"),
            stop_timeout_s=child.timeout_s("stop_timeout", 30.0),
            restart_min_s=restart_min_s,
            restart_max_s=max(restart_min_s, child.timeout_s("restart_max", 60.0)),
        )

    def delimiters(self) -> Delimiters:
        marks = self._fields.map("delimiters", ("variable", "block", "comment"))
        if marks is None:
            return Delimiters()
        given: dict[str, tuple[str, str]] = {}
        for kind in marks.values:
            pair = marks.texts(kind)
            if len(pair) != 2 or not all(pair):
                raise marks.error(f'delimiters.{kind} must be two texts, such as ["<<", ">>"]')
            given[kind] = (pair[0], pair[1])
        return Delimiters(**given)


def parse_command(fields: Fields, *, default_timeout_s: float) -> Command:
    """Read ``cmd`` or ``shell``, and ``timeout``.

    Raises:
        ResourceError: there is neither, or there are both.
    """
    argv, shell = fields.texts("cmd"), fields.text("shell")
    if bool(argv) == bool(shell):
        raise fields.error(
            f"{fields.where}cmd must be a list [PROGRAM, ARGUMENT], or write {fields.where}shell"
        )
    return Command(argv=argv, shell=shell, timeout_s=fields.timeout_s("timeout", default_timeout_s))
