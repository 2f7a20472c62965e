"""The numbers of a trained model, without spaCy: what it takes to read, and the file that holds them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

VERSION = "en_clinical_notes@2.0.0"
"""Language, name and version of the model that the workflow trains."""


@dataclass(frozen=True)
class Maxout:
    """A maxout layer with its normalisation: weights (pieces × outputs, inputs), bias, gain and offset."""

    weights: Floats
    bias: Floats
    gain: Floats
    offset: Floats

    @classmethod
    def of(cls, layer: Any, norm: Any) -> Maxout:
        """Return the layer's numbers with the pieces one after the other."""
        weights = layer.get_param("W")
        outputs, pieces, inputs = weights.shape
        flat = weights.transpose(1, 0, 2).reshape(pieces * outputs, inputs)
        bias = layer.get_param("b").transpose(1, 0).reshape(-1)
        return cls(
            np.ascontiguousarray(flat), bias.copy(), norm.get_param("G").copy(), norm.get_param("b").copy()
        )

    def norm(self, sums: Floats) -> Floats:
        """Return the normalised maximum of the pieces of weighted sums, which lack only the bias."""
        sums += self.bias
        width = len(self.gain)
        best: Floats = sums[:, :width]
        for piece in range(width, sums.shape[1], width):
            best = np.maximum(best, sums[:, piece : piece + width])
        best -= best.mean(axis=1, keepdims=True)
        spread = np.einsum("ij,ij->i", best, best)[:, None] / np.float32(width) + np.float32(1e-8)
        best *= spread ** np.float32(-0.5)
        best *= self.gain
        best += self.offset
        return best


@dataclass(frozen=True)
class Network:
    """The numbers of a trained model.

    `tables`: embedding tables; `mix` and `convolutions`: maxout layers; `state`: weights of the three words that the
    transition system looks at (the next one, the first of the open entity, the one before); `constants`: what is
    added when no entity is open, and when one is; `upper`, `upper_bias`: hidden units to moves; `moves`: their names.
    """

    tables: tuple[Floats, ...]
    mix: Maxout
    convolutions: tuple[Maxout, ...]
    state: Floats
    closed: Floats
    open: Floats
    upper: Floats
    upper_bias: Floats
    moves: tuple[str, ...]

    @classmethod
    def of(cls, nlp: Any) -> Network:
        """Return the numbers of a pipeline that `language.blank_model` made."""
        ner = nlp.get_pipe("ner")
        embed, (mix, *convolutions) = _tables(ner.model), _maxouts(ner.model)
        tok2vec, lower, upper = (ner.model.get_ref(name) for name in ("tok2vec", "lower", "upper"))
        linear = tok2vec.layers[-1]
        weights = lower.get_param("W").transpose(0, 2, 1, 3)  # which word, piece, hidden unit, input
        which, pieces, units, inputs = weights.shape
        flat = weights.reshape(which, pieces * units, inputs)
        shift = flat @ linear.get_param("b")
        bias, pad = (_piecewise(lower.get_param(name)) for name in ("b", "pad"))
        return cls(
            tables=embed,
            mix=mix,
            convolutions=tuple(convolutions),
            state=np.ascontiguousarray(flat @ linear.get_param("W")),
            closed=bias[0] + shift[0] + pad[1] + pad[2],
            open=bias[0] + shift.sum(axis=0),
            upper=upper.get_param("W").T.copy(),
            upper_bias=upper.get_param("b").copy(),
            moves=tuple(ner.moves.get_class_name(move) for move in range(ner.moves.n_moves)),
        )


def _tables(model: Any) -> tuple[Floats, ...]:
    layers = [layer for layer in model.walk() if layer.name == "embed"]
    return tuple(layer.get_param("E").copy() for layer in layers)


def _maxouts(model: Any) -> list[Maxout]:
    pairs = [(n.layers[0], n.layers[1]) for n in model.walk() if n.name == "maxout>>layernorm"]
    return [Maxout.of(*pair) for pair in pairs]


def _piecewise(values: Any) -> Floats:
    """Return (…, units, pieces) as rows of pieces × units."""
    *_, units, pieces = values.shape
    rows: Floats = values.reshape(-1, units, pieces).transpose(0, 2, 1).reshape(-1, pieces * units)
    return rows


def arrays(network: Network) -> bytes:
    """Return a network as the bytes of an npz file."""
    named: dict[str, Any] = {f"table{n}": table for n, table in enumerate(network.tables)}
    for n, layer in enumerate((network.mix, *network.convolutions)):
        named |= {f"maxout{n}.{part}": getattr(layer, part) for part in _PARTS}
    named |= {part: getattr(network, part) for part in _REST}
    out = io.BytesIO()
    np.savez(out, **named, moves=np.array(network.moves))
    return out.getvalue()


def network_of(data: bytes) -> Network:
    """Return the network that `arrays` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        layers = sum(name.endswith(".gain") for name in held.files)
        mix, *convolutions = (Maxout(*(held[f"maxout{n}.{part}"] for part in _PARTS)) for n in range(layers))
        tables = sum(name.startswith("table") for name in held.files)
        return Network(
            tables=tuple(held[f"table{n}"] for n in range(tables)),
            mix=mix,
            convolutions=tuple(convolutions),
            **{part: held[part] for part in _REST},
            moves=tuple(held["moves"].tolist()),
        )


_PARTS = ("weights", "bias", "gain", "offset")
_REST = ("state", "closed", "open", "upper", "upper_bias")
