"""confd's command line: its flags, its environment and its ``confd.toml``, turned into flags of ours.

    confd -onetime -backend etcdv3 -node http://10.0.0.1:2379 -config-file /etc/confd/confd.toml

becomes, with ``fairlead render`` in the place of ``confd``, the same run.  A flag wins over the environment, and that
over the file.  What has no place here is refused by name.
Source: confd, ``docs/command-line-flags.md`` and ``docs/configuration-guide.md``.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairlead.agent import ConfigError, OptionError
from fairlead.render.importer import settings_from, untranslated

_FLAGS: Mapping[str, tuple[str, type]] = {
    "auth-token": ("auth_token", str), "auth-type": ("auth_type", str), "backend": ("backend", str),
    "basic-auth": ("basic_auth", bool), "client-ca-keys": ("client_cakeys", str), "client-cert": ("client_cert", str),
    "client-insecure": ("client_insecure", bool), "client-key": ("client_key", str), "confdir": ("confdir", str),
    "config-file": ("config-file", str), "file": ("file", list), "filter": ("filter", str),
    "interval": ("interval", float), "keep-stage-file": ("keep-stage-file", bool), "log-level": ("log-level", str),
    "node": ("nodes", list), "noop": ("noop", bool), "onetime": ("onetime", bool), "password": ("password", str),
    "prefix": ("prefix", str), "scheme": ("scheme", str), "srv-domain": ("srv_domain", str),
    "srv-record": ("srv_record", str), "sync-only": ("sync-only", bool), "username": ("username", str),
    "watch": ("watch", bool),
}  # fmt: skip
"""confd's flags: the field of ``confd.toml``, and what kind of value."""

_SHARED = frozenset(
    {"confdir", "interval", "keep-stage-file", "log-level", "noop", "onetime", "prefix", "sync-only", "watch"}
)
"""Flags that are ours too: with two hyphens they need no translation."""

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def translate_arguments(args: Sequence[str], *, environ: Mapping[str, str]) -> list[str]:
    """Return the arguments of ``run``, as they are where nothing of confd's is among them.

    Raises:
        OptionError: a value is of the wrong kind, or a flag has no place here.
        ConfigError: the file cannot be read, or something has no place here.
    """
    given, rest, is_confd = _split(args)
    found = _environment(environ)
    is_confd = is_confd or given.get("log-level") in {"warn", "panic"}
    if not is_confd and not found:
        return list(args)
    path = given.pop("config-file", found.pop("config-file", None))
    fields = {**(_file(Path(path)) if path else {}), **found, **given}
    for field, problem in untranslated(fields):
        kind = OptionError if field in given else ConfigError
        raise kind(f"confd's {problem}", "see fairlead render run --help for what there is")
    settings = settings_from(fields)
    if fields.get("confdir"):
        settings["confdir"] = fields["confdir"]
    flags: list[str] = []
    for name, value in settings.items():
        flags += (
            [f"--{name}"]
            if value is True
            else [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
        )
    return [*flags, *rest]


def _split(args: Sequence[str]) -> tuple[dict[str, Any], list[str], bool]:
    """Return confd's fields, the other arguments, and whether one is confd's alone."""
    given: dict[str, Any] = {}
    rest: list[str] = []
    is_confd = False
    waiting = list(args)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in _FLAGS:
            rest.append(word)
            continue
        field, kind = _FLAGS[name]
        is_confd = (
            is_confd or name not in _SHARED or not word.startswith("--") or (kind is bool and equals == "=")
        )
        # As in Go, a flag that is true or false takes its value behind an equals sign alone.
        if kind is not bool and not equals:
            if not waiting:
                raise OptionError(f"flag {word} needs a value", f"write {word}=VALUE")
            value = waiting.pop(0)
        if kind is bool and not equals:
            value = "true"
        _put(given, field, _value(word.partition("=")[0], value, kind=kind))
    return given, rest, is_confd


def _put(fields: dict[str, Any], field: str, value: Any) -> None:
    if isinstance(value, list):
        fields[field] = [*fields.get(field, []), *value]
    else:
        fields[field] = value


def _value(flag: str, text: str, *, kind: type) -> Any:
    if kind is list:
        return text.split(",")
    if kind is bool:
        if text not in _TRUE | _FALSE:
            raise OptionError(f"{flag} is true or false, not {text!r}", f"write {flag}=true")
        return text in _TRUE
    try:
        return kind(text)
    except ValueError:
        raise OptionError(f"{flag} takes a number, not {text!r}", f"write {flag} 600") from None


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that ``CONFD_<FLAG>`` sets; upstream spells one of them otherwise."""
    found: dict[str, Any] = {}
    for name, (field, kind) in _FLAGS.items():
        for variable in {
            f"CONFD_{name.upper().replace('-', '_')}",
            f"CONFD_{field.upper().replace('-', '_')}",
        }:
            if text := environ.get(variable):
                found[field] = _value(variable, text, kind=kind)
    return found


def _file(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "check --config-file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", "check --config-file") from error
    return {key.lower(): value for key, value in document.items()}
