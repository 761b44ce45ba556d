"""A translated template renders the bytes that Go's text/template with confd's functions renders.

The expected texts follow Go's documentation and reference/renderer.md, section 1.3; each was worked out by hand.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.render.gotemplate.conftest import GoRender

from fairlead.render.gotemplate import GoTemplateError, translate
from fairlead.render.gotemplate.lexer import SPACES, Tag, scan


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        # Every blank and line end outside of actions is kept.
        ("a\n{{if true}}\nb\n{{end}}\nc\n", "a\n\nb\n\nc\n"),
        ("  {{if true}}x{{end}}\n", "  x\n"),
        (
            'a\n  {{range gets "/app/up/*"}}\n  {{.Value}}\n  {{end}}\nz',
            "a\n  \n  10.0.0.9\n  \n  10.0.0.2\n  \nz",
        ),
        ('\n{{getv "/app/name"}}\n', "\ndemo\n"),
        # A trim marker takes blanks, tabs, carriage returns and line ends, up to the next text or action.
        ('a \t\r\n {{- "x" -}} \n b', "axb"),
        ("{{1 -}} {{- 2 -}} \n {{3}}", "123"),
        ("a{{- /* one */ -}} \n b", "ab"),
        ("a \n{{/* one */}}\n b", "a \n\n b"),
        (
            'up {\n{{- range gets "/app/up/*"}}\n  {{.Value}};\n{{- end}}\n}\n',
            "up {\n  10.0.0.9;\n  10.0.0.2;\n}\n",
        ),
        ('a{{- "x"}}\u00a0 {{"y" -}}\u00a0b', "ax\u00a0 y\u00a0b"),
        # What Jinja2 would take for its own.
        ('{% x %} {# y #} ${#a[@]} {{"{{"}}', "{% x %} {# y #} ${#a[@]} {{"),
        ('server { {{- "x"}}}', "server {x}"),
        ("server {\n{{- if true}}x{{end}}}", "server {x}"),
        ("{\r{{- if true}}x{{end}}", "{x"),
        ("a\r\n{{if true}}\r\nb\r{{end}}\r\n", "a\r\n\r\nb\r\r\n"),
        ('caf\u00e9 \udcff\n{{"\\xff"}}', "caf\u00e9 \udcff\n\udcff"),
        ("{{/* {% raw %} #} */}}x", "x"),
        # Definitions stand apart from what surrounds them.
        ('a\n{{define "T"}} t {{end}}\nb{{template "T"}}', "a\n\nb t "),
        ('a {{- define "T" -}} t {{- end -}} b{{template "T"}}', "abt"),
        ('{{"x" -}} {{define "T"}}{{end}}  y', "x  y"),
        ('x  {{define "T"}}{{end}} {{- "y"}}', "x  y"),
        ('{{define "T"}}\n  {{.}}\n{{end}}[{{template "T" 5}}]', "[\n  5\n]"),
    ],
)
def test_white_space_comes_out_as_in_go(template: str, expected: str, go_render: GoRender) -> None:
    assert go_render(template) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{getv \"/app/name\"}} {{1}} {{-5}} {{1.5}} {{true}} {{'a'}} {{0x1F}} {{017}} {{1e3}} {{`a\\n`}}",
         "demo 1 -5 1.5 true 97 31 15 1000 a\\n"),
        ("{{.}} {{$}} {{.Any.Thing}}", "<no value> <no value> <no value>"),
        ('{{exists "/app/name"}} {{exists "/nope"}}', "true false"),
        ('{{get "/app/name"}} {{(get "/app/name").Value}} {{len (get "/app/name").Key}}',
         "{/app/name demo} demo 9"),
        ('{{gets "/app/up/*"}}', "[{/app/up/a 10.0.0.9} {/app/up/b 10.0.0.2}]"),
        ('{{getvs "/app/up/*"}} {{ls "/app/up"}} {{split "a,b" ","}}', "[10.0.0.2 10.0.0.9] [a b] [a b]"),
        # Numbers out of JSON are floats; a large one gets an exponent.
        ('{{$j := json (getv "/app/json")}}{{$j.port}} {{$j.memory}} {{$j.share}} {{$j.up}} {{$j.gone}} {{$j.nope}}',
         "8080 1.34217728e+08 0.25 true <no value> <no value>"),
        ('{{$j := json (getv "/app/json")}}{{$j.tags}} {{$j.zone}} {{$j.zone.name}} {{$j.nope.name}}',
         "[x 1 <nil>] map[a:first name:z1] z1 <no value>"),
        ('{{range jsonArray (getv "/app/list")}}{{.n}}:{{.p}} {{end}}', "one:<no value> two:2 "),
        ('{{printf "%v %s" (index (json (getv "/app/json")) "nope") "x"}}', "<nil> x"),
        ('{{map "b" 1 "a" "x"}}', "map[a:x b:1]"),
        ('{{print 1 2 "a" "b" 3}}{{println "x" 1}}', "1 2ab3x 1\n"),
    ],
)  # fmt: skip
def test_values_print_as_in_go(template: str, expected: str, go_render: GoRender) -> None:
    assert go_render(template) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{if ""}}a{{else}}b{{end}}{{if 0}}a{{else}}b{{end}}{{if 0.0}}a{{else}}b{{end}}', "bbb"),
        ('{{if .}}a{{else}}b{{end}}{{if gets "/nope/*"}}a{{else}}b{{end}}{{if get "/app/empty"}}a{{else}}b{{end}}', "bba"),
        ("{{if eq 1 2}}a{{else if eq 1 1}}b{{else}}c{{end}}", "b"),
        ('{{if $x := getv "/app/name"}}{{$x}}{{end}}{{if $y := ""}}{{else}}[{{$y}}]{{end}}', "demo[]"),
        ('{{if false}}{{else if $x := getv "/app/name"}}{{$x}}{{else}}c{{end}}', "demo"),
        ('{{with getv "/app/name"}}{{.}}{{else}}none{{end}}{{with ""}}{{.}}{{else}}none{{end}}', "demonone"),
        ("{{with $x := 5}}{{$x}}{{.}}{{end}}", "55"),
        ('{{with ""}}a{{else with "b"}}{{.}}{{end}}', "b"),
        ('{{range gets "/nope/*"}}a{{else}}none{{end}}', "none"),
        ('{{range $i, $e := gets "/app/up/*"}}{{if $i}},{{end}}{{base $e.Key}}{{.Value}}{{end}}', "a10.0.0.9,b10.0.0.2"),
        # Maps are gone through in the order of their keys.
        ('{{range $k, $v := json `{"b": 1, "a": 2, "C": 3}`}}{{$k}}{{$v}} {{end}}', "C3 a2 b1 "),
        ('{{range json `{"b": 1, "a": 2}`}}{{.}}{{end}}', "21"),
        ("{{range $i := seq 1 3}}{{$i}}{{end}}{{range 3}}{{.}}{{end}}", "123012"),
        ("{{range seq 1 9}}{{if eq . 2}}{{continue}}{{end}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}", "13"),
        ("{{range seq 1 2}}{{range seq 1 2}}{{.}}{{end}}{{.}} {{end}}", "121 122 "),
        # A variable is seen to the end of its branch; = changes the one outside.
        ("{{$n := 0}}{{range seq 1 4}}{{$n = add $n .}}{{end}}{{$n}}", "10"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ('{{range $i, $e := seq 7 8}}{{$e = "z"}}{{$i}}{{$e}}{{end}}', "0z1z"),
        ('{{$base := base "/a/b"}}{{$loop := 1}}{{$true := 2}}{{$base}}{{$loop}}{{$true}}', "b12"),
        ('{{range gets "/app/up/*"}}{{$.Any}}{{end}}', "<no value><no value>"),
        ('{{define "T"}}{{.}}{{if gt . 0}}{{template "T" (sub . 1)}}{{end}}{{end}}{{template "T" 3}}', "3210"),
        ('{{define "A"}}a{{if .}}{{template "B" .}}{{end}}{{end}}{{define "B"}}b{{end}}{{template "A" 1}}', "ab"),
        ('{{define "T"}}{{$}}{{end}}{{range seq 1 2}}{{template "T" .}}{{end}}{{template "T"}}', "12<no value>"),
        ('{{block "T" 5}}[{{.}}]{{end}}', "[5]"),
    ],
)  # fmt: skip
def test_control_flows_as_in_go(template: str, expected: str, go_render: GoRender) -> None:
    assert go_render(template) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{"x" | printf "%s-%s" "a" | toUpper}}', "A-X"),
        ('{{eq 1 2 1}}{{ne "a" "b"}}{{lt 1 2}}{{le "b" "a"}}{{gt 2 1}}{{ge 1.5 1.5}}', "truetruetruefalsetruetrue"),
        ('{{$j := json (getv "/app/json")}}{{eq $j.gone nil}}{{eq $j.nope ""}}{{eq $j.up true}}', "truefalsetrue"),
        ('{{and 1 "" 2}}|{{or "" 0 "x"}}|{{not 1}}|{{and 1 2}}', "|x|false|2"),
        ('{{or true (getv "/nope")}}{{and false (getv "/nope")}}', "truefalse"),
        ('{{len "caf\u00e9"}} {{len (gets "/app/up/*")}} {{len (json (getv "/app/json"))}}', "5 2 7"),
        ('{{index (split "a,b" ",") 1}} {{index (json (getv "/app/json")) "zone" "name"}} {{index "a" 0}}', "b z1 97"),
        ('{{slice "abcdef" 1 3}}{{slice "abc" 2}} {{slice (split "a,b,c" ",") 1}}', "bcc [b c]"),
        ("{{html \"<a b='c'>&\\\"\"}} {{urlquery \"a b/\u00fc~\"}} {{js \"it's <\"}}",
         "&lt;a b=&#39;c&#39;&gt;&amp;&#34; a+b%2F%C3%BC~ it\\'s \\u003C"),
        ('{{$x := split "a,b" ","}}{{$y := reverse $x}}{{$x}}{{$y}}', "[b a][b a]"),
        ('{{$x := split "aaa,b" ","}}{{sortByLength $x}}{{$x}}', "[b aaa][b aaa]"),
        (
            '{{reverse (gets "/app/up/*")}} {{reverse (sortKVByLength (gets "/app/up/*"))}}',
            "[{/app/up/a 10.0.0.9} {/app/up/b 10.0.0.2}] [{/app/up/b 10.0.0.2} {/app/up/a 10.0.0.9}]",
        ),
        ("{{reverse (jsonArray `[1, 2]`)}} {{reverse (seq 1 2)}}", "[1 2] [1 2]"),
        ("{{json `null`}} {{jsonArray `null`}}", "map[] []"),
        ('{{toJson (json `{"b": 1.0, "a": "<é>"}`)}}', '{"a":"\\u003cé\\u003e","b":1}'),
        ('{{ls "/"}} {{lsdir "/"}} {{ls "app"}} {{ls "/app/up"}} {{ls "/app/up/"}} {{lsdir "/app"}}',
         "[] [] [] [a b] [a b] [up]"),
        ('{{range lsdir "/app"}}{{ls (printf "/app/%s" .)}}{{end}}', "[a b]"),
        ('{{default "d" ""}}{{"v" | default "d"}} {{true | ternary "y" "n"}} {{coalesce "" "c"}}', "dv y c"),
        ('{{$t := datetime}}{{$t.Format "2006" | len}} {{(datetime).Format "MST" | len | lt 2}}', "4 true"),
        ('{{with $x := (get "/app/name")}}{{$x.Key}}={{.Value}}{{end}}', "/app/name=demo"),
    ],
)  # fmt: skip
def test_functions_do_as_in_go(template: str, expected: str, go_render: GoRender) -> None:
    assert go_render(template) == expected


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ('a\n{{getv "/nope"}}', "key /nope does not exist"),
        ('{{get "/nope"}}', "key /nope does not exist"),
        ('{{add 1 "2"}}', "add takes whole numbers"),
        ('{{$j := json (getv "/app/json")}}{{add $j.port 1}}', "add takes whole numbers"),
        ('{{eq 1 "1"}}', "incompatible types for comparison: int and string"),
        ("{{lt . 1}}", "invalid type for comparison"),
        ('{{index (split "a" ",") 5}}', "index out of range: 5"),
        ("{{index . 1}}", "index of untyped nil"),
        ('{{(getv "/app/name").Foo}}', "can't evaluate field Foo in type string"),
        ('{{(get "/app/name").Foo}}', "can't evaluate field Foo in type memkv.KVPair"),
        ('{{range getv "/app/name"}}{{end}}', "range can't iterate over demo"),
        ('{{gets "/app/["}}', "malformed pattern"),
        ('{{json "[1]"}}', "use jsonArray"),
        ("{{base .Nope}}", "attribute"),
    ],
)
def test_what_go_refuses_is_an_error(template: str, complaint: str, go_render: GoRender) -> None:
    error = go_render(template)
    assert error.startswith("error: conf.d/web.toml: templates/web.j2:")
    assert complaint in error


@pytest.mark.parametrize(
    ("template", "line", "problem"),
    [
        ("a\n\n{{call .X}}", 3, "call has no counterpart"),
        (
            '{{cgetv "/secret"}}',
            1,
            "function cgetv (values sealed with PGP) is gone from confd too; seal the value",
        ),
        ('{{range cgets "/secret/*"}}{{end}}', 1, "function cgets (values sealed with PGP) is gone"),
        ('{{made_up "/secret"}}', 1, "function made_up is not defined, by confd or its fork"),
        ('a\n{{template "gone"}}', 2, "template 'gone' is not defined in this file"),
        ("{{$x}}", 1, "undefined variable $x"),
        ("{{if true}}{{$x := 1}}{{end}}\n{{$x = 2}}", 2, "undefined variable $x"),
        ("{{$e := 1}}\n{{range $e = seq 1 2}}{{end}}", 2, "range with = into a variable"),
        ('{{include (printf "%s.tmpl" "a")}}', 1, "include of a name that is made up at run time"),
    ],
)
def test_what_cannot_be_translated_is_named_and_does_not_render(
    template: str, line: int, problem: str, go_render: GoRender
) -> None:
    """Wrong output would be the one unforgivable result."""
    found = translate(template).problems
    assert [(item.line, problem in item.text) for item in found] == [(line, True)]
    assert f"not translated from the Go template: line {line}: " in go_render(template)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("a\n{{if true}}", "line 2: {{if}} without {{end}}"),
        ("{{end}}", "line 1: unexpected {{end}}"),
        ("{{if true}}{{else}}{{else}}{{end}}", "expected {{end}}; found {{else}}"),
        ("{{", "an action does not end"),
        ('a {{{"x"}}}', "unexpected '{' in an action"),
        ('{{getv "/a}}', "unexpected '\"' in an action"),
        ("{{/* a }}", "a comment does not end"),
        ("{{}}", "missing value for command"),
        ("{{nil}}", "nil is not a command"),
        ("{{1 2}}", "only a function or a method can be given arguments"),
        ('{{"a" | "b"}}', "in the middle of a pipeline"),
        ('{{(getv "/a"}}', "unclosed left paren"),
        ("{{break}}", "{{break}} outside of {{range}}"),
        ('{{print "a""b"}}', "a blank is missing"),
        ("{{define T}}{{end}}", "expected a string constant"),
        ("{{3i}}", "complex numbers"),
        ("{{if}}x{{end}}", "missing value for if"),
        ("{{$x := }}", "missing value for command"),
        ('{{"\\q"}}', "unknown escape"),
    ],
)
def test_what_is_no_go_template_is_refused_with_its_line(template: str, complaint: str) -> None:
    with pytest.raises(GoTemplateError) as caught:
        translate(template)
    assert complaint in str(caught.value)


def test_the_result_reads_like_the_original() -> None:
    """People keep their templates: they get Jinja2, not machine code."""
    source = """# {{getv "/app/name"}}
