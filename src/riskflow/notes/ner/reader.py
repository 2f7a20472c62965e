"""Read sentences with the trained model by numpy: all words of many sentences at once, the same spans as spaCy's own.

spaCy reads document by document and word by word. Here words of equal form are worked out once, convolutions run
over all sentences together, and the transition system is walked in lockstep: outside an entity the next step depends
on the word alone, so only the words after a beginning are walked. A test holds the spans equal to the pipeline's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from riskflow.notes.ner.network import Floats, Network
from riskflow.notes.ner.words import ROWS, Ints, WordTable, word_rows, word_table

Spans = list[tuple[int, int, str]]

_BLOCK = 8_192
"""Words that are worked on at a time: what the processor's cache holds."""


class Reader:
    """Reads sentences with a trained network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        moves = network.moves
        self._labels = sorted({move[2:] for move in moves if len(move) > 2})
        self._entering = np.array([move[:2] in ("B-", "U-") and len(move) > 2 for move in moves])
        self._closed = np.where(self._entering | (np.array(moves) == "O"), 0, -np.inf).astype(np.float32)
        self._single = np.where([move.startswith("B-") for move in moves], -np.inf, self._closed).astype(
            np.float32
        )
        self._label_of = np.array([self._labels.index(m[2:]) if len(m) > 2 else -1 for m in moves])
        self._begins = np.array([move.startswith("B-") for move in moves])
        self._inside, self._last = (
            np.array([moves.index(f"{letter}-{label}") for label in self._labels]) for letter in "IL"
        )

    def read(self, sentences: Sequence[str]) -> list[Spans]:
        """Return the spans of each sentence of canonical text."""
        table = word_table(sentences)
        places, lengths, labels = self._entities(table)
        found: list[Spans] = [[] for _ in sentences]
        numbers = np.searchsorted(table.first, places, side="right") - 1
        starts, ends = table.starts[places], table.ends[places + lengths - 1]
        for number, start, end, label in zip(
            numbers.tolist(), starts.tolist(), ends.tolist(), labels.tolist(), strict=True
        ):
            found[number].append((start, end, self._labels[label]))
        return found

    def _entities(self, table: WordTable) -> tuple[Ints, Ints, Ints]:
        """Return first word, number of words and label of the entities, in order."""
        if not len(table.ids):
            nothing = np.zeros(0, np.int64)
            return nothing, nothing, nothing
        vectors, moves = self._contexts(table)
        begun = np.flatnonzero(self._entering[moves])
        labels = self._label_of[moves[begun]]
        lengths = np.ones(len(begun), np.int64)
        several = np.flatnonzero(self._begins[moves[begun]])
        finals = np.zeros(len(table.ids), bool)
        finals[table.first[1:][table.first[1:] > table.first[:-1]] - 1] = True
        self._walk(vectors, finals, begun[several], labels[several], lengths, several)
        kept = _disjoint(begun, lengths)
        return begun[kept], lengths[kept], labels[kept]

    def _contexts(self, table: WordTable) -> tuple[Floats, Ints]:
        """Return the vector of each word in its context, and its move where no entity is open."""
        depth = len(self.network.convolutions)
        counts = np.diff(table.first)
        places = np.arange(len(table.ids)) + depth * (np.repeat(np.arange(len(counts)), counts) + 1)
        padded = np.zeros(len(table.ids) + depth * (len(counts) + 1), np.int64)
        padded[places] = table.ids + 1
        vectors = self._word_vectors(table.words)
        parts = np.split(self.network.convolutions[0].weights, 3, axis=1)
        projected = [vectors @ part.T for part in parts]
        context = np.empty((len(padded), vectors.shape[1]), np.float32)
        for start in range(0, len(padded), _BLOCK):
            stop = min(start + _BLOCK, len(padded))
            left, right = max(0, start - depth), min(len(padded), stop + depth)
            context[start:stop] = self._convolved(padded[left:right], vectors, projected)[start - left :][
                : stop - start
            ]
        words = context[places]
        return words, self._closed_moves(words, table)

    def _word_vectors(self, words: Sequence[str]) -> Floats:
        """Return the vector of each word out of its context; the first row is of the padding."""
        rows = np.array([_rows(word) for word in words], np.int64).reshape(-1, len(ROWS))
        mixed = np.concatenate([t[rows[:, i]] for i, t in enumerate(self.network.tables)], axis=1)
        vectors = self.network.mix.norm(mixed @ self.network.mix.weights.T)
        return np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])

    def _convolved(self, ids: Ints, vectors: Floats, projected: Sequence[Floats]) -> Floats:
        first, *further = self.network.convolutions
        before, here, after = projected
        sums = here[ids]
        sums[1:] += before[ids[:-1]]
        sums[:-1] += after[ids[1:]]
        context: Floats = first.norm(sums)
        context += vectors[ids]
        for layer in further:
            width = context.shape[1]
            window = np.zeros((len(context), 3 * width), np.float32)
            window[1:, :width] = context[:-1]
            window[:, width : 2 * width] = context
            window[:-1, 2 * width :] = context[1:]
            context = context + layer.norm(window @ layer.weights.T)
        return context

    def _closed_moves(self, words: Floats, table: WordTable) -> Ints:
        """Return the best move at each word where no entity is open; the last word of a sentence begins none."""
        scores = self._scores(words @ self.network.state[0].T + self.network.closed)
        scores += self._closed
        finals = table.first[1:][table.first[1:] > table.first[:-1]] - 1
        scores[finals] += self._single
        best: Ints = scores.argmax(axis=1)
        return best

    def _scores(self, sums: Floats) -> Floats:
        units = sums.shape[1] // 2
        scores: Floats = (
            np.maximum(sums[:, :units], sums[:, units:]) @ self.network.upper + self.network.upper_bias
        )
        return scores

    def _walk(
        self,
        words: Floats,
        finals: npt.NDArray[np.bool_],
        starts: Ints,
        labels: Ints,
        lengths: Ints,
        rows: Ints,
    ) -> None:
        """Walk on from every beginning until its entity ends, and write how many words it has."""
        next_word, first_word, word_before = self.network.state
        opened = words[starts] @ first_word.T + self.network.open
        step = 0
        while len(starts):
            step += 1
            place = starts + step
            sums = opened + words[place] @ next_word.T + words[place - 1] @ word_before.T
            scores = self._scores(sums)
            every = np.arange(len(starts))
            ends = scores[every, self._last[labels]] > scores[every, self._inside[labels]]
            ends |= finals[place]
            lengths[rows[ends]] = step + 1
            on = ~ends
            starts, labels, rows, opened = starts[on], labels[on], rows[on], opened[on]


def _disjoint(starts: Ints, lengths: Ints) -> Ints:
    """Return which entities remain when each begins after the one before it has ended."""
    kept, reached = [], 0
    for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        if start >= reached:
            kept.append(row)
            reached = start + length
    return np.array(kept, np.int64)


_rows = lru_cache(maxsize=1 << 17)(word_rows)
