"""From flags to what a member knows of the others: where they are, how they are trusted, how they are watched."""

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fairlead.api.errors import ConfigError
from fairlead.api.flags import Settings
from fairlead.api.self_signed import SelfSigned
from fairlead.member import is_peer_url
from fairlead.peer import PeerConfigError, PeerTls

_YEARS_MAX = 1000
Cluster = dict[str, tuple[str, ...]]
"""Member name to peer URLs."""

_DEFAULT_URL = "http://localhost:2380"
_EXAMPLE = "http://10.0.0.1:2380"
_CORRUPT_CHECK = "InitialCorruptCheck"
"""What newer versions call ``--experimental-initial-corrupt-check``."""
_COMPACT_CHECK = "CompactHashCheck"
"""...and ``--experimental-compact-hash-check-enabled``."""


def urls(text: str) -> tuple[str, ...]:
    """Take a list of URLs apart."""
    return tuple(url.strip() for url in text.split(",") if url.strip())


def membership(settings: Settings, *, data_dir: Path) -> dict[str, Any]:
    """Return the fields of ``MemberConfig`` that are about the other members.

    Raises:
        ConfigError: the settings do not fit together; says which.
    """
    # As in etcd, what a cluster begins with is of no interest to a member that has begun.
    is_new = not (data_dir / "wal").exists()
    cluster = _initial_cluster(settings, is_new=is_new)
    listen = _peer_urls(settings, "listen-peer-urls")
    if not listen and len(cluster) > 1:
        listen = (_DEFAULT_URL,)
    advertised = _peer_urls(settings, "initial-advertise-peer-urls")
    own = advertised or cluster.get(settings["name"], ()) or listen or (_DEFAULT_URL,)
    if is_new and cluster:
        _check_own_urls(settings["name"], cluster[settings["name"]], own)
    if settings["max-learners"] < 0:
        raise ConfigError("--max-learners is below 0", "0 allows none, 1 is the default")
    return {
        "peer_urls": own,
        "listen_peer_urls": listen,
        "peer_tls": _peer_tls(settings, self_signed_peer(settings, data_dir=data_dir)),
        "initial_cluster": cluster or {settings["name"]: own},
        "cluster_token": settings["initial-cluster-token"],
        "is_join": _is_join(settings, cluster),
        "force_new_cluster": settings["force-new-cluster"],
        "election_tick_advance": settings["initial-election-tick-advance"],
        "strict_reconfig_check": settings["strict-reconfig-check"],
        "max_learners": settings["max-learners"],
        "initial_corrupt_check": _gates(settings).get(
            _CORRUPT_CHECK, settings["experimental-initial-corrupt-check"]
        ),
        "corrupt_check_s": settings["corrupt-check-time"],
        "compact_hash_check_s": _compact_hash_check_s(settings),
    }


def _compact_hash_check_s(settings: Settings) -> float:
    """Return how often; 0 for never."""
    if not _gates(settings).get(_COMPACT_CHECK, settings["experimental-compact-hash-check-enabled"]):
        return 0.0
    every_s: float = settings["compact-hash-check-time"]
    if every_s <= 0:
        raise ConfigError("--compact-hash-check-time is not above 0", "the default is 1m")
    return every_s


def hints(settings: Settings) -> tuple[str, ...]:
    """Return what is allowed and seldom meant, as lines for the log."""
    size = len({pair.partition("=")[0] for pair in urls(settings["initial-cluster"])})
    found = []
    if size and size % 2 == 0 and settings["initial-cluster-state"] == "new":
        found.append(
            f"{size} members bear the loss of no more than {size - 1} do: "
            f"{size - 1} or {size + 1} are the better cluster"
        )
    if not settings["pre-vote"]:
        found.append("--pre-vote=false is ignored: a member always asks before it stands for election")
    for flag, listen in (("auto-tls", "listen-client-urls"), ("peer-auto-tls", "listen-peer-urls")):
        if settings[flag] and not has_https(settings, listen):
            found.append(f"--{flag} has no effect: no URL of --{listen} begins with https://")
    others = sorted(_gates(settings).keys() - {_CORRUPT_CHECK, _COMPACT_CHECK})
    found += [f"--feature-gates: {gate} means nothing here" for gate in others]
    return tuple(found)


def _peer_urls(settings: Settings, flag: str) -> tuple[str, ...]:
    found = urls(settings[flag])
    for url in found:
        if not is_peer_url(url):
            raise ConfigError(f"--{flag}: {url!r} is no address", f"write it as {_EXAMPLE}")
    return found


