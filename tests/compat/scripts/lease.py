"""Leases, and the locks and elections that rest on them."""

from tests.compat.steps import Await, Finish, Script, Start, run

_LEASES: Script = (
    run("no leases", "lease list"),
    run("grant", "lease grant 500", one=r"lease (\w+) granted"),
    run("list of one", "lease list"),
    run("time to live", "lease timetolive {one}"),
    run("time to live with keys, none yet", "lease timetolive {one} --keys"),
    run("attach 1", "put l/1 a --lease={one}"),
    run("attach 2", "put l/2 b --lease={one}"),
    run("attach 3", "put l/0 c --lease={one}"),
    run("a key tells its lease", "get l/1 -w json"),
    run("time to live with keys", "lease timetolive {one} --keys"),
    run("time to live as JSON", "lease timetolive {one} --keys -w json"),
    run("a put without the lease detaches", "put l/2 b"),
    run("a put with ignore-lease does not", "put l/1 z --ignore-lease"),
    run("time to live after", "lease timetolive {one} --keys"),
    run("keep-alive once", "lease keep-alive --once {one}"),
    run("keep-alive as JSON", "lease keep-alive --once {one} -w json"),
    run("a second lease", "lease grant 100 -w json", two=r'"ID":(\d+)'),
    run("list of two", "lease list"),
    run("list as JSON", "lease list -w json"),
    run("a TTL below the least", "lease grant 1", short=r"lease (\w+) granted"),
    run("a TTL of zero", "lease grant 0"),
    run("a TTL that is too large", "lease grant 9000000001"),
    run("a TTL that is none", "lease grant ten"),
    run("a deleted key detaches", "del l/0"),
    run("time to live at the end", "lease timetolive {one} --keys"),
    run("time to live as fields", "lease timetolive {one} --keys -w fields"),
    run("revoke", "lease revoke {one}"),
    run("its keys are gone at one revision", "get --prefix l/ -w json"),
    run("revoke again fails", "lease revoke {one}"),
    run("time to live of one revoked", "lease timetolive {one}"),
    run("time to live of one revoked as JSON", "lease timetolive {one} -w json"),
    run("keep-alive of one revoked", "lease keep-alive --once {one}"),
    run("revoke of an unknown lease fails", "lease revoke 123abc"),
    run("revoke of what is no id", "lease revoke xyz"),
)

_EXPIRY: Script = (
    run("a lease of two seconds", "lease grant 2", dying=r"lease (\w+) granted"),
    run("the first key of it", "put e/1 x --lease={dying} -w json", since=r'"revision":(\d+)'),
    run("the second key of it", "put e/2 y --lease={dying}"),
    # Both keys go at one revision, and the watch tells.
    Start(name="its death", command="watch --prefix e/ --rev={since}", lines=12),
    Finish(name="its death: both keys deleted", of="its death"),
    run("it is dead", "lease timetolive {dying}"),
)

_LOCKS: Script = (
    run("lock around a command", "lock mutex -- sh -c 'echo held'"),
    run("lock hands on the status of its command", "lock mutex -- sh -c 'exit 7'"),
    run("no key is left behind", "get --prefix mutex"),
    Start(name="holder", command="lock mutex", lines=1),
    run("one holder", "get --prefix mutex/ --keys-only"),
    Start(name="waiter", command="lock mutex -- sh -c 'echo mine'"),
    Finish(name="holder lets go", of="holder"),
    Finish(name="waiter has it", of="waiter", signal=None),
    run("no key is left behind by either", "get --prefix mutex"),
)

_ELECTIONS: Script = (
    Start(name="alice", command="elect boss alice", lines=2),
    run("alice leads", "get --prefix boss/ --print-value-only"),
    Start(name="listener", command="elect --listen boss", lines=2),
    Finish(name="alice steps down", of="alice"),
    Start(name="bob", command="elect boss bob", lines=2),
    Await(name="the listener sees bob", of="listener", lines=4),
    Finish(name="bob steps down", of="bob"),
    Finish(name="listener saw both", of="listener"),
)

SCRIPT: Script = _LEASES + _EXPIRY + _LOCKS + _ELECTIONS
