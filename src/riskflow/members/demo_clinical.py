"""What the demo members are treated for: lasting conditions, the year's diagnoses, and drugs."""

from __future__ import annotations

from functools import cache
from io import StringIO

import numpy as np
import polars as pl

from riskflow import resources
from riskflow.members.demo_arrays import IntArray, days, gathered, member_ids, picked

_DIAGNOSES_PER_MEMBER = 8.0
_CONDITION_SHARE = 0.4
_FILLS_PER_MEMBER = 2.0
_PROCEDURE_SHARE = 0.1


@cache
def codes() -> pl.DataFrame:
    """Return kind (icd10, ndc, hcpcs), code, pool, weight and the drug classes that treat it."""
    text = resources.text("riskflow.members", "demo_codes.csv")
    return pl.read_csv(StringIO(text), schema_overrides={"code": pl.String, "drugs": pl.String})


def _pool(kind: str, *pools: str) -> pl.DataFrame:
    return codes().filter((pl.col("kind") == kind) & pl.col("pool").is_in(pools))


def conditions(rng: np.random.Generator, people: pl.DataFrame) -> pl.DataFrame:
    """Return member, code and drugs of the lasting conditions: more of them with age."""
    age = 2026 - (people["birth"].to_numpy() / 365.25 + 1970)
    counts = rng.poisson(np.where(age < 18, 0.10, 0.08 + 0.012 * np.maximum(age - 18, 0)))
    owners = np.repeat(people["member"].to_numpy(), counts)
    young = np.repeat(age < 18, counts)
    adult_pool, child_pool = _pool("icd10", "chronic"), _pool("icd10", "chronic", "child")
    pool = pl.concat([adult_pool, child_pool])
    index = np.where(
        young,
        picked(rng, owners.size, child_pool["weight"]) + adult_pool.height,
        picked(rng, owners.size, adult_pool["weight"]),
    )
    return pl.DataFrame(
        {"member": owners, "code": gathered(pool["code"], index), "drugs": gathered(pool["drugs"], index)}
    )


def diagnoses(
    rng: np.random.Generator, enrolled: pl.DataFrame, ailments: pl.DataFrame, year: int
) -> pl.DataFrame:
    """Return member_id, code and service_date of the year's claims."""
    counts = rng.negative_binomial(1.5, 1.5 / (1.5 + _DIAGNOSES_PER_MEMBER), enrolled.height)
    row = np.repeat(np.arange(enrolled.height), counts)
    benign = _pool("icd10", "benign")
    usual = pl.DataFrame(
        {
            "member": gathered(enrolled["member"], row),
            "code": gathered(benign["code"], picked(rng, row.size, benign["weight"])),
            "day": _day_within(rng, enrolled, row),
        }
    )
    lasting = _condition_claims(rng, enrolled, ailments)
    events = [_newborn_claims(rng, enrolled, year), _pregnancy_claims(rng, enrolled, year)]
    rows = pl.concat([usual.with_columns(pl.col("member").cast(pl.Int64)), lasting, *events])
    return rows.sort("member", "day", "code").select(
        member_ids(pl.col("member")).alias("member_id"),
        pl.col("code"),
        pl.col("day").cast(pl.Int32).cast(pl.Date).alias("service_date"),
    )


def _day_within(rng: np.random.Generator, enrolled: pl.DataFrame, row: IntArray) -> IntArray:
    begin = enrolled["begin"].to_numpy()[row]
    length = enrolled["close"].to_numpy()[row] - begin + 1
    day: IntArray = begin + np.floor(rng.random(row.size) * length).astype(np.int64)
    return day


def _condition_claims(
    rng: np.random.Generator, enrolled: pl.DataFrame, ailments: pl.DataFrame
) -> pl.DataFrame:
    """Return claims for lasting conditions; some years a condition is not coded at all."""
    place = enrolled.select("member").with_row_index("row")
    present = ailments.join(place, on="member", how="inner", maintain_order="left")
    counts = rng.poisson(2.2, present.height)
    index = np.repeat(np.arange(present.height), counts)
    row = present["row"].to_numpy()[index].astype(np.int64)
    return pl.DataFrame(
        {
            "member": gathered(present["member"], index),
            "code": gathered(present["code"], index),
            "day": _day_within(rng, enrolled, row),
        }
    )


