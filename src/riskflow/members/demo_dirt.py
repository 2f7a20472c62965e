"""The dirt of real files, put into demo tables: every fault that a rule of ingest looks for, and harmless noise."""

from __future__ import annotations

import numpy as np
import polars as pl

from riskflow.members.demo_arrays import IntArray, days

_FORMAT_NOISE = 0.15


def _kinds(rng: np.random.Generator, size: int, share: float, kinds: int) -> IntArray:
    """Return for each row the number of the fault it gets, or -1; every fault has the same share of rows."""
    draw = rng.random(size)
    number = np.minimum(draw / max(share, 1e-9), kinds).astype(np.int64)
    return np.where(number < kinds, number, -1)


def spans(rng: np.random.Generator, frame: pl.DataFrame, year: int, share: float) -> pl.DataFrame:
    """Return enrolment rows with faults: nine kinds, each at a quarter of `share`, as claims hang on them."""
    if not share:
        return frame
    fault = pl.lit(pl.Series(_kinds(rng, frame.height, share / 4, 9)))
    dirty = frame.with_columns(
        pl.when(fault == 0).then(None).otherwise(pl.col("sex")).alias("sex"),
        pl.when(fault == 1)
        .then(pl.date(year + 1, 3, 1))
        .otherwise(pl.col("date_of_birth"))
        .alias("date_of_birth"),
        pl.when(fault == 2).then(pl.lit("copper")).otherwise(pl.col("metal")).alias("metal"),
        pl.when(fault == 3).then(99).otherwise(pl.col("csr_indicator")).alias("csr_indicator"),
        pl.when(fault == 4)
        .then(pl.col("enrolment_start").dt.offset_by("-40d"))
        .otherwise(pl.col("enrolment_end"))
        .alias("enrolment_end"),
        pl.when(fault == 5).then(None).otherwise(pl.col("member_id")).alias("member_id"),
        pl.when(fault == 6).then(None).otherwise(pl.col("enrolment_start")).alias("enrolment_start"),
    )
    repeated = frame.filter(fault == 7)
    overlapping = frame.filter(fault == 8).with_columns(
        pl.concat_str("span_id", pl.lit("x")).alias("span_id"),
        pl.col("enrolment_start").dt.offset_by("10d"),
        pl.max_horizontal(pl.col("enrolment_end"), pl.col("enrolment_start").dt.offset_by("20d")).alias(
            "enrolment_end"
        ),
    )
    return pl.concat([dirty, repeated, overlapping])


def diagnoses(rng: np.random.Generator, frame: pl.DataFrame, year: int, share: float) -> pl.DataFrame:
    """Return diagnosis rows with dots and lower case (harmless) and five faults, each at `share`."""
    noisy = _written_differently(rng, frame)
    if not share:
        return noisy
    fault = pl.lit(pl.Series(_kinds(rng, frame.height, share / 2, 5)))
    dirty = noisy.with_columns(
        pl.when(fault == 0).then(pl.lit("U000000000")).otherwise(pl.col("member_id")).alias("member_id"),
        pl.when(fault == 1)
        .then(pl.lit("12-?"))
        .when(fault == 2)
        .then(None)
        .otherwise(pl.col("code"))
        .alias("code"),
        pl.when(fault == 3)
        .then(pl.lit(days(year - 1, 6), pl.Int32).cast(pl.Date))
        .otherwise(pl.col("service_date"))
        .alias("service_date"),
    )
    return pl.concat([dirty, dirty.filter(fault == 4)])


def _written_differently(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    draw = pl.lit(pl.Series(rng.random(frame.height)))
    dotted = pl.concat_str(pl.col("code").str.slice(0, 3), pl.lit("."), pl.col("code").str.slice(3))
    long_enough = pl.col("code").str.len_bytes() > 3
    return frame.with_columns(
        pl.when((draw < _FORMAT_NOISE) & long_enough)
        .then(dotted)
        .when(draw < _FORMAT_NOISE * 1.2)
        .then(pl.col("code").str.to_lowercase())
        .otherwise(pl.col("code"))
        .alias("code")
    )


def drugs(rng: np.random.Generator, frame: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return drug rows with NDCs in FDA dashes (harmless) and five faults, each at half of `share`."""
    noisy = _with_dashes(rng, frame)
    if not share:
        return noisy
    fault = pl.lit(pl.Series(_kinds(rng, frame.height, share / 2, 5)))
    leading_zero = pl.col("ndc").str.starts_with("0") & ~pl.col("ndc").str.contains("-")
    dirty = noisy.with_columns(
        pl.when(fault == 0).then(pl.lit("U000000000")).otherwise(pl.col("member_id")).alias("member_id"),
        pl.when((fault == 1) & leading_zero)
        .then(pl.col("ndc").str.slice(1))
        .when(fault == 2)
        .then(pl.lit("N/A"))
        .when(fault == 3)
        .then(None)
        .otherwise(pl.col("ndc"))
        .alias("ndc"),
    )
    return pl.concat([dirty, dirty.filter(fault == 4)])


def _with_dashes(rng: np.random.Generator, frame: pl.DataFrame) -> pl.DataFrame:
    """Write some NDCs as the FDA does: 4-4-2, 5-3-2 or 5-4-1, whichever drops a zero that is there."""
    ndc, draw = pl.col("ndc"), pl.lit(pl.Series(rng.random(frame.height)))
    labeler, product, package = ndc.str.slice(0, 5), ndc.str.slice(5, 4), ndc.str.slice(9, 2)
    fda = (
        pl.when(labeler.str.starts_with("0"))
        .then(pl.concat_str(labeler.str.slice(1), product, package, separator="-"))
        .when(product.str.starts_with("0"))
        .then(pl.concat_str(labeler, product.str.slice(1), package, separator="-"))
        .when(package.str.starts_with("0"))
        .then(pl.concat_str(labeler, product, package.str.slice(1), separator="-"))
        .otherwise(pl.concat_str(labeler, product, package, separator="-"))
    )
    return frame.with_columns(pl.when(draw < _FORMAT_NOISE).then(fda).otherwise(ndc).alias("ndc"))
