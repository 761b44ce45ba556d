"""The package etcd3gw at work, over the JSON gateway: ``python etcd3gw_work.py HOST PORT`` prints JSON.

Runs in an environment of its own, so it imports nothing of this project.
"""

import base64
import json
import sys
import threading
from typing import Any

import etcd3gw


def b64(text: str) -> str:
    """Bytes as the gateway's transactions want them."""
    return base64.b64encode(text.encode()).decode()


def counters(client: etcd3gw.Etcd3Client) -> dict[str, Any]:
    """Three threads raise one counter by compare and swap."""
    client.put("counter", "0")

    def raise_it() -> None:
        mine = etcd3gw.client(host=sys.argv[1], port=int(sys.argv[2]))
        for _ in range(5):
            while True:
                (value,) = mine.get("counter")
                if mine.replace("counter", value.decode(), str(int(value) + 1)):
                    break

    threads = [threading.Thread(target=raise_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((value, meta),) = client.get("counter", metadata=True)
    return {"value": value.decode(), "version": meta["version"]}


def locks(client: etcd3gw.Etcd3Client) -> dict[str, Any]:
    """A lock that is held is not given twice."""
    first, second = client.lock("job", ttl=30), client.lock("job", ttl=30)
    told = [first.acquire(), second.acquire(), first.is_acquired()]
    told += [first.release(), second.acquire(), second.release()]
    return {"told": told}


def leases(client: etcd3gw.Etcd3Client) -> dict[str, Any]:
    """A key dies with its lease."""
    lease = client.lease(ttl=600)
    client.put("leased/a", "1", lease=lease)
    client.put("leased/b", "2", lease=lease)
    keys = sorted(key.decode() for key in lease.keys())  # noqa: SIM118 - a lease is no dictionary
    refreshed, before = lease.refresh(), client.get("leased/a")
    revoked = lease.revoke()
    return {
        "keys": keys,
        "refreshed": refreshed,
        "before": [value.decode() for value in before],
        "revoked": revoked,
        "after": client.get("leased/a"),
    }


def watches(client: etcd3gw.Etcd3Client) -> list[Any]:
    """What a watch of a prefix tells, until a last key."""
    client.put("watched/first", "x")
    ((_, meta),) = client.get("watched/first", metadata=True)
    events, cancel = client.watch_prefix("watched/", start_revision=int(meta["mod_revision"]))
    client.put("watched/first", "y")
    client.delete("watched/first")
    client.put("watched/last", "z")
    told = []
    for event in events:
        kv = event["kv"]
        told.append([event.get("type", "PUT"), kv["key"].decode(), kv.get("value", b"").decode()])
        if kv["key"] == b"watched/last":
            break
    cancel()
    return told


def transactions(client: etcd3gw.Etcd3Client) -> dict[str, Any]:
    """Both branches of a transaction, and create-if-absent."""
    client.put("t/a", "1")
    request = {
        "compare": [{"key": b64("t/a"), "result": "EQUAL", "target": "VALUE", "value": b64("1")}],
        "success": [{"request_put": {"key": b64("t/a"), "value": b64("2")}}],
        "failure": [{"request_range": {"key": b64("t/a")}}],
    }
    won, lost = client.transaction(request), client.transaction(request)
    return {
        "won": won.get("succeeded"),
        "lost": lost.get("succeeded"),
        "read": lost["responses"][0]["response_range"]["kvs"][0]["value"],
        "create": [client.create("t/new", "1"), client.create("t/new", "2")],
    }


def ranges(client: etcd3gw.Etcd3Client) -> dict[str, Any]:
    """Prefixes and orders."""
    for number in range(5):
        client.put(f"r/{number}", str(4 - number))
    return {
        "prefix": [value.decode() for value, _ in client.get_prefix("r/")],
        "by_value": [
            value.decode() for value, _ in client.get_prefix("r/", sort_order="ascend", sort_target="value")
        ],
        "deleted": client.delete_prefix("r/"),
        "left": client.get_prefix("r/"),
    }


def main() -> None:
    """Do it all and print it."""
    client = etcd3gw.client(host=sys.argv[1], port=int(sys.argv[2]))
    done = {work.__name__: work(client) for work in (counters, locks, leases, watches, transactions, ranges)}
    done["status"] = {"size": int(client.status()["dbSize"]) > 0, "members": len(client.members())}
    print(json.dumps(done, sort_keys=True))


main()
