"""What operators do to a cluster of three, with stock etcdctl: Fairlead answers as etcd does.

One story is played on each, and its steps are compared.  Ids, ports and the order of ids differ by nature: ids and
addresses are written as the names of the members, and lines are sorted.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests import peers
from tests.compat import normalise
from tests.compat.steps import Outcome
from tests.support.cluster import StoreCluster
from tests.support.processes import clean_environment, wait_for
from tests.support.store import EtcdServer, FairleadStore, StoreServer

pytestmark = pytest.mark.peer("etcd", "etcdctl")

_CALL_WITHIN_S = 20.0
# etcd calls a cluster unhealthy whose connections are younger than five seconds.
_SETTLED_WITHIN_S = 20.0

Transcript = dict[str, Outcome]
Step = tuple[str, Outcome]


class Operator:
    """Somebody with etcdctl before a cluster of three."""

    def __init__(self, cluster: StoreCluster) -> None:
        self.cluster = cluster
        self.ids: dict[str, str] = {}
        """Name of a member, or of one that was, to its id in hexadecimal."""

    def call(self, command: str, *, on: str = "") -> "subprocess.CompletedProcess[str]":
        """Run etcdctl with ids for ``{m1}`` and peer URLs for ``{m1.peer}``; ``on`` names one member."""
        for name, member in self.cluster.members.items():
            command = command.replace(f"{{{name}.peer}}", self.cluster.peer_url(member))
        for name, member_id in self.ids.items():
            command = command.replace(f"{{{name}}}", member_id)
        endpoints = self.cluster.members[on].address if on else self.cluster.endpoints
        return subprocess.run(
            [peers.find("etcdctl") or "etcdctl", "--endpoints", endpoints, *command.split()],
            capture_output=True,
            text=True,
            env=clean_environment({"ETCDCTL_API": "3"}),
            timeout=_CALL_WITHIN_S,
            check=False,
        )

    def do(self, command: str, *, on: str = "") -> Outcome:
        """Run etcdctl and return what came of it, comparable."""
        return self._outcome(self.call(command, on=on))

    def do_settled(self, command: str, *, on: str = "", passing: str = "unhealthy cluster") -> Outcome:
        """Run etcdctl again and again while it is refused for a reason that passes."""
        tries: list[subprocess.CompletedProcess[str]] = []

        def is_settled() -> bool:
            tries.append(self.call(command, on=on))
            return passing not in tries[-1].stderr

        wait_for(is_settled, f"an end of {passing!r} to {command}", within_s=_SETTLED_WITHIN_S)
        return self._outcome(tries[-1])

    def wait_for_voters(self, count: int) -> None:
        """Wait until so many members have started and vote."""

        def are_there() -> bool:
            return (
                len(re.findall("started, m.*, false$", self.call("member list").stdout, re.MULTILINE))
                == count
            )

        wait_for(are_there, f"{count} voters", within_s=_SETTLED_WITHIN_S)

    def learn_ids(self) -> None:
        """Note the ids of all members that are there."""
        by_url = {self.cluster.peer_url(member): name for name, member in self.cluster.members.items()}
        for line in self.call("member list").stdout.splitlines():
            member_id, _, _, urls, *_ = line.split(", ")
            if urls in by_url:
                self.ids[by_url[urls]] = member_id

    def _outcome(self, done: "subprocess.CompletedProcess[str]") -> Outcome:
        return Outcome(done.returncode, self._comparable(done.stdout), self._comparable(done.stderr))

    def _comparable(self, printed: str) -> str:
        for name, member in self.cluster.members.items():
            for port, what in ((member.port, "client"), (member.peer_port, "peer")):
                printed = printed.replace(f"127.0.0.1:{port}", f"{name}.{what}")
        for name, member_id in self.ids.items():
            printed = re.sub(rf"\b{member_id}\b", f"ID-of-{name}", printed)
        printed = re.sub(r"^(\S+\.client), (\S+), .*?, (true|false), (true|false), .*$", r"\1, \2, \3, \4", printed, flags=re.MULTILINE)  # fmt: skip
        printed = re.sub(r"^(\S+\.client), \d+$", r"\1, HASH", printed, flags=re.MULTILINE)
        printed = re.sub(
            r'(?<=ETCD_INITIAL_CLUSTER=").*(?=")',
            lambda found: ",".join(sorted(found[0].split(","))),
            printed,
        )
        # Ids that begin with zeros are padded in some places, and not in others.
        lines = re.sub(" +", " ", normalise.text(printed)).split("\n")
        return "\n".join(sorted(lines))


def story(operator: Operator) -> Iterator[Step]:
    """Everything that is done to the members of one cluster."""
    yield from _look(operator)
    yield from _hand_over(operator)
    yield from _grow(operator)
    yield from _learn(operator)
    yield from _shrink(operator)


def _look(operator: Operator) -> Iterator[Step]:
    operator.learn_ids()
    operator.call("move-leader {m1}")
    yield "a write", operator.do("put a 1")
    yield "members", operator.do("member list")
    yield "members as a table", operator.do("member list -w table")
    yield "status of all", operator.do("endpoint status --cluster", on="m2")
    yield "health of all", operator.do("endpoint health --cluster", on="m3")
    yield "hashes of all", operator.do("endpoint hashkv --cluster", on="m2")
    hashes = operator.call("endpoint hashkv --cluster", on="m2").stdout.split("\n")
    yield "they agree", Outcome(len({line.partition(", ")[2] for line in hashes if line}), "", "")
    yield "read at every member", operator.do("get a", on="m3")


def _hand_over(operator: Operator) -> Iterator[Step]:
    yield "leadership to m2", operator.do("move-leader {m2}")
    yield "status after it", operator.do("endpoint status --cluster", on="m1")
    yield "leadership to the leader itself", operator.do("move-leader {m2}")
    yield "leadership by a follower", operator.do("move-leader {m3}", on="m1")
    yield "leadership to nobody", operator.do("move-leader 123")
    yield "and back", operator.do("move-leader {m1}")


def _grow(operator: Operator) -> Iterator[Step]:
    cluster = operator.cluster
    newcomer = cluster.newcomer("m4")
    add = "member add m4 --peer-urls={m4.peer}"
    yield "a member at no URL", operator.do("member add m4 --peer-urls=nowhere", on="m1")
    yield "a member at another's URL", operator.do_settled("member add m4 --peer-urls={m2.peer}", on="m1")
    # The id is not known before: it is in the outcome as ID.
    yield "a fourth member", operator.do(add, on="m2")
    second = int(time.time())
    operator.learn_ids()
    newcomer.start()
    operator.wait_for_voters(4)
    yield "members with it", operator.do("member list", on="m1")
    yield "it has what was written", operator.do("get a", on="m4")
    yield "it writes", operator.do("put a 2", on="m4")
    # An id is made of the addresses and the second: in the same one it is the id that is there already.
    wait_for(lambda: int(time.time()) > second, "another second")
    yield "a fourth member again", operator.do_settled(add, on="m1")
    yield "another address for it", operator.do("member update {m4} --peer-urls=http://127.0.0.1:1", on="m3")
    yield "another's address for it", operator.do("member update {m4} --peer-urls={m1.peer}", on="m3")
    yield "an address of nobody", operator.do("member update 123 --peer-urls=http://127.0.0.1:2", on="m3")
    yield "members with its address", operator.do("member list", on="m1")
    yield "it has to go", operator.do_settled("member remove {m4}", on="m1")
    yield "it ends by itself", Outcome(newcomer.program.wait(), "", "")
    yield "it cannot go twice", operator.do("member remove {m4}", on="m1")
    yield "nobody can go", operator.do("member remove 123", on="m2")
    cluster.forget("m4")


def _learn(operator: Operator) -> Iterator[Step]:
    cluster = operator.cluster
    newcomer = cluster.newcomer("m5")
    learner = "member add m5 --learner --peer-urls={m5.peer}"
    yield "a learner", operator.do_settled(learner, on="m3")
    operator.learn_ids()
    yield "members with the learner", operator.do("member list", on="m1")
    another = "member add m6 --learner --peer-urls=http://127.0.0.1:1"
    promote = "member promote {m5}"
    yield "a voter is not promoted", operator.do("member promote {m2}", on="m1")
    yield "nobody is promoted", operator.do("member promote 123", on="m1")
    yield "one that is not there is not promoted", operator.do(promote, on="m1")
    newcomer.program.start()
    yield "a second learner", operator.do_settled(another, on="m1")
    yield "leadership to the learner", operator.do("move-leader {m5}")
    yield "one that has caught up is promoted", operator.do_settled(promote, on="m2", passing="in sync")
    newcomer.program.wait_until(newcomer.is_healthy, "healthy")
    operator.wait_for_voters(4)
    yield "members with one more voter", operator.do("member list", on="m5")
    yield "and without", operator.do_settled("member remove {m5}", on="m1")
    newcomer.program.wait()
    cluster.forget("m5")


def _shrink(operator: Operator) -> Iterator[Step]:
    cluster = operator.cluster
    cluster.members["m3"].stop()
    yield "one that does not answer may go", operator.do("member remove {m3}", on="m1")
    cluster.forget("m3")
    yield "two are left", operator.do("member list", on="m2")
    yield "one of two may go", operator.do_settled("member remove {m2}", on="m1")
    cluster.members["m2"].program.wait()
    cluster.forget("m2")
    yield "the last one stays", operator.do("member remove {m1}", on="m1")
    yield "and serves", operator.do("get a", on="m1")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Transcript]:
    """The story on both, at the same time: most of it is waiting."""
    kinds: tuple[type[StoreServer], ...] = (EtcdServer, FairleadStore)

    def play(kind: type[StoreServer]) -> Transcript:
        with StoreCluster(kind, tmp_path_factory.mktemp(kind.kind)) as cluster:
            return dict(story(Operator(cluster)))

    with ThreadPoolExecutor(len(kinds)) as pool:
        return dict(zip((kind.kind for kind in kinds), pool.map(play, kinds), strict=True))


def test_every_step_ends_alike(played: dict[str, Transcript]) -> None:
    theirs, ours = played["etcd"], played["fairlead"]
    assert list(ours) == list(theirs)
    differing = {step: (theirs[step], ours[step]) for step in theirs if ours[step] != theirs[step]}
    assert differing == {}
