"""Health over HTTP: /health, /livez, /readyz and /version, with etcd's answers."""

import json
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs

from fairlead.api.status import status_of
from fairlead.api.version import CLUSTER_VERSION, STORAGE_VERSION, VERSION
from fairlead.member import Member, MemberError
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import HttpReply, HttpRequest

_TEXT = (("content-type", "text/plain; charset=utf-8"),)
_JSON = (("content-type", "application/json"),)
Check = Callable[[], str | None]
"""Returns what is wrong, or None."""


class Health:
    """Answers health questions about one member."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._checks: dict[str, dict[str, Check]] = {
            "/livez": {"serializable_read": self._serializable_read},
            "/readyz": {
                "data_corruption": self._data_corruption,
                "serializable_read": self._serializable_read,
                "linearizable_read": self._linearizable_read,
                "non_learner": lambda: None,
            },
        }

    def paths(self) -> dict[str, Callable[[HttpRequest, HttpReply], None]]:
        """Return the handlers by path."""
        paths: dict[str, Callable[[HttpRequest, HttpReply], None]] = {
            "/health": self.health,
            "/version": self.version,
        }
        for root, checks in self._checks.items():
            paths[root] = partial(_run_checks, checks)
            for name, check in checks.items():
                paths[f"{root}/{name}"] = partial(_run_checks, {name: check})
        return paths

    def version(self, request: HttpRequest, reply: HttpReply) -> None:
        """The versions, each purely numeric: clients split and count them."""
        del request
        versions = {"etcdserver": VERSION, "etcdcluster": CLUSTER_VERSION, "storage": STORAGE_VERSION}
        reply.send(200, _JSON, json.dumps(versions, separators=(",", ":")).encode())

    def health(self, request: HttpRequest, reply: HttpReply) -> None:
        """Whether the member serves: no alarm is raised, it is led, and it can read."""
        if request.method != "GET":
            reply.send(405, (*_TEXT, ("allow", "GET")), b"Method Not Allowed\n")
            return
        query = parse_qs(request.query)
        excluded = set(query.get("exclude", []))
        is_serializable = query.get("serializable") == ["true"]
        reason = self._alarm(excluded)
        if not reason and not is_serializable and not self._member.replica.can_read:
            reason = "RAFT NO LEADER"
        if not reason and (wrong := self._read(serializable=is_serializable)):
            reason = f"RANGE ERROR:{wrong}"
        body = {"health": "false" if reason else "true", "reason": reason}
        reply.send(503 if reason else 200, _JSON, json.dumps(body, separators=(",", ":")).encode())

    def _alarm(self, excluded: set[str]) -> str:
        for _, alarm in sorted(self._member.machine.alarms):
            name = pb.AlarmType.Name(pb.AlarmType.ValueType(alarm))
            if name not in excluded:
                return f"ALARM {name}"
        return ""

    def _read(self, *, serializable: bool) -> str | None:
        try:
            self._member.range(pb.RangeRequest(key=b"a", serializable=serializable))
        except MemberError as error:
            return status_of(error)[1]
        return None

    def _serializable_read(self) -> str | None:
        return self._read(serializable=True)

    def _linearizable_read(self) -> str | None:
        return self._read(serializable=False)

    def _data_corruption(self) -> str | None:
        return "alarm activated: CORRUPT" if self._member.machine.has_alarm(pb.CORRUPT) else None


def _run_checks(checks: dict[str, Check], request: HttpRequest, reply: HttpReply) -> None:
    query = parse_qs(request.query, keep_blank_values=True)
    excluded = set(query.get("exclude", []))
    wrong = {name: check() for name, check in checks.items() if name not in excluded}
    lines = [f"[+]{name} ok" if why is None else f"[-]{name} failed: {why}" for name, why in wrong.items()]
    lines += [f"[+]{name} excluded: ok" for name in checks if name in excluded]
    failed = any(why is not None for why in wrong.values())
    if failed or "verbose" in query:
        verdict = "failed" if failed else "passed"
        text = "\n".join([*lines, f"{request.path.strip('/')} check {verdict}", ""])
    else:
        text = "ok\n"
    reply.send(503 if failed else 200, _TEXT, text.encode())
