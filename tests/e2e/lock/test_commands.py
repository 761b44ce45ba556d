"""The commands an operator types, and each mistake."""

import asyncio
import json
import time
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.e2e.cli.command import run
from tests.e2e.lock.conftest import Lock
from tests.support.ports import free_port
from tests.support.processes import wait_for
from tests.support.store import StoreServer

from fairlead.client import Client

SEMAPHORE = "coreos.com/updateengine/rebootlock/semaphore"


def test_one_holds_the_other_waits_its_turn(lock: Lock) -> None:
    assert lock("acquire", "a", "--reason", "kernel").out.startswith("a holds default, token ")
    assert lock("acquire", "a").out.startswith("a holds default, token ")
    assert "no permit is left: 1 of 1 held, by a" in lock("acquire", "b").refusal
    shown = lock("status").out
    assert "default: 1 of 1 held" in shown
    assert "kernel" in shown
    assert lock("release", "a").out == "a holds default no more\n"
    assert lock("acquire", "b").status == 0


def test_locksmiths_host_and_ours_share_one_semaphore(lock: Lock) -> None:
    """What a host of locksmith's writes is what Go's encoding/json makes of its struct."""
    lock.kv("put", SEMAPHORE, '{"semaphore":1,"max":2,"holders":["4f7e"]}')
    assert lock("acquire", "ours").status == 0
    assert lock.kv("get", SEMAPHORE).strip() == '{"semaphore":0,"max":2,"holders":["4f7e","ours"]}'
    assert "without a record: a host of locksmith's" in lock("status").out
    lock.kv("put", SEMAPHORE, '{"semaphore":1,"max":2,"holders":["ours"]}')  # the other one has unlocked
    assert lock("unlock", "ours").status == 0
    assert lock.kv("get", SEMAPHORE).strip() == '{"semaphore":2,"max":2,"holders":[]}'


def test_a_waiting_host_gets_the_permit_when_it_comes_free(lock: Lock) -> None:
    lock("acquire", "a")
    waiting = lock.start("acquire", "b", "--wait", "30s", name="waiting")
    time.sleep(0.5)  # long enough to have been refused once; sooner, and it would not have had to wait
    lock("release", "a")
    assert waiting.wait() == 0
    assert "b holds default" in waiting.log()


def test_frozen_means_nobody_and_unfrozen_as_many_as_before(lock: Lock) -> None:
    assert lock("set-max", "2").out == "2 may hold default\n"
    lock("acquire", "a")
    assert "is frozen" in lock("freeze", "--reason", "holidays").out
    assert "frozen (holidays); end it with: fairlead lock unfreeze" in lock("acquire", "b").refusal
    assert json.loads(lock.kv("get", SEMAPHORE))["max"] == 0
    assert "frozen: holidays" in lock("status").out
    assert lock("unfreeze").out == "2 may hold default\n"
    assert lock("set-max", "0").out.startswith("0 may hold default; 1 more hold it than may")
    assert "its maximum is 0" in lock("acquire", "b").refusal


def test_who_is_overdue_is_seen_and_let_out_where_the_policy_says_so(lock: Lock) -> None:
    lock("acquire", "a", "--hold", "1s")
    wait_for(lambda: "overdue and silent" in lock("status").out, "it is overdue")
    assert lock("status").status == 1
    assert "overdue" in lock("why", "a").out
    assert "no permit is left" in lock("acquire", "b").refusal
    assert lock("on-overdue", "release").status == 0
    assert lock("acquire", "b").status == 0


def test_why_tells_what_stands_in_a_hosts_way(lock: Lock) -> None:
    lock("acquire", "a")
    lock("send-need-reboot", "b", "--reason", "new kernel")
    told = lock("why", "b").out
    assert "b does not hold default" in told
    assert "no permit is left: a" in told
    assert "a reboot was asked for: new kernel" in told
    assert "no agent is alive there" in told
    assert json.loads(lock("why", "b", "--json").out)["needs"] == {"b": "new kernel"}


def test_a_command_runs_with_a_permit_and_gives_it_back(lock: Lock) -> None:
    done = lock("run", "--id", "job", "--", "sh", "-c", "echo token $FAIRLEAD_LOCK_TOKEN; exit 7")
    assert done.status == 7
    assert done.out.startswith("token ")
    assert int(done.out.split()[1]) > 0
    assert "0 of 1 held" in lock("status").out


