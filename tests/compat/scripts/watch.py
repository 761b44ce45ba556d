"""Watches.  From a revision they are exact; from "now" they are nudged until they speak."""

from tests.compat.steps import Await, Finish, Script, Start, run


def _session(name: str, command: str, *, lines: int, stdin: str = "") -> Script:
    """A watch over history: it prints ``lines`` lines and is interrupted."""
    return (
        Start(name=name, command=command, lines=lines, stdin=stdin),
        Finish(name=f"{name}: printed", of=name),
    )


_HISTORY: Script = (
    run("w/1", "put w/1 one"),
    run("w/2", "put w/2 two"),
    run("w/1 again", "put w/1 uno"),
    run("other", "put x other"),
    run("w/1 gone", "del w/1"),
    run("several at one revision", "txn", stdin="\nput w/3 three\nput w/4 four\ndel w/2\n\n\n"),
    run("identical", "put w/3 three"),
)

_FROM_A_REVISION: Script = (
    *_session("one key", "watch w/1 --rev=2", lines=9),
    *_session("a prefix", "watch --prefix w/ --rev=2", lines=24),
    *_session("a prefix with prev-kv", "watch --prefix w/ --rev=2 --prev-kv", lines=29),
    *_session("a range", "watch w/1 w/3 --rev=2", lines=15),
    *_session("everything", "watch --prefix '' --rev=2", lines=27),
    *_session("from the middle", "watch --prefix w/ --rev=5", lines=15),
    *_session("as JSON", "watch --prefix w/ --rev=2 --prev-kv -w json", lines=1),
    *_session("as JSON, one key", "watch w/1 --rev=2 -w json", lines=1),
    *_session("as fields", "watch w/1 --rev=2 -w fields", lines=24),
    *_session("interactive", "watch -i", stdin="watch w/1 --rev=2\n", lines=9),
    Start(name="two watches", command="watch -i", stdin="watch w/1 --rev=5\nwatch x --rev=2\n", lines=6),
    Finish(name="two watches: printed", of="two watches", in_any_order=True),
    run("interactive, unknown words", "watch -i", stdin="look w/1\n"),
    Start(
        name="with a command", command="watch w/1 --rev=2 -- sh -c 'env | grep ^ETCD_WATCH | sort'", lines=21
    ),
    Finish(name="with a command: printed", of="with a command"),
)

_LIVE: Script = (
    Start(name="ahead", command="watch --prefix ahead/ --rev=9 --prev-kv -w json"),
    run("ahead 9", "put ahead/1 a"),
    Await(name="first", of="ahead", lines=1),
    run("ahead 10", "put ahead/1 b"),
    Await(name="second", of="ahead", lines=2),
    run("ahead 11", "txn", stdin="\nput ahead/2 c\nput ahead/3 d\n\n\n"),
    Await(name="third", of="ahead", lines=3),
    run("ahead 12", "del --prefix ahead/"),
    Await(name="fourth", of="ahead", lines=4),
    run("not watched", "put elsewhere x"),
    run("same range again", "del --prefix ahead/"),
    run("ahead last", "put ahead/1 e"),
    Await(name="fifth", of="ahead", lines=5),
    Finish(name="live events, a revision at a time", of="ahead"),
)

_COMPACTED: Script = (
    run("compaction", "compaction 6"),
    Start(name="from before the compaction", command="watch --prefix w/ --rev=3"),
    Finish(name="from before the compaction: refused", of="from before the compaction", signal=None),
    Start(name="from before, as JSON", command="watch --prefix w/ --rev=3 -w json"),
    Finish(name="from before, as JSON: refused", of="from before, as JSON", signal=None),
    *_session("after the compacted revision", "watch --prefix w/ --rev=7", lines=12),
)

# Last: how many nudges it takes is chance, and each one makes a revision.
_FROM_NOW: Script = (
    Start(name="from now", command="watch --prefix now/", lines=1, nudge="put now/nudge x"),
    run("now", "put now/done 1"),
    run("now gone", "del now/done"),
    Await(name="now seen", of="from now", lines=7),
    Finish(name="from now: ends", of="from now"),
)

SCRIPT: Script = _HISTORY + _FROM_A_REVISION + _LIVE + _COMPACTED
"""Exact on every run."""

NUDGED: Script = _FROM_NOW

SINCE_3_5_16: Script = (
    run("created", "put k v"),
    run("deleted", "del k"),
    run("something later", "put x y"),
    run("compaction", "compaction 3"),
    *_session("a delete at the compacted revision itself", "watch k --rev=3", lines=3),
)
"""etcd 3.4 loses this delete (its issue 18089); a store of our version must not."""
