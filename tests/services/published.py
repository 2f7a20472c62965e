"""Scores to publish, made of numbers that follow from the row."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.providers_scores import COMPONENTS, SCORES
from riskflow.receipts import Receipt

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def scores(rows: int, shift: int = 0, changed_every: int = 0) -> pl.DataFrame:
    """Return `rows` scored providers; `changed_every` n changes each nth row, `shift` moves the NPIs."""
    number = pl.int_range(rows, dtype=pl.Int64)
    nudge = (number % changed_every == 0).cast(pl.Int64) if changed_every else pl.lit(0)
    score = (number * 7919 % rows + nudge) * 100 / (rows + 1)
    part = score / len(COMPONENTS)
    values = {
        "npi": (number + 1_000_000_000 + shift).cast(pl.String),
        "display_name": pl.format('Clinic "{}", é\\ \n', number),
        "entity_type": pl.when(number % 3 == 0)
        .then(pl.lit(""))
        .when(number % 3 == 1)
        .then(pl.lit("individual")),
        "risk_score": score,
        "rank": number + 1,
        "risk_label": pl.when(score >= 80).then(pl.lit("High")).otherwise(pl.lit("Low")),
        "r_raw": pl.sum_horizontal([part] * len(COMPONENTS)),
        "coverage": pl.lit(1.0),
        "data_window_years": pl.concat_list([pl.lit(2019, pl.Int32), pl.lit(2020, pl.Int32)]),
        "flags": pl.lit('[{"flag":"x","value":1.5}]'),
        "reasons": pl.concat_list([pl.format('{} says "no", {} \\', number, number), pl.lit("{,}")]),
        "nearest_exclusion_path": pl.when(number % 2 == 0).then(pl.concat_list([pl.lit("a"), pl.lit('b"')])),
        "payments_after_exclusion_cents": pl.when(number % 5 == 0).then(number * 3),
        "method": pl.lit("v1"),
        "method_version": pl.lit("1"),
        **dict.fromkeys(COMPONENTS, score),
        **{f"{name}_contribution": part for name in COMPONENTS},
    }
    nothing = pl.repeat(None, rows)
    return pl.select(
        values.get(name, nothing).cast(dtype).alias(name)  # type: ignore[arg-type]
        for name, dtype in SCORES.schema.items()
    )


def written(folder: Path, frame: pl.DataFrame, day: int = 1) -> dict[str, object]:
    """Write scores and the receipt of the stage that made them; return them as the publish stage wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts.write(frame, folder / "scores.parquet", SCORES)
    params = {"config.flags.billing": str(day)}
    receipt = Receipt(
        stage="providers.explain", params=params, run={"started": DAY.replace(day=day).isoformat()}
    )
    receipt.write(folder / "explain.json")
    return {"scores": folder / "scores.parquet", "receipts": [folder / "explain.json"]}
