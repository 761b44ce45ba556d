"""``fairlead up``: a whole site in one terminal."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import click

from fairlead.cli.child import Child
from fairlead.cli.errors import CliError
from fairlead.cli.site import Site, load_site
from fairlead.client import Client, Compare, op_put

_COLORS = ("cyan", "magenta", "yellow", "blue", "green", "bright_cyan", "bright_magenta", "bright_yellow")
_LEVEL_COLORS = {"warning": "yellow", "error": "red", "critical": "red"}
_READY_S = 30.0
_DEMO = Path("share") / "fairlead" / "deploy" / "demo" / "site.yaml"


@click.command()
@click.argument("site", type=click.Path(path_type=Path), required=False)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=Path("fairlead-data"),
    show_default=True,
    help="Where the store and the agents keep what they need; programs run there.",
)
def up(*, site: Path | None, data_dir: Path) -> int:
    """Run a store and the agents of a SITE file, the demo without one, until Ctrl-C."""
    path = site or Path(sys.prefix) / _DEMO
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir.resolve()
    return asyncio.run(_Up(load_site(path, data_dir=data_dir), data_dir).run())


class _Up:
    """The programs of a site, started in order and stopped in the reverse."""

    def __init__(self, site: Site, data_dir: Path) -> None:
        self._site = site
        programs = [*([site.store] if site.store else []), *site.programs]
        self._colors = {p.name: _COLORS[n % len(_COLORS)] for n, p in enumerate(programs)}
        self._width = max(len(p.name) for p in programs)
        self._children = [Child(program, folder=data_dir, say=self._say) for program in programs]
        self._running: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        interrupted = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted.set)
        starting = asyncio.create_task(self._start())
        waiting = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await waiting
        finally:
            for task in (starting, waiting):
                task.cancel()
            await self._stop()
        return 0

    async def _start(self) -> None:
        # All at once: the agents wait for the store by themselves, and starting takes each its time.
        self._running += [asyncio.create_task(child.run()) for child in self._children]
        if self._site.store:
            await _until_ready(self._children[0])
        await self._seed()
        for child in self._children:
            await _until_ready(child)
        self._greet()

    async def _seed(self) -> None:
        """Write the site's keys where they are missing, never over what somebody changed."""
        if not self._site.keys:
            return
        written = 0
        async with Client(self._site.endpoints) as client:
            for key, value in self._site.keys.items():
                answer = await client.txn([Compare.version(key).equals(0)], [op_put(key, value)])
                written += answer.succeeded
        if written:
            self._say_own(f"wrote {written} of the site's keys")

    def _greet(self) -> None:
        click.echo()
        click.secho("  everything is up; Ctrl-C ends it", bold=True)
        if self._site.hints:
            click.echo("  try, in another terminal:")
        for hint in self._site.hints:
            click.secho(f"    {hint}", fg="green")
        click.echo()

    async def _stop(self) -> None:
        click.echo()
        self._say_own("stopping")
        # What depends on the store ends before it.
        last = 1 if self._site.store else 0
        await asyncio.gather(*(child.stop() for child in self._children[last:]))
        for child in self._children[:last]:
            await child.stop()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _say_own(self, text: str) -> None:
        click.secho(f"{'up':>{self._width}} │ {text}", bold=True)

    def _say(self, name: str, line: str | dict[str, Any]) -> None:
        prefix = click.style(f"{name:>{self._width}} │", fg=self._colors.get(name))
        click.echo(f"{prefix} {line if isinstance(line, str) else _text_of(line)}")


async def _until_ready(child: Child) -> None:
    """Wait until a program serves.

    Raises:
        CliError: it ended first, or takes too long; its own line has said why.
    """
    ready = asyncio.create_task(child.ready.wait())
    failed = asyncio.create_task(child.failed_to_start.wait())
    done, rest = await asyncio.wait({ready, failed}, timeout=_READY_S, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    if ready not in done:
        why = "ended before it was ready" if failed in done else f"was not ready within {_READY_S:.0f} s"
        raise CliError(f"{child.program.name} {why}; the line above says more")


def _text_of(line: dict[str, Any]) -> str:
    """Return a line of structured log as people read it."""
    hidden = {"event", "level", "timestamp", "logger"}
    fields = "  ".join(f"{key}={_value(value)}" for key, value in line.items() if key not in hidden)
    event = click.style(str(line["event"]), fg=_LEVEL_COLORS.get(str(line.get("level"))))
    return f"{event}  {click.style(fields, dim=True)}" if fields else event


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
