"""What the members page shows, as frames: pure functions of the stages' artifacts. No member is on the page."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from riskflow.contracts.members_scores import REASONS
from riskflow.contracts.members_tables import MODELS
from riskflow.members.quality import TABLES, table_counts
from riskflow.members.segments import AGE_BANDS, age_band
from riskflow.members.tables.load import TableSet
from riskflow.receipts import Receipt

METALS = ("platinum", "gold", "silver", "bronze", "catastrophic")
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
HCC = r"^(HHS_HCC|G\d)"
DRUG = r"^(RXC_\d+$|ACF_)"
SCORE = "csr_adjusted_score"


def mean_score(scores: pl.DataFrame) -> float | None:
    """Return the mean adjusted score by member months; none without member months."""
    ordered = scores.sort("member_id", "span_id")
    months = float(ordered["member_months"].sum())
    return float((ordered[SCORE] * ordered["member_months"]).sum()) / months if months else None


def with_band(scores: pl.DataFrame) -> pl.DataFrame:
    """Add the age band."""
    return scores.with_columns(age_band(pl.col("age_last").cast(pl.Int64)).alias("age_band"))


def groups(scores: pl.DataFrame, by: str, order: Sequence[str]) -> pl.DataFrame:
    """Return per group, in the given order: spans, members, member_months, mean and five quantiles of the score.

    The mean is by member months, quantiles are over spans.
    """
    months = pl.col("member_months").sum()
    found = (
        scores.sort("member_id", "span_id")
        .group_by(by, maintain_order=True)
        .agg(
            pl.len().alias("spans"),
            pl.col("member_id").n_unique().alias("members"),
            months.alias("member_months"),
            ((pl.col(SCORE) * pl.col("member_months")).sum() / months).alias("mean"),
            *(pl.col(SCORE).quantile(q, "linear").alias(f"p{q * 100:.0f}") for q in QUANTILES),
        )
    )
    place = pl.DataFrame({by: list(order), "place": range(len(order))})
    return found.join(place, on=by, how="left").sort("place", by, nulls_last=True).drop("place")


def bands(scores: pl.DataFrame) -> pl.DataFrame:
    """Return `groups` by age band."""
    return groups(with_band(scores), "age_band", [label for _, label in AGE_BANDS])


def metals(scores: pl.DataFrame) -> pl.DataFrame:
    """Return `groups` by metal."""
    return groups(scores, "metal", METALS)


def models(scores: pl.DataFrame) -> pl.DataFrame:
    """Return `groups` by model: adult, child, infant."""
    return groups(scores, "model", list(MODELS))


def top_variables(scores: pl.DataFrame, labels: pl.DataFrame, pattern: str, top: int) -> pl.DataFrame:
    """Return the variables of a pattern that most members have: members, share, mean coefficient and points.

    `points` is what the variable adds to the mean raw score by member months. labels: variable, label.
    """
    months = float(scores["member_months"].sum()) or 1.0
    people = scores["member_id"].n_unique() or 1
    rows = (
        scores.sort("member_id", "span_id")
        .select("member_id", "member_months", "variables", "coefficients")
        .explode("variables", "coefficients")
        .filter(pl.col("variables").str.contains(pattern))
    )
    return (
        rows.group_by(pl.col("variables").alias("variable"), maintain_order=True)
        .agg(
            pl.col("member_id").n_unique().alias("members"),
            pl.col("coefficients").mean().alias("coefficient"),
            ((pl.col("coefficients") * pl.col("member_months")).sum() / months).alias("points"),
        )
        .with_columns((pl.col("members") / people).alias("share"))
        .join(labels.select("variable", "label"), on="variable", how="left")
        .with_columns(pl.coalesce("label", "variable").alias("label"))
        .sort("members", "variable", descending=[True, False])
        .head(top)
    )


def variable_labels(tables: TableSet) -> pl.DataFrame:
    """Return variable and label; a group, which CMS gives no name, is called by the HCCs that it stands for."""
    group, step = tables.statements.filter(pl.col("phase") == "group"), ["model", "position"]
    members = group.filter(part="if").select(*step, pl.col("variable").alias("hcc"))
    pairs = group.filter((pl.col("part") == "then") & (pl.col("low") == 1)).join(members, on=step)
    named = (
        pairs.select("variable", "hcc")
        .unique()
        .join(tables.labels.select(pl.col("variable").alias("hcc"), "label"), on="hcc", how="left")
        .sort("variable", "hcc")
        .group_by("variable", maintain_order=True)
        .agg(pl.coalesce("label", "hcc").unique(maintain_order=True).alias("labels"))
        .select("variable", pl.format("Any of: {}", pl.col("labels").list.join("; ")).alias("label"))
    )
    others = tables.labels.select("variable", "label").join(named, on="variable", how="anti")
    return pl.concat([others, named]).sort("variable")


def members_with(scores: pl.DataFrame, pattern: str) -> int:
    """Return how many members have a variable of the pattern in a score."""
    has = pl.col("variables").list.eval(pl.element().str.contains(pattern)).list.any()
    return scores.filter(has)["member_id"].n_unique()


def rejected_reasons(rejected: pl.DataFrame) -> pl.DataFrame:
    """Return kind, reason, because (in words) and rows, most first."""
    return (
        rejected.group_by(pl.col("kind").cast(pl.String), pl.col("reason").cast(pl.String))
        .agg(pl.len().alias("rows"))
        .with_columns(pl.col("reason").replace_strict(REASONS).alias("because"))
        .sort(["rows", "kind", "reason"], descending=[True, False, False])
    )


def states(pools: pl.DataFrame) -> pl.DataFrame:
    """Return the pools with dollars moved per billable member month."""
    return pools.with_columns(
        (pl.col("transferred") / pl.col("billable_months")).alias("per_month"),
        pl.col("state").replace({"": "not given"}),
    ).sort("state", "market", "pool")


def issuers(plans: pl.DataFrame) -> pl.DataFrame:
    """Return per issuer (the first five characters of a plan) its member months, score and net transfer."""
    months = pl.col("billable_months").sum()
    return (
        plans.sort("plan_id", "rating_area", "pool", "market", "state")
        .group_by(pl.col("plan_id").str.slice(0, 5).alias("issuer"), maintain_order=True)
        .agg(
            months.alias("billable_months"),
            ((pl.col("plrs") * pl.col("billable_months")).sum() / months).alias("plrs"),
            pl.col("transfer").sum(),
        )
        .with_columns((pl.col("transfer") / pl.col("billable_months")).alias("per_month"))
        .sort("transfer", "issuer", descending=[True, False])
    )


def by_table(receipts: Sequence[Receipt]) -> list[Receipt]:
    """Return the receipts with each of ingest, which is about three tables, replaced by one per table."""
    found = []
    for receipt in receipts:
        if not any(f"{table}_read" in receipt.counts for table in TABLES):
            found.append(receipt)
            continue
        for table, counts in table_counts(receipt).items():
            made = [one for one in receipt.outputs if one.path.endswith(f"/{table}.parquet")]
            data_set = made[0].path.split("/")[-2] if made else ""
            named = [type(one)(f"{data_set} {table}", one.contract, one.rows, one.digest) for one in made]
            found.append(Receipt(stage=receipt.stage, counts=counts, outputs=named))
    return found
