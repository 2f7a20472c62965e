"""Validate raw enrolment spans: normalise, quarantine what breaks a rule, lose nothing.

The rules are listed in SPAN_RULES here, DIAGNOSIS_RULES and DRUG_RULES in ingest_evidence. What CMS's own
edits reject (code not valid on the date, age, sex, service date outside the year) is no fault of the row: the
engine reports it in the table of rejected diagnoses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import polars as pl

from riskflow.contracts.members_sources import METALS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members import csr
from riskflow.members.ingest_evidence import NO_MEMBER, REPEATED, UNREADABLE
from riskflow.members.parallel import mapped
from riskflow.members.texts import rewritten, strictly_ascending, tidied, trimmed
from riskflow.pieces import columns, pieces
from riskflow.quarantine import QUARANTINE, Rule, Split, assert_conserved, joined_splits, split

POPULATION_EMPTY = "population-empty"
SLICE_ROWS = 1 << 16
"""Spans judged at a time: their memory is used again by the next."""
_MARKETS = ("individual", "small_group", "merged")


def validated_spans(
    raw: pl.DataFrame, year: int, *, variants: pl.DataFrame | None = None, keep_row: bool = False
) -> Split:
    """Return the spans within the benefit year in the SPANS contract, and the quarantine.

    `raw` has the columns of SPAN_COLUMNS with `unreadable`, `source` and `line`; `variants` are the HIOS variants
    of the year's CMS set (CSR_VARIANTS). Spans are cut to the year.
    """
    _assert_csr(raw, year, variants)
    rows = _row_by_row(raw, year, variants, keep_row)
    alone, shared = _by_sharing(rows.kept)
    alone = alone.with_columns(alone["span_id"].fill_null("1"))
    whole = _split(_ranked_spans(shared), _WHOLE_SPAN_RULES, keep_row)
    single = _split(_with_conflicts(whole.kept), _MEMBER_RULES, keep_row)
    apart = _split(_with_overlaps(single.kept), _OVERLAP_RULES, keep_row)
    every = pl.concat([alone, apart.kept.select(alone.columns)])
    kept = pl.concat([_cut_to_year(piece, year) for piece in pieces(every)])
    return _joined(raw, kept, [rows, whole, single, apart], list(SPANS.schema))


def assert_population(spans: pl.DataFrame, read: int, year: int) -> None:
    """Raise when no member is left to score: a rule of the whole table, with an id but no row to quarantine."""
    if not spans.height:
        raise RiskflowError(
            f"{POPULATION_EMPTY}: no enrolment span of {read} rows is usable in benefit year {year}",
            "check members.model.benefit_year, the column mapping, and the quarantine file for the rules broken",
        )


def _row_by_row(raw: pl.DataFrame, year: int, variants: pl.DataFrame | None, keep_row: bool) -> Split:
    """Return the rows that are good by themselves, normalised, and the quarantine of the others."""
    rules = _span_rules(year)

    def judged(rows: pl.DataFrame) -> Split:
        return _split(_normalised_spans(rows, variants), rules, keep_row)

    return joined_splits(mapped(judged, raw.iter_slices(SLICE_ROWS) if raw.height else [raw]))


def _assert_csr(raw: pl.DataFrame, year: int, variants: pl.DataFrame | None) -> None:
    known = variants is not None and variants.height > 0
    if not known and raw.height and raw["csr_indicator"].null_count() == raw.height:
        raise RiskflowError(
            f"spans: benefit year {year} needs csr_indicator; HIOS variants have a CMS table from 2025 on",
            "map the EDGE cost-sharing indicator under members.source.spans.columns.csr_indicator",
        )


def _normalised_spans(raw: pl.DataFrame, variants: pl.DataFrame | None) -> pl.DataFrame:
    ids = [tidied(raw[name]) for name in ("member_id", "family_id", "span_id")]
    texts = [rewritten(raw[name], clean) for name, clean in _TEXTS.items()]
    tidy = raw.with_columns(*ids, *texts)
    normalised = tidy.with_columns(
        pl.col("market").fill_null("individual"),
        pl.col("state").fill_null(""),
        pl.col("family_id").fill_null(pl.col("member_id")),
    )
    if normalised["issuer"].has_nulls():
        normalised = normalised.with_columns(pl.col("issuer").fill_null(pl.col("plan_id").str.slice(0, 5)))
    if variants is None or not normalised["hios_variant"].count():
        return normalised
    meant = csr.indicator_of_variant(variants, pl.col("hios_variant"), pl.col("metal"))
    return normalised.with_columns(pl.col("csr_indicator").fill_null(meant))


def _sex(text: pl.Expr) -> pl.Expr:
    return trimmed(text).str.to_uppercase().replace({"MALE": "M", "FEMALE": "F"})


def _market(text: pl.Expr) -> pl.Expr:
    return trimmed(text).str.to_lowercase().str.replace_all(r"[\s-]+", "_")


_TEXTS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "sex": _sex,
    "plan_id": trimmed,
    "metal": lambda text: trimmed(text).str.to_lowercase(),
    "issuer": trimmed,
    "market": _market,
    "state": lambda text: trimmed(text).str.to_uppercase(),
}
"""How columns of few distinct texts are written."""


def _span_rules(year: int) -> list[Rule]:
    start, end, birth = pl.col("enrolment_start"), pl.col("enrolment_end"), pl.col("date_of_birth")
    first, last = date(year, 1, 1), date(year, 12, 31)
    return [
        Rule("span-unreadable", UNREADABLE, ~pl.col("unreadable")),
        Rule("span-member-missing", NO_MEMBER, pl.col("member_id").is_not_null()),
        Rule(
            "span-dates-missing",
            "enrolment_start or enrolment_end is missing",
            start.is_not_null() & end.is_not_null(),
        ),
        Rule("span-reversed", "enrolment_start is after enrolment_end", start <= end),
        Rule(
            "span-outside-year",
            "no day of the span lies in the benefit year",
            (start <= last) & (end >= first),
        ),
        Rule("span-birth-missing", "date_of_birth is missing", birth.is_not_null()),
        Rule("span-born-after-year", "date_of_birth is after the benefit year", birth <= last),
        Rule("span-born-after-end", "date_of_birth is after the end of the span", birth <= end),
        Rule("span-sex-missing", "sex is missing or neither M nor F", pl.col("sex").is_in(["M", "F"])),
        Rule("span-plan-missing", "plan_id is missing", pl.col("plan_id").is_not_null()),
        Rule(
            "span-metal-unknown", f"metal is none of {', '.join(METALS)}", pl.col("metal").is_in(list(METALS))
        ),
        Rule(
            "span-market-unknown",
            f"market is none of {', '.join(_MARKETS)}",
            pl.col("market").is_in(list(_MARKETS)),
        ),
        Rule(
            "span-csr-misfit",
            "csr_indicator is missing or does not exist for the metal in the benefit year",
            csr.fits(year, pl.col("csr_indicator"), pl.col("metal")),
        ),
        Rule(
            "span-number-negative",
            "premium or rating_area is negative or not a number",
            (pl.col("premium").fill_null(0).is_finite() & (pl.col("premium").fill_null(0) >= 0))
            & (pl.col("rating_area").fill_null(0) >= 0),
        ),
    ]


SPAN_RULES = (
    *(rule.id for rule in _span_rules(2025)),
    "span-repeated",
    "span-id-repeated",
    "span-member-conflict",
    "span-overlap",
)
_WHOLE_SPAN_RULES = [
    Rule("span-repeated", REPEATED, ~pl.col("repeats")),
    Rule("span-id-repeated", "span_id is repeated within the member", ~pl.col("repeats_id")),
]
_MEMBER_RULES = [
    Rule(
        "span-member-conflict",
        "the member's spans differ in sex or date_of_birth",
        ~pl.col("conflicts"),
    )
]
_OVERLAP_RULES = [
    Rule(
        "span-overlap",
        "the span overlaps an earlier one of the member with the same issuer and market",
        ~pl.col("overlaps"),
    )
]


def _split(frame: pl.DataFrame, rules: Sequence[Rule], keep_row: bool) -> Split:
    """Split by one mask first: naming the broken rule is only worth its time on the few broken rows."""
    good = frame.select(pl.all_horizontal([rule.passes.fill_null(False) for rule in rules])).to_series()
    if good.all():
        return Split(frame, QUARANTINE.empty())
    broken = split(frame.filter(~good), rules, keep_row=keep_row)
    kept = frame.filter(good)
    assert_conserved(frame.height, kept.height, broken.quarantined.height)
    return Split(kept, broken.quarantined)


def _by_sharing(spans: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the spans of members with one span, and those of members with several."""
    if strictly_ascending(spans["member_id"]):
        return spans, spans.clear()
    single = spans["member_id"].is_unique()
    return spans.filter(single), spans.filter(~single)


