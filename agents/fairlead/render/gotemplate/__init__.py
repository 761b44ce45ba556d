"""Go's ``text/template``, with confd's functions, turned into Jinja2.

It reads and writes texts, never files, and never guesses: what it cannot translate is named, with its line, and
does not render.  Sources: https://pkg.go.dev/text/template, and confd's ``docs/templates.md``.
"""

from fairlead.render.gotemplate.errors import GoTemplateError
from fairlead.render.gotemplate.translate import Problem, Translation, translate

__all__ = ["GoTemplateError", "Problem", "Translation", "translate"]
