"""``fairlead up``: a whole site in one terminal."""

import asyncio
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from fairlead.cli.child import Child
from fairlead.cli.errors import CliError
from fairlead.cli.site import Site, load_site
from fairlead.cli.site_store import MEMBERS_MAX

_COLORS = ("cyan", "magenta", "yellow", "blue", "green", "bright_cyan", "bright_magenta", "bright_yellow")
_LEVEL_COLORS = {"warning": "yellow", "error": "red", "critical": "red"}
_READY_S = 30.0
_DATA_DIR = "{data-dir}"  # in a hint; the folder as the operator wrote it
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
@click.option(
    "--members",
    type=click.IntRange(1, MEMBERS_MAX),
    help="How many members the store has; else the file says, or it is 1.",
)
def up(*, site: Path | None, data_dir: Path, members: int | None) -> int:
    """Run a store and the agents of a SITE file, the demo without one, until Ctrl-C."""
    loaded = load_site(site or Path(sys.prefix) / _DEMO, data_dir=data_dir.resolve(), members=members)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"cannot make {data_dir}: {error.strerror}; give another --data-dir") from error
    return asyncio.run(_Up(loaded, data_dir).run())


class _Up:
    """The programs of a site, started in order and stopped in the reverse."""

    def __init__(self, site: Site, data_dir: Path) -> None:
        self._site = site
        self._data_dir = data_dir
        programs = (*site.stores, *site.processes, *site.agents)
        self._colors = {p.name: _COLORS[n % len(_COLORS)] for n, p in enumerate(programs)}
        self._width = max((len(p.name) for p in programs), default=0)
        folder = data_dir.resolve()
        self._stores, self._processes, self._agents = (
            [Child(program, folder=folder, say=self._say) for program in group]
            for group in (site.stores, site.processes, site.agents)
        )
        self._running: list[asyncio.Task[None]] = []
        self._interrupted = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupted.set)
        starting = asyncio.create_task(self._start())
        waiting = asyncio.create_task(self._interrupted.wait())
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
        # The agents come after the keys: else the first thing that a new site says is that keys are missing.
        self._run(*self._stores, *self._processes)
        # Loaded while they start: gRPC takes its time.
        self._seeding = asyncio.ensure_future(asyncio.to_thread(importlib.import_module, "fairlead.cli.seed"))
        await _until_ready(*self._stores)
        await self._seed()
        self._run(*self._agents)
        await _until_ready(*self._processes, *self._agents)
        self._greet()

    def _run(self, *children: Child) -> None:
        self._running += [asyncio.create_task(child.run()) for child in children]

    async def _seed(self) -> None:
        """Write the site's keys where they are missing, never over what somebody changed."""
        if not self._site.keys:
            return
        written = await (await self._seeding).seed(self._site.endpoints, self._site.keys)
        if written:
            self._say_own(f"wrote {written} of the site's keys")

    def _greet(self) -> None:
        self._echo()
        self._echo(click.style("  everything is up; Ctrl-C ends it", bold=True))
        if self._site.hints or len(self._site.stores) > 1:
            self._echo("  try, in another terminal:")
        for hint in self._site.hints:
            self._echo(click.style(f"    {hint.replace(_DATA_DIR, str(self._data_dir))}", fg="green"))
        if len(self._site.stores) > 1:
            status = f"etcdctl --endpoints {','.join(self._site.endpoints)} endpoint status -w table"
            self._echo(click.style(f"    {status}", fg="green"))
        self._echo()

    async def _stop(self) -> None:
        self._echo()
        self._say_own("stopping")
        # What depends on others ends before them: agents leave their status keys, requests their servers.
        for children in (self._agents, self._processes, self._stores):
            await asyncio.gather(*(child.stop() for child in children))
        await asyncio.gather(*self._running)

    def _echo(self, line: str = "") -> None:
        try:
            click.echo(line)
        except OSError:
            # Nobody reads any more: the terminal is closed, or the next in a pipe has seen enough.
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - stands in for stdout until the end
            self._interrupted.set()

    def _say_own(self, text: str) -> None:
        self._echo(click.style(f"{'up':>{self._width}} │ {text}", bold=True))

    def _say(self, name: str, line: str | dict[str, Any]) -> None:
        prefix = click.style(f"{name:>{self._width}} │", fg=self._colors.get(name))
        self._echo(f"{prefix} {line if isinstance(line, str) else _text_of(line)}")


async def _until_ready(*children: Child) -> None:
    """Wait until programs serve.

    Raises:
        CliError: one ended first, or takes too long.
    """
    await asyncio.gather(*map(_until_one_is_ready, children))


async def _until_one_is_ready(child: Child) -> None:
    ready = asyncio.create_task(child.ready.wait())
    failed = asyncio.create_task(child.failed_to_start.wait())
    done, rest = await asyncio.wait({ready, failed}, timeout=_READY_S, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    if ready not in done:
        if failed in done:
            why = child.last_words.removeprefix("fairlead: ") or "it ended without a word; run it by itself"
            raise CliError(f"{child.program.name} did not start: {why}")
        raise CliError(
            f"{child.program.name} was not ready within {_READY_S:.0f} s; its lines above say more"
        )


def _text_of(line: dict[str, Any]) -> str:
    """Return a line of structured log as people read it."""
    # The prefix of the line names the agent already.
    hidden = {"event", "level", "timestamp", "logger", "agent"}
    shown = {key: _value(value) for key, value in line.items() if key not in hidden}
    fields = "  ".join(f"{key}={text}" for key, text in shown.items() if text)
    event = click.style(str(line["event"]), fg=_LEVEL_COLORS.get(str(line.get("level"))))
    return f"{event}  {click.style(fields, dim=True)}" if fields else event


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