def _newborn_claims(rng: np.random.Generator, enrolled: pl.DataFrame, year: int) -> pl.DataFrame:
    born = enrolled.filter((pl.col("birth") >= days(year, 1)) & (pl.col("begin") == pl.col("birth")))
    return _event(rng, born, _pool("icd10", "newborn"), born["birth"].to_numpy())


def _pregnancy_claims(rng: np.random.Generator, enrolled: pl.DataFrame, year: int) -> pl.DataFrame:
    age = (days(year, 1) - pl.col("birth")) // 365
    women = enrolled.filter(
        ~pl.col("male") & age.is_between(16, 45) & pl.Series(rng.random(enrolled.height) < 0.04)
    )
    return _event(rng, women, _pool("icd10", "pregnancy"), _day_within(rng, women, np.arange(women.height)))


def _event(
    rng: np.random.Generator, members: pl.DataFrame, pool: pl.DataFrame, day: IntArray
) -> pl.DataFrame:
    index = picked(rng, members.height, pool["weight"])
    return pl.DataFrame(
        {"member": members["member"].cast(pl.Int64), "code": gathered(pool["code"], index), "day": day},
        schema_overrides={"day": pl.Int64},
    )


def drugs(
    rng: np.random.Generator, enrolled: pl.DataFrame, ailments: pl.DataFrame, year: int
) -> pl.DataFrame:
    """Return member_id, ndc, hcpcs (one of the two) and service_date of fills and administered drugs."""
    place = enrolled.select("member").with_row_index("row")
    counts = rng.poisson(_FILLS_PER_MEMBER * 0.75, enrolled.height)
    row = np.repeat(np.arange(enrolled.height), counts)
    pool = np.full(row.size, "benign", dtype=object)
    pool[rng.random(row.size) < 0.003] = "prep"
    usual = pl.DataFrame({"row": row, "class": pl.Series(pool.astype(str))})
    treated = (
        ailments.filter(pl.col("drugs").str.len_bytes() > 0)
        .join(place, on="member", how="inner", maintain_order="left")
        .select(pl.col("row").cast(pl.Int64), pl.col("drugs").str.split(" ").alias("class"))
        .explode("class")
    )
    fills = np.repeat(np.arange(treated.height), rng.poisson(1.6, treated.height))
    rows = pl.concat([usual, treated[fills]])
    return _priced(rng, enrolled, rows)


def _priced(rng: np.random.Generator, enrolled: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Choose a code of the class for each fill: an NDC, or an HCPCS code for some administered drugs."""
    row = rows["row"].to_numpy()
    draws, by_procedure = rng.random(rows.height), rng.random(rows.height) < _PROCEDURE_SHARE
    listed = codes().filter(pl.col("kind") != "icd10").group_by("kind", "pool").agg(pl.col("code").sort())
    wanted = rows.with_columns(
        pl.Series("draw", draws),
        pl.Series("day", _day_within(rng, enrolled, row)),
        pl.Series("member", enrolled["member"].to_numpy()[row]),
        pl.when(pl.Series(by_procedure)).then(pl.lit("hcpcs")).otherwise(pl.lit("ndc")).alias("kind"),
    ).join(listed, left_on=["kind", "class"], right_on=["kind", "pool"], how="inner", maintain_order="left")
    choice = (pl.col("draw") * pl.col("code").list.len()).floor().cast(pl.Int64)
    chosen = wanted.with_columns(pl.col("code").list.get(choice))
    return chosen.sort("member", "day", "code").select(
        member_ids(pl.col("member")).alias("member_id"),
        pl.when(pl.col("kind") == "ndc").then(pl.col("code")).alias("ndc"),
        pl.when(pl.col("kind") == "hcpcs").then(pl.col("code")).alias("hcpcs"),
        pl.col("day").cast(pl.Int32).cast(pl.Date).alias("service_date"),
    )
