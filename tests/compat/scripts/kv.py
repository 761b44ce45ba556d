"""put, get, del and compaction."""

from tests.compat.steps import Script, run

_PUTS: Script = (
    run("put prints OK", "put fruit/apple red"),
    run("put again makes a second version", "put fruit/apple green"),
    run("put of the same value makes a revision", "put fruit/apple green"),
    run("put from standard input", "put fruit/banana", stdin="yellow\nand long"),
    run("put of an empty value", "put fruit/cherry ''"),
    run("put with prev-kv of nothing", "put --prev-kv fruit/date brown"),
    run("put with prev-kv", "put --prev-kv fruit/date black"),
    run("put with prev-kv as JSON", "put --prev-kv -w json fruit/date brown"),
    run("put as fields", "put --prev-kv -w fields fruit/date black"),
    run("put with ignore-value keeps the value", "put --ignore-value fruit/date"),
    run("put with ignore-value of a missing key fails", "put --ignore-value fruit/none"),
    run("put with ignore-lease of a missing key fails", "put --ignore-lease fruit/none x"),
    run("put with ignore-lease", "put --ignore-lease fruit/date beige"),
    run("put of an empty key fails", "put '' x"),
    run("put with an unknown lease fails", "put --lease=1234 fruit/fig x"),
    run("put of a value beyond the limit fails", "put big", stdin="v" * (1_600 * 1024)),
    run("put of a value within the limit", "put big", stdin="v" * (1_400 * 1024)),
    run("del of the large value", "del big"),
    run("put of bytes that are not ASCII", "put fruit/épine 'café ☕'"),
    run("put above the prefix", "put fruiz zz"),
    run("put below the prefix", "put fruis ss"),
    run("a deleted key", "put fruit/gone x"),
    run("del of it", "del fruit/gone"),
    run("created again, it is a new generation", "put fruit/gone y"),
    run("as JSON: version 1", "get fruit/gone -w json"),
)

_GETS: Script = (
    run("get of one key", "get fruit/apple"),
    run("get as JSON", "get fruit/apple -w json"),
    run("get as fields", "get fruit/apple -w fields"),
    run("get in hexadecimal", "get fruit/apple --hex"),
    run("get of a missing key prints nothing", "get nothing"),
    run("get of a missing key as JSON", "get nothing -w json"),
    run("get of an empty key fails", "get ''"),
    run("get of a prefix", "get --prefix fruit/"),
    run("get of a prefix as JSON", "get --prefix fruit/ -w json"),
    run("get of a prefix as fields", "get --prefix fruit/ -w fields"),
    run("get of everything", "get --prefix ''"),
    run("get of a range", "get fruit/apple fruit/cherry"),
    run("get of a range that is empty", "get fruit/cherry fruit/apple"),
    run("get from a key", "get --from-key fruit/date"),
    run("get from the first key", "get --from-key ''"),
    run("get with a limit", "get --prefix fruit/ --limit=2 -w json"),
    run("get with a limit of everything there is", "get --prefix fruit/ --limit=6 -w json"),
    run("get with a limit beyond", "get --prefix fruit/ --limit=7 -w json"),
    run("get of the count", "get --prefix fruit/ --count-only -w fields"),
    run("get of the keys", "get --prefix fruit/ --keys-only"),
    run("get of the keys as JSON", "get --prefix fruit/ --keys-only -w json"),
    run("get of the value alone", "get --print-value-only fruit/apple"),
    run("get of the values alone", "get --prefix --print-value-only fruit/"),
    run("get, serializable", "get --consistency=s --prefix fruit/"),
    run("get, linearizable", "get --consistency=l --prefix fruit/"),
    run("get with prefix and from-key is refused", "get --prefix --from-key fruit/"),
    run("get at an old revision", "get fruit/apple --rev=2"),
    run("get at an old revision as JSON", "get fruit/apple --rev=3 -w json"),
    run("get before the key was", "get fruit/banana --rev=2"),
    run("get of a prefix at an old revision", "get --prefix fruit/ --rev=6 -w json"),
    run("get of a deleted key while it was", "get --prefix fruit/ --rev=12 --keys-only"),
    run("get at a future revision fails", "get fruit/apple --rev=9999"),
)

_SORTS: Script = (
    *(
        run(f"get by {target} {more}", f"get --prefix fruit/ --sort-by={target} {more} -w json")
        for target in ("CREATE", "KEY", "MODIFY", "VALUE", "VERSION")
        for more in ("--order=ASCEND", "--order=DESCEND", "--order=DESCEND --limit=3")
    ),
    run("get sorted without an order", "get --prefix fruit/ --sort-by=VALUE -w json"),
    run("get sorted without an order but a limit", "get --prefix fruit/ --sort-by=VALUE --limit=2 -w json"),
    run("get in order without a target", "get --prefix fruit/ --order=DESCEND --keys-only"),
)

_DELETES: Script = (
    run("del of nothing makes no revision", "del nothing -w json"),
    run("del of an empty key fails", "del ''"),
    run("del of one key", "del fruit/apple"),
    run("del as JSON", "del fruit/banana -w json"),
    run("del with prev-kv", "del --prev-kv fruit/cherry"),
    run("refill 1", "put d/1 one"),
    run("refill 2", "put d/2 two"),
    run("refill 3", "put d/3 three"),
    run("refill 4", "put d/4 four"),
    run("del of a range", "del d/1 d/3"),
    run("del of a prefix with prev-kv", "del --prefix --prev-kv d/"),
    run("refill 5", "put d/5 five"),
    run("refill 6", "put d/6 six"),
    run("del with prev-kv as JSON", "del --prefix --prev-kv d/ -w json"),
    run("refill 7", "put d/7 seven"),
    run("del with prev-kv as fields", "del --prefix --prev-kv d/ -w fields"),
    run("refill 8", "put zebra stripes"),
    run("refill 9", "put zulu warrior"),
    run("del from a key", "del --from-key z --prev-kv"),
    run("what is left", "get --prefix '' -w json"),
)

_COMPACTION: Script = (
    run("history to compact", "put c 1"),
    run("more history", "put c 2"),
    run("and more", "put c 3"),
    run("the revision now", "get c -w json", now=r'"mod_revision":(\d+)'),
    run("compaction", "compaction 10"),
    run("compaction again at the same revision fails", "compaction 10"),
    run("compaction at an older revision fails", "compaction 5"),
    run("compaction in the future fails", "compaction 9999"),
    run("compaction of what is no number", "compaction ten"),
    run("get at the compacted revision itself", "get --prefix fruit/ --rev=10 -w json"),
    run("get before the compacted revision fails", "get fruit/apple --rev=9"),
    run("compaction, physical", "compaction --physical {now}"),
    run("get at the revision now", "get c --rev={now}"),
    run("what is left is untouched", "get --prefix '' -w json"),
    run("compaction as JSON fails once done", "compaction {now} -w json"),
)

SCRIPT: Script = _PUTS + _GETS + _SORTS + _DELETES + _COMPACTION
