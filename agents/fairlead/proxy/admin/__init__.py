"""The operator's side of the proxy: counts, explanations, pages, and who may read them."""

from fairlead.proxy.admin.access import check_closed, guarded
from fairlead.proxy.admin.explain import explain, parse_request
from fairlead.proxy.admin.tally import Numbers, Tallies, Tally, error_ratio
from fairlead.proxy.admin.views import Sources, Views

__all__ = [
    "Numbers",
    "Sources",
    "Tallies",
    "Tally",
    "Views",
    "check_closed",
    "error_ratio",
    "explain",
    "guarded",
    "parse_request",
]
