"""``rewrite``: regular expressions over URLs, and templates for bodies."""

from fairlead.proxy.middleware.rewrite.middleware import Rewrite, encoded, make, redirect_to, target_in
from fairlead.proxy.middleware.rewrite.replacement import Replacement

__all__ = ["Replacement", "Rewrite", "encoded", "make", "redirect_to", "target_in"]
