"""Tells people what happens to a host, by commands and web hooks; who cannot be told holds nothing up."""

import asyncio

import httpx
import structlog

from fairlead.checks import HttpCheck, run_process
from fairlead.lock.policy import Command


class Notice:
    """Says things in the name of one host.

    Args:
        targets: whom to tell.
        about: what every notice carries: group, host and id.
        log: where failures are told.
    """

    def __init__(
        self,
        targets: tuple[Command | HttpCheck, ...],
        *,
        about: dict[str, str],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._targets = targets
        self._about = about
        self._log = log

    async def say(self, event: str, text: str) -> None:
        """Log it and tell all targets, side by side."""
        self._log.info(text, event_name=event)
        told = {**self._about, "event": event, "text": text}
        await asyncio.gather(*(self._tell(target, told) for target in self._targets))

    async def _tell(self, target: Command | HttpCheck, told: dict[str, str]) -> None:
        problem = await (_run(target, told) if isinstance(target, Command) else _post(target, told))
        if problem:
            self._log.warning("could not notify", problem=problem)


async def _run(command: Command, told: dict[str, str]) -> str:
    words = {f"FAIRLEAD_LOCK_{name.upper()}": value for name, value in told.items()}
    return (await run_process(command.argv, timeout_s=command.timeout_s, environment=words)).problem


async def _post(hook: HttpCheck, told: dict[str, str]) -> str:
    try:
        async with httpx.AsyncClient(timeout=hook.timeout_s, trust_env=False) as client:
            answer = await client.post(hook.url, json=told)
    except httpx.HTTPError as error:
        return f"{hook.url}: {str(error) or type(error).__name__}"
    return "" if answer.is_success else f"{hook.url}: status {answer.status_code}"
