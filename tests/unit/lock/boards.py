"""A store for the pure parts: keys with revisions, and leases that end when a test says so."""

from dataclasses import dataclass, field

from fairlead.lock import keys
from fairlead.lock.board import Board, Pair, read_board
from fairlead.lock.operations import Change


@dataclass
class Keys:
    """What a group's keys hold; ``apply`` is the store's transaction."""

    group: str = keys.DEFAULT_GROUP
    revision: int = 1
    pairs: dict[str, Pair] = field(default_factory=dict)
    hosts_alive: set[str] = field(default_factory=set)

    def put(self, key: str, value: bytes) -> None:
        self.revision += 1
        self.pairs[key] = Pair(value=value, mod_revision=self.revision)

    def expire(self, kind: str, holder: str) -> None:
        """The lease of ``due/HOLDER`` or ``alive/HOLDER`` is over."""
        self.revision += 1
        del self.pairs[keys.child(self.group, kind, holder)]

    def board(self) -> Board:
        return read_board(
            self.group, self.pairs, hosts_alive=frozenset(self.hosts_alive), revision=self.revision
        )

    def apply(self, change: Change | None) -> bool:
        """Return whether the comparisons held."""
        if change is None:
            return True
        mine = self.pairs.get(keys.semaphore_key(change.group))
        if (0 if mine is None else mine.mod_revision) != change.mod_revision:
            return False
        if change.is_thawed and f"{keys.root_of(change.group)}freeze" in self.pairs:
            return False
        puts = dict(change.puts)
        if change.due is not None:
            puts[change.due[0]] = b""
        if change.alive:
            puts[change.alive] = b""
        twice = puts.keys() & set(change.deletes)
        assert not twice, f"etcd refuses a transaction that touches a key twice: {twice}"
        self.revision += 1
        for key, value in puts.items():
            self.pairs[key] = Pair(value=value, mod_revision=self.revision)
        for key in change.deletes:
            self.pairs.pop(key, None)
        return True
