"""Where things are.

coreos.com/updateengine/rebootlock/semaphore             locksmith's, of the group ``default``
coreos.com/updateengine/rebootlock/groups/G/semaphore    of another

/fairlead/lock/G/holders/ID    why, since when, by whom: a record beside each holder of ours
/fairlead/lock/G/due/ID        on a lease: gone when the holder is overdue, by the store's clock and nobody else's
/fairlead/lock/G/alive/ID      on a lease that its holder keeps: gone when a holder that said it would, died
/fairlead/lock/G/need/ID       somebody asked for a reboot of this host
/fairlead/lock/G/freeze        an operator's word, and the maximum to come back to
/fairlead/lock/G/policy        what is to become of who is overdue: {"on_overdue": "hold"}
/fairlead/lock/G/log/REVISION  what was done; the revision is the semaphore's before it
"""

from urllib.parse import quote_plus, unquote_plus

DEFAULT_GROUP = "default"
LOCKSMITH_PREFIX = "coreos.com/updateengine/rebootlock"
ROOT = "/fairlead/lock/"
STATUS_PREFIX = "/fairlead/agents/"


def semaphore_key(group: str) -> str:
    """Return the key of a group's semaphore, as locksmith has it (Go's url.QueryEscape)."""
    if group in {"", DEFAULT_GROUP}:
        return f"{LOCKSMITH_PREFIX}/semaphore"
    return f"{LOCKSMITH_PREFIX}/groups/{quote_plus(group)}/semaphore"


def group_of(key: str) -> str | None:
    """Return the group whose semaphore is at ``key``, or None."""
    if key == f"{LOCKSMITH_PREFIX}/semaphore":
        return DEFAULT_GROUP
    start, end = f"{LOCKSMITH_PREFIX}/groups/", "/semaphore"
    if key.startswith(start) and key.endswith(end):
        return unquote_plus(key[len(start) : -len(end)]) or None
    return None


def root_of(group: str) -> str:
    """Return what all of a group's other keys begin with."""
    return f"{ROOT}{quote_plus(group or DEFAULT_GROUP)}/"


def child(group: str, kind: str, name: str) -> str:
    """Return the key of one record; an id may hold any character."""
    return f"{root_of(group)}{kind}/{quote_plus(name)}"


def name_of(key: str) -> str:
    """Return the id that a record's key ends in."""
    return unquote_plus(key.rpartition("/")[2])