def _initial_cluster(settings: Settings, *, is_new: bool) -> Cluster:
    cluster: Cluster = {}
    for pair in urls(settings["initial-cluster"]):
        member, equals, url = pair.partition("=")
        if not equals or not member or not is_peer_url(url):
            raise ConfigError(
                f"--initial-cluster: {pair!r} is no member", "write it as NAME=http://HOST:2380"
            )
        cluster[member] = (*cluster.get(member, ()), url)
    counts = Counter(url for each in cluster.values() for url in each)
    if twice := [url for url, count in counts.items() if count > 1]:
        raise ConfigError(
            f"--initial-cluster names {twice[0]} more than once", "give every member URLs of its own"
        )
    if is_new and cluster and (name := settings["name"]) not in cluster:
        raise ConfigError(f"--initial-cluster does not name this member {name!r}", "add it, or mend --name")
    return cluster


def _check_own_urls(name: str, told: tuple[str, ...], own: tuple[str, ...]) -> None:
    if sorted(told) != sorted(own):
        raise ConfigError(
            f"--initial-cluster has {name!r} at {','.join(told)}, but --initial-advertise-peer-urls is "
            f"{','.join(own)}",
            "make them the same",
        )


def _is_join(settings: Settings, cluster: Cluster) -> bool:
    state = settings["initial-cluster-state"]
    if state not in {"new", "existing"}:
        raise ConfigError(f"--initial-cluster-state {state!r}", "use new or existing")
    if state == "existing" and set(cluster) <= {settings["name"]}:
        raise ConfigError(
            "--initial-cluster-state existing needs the members that are there already",
            "give --initial-cluster as `etcdctl member add` prints it",
        )
    return bool(state == "existing")


def _gates(settings: Settings) -> dict[str, bool]:
    gates = {}
    for gate in urls(settings["feature-gates"]):
        name, _, value = gate.partition("=")
        if value not in {"true", "false"}:
            raise ConfigError(f"--feature-gates: {gate!r} is no gate", "write it as NAME=true")
        gates[name] = value == "true"
    return gates


def self_signed_peer(settings: Settings, *, data_dir: Path) -> SelfSigned | None:
    """Return the certificate that this member makes for itself; None where it is given one, or none is wanted.

    Raises:
        ConfigError: an authority is named, which will not have signed it.
    """
    is_given = settings["peer-cert-file"] or settings["peer-key-file"]
    if not settings["peer-auto-tls"] or is_given or not has_https(settings, "listen-peer-urls"):
        return None
    if settings["peer-trusted-ca-file"] or settings["peer-client-cert-auth"]:
        raise ConfigError(
            "--peer-auto-tls makes certificates that no authority has signed",
            "leave --peer-trusted-ca-file and --peer-client-cert-auth away, or give --peer-cert-file",
        )
    return self_signed(
        settings, data_dir / "fixtures" / "peer", ("listen-peer-urls", "initial-advertise-peer-urls")
    )


def has_https(settings: Settings, flag: str) -> bool:
    """Whether one of the URLs that a flag names is for TLS."""
    return any(url.startswith("https:") for url in urls(settings[flag]))


def self_signed(settings: Settings, folder: Path, flags: tuple[str, ...]) -> SelfSigned:
    """Return a certificate for the hosts in the URLs of ``flags``.

    Raises:
        ConfigError: it would not live.
    """
    years = settings["self-signed-cert-validity"]
    if not 0 < years <= _YEARS_MAX:
        raise ConfigError(
            f"--self-signed-cert-validity is not from 1 to {_YEARS_MAX} years", "the default is 1"
        )
    hosts = (urlsplit(url).hostname for flag in flags for url in urls(settings[flag]))
    return SelfSigned(folder=folder, hosts=tuple(dict.fromkeys(host for host in hosts if host)), years=years)


def _peer_tls(settings: Settings, own: SelfSigned | None) -> PeerTls | None:
    if own is not None:
        return PeerTls(cert_file=own.cert_file, key_file=own.key_file, is_self_signed=True)
    cert, key, ca = (settings[f"peer-{name}"] for name in ("cert-file", "key-file", "trusted-ca-file"))
    if has_https(settings, "listen-peer-urls") and not (cert and key):
        raise ConfigError(
            "--listen-peer-urls with https:// needs a certificate",
            "give --peer-cert-file and --peer-key-file, or --peer-auto-tls",
        )
    if not (cert or key or ca or settings["peer-client-cert-auth"]):
        return None
    try:
        return PeerTls(
            cert_file=Path(cert) if cert else None,
            key_file=Path(key) if key else None,
            trusted_ca_file=Path(ca) if ca else None,
            client_cert_auth=settings["peer-client-cert-auth"],
        )
    except PeerConfigError as error:
        message, _, hint = str(error).partition("; ")
        raise ConfigError(message, hint) from None
