"""Health over HTTP: /health, /livez, /readyz and /version, with etcd's answers."""

import json
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs

from fairlead.api.status import status_of
from fairlead.api.version import CLUSTER_VERSION, STORAGE_VERSION, VERSION
from fairlead.member import Member, MemberError
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import NOBODY
from fairlead.rpc import HttpReply, HttpRequest

_TEXT = (("content-type", "text/plain; charset=utf-8"),)
_JSON = (("content-type", "application/json"),)
Verdict = Callable[[str | None], None]
"""Takes what is wrong, or None."""
Check = Callable[[Verdict], None]
"""Calls its verdict once, now or later."""


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
                "non_learner": self._non_learner,
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
        if not reason and not is_serializable and self._member.replica.raft.leader == NOBODY:
            reason = "RAFT NO LEADER"
        if reason:
            _send_health(reply, reason)
        else:
            self._read(
                lambda wrong: _send_health(reply, f"RANGE ERROR:{wrong}" if wrong else ""),
                serializable=is_serializable,
            )

    def _alarm(self, excluded: set[str]) -> str:
        for _, alarm in sorted(self._member.machine.alarms):
            name = pb.AlarmType.Name(pb.AlarmType.ValueType(alarm))
            if name not in excluded:
                return f"ALARM {name}"
        return ""

    def _read(self, verdict: Verdict, *, serializable: bool) -> None:
        def readable(error: MemberError | None) -> None:
            if error is None:
                try:
                    self._member.range(pb.RangeRequest(key=b"a", serializable=serializable))
                except MemberError as refusal:
                    error = refusal
            verdict(None if error is None else status_of(error)[1])

        if serializable:
            readable(None)
            return
        try:
            self._member.read(readable)
        except MemberError as error:
            verdict(status_of(error)[1])

    def _serializable_read(self, verdict: Verdict) -> None:
        self._read(verdict, serializable=True)

    def _linearizable_read(self, verdict: Verdict) -> None:
        self._read(verdict, serializable=False)

    def _data_corruption(self, verdict: Verdict) -> None:
        is_corrupt = self._member.machine.has_alarm(pb.CORRUPT)
        verdict("alarm activated: CORRUPT" if is_corrupt else None)

    def _non_learner(self, verdict: Verdict) -> None:
        verdict("not supported for learner" if self._member.is_learner else None)


def _send_health(reply: HttpReply, reason: str) -> None:
    body = {"health": "false" if reason else "true", "reason": reason}
    if reply.is_open:
        reply.send(503 if reason else 200, _JSON, json.dumps(body, separators=(",", ":")).encode())


def _run_checks(checks: dict[str, Check], request: HttpRequest, reply: HttpReply) -> None:
    """Run the checks that are not excluded, and answer when the last one has come to its verdict."""
    query = parse_qs(request.query, keep_blank_values=True)
    excluded = set(query.get("exclude", []))
    wanted = [name for name in checks if name not in excluded]
    verdicts: dict[str, str | None] = {}

    def take(name: str, wrong: str | None) -> None:
        verdicts[name] = wrong
        if len(verdicts) == len(wanted):
            answer()

    def answer() -> None:
        lines = [_line(name, verdicts[name]) for name in wanted]
        lines += [f"[+]{name} excluded: ok" for name in checks if name in excluded]
        failed = any(wrong is not None for wrong in verdicts.values())
        if failed or "verbose" in query:
            verdict = "failed" if failed else "passed"
            text = "\n".join([*lines, f"{request.path.strip('/')} check {verdict}", ""])
        else:
            text = "ok\n"
        if reply.is_open:
            reply.send(503 if failed else 200, _TEXT, text.encode())

    for name in wanted:
        checks[name](partial(take, name))
    if not wanted:
        answer()


def _line(name: str, wrong: str | None) -> str:
    return f"[+]{name} ok" if wrong is None else f"[-]{name} failed: {wrong}"
