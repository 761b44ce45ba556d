"""How Go writes and reads values: ``fmt``, ``strconv``, ``time`` and ``regexp``, as far as templates show them.

It knows nothing of templates and touches neither clock nor file.  Go's own documentation is the source of each
module; what differs is said there.
"""

from fairlead.render.golang.layout import format_time, time_text
from fairlead.render.golang.printing import go_print, go_println, value_text
from fairlead.render.golang.quoting import quoted
from fairlead.render.golang.regexp import compile_regexp, expand
from fairlead.render.golang.values import Pairs, Values
from fairlead.render.golang.verbs import go_printf

__all__ = [
    "Pairs",
    "Values",
    "compile_regexp",
    "expand",
    "format_time",
    "go_print",
    "go_printf",
    "go_println",
    "quoted",
    "time_text",
    "value_text",
]
