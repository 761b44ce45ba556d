"""``fairlead kv``: keys from the command line."""

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click
from rich.console import Console

from fairlead.cli import show
from fairlead.cli.connection import connection_options
from fairlead.cli.errors import CliError
from fairlead.cli.txn_words import read_condition, read_operation
from fairlead.client import Client, GetResult, PutResult

Connect = Callable[[], Client]
_COUNT = click.IntRange(min=0)
# Wider than any value: rich cuts a branch at the width of its console, and a value is to be seen whole.
_TREE_WIDTH_MAX = 1 << 24
_output = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form."
)


@click.group()
def kv() -> None:
    """Read and write keys."""


def _run(connect: Connect, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    """Connect, do one piece of work, disconnect."""

    async def session() -> Any:
        async with connect() as client:
            return await work(client)

    return asyncio.run(session())


def _print(answer: Any, output: str) -> None:
    if output == "json":
        click.echo(show.json_of(show.result(answer)))
        return
    for line in show.lines(answer):
        click.echo(line)


@kv.command()
@click.argument("key")
@click.option("--prefix", is_flag=True, help="Every key that begins with KEY.")
@click.option("--rev", type=_COUNT, default=0, help="As it was at this revision.")
@click.option("--limit", type=_COUNT, default=0, help="At most so many.")
@click.option("--keys-only", is_flag=True, help="Without the values.")
@connection_options
@_output
def get(
    *, connect: Connect, key: str, prefix: bool, rev: int, limit: int, keys_only: bool, output: str
) -> None:
    """Show a key's value, or all pairs below a prefix."""
    answer: GetResult = _run(
        connect,
        lambda client: client.get(
            os.fsencode(key), prefix=prefix, revision=rev, limit=limit, keys_only=keys_only
        ),
    )
    if output == "json":
        click.echo(show.json_of(show.result(answer)))
        return
    if prefix or keys_only:
        for kv_pair in answer.kvs:
            name = show.text_of(kv_pair.key)
            click.echo(name if keys_only else f"{name}  {show.text_of(kv_pair.value)}")
        return
    if answer.kv is None:
        raise CliError(f"no key {key!r}; see what begins so: fairlead kv get {shlex.quote(key)} --prefix")
    # The value alone and as it is, so that it can be piped.
    sys.stdout.buffer.write(answer.kv.value)
    sys.stdout.buffer.write(b"" if answer.kv.value.endswith(b"\n") else b"\n")
    sys.stdout.buffer.flush()


@kv.command()
@click.argument("key")
@click.argument("value")
@click.option("--lease", default="0", metavar="HEX", help="Lease that the key shall live on.")
@connection_options
@_output
def put(*, connect: Connect, key: str, value: str, lease: str, output: str) -> None:
    """Write a key; VALUE - is standard input.

    A VALUE that begins with a dash comes after --, as in: fairlead kv put /offset -- -5
    """
    # Words of the command line are bytes to the store, whatever their encoding.
    data = sys.stdin.buffer.read() if value == "-" else os.fsencode(value)
    try:
        lease_id = int(lease, 16)
    except ValueError:
        raise CliError(f"--lease {lease!r} is no lease; it is a hexadecimal number") from None
    answer: PutResult = _run(connect, lambda client: client.put(os.fsencode(key), data, lease=lease_id))
    _print(answer, output)


@kv.command(name="del")
@click.argument("key")
@click.option("--prefix", is_flag=True, help="Every key that begins with KEY.")
@connection_options
@_output
def delete(*, connect: Connect, key: str, prefix: bool, output: str) -> None:
    """Delete a key, or all below a prefix."""
    answer = _run(connect, lambda client: client.delete(os.fsencode(key), prefix=prefix))
    if answer.deleted == 0 and output == "text":
        raise CliError(f"no key {key!r}, nothing was deleted; see what there is: fairlead kv tree")
    _print(answer, output)


@kv.command()
@click.argument("prefix", metavar="[FOLDER]", default="")
@connection_options
@_output
def ls(*, connect: Connect, prefix: str, output: str) -> None:
    """List the names directly below a folder; those of folders end with a slash."""
    folder = show.folder_of(prefix)
    answer: GetResult = _run(
        connect, lambda client: client.get(os.fsencode(folder), prefix=True, keys_only=True)
    )
    names = show.children((show.text_of(found.key) for found in answer.kvs), folder)
    if output == "json":
        click.echo(show.json_of({"revision": answer.revision, "names": names}))
        return
    for name in names:
        click.echo(name)


@kv.command()
@click.argument("prefix", metavar="[FOLDER]", default="")
@connection_options
@_output
def tree(*, connect: Connect, prefix: str, output: str) -> None:
    """Show all pairs below a folder as a tree."""
    folder = show.folder_of(prefix)
    answer: GetResult = _run(connect, lambda client: client.get(os.fsencode(folder), prefix=True))
    if output == "json":
        click.echo(show.json_of(show.result(answer)))
        return
    Console(highlight=False, width=_TREE_WIDTH_MAX).print(
        show.tree_of(answer.kvs, folder.rstrip("/")), soft_wrap=True
    )


@kv.command()
@click.argument("key")
@click.option("--prefix", is_flag=True, help="Every key that begins with KEY.")
@click.option("--rev", type=_COUNT, default=0, help="Begin with this revision; 0 is from now on.")
@click.option("--count", type=_COUNT, default=0, help="Stop after so many events.")
@connection_options
@_output
def watch(*, connect: Connect, key: str, prefix: bool, rev: int, count: int, output: str) -> None:
    """Show changes as they happen, until Ctrl-C."""

    async def follow(client: Client) -> None:
        left = count
        async with client.watch(os.fsencode(key), prefix=prefix, start_revision=rev) as changes:
            async for batch in changes:
                for change in batch.events:
                    _print_event(show.event(change), output)
                    left -= 1
                    if left == 0:
                        return

    _run(connect, follow)


def _print_event(change: dict[str, Any], output: str) -> None:
    if output == "json":
        click.echo(show.json_of(change))
        return
    value = change.get("value", change.get("value_base64", ""))
    color = "red" if change["type"] == "DELETE" else "green"
    kind = click.style(f"{change['type']:<6}", fg=color)
    click.echo(
        f"{change['mod_revision']:>8}  {kind}  {change.get('key', change.get('key_base64'))}  {value}".rstrip()
    )


@kv.command()
@click.option("--if", "conditions", multiple=True, metavar="CONDITION", help="e.g. 'version(/a) = 0'")
@click.option("--then", "success", multiple=True, metavar="OPERATION", help="e.g. 'put /a 1'")
@click.option("--else", "failure", multiple=True, metavar="OPERATION", help="e.g. 'get /a'")
@connection_options
@_output
def txn(
    *,
    connect: Connect,
    conditions: tuple[str, ...],
    success: tuple[str, ...],
    failure: tuple[str, ...],
    output: str,
) -> None:
    """Do several things at one revision, if all conditions hold.

    A CONDITION compares version, create, mod, lease or value of a key by =, !=, < or >; an OPERATION is
    'put KEY VALUE', 'get KEY' or 'del KEY', with --prefix at the end for all keys below.
    """
    if not success and not failure:
        raise CliError("nothing to do; give --then 'put KEY VALUE', --then 'get KEY' or --else ...")
    compares = [read_condition(text) for text in conditions]
    then = [read_operation(text) for text in success]
    otherwise = [read_operation(text) for text in failure]
    _print(_run(connect, lambda client: client.txn(compares, then, otherwise)), output)
