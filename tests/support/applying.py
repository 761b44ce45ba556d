"""Applies one render to this host, with real files and commands, as a renderer that has just been started."""

from fairlead.render import RenderSettings
from fairlead.render.change import Machine, Outcome
from fairlead.render.change.actions import Pause
from fairlead.render.change.effects import Effects
from fairlead.render.change.journal import Journal
from fairlead.render.rendered import Rendered


def apply(
    rendered: Rendered, journal: Journal, settings: RenderSettings, *, is_forced: bool = False
) -> Outcome:
    """End what was begun, then do what ``rendered`` asks for, to the end."""
    group = rendered.resource.group
    machine = Machine(group, journal.memory(group), is_sync_only=settings.sync_only)
    effects = Effects(journal, settings)

    def finish() -> None:
        while machine.action is not None:
            assert not isinstance(machine.action, Pause)
            machine.complete(effects.run(machine.action), now_s=0.0)

    machine.resume(rendered.resource, now_s=0.0)
    finish()
    machine.offer(rendered, now_s=0.0, cause=("/key",))
    finish()
    return machine.take_outcomes()[-1]
