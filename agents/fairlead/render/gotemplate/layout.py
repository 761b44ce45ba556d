"""Writes texts and Jinja2 tags so that the white space comes out as Go's would.

Go copies every blank and line end but those next to a trim marker.  Jinja2, as the renderer sets it, drops a line
end after a block and the blanks before one that starts its line.  So a tag gets ``-`` where Go trims, ``+`` where
Jinja2 would and Go does not, and nothing where both agree.  A text that Jinja2 would read as a tag, and a carriage
return, which it would change, are written as expressions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairlead.render.gotemplate.lexer import SPACES
from fairlead.render.gotemplate.words import text_literal

_OPENERS = re.compile(r"\{[%#]|[\r\udc80-\udcff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A text to be copied, a Jinja2 tag, or the place of a Go tag that has no counterpart.

    Attributes:
        kind: ``text``, ``block``, ``print``, ``comment`` or ``hidden``.
        body: the text, or what stands inside the tag.
        trims_left: the Go tag takes the white space before it.
        trims_right: the Go tag takes the white space after it.
    """

    kind: str
    body: str = ""
    trims_left: bool = False
    trims_right: bool = False


_BRACKETS = {"block": ("{%", "%}"), "print": ("{{", "}}"), "comment": ("{#", "#}")}


def write(pieces: Sequence[Piece]) -> str:
    """Return the Jinja2 source."""
    merged = _merged(_trimmed([piece for piece in pieces if piece.kind != "text" or piece.body]))
    written: list[str] = []
    for number, piece in enumerate(merged):
        before = merged[number - 1] if number else None
        after = merged[number + 1] if number + 1 < len(merged) else None
        if piece.kind == "text":
            written.append(_text(piece.body, is_before_tag=after is not None))
        else:
            written.append(_tag(piece, before, after))
    return "".join(written)


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """Trim here what Jinja2's own markers would not trim as Go does, and clear those markers."""
    for number, piece in enumerate(pieces):
        before = pieces[number - 1] if number else None
        after = pieces[number + 1] if number + 1 < len(pieces) else None
        if piece.kind != "text":
            # Without a text between, a marker would reach the text behind what is hidden.
            pieces[number] = replace(
                piece,
                trims_left=piece.trims_left and not (before is not None and before.kind == "hidden"),
                trims_right=piece.trims_right and not (after is not None and after.kind == "hidden"),
            )
            continue
        body = piece.body
        is_lonely = not body.strip() and any(
            side is not None and side.kind == "hidden" for side in (before, after)
        )
        if before is not None and before.trims_right:
            stripped = body.lstrip(SPACES)
            if before.kind == "hidden" or is_lonely or not _agrees(body, stripped, body.lstrip()):
                pieces[number - 1] = replace(before, trims_right=False)
                body = stripped
        if after is not None and after.trims_left:
            stripped = body.rstrip(SPACES)
            if after.kind == "hidden" or is_lonely or not _agrees(body, stripped, body.rstrip()):
                pieces[number + 1] = replace(after, trims_left=False)
                body = stripped
        pieces[number] = replace(piece, body=body)
    return pieces


def _agrees(body: str, by_go: str, by_jinja: str) -> bool:
    """Whether Jinja2's marker takes what Go's takes."""
    return by_go == by_jinja and "\r" not in body[: len(body) - len(by_go)] and "\r" not in body[len(by_go) :]


def _merged(pieces: Sequence[Piece]) -> list[Piece]:
    """Drop what is hidden and empty, and join the texts around it."""
    merged: list[Piece] = []
    for piece in pieces:
        if piece.kind == "text" and merged and merged[-1].kind == "text":
            merged[-1] = replace(merged[-1], body=merged[-1].body + piece.body)
        elif piece.kind not in {"text", "hidden"} or (piece.kind == "text" and piece.body):
            merged.append(piece)
    return merged


def _text(body: str, *, is_before_tag: bool) -> str:
    text = _OPENERS.sub(lambda match: f"{{{{ {text_literal(match[0])} }}}}", body)
    # An opening brace and the tag's own would be read as one.
    if is_before_tag and text.endswith("{"):
        text = text[:-1] + '{{ "{" }}'
    return text


def _tag(piece: Piece, before: Piece | None, after: Piece | None) -> str:
    opening, closing = _BRACKETS[piece.kind]
    left, right = "-" if piece.trims_left else "", "-" if piece.trims_right else ""
    if piece.kind != "print":
        blanks = before.body.rpartition("\n")[2] if before is not None and before.kind == "text" else ""
        if not left and blanks and not blanks.strip():
            left = "+"
        if not right and after is not None and after.kind == "text" and after.body.startswith("\n"):
            right = "+"
    return f"{opening}{left} {piece.body} {right}{closing}"
