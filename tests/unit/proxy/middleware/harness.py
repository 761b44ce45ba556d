"""Middlewares without a proxy: requests made of bytes, a world that only takes down what it is asked for."""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import yaml

from fairlead.proxy.config import Limits
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware import Answer, Call, Chain, Middleware
from fairlead.proxy.middleware.chains import make_middleware
from fairlead.proxy.middleware.making import SyslogAddress, Tools
from fairlead.proxy.middleware.shares import Share
from fairlead.proxy.model import Middleware as Settings
from fairlead.proxy.plan import Plan
from fairlead.proxy.record import Refused
from fairlead.proxy.request import RequestParser
from fairlead.proxy.response import Response, ResponseParser
from fairlead.proxy.router import Router
from fairlead.proxy.state import Snapshot

PEER = b"192.0.2.1"


def rows(name: str) -> list[Any]:
    """The rows of one of the tables beside this file."""
    found = yaml.safe_load((Path(__file__).parent / "tables" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return found


class Told:
    """A world; ``asked`` and ``lines`` are what it was asked for."""

    def __init__(self, *answers: tuple[int, Fields, bytes] | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Fields, bytes]] = []
        self.lines: list[tuple[SyslogAddress, str]] = []
        self.tasks: list[asyncio.Task[object]] = []
        self.share = Share()
        self.tools = Tools(
            web=self,
            spawn=self._spawn,
            compute=self._compute,
            syslog=self._line,
            random_id=lambda: b"f" * 32,
            share=self.share,
        )

    async def ask(
        self, method: str, url: str, *, fields: Fields, body: bytes = b"", timeout_s: float
    ) -> tuple[int, Fields, bytes]:
        self.asked.append((method, url, fields, body))
        answer = self.answers.pop(0) if self.answers else (200, [], b"")
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def _compute(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    def _line(self, address: SyslogAddress, text: str) -> None:
        self.lines.append((address, text))


def made(
    kind: str, json: Mapping[str, Any], *, world: Told | None = None, previous: Middleware | None = None
) -> Middleware:
    """One middleware of its JSON."""
    settings = Settings(id="m", frontend_id="f", type=kind, settings=json)
    return make_middleware(settings, tools=(world or Told()).tools, previous=previous)


def call_of(
    target: str = "/",
    *,
    method: str = "GET",
    host: str = "localhost",
    headers: Mapping[str, str] | None = None,
    peer: bytes = PEER,
    scheme: bytes = b"http",
    now_s: float = 0.0,
    middlewares: tuple[Middleware, ...] = (),
) -> Call:
    """A request on its way."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode()
    request = RequestParser(Limits()).parse(head)
    request.peer, request.entrypoint = peer, "web"
    plan = Plan(request, Snapshot(1, Router(()), {}, {}), peer=peer, port=b"80")
    plan.scheme = scheme
    return Call(plan, Chain(middlewares), now_s=now_s)


def answer_of(middleware: Middleware, call: Call) -> Answer | None:
    """What ``on_request`` says; one that waits is waited for."""
    verdict = middleware.on_request(call)
    if verdict is None or isinstance(verdict, Answer):
        return verdict

    async def wait() -> Answer | None:
        return await verdict

    return asyncio.run(wait())


def response_of(status: int = 200, headers: Mapping[str, str] | None = None, *, length: int = 0) -> Response:
    """The head of a server's answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {length}\r\n\r\n".encode()
    return ResponseParser(Limits()).parse(head, is_head=False)


def through(middleware: Middleware, call: Call, response: Response, *pieces: bytes) -> bytes:
    """The body as the client gets it, after ``on_response``; ``response`` is changed in place."""
    middleware.on_response(call, response)
    body_filter = middleware.response_filter(call, response)
    if body_filter is None:
        return b"".join(pieces)
    return b"".join(map(body_filter.feed, pieces)) + body_filter.end()


def ended(middleware: Middleware, call: Call, status: int, *, duration_us: int = 0) -> None:
    """Tell of the end."""
    record = Refused(status, peer=call.plan.peer)
    record.duration_us = duration_us
    middleware.on_end(call, record)


def value(fields: Fields, name: str) -> bytes | None:
    """The first value of a field."""
    return next((each for key, each in fields if key.lower() == name.lower().encode()), None)
