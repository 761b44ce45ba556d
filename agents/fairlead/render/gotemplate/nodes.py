"""The parsed form of a Go template: what stands in the file, nothing decided yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairlead.render.gotemplate.lexer import Tag

# Expressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A constant: text, whole number, float, truth value or None for ``nil``."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """The cursor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """``$name``, or ``$`` with an empty name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function's name, not called yet."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Names taken one after the other: ``x.A.B``."""

    of: "Operand"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An operand, and what it is given."""

    operand: "Operand"
    arguments: tuple["Operand", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Commands, each given the result of the one before; and the variables that take the result.

    Attributes:
        variables: none, one, or two for ``range $i, $e := ...``.
        declares: ``:=``, not ``=``.
    """

    line: int
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = True


Operand = Literal | Dot | Variable | Function | Field | Pipeline

# Structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Text to be copied."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Words for the reader."""

    tag: Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A pipeline whose result is printed, unless it goes into a variable."""

    tag: Tag
    pipeline: Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """``break`` or ``continue``."""

    tag: Tag
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """``template "name" pipeline``, and the place of a ``block``."""

    tag: Tag
    name: str
    pipeline: Pipeline | None
    end: Tag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A tag that prints nothing and takes white space: where a ``define`` stood."""

    first: Tag
    last: Tag


@dataclass(slots=True, kw_only=True)
class Branch:
    """``if``, ``with`` or ``range``.

    Attributes:
        word: which.
        tag: the opening tag.
        orelse: None without an ``else``.
        else_tag: the tag of the ``else``; for ``else if``, the tag of the nested branch too.
        is_chained: this branch is the ``else if`` (or ``else with``) of another, whose ``end`` closes both.
        end: the closing tag.
    """

    word: str
    tag: Tag
    pipeline: Pipeline
    body: list["Node"]
    orelse: "list[Node] | None" = None
    else_tag: Tag | None = None
    is_chained: bool = False
    end: Tag | None = None


Node = Raw | Comment | Action | Jump | Call | Hidden | Branch


@dataclass(slots=True, kw_only=True)
class Tree:
    """One file: its own nodes, and the templates it defines by name."""

    nodes: Sequence[Node]
    defined: dict[str, Sequence[Node]] = field(default_factory=dict)
