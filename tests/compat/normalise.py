"""What may differ between two stores that behave the same: ids, terms, indexes, times, sizes, ports.

Everything else in an output must be equal, to the byte.
"""

import json
import re
from typing import Any

_ANYWHERE = (
    # The client's own log lines (retries, deprecations) tell of time and address, not of the store.
    (re.compile(r'^\{"level":.*\n?', re.MULTILINE), ""),
    (re.compile(r"^Deprecated flag.*\n?", re.MULTILINE), ""),
    (re.compile(r"127\.0\.0\.1:\d{5}"), "HOST:PORT"),
    (re.compile(r"took = [\d.]+[mnµ]?s"), "took = TIME"),
    (re.compile(r"remaining\(\d+s\)"), "remaining(SECONDS)"),
    (re.compile(r"(?<![\d.])\d+\.\d+\.\d+\b(?!\.)"), "VERSION"),
    (re.compile(r"\b[\d.]+ [kM]?B\b"), "SIZE"),
    # Leases and members in hexadecimal: 64 bits, rarely with leading zeros.
    (re.compile(r"\b[0-9a-f]{12,16}\b"), "ID"),
    (re.compile(r"(HOST:PORT, ID, .*(?:true|false)), \d+, \d+, \d+,"), r"\1, TERM, INDEX, APPLIED,"),
    (re.compile(r"^((?:http://)?HOST:PORT), \d+$", re.MULTILINE), r"\1, HASH"),
)
_FIELDS = re.compile(
    r'^("(?:ClusterID|MemberID|RaftTerm|RaftIndex|RaftAppliedIndex|Term|Index|ID|Lease|Leader|Hash|DBSize|DBSizeInUse|TTL)"'
    r" : )(?!0$).*$",
    re.MULTILINE,
)
_JSON_VARIES = {
    "cluster_id", "member_id", "raft_term", "lease", "ID", "id", "leader", "raftIndex", "raftAppliedIndex",
    "raftTerm", "dbSize", "dbSizeInUse", "hash", "ttl",
    "took",
}  # fmt: skip
"""Keys of etcdctl's JSON whose values vary; that they are there, and not zero, is compared."""

# A server of 3.6 says more than one of 3.4; etcdctl prints what it knows.
_JSON_NEWER = {"dbSizeQuota", "storageVersion", "downgradeInfo"}


def text(output: str) -> str:
    """Return ``output`` of one command without what may differ."""
    output = "\n".join(_json_line(line) for line in output.split("\n"))
    output = _FIELDS.sub(r"\1VARIES", output)
    # The keys of a lease are a set.
    output = re.sub(
        r"attached keys\(\[(.*)\]\)", lambda found: f"attached keys({sorted(found[1].split())})", output
    )
    for pattern, stand_in in _ANYWHERE:
        output = pattern.sub(stand_in, output)
    return _table(output)


def _json_line(line: str) -> str:
    if not line.startswith(("{", "[")) or line.startswith('{"level"'):
        return line
    try:
        return json.dumps(_json(json.loads(line)), sort_keys=True)
    except ValueError:
        return line


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: "VARIES" if _varies(key, item) else sorted(item) if key == "keys" and item else _json(item)
        for key, item in value.items()
        if key not in _JSON_NEWER
    }


def _varies(key: str, item: Any) -> bool:
    """Ids and the like, but for none (0) and "no such lease" (-1); a server's release, not a key's version."""
    return (key in _JSON_VARIES and item not in {0, -1}) or (key == "version" and isinstance(item, str))


def _table(output: str) -> str:
    """Column widths follow the widest value, and some values vary; so do raft's term and index."""
    lines = []
    for line in output.split("\n"):
        if line.startswith("+-"):
            lines.append("+-")
        elif line.startswith("|"):
            lines.append(re.sub(r"\| \d+ ", "| NUMBER ", re.sub(" +", " ", line)))
        else:
            lines.append(line)
    return "\n".join(lines)
