"""What the server is asked for and what changes, as the live page shows it.  Bounded, and without IO."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

from fairlead.client import Change
from fairlead.dns import names
from fairlead.dns.explain.popular import Popular
from fairlead.dns.message import Rcode
from fairlead.dns.model import Model
from fairlead.dns.names import Name

CHANGES_MAX: Final = 50
TOP_MAX: Final = 50
CHILDREN_MAX: Final = 500


Elsewhere = Callable[[], tuple[Counter[Name], Counter[Name]]]


class Live:
    """Counts and remembers."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._changes: deque[dict[str, Any]] = deque(maxlen=CHANGES_MAX)
        self.asked: Popular[Name] = Popular()
        self.missing: Popular[Name] = Popular()
        self.elsewhere: Elsewhere = lambda: (Counter(), Counter())
        """What other processes of this name server have counted: asked for, and asked for in vain."""

    def seen(self, name: Name, qtype: int, rcode: int) -> None:
        """Count a question that was not answered from the table."""
        del qtype
        if rcode == Rcode.NXDOMAIN:
            self.missing.add(name)
        else:
            self.asked.add(name)

    def heard(self, name: Name, uses: int) -> None:
        """Count questions that were."""
        self.asked.add(name, uses)

    def changed(self, change: Change, *, now_s: float) -> None:
        """Remember the keys of ``change``, made at ``now_s`` of the calendar."""
        if change.is_snapshot:
            self._note("(all keys were read)", "read", change.revision, now_s=now_s)
            return
        for key in list(change.puts)[:CHANGES_MAX]:
            self._note(key.decode(errors="backslashreplace"), "put", change.revision, now_s=now_s)
        for key in list(change.deletes)[:CHANGES_MAX]:
            self._note(key.decode(errors="backslashreplace"), "delete", change.revision, now_s=now_s)

    def _note(self, key: str, what: str, revision: int, *, now_s: float) -> None:
        self._changes.appendleft({"key": key, "what": what, "revision": revision, "at_s": now_s})

    def top(self, count: int = TOP_MAX) -> dict[str, Any]:
        """Return what is asked for the most, and what in vain, since the start, by all processes."""
        self._model.table.count()
        told: dict[str, Any] = {}
        for title, here, there in zip(
            ("asked", "missing"), (self.asked, self.missing), self.elsewhere(), strict=True
        ):
            counts = here.counts() + there
            told[title] = [{"name": names.to_text(name), "count": n} for name, n in counts.most_common(count)]
            told[f"{title}_total"] = here.total + there.total()
        return told

    def tree(self, at: Name) -> list[dict[str, Any]]:
        """Return the names directly below ``at``, and what is known of each.

        ``count`` is how often it was asked for, where that is often enough to be counted.
        """
        tree = self._model.tree
        asked = self.asked.counts() + self.elsewhere()[0]
        rows = []
        for label in tree.labels_below(at)[:CHILDREN_MAX]:
            name = names.child(label, at)
            rows.append(
                {
                    "name": names.to_text(name),
                    "has_key": tree.own(name) is not None,
                    "has_more": bool(tree.labels_below(name)),
                    "is_ill": name in tree.conditions.down,
                    "count": asked[name],
                }
            )
        return rows

    def changes(self) -> list[dict[str, Any]]:
        """Return the last changes, the newest first."""
        return list(self._changes)
