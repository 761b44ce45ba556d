"""Parses what is inside an action: pipelines, commands, operands.

Source: ``text/template/parse``: blanks part the arguments, a field that follows without a blank belongs to what
stands before it.
"""

import re

from fairlead.render.golang.quoting import unquoted
from fairlead.render.gotemplate import nodes
from fairlead.render.gotemplate.errors import GoTemplateError
from fairlead.render.gotemplate.lexer import Tag, Token

_OPERANDS = frozenset({"word", "field", "variable", "number", "string", "raw", "char"})


class Words:
    """The tokens of one tag, taken from the front."""

    def __init__(self, tag: Tag) -> None:
        self.line = tag.line
        self._tokens = tag.tokens
        self._at = 0
        self.skip()

    def skip(self) -> bool:
        """Pass over blanks; return whether there were any."""
        start = self._at
        while self._tokens[self._at].kind == "space":
            self._at += 1
        return self._at > start

    def peek(self) -> Token:
        """Return the next token, a blank too, without taking it."""
        return self._tokens[self._at]

    def take(self, *, keep_space: bool = False) -> Token:
        """Return the next token and go on; blanks after it are passed over."""
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
            if not keep_space:
                self.skip()
        return token

    def finish(self) -> None:
        """Nothing may be left."""
        if (token := self.peek()).kind != "end":
            raise GoTemplateError(token.line, f"unexpected {token.text!r}")

    def only(self, word: str) -> None:
        """The tag is this word alone."""
        if self.take().text != word:
            raise GoTemplateError(self.line, f"expected {{{{{word}}}}}")
        self.finish()

    def mark(self) -> int:
        """Return the place, for ``back``."""
        return self._at

    def back(self, place: int) -> None:
        """Go back to where ``mark`` was called."""
        self._at = place


def string_of(token: Token) -> str:
    """Return what a string constant stands for."""
    if token.kind == "raw":
        return token.text[1:-1].replace("\r", "")
    if token.kind != "string":
        raise GoTemplateError(token.line, f"expected a string constant, not {token.text!r}")
    try:
        return unquoted(token.text[1:-1])
    except ValueError as error:
        raise GoTemplateError(token.line, str(error)) from None


def parse_pipeline(words: Words, context: str, *, is_inner: bool = False) -> nodes.Pipeline:
    """Parse up to the end of the tag, or to the closing bracket.

    Args:
        words: at the first word.
        context: ``range`` may declare two variables; the word is named in errors.
        is_inner: it stands in brackets.
    """
    line = words.peek().line
    variables, declares = ((), True) if is_inner else _declaration(words, context)
    commands: list[nodes.Command] = []
    while True:
        token = words.peek()
        if token.kind == "end" or (is_inner and token.text == ")"):
            break
        commands.append(_command(words, is_inner=is_inner))
        if words.peek().text == "|":
            words.take()
            if words.peek().kind == "end":
                raise GoTemplateError(token.line, f"missing value after | in {context}")
    if not commands:
        raise GoTemplateError(line, f"missing value for {context}")
    for command in commands[1:]:
        if isinstance(command.operand, nodes.Literal | nodes.Dot | nodes.Pipeline) and not command.arguments:
            raise GoTemplateError(line, "a value in the middle of a pipeline takes no argument")
    return nodes.Pipeline(line=line, commands=tuple(commands), variables=variables, declares=declares)


def _declaration(words: Words, context: str) -> tuple[tuple[str, ...], bool]:
    """Return the variables of ``$x :=``, ``$x =`` or ``$i, $e :=``, none where no such thing stands there."""
    place = words.mark()
    names: list[str] = []
    while words.peek().kind == "variable":
        names.append(words.take().text[1:])
        sign = words.peek().text
        if sign in {":=", "="}:
            words.take()
            return tuple(names), sign == ":="
        if sign != "," or context != "range" or len(names) > 1:
            break
        words.take()
    words.back(place)
    return (), True


def _command(words: Words, *, is_inner: bool) -> nodes.Command:
    operands: list[nodes.Operand] = []
    is_apart = True
    while True:
        token = words.peek()
        if token.kind == "end" or token.text == "|" or (token.text == ")" and is_inner):
            break
        if not is_apart:
            raise GoTemplateError(token.line, f"a blank is missing before {token.text!r}")
        operands.append(_operand(words))
        is_apart = words.skip()
    if not operands:
        raise GoTemplateError(words.line, "empty command")
    first, rest = operands[0], tuple(operands[1:])
    if isinstance(first, nodes.Literal) and first.value is None:
        raise GoTemplateError(words.line, "nil is not a command")
    if rest and isinstance(first, nodes.Literal | nodes.Dot | nodes.Pipeline):
        raise GoTemplateError(words.line, "only a function or a method can be given arguments")
    return nodes.Command(operand=first, arguments=rest)


def _operand(words: Words) -> nodes.Operand:
    token = words.take(keep_space=True)
    operand = _base(words, token)
    names: list[str] = []
    while words.peek().kind == "field":
        names.append(words.take(keep_space=True).text[1:])
    if not names:
        return operand
    if isinstance(operand, nodes.Literal):
        raise GoTemplateError(token.line, f"unexpected . after {token.text!r}")
    if isinstance(operand, nodes.Field):
        return nodes.Field(of=operand.of, names=(*operand.names, *names))
    return nodes.Field(of=operand, names=tuple(names))


def _base(words: Words, token: Token) -> nodes.Operand:
    """Return the operand without the fields that may follow."""
    if token.kind == "word":
        truth = {"true": True, "false": False}
        return (
            nodes.Literal(value=truth[token.text]) if token.text in truth else nodes.Function(name=token.text)
        )
    if token.kind == "keyword" and token.text == "nil":
        return nodes.Literal(value=None)
    if token.kind == "field":
        return nodes.Field(of=nodes.Dot(), names=(token.text[1:],))
    if token.kind == "variable":
        return nodes.Variable(name=token.text[1:])
    if token.kind in {"string", "raw"}:
        return nodes.Literal(value=string_of(token))
    if token.kind == "char":
        return nodes.Literal(value=_rune(token))
    if token.kind == "number":
        return nodes.Literal(value=_number(token))
    if token.text == ".":
        return nodes.Dot()
    if token.text == "(":
        words.skip()
        inner = parse_pipeline(words, "parenthesized pipeline", is_inner=True)
        if words.take(keep_space=True).text != ")":
            raise GoTemplateError(token.line, "unclosed left paren")
        return inner
    raise GoTemplateError(token.line, f"unexpected {token.text or '}}'!r}")


def _rune(token: Token) -> int:
    try:
        text = unquoted(token.text[1:-1])
    except ValueError as error:
        raise GoTemplateError(token.line, str(error)) from None
    if len(text) != 1:
        raise GoTemplateError(token.line, f"malformed character constant {token.text}")
    return ord(text)


def _number(token: Token) -> int | float:
    text = token.text.replace("_", "")
    if text.endswith("i"):
        raise GoTemplateError(token.line, f"{token.text}: complex numbers are not supported")
    try:
        if re.search(r"[.eE]", text) and not re.match(r"[+-]?0[xX]", text):
            return float(text)
        # Go's leading zero means octal; Python wants the letter.
        return int(re.sub(r"^([+-]?)0([0-7]+)$", r"\g<1>0o\2", text), 0)
    except ValueError:
        raise GoTemplateError(token.line, f"bad number {token.text!r}") from None
