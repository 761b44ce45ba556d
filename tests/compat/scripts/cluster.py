"""Health, status, members, alarms, defragmentation: what an operator types."""

from tests.compat.steps import Script, run

SCRIPT: Script = (
    run("some data", "put a 1"),
    run("more data", "put a 2"),
    run("health", "endpoint health"),
    run("health as JSON", "endpoint health -w json"),
    run("health of the cluster", "endpoint health --cluster"),
    run("health of nobody", "endpoint health --endpoints=127.0.0.1:1 --command-timeout=1s"),
    run("status", "endpoint status"),
    run("status as a table", "endpoint status -w table"),
    run("status as JSON", "endpoint status -w json"),
    run("status as fields", "endpoint status -w fields"),
    run("status of the cluster", "endpoint status --cluster"),
    run("hash", "endpoint hashkv"),
    run("hash as a table", "endpoint hashkv -w table"),
    run("hash as JSON", "endpoint hashkv -w json"),
    run("hash at a revision", "endpoint hashkv --rev=2 -w json"),
    run("hash in the future fails", "endpoint hashkv --rev=99"),
    run("members", "member list"),
    run("members as a table", "member list -w table"),
    run("members as JSON", "member list -w json"),
    run("members as fields", "member list -w fields"),
    run("no alarms", "alarm list"),
    run("nothing to disarm", "alarm disarm"),
    run("compaction", "compaction 3 --physical"),
    run("hash before the compaction fails", "endpoint hashkv --rev=2"),
    run("defrag", "defrag"),
    run("defrag of the cluster", "defrag --cluster"),
    run("data is there after it", "get a -w json"),
    run("and writable", "put a 3"),
)
