"""Transactions, in the grammar that etcdctl reads: compares, then, else, each block ended by an empty line."""

from tests.compat.steps import Script, run

_THEN_ELSE = "put result yes\n\nput result no\n\n"


def _compare(*claims: str, then: str = "get a", otherwise: str = "get b") -> str:
    return "\n".join([*claims, "", then, "", otherwise, "", ""])


_HOLDS = (
    'value("a") = "1"', 'value("a") > "0"', 'value("a") < "2"', 'value("a") != "0"',
    'ver("a") = "1"', 'ver("a") > "0"', 'ver("a") < "2"', 'ver("missing") = "0"',
    'create("a") = "2"', 'create("a") > "1"', 'create("a") < "3"', 'c("missing") = "0"',
    'mod("a") = "2"', 'mod("a") > "1"', 'mod("a") < "3"', 'mod("missing") = "0"', 'm("missing") < "1"',
)  # fmt: skip
_FAILS = (
    'value("a") = "2"', 'value("a") > "1"', 'value("a") < "1"', 'val("missing") = ""', 'val("missing") > ""',
    'ver("a") = "2"', 'ver("missing") > "0"', 'create("a") = "1"', 'mod("a") > "2"', 'mod("missing") > "0"',
    'value("missing") != "x"', 'ver("a") != "1"', 'mod("a") != "2"', 'create("a") != "2"',
)  # fmt: skip

SCRIPT: Script = (
    run("a", "put a 1"),
    run("b", "put b 2"),
    *(run(f"holds: {claim}", "txn", stdin=_compare(claim)) for claim in _HOLDS),
    *(run(f"fails: {claim}", "txn", stdin=_compare(claim)) for claim in _FAILS),
    run("no compare at all succeeds", "txn", stdin="\n" + _THEN_ELSE),
    run("all compares must hold", "txn", stdin=_compare('ver("a") = "1"', 'ver("b") = "9"')),
    run("prompts of the interactive form", "txn -i", stdin=_compare('ver("a") = "1"')),
    run(
        "several operations",
        "txn",
        stdin=_compare(then="put m/1 x\nput m/2 y\nget --prefix m/\ndel b\nget --prefix ''"),
    ),
    run("b back", "put b 2"),
    run(
        "as JSON",
        "txn -w json",
        stdin=_compare(then="put --prev-kv m/2 z\nget m/2\ndel --prev-kv m/1\nget --prefix m/"),
    ),
    run("as fields", "txn -w fields", stdin=_compare(then="put m/3 x\nget m/3\ndel m/2")),
    run("prev-kv in operations", "txn", stdin=_compare(then="put --prev-kv a 1\ndel --prev-kv b")),
    run("b again", "put b 3"),
    run(
        "get with options",
        "txn -w json",
        stdin=_compare(then="get --prefix a --limit=1 --keys-only\nget --prefix b --order=DESCEND"),
    ),
    run("a failing branch that reads", "txn -w json", stdin=_compare('mod("a") = "1"')),
    run("a txn that reads only makes no revision", "txn -w json", stdin=_compare()),
    run("an empty branch", "txn -w json", stdin='ver("a") = "999"\n\nput x y\n\n\n'),
    run("the same key twice is refused", "txn", stdin=_compare(then="put k 1\nput k 2")),
    run(
        "the same key twice in the other branch is refused",
        "txn",
        stdin=_compare(otherwise="put k 1\nput k 2"),
    ),
    run("a put inside a deleted range is refused", "txn", stdin=_compare(then="put m/1 1\ndel --prefix m/")),
    run("two deletes of one key are not", "txn", stdin=_compare(then="del a\ndel a")),
    run("128 operations", "txn", stdin=_compare(then="\n".join(f"put n/{i} x" for i in range(128)))),
    run(
        "129 operations are too many",
        "txn",
        stdin=_compare(then="\n".join(f"put n/{i} x" for i in range(129))),
    ),
    run("129 compares are too many", "txn", stdin=_compare(*['ver("a") = "0"'] * 129)),
    run("a future revision fails the whole", "txn", stdin=_compare(then="put never x\nget a --rev=9999")),
    run(
        "an unknown lease fails the whole",
        "txn",
        stdin=_compare(then="put never x\nput --lease=77 also-never x"),
    ),
    run("nothing was written", "get --prefix never -w json"),
    run("a grammar that is wrong", "txn", stdin='value(a) = "1"\n\n\n\n'),
    run("a number that is none", "txn", stdin=_compare('ver("a") = "x"')),
    run("compaction before", "compaction 5"),
    run("a compacted revision fails the whole", "txn", stdin=_compare(then="put never x\nget a --rev=3")),
    run("a lease", "lease grant 500", lease=r"lease (\w+) granted"),
    run("key with it", "put leased v --lease={lease}"),
    run("a txn that deletes it", "txn", stdin=_compare(then="del leased")),
    run("everything", "get --prefix '' -w json"),
)
