"""The stages from demo to backtest through their artifacts: contracts kept, same bytes every time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import polars as pl
import pytest

from riskflow import artifacts
from riskflow.config import providers as config
from riskflow.config.base import StageConfig
from riskflow.contracts import providers_sources as contracts
from riskflow.providers import backtest, demo_files, demo_layout, exclusions, ingest, matching, raw, universe
from riskflow.providers.graph import build, embedded
from riskflow.receipts import Receipt

WHOLE = config.ProvidersConfig.model_validate(
    {"demo": {"providers": 1_500}, "backtest": {"resamples": 20, "top": [20]}, "graph": {"hub_cap": 50}}
)
Stage = TypeVar("Stage", bound=StageConfig)


def stage(model: type[Stage]) -> Stage:
    return model(**{name: getattr(WHOLE, name) for name in model.model_fields})


def run_all(folder: Path) -> dict[str, Receipt]:
    """Run every stage into the folder; return the receipts."""

    def at(name: str) -> Path:
        return folder / f"{name}.parquet"

    receipts = {"demo": demo_files.run(output=folder / "source", config=stage(config.DemoStage))}
    layouts = demo_layout.sources(folder / "source")
    for table in ingest.TABLES:
        receipts[table] = ingest.run(
            source=raw.files(layouts[table], table),
            table=table,
            output=at(table),
            quarantine=at(f"bad_{table}"),
            config=stage(config.IngestStage),
        )
    tables = {name: at(name) for name in ("registry", "payments", "exclusions", "ownership")}
    listed, owned = {"exclusions": at("exclusions")}, {"ownership": at("ownership")}
    registered, paid = {"registry": at("registry")}, {"payments": at("payments")}
    receipts["universe"] = universe.run(**tables, output=at("universe"))
    receipts["facts"] = exclusions.run(
        **listed, **paid, output=at("facts"), config=stage(config.ExclusionsStage)
    )
    receipts["matches"] = matching.run(
        **listed, **registered, **owned, output=at("matches"), config=stage(config.ExclusionsStage)
    )
    graph = {"nodes": at("nodes"), "edges": at("edges")}
    receipts["graph"] = build.run(**owned, **listed, **registered, **graph, config=stage(config.GraphStage))
    receipts["features"] = embedded.run(
        universe=at("universe"), **graph, output=at("features"), config=stage(config.GraphStage)
    )
    receipts["backtest"] = backtest.run(**tables, output=at("backtest"), config=stage(config.BacktestStage))
    return receipts


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Receipt]]:
    folder = tmp_path_factory.mktemp("stages")
    return folder, run_all(folder)


def test_same_bytes_every_time(done: tuple[Path, dict[str, Receipt]], tmp_path: Path) -> None:
    run_all(tmp_path)
    for path in sorted(done[0].rglob("*.*")):
        again = tmp_path / path.relative_to(done[0])
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest(), (
            path.name
        )


def test_receipts_count_what_was_read(done: tuple[Path, dict[str, Receipt]]) -> None:
    _, receipts = done
    for table in ingest.TABLES:
        counts = receipts[table].counts
        assert counts["read"] == counts["kept"] + counts["quarantined"]
        assert counts["read"] == receipts["demo"].counts[f"{table}_rows"]
        assert sum(receipts[table].facts["quarantined_by_rule"].values()) == counts["quarantined"] > 0


def test_the_demo_shows_what_the_graph_is_for(done: tuple[Path, dict[str, Receipt]]) -> None:
    folder, receipts = done
    features = artifacts.read(folder / "features.parquet", contracts.FEATURES)
    assert features.filter("owner_excluded").height > 0
    assert features.filter(pl.col("nearest_exclusion_hops") > 1).height > 0
    assert receipts["graph"].counts["hubs"] > 0
    facts = artifacts.read(folder / "facts.parquet", contracts.EXCLUSION_FACTS)
    assert facts.filter(pl.col("payments_after_exclusion_cents") > 0).height > 0
    assert facts.filter(~pl.col("active")).height > 0
    assert set(artifacts.read(folder / "matches.parquet", contracts.MATCHES)["tier"]) == {"A", "B", "C", "D"}


def test_features_of_a_shard_are_those_of_the_whole(done: tuple[Path, dict[str, Receipt]]) -> None:
    folder, _ = done
    whole = artifacts.read(folder / "features.parquet", contracts.FEATURES)
    backend = embedded.loaded(folder / "nodes.parquet", folder / "edges.parquet")
    reach = embedded.Reach.of(WHOLE.graph)
    for count in (1, 3, 16):
        parts = [
            backend.features(whole.filter(pl.col("npi") % count == part)["npi"].shuffle(part), reach)
            for part in range(count)
        ]
        assert pl.concat(parts).sort("npi").equals(whole)


def test_matching_can_be_switched_off(done: tuple[Path, dict[str, Receipt]], tmp_path: Path) -> None:
    off = config.ExclusionsStage(
        scoring=WHOLE.scoring, exclusions=config.ExclusionsSection(match_names=False)
    )
    names = ("exclusions", "registry", "ownership")
    matching.run(
        **{name: done[0] / f"{name}.parquet" for name in names}, output=tmp_path / "m.parquet", config=off
    )
    assert set(artifacts.read(tmp_path / "m.parquet", contracts.MATCHES)["tier"]) == {"A"}


def test_the_past_score_does_not_see_the_future(
    done: tuple[Path, dict[str, Receipt]], tmp_path: Path
) -> None:
    """Later payments, exclusions, reinstatements and owners change no past score."""
    from riskflow.providers.past import scores_as_of

    folder, _ = done
    as_of = WHOLE.backtest.as_of
    read = {
        "payments": artifacts.read(folder / "payments.parquet", contracts.PAYMENTS),
        "registry": artifacts.read(folder / "registry.parquet", contracts.REGISTRY),
        "exclusions": artifacts.read(folder / "exclusions.parquet", contracts.EXCLUSIONS),
        "ownership": artifacts.read(folder / "ownership.parquet", contracts.OWNERSHIP),
    }
    settings = stage(config.BacktestStage)
    full = scores_as_of(
        read["payments"].lazy(), read["registry"].lazy(), read["exclusions"], read["ownership"], settings
    )
    past = scores_as_of(
        read["payments"].filter(pl.col("year") <= as_of.year).lazy(),
        read["registry"].lazy(),
        read["exclusions"]
        .filter(pl.col("excl_date") <= as_of)
        .with_columns(rein_date=pl.when(pl.col("rein_date") <= as_of).then("rein_date")),
        read["ownership"].filter(pl.col("since").is_null() | (pl.col("since") <= as_of)),
        settings,
    )
    assert full.height > 1_000 and full.equals(past)
