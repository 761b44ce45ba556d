"""Which form of the hot paths runs: their modules as they are, or the same modules compiled (``make compile``)."""

from fairlead.compiled.form import Form, StaleError, form

__all__ = ["Form", "StaleError", "form"]
