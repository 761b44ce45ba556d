"""The programs of other people that the tests use, and how Debian calls their packages.

``python -m tests.peers install`` installs the missing ones where it may (root on Debian); a test asks for
them with ``@pytest.mark.peer("etcd", "etcdctl")``.  FAIRLEAD_REQUIRE_PEERS=1 turns a missing one into a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "apachectl": "apache2",
    "chronyd": "chrony",
    "curl": "curl",
    "delv": "bind9-dnsutils",
    "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base",
    "dnsperf": "dnsperf",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "h2load": "nghttp2-client",
    "haproxy": "haproxy",
    "kdig": "knot-dnsutils",
    "keepalived": "keepalived",
    "memcached": "memcached",
    "named": "bind9",
    "nft": "nftables",
    "nghttp": "nghttp2-client",
    "nginx": "nginx-light",
    "nsd": "nsd",
    "openssl": "openssl",
    "postgres": "postgresql-15",
    "redis-server": "redis-server",
    "rsyslogd": "rsyslog",
    "unbound": "unbound",
    "slowhttptest": "slowhttptest",
    "wrk": "wrk",
    "zonemaster-cli": "zonemaster-cli",
}
"""Program to Debian package."""

# Debian puts daemons where a plain user's PATH does not look, and postgres where nobody's does.
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/postgresql/15/bin"


def find(program: str) -> str | None:
    """Return the path of ``program``, or None when it is not installed."""
    return shutil.which(program, path=_PATH)


def path_of(program: str) -> str:
    """Return the path of ``program``, which the test has asked for with the mark."""
    found = find(program)
    assert found is not None, f"{program} is not installed"
    return found


def missing() -> list[str]:
    """Return the programs that are not installed, sorted."""
    return sorted(program for program in PACKAGES if find(program) is None)


def must_have_all() -> bool:
    """Whether a missing program fails a test instead of skipping it."""
    return os.environ.get("FAIRLEAD_REQUIRE_PEERS") == "1"


def install() -> int:
    """Install what is missing; return an exit status."""
    absent = missing()
    if not absent:
        return 0
    packages = sorted({PACKAGES[program] for program in absent})
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        print(f"==> not root on Debian: tests that need {', '.join(absent)} will be skipped")
        print(f"    to run them: apt-get install {' '.join(packages)}")
        return 1 if must_have_all() else 0
    print(f"==> installing {' '.join(packages)}")
    # A daemon that its package starts would take the ports of the tests.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=True, env=environment)
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
            check=True,
            env=environment,
        )
    finally:
        if ours:
            policy.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(install())
