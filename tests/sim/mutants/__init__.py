"""Bugs that the simulator has to find: mistakes that were made before, and those that Raft's proofs warn of.

A simulator that stays green while the program is broken is blind.  Each mutant leaves out one thought of the
program; `seed` is the first that shows it.  The table in ``README.md`` is made from here.
"""

from tests.sim.mutants import consensus, serving, storage
from tests.sim.mutants.patches import Mutant, mutated

_SEEDS: dict[str, int] = {
    "commit_an_old_term_by_counting": 4,
    "count_the_leader_before_its_disk": 16,
    "acknowledge_before_the_sync": 4,
    "vote_before_the_sync": 13,
    "vote_for_everybody": 2,
    "elect_without_a_look_at_the_log": 1,
    "truncate_on_every_append": 11,
    "commit_before_the_logs_have_met": 7,
    "commit_by_heartbeat_what_may_differ": 7,
    "read_without_confirmation": 21,
    "confirm_reads_by_older_heartbeats": 8,
    "read_before_the_term_has_begun": 4,
    "read_what_the_leader_has_committed_only": 8,
    "count_a_joint_quorum_by_union": 4,
    "count_the_new_configuration_alone": 34,
    "keep_a_configuration_that_was_truncated": 57,
    "forget_the_vote": 1,
    "forget_the_term": 2,
    "do_not_sync": 1,
    "go_on_after_a_failed_sync": 102,
    "trust_the_page_cache_at_the_start": 11,
    "mark_as_applied_too_early": 1,
    "mark_as_applied_too_late": 3,
    "forget_the_configuration_in_snapshots": 4,
    "let_the_revision_go_back": 2,
    "lose_the_deletion_at_a_compaction": 16,
    "propose_again_whatever_became_of_it": 1,
    "propose_again_after_a_snapshot": 124,
    "let_any_answer_confirm_a_read": 21,
    "expire_by_the_time_of_the_grant": 9,
    "expire_too_early": 3,
    "lose_events_of_slow_watchers": 2,
    "report_progress_ahead_of_events": 1,
    "split_a_revision": 1,
    "tell_what_was_told": 2,
    "watch_back_in_time": 50,
    "renew_without_asking_who_leads": 382,
    "append_without_a_look_at_what_is_before": 204,
    "take_replies_of_an_old_term": 129,
    "count_doubled_votes": 36,
}


def _all() -> list[Mutant]:
    found = []
    for module in (consensus, storage, serving):
        for name, apply in vars(module).items():
            if getattr(apply, "__module__", "") == module.__name__ and not name.startswith("_"):
                breaks = (apply.__doc__ or "").split("\n")[0]
                found.append(Mutant(name, breaks, apply, _SEEDS[name]))
    return found


MUTANTS = _all()

__all__ = ["MUTANTS", "Mutant", "mutated"]
