"""The state machine over a host in memory."""

import contextlib
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from tests.unit.render.change.simulated import (
    COMMAND,
    ROLLOUT,
    Crash,
    Host,
    Process,
    Program,
    group,
    is_settled,
)
from tests.unit.render.conftest import rendered_as

from fairlead.render.change import Phase, State, Step
from fairlead.render.change.actions import (
    Acquire,
    Action,
    Append,
    Done,
    Inspect,
    Pause,
    Prepare,
    Release,
    Restore,
    RunVerify,
    Stage,
    Swap,
)
from fairlead.render.change.arrows import TABLE
from fairlead.render.errors import (
    CheckFailedError,
    DestinationError,
    GuardError,
    QuarantinedError,
    ReloadFailedError,
    RollbackFailedError,
    RolledBackError,
    RolloutError,
    TemplateError,
)
from fairlead.render.resource import FileSpec, Guard, Reload, Resource, Rollout

FULL = ["Inspect", "Stage", "RunCheck", "Prepare", "Swap", "RunReload", "RunVerify", "Append"]


def good(files: Mapping[str, bytes]) -> bool:
    return b"bad" not in files.values()


@pytest.fixture
def host() -> Host:
    return Host(program=Program(accepts=good))


@pytest.fixture
def process(host: Host) -> Process:
    return Process(host, group())


def test_the_table_has_an_arrow_for_every_state_but_rest() -> None:
    assert set(State) - set(TABLE) == {State.IDLE}


def test_a_change_is_staged_checked_written_down_swapped_reloaded_verified_and_written_down(
    host: Host, process: Process
) -> None:
    outcome = process.offer(b"1", b"2")
    assert (outcome.step, outcome.error) == (Step.REPLACE, None)
    assert host.log == FULL
    assert is_settled(host)
    assert host.staged == {}
    assert repr(process.machine) == "<Machine of g: IDLE, SETTLED>"


