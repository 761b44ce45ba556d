"""Guards: what the keys must give before they may replace what the program runs on."""

from collections.abc import Mapping

from fairlead.render.resource.model import Guard


def refusal(guards: tuple[Guard, ...], counts: Mapping[str, int], before: Mapping[str, int]) -> str | None:
    """Return why the first guard that refuses does so, None when all are content.

    Args:
        guards: the resource's.
        counts: expression to what it gives now.
        before: expression to what it gave when the program last took a change; a guard that is new has none.
    """
    for guard in guards:
        reason = _refusal(guard, counts[guard.expression], before.get(guard.expression))
        if reason is not None:
            return f"guard {guard.expression}: {reason}"
    return None


def _refusal(guard: Guard, count: int, before: int | None) -> str | None:
    if guard.not_empty and count == 0:
        return "is empty"
    if guard.min is not None and count < guard.min:
        return f"gives {count}, fewer than {guard.min}"
    if guard.max is not None and count > guard.max:
        return f"gives {count}, more than {guard.max}"
    if guard.max_drop is not None and before and count < before * (1 - guard.max_drop):
        return f"drops from {before} to {count}, by more than {guard.max_drop:.0%}"
    return None
