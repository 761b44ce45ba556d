"""Breaks the core on purpose, one line at a time, and says which tests notice: ``python -m tests.unit.raft.mutants``.

It works on a copy in a temporary folder and takes minutes, so it is no part of the tests.  Words after the
command choose mutants by name.  The status is 1 if a mutant survived, or its text is not in the source any more.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PACKAGE = Path("store/fairlead/raft")
TESTS = Path("tests/unit/raft")
TIMEOUT_S = 120
SLOW = {"test_quorum.py", "test_confchange.py"}
LEFT_OUT = {"test_random.py"}  # what only chance finds is not guarded


class Mutant(NamedTuple):
    """What is wrong with it, and how: a text that is once in a module, and what takes its place."""

    name: str
    module: str
    text: str
    instead: str


MUTANTS = [
    Mutant("an earlier term commits by counting", "replication", " or log.term_at(index) != node.term", ""),
    Mutant("a worse log gets votes", "log", "return (last_term, last_index) >= (self.last_term, self.last_index)", "return True"),
    Mutant("a vote is not kept", "node", "return HardState(self.term, self.vote, self.log.commit)", "return HardState(self.term, 0, self.log.commit)"),
    Mutant("two votes in a term", "election", "is_free = node.vote == message.sender or (node.vote == NOBODY and node.leader == NOBODY)", "is_free = True"),
    Mutant("the own vote counts at once", "election", "    node.become_candidate()\n", "    node.become_candidate()\n    node.votes[node.member_id] = True\n"),
    Mutant("no pre-vote", "election", "    node.become_pre_candidate()\n    _ask_for_votes(node, node.term + 1, is_pre_vote=True)\n    _count(node, node.member_id, granted=True)", "    campaign_for_real(node)"),
    Mutant("a pre-vote of any term counts", "election", " or message.term == node.term + 1)", " or True)"),
    Mutant("a living leader is not protected", "election", "if node.hears_leader and not message.is_transfer:", "if False:"),
    Mutant("the past gets no answer", "election", "        _answer_the_past(node, message)\n", ""),
    Mutant("everybody has one timeout", "node", "self.rng.randrange(ticks, 2 * ticks)", "ticks"),
    Mutant("a leader cut off leads on", "leadership", "if not node.agreed(lambda progress: int(progress.is_active), own=1):", "if False:"),
    Mutant("a stuck disk does not matter", "leadership", "if node.write_elapsed >= node.election_timeout and transfer.bequeath(node):", "if False:"),
    Mutant("a voter alone gives up", "leadership", "if node.write_elapsed >= node.election_timeout and transfer.bequeath(node):", "if node.write_elapsed >= node.election_timeout:"),
    Mutant("a write that ends does not count", "raft", "        node.write_elapsed = 0\n", ""),
    Mutant("silence does not count", "progress", "self.is_active = self._silent_ticks < election_ticks", "pass"),
    Mutant("a sign of life does not count", "progress", "        self._silent_ticks = 0\n        self.is_active = True\n\n    @property", "        self.is_active = True\n\n    @property"),
    Mutant("no entry of its own", "node", 'self.own_term_index = self.append_own(b"")', "self.own_term_index = self.log.last_index"),
    Mutant("a leader counts what it has not written", "replication", "own=log.written)", "own=log.last_index)"),
    Mutant("a promise leaves before it is kept", "node", "into = self.send_first if isinstance(message, _NEEDS_NO_DISK) else self.send_after", "into = self.send_first"),
    Mutant("a sign of life waits for the disk", "node", "Heartbeat, HeartbeatReply, InstallSnapshot, TimeoutNow, Forward, ReadRequest", "Heartbeat, InstallSnapshot, TimeoutNow, Forward, ReadRequest"),
    Mutant("what is not written is applied", "log", "last = min(self.commit, self.written)", "last = self.commit"),
    Mutant("an overtaken write counts", "log", "        self._writes = deque((sequence, min(upto, last)) for sequence, upto in self._writes)\n", ""),
    Mutant("entries are cut off without a conflict", "log", "if self.term_at(entry.index) != entry.term:", "if True:"),
    Mutant("a follower commits what the leader has not named", "replication", "log.commit_to(min(message.commit, last_new))", "log.commit_to(min(message.commit, log.last_index))"),
    Mutant("a heartbeat commits too much", "replication", "commit = min(progress.match, node.log.commit)", "commit = node.log.commit"),
    Mutant("a stranger's acknowledgement counts", "replication", "if progress is None or message.index > node.log.last_index:", "if progress is None:"),
    Mutant("entries one by one backwards", "replication", "hint, _ = node.log.meet(message.hint_index, message.hint_term)", "hint = message.index - 1"),
    Mutant("late rejections count", "progress", "elif self.state is ProgressState.PROBE and index == self.next - 1:", "elif self.state is ProgressState.PROBE:"),
    Mutant("a probe does not wait", "progress", "            self._is_waiting = True\n        elif", "            pass\n        elif"),
    Mutant("a lost append goes unnoticed", "progress", "self.wants_empty = self.match < last_index", "self.wants_empty = False"),
    Mutant("appends without number", "progress", "len(self._inflight) < inflight_max and ", ""),
    Mutant("appends without size", "progress", " and self._inflight_bytes < inflight_bytes_max", ""),
    Mutant("a rejection leaves the window full", "progress", "        self._inflight.clear()\n        self._inflight_bytes = 0\n", ""),
    Mutant("batches without size", "log", "if ends[end] - ends[first] > bytes_max:", "if False:"),
    Mutant("batches without their first entry", "log", "end = max(first + 1, bisect_right", "end = max(first, bisect_right"),
    Mutant("bytes of compacted entries stay", "log", "        del self._ends[: index - self._base_index]\n", ""),
    Mutant("level followers get different batches", "replication", "        batches[progress.next] = entries\n", ""),
    Mutant("a snapshot has no configuration", "log", "        self._configurations = [(snapshot.index, snapshot.configuration)]\n        self._entries, ", "        self._entries, "),
    Mutant("a snapshot replaces an equal log", "replication", "if log.term_at(snapshot.index) == snapshot.term:", "if False:"),
    Mutant("a snapshot for who is not there", "replication", "if progress.is_active:  #", "if True:  #"),
    Mutant("a failed snapshot is sent again at once", "progress", "            self._is_waiting = True\n\n    def lost", "            pass\n\n    def lost"),
    Mutant("a delivered snapshot does not count", "progress", "after = self.pending_snapshot + 1 if is_delivered else 0", "after = 0"),
    Mutant("any acknowledgement ends a snapshot", "progress", "self.state is ProgressState.SNAPSHOT and self.match + 1 >= first_index", "self.state is ProgressState.SNAPSHOT"),
    Mutant("joint consensus counts one set", "configuration", "return min(current, agreed(self.outgoing, reached)) if self.outgoing else current", "return current"),
    Mutant("a joint vote counts one set", "configuration", "results = {count_votes(self.voters, votes), count_votes(self.outgoing, votes)}", "results = {count_votes(self.voters, votes)}"),
    Mutant("joint consensus is not left", "membership", "if configuration.auto_leave:", "if False:"),
    Mutant("two changes at once", "membership", "    if node.log.configuration_index > node.log.commit:\n        raise", "    if False:\n        raise"),
    Mutant("a change before an own term's commit", "membership", "if not node.has_own_term_commit:", "if False:"),
    Mutant("a change during a hand-over", "membership", "if node.transferee != NOBODY:", "if False:"),
    Mutant("a removed leader leads on", "membership", "return node.member_id not in configuration.voters", "return False"),
    Mutant("a removed leader says nothing", "replication", "        flush(node)\n        transfer.bequeath(node)", "        transfer.bequeath(node)"),
    Mutant("a removed leader leaves a gap", "replication", "        transfer.bequeath(node)\n", ""),
    Mutant("a configuration is not taken back", "log", "        while self._configurations[-1][0] > last:\n            self._configurations.pop()\n", ""),
    Mutant("a learner stands for election", "log", "            if configuration.is_voter(member):\n", "            if member in configuration.members:\n"),
    Mutant("a silent learner is promoted", "membership", "progress.is_active and 10", "10"),
    Mutant("a learner far behind is promoted", "membership", "10 * progress.match >= 9 * node.log.written", "progress.match > 0"),
    Mutant("a read is not confirmed", "reads", "confirmed = node.agreed(lambda progress: progress.confirmed_round, own=node.round)", "confirmed = node.round"),
    Mutant("a read before an own term's commit", "reads", "    if not node.has_own_term_commit:\n        return False\n", ""),
    Mutant("a read misses the first commit", "reads", "read.index = max(read.index, node.own_term_index)", "pass"),
    Mutant("reads share the round under way", "reads", "    node.round += 1\n", "    node.round = max(node.round, 1)\n"),
    Mutant("a lone voter reads what it forgot", "reads", "return node.log.commit if is_alone and node.has_own_term_commit else None", "return node.log.commit if is_alone else None"),
    Mutant("one voter of two is alone", "configuration", " and not self.outgoing\n", "\n"),
    Mutant("reads without number", "reads", "        if _waiting(node) >= node.config.reads_max:\n            raise", "        if False:\n            raise"),
    Mutant("a hand-over takes proposals", "proposals", "if node.transferee != NOBODY:", "if False:"),
    Mutant("a hand-over never ends", "leadership", "        node.transferee = NOBODY\n", ""),
    Mutant("a hand-over too early", "transfer", "if progress is not None and progress.match == node.log.last_index:", "if progress is not None:"),
    Mutant("a hand-over meets protection", "election", "campaign_for_real(node, is_transfer=True)", "campaign_for_real(node)"),
    Mutant("a hand-over is said once", "replication", "        if message.sender == node.transferee:\n            transfer.hand_over(node)\n", ""),
    Mutant("a hand-over to a learner", "transfer", "if target not in node.configuration.voters:", "if False:"),
    Mutant("a learner inherits", "transfer", "if m in voters and progress.is_active", "if progress.is_active"),
    Mutant("the silent inherit", "transfer", "if m in voters and progress.is_active", "if m in voters"),
    Mutant("the first inherits", "transfer", "heir = max(heirs, key=lambda member: node.progress[member].match)", "heir = heirs[0]"),
    Mutant("uncommitted without size", "proposals", "if waiting and waiting + len(data) >", "if False and waiting + len(data) >"),
    Mutant("a large command never fits", "proposals", "if waiting and waiting", "if waiting"),
    Mutant("forwards without size", "proposals", "elif node.forwards_bytes and node.forwards_bytes", "elif False and node.forwards_bytes"),
    Mutant("forwards travel one by one", "proposals", "if batch and size + len(data) > bytes_max:", "if batch:"),
    Mutant("a forward outlives its term", "proposals", "if node.forwards_term != node.term or", "if"),
    Mutant("the commit index is not kept", "raft", "log.commit_to(max(state.commit, applied))", "log.commit_to(applied)"),
    Mutant("a vote is not synced", "raft", " or hard_state[:2] != self._taken_hard_state[:2]", ""),
    Mutant("a torn write takes the term back", "raft", "if state.term < log.last_term:", "if False:"),
    Mutant("a lost disk goes unnoticed", "log", "            raise LostEntriesError(index, self.last_index)\n", "            index = self.last_index\n"),
    Mutant("a lost leader is kept", "raft", "        node.become_follower(node.term, message.sender)\n", ""),
]  # fmt: skip


def run(copy: Path) -> list[str]:
    """Run the tests on a copy, quick ones first; return the names of up to three that fail."""
    quick = [path for path in sorted((copy / TESTS).glob("test_*.py")) if path.name not in SLOW | LEFT_OUT]
    return failing(copy, quick) or failing(copy, [copy / TESTS / name for name in sorted(SLOW)])


def failing(copy: Path, paths: list[Path]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--maxfail=3", "-p", "no:cacheprovider", "--no-header"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *map(str, paths)],
            cwd=copy, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ["(no end)"]
    return re.findall(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.MULTILINE)


def prepare(copy: Path) -> None:
    """Copy what the tests need."""
    for path in (PACKAGE, TESTS):
        shutil.copytree(ROOT / path, copy / path, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "agents").mkdir()


def main(words: list[str]) -> int:
    """Try the mutants; return 0 if each was noticed."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        prepare(copy)
        assert not run(copy), "the tests fail without a mutant"
        for mutant in chosen:
            path = copy / PACKAGE / f"{mutant.module}.py"
            source = path.read_text()
            if source.count(mutant.text) != 1:
                noticed, verdict = [], f"not applicable: its text is there {source.count(mutant.text)} times"
            else:
                path.write_text(source.replace(mutant.text, mutant.instead))
                noticed = run(copy)
                verdict = f"noticed by {', '.join(noticed)}" if noticed else "SURVIVED"
                path.write_text(source)
            failures += not noticed
            print(f"{mutant.name}: {verdict}", flush=True)
    print(f"{len(chosen)} mutants, {failures} not noticed")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
