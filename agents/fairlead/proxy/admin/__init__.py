"""The operator's side of the proxy: counts, explanations, pages, and the socket that serves them."""

from fairlead.proxy.admin.explain import explain, parse_request
from fairlead.proxy.admin.server import AdminServer, check_closed
from fairlead.proxy.admin.tally import Tallies, Tally, error_ratio
from fairlead.proxy.admin.views import Page, Sources, Views

__all__ = [
    "AdminServer",
    "Page",
    "Sources",
    "Tallies",
    "Tally",
    "Views",
    "check_closed",
    "error_ratio",
    "explain",
    "parse_request",
]
