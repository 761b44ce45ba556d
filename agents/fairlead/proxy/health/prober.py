"""Asks servers how they are: one task for each server of a backend with ``Health``, over connections of their own."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import httpx

from fairlead.proxy.config import PROBES_MAX
from fairlead.proxy.health.verdict import Verdict, wait_s
from fairlead.proxy.model import MAINTENANCE, HealthCheck

if TYPE_CHECKING:
    from fairlead.proxy.balance import Chance
    from fairlead.proxy.state import Group, Groups, ServerState

_PROBE_S_MAX = 60.0
"""Between two pieces of an answer, beside the check's own patience for all of it."""
_BODY_BYTES_MAX = 64 * 1024
"""Of an answer, what ``Body`` is looked for in."""
Told = Callable[["ServerState", Verdict], None]


class _Watch(NamedTuple):
    check: HealthCheck
    task: asyncio.Task[None]


class Prober:
    """Follows the snapshots, and keeps the standing of servers up to date.

    Attributes:
        verdicts: of the servers that are probed now.
        probes: how many have been made.
    """

    def __init__(self, *, told: Told = lambda *_: None, rng: "Chance | None" = None) -> None:
        """Watch nobody yet; ``told`` hears of every verdict that turns, and of ill servers that are watched no more."""
        self.verdicts: dict[ServerState, Verdict] = {}
        self.probes = 0
        self._told = told
        self._rng = rng or Random()  # noqa: S311  it spreads probes, and keeps no secret
        self._room = asyncio.Semaphore(PROBES_MAX)
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._groups: Groups = {}
        self._watched: dict[ServerState, _Watch] = {}

    def follow(self, groups: "Groups") -> None:
        """Watch the servers of ``groups``; what has not changed goes on."""
        before, self._groups = self._groups, groups
        for backend_id in before.keys() - groups.keys():
            self._leave(before[backend_id].servers)
        for backend_id, group in groups.items():
            old = before.get(backend_id)
            if old is not group:
                self._leave(set(old.servers) - set(group.servers) if old is not None else ())
                self._watch(group)

    async def run(self) -> None:
        """Wait to be cancelled, and then stop asking."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop asking."""
        self._leave(list(self._watched))
        for client in self._clients.values():
            await client.aclose()

    def _watch(self, group: "Group") -> None:
        check = group.backend.health
        for state in group.servers:
            watch = self._watched.get(state)
            if check is None or state.server.state == MAINTENANCE:
                self._leave([state])
            elif watch is None or watch.check != check:
                self._leave([state], forget=False)
                verdict = self.verdicts.setdefault(state, Verdict())
                task = asyncio.get_running_loop().create_task(
                    self._run(group.backend.id, state, check, verdict)
                )
                self._watched[state] = _Watch(check, task)

    def _leave(self, states: "Iterable[ServerState]", *, forget: bool = True) -> None:
        for state in states:
            watch = self._watched.pop(state, None)
            if watch is not None:
                watch.task.cancel()
            verdict = self.verdicts.pop(state, None) if forget else None
            if verdict is not None and not verdict.is_healthy:
                self._judge(state, is_healthy=True)
                self._told(state, Verdict())

    async def _run(self, backend_id: str, state: "ServerState", check: HealthCheck, verdict: Verdict) -> None:
        # The first probe at once: a server that is down must not be believed for an interval.
        while True:
            async with self._room:
                self.probes += 1
                failure = await self._probe(backend_id, state, check)
            if verdict.note(check, failure, now_s=perf_counter()):
                self._judge(state, is_healthy=verdict.is_healthy)
                self._told(state, verdict)
            await asyncio.sleep(wait_s(check, self._rng.random(), is_healthy=verdict.is_healthy))

    def _judge(self, state: "ServerState", *, is_healthy: bool) -> None:
        group = self._groups.get(state.server.backend_id)
        standing = state.standing
        if standing.is_healthy == is_healthy:
            return
        standing.is_healthy = is_healthy
        if group is not None:
            if is_healthy and group.backend.slow_start_s:
                standing.slow_from_s = perf_counter()
            group.memory.changed()

    async def _probe(self, backend_id: str, state: "ServerState", check: HealthCheck) -> str:
        """Return what was wrong; empty when nothing was."""
        server = state.server
        host = f"[{server.host}]" if ":" in server.host else server.host
        url = f"{check.scheme or server.scheme}://{host}:{check.port or server.port}{check.path}"
        group = self._groups.get(backend_id)
        tls = group.backend.tls if group is not None else None
        client = self._client(verify=tls is None or tls.verify)
        headers = dict(check.headers)
        if check.host:
            headers["host"] = check.host
        try:
            async with asyncio.timeout(check.timeout_s):
                async with client.stream(
                    check.method, url, headers=headers, follow_redirects=check.follows
                ) as response:
                    low, high = check.statuses
                    if not low <= response.status_code <= high:
                        return f"answers {response.status_code}"
                    if check.body and not await _contains(response, check.body.encode()):
                        return f"the answer does not contain {check.body!r}"
        except TimeoutError:
            return f"no answer within {check.timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"cannot be asked: {str(error) or type(error).__name__}"
        return ""

    def _client(self, *, verify: bool) -> httpx.AsyncClient:
        if verify not in self._clients:
            self._clients[verify] = httpx.AsyncClient(
                verify=verify,
                timeout=_PROBE_S_MAX,
                trust_env=False,
                headers={"user-agent": "fairlead-health"},
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return self._clients[verify]


async def _contains(response: httpx.Response, wanted: bytes) -> bool:
    body = b""
    with contextlib.suppress(httpx.DecodingError):
        async for piece in response.aiter_bytes():
            body += piece
            if wanted in body:
                return True
            if len(body) > _BODY_BYTES_MAX:
                break
    return False
