"""How keys and values look: for people as they are, for programs as JSON."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from fairlead.client import DeleteResult, Event, GetResult, KeyValue, PutResult, TxnResult


def text_of(data: bytes) -> str:
    """Return bytes as text; what is not UTF-8 is shown as escapes, never as noise on a terminal."""
    return data.decode(errors="backslashreplace")


def json_of(value: object) -> str:
    """Return one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def _field(name: str, data: bytes) -> dict[str, str]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name + "_base64": base64.b64encode(data).decode()}


def pair(kv: KeyValue) -> dict[str, Any]:
    """Return a pair for JSON.  A key or value that is not UTF-8 is ``..._base64``."""
    shown: dict[str, Any] = {
        **_field("key", kv.key),
        **_field("value", kv.value),
        "create_revision": kv.create_revision,
        "mod_revision": kv.mod_revision,
        "version": kv.version,
    }
    return {**shown, "lease": f"{kv.lease:x}"} if kv.lease else shown


def result(answer: GetResult | PutResult | DeleteResult | TxnResult) -> dict[str, Any]:
    """Return what the store answered, for JSON."""
    shown: dict[str, Any] = {"revision": answer.revision}
    if isinstance(answer, GetResult):
        shown |= {"count": answer.count, "kvs": [pair(kv) for kv in answer.kvs]}
    elif isinstance(answer, DeleteResult):
        shown |= {"deleted": answer.deleted}
    elif isinstance(answer, TxnResult):
        shown |= {"succeeded": answer.succeeded, "responses": [result(part) for part in answer.responses]}
    return shown


def lines(answer: GetResult | PutResult | DeleteResult | TxnResult) -> Iterable[str]:
    """Return what the store answered, as lines for people."""
    if isinstance(answer, GetResult):
        yield from (f"{text_of(kv.key)}  {text_of(kv.value)}" for kv in answer.kvs)
    elif isinstance(answer, PutResult):
        yield f"written at revision {answer.revision}"
    elif isinstance(answer, DeleteResult):
        yield f"{answer.deleted} deleted"
    else:
        yield "the condition holds" if answer.succeeded else "the condition does not hold"
        for part in answer.responses:
            yield from (f"  {line}" for line in lines(part))


def event(change: Event) -> dict[str, Any]:
    """Return one event of a watch, for JSON."""
    return {"type": "DELETE" if change.is_delete else "PUT", **pair(change.kv)}


def folder_of(prefix: str) -> str:
    """Return what the keys below ``prefix`` begin with: ``/app`` has ``/app/name`` below it, not ``/apple``."""
    return f"{prefix.rstrip('/')}/" if prefix else ""


def children(keys: Iterable[str], folder: str) -> list[str]:
    """Return the names directly below ``folder``, subfolders with a slash, each once and in order."""
    names = set()
    for key in keys:
        first, slash, _ = key[len(folder) :].lstrip("/").partition("/")
        names.add(first + slash)
    return sorted(name for name in names if name)


def tree_of(kvs: Iterable[KeyValue], root: str) -> Tree:
    """Return keys as a tree of their path elements, values beside the leaves."""
    tree = Tree(f"[bold]{escape(root or '/')}[/]", guide_style="dim")
    branches: dict[tuple[str, ...], Tree] = {(): tree}
    for kv in kvs:
        path = tuple(part for part in text_of(kv.key)[len(root) :].split("/") if part) or (text_of(kv.key),)
        for depth in range(1, len(path)):
            if path[:depth] not in branches:
                parent = branches[path[: depth - 1]]
                branches[path[:depth]] = parent.add(f"[bold blue]{escape(path[depth - 1])}[/]")
        value = escape(" ".join(text_of(kv.value).split()))
        leaf = branches[path[:-1]].add(f"{escape(path[-1])}  [green]{value}[/]")
        branches.setdefault(path, leaf)
    return tree