def test_nothing_is_done_twice(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    host.log.clear()
    assert process.offer(b"1", b"2").step is Step.NOTHING
    assert host.log == ["Inspect"]


def test_files_that_are_there_already_are_still_unread(host: Host, process: Process) -> None:
    """Equal files say nothing about what the program runs on."""
    host.files = {"/a": b"1", "/b": b"2"}
    outcome = process.offer(b"1", b"2")
    assert (outcome.step, outcome.error) == (Step.RELOAD, None)
    assert host.program.reloads == 1
    assert is_settled(host)


def test_drift_of_the_mode_is_repaired_without_a_reload(host: Host) -> None:
    resource = group(files=(FileSpec(src="t", dest="/a", mode=0o600),))
    process = Process(host, resource)
    process.offer(b"1")
    host.modes["/a"] = 0o666
    assert process.offer(b"1").step is Step.REPAIR
    assert host.modes["/a"] == 0o600
    assert host.program.reloads == 1


def test_a_refused_check_touches_nothing_and_is_tried_again(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    host.check = good
    outcome = process.offer(b"bad", b"2")
    assert isinstance(outcome.error, CheckFailedError)
    assert str(outcome.error) == (
        "conf.d/g.yaml: check failed, /a is left as it was (from templates/t.j2, after a change of /key):"
        " check: exit status 1"
    )
    assert outcome.is_retry_due
    assert host.staged == {}
    assert is_settled(host)


@pytest.mark.parametrize("tells", [True, False], ids=["the reload fails", "only the probe notices"])
def test_a_change_that_the_program_does_not_take_is_rolled_back_and_quarantined(
    host: Host, process: Process, *, tells: bool
) -> None:
    host.program.tells = tells
    process.offer(b"1", b"2")
    outcome = process.offer(b"bad", b"3")
    assert (outcome.step, outcome.is_retry_due) == (Step.ROLL_BACK, False)
    assert isinstance(outcome.error, RolledBackError)
    assert "rolled back, /a, /b as before" in str(outcome.error)
    assert "fairlead render retry g" in str(outcome.error)
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert is_settled(host)
    again = process.offer(b"bad", b"3")
    assert isinstance(again.error, QuarantinedError)
    assert ("reload: exit status 1" if tells else "no answer") in str(again.error)
    assert host.log[-1] == "Inspect"
    assert process.offer(b"4", b"3").error is None
    assert is_settled(host)
    assert [entry.kind for entry in process.machine.memory.history] == ["done", "rolled_back", "done"]


def test_a_quarantined_output_is_tried_again_when_somebody_says_so(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    process.offer(b"bad", b"2")
    host.program.accepts = lambda _: True
    process.retry()
    assert process.offer(b"bad", b"2").error is None
    assert is_settled(host)


def test_a_rollback_that_fails_too_is_owed_and_tried_again(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    host.program.accepts = lambda _: False
    outcome = process.offer(b"3", b"3")
    assert isinstance(outcome.error, RollbackFailedError)
    assert (outcome.is_reload_owed, outcome.is_retry_due) == (True, True)
    assert host.files == {"/a": b"1", "/b": b"2"}
    host.program.accepts = lambda _: True
    healed = process.offer(b"3", b"3")
    assert isinstance(healed.error, RolledBackError)
    assert is_settled(host)


def test_a_fix_goes_through_after_a_failed_rollback_and_goes_back_to_the_last_good_files(
    host: Host, process: Process
) -> None:
    process.offer(b"1", b"2")
    host.program.accepts = lambda _: False
    process.offer(b"3", b"3")
    host.program.accepts = good
    assert isinstance(process.offer(b"bad", b"5").error, RolledBackError)
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert process.offer(b"4", b"4").error is None
    assert is_settled(host)


def test_after_a_failed_rollback_even_equal_files_are_reloaded(host: Host, process: Process) -> None:
    """The program may have taken the new files, or half of them; only a reload puts that right."""
    process.offer(b"1", b"2")
    host.program.accepts = lambda _: False
    process.offer(b"3", b"3")
    host.program.accepts = good
    host.fails = lambda action: "/b: Input/output error" if isinstance(action, Swap) else ""
    process.offer(b"4", b"4")
    assert process.machine.memory.phase is Phase.SETTLED
    host.fails = lambda _: ""
    reloads = host.program.reloads
    assert process.offer(b"1", b"2").step is Step.RELOAD
    assert host.program.reloads == reloads + 1


def test_a_reload_that_is_overtaken_is_not_forgotten_when_its_successor_comes_to_nothing(host: Host) -> None:
    process = Process(host, group(on_failure="retry"))
    process.offer(b"1", b"2")
    host.program.accepts = lambda _: False
    process.offer(b"3", b"3")
    host.program.accepts = good
    host.fails = lambda action: "/b: Input/output error" if isinstance(action, Swap) else ""
    process.offer(b"4", b"4")
    host.fails, host.files = lambda _: "", {"/a": b"1", "/b": b"2"}
    assert process.offer(b"1", b"2").step is Step.RELOAD


def test_what_could_not_be_undone_at_once_is_undone_to_the_last_good_files(
    host: Host, process: Process
) -> None:
    """Not to what lies there: that is the change that has failed."""
    process.offer(b"1", b"2")
    host.fails = lambda action: "journal: no" if isinstance(action, Append) else ""
    process.offer(b"bad", b"3")
    assert host.files == {"/a": b"bad", "/b": b"3"}
    host.fails = lambda _: ""
    assert isinstance(process.offer(b"bad", b"4").error, RolledBackError)
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert is_settled(host)


def test_a_first_change_that_fails_stays_and_is_tried_again_unless_told_otherwise(host: Host) -> None:
    process = Process(host, group())
    outcome = process.offer(b"bad", b"2")
    assert isinstance(outcome.error, ReloadFailedError)
    assert outcome.is_retry_due
    assert host.files == {"/a": b"bad", "/b": b"2"}
    other = Host(program=Program(accepts=lambda files: not files))
    outcome = Process(other, group(remove_on_first_failure=True)).offer(b"1", b"2")
    assert isinstance(outcome.error, RolledBackError)
    assert other.files == {}


def test_with_retry_the_new_files_stay_and_the_reload_is_owed(host: Host) -> None:
    """What confd's users expect of a reload that fails, but for the part where it is forgotten."""
    process = Process(host, group(on_failure="retry"))
    process.offer(b"1", b"2")
    host.program.accepts = lambda _: False
    outcome = process.offer(b"3", b"2")
    assert isinstance(outcome.error, ReloadFailedError)
    assert "/a in place, but the reload failed" in str(outcome.error)
    assert (outcome.is_reload_owed, host.files["/a"]) == (True, b"3")
    assert process.offer(b"3", b"2").is_reload_owed
    assert host.program.reloads == 3
    host.program.accepts = good
    assert process.offer(b"3", b"2").error is None
    assert is_settled(host)


def test_keys_that_go_back_while_a_reload_is_owed_bring_the_files_back_too(host: Host) -> None:
    """The program still runs on the old contents, and other ones lie there."""
    process = Process(host, group(on_failure="retry"))
    process.offer(b"1", b"2")
    assert process.offer(b"bad", b"2").is_reload_owed
    assert process.offer(b"1", b"2").error is None
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert is_settled(host)


def test_a_reload_that_is_owed_does_not_wait_for_a_guard(host: Host) -> None:
    process = Process(host, group(on_failure="retry", guards=(Guard(expression="n", min=2),)))
    process.offer_rendered(replace(rendered_as(process.resource, b"1", b"2"), counts={"n": 2}))
    host.program.accepts = lambda _: False
    process.offer_rendered(replace(rendered_as(process.resource, b"3", b"2"), counts={"n": 2}))
    host.program.accepts = good
    outcome = process.offer_rendered(replace(rendered_as(process.resource, b"4", b"2"), counts={"n": 1}))
    assert isinstance(outcome.error, GuardError)
    assert (outcome.is_reload_owed, host.files["/a"]) == (False, b"3")
    assert is_settled(host)


def test_a_swap_that_cannot_be_gone_on_with_is_not_undone_since_the_program_may_have_read_it(
    host: Host, process: Process
) -> None:
    process.offer(b"1", b"2")
    host.crash_after = next(number for number in range(100) if _is_swapped_when_killed(number))
    with contextlib.suppress(Crash):
        process.offer(b"3", b"3")
    host.crash_after = float("inf")
    host.fails = lambda action: "/b: Input/output error" if isinstance(action, Swap) else ""
    again = Process(host, process.resource)
    again.start()
    assert isinstance(again.outcomes[-1].error, DestinationError)
    assert host.files == {"/a": b"3", "/b": b"3"}
    assert again.machine.memory.phase is Phase.PENDING
    host.fails = lambda _: ""
    assert again.offer(b"3", b"3").error is None
    assert is_settled(host)


def _is_swapped_when_killed(number: int) -> bool:
    host = Host(program=Program(accepts=good))
    process = Process(host, group())
    process.offer(b"1", b"2")
    host.crash_after = number
    with contextlib.suppress(Crash):
        process.offer(b"3", b"3")
    return host.files == {"/a": b"3", "/b": b"3"}


def test_files_that_somebody_has_removed_are_no_first_ones(host: Host, process: Process) -> None:
    """The program has run on something here, so what it does not take now is taken back."""
    process.offer(b"1", b"2")
    host.files.clear()
    host.program.accepts = lambda files: b"bad" not in files.values()
    outcome = process.offer(b"bad", b"2")
    assert isinstance(outcome.error, RolledBackError)
    assert host.files == {}


def test_a_reload_alone_that_fails_has_nothing_to_go_back_to(host: Host, process: Process) -> None:
    """The files were there before us: they stay, out of quarantine, and the reload is owed."""
    host.files = {"/a": b"1", "/b": b"2"}
    host.program.accepts = lambda _: False
    outcome = process.offer(b"1", b"2")
    assert isinstance(outcome.error, ReloadFailedError)
    assert (outcome.is_reload_owed, process.machine.memory.quarantined) == (True, "")
    host.program.accepts = good
    assert process.offer(b"1", b"2").error is None
    assert is_settled(host)


@pytest.mark.parametrize("newer", ["a broken template", "a refused check"])
def test_an_owed_reload_does_not_wait_for_the_next_good_files(host: Host, newer: str) -> None:
    """What is in place has passed its check; that its successor is broken is no reason to keep it from the program."""
    process = Process(host, group(on_failure="retry"))
    host.program.accepts = lambda _: False
    process.offer(b"1", b"2")
    host.program.accepts, host.check = good, good
    if newer == "a refused check":
        outcome = process.offer(b"bad", b"2")
    else:
        broken = rendered_as(process.resource, error=TemplateError("conf.d/g.yaml", "broken"))
        outcome = process.offer_rendered(broken)
    assert isinstance(outcome.error, CheckFailedError | TemplateError)
    assert not outcome.is_reload_owed
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert is_settled(host)


def test_a_failure_that_may_pass_is_tried_again_and_no_other(host: Host, process: Process) -> None:
    """The DNS did not answer: the same keys may render another time."""
    process.offer(b"1", b"2")
    for is_transient in (True, False):
        error = TemplateError("conf.d/g.yaml", "no answer", is_transient=is_transient)
        outcome = process.offer_rendered(rendered_as(process.resource, error=error))
        assert outcome.is_retry_due is is_transient


def test_what_is_overtaken_while_it_waits_leaves_its_cause_behind(host: Host, process: Process) -> None:
    """The change that is made answers for all keys that were touched since the last one."""
    machine = process.machine
    for number, key in enumerate(("/1", "/2", "/3")):
        machine.offer(rendered_as(process.resource, b"%d" % number, b"2"), now_s=host.now_s, cause=(key,))
    process.run()
    assert [entry.change.cause for entry in machine.memory.history] == [("/1",), ("/2", "/3")]


def test_the_log_of_a_failed_reload_is_no_fault_of_the_old_files(host: Host, process: Process) -> None:
    """On the way back a log only has to fall silent; it is full of what the new files were."""
    asked: list[bool] = []

    def note(action: Action) -> str:
        if isinstance(action, RunVerify):
            asked.append(action.is_rollback)
        return ""

    host.fails = note
    host.program.tells = False
    process.offer(b"1", b"2")
    process.offer(b"bad", b"2")
    assert asked == [False, False, True]


def test_a_broken_template_keeps_everything(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    host.log.clear()
    outcome = process.offer_rendered(rendered_as(process.resource, error=TemplateError("x", "broken")))
    assert isinstance(outcome.error, TemplateError)
    assert host.log == []


@pytest.mark.parametrize("kind", [Inspect, Stage, Prepare])
def test_a_host_that_refuses_before_the_swap_is_left_alone(host: Host, process: Process, kind: type) -> None:
    process.offer(b"1", b"2")
    host.fails = lambda action: "/a: No space left on device" if isinstance(action, kind) else ""
    outcome = process.offer(b"3", b"2")
    assert isinstance(outcome.error, DestinationError)
    assert str(outcome.error) == "conf.d/g.yaml: /a: No space left on device"
    assert outcome.is_retry_due
    assert is_settled(host)
    host.fails = lambda _: ""
    assert process.offer(b"3", b"2").error is None


def test_a_swap_that_fails_half_way_is_undone_without_a_reload(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    host.program.reloads = 0
    host.fails = lambda action: "/b: Input/output error" if isinstance(action, Swap) else ""
    outcome = process.offer(b"3", b"3")
    assert isinstance(outcome.error, DestinationError)
    assert host.program.reloads == 0
    assert host.log[-3:] == ["Swap", "Restore", "Append"]
    assert is_settled(host)


@pytest.mark.parametrize("kind", [Append, Restore])
def test_a_disk_that_takes_nothing_leaves_the_change_begun_and_it_is_ended_later(
    host: Host, process: Process, kind: type
) -> None:
    process.offer(b"1", b"2")
    host.program.accepts = good
    host.fails = lambda action: "journal: No space left on device" if isinstance(action, kind) else ""
    outcome = process.offer(b"bad", b"3")
    assert isinstance(outcome.error, DestinationError)
    assert (outcome.is_reload_owed, outcome.is_retry_due) == (True, True)
    host.fails = lambda _: ""
    process.offer(b"bad", b"3")
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert is_settled(host)


def test_what_was_taken_back_by_hand_does_not_come_back_by_itself(host: Host, process: Process) -> None:
    process.offer(b"1", b"2")
    process.offer(b"3", b"4")
    current = process.machine.memory.history[-1].change.output
    assert process.offer(b"1", b"2", hold=current).error is None
    assert isinstance(process.offer(b"3", b"4").error, QuarantinedError)
    assert host.files == {"/a": b"1", "/b": b"2"}
    assert is_settled(host)
    process.retry()
    assert process.offer(b"3", b"4").error is None


# Guards


def test_a_guard_compares_with_the_last_change_that_was_taken(host: Host) -> None:
    process = Process(host, group(guards=(Guard(expression="ls('/up')", min=1, max_drop=0.5),)))

    def offer(count: int, content: bytes) -> str:
        rendered = rendered_as(process.resource, content, content)
        rendered.counts["ls('/up')"] = count
        return str(process.offer_rendered(rendered).error)

    assert offer(10, b"10") == "None"
    assert "guard ls('/up'): drops from 10 to 4, by more than 50%" in offer(4, b"4")
    assert "fairlead render retry g" in offer(4, b"4")
    assert offer(5, b"5") == "None"
    assert offer(3, b"3") == "None"
    process.retry()
    assert offer(1, b"1") == "None"
    process.retry()
    assert "gives 0, fewer than 1" in offer(0, b"0")
    assert isinstance(process.outcomes[-1].error, GuardError)
    assert is_settled(host)


# Pruning


def test_files_that_a_list_no_longer_holds_are_removed_and_come_back_with_a_rollback(host: Host) -> None:
    process = Process(host, group())

    def offer(**files: bytes) -> object:
        specs = tuple(FileSpec(src="t", dest=f"/{name}", prune=True) for name in files)
        process.resource = group(files=specs)
        return process.offer(*files.values()).error

    assert offer(a=b"1", b=b"2") is None
    assert offer(a=b"1") is None
    assert host.files == {"/a": b"1"}
    assert offer(a=b"1", c=b"3") is None
    assert isinstance(offer(c=b"bad"), RolledBackError)
    assert host.files == {"/a": b"1", "/c": b"3"}
    assert is_settled(host)
    host.files["/a"] = b"edited by hand"
    assert offer(c=b"3") is None
    assert host.files == {"/a": b"edited by hand", "/c": b"3"}, "what somebody has made his own stays"


# Waiting


def test_a_reload_that_comes_too_soon_is_put_off_and_the_newest_files_win(host: Host) -> None:
    process = Process(host, group(reload=Reload(command=group().reload.command, min_interval_s=60.0)))  # type: ignore[union-attr]
    process.offer(b"1", b"1")
    machine = process.machine
    machine.offer(rendered_as(process.resource, b"2", b"2"), now_s=110.0)
    while not isinstance(machine.action, Pause):
        assert machine.action is not None
        machine.complete(host.perform(machine.action), now_s=110.0)
    assert machine.action == Pause(until_s=160.0)
    assert host.files == {"/a": b"1", "/b": b"1"}, "nothing is in place that the program does not read"
    machine.offer(rendered_as(process.resource, b"3", b"3"), now_s=111.0)
    assert machine.is_overtaken
    machine.complete(Done(), now_s=111.0)
    process.run()
    assert [outcome.step for outcome in process.outcomes] == [Step.REPLACE, Step.REPLACE]
    assert host.now_s == 160.0
    assert host.files == {"/a": b"3", "/b": b"3"}
    assert host.program.reloads == 2


def test_what_only_waits_is_dropped_when_the_renderer_ends(host: Host) -> None:
    process = Process(host, group(rollout=ROLLOUT))
    host.slot = "web2 is changing"
    process.machine.offer(rendered_as(process.resource, b"1", b"1"), now_s=0.0)
    while not isinstance(process.machine.action, Pause):
        assert process.machine.action is not None
        process.machine.complete(host.perform(process.machine.action), now_s=0.0)
    process.machine.drop_waiting()
    process.run()
    assert process.machine.state is State.IDLE
    assert (host.files, host.staged) == ({}, {})


# Rollout


def test_a_slot_is_held_from_before_the_swap_until_after_the_soak(host: Host) -> None:
    process = Process(host, group(rollout=ROLLOUT))
    assert process.offer(b"1", b"2").error is None
    expected = ["Acquire", *FULL[3:7], "Pause", "RunVerify", "Append", "Release"]
    assert host.log == [*FULL[:3], *expected]
    assert (host.now_s, host.holds_slot) == (105.0, False)


def test_a_slot_that_was_held_when_we_were_killed_is_given_back_at_the_next_start(host: Host) -> None:
    process = Process(host, group(rollout=Rollout(group="web")))
    process.offer(b"1", b"2")
    host.holds_slot = True
    Process(host, process.resource).start()
    assert not host.holds_slot


def test_a_host_that_comes_to_harm_halts_the_rollout(host: Host) -> None:
    process = Process(host, group(rollout=Rollout(group="web")))
    process.offer(b"1", b"2")
    process.offer(b"bad", b"2")
    assert "rolled back" in host.halted
    assert not host.holds_slot
    refused = process.offer(b"3", b"2")
    assert isinstance(refused.error, RolloutError)
    assert host.files["/a"] == b"1"


def test_only_what_has_not_begun_gives_way_to_what_is_newer(host: Host) -> None:
    """A wait before the swap ends when newer files come; a soak is a look at what is in place, and lasts."""
    process = Process(host, group(rollout=ROLLOUT, reload=Reload(command=COMMAND, min_interval_s=60.0)))
    waits: list[bool] = []

    def note(action: Action) -> str:
        if isinstance(action, Pause):
            waits.append(action.is_interruptible)
        return ""

    host.fails = note
    process.offer(b"1", b"2")
    process.offer(b"3", b"2")
    assert waits == [False, True, False]


def test_a_halt_stands_for_the_keys_that_did_the_harm(host: Host) -> None:
    """Slots and halts are told by the newest key that was read, not by the revision of the store."""
    process = Process(host, group(rollout=Rollout(group="web")))
    asked: list[tuple[str, int]] = []

    def note(action: Action) -> str:
        if isinstance(action, Acquire | Release):
            asked.append((type(action).__name__, action.revision))
        return ""

    host.fails = note
    process.offer_rendered(replace(rendered_as(process.resource, b"1", b"2", revision=9), inputs=5))
    process.offer_rendered(replace(rendered_as(process.resource, b"bad", b"2", revision=9), inputs=7))
    assert asked == [("Acquire", 5), ("Release", 5), ("Acquire", 7), ("Release", 7)]


def test_a_host_that_stays_on_files_that_its_program_does_not_take_halts_the_rollout_too(host: Host) -> None:
    process = Process(host, group(rollout=Rollout(group="web"), on_failure="retry"))
    process.offer(b"1", b"2")
    process.offer(b"bad", b"2")
    assert "the reload failed" in host.halted


def test_going_bad_during_the_soak_is_rolled_back(host: Host) -> None:
    process = Process(host, group(rollout=ROLLOUT))
    process.offer(b"1", b"2")
    program = host.program

    def slowly_bad(action: Action) -> str:
        if isinstance(action, Pause):
            program.runs_on = None
        return ""

    host.fails = slowly_bad
    assert isinstance(process.offer(b"3", b"2").error, RolledBackError)
    assert host.files == {"/a": b"1", "/b": b"2"}


def test_without_a_store_nothing_is_begun(host: Host) -> None:
    process = Process(host, group(rollout=ROLLOUT))
    host.fails = lambda action: "no store answers" if isinstance(action, Acquire) else ""
    outcome = process.offer(b"1", b"2")
    assert isinstance(outcome.error, RolloutError)
    assert outcome.is_retry_due
    assert host.files == {}


def test_a_slot_that_cannot_be_given_back_is_given_back_later_with_the_same_words(host: Host) -> None:
    """Else the halt would be lost, or the others would wait for ever."""
    process = Process(host, group(rollout=Rollout(group="web")))
    process.offer(b"1", b"2")
    host.fails = lambda action: "no store answers" if isinstance(action, Release) else ""
    assert process.offer(b"bad", b"2").is_retry_due
    assert (host.holds_slot, host.halted) == (True, "")
    assert process.offer(b"1", b"2").is_retry_due
    host.fails = lambda _: ""
    process.offer(b"1", b"2")
    assert (host.holds_slot, "rolled back" in host.halted) == (False, True)


def test_a_check_that_refuses_is_nobodys_harm(host: Host) -> None:
    process = Process(host, group(rollout=ROLLOUT))
    host.check = good
    process.offer(b"bad", b"2")
    assert (host.halted, host.holds_slot) == ("", False)


# Crashes


def scenario(host: Host, resource: Resource) -> None:
    """What the renderer was doing when it was killed."""
    process = Process(host, resource)
    process.start()
    process.offer(b"1", b"2")
    process.offer(b"3", b"4")
    process.offer(b"bad", b"5")


RESOURCES = {
    "rollback": group(),
    "three files": group("/a", "/b", "/c"),
    "rollout": group(rollout=ROLLOUT),
    "retry": group(on_failure="retry"),
    "removed at first": group(remove_on_first_failure=True),
}


@pytest.mark.parametrize("tells", [True, False], ids=["reload fails", "probe fails"])
@pytest.mark.parametrize("kind", RESOURCES)
def test_killed_at_any_moment_it_ends_what_it_began(kind: str, *, tells: bool) -> None:
    """Every effect of the scenario is, once, the last: files, program and journal agree after the next start."""
    resource = RESOURCES[kind]
    for crash_after in range(1000):
        host = Host(program=Program(accepts=good, tells=tells), crash_after=crash_after)
        try:
            scenario(host, resource)
            break
        except Crash:
            host.crash_after = float("inf")
        mixed = dict(host.files)
        process = Process(host, resource)
        process.start()
        where = f"killed after effect {crash_after}, {mixed}, {host.log}"
        memory = host.memory()
        if memory.running is not None and resource.on_failure == "rollback":
            assert is_settled(host), where
            assert set(host.files.values()) in ({b"1", b"2"}, {b"3", b"4"}), where
        # And the next good value goes through.
        host.halted = ""
        assert process.offer(b"7", b"8").error is None, where
        assert is_settled(host), where
        assert not host.holds_slot, where
        assert host.memory().phase is Phase.SETTLED
    else:
        raise AssertionError("the scenario never ends")
    assert crash_after > 40


@pytest.mark.parametrize("seed", range(int(os.environ.get("FAIRLEAD_CRASH_RUNS", "60"))))
def test_killed_again_and_again_while_keys_and_programs_change(seed: int) -> None:
    """Random values, moods of the program, refusals of the host and kills; then peace, and all agree.

    ``FAIRLEAD_CRASH_RUNS=500`` makes more of them.
    """
    rng = random.Random(seed)
    moods: list[Callable[[Mapping[str, bytes]], bool]] = [good, lambda _: True, lambda _: False]
    resource = RESOURCES[rng.choice(sorted(RESOURCES))]
    host = Host(program=Program(accepts=good, tells=rng.random() < 0.5))
    for _ in range(12):
        host.crash_after = rng.choice([rng.randrange(40), float("inf")])
        refused = rng.choice([*([None] * 5), Stage, Prepare, Swap, Append, Restore, Release])
        host.fails = lambda action, refused=refused: "no" if isinstance(action, refused or ()) else ""  # type: ignore[misc]
        host.program.accepts = rng.choice([*moods, good, good])
        try:
            process = Process(host, resource)
            process.start()
            for _ in range(rng.randrange(4)):
                process.offer(*(rng.choice([b"1", b"2", b"3", b"bad"]) for _ in "ab"))
        except Crash:
            continue
    host.crash_after, host.fails, host.program.accepts = float("inf"), lambda _: "", good
    process = Process(host, resource)
    process.start()
    # What was begun may have come to harm just now, and have halted the rollout again.
    host.halted = ""
    process.offer(b"7", b"8")
    assert process.offer(b"7", b"8").error is None
    assert host.files == {"/a": b"7", "/b": b"8"}
    assert is_settled(host)
    assert not host.holds_slot
