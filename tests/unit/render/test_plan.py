"""Decisions over values: no clock, no file system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.render.conftest import LIMITS, MakeResource, rendered_as

from fairlead.render.errors import TemplateError
from fairlead.render.plan import FileState, Schedule, Step, decide, wanted_state
from fairlead.render.rendered import Rendered
from fairlead.render.resource import FileSpec, Resource

OLD = FileState(content=b"old", mode=0o640, uid=1, gid=2)


def test_unset_mode_keeps_the_files_own_and_unset_owner_is_us(make_resource: MakeResource) -> None:
    resource = make_resource()
    assert wanted_state(resource.files[0], b"x", OLD, uid=7, gid=8) == FileState(
        content=b"x", mode=0o640, uid=7, gid=8
    )
    assert wanted_state(resource.files[0], b"x", None, uid=7, gid=8).mode == 0o644


def test_what_the_resource_says_wins(make_resource: MakeResource) -> None:
    resource = make_resource(mode="0600", uid=3, gid=4)
    assert wanted_state(resource.files[0], b"x", OLD, uid=7, gid=8).attributes == (0o600, 3, 4)


@pytest.mark.parametrize(
    ("wanted", "found", "is_reload_owed", "step"),
    [
        (OLD, None, False, Step.REPLACE),
        (FileState(content=b"new", mode=0o640, uid=1, gid=2), OLD, False, Step.REPLACE),
        (FileState(content=b"new", mode=0o640, uid=1, gid=2), OLD, True, Step.REPLACE),
        (OLD, OLD, False, Step.NOTHING),
        (OLD, OLD, True, Step.RELOAD),
        (FileState(content=b"old", mode=0o600, uid=1, gid=2), OLD, False, Step.REPAIR),
        (FileState(content=b"old", mode=0o640, uid=9, gid=2), OLD, False, Step.REPAIR),
        (FileState(content=b"old", mode=0o600, uid=1, gid=2), OLD, True, Step.RELOAD),
    ],
)
def test_the_step_follows_from_the_two_files_and_the_debt(
    wanted: FileState, found: FileState | None, *, is_reload_owed: bool, step: Step
) -> None:
    assert decide(wanted, found, is_reload_owed=is_reload_owed) is step


@pytest.fixture
def resource(make_resource: MakeResource) -> Resource:
    return make_resource()


@pytest.fixture
def schedule(resource: Resource) -> Schedule:
    return Schedule([resource], limits=LIMITS)


def rendered(resource: Resource, *keys: str, error: TemplateError | None = None) -> Rendered:
    return rendered_as(resource, b"", keys=keys, error=error)


def test_everything_is_due_at_first_and_then_only_what_is_touched(
    schedule: Schedule, resource: Resource
) -> None:
    assert schedule.take_due(now_s=0) == [resource]
    schedule.rendered(rendered(resource, "/a"), now_s=0)
    assert schedule.take_due(now_s=0) == []
    schedule.key_changed(["/b"])
    assert schedule.take_due(now_s=0) == []
    schedule.key_changed(iter(["/b", "/a"]))
    assert schedule.take_due(now_s=0) == [resource]
    schedule.all_due()
    assert schedule.take_due(now_s=0) == [resource]


def test_one_change_makes_every_resource_due_that_has_read_it() -> None:
    both = [Resource(name=name, group=name, files=(FileSpec(src="s", dest=name),)) for name in ("a", "b")]
    schedule = Schedule(both, limits=LIMITS)
    for one in schedule.take_due(now_s=0):
        schedule.rendered(rendered(one, "/k"), now_s=0)
    schedule.key_changed(iter(["/k"]))
    assert schedule.take_due(now_s=0) == both


def test_a_failure_is_tried_again_after_longer_and_longer_until_it_succeeds(
    schedule: Schedule, resource: Resource
) -> None:
    schedule.take_due(now_s=0)
    pauses = []
    for _ in range(40):
        schedule.failed(resource.name, now_s=100.0)
        due_s = schedule.next_deadline_s()
        assert due_s is not None
        pauses.append(due_s - 100.0)
        assert schedule.take_due(now_s=due_s - 0.01) == []
        assert schedule.take_due(now_s=due_s) == [resource]
        assert schedule.next_deadline_s() is None
    assert pauses[:3] == pytest.approx([0.05, 0.1, 0.2])
    assert max(pauses) == LIMITS.retry_max_s
    schedule.succeeded(resource.name)
    schedule.failed(resource.name, now_s=0.0)
    assert schedule.next_deadline_s() == pytest.approx(0.05)


def test_a_change_does_not_wait_for_the_retry(schedule: Schedule, resource: Resource) -> None:
    schedule.take_due(now_s=0)
    schedule.rendered(rendered(resource, "/a"), now_s=0)
    schedule.failed(resource.name, now_s=0)
    schedule.key_changed(["/a"])
    assert schedule.take_due(now_s=0) == [resource]
    assert schedule.next_deadline_s() is None


def test_only_a_passing_fault_of_a_template_is_tried_again(schedule: Schedule, resource: Resource) -> None:
    schedule.take_due(now_s=0)
    schedule.rendered(rendered(resource, error=TemplateError("r", "p")), now_s=0)
    assert schedule.next_deadline_s() is None
    schedule.rendered(rendered(resource, error=TemplateError("r", "p", is_transient=True)), now_s=0)
    assert schedule.next_deadline_s() is not None
    assert repr(schedule) == "<Schedule of 1 resources, 1 to try again>"


def test_news_of_a_resource_that_is_gone_is_passed_over(schedule: Schedule) -> None:
    """A reload may still run when its resource is deleted."""
    schedule.failed("conf.d/gone.toml", now_s=0)
    schedule.succeeded("conf.d/gone.toml")
    assert schedule.next_deadline_s() is None


@given(st.lists(st.sampled_from(["fail", "succeed", "touch", "take"])))
def test_a_failure_without_success_is_always_due_some_day(events: list[str]) -> None:
    """Whatever happens in between, no retry is lost."""
    resource = Resource(name="r", group="r", files=(FileSpec(src="s", dest="/d"),))
    schedule = Schedule([resource], limits=LIMITS)
    is_owed, now_s = True, 0.0
    for event in events:
        now_s += 1.0
        if event == "fail":
            schedule.failed("r", now_s=now_s)
            is_owed = True
        elif event == "succeed":
            schedule.succeeded("r")
        elif event == "touch":
            schedule.all_due()
            is_owed = True
        else:
            is_taken = bool(schedule.take_due(now_s=now_s + LIMITS.retry_max_s))
            assert is_taken or not is_owed
            is_owed = False
        if event == "succeed":
            is_owed = False
            schedule.take_due(now_s=now_s)
