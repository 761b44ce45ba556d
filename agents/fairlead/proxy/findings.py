"""What is found wrong with a whole, told to the operator as it comes and goes."""

from collections.abc import Mapping
from typing import Protocol


class FindingsBoard(Protocol):
    """Where the operator is told; ``fairlead.agent.Status`` is one."""

    def problem(self, key: bytes | str, text: str) -> None:
        """``key`` is wrong."""

    def healed(self, key: bytes | str) -> None:
        """``key`` is right again, or gone."""


class Findings:
    """The problems that were told last."""

    def __init__(self, board: FindingsBoard) -> None:
        self._board = board
        self._told: Mapping[bytes | str, str] = {}

    def tell(self, problems: Mapping[bytes | str, str]) -> None:
        """Say what is new in ``problems``, which are all there are, and what is gone."""
        for key in self._told.keys() - problems.keys():
            self._board.healed(key)
        for key, text in problems.items():
            if self._told.get(key) != text:
                self._board.problem(key, text)
        self._told = problems
