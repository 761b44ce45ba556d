"""The records as a tree of labels, from the root of DNS down.

A node has a value of its own and children; both are seen, so a key does not hide the keys below it.
"""

from collections.abc import Iterator
from typing import Final

from fairlead.dns import names
from fairlead.dns.names import Name
from fairlead.dns.records import Record

WILDCARDS: Final = frozenset({b"*", b"any"})
"""Labels that, in a question, stand for any one label."""


class Node:
    """One name."""

    __slots__ = ("children", "record")

    def __init__(self) -> None:
        self.record: Record | None = None
        self.children: dict[bytes, Node] = {}


class Tree:
    """Every record, by name."""

    def __init__(self) -> None:
        self._root = Node()
        self._records_count = 0

    def __repr__(self) -> str:
        return f"Tree({self._records_count} records)"

    def __len__(self) -> int:
        return self._records_count

    def put(self, record: Record) -> None:
        """Let ``record`` be what its owner says."""
        node = self._root
        for label in reversed(names.labels(record.owner)):
            child = node.children.get(label)
            if child is None:
                child = node.children[label] = Node()
            node = child
        self._records_count += node.record is None
        node.record = record

    def remove(self, name: Name) -> None:
        """Forget the record of ``name``, and the nodes that nothing needs any more."""
        trail: list[tuple[Node, bytes]] = []
        node = self._root
        for label in reversed(names.labels(name)):
            child = node.children.get(label)
            if child is None:
                return
            trail.append((node, label))
            node = child
        self._records_count -= node.record is not None
        node.record = None
        for parent, label in reversed(trail):
            child = parent.children[label]
            if child.record is not None or child.children:
                break
            del parent.children[label]

    def own(self, name: Name) -> Record | None:
        """Return the record of exactly ``name``."""
        node = self._at(names.labels(name)[::-1])
        return node.record if node is not None else None

    def below(self, name: Name) -> Iterator[Record]:
        """Yield the records of ``name`` and below it, in the order of their keys; wildcards match."""
        for node in self._matches(name):
            yield from _walk(node)

    def exists(self, name: Name) -> bool:
        """Whether ``name`` or something below it has a record (RFC 8020: then it is no NXDOMAIN)."""
        return next(self._matches(name), None) is not None

    def _matches(self, name: Name) -> Iterator[Node]:
        path = names.labels(name)[::-1]
        if WILDCARDS.isdisjoint(path):
            node = self._at(path)
            return iter(()) if node is None else iter((node,))
        return _match(self._root, path, 0)

    def _at(self, path: list[bytes]) -> Node | None:
        node = self._root
        for label in path:
            child = node.children.get(label)
            if child is None:
                return None
            node = child
        return node


def fixed_part(name: Name) -> Name:
    """Return the part of ``name`` right of its wildcards: all that it can match lies below that."""
    fixed = name
    for suffix in names.suffixes(name):
        if suffix[1 : 1 + suffix[0]] in WILDCARDS:
            fixed = suffix[1 + suffix[0] :]
    return fixed


def _match(node: Node, path: list[bytes], at: int) -> Iterator[Node]:
    if at == len(path):
        yield node
    elif path[at] in WILDCARDS:
        for label in sorted(node.children):
            yield from _match(node.children[label], path, at + 1)
    elif (child := node.children.get(path[at])) is not None:
        yield from _match(child, path, at + 1)


def _walk(node: Node) -> Iterator[Record]:
    pending = [node]
    while pending:
        node = pending.pop()
        if node.record is not None:
            yield node.record
        children = node.children
        if children:
            pending.extend(children[label] for label in sorted(children, reverse=True))
