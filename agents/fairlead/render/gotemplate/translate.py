"""From a Go template to a Jinja2 template that renders the same bytes.

Every construct is translated by itself, so the result reads like the original.  What has no counterpart is put
down as a problem with its line, and the template refuses to render there: wrong output is the one thing that a
conversion must not give.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fairlead.render.gotemplate import nodes
from fairlead.render.gotemplate import types as t
from fairlead.render.gotemplate.errors import GoTemplateError
from fairlead.render.gotemplate.expressions import Expression, Translator, UntranslatableError
from fairlead.render.gotemplate.layout import Piece, write
from fairlead.render.gotemplate.lexer import Tag
from fairlead.render.gotemplate.parser import parse
from fairlead.render.gotemplate.words import Names, text_literal

_ROOT = Expression("dot", t.ANY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that was not translated.

    Attributes:
        line: in the Go template, from 1 on.
        text: what, and what to do.
    """

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A Jinja2 template, and what it does not do."""

    text: str
    problems: tuple[Problem, ...]


def translate(source: str, *, rename: Callable[[str], str] = str) -> Translation:
    """Return the Jinja2 template for a Go template.

    Args:
        source: the Go template, bytes that are not UTF-8 as lone surrogates.
        rename: gives the new name of an included file.

    Raises:
        GoTemplateError: it is not a Go template.
    """
    tree = parse(source)
    names = Names(t.RESULTS)
    macros = {name: names.new(f"template_{name}") for name in tree.defined}
    problems: list[Problem] = []
    written: list[str] = []
    for name, body in tree.defined.items():
        part = _Part(body, macros=macros, names=names, problems=problems, rename=rename)
        macro = [
            Piece(kind="block", body=f"macro {macros[name]}(dot)"),
            *part.pieces(),
            Piece(kind="block", body="endmacro"),
        ]
        written.append(write(macro) + "\n")
    part = _Part(tree.nodes, macros=macros, names=names, problems=problems, rename=rename)
    written.append(write(part.pieces()))
    return Translation(text="".join(written), problems=tuple(problems))


@dataclass(slots=True)
class _Scope:
    """The variables that one ``if``, ``with``, ``range`` or file brings, and Jinja2's names for them."""

    variables: dict[str, Expression] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def _assigned(body: Sequence[nodes.Node]) -> set[str]:
    """Return the names that are given a second value somewhere."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, nodes.Action | nodes.Branch) and not node.pipeline.declares:
            found.update(node.pipeline.variables)
        if isinstance(node, nodes.Branch):
            found |= _assigned(node.body) | _assigned(node.orelse or [])
    return found


class _Part:
    """The file's own text, or one definition: a Go template in the strict sense."""

    def __init__(
        self,
        body: Sequence[nodes.Node],
        *,
        macros: dict[str, str],
        names: Names,
        problems: list[Problem],
        rename: Callable[[str], str],
    ) -> None:
        self._body = body
        self._macros = macros
        self._names = names
        self._problems = problems
        self._assigned = _assigned(body)
        self._scopes = [_Scope({"": _ROOT})]
        self._translator = Translator(self._resolve, _ROOT, rename=rename)
        self._pieces: list[Piece] = []

    def pieces(self) -> list[Piece]:
        """Return texts and tags in order."""
        self._nodes(self._body)
        return self._pieces

    # Names

    def _resolve(self, name: str) -> Expression:
        for scope in reversed(self._scopes):
            if name in scope.variables:
                return scope.variables[name]
        raise UntranslatableError(f"undefined variable ${name}")

    def _new(self, wish: str) -> str:
        """Return a name that is this scope's own."""
        name = self._names.new(wish)
        self._scopes[-1].names.append(name)
        return name

    def _close_scope(self) -> None:
        for name in self._scopes.pop().names:
            self._names.free(name)

    def _declare(self, name: str, kind: str) -> str:
        """Take ``$name`` into the scope; return Jinja2's name for it."""
        own = self._new(name)
        is_box = name in self._assigned
        value = Expression(f"{own}.value", t.ANY) if is_box else Expression(own, kind)
        self._scopes[-1].variables[name] = value
        return own

    # Output

    def _tag(self, kind: str, body: str, tag: Tag, *, left: bool = True, right: bool = True) -> None:
        """Put a tag down; it trims what the Go tag trims, on the sides where it stands for it."""
        self._pieces.append(
            Piece(
                kind=kind,
                body=body,
                trims_left=tag.trims_left and left,
                trims_right=tag.trims_right and right,
            )
        )

    def _nodes(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            self._node(node)

    def _node(self, node: nodes.Node) -> None:
        match node:
            case nodes.Raw(text=text):
                self._pieces.append(Piece(kind="text", body=text))
            case nodes.Comment(tag=tag):
                self._tag("comment", (tag.comment or "").replace("#}", "# }"), tag)
            case nodes.Hidden(first=first, last=last):
                self._pieces.append(
                    Piece(kind="hidden", trims_left=first.trims_left, trims_right=last.trims_right)
                )
            case nodes.Jump(tag=tag, word=word):
                self._tag("block", word, tag)
            case nodes.Action():
                self._action(node)
            case nodes.Call():
                self._call(node)
            case nodes.Branch():
                self._branch(node)

    def _expression(self, pipeline: nodes.Pipeline) -> Expression:
        """Translate; what cannot be translated becomes an expression that refuses to render."""
        try:
            return self._translator.pipeline(pipeline)
        except UntranslatableError as error:
            return self._refusal(pipeline.line, str(error))
        except GoTemplateError as error:
            return self._refusal(error.line, error.problem)

    def _refusal(self, line: int, text: str) -> Expression:
        self._problems.append(Problem(line=line, text=text))
        return Expression(f"go.untranslated({text_literal(f'line {line}: {text}')})", t.ANY)

    # Actions

    def _action(self, node: nodes.Action) -> None:
        value = self._expression(node.pipeline)
        if node.pipeline.variables:
            self._tag("block", self._assignment(node.pipeline, value), node.tag)
            return
        plain = value.type in {t.TEXT, t.WHOLE}
        self._tag("print", value.text if plain else f"go.text({value.text})", node.tag)

    def _assignment(self, pipeline: nodes.Pipeline, value: Expression) -> str:
        """Return the ``set`` for ``$x := value`` or ``$x = value``."""
        name = pipeline.variables[-1]
        if pipeline.declares:
            own = self._declare(name, value.type)
            return (
                f"set {own} = namespace(value={value.text})"
                if name in self._assigned
                else f"set {own} = {value.text}"
            )
        try:
            return f"set {self._resolve(name).text} = {value.text}"
        except UntranslatableError as error:
            return f"set refused = {self._refusal(pipeline.line, str(error)).text}"

    def _call(self, node: nodes.Call) -> None:
        dot = self._expression(node.pipeline) if node.pipeline is not None else Expression("none", t.ANY)
        if node.name not in self._macros:
            text = f"template {node.name!r} is not defined in this file, and confd reads no other"
            body = self._refusal(node.tag.line, text).text
        else:
            body = f"{self._macros[node.name]}({dot.text})"
        last = node.end or node.tag
        self._pieces.append(
            Piece(kind="print", body=body, trims_left=node.tag.trims_left, trims_right=last.trims_right)
        )

    # Branches

    def _branch(self, node: nodes.Branch) -> None:
        self._scopes.append(_Scope())
        outer_dot = self._translator.dot
        if node.word == "range":
            self._open_range(node)
        else:
            self._open_condition(node)
        self._nodes(node.body)
        self._translator.dot = outer_dot
        if node.orelse is not None:
            self._orelse(node)
        self._close_scope()
        end = node.end
        assert end is not None, "the parser closes every branch"
        if not (node.is_chained and self._is_elif(node)):
            # An inner branch in an else closes with the same Go tag as the outer one: each trims on its own side.
            self._tag("block", "endfor" if node.word == "range" else "endif", end, right=not node.is_chained)

    def _is_elif(self, node: nodes.Branch) -> bool:
        """Whether an ``else if`` can be one here too: it may not need a ``set`` before it."""
        return node.is_chained and node.word == "if" and not node.pipeline.variables

    def _orelse(self, node: nodes.Branch) -> None:
        assert node.else_tag is not None
        assert node.orelse is not None
        first = node.orelse[0] if node.orelse else None
        if isinstance(first, nodes.Branch) and first.is_chained:
            if not self._is_elif(first):
                self._tag("block", "else", node.else_tag, right=False)
            self._branch(first)
            return
        self._tag("block", "else", node.else_tag)
        self._scopes.append(_Scope())
        self._nodes(node.orelse)
        self._close_scope()

    def _open_condition(self, node: nodes.Branch) -> None:
        """Write ``if``, ``elif``, or a ``set`` and an ``if`` where the value is needed again."""
        value = self._expression(node.pipeline)
        is_elif = self._is_elif(node)
        # An else that became a tag of its own has trimmed the left side already.
        is_first = not node.is_chained or is_elif
        stored: str | None = None
        if node.pipeline.variables:
            stored = self._assignment(node.pipeline, value)
            value = self._resolve(node.pipeline.variables[-1])
        elif node.word == "with" and not value.text.isidentifier():
            own = self._new("item")
            stored = f"set {own} = {value.text}"
            value = Expression(own, value.type)
        if stored is not None:
            self._tag("block", stored, node.tag, left=is_first, right=False)
        if node.word == "with":
            self._translator.dot = value
        word = "elif" if is_elif else "if"
        self._tag("block", f"{word} {value.text}", node.tag, left=is_first and stored is None)

    def _open_range(self, node: nodes.Branch) -> None:
        over = self._expression(node.pipeline)
        kind = t.ITEM.get(over.type, t.ANY)
        variables = node.pipeline.variables
        if variables and not node.pipeline.declares:
            refusal = self._refusal(
                node.pipeline.line, "range with = into a variable from outside; declare it with :="
            )
            over, variables = refusal, ()
        if not variables:
            own = self._new("kv" if kind == t.PAIR else "item")
            each = over.text if over.type in t.ITEM else f"go.values({over.text})"
            self._translator.dot = Expression(own, kind)
            self._tag("block", f"for {own} in {each}", node.tag)
            return
        key_kind = t.WHOLE if over.type in t.ITEM else t.TEXT if over.type == t.MAP else t.ANY
        kinds = [key_kind, kind][-len(variables) :]
        owns = [self._new(name) for name in variables]
        boxed = [(name, own) for name, own in zip(variables, owns, strict=True) if name in self._assigned]
        each = over.text if over.type in t.ITEM else f"go.values({over.text})"
        if len(owns) > 1:
            each = f"go.items({over.text})"
        self._tag("block", f"for {', '.join(owns)} in {each}", node.tag, right=not boxed)
        for name, own, its_kind in zip(variables, owns, kinds, strict=True):
            self._scopes[-1].variables[name] = Expression(own, its_kind)
        self._translator.dot = self._scopes[-1].variables[variables[-1]]
        for number, (name, own) in enumerate(boxed, 1):
            box = self._declare(name, t.ANY)
            self._tag(
                "block",
                f"set {box} = namespace(value={own})",
                node.tag,
                left=False,
                right=number == len(boxed),
            )
