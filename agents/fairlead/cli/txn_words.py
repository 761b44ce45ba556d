"""The small language of ``fairlead kv txn``: conditions and operations as people write them."""

import os
import re
import shlex
from collections.abc import Callable
from typing import Any

from fairlead.cli.errors import CliError
from fairlead.client import Compare, op_delete, op_get, op_put

_CONDITION = re.compile(r"\s*(\w+)\((.+)\)\s*(=|!=|<|>)\s*(.*?)\s*", re.DOTALL)
_TARGETS: dict[str, Callable[[bytes], Compare]] = {
    "version": Compare.version,
    "create": Compare.create_revision,
    "mod": Compare.mod_revision,
    "value": Compare.value,
    "lease": Compare.lease,
}


def read_condition(text: str) -> Any:
    """Read ``version(/a) = 0``; return the comparison.

    Raises:
        CliError: it is none; the text shows one.
    """
    found = _CONDITION.fullmatch(text)
    if found is None or found[1] not in _TARGETS:
        raise CliError(f"{text!r} is no condition; write it as 'version(/a) = 0' or 'value(/a) != old'")
    target, key, relation, operand = found.groups()
    compare = _TARGETS[target](os.fsencode(key))
    return _RELATIONS[relation](compare, _operand(target, operand))


_RELATIONS: dict[str, Callable[[Compare, bytes | int], Any]] = {
    "=": Compare.equals,
    "!=": Compare.differs,
    "<": Compare.is_below,
    ">": Compare.is_above,
}


def _operand(target: str, text: str) -> bytes | int:
    plain = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if target == "value":
        return os.fsencode(plain)
    try:
        return int(plain, 16 if target == "lease" else 10)
    except ValueError:
        raise CliError(f"{target} is compared with a number, not with {text!r}") from None


def read_operation(text: str) -> Any:
    """Read ``put /a 1``; return the operation.

    Raises:
        CliError: it is none; the text shows one.
    """
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    has_prefix = "--prefix" in words
    match [word for word in words if word != "--prefix"]:
        case ["put", key, value] if not has_prefix:
            return op_put(os.fsencode(key), os.fsencode(value))
        case ["get", key]:
            return op_get(os.fsencode(key), prefix=has_prefix)
        case ["del", key]:
            return op_delete(os.fsencode(key), prefix=has_prefix)
        case _:
            raise CliError(
                f"{text!r} is no operation; write 'put KEY VALUE', 'get KEY' or 'del KEY [--prefix]'"
            )
