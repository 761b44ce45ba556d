"""``fairlead render run`` and ``once``: keep the files as the keys have them, or make them so one time."""

import asyncio
from pathlib import Path

import click

from fairlead.agent import AgentContext, AgentOptions, common_options, run_agent
from fairlead.render.agent import RenderAgent
from fairlead.render.commands.options import (
    host_option,
    json_option,
    named,
    require_resources,
    secret_key_option,
    tree_options,
)
from fairlead.render.commands.statuses import run_with_store
from fairlead.render.config import RenderSettings
from fairlead.render.init import under_init
from fairlead.render.once import run_once


@click.command()
@common_options("render")
@tree_options
@host_option
@secret_key_option
@click.option("--onetime", is_flag=True, help="Process every resource once and exit; 1 when any failed.")
@click.option("--watch", is_flag=True, help="Follow the store; the default without --onetime and --interval.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Render all and repair drift every S seconds; without --watch, changes wait for it too.",
)
@click.option("--noop", is_flag=True, help="Print what would change, as a diff, and change nothing.")
@click.option("--sync-only", is_flag=True, help="Put files in place, run no check_cmd and no reload_cmd.")
@click.option("--keep-stage-file", is_flag=True, help="Leave a staged file that was not put in place.")
def run(
    *,
    options: AgentOptions,
    confdir: Path,
    prefix: str,
    state_dir: Path | None,
    host: str | None,
    secret_key_file: Path | None,
    onetime: bool,
    watch: bool,
    interval: float | None,
    noop: bool,
    sync_only: bool,
    keep_stage_file: bool,
) -> int:
    """Render configuration files from keys and reload the programs that read them."""
    if onetime and (watch or interval is not None):
        raise click.UsageError("--onetime goes with neither --watch nor --interval")
    settings = require_resources(
        RenderSettings(
            confdir=confdir,
            prefix=prefix,
            state_dir=state_dir,
            secret_key_file=secret_key_file,
            noop=noop,
            sync_only=sync_only,
            keep_stage_file=keep_stage_file,
            watch=watch or interval is None,
            interval_s=interval,
        )
    )
    options = named(options, host)
    if onetime:
        # As confd has it: 0 or 1.
        return min(asyncio.run(run_once(options, settings)), 1)

    async def serve(context: AgentContext) -> None:
        await RenderAgent(context, settings).run()

    return under_init(lambda: run_agent("render", options, serve))


@click.command()
@common_options("render")
@tree_options
@host_option
@secret_key_option
@json_option
def once(
    *,
    options: AgentOptions,
    confdir: Path,
    prefix: str,
    state_dir: Path | None,
    host: str | None,
    secret_key_file: Path | None,
    as_json: bool,
) -> int:
    """Process every resource once and exit.

    The status is 0 when all is well, 3 when a check failed, 4 when a program did not take its files, 5 when it did
    not take the old ones either, 6 when no store answers, and 1 for any other failure.
    """
    settings = require_resources(
        RenderSettings(confdir=confdir, prefix=prefix, state_dir=state_dir, secret_key_file=secret_key_file)
    )
    return run_with_store(run_once(named(options, host), settings, as_json=as_json))
