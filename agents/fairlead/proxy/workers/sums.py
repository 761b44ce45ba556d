"""The metrics of all workers as one: counters add up and never go back, of gauges some add up and some are the worst.

A counter that goes back has begun anew for Prometheus, and so what a worker had counted that is gone stays counted,
as far as it was last heard of; a sum that would be lower than it was shown waits until it is not.  Sans-IO.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

_WORST: Mapping[str, Callable[[Iterable[float]], float]] = {
    "fairlead_agent_applied_revision": min,
    "fairlead_agent_mirror_age_seconds": max,
    "fairlead_agent_mirror_keys": max,
    "fairlead_agent_mirror_live_state": min,
    "fairlead_agent_mirror_revision": min,
    "fairlead_agent_problem_keys": max,
    "fairlead_proxy_breaker_open": max,
    "fairlead_proxy_revision_lag": max,
    "fairlead_proxy_server_available": min,
}
"""Gauges that do not add up; those of all workers show the same thing."""
_GROWING = frozenset({"counter", "histogram", "summary"})
_CREATED = "_created"
Series = tuple[str, tuple[tuple[str, str], ...]]


class Sums:
    """What all workers have counted, those that are gone too."""

    def __init__(self) -> None:
        self._retired: dict[Series, float] = {}
        self._shown: dict[Series, float] = {}

    def retire(self, text: str) -> None:
        """Keep what a worker had counted that is gone; ``text`` is what it showed last."""
        for family in text_string_to_metric_families(text):
            if family.type in _GROWING:
                for series, value in _series(family).items():
                    self._retired[series] = self._retired.get(series, 0.0) + value

    def shown(self, texts: Iterable[str]) -> bytes:
        """Return for Prometheus what workers that live have counted, and all before them."""
        families: dict[str, Metric] = {}
        values: dict[str, dict[Series, list[float]]] = {}
        for text in texts:
            for family in text_string_to_metric_families(text):
                if not family.name.endswith(_CREATED):
                    families.setdefault(family.name, family)
                    of_all = values.setdefault(family.name, {})
                    for series, value in _series(family).items():
                        of_all.setdefault(series, []).append(value)
        return generate_latest(_Fixed([self._summed(families[name], values[name]) for name in families]))

    def _summed(self, family: Metric, values: Mapping[Series, list[float]]) -> Metric:
        summed = Metric(family.name, family.documentation, family.type)
        for series, each in values.items():
            value = _WORST.get(family.name, sum)(each)
            if family.type in _GROWING:
                value = max(value + self._retired.get(series, 0.0), self._shown.get(series, 0.0))
                self._shown[series] = value
            summed.add_sample(series[0], dict(series[1]), value)
        return summed


class _Fixed:
    """Metrics that are there already, for ``generate_latest``."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _series(family: Metric) -> dict[Series, float]:
    return {(each.name, tuple(each.labels.items())): each.value for each in family.samples}
