"""Requests to the JSON gateway: name, path, body.  Bytes are written plain here and sent in base64."""

import base64
from typing import Any, NamedTuple


class Post(NamedTuple):
    """One POST; ``body`` is sent as JSON, or as it is when it is text."""

    name: str
    path: str
    body: dict[str, Any] | str


def b64(plain: str) -> str:
    """Return ``plain`` as the gateway wants bytes."""
    return base64.b64encode(plain.encode()).decode()


A, B, C, NONE = b64("a"), b64("b"), b64("c"), b64("\0")

SCRIPT: tuple[Post, ...] = (
    Post("put", "/v3/kv/put", {"key": A, "value": b64("1")}),
    Post("put with prev_kv of nothing", "/v3/kv/put", {"key": B, "value": b64("2"), "prev_kv": True}),
    Post("put with prev_kv", "/v3/kv/put", {"key": B, "value": b64("3"), "prev_kv": True}),
    Post("put in lower camel case", "/v3/kv/put", {"key": B, "value": b64("3"), "prevKv": True}),
    Post("put of an empty value", "/v3/kv/put", {"key": C}),
    Post("put of an empty key", "/v3/kv/put", {"value": b64("x")}),
    Post("put with an unknown lease", "/v3/kv/put", {"key": A, "lease": "77"}),
    Post("put of what is no JSON", "/v3/kv/put", "{key"),
    Post("put of what is no base64", "/v3/kv/put", '{"key": "%%%"}'),
    Post("range", "/v3/kv/range", {"key": A}),
    Post("range of nothing", "/v3/kv/range", {"key": b64("nothing")}),
    Post("range of everything", "/v3/kv/range", {"key": NONE, "range_end": NONE}),
    Post("range in lower camel case", "/v3/kv/range", {"key": NONE, "rangeEnd": NONE}),
    Post("range with a limit", "/v3/kv/range", {"key": NONE, "range_end": NONE, "limit": "1"}),
    Post("range with a limit that is a number", "/v3/kv/range", {"key": NONE, "range_end": NONE, "limit": 1}),
    Post(
        "range sorted by names",
        "/v3/kv/range",
        {"key": NONE, "range_end": NONE, "sort_order": "DESCEND", "sort_target": "MOD"},
    ),
    Post(
        "range sorted by numbers",
        "/v3/kv/range",
        {"key": NONE, "range_end": NONE, "sort_order": 2, "sort_target": 0},
    ),
    Post("range of the count", "/v3/kv/range", {"key": NONE, "range_end": NONE, "count_only": True}),
    Post("range of the keys", "/v3/kv/range", {"key": NONE, "range_end": NONE, "keys_only": True}),
    Post("range at an old revision", "/v3/kv/range", {"key": B, "revision": "3"}),
    Post("range at a future revision", "/v3/kv/range", {"key": B, "revision": "999"}),
    Post("range of an empty key", "/v3/kv/range", {}),
    Post("range, serializable", "/v3/kv/range", {"key": A, "serializable": True}),
    Post(
        "txn that succeeds",
        "/v3/kv/txn",
        {
            "compare": [{"key": A, "target": "VALUE", "value": b64("1")}],
            "success": [
                {"request_put": {"key": A, "value": b64("9"), "prev_kv": True}},
                {"request_range": {"key": A}},
                {"request_delete_range": {"key": C, "prev_kv": True}},
            ],
        },
    ),
    Post(
        "txn that fails",
        "/v3/kv/txn",
        {
            "compare": [{"result": "GREATER", "target": "CREATE", "key": A, "create_revision": "9"}],
            "failure": [{"requestRange": {"key": A}}],
        },
    ),
    Post(
        "txn within a txn",
        "/v3/kv/txn",
        {"success": [{"request_txn": {"success": [{"request_put": {"key": C, "value": b64("in")}}]}}]},
    ),
    Post("txn of nothing", "/v3/kv/txn", {}),
    Post(
        "txn with a key twice",
        "/v3/kv/txn",
        {"success": [{"request_put": {"key": C}}, {"request_put": {"key": C}}]},
    ),
    Post("delete of nothing", "/v3/kv/deleterange", {"key": b64("nothing")}),
    Post("delete", "/v3/kv/deleterange", {"key": C, "prev_kv": True}),
    Post("compaction", "/v3/kv/compaction", {"revision": "4"}),
    Post("compaction again", "/v3/kv/compaction", {"revision": "4"}),
    Post("range at a compacted revision", "/v3/kv/range", {"key": A, "revision": "2"}),
    Post("grant", "/v3/lease/grant", {"ID": "123", "TTL": "600"}),
    Post("grant of a known id", "/v3/lease/grant", {"ID": "123", "TTL": "600"}),
    Post("grant that is too long", "/v3/lease/grant", {"TTL": "9000000001"}),
    Post("put with the lease", "/v3/kv/put", {"key": C, "value": b64("leased"), "lease": "123"}),
    Post("keep alive", "/v3/lease/keepalive", {"ID": "123"}),
    Post("keep alive of an unknown lease", "/v3/lease/keepalive", {"ID": "124"}),
    Post("time to live", "/v3/lease/timetolive", {"ID": "123", "keys": True}),
    Post("time to live at the old path", "/v3/kv/lease/timetolive", {"ID": "123"}),
    Post("time to live of an unknown lease", "/v3/lease/timetolive", {"ID": "124"}),
    Post("leases", "/v3/lease/leases", {}),
    Post("revoke", "/v3/lease/revoke", {"ID": "123"}),
    Post("revoke again", "/v3/lease/revoke", {"ID": "123"}),
    Post("revoke at the old path", "/v3/kv/lease/revoke", {"ID": "123"}),
    Post("status", "/v3/maintenance/status", {}),
    Post("alarms", "/v3/maintenance/alarm", {}),
    Post("hash", "/v3/maintenance/hash", {}),
    Post("defragment", "/v3/maintenance/defragment", {}),
    Post("members", "/v3/cluster/member/list", {}),
    Post("no such path", "/v3/kv/nothing", {}),
)

UNREADABLE = {"put of what is no JSON", "put of what is no base64", "no such path"}

WATCHES: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("from a revision", {"create_request": {"key": A, "range_end": C, "start_revision": "5"}}, 2),
    ("with prev_kv", {"create_request": {"key": A, "start_revision": "5", "prev_kv": True}}, 2),
    ("in lower camel case", {"createRequest": {"key": A, "startRevision": "5"}}, 2),
    ("of a delete", {"create_request": {"key": C, "start_revision": "5"}}, 2),
    ("compacted", {"create_request": {"key": A, "start_revision": "2"}}, 2),
    ("of an empty range", {"create_request": {"key": B, "range_end": A}}, 1),
)
"""Name, first message, and the number of lines that the stream then says."""
