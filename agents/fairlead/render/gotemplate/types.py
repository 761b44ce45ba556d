"""What the translator knows of a value before it runs: just enough to write plain Jinja2 where that is the same.

Where the type is ``ANY`` the helpers under ``go`` decide when the template runs.
"""

from collections.abc import Mapping

ANY = "any"
TEXT = "text"
WHOLE = "whole"
TRUTH = "truth"
TEXTS = "texts"
WHOLES = "wholes"
PAIR = "pair"
PAIRS = "pairs"
SRV = "srv"
SRVS = "srvs"
TIME = "time"
MAP = "map"
VALUES = "values"

ITEM: Mapping[str, str] = {TEXTS: TEXT, WHOLES: WHOLE, PAIRS: PAIR, SRVS: SRV, VALUES: ANY}
"""What ``range`` gives of each kind of list."""

FIELDS: Mapping[str, Mapping[str, str]] = {
    PAIR: {"Key": TEXT, "Value": TEXT},
    SRV: {"Target": TEXT, "Port": WHOLE, "Priority": WHOLE, "Weight": WHOLE},
}
"""The fields of each kind of struct."""

RESULTS: Mapping[str, str] = {
    # confd: over keys
    "exists": TRUTH, "get": PAIR, "gets": PAIRS, "getv": TEXT, "getvs": TEXTS, "ls": TEXTS, "lsdir": TEXTS,
    # confd: over arguments
    "add": WHOLE, "atoi": WHOLE, "base": TEXT, "base64Decode": TEXT, "base64Encode": TEXT, "contains": TRUTH,
    "dir": TEXT, "div": WHOLE, "join": TEXT, "json": MAP, "jsonArray": VALUES, "map": MAP, "mod": WHOLE,
    "mul": WHOLE, "parseBool": TRUTH, "replace": TEXT, "reverse": ANY, "seq": WHOLES, "sortByLength": TEXTS,
    "sortKVByLength": PAIRS, "split": TEXTS, "sub": WHOLE, "toLower": TEXT, "toUpper": TEXT, "trimSuffix": TEXT,
    # confd: the world
    "datetime": TIME, "fileExists": TRUTH, "getenv": TEXT, "hostname": TEXT, "lookupIP": TEXTS,
    "lookupIPV4": TEXTS, "lookupIPV6": TEXTS, "lookupIfaceIPV4": TEXT, "lookupIfaceIPV6": TEXT, "lookupSRV": SRVS,
    # the fork
    "append": VALUES, "camelcase": TEXT, "coalesce": ANY, "default": ANY, "dict": MAP, "empty": TRUTH,
    "fromJson": ANY, "hasKey": TRUTH, "indent": TEXT, "kebabcase": TEXT, "keys": TEXTS, "list": VALUES,
    "nindent": TEXT, "nospace": TEXT, "pluck": VALUES, "quote": TEXT, "regexFind": TEXT, "regexMatch": TRUTH,
    "regexReplaceAll": TEXT, "repeat": TEXT, "sha256sum": TEXT, "snakecase": TEXT, "squote": TEXT, "ternary": ANY,
    "toJson": TEXT, "toPrettyJson": TEXT, "trimPrefix": TEXT, "values": VALUES,
    # Go's own
    "eq": TRUTH, "ge": TRUTH, "gt": TRUTH, "html": TEXT, "index": ANY, "js": TEXT, "le": TRUTH, "len": WHOLE,
    "lt": TRUTH, "ne": TRUTH, "not": TRUTH, "print": TEXT, "printf": TEXT, "println": TEXT, "slice": ANY,
    "urlquery": TEXT,
}  # fmt: skip
"""What each function gives."""

GO_OWN = frozenset(
    {
        "eq", "fromJson", "ge", "gt", "html", "index", "js", "json", "jsonArray", "le", "len", "lt", "ne", "print",
        "printf", "println", "reverse", "slice", "sortByLength", "sortKVByLength", "toJson", "toPrettyJson", "urlquery",
    }
)  # fmt: skip
"""Functions whose ways in Go are not those of the renderer's function of that name; ``go`` has Go's."""
