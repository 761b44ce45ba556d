"""The flags of ``fairlead store``: etcd's, one row each.

A flag is given as etcd takes it (``--name m1``, ``--name=m1``, one dash or two), as an environment variable
(``FAIRLEAD_NAME``) or as a key of ``--config-file``; the command line wins over the environment, the
environment over the file.  A flag of etcd's that means nothing here is taken with a warning; one that etcd
does not have is refused.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from fairlead.api.errors import ConfigError, UsageError

ENV_PREFIX = "FAIRLEAD_"


class Kind(Enum):
    """How a flag's text is read."""

    TEXT = "text"
    NUMBER = "a whole number"
    SWITCH = "true or false"
    MILLIS = "milliseconds, or a duration such as 10ms"
    DURATION = "a duration such as 5m, 30s or 100ms"


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its name, how it is read, its default, and what it does (None: nothing here)."""

    name: str
    kind: Kind
    default: Any
    meaning: str | None


T, N, S, M, D = Kind.TEXT, Kind.NUMBER, Kind.SWITCH, Kind.MILLIS, Kind.DURATION

FLAGS: tuple[Flag, ...] = (
    Flag("name", T, "default", "name of this member"),
    Flag("data-dir", T, "", "where the member keeps its data (NAME.fairlead)"),
    Flag("config-file", T, "", "YAML file with these same names as keys"),
    Flag("listen-client-urls", T, "http://localhost:2379", "where clients are served"),
    Flag("advertise-client-urls", T, "", "what clients are told (the listen URLs)"),
    Flag("listen-peer-urls", T, "", "where other members are served (of several: http://localhost:2380; alone: nowhere)"),
    Flag("initial-advertise-peer-urls", T, "", "where they reach this one (as --initial-cluster, or the listen URLs)"),
    Flag("initial-cluster", T, "", "members at the beginning: NAME=URL[,NAME=URL]"),
    Flag("initial-cluster-state", T, "new", "new, or existing to join"),
    Flag("initial-cluster-token", T, "etcd-cluster", "tells clusters with the same URLs apart"),
    Flag("force-new-cluster", S, False, "go on as the only member, with all data: after the majority is lost for good"),
    Flag("strict-reconfig-check", S, True, "refuse changes of the members that could cost the majority"),
    Flag("max-learners", N, 1, "most learners at a time"),
    Flag("peer-cert-file", T, "", "TLS certificate between members, for both directions"),
    Flag("peer-key-file", T, "", "its key"),
    Flag("peer-trusted-ca-file", T, "", "authority that signs members' certificates"),
    Flag("peer-client-cert-auth", S, False, "demand a certificate from every member"),
    Flag("peer-auto-tls", S, False, "make a certificate that nobody signed, and believe those of other members"),
    Flag("cert-file", T, "", "TLS certificate for clients"),
    Flag("key-file", T, "", "its key"),
    Flag("trusted-ca-file", T, "", "authority that signs clients' certificates"),
    Flag("client-cert-auth", S, False, "demand a certificate from every client"),
    Flag("auto-tls", S, False, "make a certificate for clients that nobody signed"),
    Flag("self-signed-cert-validity", N, 1, "years that such certificates live"),
    Flag("quota-backend-bytes", N, 0, "size limit of the database (0: 2 GiB, negative: none)"),
    Flag("max-request-bytes", N, 1_572_864, "largest request"),
    Flag("max-txn-ops", N, 128, "most operations in one transaction"),
    Flag("max-concurrent-streams", N, 10_000, "most calls at a time on one connection"),
    Flag("heartbeat-interval", M, 100, "milliseconds between heartbeats"),
    Flag("election-timeout", M, 1000, "milliseconds of silence that start an election"),
    Flag("initial-election-tick-advance", S, True, "hold a first election soon after the start"),
    Flag("pre-vote", S, True, "ask before standing for election (always)"),
    Flag("snapshot-count", N, 10_000, "entries after which log segments are let go"),
    Flag("snapshot-catchup-entries", N, 5000, "entries that are kept for members that are behind"),
    Flag("experimental-initial-corrupt-check", S, False, "compare with the other members before serving"),
    Flag("corrupt-check-time", D, "0s", "the leader compares all members this often; 0s: never"),
    Flag("experimental-compact-hash-check-enabled", S, False, "compare what members had at the last compactions"),
    Flag("compact-hash-check-time", D, "1m", "how often the leader does that"),
    Flag("feature-gates", T, "", "InitialCorruptCheck=true, CompactHashCheck=true: newer names of two flags above"),
    Flag("backend-batch-interval", D, "100ms", "the database file follows at least this often"),
    Flag("backend-batch-limit", N, 10_000, "or after this many writes"),
    Flag("auto-compaction-mode", T, "periodic", "periodic or revision"),
    Flag("auto-compaction-retention", T, "0", "what is kept: a duration (a bare number is hours), or revisions; 0 is off"),
    Flag("compaction-batch-limit", N, 1000, "revisions in one slice of a compaction"),
    Flag("compaction-sleep-interval", D, "10ms", "pause between slices"),
    Flag("watch-progress-notify-interval", D, "10m", "how often quiet watches hear of progress"),
    Flag("grpc-keepalive-min-time", D, "5s", "clients may ping this often"),
    Flag("grpc-keepalive-interval", D, "2h", "the server pings after this much silence"),
    Flag("grpc-keepalive-timeout", D, "20s", "and waits this long"),
    Flag("enable-grpc-gateway", S, True, "serve JSON on /v3/"),
    Flag("listen-metrics-urls", T, "", "more addresses for /metrics and /health"),
    Flag("log-level", T, "info", "debug, info, warn or error"),
    Flag("log-format", T, "console", "console or json"),
    *(
        Flag(name, kind, default, None)
        for name, kind, default in (
            ("wal-dir", T, ""), ("max-wals", N, 5), ("max-snapshots", N, 5),
            ("logger", T, "zap"), ("log-outputs", T, "default"), ("metrics", T, "basic"), ("enable-pprof", S, False),
            ("backend-bbolt-freelist-type", T, "map"), ("bootstrap-defrag-threshold-megabytes", N, 0),
            ("warning-apply-duration", D, "100ms"), ("warning-unary-request-duration", D, "300ms"),
            ("cors", T, "*"), ("host-whitelist", T, "*"), ("enable-v2", S, False),
            ("cipher-suites", T, ""), ("tls-min-version", T, "TLS1.2"), ("tls-max-version", T, ""),
            ("auth-token", T, "simple"), ("bcrypt-cost", N, 10), ("auth-token-ttl", N, 300),
            ("enable-distributed-tracing", S, False),
            ("experimental-warning-apply-duration", D, "100ms"),
            ("experimental-enable-lease-checkpoint", S, False),
        )
    ),
)  # fmt: skip
BY_NAME = {flag.name: flag for flag in FLAGS}
ALIASES = {
    "experimental-" + name: name
    for name in (
        "watch-progress-notify-interval", "snapshot-catchup-entries", "max-learners", "corrupt-check-time",
        "compact-hash-check-time",
    )
}  # fmt: skip

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TRUE = {"true", "1", "t", "yes"}
_FALSE = {"false", "0", "f", "no"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said, by flag name, and what deserves a warning."""

    values: Mapping[str, Any]
    warnings: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        """Return the value of a flag."""
        return self.values[name]


