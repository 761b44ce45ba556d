"""remco's templates: pongo2, a Django-like kin of Jinja2.

The languages share their tags; what differs is spelled anew: arguments of filters (``|default:"x"``), ``&&``,
``||`` and ``!``, ``forloop``, ``empty``.  A missing key is the empty text in remco, so ``getv`` gets that as its
default.  Tags and filters without a counterpart are findings, and the template refuses to render there.
Sources: remco's ``docs/content/template``, https://pkg.go.dev/github.com/flosch/pongo2.
"""

import re
from collections.abc import Callable, Mapping

from fairlead.render.gotemplate.words import text_literal

Complain = Callable[[int, str], None]

_TAG = re.compile(r"\{(?P<open>[{%])(?P<left>-?)(?P<body>.*?)(?P<right>-?)[%}]\}|\{#.*?#\}", re.DOTALL)
_WORD = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\|(?!\|)\s*(?P<filter>\w+)(?P<colon>\s*:\s*)?|\s*(?P<and>&&)\s*|\s*(?P<or>\|\|)\s*|[=!<>]=|!|[\w.]+|.",
    re.DOTALL,
)
_TAGS = frozenset({
    "block", "elif", "else", "endblock", "endfor", "endif", "endmacro", "extends", "for", "if", "import", "include",
    "macro", "set",
})  # fmt: skip
_FILTERS: Mapping[str, str] = {
    "base": "base", "base64": "base64Encode", "default": "default", "dir": "dir", "first": "first", "float": "float",
    "integer": "int", "join": "join", "last": "last", "length": "length", "lower": "lower", "parseInt": "atoi",
    "parseJSON": "fromJson", "parseJSONArray": "fromJson", "parseFloat": "float", "reverse": "reverse",
    "sortByLength": "sortByLength", "split": "split", "title": "title", "toJSON": "toJson",
    "toPrettyJSON": "toPrettyJson", "upper": "upper", "capfirst": "capitalize", "striptags": "striptags",
    "wordcount": "wordcount", "urlencode": "urlencode", "cut": "cut", "safe": "safe",
}  # fmt: skip
_LOOP = {
    "forloop.Counter": "loop.index", "forloop.Counter0": "loop.index0", "forloop.First": "loop.first",
    "forloop.Last": "loop.last", "forloop.Revcounter": "loop.revindex", "forloop.Revcounter0": "loop.revindex0",
    "forloop.counter": "loop.index", "forloop.counter0": "loop.index0", "forloop.first": "loop.first",
    "forloop.last": "loop.last",
}  # fmt: skip
_SIGNS = {"and": " and ", "or": " or ", "!": "not "}


def translate_pongo2(source: str, *, complain: Complain) -> str:
    """Return the Jinja2 template; tell ``complain`` line and text of what has no counterpart."""

    def tag(match: re.Match[str]) -> str:
        line = source.count("\n", 0, match.start()) + 1
        if match["open"] is None:
            return match[0]
        try:
            body = _tag_body(match["body"]) if match["open"] == "%" else _expression(match["body"])
        except _UntranslatableError as error:
            complain(line, str(error))
            return f"{{{{ go.untranslated({text_literal(f'line {line}: {error}')}) }}}}"
        closing = "%}" if match["open"] == "%" else "}}"
        return f"{{{match['open']}{match['left']}{body}{match['right']}{closing}"

    return _TAG.sub(tag, source)


class _UntranslatableError(Exception):
    """No counterpart."""


def _tag_body(body: str) -> str:
    words = body.split(None, 1)
    name = words[0] if words else ""
    if name == "empty":
        return " else "
    if name not in _TAGS:
        raise _UntranslatableError(f"tag {name or '(empty)'} of pongo2 has no counterpart here")
    if name == "for" and re.search(r"\b(sorted|reversed)\s*$", body):
        order = body.rsplit(maxsplit=1)[-1]
        body = re.sub(r"\b(sorted|reversed)\s*$", "|sort " if order == "sorted" else "|reverse ", body)
        return body.replace(" |", "|")
    return _expression(body)


def _expression(body: str) -> str:
    pieces: list[str] = []
    closing = ""
    for match in _WORD.finditer(body):
        word = match[0]
        if match["filter"]:
            name = _FILTERS.get(match["filter"])
            if name is None or name == "cut":
                raise _UntranslatableError(f"filter {match['filter']} of pongo2 has no counterpart here")
            pieces.append(f"|{name}" + ("(" if match["colon"] else ""))
            # pongo2's default takes the place of whatever is empty.
            closing = (", true)" if name == "default" else ")") if match["colon"] else ""
            continue
        pieces.append(_SIGNS.get(match.lastgroup or word) or _LOOP.get(word, word))
        pieces.append(closing)
        closing = ""
    return re.sub(r"\bgetv\((\s*(?:\"[^\"]*\"|'[^']*'|\w+)\s*)\)", r'getv(\1, "")', "".join(pieces))