def _ranked_spans(frame: pl.DataFrame) -> pl.DataFrame:
    """Number spans without id within the member and mark rows that repeat another row, or only its id."""
    content = [name for name in SPANS.columns if name != "span_id"]
    order = ["member_id", "enrolment_start", "enrolment_end", "span_id", *content, "line"]
    ordered = frame.sort(list(dict.fromkeys(order)), nulls_last=True)
    repeats = _same_as_before([*content, "span_id"])
    number = pl.int_range(1, pl.len() + 1).over("member_id").cast(pl.String)
    named = ordered.with_columns(repeats.alias("repeats"), pl.col("span_id").fill_null(number))
    first = pl.struct("member_id", "span_id").is_first_distinct()
    distinct = pl.when(pl.col("repeats")).then(False).otherwise(~first)
    return named.with_columns(distinct.alias("repeats_id"))


def _with_conflicts(frame: pl.DataFrame) -> pl.DataFrame:
    conflicted = (
        frame.group_by("member_id")
        .agg((pl.col("sex").n_unique() > 1) | (pl.col("date_of_birth").n_unique() > 1))
        .select("member_id", pl.col("sex").alias("conflicts"))
    )
    return frame.join(conflicted, on="member_id", how="left", maintain_order="left")


def _with_overlaps(frame: pl.DataFrame) -> pl.DataFrame:
    """Mark spans that begin before an earlier span of the same member, issuer and market has ended."""
    owner = ["member_id", "issuer", "market"]
    ordered = frame.sort([*owner, "enrolment_start", "enrolment_end", "span_id"])
    latest_end = pl.col("enrolment_end").cum_max().shift(1).over(owner)
    return ordered.with_columns((pl.col("enrolment_start") <= latest_end).fill_null(False).alias("overlaps"))


def _cut_to_year(frame: pl.DataFrame, year: int) -> pl.DataFrame:
    return frame.with_columns(
        pl.max_horizontal("enrolment_start", pl.date(year, 1, 1)).alias("enrolment_start"),
        pl.min_horizontal("enrolment_end", pl.date(year, 12, 31)).alias("enrolment_end"),
    )


def _same_as_before(columns: Sequence[str]) -> pl.Expr:
    same = pl.all_horizontal([pl.col(name).eq_missing(pl.col(name).shift(1)) for name in columns])
    return same & (pl.int_range(pl.len()) > 0)


def _joined(raw: pl.DataFrame, kept: pl.DataFrame, parts: Sequence[Split], names: Sequence[str]) -> Split:
    quarantined = pl.concat([part.quarantined for part in parts])
    assert_conserved(raw.height, kept.height, quarantined.height)
    return Split(columns(kept, names), quarantined)