def read_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Put command line, environment and file together.

    Raises:
        UsageError: an unknown flag, or one without its value, on the command line.
        ConfigError: a value that cannot be read, or a file that cannot.
    """
    given = _from_argv(argv)
    from_env = {
        flag.name: environ[variable]
        for flag in FLAGS
        if (variable := ENV_PREFIX + flag.name.upper().replace("-", "_")) in environ
    }
    path = given.get("config-file", from_env.get("config-file", ""))
    from_file = _from_file(Path(path)) if path else {}
    said = {**from_file, **from_env, **given}
    values = {flag.name: flag.default for flag in FLAGS}
    values.update({name: _read(BY_NAME[name], text) for name, text in said.items()})
    warnings = tuple(
        f"--{name} means nothing here and is ignored" for name in said if not BY_NAME[name].meaning
    )
    return Settings({name: _settled(BY_NAME[name], value) for name, value in values.items()}, warnings)


def _from_argv(argv: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        if not word.startswith("-"):
            raise UsageError(
                f"unexpected argument {word!r}",
                "flags begin with --; commands are save, restore and status: see fairlead store --help",
            )
        name, has_value, value = word.lstrip("-").partition("=")
        flag = _flag(name)
        if not has_value:
            following = "true" if flag.kind is Kind.SWITCH else next(words, None)
            if following is None or (not following and flag.kind is not Kind.TEXT):
                raise UsageError(
                    f"--{flag.name} needs a value: {flag.kind.value}", "see fairlead store --help"
                )
            value = following
        given[flag.name] = value
    return given


def _flag(name: str) -> Flag:
    name = ALIASES.get(name, name)
    if name not in BY_NAME:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"did you mean --{near[0]}?" if near else "see fairlead store --help"
        raise UsageError(f"unknown flag --{name}", hint)
    return BY_NAME[name]


def _from_file(path: Path) -> dict[str, str]:
    try:
        loaded = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", "check --config-file") from error
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML: {where}", "mend the file") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} holds no settings", "write one 'flag-name: value' a line")
    texts = {}
    for name, value in loaded.items():
        try:
            flag = _flag(str(name))
        except UsageError as error:
            raise ConfigError(f"{path}: {error.message}", error.hint) from None
        is_switch = isinstance(value, bool)
        texts[flag.name] = str(value).lower() if is_switch else str(value)
    return texts


def _read(flag: Flag, text: str) -> Any:
    try:
        return _READ[flag.kind](text.strip())
    except (ValueError, KeyError):
        raise ConfigError(f"--{flag.name}: {text!r} is not {flag.kind.value}", "mend the value") from None


def _settled(flag: Flag, value: Any) -> Any:
    """Read a default that is written as a text."""
    if isinstance(value, str) and flag.kind in {Kind.DURATION, Kind.MILLIS}:
        return _READ[flag.kind](value)
    return value


def _switch(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError(text)


def duration_s(text: str) -> float:
    """Read a Go duration such as ``1h30m`` or ``100ms``; return seconds.

    Raises:
        ValueError, KeyError: it is none.
    """
    total_s, number = 0.0, ""
    unit = ""
    for character in [*text, ""]:
        if unit and not character.isalpha():
            total_s += float(number) * _UNITS_S[unit]
            number = unit = ""
        if character.isalpha() or character == "µ":
            unit += character
        else:
            number += character
    if number and float(number):
        raise ValueError(text)
    return total_s


def _millis(text: str) -> int:
    return int(text) if text.isdigit() else int(duration_s(text) * 1000)


_READ: dict[Kind, Callable[[str], Any]] = {
    Kind.TEXT: str,
    Kind.NUMBER: int,
    Kind.SWITCH: _switch,
    Kind.MILLIS: _millis,
    Kind.DURATION: duration_s,
}


def help_text() -> str:
    """Return the help of ``fairlead store``."""
    rows = [f"  --{flag.name:<34} {flag.meaning} [{flag.default}]" for flag in FLAGS if flag.meaning]
    ignored = ", ".join(flag.name for flag in FLAGS if not flag.meaning)
    return "\n".join(
        [
            "Usage: fairlead store [FLAGS]",
            "",
            "  Run one member of a store.  The flags are etcd's; each is also FAIRLEAD_<FLAG> in the",
            "  environment and a key of --config-file.",
            "",
            *rows,
            "",
            f"  Taken for etcd's sake, without effect: {ignored}.",
        ]
    )
