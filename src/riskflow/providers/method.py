"""The two scoring methods, as data: which peers each measure is compared with, and what a gap means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from riskflow.config.providers import PeersSection, ScoringSection
from riskflow.contracts.providers_scores import LEVEL_MEASURES, MEASURES
from riskflow.providers.metrics import Growth, measures

KEYS = ("taxonomy", "state", "year")
VERSIONS = {"v1": "v1.0", "claidex": "claidex.1"}
"""Published beside each score; changes when a formula of the method does."""


@dataclass(frozen=True)
class Rung:
    """One level of the peer ladder: group keys, smallest size, what is counted, and whether spread is needed."""

    keys: tuple[str, ...]
    minimum: int
    counts: Literal["n", "peers"] = "n"
    needs_spread: bool = True

    @property
    def name(self) -> str:
        """What the published column peer_basis says, for example `taxonomy+state+year`."""
        return "+".join(self.keys)


@dataclass(frozen=True)
class Method:
    """A scoring method; `ladders` gives each measure its rungs from the narrowest to the widest."""

    name: Literal["v1", "claidex"]
    ladders: dict[str, tuple[Rung, ...]]
    growth: Growth
    covered_claims_only: bool
    whole_taxonomy: bool
    minimum_claims: int

    @property
    def rungs(self) -> tuple[tuple[str, ...], ...]:
        """Every group key that any measure uses, the narrowest first."""
        return tuple(dict.fromkeys(rung.keys for ladder in self.ladders.values() for rung in ladder))

    def measures(self, metrics: pl.DataFrame) -> pl.DataFrame:
        """Return the measures of yearly metrics as this method defines them."""
        return measures(
            metrics,
            growth=self.growth,
            covered_claims_only=self.covered_claims_only,
            whole_taxonomy=self.whole_taxonomy,
        )


def method_of(scoring: ScoringSection, peers: PeersSection) -> Method:
    """Return the configured method.

    v1: every measure climbs the configured ladder; a rung holds when at least `minimum` peers have the
    measure and it varies among them. claidex: taxonomy × state × year from `minimum` peer rows, else
    taxonomy × year of any size; growth has the first rung only, of any size; spread is never asked for.
    """
    if scoring.method == "v1":
        ladder = tuple(Rung(tuple(keys), peers.minimum) for keys in peers.ladder)
        return Method("v1", dict.fromkeys(MEASURES, ladder), "log", True, True, peers.minimum_claims)
    local = Rung(KEYS, peers.minimum, "peers", needs_spread=False)
    wide = Rung(("taxonomy", "year"), 1, "peers", needs_spread=False)
    levels = dict.fromkeys(LEVEL_MEASURES, (local, wide))
    ladders = {**levels, "growth": (Rung(KEYS, 1, "n", needs_spread=False),)}
    return Method("claidex", ladders, "relative", False, False, peers.minimum_claims)
