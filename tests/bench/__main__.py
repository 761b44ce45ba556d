"""``python -m tests.bench [put get sget range watch memory propagation render]``: the headlines, beside real peers.

``leaving`` is how fast a registered service is forgotten; ``cluster failover catchup soak`` measure three members.
These take longer and run only when they are named.

Contenders are measured in turn within each round, and medians are compared: only ratios within one run count.
Nothing is written unless ``--record`` asks for it.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import click
from rich.console import Console
from tests.bench import (
    catchup,
    cluster,
    contenders,
    failover,
    fanout,
    leaving,
    memory,
    propagation,
    rendering,
    requests,
    soak,
)
from tests.bench.contenders import Contender
from tests.bench.table import Results, heading

RECORD = Path(__file__).with_name("RESULTS.md")
HEADLINES = (*requests.CASES, "watch", "memory", "propagation", "render")
NAMES = (*HEADLINES, "leaving", "cluster", "failover", "catchup", "soak")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--rounds", default=3, show_default=True, help="Rounds; medians are compared.")
@click.option("--seconds", default=2.0, show_default=True, help="Length of each run of h2load.")
@click.option("--minutes", default=float(soak.MINUTES), show_default=True, help="Length of the soak.")
@click.option("--entries", default=catchup.ENTRIES, show_default=True, help="How far behind the follower is.")
@click.option("--against", multiple=True, help="Only these peers, e.g. --against 'etcd 3.5'.")
@click.option("--record", is_flag=True, help=f"Append the tables to {RECORD.name}.")
def main(
    names: tuple[str, ...],
    rounds: int,
    seconds: float,
    minutes: float,
    entries: int,
    against: tuple[str, ...],
    *,
    record: bool,
) -> None:
    """Measure NAMES (the headlines of one member, when none is given)."""
    console = Console(width=None if os.isatty(1) else 140)
    wanted = names or HEADLINES
    found = [one for one in contenders.present() if not against or one.name in {contenders.OURS, *against}]

    def say(what: str) -> None:
        console.print(f"[dim]==> {what}[/dim]", highlight=False)

    def members(folder: Path) -> Iterator[Results]:
        if "cluster" in wanted:
            yield cluster.bench(against, rounds=rounds, seconds=seconds, folder=folder, say=say)
        if "failover" in wanted:
            yield failover.bench(against, folder=folder, say=say)
        if "catchup" in wanted:
            yield catchup.bench(against, folder=folder, say=say, entries=entries)
        if "soak" in wanted:
            yield soak.bench(folder=folder, say=say, minutes=minutes)

    done = []
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder:
        headlines = _run(wanted, found, Path(folder), rounds=rounds, seconds=seconds, say=say)
        for results in chain(headlines, members(Path(folder))):
            results.show(console)
            done.append(results)
    if record:
        with RECORD.open("a") as file:
            command = f"tests.bench {' '.join(wanted)} --rounds {rounds} --seconds {seconds:g}"
            file.write(heading(command, [one.name for one in found]))
            file.writelines(results.markdown() + "\n" for results in done)


def _run(
    wanted: tuple[str, ...],
    found: list[Contender],
    folder: Path,
    *,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> Iterator[Results]:
    if cases := [name for name in wanted if name in requests.CASES]:
        yield requests.bench(found, cases, rounds=rounds, seconds=seconds, folder=folder, say=say)
    if "watch" in wanted:
        yield fanout.bench(found, rounds=rounds, folder=folder, say=say)
    if "memory" in wanted:
        yield memory.bench(found, folder=folder, say=say)
    if "propagation" in wanted:
        yield propagation.bench(found, folder=folder, say=say)
    if "render" in wanted:
        yield from rendering.bench(found, folder=folder, say=say)
    if "leaving" in wanted:
        yield leaving.bench(found, folder=folder, say=say)


if __name__ == "__main__":
    main()
