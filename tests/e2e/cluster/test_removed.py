"""A learner says nothing by itself: one that is removed behind its back has to hear of it when it is back."""

from pathlib import Path
from signal import SIGCONT, SIGSTOP

from tests.support.cluster import StoreCluster
from tests.support.processes import wait_for
from tests.support.store import FairleadStore
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

FLAGS = ("--heartbeat-interval", "50", "--election-timeout", "500")


def test_a_learner_that_was_removed_while_it_stood_still_ends_and_says_why(tmp_path: Path) -> None:
    with StoreCluster(FairleadStore, tmp_path, size=1, flags=FLAGS) as cluster:
        first = cluster.members["m1"]
        learner = cluster.newcomer("m2")
        request = pb.MemberAddRequest(peerURLs=[cluster.peer_url(learner)], isLearner=True)
        with Wire(first.address) as wire:
            member_id = wire.get("MemberAdd", request).member.ID
            learner.program.start(lambda: "ready" in learner.program.log())
            learner.program.signal(SIGSTOP)
            try:
                wire.get("MemberRemove", pb.MemberRemoveRequest(ID=member_id))
            finally:
                learner.program.signal(SIGCONT)
        wait_for(lambda: not learner.program.is_running, "the learner has noticed")
        assert learner.program.exit_status == 0
        assert "this member was removed from its cluster" in learner.program.log()
        # ...and it stays out when it is started again.
        learner.program.start()
        wait_for(lambda: not learner.program.is_running, "it ends again")
