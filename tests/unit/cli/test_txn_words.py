import pytest

from fairlead.cli.errors import CliError
from fairlead.cli.txn_words import read_condition, read_operation
from fairlead.client import Compare, op_delete, op_get, op_put


@pytest.mark.parametrize(
    ("text", "compare"),
    [
        ("version(/a) = 0", Compare.version("/a").equals(0)),
        ("create(/a) != 3", Compare.create_revision("/a").differs(3)),
        ("mod(/a) < 9", Compare.mod_revision("/a").is_below(9)),
        ("mod(/a)>9", Compare.mod_revision("/a").is_above(9)),
        ("lease(/a) = 1f", Compare.lease("/a").equals(0x1F)),
        ("value(/a) = two words", Compare.value("/a").equals("two words")),
        ('value(/a) = " kept "', Compare.value("/a").equals(" kept ")),
        ("value(/a) = ", Compare.value("/a").equals("")),
        ("value(/f(x)) = 1", Compare.value("/f(x)").equals("1")),
        (" version(/a) = 0 ", Compare.version("/a").equals(0)),
    ],
)
def test_a_condition_compares_a_target_of_a_key(text: str, compare: object) -> None:
    assert read_condition(text) == compare


@pytest.mark.parametrize(
    "text", ["", "version /a = 0", "age(/a) = 0", "version(/a) ~ 0", "version() = 0", "version(/a)"]
)
def test_what_is_no_condition_is_shown_one(text: str) -> None:
    with pytest.raises(CliError, match=r"is no condition; write it as 'version\(/a\) = 0'"):
        read_condition(text)


@pytest.mark.parametrize("text", ["version(/a) = one", "lease(/a) = 1g", "mod(/a) = "])
def test_a_number_is_compared_with_a_number(text: str) -> None:
    with pytest.raises(CliError, match="is compared with a number, not with"):
        read_condition(text)


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("put /a 1", op_put("/a", "1")),
        ("put /a 'two words'", op_put("/a", "two words")),
        ("put /a ''", op_put("/a", "")),
        ("get /a", op_get("/a")),
        ("get /a --prefix", op_get("/a", prefix=True)),
        ("del /a", op_delete("/a")),
        ("del --prefix /a", op_delete("/a", prefix=True)),
    ],
)
def test_an_operation_is_written_as_on_the_command_line(text: str, operation: object) -> None:
    assert read_operation(text) == operation


@pytest.mark.parametrize(
    "text", ["", "put /a", "put /a b c", "put /a b --prefix", "get", "inc /a", "put /a 'b"]
)
def test_what_is_no_operation_is_shown_one(text: str) -> None:
    with pytest.raises(CliError, match="is no operation; write 'put KEY VALUE'"):
        read_operation(text)


def test_words_that_are_no_text_are_the_bytes_they_were_typed_as() -> None:
    assert read_operation("put /a \udcff") == op_put(b"/a", b"\xff")
    assert read_condition("value(/a) = \udcff") == Compare.value(b"/a").equals(b"\xff")
