"""Tells people and machines what became of each resource: log, status key, metrics; or plain lines."""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from fairlead.agent import AgentContext
from fairlead.render.change import Outcome, Step
from fairlead.render.change.words import some
from fairlead.render.errors import RenderError

_DONE = {
    Step.REPAIR: "repaired mode or owner of",
    Step.RELOAD: "reloaded for",
    Step.REPLACE: "replaced",
    Step.ROLL_BACK: "rolled back",
}


def describe_outcome(outcome: Outcome) -> str | None:
    """Return what was done, None when that is nothing."""
    done = _DONE.get(outcome.step)
    if done is None or outcome.error is not None or outcome.change is None:
        return None
    gone = tuple(file.dest for file in outcome.change.changed if file.new is None)
    dests = tuple(
        file.dest for file in outcome.change.changed or outcome.change.files if file.new is not None
    )
    parts = [f"{done} {some(dests)}"] if dests else []
    return ", ".join([*parts, f"removed {some(gone)}"] if gone else parts)


class AgentReporter:
    """The watching agent's: each problem is told once and healed when it has passed; a warning is told once."""

    def __init__(self, context: AgentContext) -> None:
        """Register the metrics with the agent's."""
        self._context = context
        metrics = context.metrics
        self._steps = Counter(
            "fairlead_render_steps_total", "Steps that succeeded.", labelnames=["step"], registry=metrics
        )
        self._failures = Counter(
            "fairlead_render_failures_total", "Renders and steps that failed.", registry=metrics
        )
        self._reloads_owed = Gauge(
            "fairlead_render_reloads_owed_resources",
            "Resources whose program has not taken the file that is in place.",
            registry=metrics,
        )
        self._owing: set[str] = set()
        self._misread: set[str] = set()
        self._warned: set[tuple[str, str]] = set()

    def outcome(self, outcome: Outcome) -> None:
        """Tell of one resource."""
        name, log = outcome.resource.name, self._context.log
        self._note_owed(name, is_owed=outcome.is_reload_owed)
        for warning in outcome.warnings:
            if (name, warning) not in self._warned:
                self._warned.add((name, warning))
                log.warning(warning, resource=name)
        if outcome.error is not None:
            self._failures.inc()
            self._context.status.problem(name, str(outcome.error))
            return
        # A file that has become wrong is still wrong while its last good form works.
        if name not in self._misread:
            self._context.status.healed(name)
        if (done := describe_outcome(outcome)) is not None:
            self._steps.labels(outcome.step.name.lower()).inc()
            log.info(done, resource=name)

    def loaded(self, names: Iterable[str], problems: Iterable[RenderError]) -> None:
        """Tell of the resource files: those that are gone are wrong no more."""
        status = self._context.status
        names = set(names)
        wrong = {problem.resource: str(problem) for problem in problems}
        for name in status.problems:
            if name not in wrong and name not in names:
                status.healed(name)
        self._misread = set(wrong)
        for name, text in wrong.items():
            status.problem(name, text)
        status.count("resources", len(names))
        for name in self._owing - names:
            self._note_owed(name, is_owed=False)

    def unfinished(self, groups: Iterable[str]) -> None:
        """Tell of changes that were begun by resources that are gone."""
        for group in groups:
            self._context.status.problem(
                f"journal of {group}",
                f"a change of {group} was begun and not ended, and its resource is gone;"
                " put the resource back, and remove it when all is settled",
            )

    def _note_owed(self, name: str, *, is_owed: bool) -> None:
        (self._owing.add if is_owed else self._owing.discard)(name)
        self._reloads_owed.set(len(self._owing))
