"""Cuts a Go template into texts and actions, and an action into tokens.

Source: https://pkg.go.dev/text/template, and ``text/template/parse/lex.go`` for what the documentation leaves open:
a trim marker is a hyphen with white space on its inner side, a comment fills its action, blanks part arguments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.render.gotemplate.errors import GoTemplateError

SPACES = " \t\r\n"
"""What trim markers take away."""

_KEYWORDS = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"}
)
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?|\.\d[\d_]*(?:[eE][+-]?\d+)?)i?(?!\w))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<char>'(?:[^'\\\n]|\\.)+')
    |(?P<operator>:=|[=|(),.])""",
    re.VERBOSE,
)
_SPACED_COMMENT = re.compile(r"[ \t\r\n]+/\*")
_TRIMMED_END = re.compile(r"[ \t\r\n]+-\}\}")
_COMMENT_END = re.compile(r"\*/(?P<trim>[ \t\r\n]+-)?\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word of an action.

    Attributes:
        kind: ``keyword``, ``word``, ``field``, ``variable``, ``number``, ``string``, ``raw``, ``char``, ``space``,
            ``operator``, and ``end`` after the last.
        text: as it stands in the template.
        line: from 1 on.
    """

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What stands between actions, untouched."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One ``{{ ... }}``.

    Attributes:
        tokens: what is inside; empty for a comment.
        trims_left: it takes the white space before it.
        trims_right: it takes the white space after it.
        comment: the words of a comment, None for an action.
    """

    line: int
    tokens: tuple[Token, ...] = ()
    trims_left: bool = False
    trims_right: bool = False
    comment: str | None = None


def scan(source: str) -> Iterator[Text | Tag]:
    """Yield texts and tags in turn.

    Raises:
        GoTemplateError: an action or a comment that does not end, or a character that no action may hold.
    """
    at, line = 0, 1
    while (start := source.find("{{", at)) >= 0:
        if start > at:
            yield Text(text=source[at:start])
        line += source.count("\n", at, start)
        tag, at = _tag(source, start, line=line)
        line += source.count("\n", start, at)
        yield tag
    if at < len(source):
        yield Text(text=source[at:])


def _tag(source: str, start: int, *, line: int) -> tuple[Tag, int]:
    at = start + 2
    trims_left = source[at : at + 1] == "-" and source[at + 1 : at + 2] in tuple(SPACES)
    if trims_left:
        at += 2
        # White space after the marker may come before a comment.
        if (comment := _SPACED_COMMENT.match(source, at)) is not None:
            at = comment.end() - len("/*")
    if source.startswith("/*", at):
        return _comment(source, at, line=line, trims_left=trims_left)
    tokens: list[Token] = []
    while True:
        if source.startswith("}}", at):
            return Tag(
                line=line, tokens=(*tokens, Token(kind="end", text="", line=line)), trims_left=trims_left
            ), at + 2
        if (marker := _TRIMMED_END.match(source, at)) is not None:
            end = Token(kind="end", text="", line=line)
            return Tag(
                line=line, tokens=(*tokens, end), trims_left=trims_left, trims_right=True
            ), marker.end()
        token = _token(source, at, line=line + source.count("\n", start, at))
        tokens.append(token)
        at += len(token.text)


def _comment(source: str, at: int, *, line: int, trims_left: bool) -> tuple[Tag, int]:
    close = source.find("*/", at)
    end = _COMMENT_END.match(source, close) if close >= 0 else None
    if end is None:
        raise GoTemplateError(line, "a comment does not end, or does not fill its action")
    text = source[at + 2 : close].strip()
    tag = Tag(line=line, trims_left=trims_left, trims_right=end["trim"] is not None, comment=text)
    return tag, end.end()


def _token(source: str, at: int, *, line: int) -> Token:
    match = _TOKEN.match(source, at)
    if match is None:
        if at >= len(source):
            raise GoTemplateError(line, "an action does not end: }} is missing")
        raise GoTemplateError(line, f"unexpected {source[at]!r} in an action")
    kind = str(match.lastgroup)
    if kind == "word" and match[0] in _KEYWORDS:
        kind = "keyword"
    return Token(kind=kind, text=match[0], line=line)
