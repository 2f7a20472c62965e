"""The 0/1 marks of a population, in blocks of enrollees of one model that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskflow.members.engine.enrolment import Ints
from riskflow.members.engine.program import Values

BLOCK = 1 << 14


@dataclass(frozen=True)
class Block:
    """Some enrollees of one model: the model's index, their numbers, and their marks (variable × enrollee)."""

    model: int
    units: Ints
    marks: Values


class Marks:
    """One byte per variable and enrollee: block × variable × lane. Each model begins with a block of its own."""

    def __init__(self, variables: Sequence[str], models: npt.NDArray[np.int8]) -> None:
        """Start with no marks for enrollees of the given models (indices)."""
        self.rows = {name: row for row, name in enumerate(variables)}
        self._stride = len(self.rows) * BLOCK
        self._units = [np.flatnonzero(models == model) for model in range(int(models.max(initial=-1)) + 1)]
        self._place = np.empty(len(models), np.int64)
        first = 0
        for units in self._units:
            lanes = np.arange(len(units))
            self._place[units] = first + (lanes // BLOCK) * self._stride + lanes % BLOCK
            first += -(-len(units) // BLOCK) * self._stride
        self._bytes: npt.NDArray[np.uint8] = np.zeros(first, np.uint8)

    def set(self, row: Ints, unit: Ints) -> None:
        """Mark variables (row numbers) of enrollees, pair by pair."""
        self._bytes[self._place[unit] + row * BLOCK] = 1

    def blocks(self) -> list[Block]:
        """Return the blocks: all enrollees, those of one model together and in their order."""
        found, first = [], 0
        for model, units in enumerate(self._units):
            for start in range(0, len(units), BLOCK):
                part = units[start : start + BLOCK]
                whole = self._bytes[first : first + self._stride].reshape(len(self.rows), BLOCK)
                found.append(Block(model, part, whole[:, : len(part)]))
                first += self._stride
        return found
