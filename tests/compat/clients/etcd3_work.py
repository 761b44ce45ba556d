"""The package etcd3 at work: ``python etcd3_work.py HOST PORT`` prints what happened as JSON.

Runs in an environment of its own, so it imports nothing of this project.
"""

import json
import sys
import threading
from typing import Any

import etcd3
import grpc


def counters(client: etcd3.Etcd3Client) -> dict[str, Any]:
    """Four threads raise one counter by compare and swap; none of the forty steps may be lost."""
    client.put("counter", "0")
    lost = []

    def raise_it() -> None:
        mine = etcd3.client(host=sys.argv[1], port=int(sys.argv[2]))
        for _ in range(10):
            while True:
                value, _ = mine.get("counter")
                if mine.replace("counter", value, str(int(value) + 1)):
                    break
                lost.append(1)

    threads = [threading.Thread(target=raise_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value, meta = client.get("counter")
    return {"value": value.decode(), "version": meta.version}


def locks(client: etcd3.Etcd3Client) -> dict[str, Any]:
    """Two holders of one lock never overlap; a second acquisition waits or gives up."""
    inside, most = [], []

    def work(number: int) -> None:
        mine = etcd3.client(host=sys.argv[1], port=int(sys.argv[2]))
        for _ in range(3):
            with mine.lock("work", ttl=30):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with client.lock("held", ttl=30):
        second = client.lock("held", ttl=30).acquire(timeout=0.5)
    return {"entries": len(most), "most_at_once": max(most), "second_acquired": second}


def leases(client: etcd3.Etcd3Client) -> dict[str, Any]:
    """A key dies with its lease; a refreshed one lives on."""
    lease = client.lease(600)
    client.put("leased/a", "1", lease=lease)
    client.put("leased/b", "2", lease=lease)
    told = client.get_lease_info(lease.id)
    refreshed = [answer.TTL for answer in lease.refresh()]
    before = client.get("leased/a")[0].decode()
    lease.revoke()
    after = client.get("leased/a")[0]
    return {
        "granted": told.grantedTTL,
        "keys": sorted(key.decode() for key in told.keys),
        "refreshed": refreshed,
        "before": before,
        "after": after,
    }


def watches(client: etcd3.Etcd3Client) -> list[Any]:
    """What a watch of a prefix tells, until a last key."""
    client.put("watched/first", "x")
    start = client.get("watched/first")[1].mod_revision
    events, cancel = client.watch_prefix("watched/", start_revision=start, prev_kv=True)
    client.put("watched/first", "y")
    client.delete("watched/first")
    client.transaction(
        compare=[],
        success=[client.transactions.put("watched/a", "1"), client.transactions.put("watched/b", "2")],
        failure=[],
    )
    client.put("watched/last", "z")
    told = []
    for event in events:
        told.append(
            [type(event).__name__, event.key.decode(), event.value.decode(), event.prev_value.decode()]
        )
        if event.key == b"watched/last":
            break
    cancel()
    return told


def transactions(client: etcd3.Etcd3Client) -> dict[str, Any]:
    """Both branches, with every kind of operation."""
    t = client.transactions
    client.put("t/a", "1")
    won, answers = client.transaction(
        compare=[t.value("t/a") == "1", t.version("t/a") > 0, t.create("t/none") == 0],
        success=[t.put("t/b", "2"), t.get("t/a"), t.delete("t/a")],
        failure=[t.put("t/never", "x")],
    )
    lost, others = client.transaction(
        compare=[t.version("t/a") > 0], success=[t.put("t/never", "x")], failure=[t.get("t/b")]
    )
    return {
        "won": won,
        "read": answers[1][0][0].decode(),
        "lost": lost,
        "other": others[0][0][0].decode(),
        "never": client.get("t/never")[0],
        "put_if_not_exists": [client.put_if_not_exists("t/new", "1"), client.put_if_not_exists("t/new", "2")],
    }


def ranges(client: etcd3.Etcd3Client) -> dict[str, Any]:
    """Prefixes, ranges and orders."""
    for number in range(10):
        client.put(f"r/{number}", str(9 - number))
    return {
        "prefix": [value.decode() for value, _ in client.get_prefix("r/")],
        "range": [meta.key.decode() for _, meta in client.get_range("r/3", "r/6")],
        "descending": [
            meta.key.decode() for _, meta in client.get_prefix("r/", sort_order="descend", sort_target="key")
        ],
        "by_value": [
            meta.key.decode() for _, meta in client.get_prefix("r/", sort_order="ascend", sort_target="value")
        ],
        "deleted": client.delete_prefix("r/").deleted,
        "left": len(list(client.get_prefix("r/"))),
    }


def errors(client: etcd3.Etcd3Client) -> dict[str, Any]:
    """What the package makes of a refusal."""
    said = {}
    attempts: dict[str, Any] = {
        "unknown lease": lambda: client.put("e", "x", lease=12345),
        "compacted": lambda: (client.compact(3), client.compact(3)),
        "known lease": lambda: (client.lease(60, 99), client.lease(60, 99)),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except (etcd3.exceptions.Etcd3Exception, grpc.RpcError) as error:
            said[name] = error.details() if isinstance(error, grpc.RpcError) else type(error).__name__
    return said


def main() -> None:
    """Do it all and print it."""
    client = etcd3.client(host=sys.argv[1], port=int(sys.argv[2]))
    done = {
        work.__name__: work(client)
        for work in (counters, locks, leases, watches, transactions, ranges, errors)
    }
    done["status"] = {"size": client.status().db_size > 0, "members": len(list(client.members))}
    print(json.dumps(done, sort_keys=True))


main()
