"""What is wrong with a Go template.

::

    GoTemplateError      it is not a Go template: confd would refuse it too
"""


class GoTemplateError(Exception):
    """The text cannot be parsed.

    Attributes:
        line: where, from 1 on.
        problem: what, in one line.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem
