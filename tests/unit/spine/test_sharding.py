"""Which shard a row goes to: the same for every stage, however many keys it asks about."""

from __future__ import annotations

import polars as pl
import pytest

from riskflow import sharding
from riskflow.sharding import buckets, buckets_of_few, buckets_of_many


@pytest.mark.parametrize("few", [0, 20_000])
def test_rows_go_to_the_shards_that_every_other_stage_looks_in(monkeypatch, few):
    monkeypatch.setattr(sharding, "FEW_TEXTS", few)
    keys = pl.Series("patient_id", [f"patient-{n}-é" for n in range(500)] * 2 + ["", "x"])
    for count in (1, 2, 1009):
        assert buckets_of_few(keys, count).equals(buckets_of_many(keys, count))
        assert buckets(keys, count).equals(buckets_of_many(keys, count))


def test_no_rows_go_to_no_shard():
    assert buckets(pl.Series([], dtype=pl.String), 3).equals(pl.Series("bucket", [], dtype=pl.UInt32))
