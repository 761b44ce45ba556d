"""Tells people and machines what became of each resource: log, status key, metrics; or plain lines."""

from collections.abc import Iterable

import click
from prometheus_client import Counter, Gauge

from fairlead.agent import AgentContext
from fairlead.render.apply import Outcome
from fairlead.render.diff import describe_change
from fairlead.render.errors import RenderError
from fairlead.render.plan import Step

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_DONE = {Step.REPAIR: "repaired mode or owner of", Step.RELOAD: "reloaded for", Step.REPLACE: "replaced"}


def describe_outcome(outcome: Outcome) -> str | None:
    """Return what was done, None when that is nothing."""
    done = _DONE.get(outcome.step)
    return f"{done} {outcome.resource.files[0].dest}" if done and outcome.error is None else None


def print_diff(outcome: Outcome) -> None:
    """Print what would change, in colours on a terminal."""
    if outcome.wanted is None:
        return
    for line in describe_change(outcome.resource.files[0].dest, outcome.wanted, outcome.found):
        is_name = line.startswith(("+++", "---"))
        click.echo(click.style(line, fg=None if is_name else _COLOURS.get(line[:1]), bold=is_name))


class AgentReporter:
    """The watching agent's: each problem is told once and healed when it has passed."""

    def __init__(self, context: AgentContext, *, is_noop: bool) -> None:
        """Register the metrics with the agent's."""
        self._context = context
        self._is_noop = is_noop
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

    def outcome(self, outcome: Outcome) -> None:
        """Tell of one resource."""
        name, log = outcome.resource.name, self._context.log
        self._note_owed(name, is_owed=outcome.is_reload_owed)
        if outcome.warning is not None:
            log.warning(outcome.warning, resource=name)
        if outcome.error is not None:
            self._failures.inc()
            self._context.status.problem(name, str(outcome.error))
            return
        # A file that has become wrong is still wrong while its last good form works.
        if name not in self._misread:
            self._context.status.healed(name)
        if self._is_noop:
            print_diff(outcome)
        elif (done := describe_outcome(outcome)) is not None:
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

    def _note_owed(self, name: str, *, is_owed: bool) -> None:
        (self._owing.add if is_owed else self._owing.discard)(name)
        self._reloads_owed.set(len(self._owing))
