"""The records as a tree of labels, from the root of DNS down.

A node has a value of its own and children; both are seen, so a key does not hide the keys below it.  What a question may
reach ends at a cut: where a record delegates a name to other servers, or another zone of ours begins.

A snapshot costs nothing: it shares all nodes, and from then on a change copies those on the way to its name, once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from fairlead.dns import names
from fairlead.dns.choose.conditions import Conditions
from fairlead.dns.names import Name
from fairlead.dns.records import Record

STAR: Final = b"*"
"""A label that, in a key, stands for every label that has no key of its own (RFC 4592)."""

WILDCARDS: Final = frozenset({STAR, b"any"})
"""Labels that, in a question, stand for any one label."""


MATCHES_MAX: Final = 16_384
"""Names looked at for one question with wildcards."""

Kind = Literal["hosts", "texts", "mails"]
"""What a question may look for below a name: addresses or names; texts, or names that may lead to some; mail exchangers."""


class TooManyError(Exception):
    """An answer needs more looks than anybody is given."""


class Node:
    """One name.

    Attributes:
        record: its own.
        children: by label.
        is_apex: whether a zone begins here.
        hosts, texts, mails: how many records of each `Kind` it and all names below it have, so that nobody looks for what
            is not there, or begins to collect what is too much.
        era: of the tree that may change it in place; see `Tree.snapshot`.
    """

    __slots__ = ("children", "era", "hosts", "is_apex", "mails", "record", "texts")

    def __init__(self, era: object) -> None:
        self.era = era
        self.hosts = self.texts = self.mails = 0
        self.record: Record | None = None
        self.children: dict[bytes, Node] = {}
        self.is_apex = False

    def copied(self, era: object) -> "Node":
        """Return a copy that a tree in ``era`` may change."""
        copy = Node(era)
        copy.hosts, copy.texts, copy.mails = self.hosts, self.texts, self.mails
        copy.record, copy.is_apex = self.record, self.is_apex
        copy.children = self.children.copy()
        return copy

    @property
    def is_delegated(self) -> bool:
        """Whether the records from here down are another server's."""
        return self.record is not None and self.record.is_delegation

    @property
    def is_cut(self) -> bool:
        """Whether what lies above has no say from here down."""
        return self.is_apex or self.is_delegated


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name stands in its zone.

    Attributes:
        source: the name whose records answer: itself, or a wildcard above it; None when it does not exist.
        cut: the delegation at or above it, if there is one.
        decided_by: as long as nothing changes at these names or below them, and no delegation comes or goes, the
            place stays.
    """

    source: Name | None
    cut: Name | None
    decided_by: tuple[Name, ...]


class Tree:
    """Every record, by name."""

    def __init__(self) -> None:
        self.conditions = Conditions()
        """What holds for the records at present, beside what their keys say."""
        self._era = object()
        self._root = Node(self._era)
        self._apexes: tuple[Name, ...] = ()
        self._records_count = 0

    def __repr__(self) -> str:
        return f"Tree({self._records_count} records)"

    def __len__(self) -> int:
        return self._records_count

    def snapshot(self) -> "Tree":
        """Return the tree as it is now, whatever becomes of this one; with conditions of its own."""
        other = Tree()
        other._root, other._apexes, other._records_count = self._root, self._apexes, self._records_count
        self._era = object()  # the nodes there are belong to both, so to neither
        return other

    def set_apexes(self, apexes: Iterable[Name]) -> None:
        """Let zones begin at ``apexes``, which exist from now on, and nowhere else."""
        gone, self._apexes = self._apexes, tuple(apexes)
        for name in gone:
            self._changed(_path(name))[-1].is_apex = False
        for name in self._apexes:
            self._changed(_path(name))[-1].is_apex = True
        for name in gone:
            self._prune(_path(name))

    @property
    def apexes(self) -> tuple[Name, ...]:
        """Where zones begin."""
        return self._apexes

    def records(self) -> Iterator[Record]:
        """Yield every record, in the order of their keys."""
        return _walk(self._root, through_cuts=True)

    def put(self, record: Record) -> None:
        """Let ``record`` be what its owner says."""
        nodes = self._changed(_path(record.owner))
        self._records_count += nodes[-1].record is None
        _recount(nodes, record)

    def remove(self, name: Name) -> None:
        """Forget the record of ``name``, and the nodes that nothing needs any more."""
        path = _path(name)
        node = self._at(path)
        if node is None or node.record is None:
            return
        self._records_count -= 1
        _recount(self._changed(path), None)
        self._prune(path)

    def own(self, name: Name) -> Record | None:
        """Return the record of exactly ``name``."""
        node = self._at(_path(name))
        return node.record if node is not None else None

    def count(self, name: Name, kind: Kind) -> int:
        """Return how many records of ``kind`` are at ``name`` and below it, cuts or not; its labels mean themselves."""
        node = self._at(_path(name))
        return 0 if node is None else int(getattr(node, kind))

    def below(self, name: Name, kind: Kind | None = None) -> Iterator[Record]:
        """Yield the records of ``name`` and below it down to cuts, in the order of their keys; wildcards match.

        With ``kind``, at least all of that kind.

        Raises:
            TooManyError: while yielding; the wildcards stand for too much.
        """
        for node in self._matches(name):
            yield from _walk(node, kind=kind)

    def beyond_cuts(self, name: Name) -> Iterator[Record]:
        """Yield the records of ``name`` and below it, whoever has authority over them: glue."""
        node = self._at(_path(name))
        return iter(()) if node is None else _walk(node, through_cuts=True)

    def labels_below(self, name: Name) -> list[bytes]:
        """Return the labels directly below ``name``."""
        node = self._at(_path(name))
        return sorted(node.children) if node is not None else []

    def has(self, name: Name) -> bool:
        """Whether ``name`` or something below it has a record; its labels mean themselves."""
        return self._at(_path(name)) is not None

    def exists(self, name: Name) -> bool:
        """Whether ``name`` or something below it has a record (RFC 8020: then it is no NXDOMAIN); wildcards match."""
        try:
            return next(self._matches(name), None) is not None
        except TooManyError:
            return True  # who knows; whoever reads it will hear

    def locate(self, name: Name, *, zone: Name) -> Place:
        """Return where ``name`` stands in ``zone``, one of the apexes.

        Its labels mean themselves (RFC 4592, section 3.3): the longest existing ancestor, the closest encloser, has a
        child ``*``, or the name does not exist.
        """
        path = _path(name)
        zone_depth = names.count_labels(zone)
        suffixes = [*names.suffixes(name)][::-1]
        node = self._root
        for depth, label in enumerate(path):
            if depth > zone_depth and node.is_delegated:
                return Place(None, suffixes[depth], (suffixes[depth],))
            child = node.children.get(label)
            if child is None:
                star = names.child(STAR, suffixes[depth])
                has_star = depth >= zone_depth and STAR in node.children
                return Place(star if has_star else None, None, (star, suffixes[depth + 1]))
            node = child
        cut = name if len(path) > zone_depth and node.is_delegated else None
        return Place(name, cut, (name,))

    def walk_zone(self, zone: Name) -> Iterator[tuple[Name, Node]]:
        """Yield every name of ``zone`` with its node: parents first, cuts too, nothing beyond cuts."""
        node = self._at(_path(zone))
        pending = [] if node is None else [(zone, node)]
        while pending:
            name, node = pending.pop()
            yield name, node
            if node.is_cut and name != zone:
                continue
            pending += [
                (names.child(label, name), node.children[label])
                for label in sorted(node.children, reverse=True)
            ]

    def _matches(self, name: Name) -> Iterator[Node]:
        path = _path(name)
        if WILDCARDS.isdisjoint(path):
            node = self._at(path)
            return iter(()) if node is None else iter((node,))
        return _match(self._root, path, 0, _Budget(MATCHES_MAX))

    def _at(self, path: list[bytes]) -> Node | None:
        node = self._root
        for label in path:
            child = node.children.get(label)
            if child is None:
                return None
            node = child
        return node

    def _changed(self, path: list[bytes]) -> list[Node]:
        """Return the nodes from the root down ``path``, made where there are none, all of them to be changed in place."""
        era = self._era
        if self._root.era is not era:
            self._root = self._root.copied(era)
        nodes = [self._root]
        for label in path:
            children = nodes[-1].children
            node = children.get(label)
            if node is None:
                node = children[label] = Node(era)
            elif node.era is not era:
                node = children[label] = node.copied(era)
            nodes.append(node)
        return nodes

    def _prune(self, path: list[bytes]) -> None:
        """Remove the node at ``path`` and its ancestors as far as nothing needs them."""
        if self._at(path) is None:
            return
        nodes = self._changed(path)
        for parent, child, label in zip(nodes[-2::-1], nodes[:0:-1], reversed(path), strict=True):
            if child.record is not None or child.children or child.is_apex:
                break
            del parent.children[label]


def _recount(nodes: list[Node], record: Record | None) -> None:
    """Let ``record`` be that of the last of ``nodes``, and all of them count it."""
    old, nodes[-1].record = nodes[-1].record, record
    hosts, texts, mails = (b - a for a, b in zip(_kinds_of(old), _kinds_of(record), strict=True))
    if hosts or texts or mails:
        for node in nodes:
            node.hosts += hosts
            node.texts += texts
            node.mails += mails


def fixed_part(name: Name) -> Name:
    """Return the part of ``name`` right of its wildcards: all that it can match lies below that."""
    fixed = name
    for suffix in names.suffixes(name):
        if suffix[1 : 1 + suffix[0]] in WILDCARDS:
            fixed = suffix[1 + suffix[0] :]
    return fixed


def _path(name: Name) -> list[bytes]:
    return names.labels(name)[::-1]


@dataclass(slots=True)
class _Budget:
    """How many names may still be looked at."""

    left: int


def _match(node: Node, path: list[bytes], at: int, budget: _Budget) -> Iterator[Node]:
    if at == len(path):
        yield node
        return
    label = path[at]
    # A question for "*" where a key has it means that key: so RFC 4592 has it, and so secondaries answer.
    if label not in WILDCARDS or (label == STAR and STAR in node.children):
        child = node.children.get(label)
        if child is not None:
            yield from _match(child, path, at + 1, budget)
        return
    budget.left -= len(node.children)
    if budget.left < 0:
        raise TooManyError
    for label in sorted(node.children):
        child = node.children[label]
        if label != STAR and not child.is_cut:
            yield from _match(child, path, at + 1, budget)


def _kinds_of(record: Record | None) -> tuple[bool, bool, bool]:
    """Return whether ``record`` is of each `Kind`."""
    if record is None:
        return (False, False, False)
    is_name = record.target is not None
    return (is_name or record.address is not None, is_name or bool(record.text), record.is_mail)


_KINDS: Final[tuple[Kind, ...]] = ("hosts", "texts", "mails")


def _walk(node: Node, *, kind: Kind | None = None, through_cuts: bool = False) -> Iterator[Record]:
    pending = [node]
    while pending:
        node = pending.pop()
        if node.record is not None:
            yield node.record
        children = node.children
        if not children or (kind is not None and not _has_below(node, kind)):
            continue
        labels = [
            label
            for label, child in children.items()
            if (kind is None or getattr(child, kind))
            and (through_cuts or not (label == STAR or child.is_cut))
        ]
        labels.sort(reverse=True)
        pending += [children[label] for label in labels]


def _has_below(node: Node, kind: Kind) -> bool:
    """Whether a name below ``node`` has a record of ``kind``."""
    own = _kinds_of(node.record)[_KINDS.index(kind)]
    return int(getattr(node, kind)) > own