def test_two_commands_by_one_name_take_turns_and_neither_has_the_others_permit(lock: Lock) -> None:
    lock("set-max", "2")
    job = lock.start("run", "--id", "job", "--reason", "backup", "--", "sleep", "60", name="job")
    wait_for(lambda: "1 of 2 held" in lock("status").out, "it holds")
    refusal = lock("run", "--id", "job", "--", "true").refusal
    assert "job is in already, for another process (backup)" in refusal
    assert "job is in already" in lock("acquire", "job").refusal
    assert "1 of 2 held" in lock("status").out, "the one that was refused has taken nothing away"
    job.stop()
    assert lock("run", "--id", "job", "--wait", "30s", "--", "true").status == 0


def test_a_command_whose_holder_was_killed_makes_room_by_itself(lock: Lock) -> None:
    job = lock.start("run", "--id", "job", "--lease", "2s", "--", "sleep", "60", name="job")
    wait_for(lambda: "1 of 1 held" in lock("status").out, "it holds")
    job.stop(SIGKILL)
    assert lock("run", "--id", "next", "--wait", "30s", "--", "true").status == 0


def test_a_permit_held_by_hand_stays_when_its_holder_was_killed(lock: Lock) -> None:
    job = lock.start("run", "--id", "job", "--manual", "--", "sleep", "60", name="job")
    wait_for(lambda: "1 of 1 held" in lock("status").out, "it holds")
    job.stop(SIGKILL)
    assert "no permit is left" in lock("run", "--id", "next", "--", "true").refusal


def test_a_command_whose_lease_is_revoked_behind_its_back_is_ended(lock: Lock) -> None:
    job = lock.start("run", "--id", "job", "--lease", "2s", "--", "sleep", "60", name="job")
    wait_for(lambda: "1 of 1 held" in lock("status").out, "it holds")
    asyncio.run(revoke_all(lock.store))
    assert job.wait(within_s=30) == 75


async def revoke_all(store: StoreServer) -> None:
    async with Client([store.endpoint]) as client:
        for lease_id in await client.leases():
            await client.revoke(lease_id)


def test_airlocks_groups_are_taken_over_once_and_its_keys_stay(lock: Lock) -> None:
    key = "com.coreos.airlock/groups/web/v1/semaphore"
    lock.kv("put", key, '{"total_slots": 3, "holders": ["x"]}')
    lock.kv("put", "com.coreos.airlock/groups/bad/v1/semaphore", "{")
    taken = lock("import")
    assert taken.status == 1
    assert "groups/bad/v1/semaphore is not airlock's" in taken.err
    assert taken.out == "web: taken over, 1 of 3 held\n"
    assert lock("import").out == "web: is here already, 1 of 3 held\n"
    assert "total_slots" in lock.kv("get", key)


MISTAKES = [
    (("release", "x"), "no group 'default'; make it with: fairlead lock set-max 1 --group default"),
    (("status", "--group", "nope"), "no group 'nope'"),
    (("set-max", "--", "-1"), "a maximum of -1 cannot be; give 0 (nobody)"),
    (("acquire", "x", "--wait", "soon"), "'soon' is no duration"),
    (("run", "--", "/no/such/program"), "`/no/such/program` cannot be run"),
    (("run",), "missing argument"),
    (("agent", "--policy", "/no/such/policy"), "cannot read /no/such/policy"),
    (("serve", "--groups", "a=b"), "not a group: 'a=b'; write --groups default=1,web=2"),
    (("serve", "--tls-cert", "/x"), "--tls-cert and --tls-key go together"),
    (("acquire", "x", "--cacert", "/no/such"), "cannot read /no/such"),
    (("on-overdue", "shoot"), "'shoot' is not one of 'hold', 'page', 'release'"),
]


def test_a_mistake_gets_one_line(
    fairlead_store: StoreServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = Lock(fairlead_store, tmp_path, capsys)
    for words, refusal in MISTAKES:
        assert refusal in lock(*words).refusal, words


def test_somebody_elses_broken_json_is_named_and_left_alone(lock: Lock) -> None:
    lock.kv("put", SEMAPHORE, "{what is this")
    for words in (("acquire", "a"), ("release", "a"), ("set-max", "2"), ("status",), ("freeze",)):
        assert f"{SEMAPHORE} holds no semaphore: it is not JSON; nothing was changed" in lock(*words).refusal
    assert lock.kv("get", SEMAPHORE).strip() == "{what is this"


def test_without_a_store_there_is_no_permit() -> None:
    refusal = run("lock", "acquire", "a", "--endpoints", f"http://127.0.0.1:{free_port()}").refusal
    assert "no store answers" in refusal
