"""``printf`` as in Go's documentation of ``fmt``."""

import math

import pytest

from fairlead.render.golang import Values, go_print, go_printf, go_println, value_text
from fairlead.render.view import KVPair

PAIR = KVPair("/a", "1")


@pytest.mark.parametrize(
    ("form", "values", "expected"),
    [
        ("%d|%5d|%-5d|%05d|%+d|% d", (42, 42, 42, 42, 42, 42), "42|   42|42   |00042|+42| 42"),
        ("%05d|%-05d|%x|%X|%#x|%o|%#o|%O|%b", (-42, 42, 255, 255, 255, 8, 8, 8, 5), "-0042|42   |ff|FF|0xff|10|010|0o10|101"),
        ("%c|%q|%U|%#U|%.3d|%8.3d", (97, 97, 97, 97, 7, 7), "a|'a'|U+0061|U+0061 'a'|007|     007"),
        ("%s|%5s|%-5s|%.2s|%5.1s", ("ab", "ab", "ab", "abc", "xyz"), "ab|   ab|ab   |ab|    x"),
        ("%q|%+q|%#q|%x|% x|%#x|%X", ('a"\n', "é", "a", "hi", "hi", "hi", "hi"), '"a\\"\\n"|"\\u00e9"|`a`|6869|68 69|0x6869|6869'),
        ("%t|%v|%5t", (True, False, True), "true|false| true"),
        ("%f|%.2f|%8.2f|%-8.2f|%08.2f|%+.1f|%.0f", (1.5, 1.255, 3.14159, 3.14159, -3.14159, 2.0, 2.5),
         "1.500000|1.25|    3.14|3.14    |-0003.14|+2.0|2"),
        ("%e|%E|%g|%G|%.3g|%.3g|%g|%v", (123456.789, 1.0, 1e6, 1e-7, 1234.5678, 0.00001234, 100000.0, 1e21),
         "1.234568e+05|1.000000E+00|1e+06|1E-07|1.23e+03|1.23e-05|100000|1e+21"),
        ("%v|%v|%v|%+v", (None, [1, "a", None], {"b": 1, "a": "x"}, PAIR), "<nil>|[1 a <nil>]|map[a:x b:1]|{Key:/a Value:1}"),
        ("%s|%q|%d|%s", (["a", "b"], ["a"], [1, 2], PAIR), '[a b]|["a"]|[1 2]|{/a 1}'),
        ("%T %T %T %T %T %T %T", (1, "a", 1.5, True, None, {}, PAIR),
         "int string float64 bool <nil> map[string]interface {} memkv.KVPair"),
        ("%T %T %T", (["a"], [1], Values([1, "a"])), "[]string []int []interface {}"),
        ("%#v|%#v|%#v|%#v|%#v|%4d", ('a"', 1, 1e6, True, None, 7), '"a\\""|1|1e+06|true|<nil>|   7'),
        ("%#v %#v %#v", (["a", "b"], [1], PAIR), '[]string{"a", "b"} []int{1} memkv.KVPair{Key:"/a", Value:"1"}'),
        ("%#v", ({"b": 1.5, "a": None},), 'map[string]interface {}{"a":interface {}(nil), "b":1.5}'),
        ("%[2]d %[1]d", (1, 2), "2 1"),
        ("%*d|%-*d|%.*f", (5, 3, 4, 3, 1, 2.55), "    3|3   |2.5"),
        ("100%%", (), "100%"),
        # What Go puts into the text when a format is wrong.
        ("%d", ("a",), "%!d(string=a)"),
        ("%s", (1,), "%!s(int=1)"),
        ("%d", (8080.0,), "%!d(float64=8080)"),
        ("%s|%d", (None, True), "%!s(<nil>)|%!d(bool=true)"),
        ("%d %d", (1,), "1 %!d(MISSING)"),
        ("x", (1, "a", None), "x%!(EXTRA int=1, string=a, <nil>)"),
        ("%[5]d|%[x]d", (1,), "%!d(BADINDEX)|%!d(BADINDEX)"),
        ("%*d", ("a", 1), "%!(BADWIDTH)1"),
        ("%.*d", ("a", 1), "%!(BADPREC)1"),
        ("a%", (), "a%!(NOVERB)"),
        ("%z", (1,), "%!z(int=1)"),
    ],
)  # fmt: skip
def test_a_directive_prints_what_fmt_prints(form: str, values: tuple[object, ...], expected: str) -> None:
    assert go_printf(form, *values) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"), (-0.0, "-0"), (8080.0, "8080"), (999999.0, "999999"), (1e6, "1e+06"), (134217728.0, "1.34217728e+08"),
        (0.1, "0.1"), (0.0001, "0.0001"), (0.00001, "1e-05"), (-2.5e-10, "-2.5e-10"), (1e100, "1e+100"),
        (123456.75, "123456.75"), (math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
    ],
)  # fmt: skip
def test_a_float_has_an_exponent_from_a_million_on(value: float, expected: str) -> None:
    assert value_text(value) == expected


def test_print_parts_what_is_no_text_and_println_parts_all() -> None:
    assert go_print(1, 2, "a", "b", 3, 4.5) == "1 2ab3 4.5"
    assert go_println(1, "a", "b") == "1 a b\n"
    assert (go_print(), go_println()) == ("", "\n")