upstream app {
{{- range gets "/app/up/*"}}
    server {{.Value}};  # {{base .Key}}
{{- end}}
}
{{if exists "/app/port"}}port {{getv "/app/port"}}{{end}}
{{range $name := lsdir "/apps"}}{{getv (printf "/apps/%s/host" $name) "none"}}{{end}}
{{range gets "/b/*"}}{{.Key}}{{range gets "/c/*"}}{{.Key}}{{end}}{{end}}
"""
    assert (
        translate(source).text
        == """# {{ getv("/app/name") }}
upstream app {
{%- for kv in gets("/app/up/*") +%}
    server {{ kv.Value }};  # {{ base(kv.Key) }}
{%- endfor +%}
}
{% if exists("/app/port") %}port {{ getv("/app/port") }}{% endif +%}
{% for name in lsdir("/apps") %}{{ getv("/apps/" ~ name ~ "/host", "none") }}{% endfor +%}
{% for kv in gets("/b/*") %}{{ kv.Key }}{% for kv_2 in gets("/c/*") %}{{ kv_2.Key }}{% endfor %}{% endfor +%}
"""
    )


pieces = st.sampled_from(
    ["a", " ", "\n", "\t", "\r\n", "{", "}", "%", "#", "{%", "{#", '{{"v"}}', '{{- "v"}}', '{{"v" -}}',
     "{{if true}}", "{{- if true}}", "{{if true -}}", "{{end}}", "{{- end}}", "{{end -}}", "{{/* c */}}",
     "{{- /* c */ -}}", '{{define "T"}}', "\u00a0"]
)  # fmt: skip


def _by_hand(source: str) -> str | None:
    """What Go prints for texts, conditions that hold, and comments: what is left when the tags are gone."""
    items = list(scan(source))
    printed, hidden = [], 0
    for number, item in enumerate(items):
        if isinstance(item, Tag):
            words = [token.text for token in item.tokens if token.kind not in {"space", "end"}]
            if words == ['"v"'] and not hidden:
                printed.append("v")
            hidden += 1 if words[:1] == ["define"] or (hidden and words[:1] == ["if"]) else 0
            hidden -= 1 if hidden and words == ["end"] else 0
            continue
        before = items[number - 1] if number else None
        after = items[number + 1] if number + 1 < len(items) else None
        text = item.text
        text = text.lstrip(SPACES) if isinstance(before, Tag) and before.trims_right else text
        text = text.rstrip(SPACES) if isinstance(after, Tag) and after.trims_left else text
        if not hidden:
            printed.append(text)
    return "".join(printed)


@given(st.lists(pieces, max_size=12).map("".join))
def test_any_mixture_of_texts_and_trim_markers_comes_out_as_in_go(source: str) -> None:
    """The rules of white space of both languages, against each other."""
    from jinja2 import Environment  # noqa: PLC0415 - the plain engine, with the renderer's settings

    try:
        text = translate(source).text
    except GoTemplateError:
        return
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    assert environment.from_string(text).render() == _by_hand(source)
