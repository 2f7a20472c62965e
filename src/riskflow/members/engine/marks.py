"""The 0/1 marks of a population, in blocks of enrollees that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from riskflow.members.engine.enrolment import Ints
from riskflow.members.engine.program import Values

BLOCK = 1 << 14


class Marks:
    """One byte per variable and enrollee: block × variable × lane, enrollee = block · BLOCK + lane."""

    def __init__(self, variables: Sequence[str], units: int) -> None:
        """Start with no marks for `units` enrollees."""
        self.rows = {name: row for row, name in enumerate(variables)}
        self.units = units
        blocks = -(-units // BLOCK)
        self._bytes: npt.NDArray[np.uint8] = np.zeros(blocks * len(variables) * BLOCK, np.uint8)

    def set(self, row: Ints, unit: Ints) -> None:
        """Mark variables (row numbers) of enrollees, pair by pair."""
        stride = len(self.rows) * BLOCK
        self._bytes[(unit // BLOCK) * stride + row * BLOCK + unit % BLOCK] = 1

    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.units // BLOCK)

    def block(self, number: int) -> Values:
        """Return a block's marks: variable × enrollee (a view)."""
        stride = len(self.rows) * BLOCK
        whole = self._bytes[number * stride : (number + 1) * stride].reshape(len(self.rows), BLOCK)
        return whole[:, : min(BLOCK, self.units - number * BLOCK)]
