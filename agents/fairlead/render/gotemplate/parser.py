"""Makes a tree of a Go template.

It takes what ``text/template`` takes, and refuses what that refuses, in words that name the line.
Source: https://pkg.go.dev/text/template, and ``text/template/parse``.
"""

from collections.abc import Sequence

from fairlead.render.gotemplate import nodes
from fairlead.render.gotemplate.errors import GoTemplateError
from fairlead.render.gotemplate.lexer import SPACES, Tag, Text, Token, scan
from fairlead.render.gotemplate.pipelines import Words, parse_pipeline, string_of

_ENDS = frozenset({"else", "end"})


def parse(source: str) -> nodes.Tree:
    """Return the tree of a file.

    Raises:
        GoTemplateError: it is not a Go template.
    """
    return _Parser(source).tree()


class _Parser:
    """Goes through the tags once; the stack of open branches is Python's own."""

    def __init__(self, source: str) -> None:
        self._items = list(scan(source))
        self._at = 0
        self._defined: dict[str, Sequence[nodes.Node]] = {}
        self._loops = 0

    def tree(self) -> nodes.Tree:
        """Return the whole."""
        body, stop = self._nodes()
        if stop is not None:
            raise GoTemplateError(stop.line, f"unexpected {{{{{_keyword(stop)}}}}}")
        return nodes.Tree(nodes=body, defined=self._defined)

    def _nodes(self) -> tuple[list[nodes.Node], Tag | None]:
        """Return the nodes up to an ``else`` or ``end``, and that tag."""
        found: list[nodes.Node] = []
        while self._at < len(self._items):
            item = self._items[self._at]
            self._at += 1
            if isinstance(item, Text):
                found.append(nodes.Raw(text=item.text))
            elif item.comment is not None:
                found.append(nodes.Comment(tag=item))
            elif (word := _keyword(item)) in _ENDS:
                return found, item
            else:
                found.append(self._node(item, word))
        return found, None

    def _node(self, tag: Tag, word: str) -> nodes.Node:
        words = Words(tag)
        if word in {"if", "with", "range"}:
            words.take()
            return self._branch(tag, word, words)
        if word == "template":
            words.take()
            return self._call(tag, words)
        if word in {"define", "block"}:
            words.take()
            return self._define(tag, word, words)
        if word in {"break", "continue"}:
            words.take()
            words.finish()
            if not self._loops:
                raise GoTemplateError(tag.line, f"{{{{{word}}}}} outside of {{{{range}}}}")
            return nodes.Jump(tag=tag, word=word)
        return nodes.Action(tag=tag, pipeline=parse_pipeline(words, "command"))

    def _body(self, tag: Tag) -> tuple[list[nodes.Node], Tag]:
        body, stop = self._nodes()
        if stop is None:
            raise GoTemplateError(tag.line, f"{{{{{_keyword(tag)}}}}} without {{{{end}}}}")
        return body, stop

    def _branch(self, tag: Tag, word: str, words: Words) -> nodes.Branch:
        pipeline = parse_pipeline(words, word)
        self._loops += word == "range"
        body, stop = self._body(tag)
        self._loops -= word == "range"
        branch = nodes.Branch(word=word, tag=tag, pipeline=pipeline, body=body)
        if _keyword(stop) == "end":
            Words(stop).only("end")
            branch.end = stop
            return branch
        branch.else_tag = stop
        rest = Words(stop)
        rest.take()
        if (chained := rest.peek()).kind == "keyword" and chained.text in {"if", "with"} and word != "range":
            rest.take()
            inner = self._branch(stop, chained.text, rest)
            inner.is_chained = True
            branch.orelse, branch.end = [inner], inner.end
            return branch
        rest.finish()
        branch.orelse, branch.end = self._body(stop)
        if _keyword(branch.end) != "end":
            raise GoTemplateError(branch.end.line, "expected {{end}}; found {{else}}")
        Words(branch.end).only("end")
        return branch

    def _call(self, tag: Tag, words: Words) -> nodes.Call:
        name = string_of(words.take())
        pipeline = None if words.peek().kind == "end" else parse_pipeline(words, "template")
        return nodes.Call(tag=tag, name=name, pipeline=pipeline)

    def _define(self, tag: Tag, word: str, words: Words) -> nodes.Node:
        name = string_of(words.take())
        pipeline = None
        if word == "block":
            pipeline = parse_pipeline(words, "block")
        else:
            words.finish()
        loops, self._loops = self._loops, 0
        body, stop = self._body(tag)
        self._loops = loops
        Words(stop).only("end")
        # The text's own white space goes as its tags say; Go too keeps a definition apart from its surroundings.
        if name not in self._defined or not _is_empty(body):
            self._defined[name] = [_edge(tag, is_start=True), *body, _edge(stop, is_start=False)]
        if pipeline is None:
            return nodes.Hidden(first=tag, last=stop)
        return nodes.Call(tag=tag, name=name, pipeline=pipeline, end=stop)


def _edge(tag: Tag, *, is_start: bool) -> nodes.Hidden:
    """Return the tag's inner side alone: what it trims inside its definition."""
    inner = (
        Tag(line=tag.line, trims_right=tag.trims_right)
        if is_start
        else Tag(line=tag.line, trims_left=tag.trims_left)
    )
    return nodes.Hidden(first=inner, last=inner)


def _is_empty(body: Sequence[nodes.Node]) -> bool:
    """Whether a definition is only white space and comments; such a one does not take another's place."""
    return all(
        isinstance(node, nodes.Comment) or (isinstance(node, nodes.Raw) and not node.text.strip(SPACES))
        for node in body
    )


def _keyword(tag: Tag) -> str:
    """Return the first word where it is a keyword, else nothing."""
    first: Token | None = next((token for token in tag.tokens if token.kind != "space"), None)
    return first.text if first is not None and first.kind == "keyword" else ""
