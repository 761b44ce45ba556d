"""Decisions over values: no clock, no file system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.render.conftest import LIMITS, MakeResource, rendered_as

from fairlead.render.errors import TemplateError
from fairlead.render.rendered import Rendered
from fairlead.render.resource import FileSpec, Resource, Wait
from fairlead.render.schedule import Schedule


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
    schedule.key_changed(["/b"], now_s=0)
    assert schedule.take_due(now_s=0) == []
    schedule.key_changed(iter(["/b", "/a"]), now_s=0)
    assert schedule.take_due(now_s=0) == [resource]
    schedule.all_due()
    assert schedule.take_due(now_s=0) == [resource]


def test_one_change_makes_every_resource_due_that_has_read_it() -> None:
    both = [Resource(name=name, group=name, files=(FileSpec(src="s", dest=name),)) for name in ("a", "b")]
    schedule = Schedule(both, limits=LIMITS)
    for one in schedule.take_due(now_s=0):
        schedule.rendered(rendered(one, "/k"), now_s=0)
    schedule.key_changed(iter(["/k"]), now_s=0)
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
    schedule.key_changed(["/a"], now_s=0)
    assert schedule.take_due(now_s=0) == [resource]
    assert schedule.next_deadline_s() is None


def test_only_a_passing_fault_of_a_template_is_tried_again(schedule: Schedule, resource: Resource) -> None:
    schedule.take_due(now_s=0)
    schedule.rendered(rendered(resource, error=TemplateError("r", "p")), now_s=0)
    assert schedule.next_deadline_s() is None
    schedule.rendered(rendered(resource, error=TemplateError("r", "p", is_transient=True)), now_s=0)
    assert schedule.next_deadline_s() is not None
    assert repr(schedule) == "<Schedule of 1 resources, 1 waiting>"


def test_news_of_a_resource_that_is_gone_is_passed_over(schedule: Schedule) -> None:
    """A reload may still run when its resource is deleted."""
    schedule.take_due(now_s=0)
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


def waiting(wait: Wait) -> tuple[Schedule, Resource]:
    resource = Resource(name="r", group="r", files=(FileSpec(src="s", dest="/d"),), wait=wait)
    schedule = Schedule([resource], limits=LIMITS)
    assert schedule.take_due(now_s=0.0) == [resource], "the first render waits for nothing"
    schedule.rendered(rendered(resource, "/a"), now_s=0.0)
    return schedule, resource


def test_a_change_waits_until_the_keys_are_quiet() -> None:
    schedule, resource = waiting(Wait(min_s=1.0, max_s=10.0))
    for now_s in (0.0, 0.5, 1.0):
        schedule.key_changed(["/a"], now_s=now_s)
    assert not schedule.is_quiet
    assert schedule.next_deadline_s() == 2.0
    assert schedule.take_due(now_s=1.9) == []
    assert schedule.take_due(now_s=2.0) == [resource]
    assert schedule.is_quiet


def test_keys_that_never_rest_are_taken_up_all_the_same() -> None:
    schedule, _ = waiting(Wait(min_s=1.0, max_s=3.0))
    taken = []
    for tick in range(70):
        now_s = tick / 10
        schedule.key_changed(["/a"], now_s=now_s)
        taken += [now_s for _ in schedule.take_due(now_s=now_s)]
    assert taken == pytest.approx([3.0, 6.1])


def test_what_is_due_anyway_does_not_begin_to_wait() -> None:
    schedule, resource = waiting(Wait(min_s=1.0, max_s=3.0))
    schedule.all_due()
    schedule.key_changed(["/a"], now_s=0.0)
    assert schedule.take_due(now_s=0.0) == [resource]


def test_the_keys_that_were_touched_are_the_cause(schedule: Schedule, resource: Resource) -> None:
    schedule.take_due(now_s=0)
    schedule.rendered(rendered(resource, *(f"/{i}" for i in range(30))), now_s=0)
    schedule.key_changed(["/1", "/elsewhere"], now_s=0)
    schedule.key_changed(["/0", "/1"], now_s=0)
    assert schedule.take_cause(resource.name) == ("/1", "/0")
    assert schedule.take_cause(resource.name) == ()
    schedule.key_changed([f"/{i}" for i in range(30)], now_s=0)
    assert len(schedule.take_cause(resource.name)) == 20


def test_one_resource_can_be_made_due(schedule: Schedule, resource: Resource) -> None:
    schedule.take_due(now_s=0)
    schedule.due("conf.d/gone.toml")
    schedule.due(resource.name)
    assert schedule.take_due(now_s=0) == [resource]


def test_an_answer_that_may_pass_is_asked_for_again(schedule: Schedule, resource: Resource) -> None:
    """The DNS tells nobody that a name has moved."""
    schedule.take_due(now_s=0)
    found = rendered(resource, "/a")
    found.dependencies.world |= {"getenv HOME": None, "lookupIP a": 30.0, "lookupSRV http tcp b": 7.0}
    schedule.rendered(found, now_s=100)
    schedule.succeeded(resource.name)
    assert schedule.next_deadline_s() == 107
    assert schedule.take_due(now_s=106) == []
    assert schedule.take_due(now_s=107) == [resource]
    assert schedule.next_deadline_s() is None
    schedule.rendered(rendered(resource, "/a"), now_s=107)
    assert schedule.next_deadline_s() is None
