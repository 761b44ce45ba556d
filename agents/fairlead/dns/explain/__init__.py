"""Why a question gets its answer, what is wrong with keys, and what is asked for the most."""

from fairlead.dns.explain.explain import Explainer, Explanation
from fairlead.dns.explain.lint import Finding, Reports, Severity, lint, worst
from fairlead.dns.explain.popular import Popular

__all__ = ["Explainer", "Explanation", "Finding", "Popular", "Reports", "Severity", "lint", "worst"]
