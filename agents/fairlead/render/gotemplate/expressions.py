"""Turns one Go pipeline into one Jinja2 expression.

A pipeline becomes nested calls.  Where the type is known and both languages agree, the plain operator is written
(``a == b``, ``x ~ "/port"``, ``kv.Value``), else a helper under ``go``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fairlead.render.gotemplate import nodes
from fairlead.render.gotemplate import types as t
from fairlead.render.gotemplate.errors import GoTemplateError
from fairlead.render.gotemplate.words import text_literal

_COMPARISONS: Mapping[str, str] = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_SEALED = frozenset({"cget", "cgetv", "cgets", "cgetvs"})
_PLAIN_VERBS = re.compile(r"%([sdv])")


class UntranslatableError(Exception):
    """The construct has no counterpart; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Jinja2 source, its type, whether it can be built on without brackets, and its text where that is constant."""

    text: str
    type: str
    is_atom: bool = True
    constant: str | None = None

    @property
    def atom(self) -> str:
        """The source, in brackets where something binds less than a call."""
        return self.text if self.is_atom else f"({self.text})"


Resolve = Callable[[str], Expression]


class Translator:
    """Translates pipelines.

    Args:
        resolve: gives the expression of ``$name``.
        dot: the expression of the cursor.
        rename: gives the new name of an included file.
    """

    def __init__(self, resolve: Resolve, dot: Expression, *, rename: Callable[[str], str]) -> None:
        self._resolve = resolve
        self._rename = rename
        self.dot = dot

    def pipeline(self, pipeline: nodes.Pipeline) -> Expression:
        """Return the expression of the whole pipeline.

        Raises:
            GoTemplateError: a variable or a function that does not exist.
            UntranslatableError: nothing in Jinja2 does this.
        """
        result: Expression | None = None
        for command in pipeline.commands:
            result = self._command(command, result, line=pipeline.line)
        assert result is not None, "the parser refuses empty pipelines"
        return result

    def _command(self, command: nodes.Command, piped: Expression | None, *, line: int) -> Expression:
        operand = command.operand
        arguments = [self._operand(argument, line=line) for argument in command.arguments]
        arguments += [piped] if piped is not None else []
        if isinstance(operand, nodes.Function):
            return self._call(operand.name, arguments, line=line)
        if arguments:
            return self._method(operand, arguments, line=line)
        return self._operand(operand, line=line)

    def _operand(self, operand: nodes.Operand, *, line: int) -> Expression:
        match operand:
            case nodes.Literal(value=value):
                return _literal(value)
            case nodes.Dot():
                return self.dot
            case nodes.Variable(name=name):
                return self._resolve(name)
            case nodes.Function(name=name):
                return self._call(name, [], line=line)
            case nodes.Field(of=of, names=names):
                return _fields(self._operand(of, line=line), names)
            case nodes.Pipeline():
                return self.pipeline(operand)

    def _method(self, operand: nodes.Operand, arguments: Sequence[Expression], *, line: int) -> Expression:
        if not isinstance(operand, nodes.Field):
            raise GoTemplateError(line, "only a function or a method can be given arguments")
        *before, name = operand.names
        receiver = self._operand(operand.of, line=line)
        receiver = _fields(receiver, tuple(before)) if before else receiver
        given = [receiver.text, text_literal(name), *(argument.text for argument in arguments)]
        return Expression(f"go.method({', '.join(given)})", t.TEXT if name == "Format" else t.ANY)

    def _call(self, name: str, arguments: Sequence[Expression], *, line: int) -> Expression:
        if name in {"and", "or"}:
            return _logic(name, arguments, line=line)
        if name == "not" and len(arguments) == 1:
            return Expression(f"not {arguments[0].atom}", t.TRUTH, is_atom=False)
        if name in _COMPARISONS and (plain := _comparison(name, arguments)) is not None:
            return plain
        if name == "printf" and (plain := _concatenation(arguments)) is not None:
            return plain
        if name == "include":
            return self._include(arguments)
        if name == "call":
            raise UntranslatableError("call has no counterpart: there are no functions in values here")
        if name in _SEALED:
            raise UntranslatableError(
                f"function {name} (values sealed with PGP) is gone from confd too;"
                " seal the value again with fairlead render seal, and read it with secret()"
            )
        if name not in t.RESULTS:
            raise GoTemplateError(line, f"function {name} is not defined, by confd or its fork")
        if name in {"ls", "lsdir"} and not _is_usual_path(arguments):
            return Expression(f"go.{name}({', '.join(a.text for a in arguments)})", t.TEXTS)
        return Expression(_called(name, arguments), _result(name, arguments))

    def _include(self, arguments: Sequence[Expression]) -> Expression:
        name = arguments[0].constant if arguments else None
        if name is None:
            raise UntranslatableError("include of a name that is made up at run time; write each name out")
        given = [text_literal(self._rename(name)), *(argument.text for argument in arguments[1:])]
        return Expression(f"go.include({', '.join(given)})", t.TEXT)


def _literal(value: str | float | bool | None) -> Expression:  # noqa: FBT001 - it is the constant
    if value is None:
        return Expression("none", t.ANY)
    if isinstance(value, bool):
        return Expression("true" if value else "false", t.TRUTH)
    if isinstance(value, str):
        return Expression(text_literal(value), t.TEXT, constant=value)
    if isinstance(value, int):
        return Expression(str(value), t.WHOLE, is_atom=value >= 0)
    return Expression(repr(value), t.ANY, is_atom=value >= 0)


def _fields(of: Expression, names: tuple[str, ...]) -> Expression:
    """Take names off a value; of a struct that is known, by attribute."""
    known = t.FIELDS.get(of.type, {})
    if names and names[0] in known:
        return _fields(Expression(f"{of.atom}.{names[0]}", known[names[0]]), names[1:])
    if not names:
        return of
    if of.type == t.TIME and len(names) == 1:
        return Expression(f"go.method({of.text}, {text_literal(names[0])})", t.ANY)
    given = ", ".join([of.text, *map(text_literal, names)])
    return Expression(f"go.field({given})", t.ANY)


def _logic(name: str, arguments: Sequence[Expression], *, line: int) -> Expression:
    if not arguments:
        raise GoTemplateError(line, f"wrong number of args for {name}: want at least 1 got 0")
    if len(arguments) == 1:
        return arguments[0]
    kinds = {argument.type for argument in arguments}
    joined = f" {name} ".join(argument.atom for argument in arguments)
    return Expression(joined, kinds.pop() if len(kinds) == 1 else t.ANY, is_atom=False)


def _comparison(name: str, arguments: Sequence[Expression]) -> Expression | None:
    """Write the operator where both sides are known to be comparable."""
    if len(arguments) != 2 or arguments[0].type != arguments[1].type:
        return None
    kind = arguments[0].type
    if kind in {t.TEXT, t.WHOLE} or (kind == t.TRUTH and name in {"eq", "ne"}):
        left, right = arguments
        return Expression(f"{left.atom} {_COMPARISONS[name]} {right.atom}", t.TRUTH, is_atom=False)
    return None


def _concatenation(arguments: Sequence[Expression]) -> Expression | None:
    """Write ``printf "%s/%d" a b`` as a concatenation, where no verb does more than print."""
    if not arguments or arguments[0].constant is None:
        return None
    values = arguments[1:]
    texts = _PLAIN_VERBS.split(arguments[0].constant)
    literals, verbs = texts[::2], texts[1::2]
    fits = {"s": {t.TEXT}, "d": {t.WHOLE}, "v": {t.TEXT, t.WHOLE}}
    if any("%" in literal for literal in literals) or len(verbs) != len(values) or not values:
        return None
    if any(value.type not in fits[verb] for verb, value in zip(verbs, values, strict=True)):
        return None
    parts = [text_literal(literals[0])] if literals[0] else []
    for literal, value in zip(literals[1:], values, strict=True):
        parts += [value.atom] + ([text_literal(literal)] if literal else [])
    if len(parts) == 1 and values[0].type != t.TEXT:
        return None
    return Expression(" ~ ".join(parts), t.TEXT, is_atom=len(parts) == 1)


def _is_usual_path(arguments: Sequence[Expression]) -> bool:
    """Whether confd lists this path as everybody would; the root and untidy paths it does not."""
    path = arguments[0].constant if len(arguments) == 1 else None
    return path is not None and re.fullmatch(r"(/[\w-][\w.-]*)+/?", path) is not None


def _called(name: str, arguments: Sequence[Expression]) -> str:
    given = ", ".join(argument.text for argument in arguments)
    if name == "len" and len(arguments) == 1 and arguments[0].type in t.ITEM:
        return f"{arguments[0].atom}|length"
    return f"go.{name}({given})" if name in t.GO_OWN else f"{name}({given})"


def _result(name: str, arguments: Sequence[Expression]) -> str:
    first = arguments[0].type if arguments else t.ANY
    if name == "reverse":
        return first
    if name == "index" and len(arguments) == 2:
        return t.ITEM.get(first, t.ANY)
    if name == "slice":
        return first
    return t.RESULTS[name]
