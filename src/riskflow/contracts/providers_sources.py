"""Contracts of the provider track's sources and graph: what ingest, exclusions, matching and graph building write."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.base import (
    Contract,
    FrameCheck,
    at_least,
    column,
    finite,
    in_range,
    matches,
    not_empty,
    npi,
    one_of,
)

OWNER_KINDS = ("organization", "person")
NODE_KINDS = ("organization", "person", "provider")
MATCH_TIERS = ("A", "B", "C", "D")
_STATE = matches(r"^[A-Z]{2}$", "is a two-letter code")

REGISTRY = Contract(
    name="providers_registry",
    version=1,
    title="One row per registered provider",
    key=("npi",),
    columns={
        "npi": column(pl.Int64, "National Provider Identifier", npi()),
        "taxonomy": column(
            pl.String, "First taxonomy code, or specialty where no code is known", not_empty(), nullable=True
        ),
        "state": column(pl.String, "Two-letter state or territory", _STATE, nullable=True),
        "entity_type": column(
            pl.String, "individual or organization", one_of(("individual", "organization")), nullable=True
        ),
        "display_name": column(pl.String, "Name as registered", not_empty(), nullable=True),
        "updated_at": column(pl.Date, "Day of the registry's last update of the row", nullable=True),
        "npi_luhn_ok": column(
            pl.Boolean, "Whether the check digit (prefix 80840) is right: a flag, not a filter"
        ),
    },
)

PAYMENTS = Contract(
    name="providers_payments",
    version=1,
    title="One row per provider, year and program as paid (a key may have several unequal parts)",
    key=("npi", "year", "program", "payments_cents", "claims", "beneficiaries"),
    columns={
        "npi": column(pl.Int64, "Billing National Provider Identifier", npi()),
        "year": column(pl.Int16, "Calendar year of payment", in_range(1990, 2100)),
        "program": column(pl.String, "Payer program", not_empty()),
        "payments_cents": column(pl.Int64, "Payments in cents; below 0 is a net reversal"),
        "claims": column(pl.Int64, "Claims, or null where unknown", at_least(0), nullable=True),
        "beneficiaries": column(
            pl.Int64, "Patients, or null where unknown or suppressed", at_least(0), nullable=True
        ),
    },
)

EXCLUSIONS = Contract(
    name="providers_exclusions",
    version=1,
    title="One row per exclusion of the OIG list (LEIE)",
    key=("exclusion_id",),
    columns={
        "exclusion_id": column(
            pl.String,
            "X + hash of who, why and since when",
            matches(r"^X[0-9a-f]{16}$", "is X and 16 hex digits"),
        ),
        "npi": column(pl.Int64, "NPI, or null: nine in ten exclusions carry none", npi(), nullable=True),
        "name": column(pl.String, "Name as listed: business, or last and first", not_empty(), nullable=True),
        "dob": column(pl.Date, "Birth date of a person", nullable=True),
        "state": column(pl.String, "Two-letter state", _STATE, nullable=True),
        "excl_type": column(pl.String, "Section of the Act or reason", not_empty(), nullable=True),
        "excl_date": column(pl.Date, "First day of the exclusion"),
        "rein_date": column(pl.Date, "First day after it ended, or null", nullable=True),
        "waived": column(pl.Boolean, "Whether a waiver is listed"),
        "waiver_date": column(pl.Date, "Day of the waiver, or null", nullable=True),
        "waiver_state": column(pl.String, "State of the waiver", nullable=True),
    },
)

OWNERSHIP = Contract(
    name="providers_ownership",
    version=1,
    title="One row per owner, owned provider or organization, role, percentage and date",
    key=("owner_id", "owned_id", "owned_ccn", "role", "pct", "since"),
    columns={
        "owner_id": column(
            pl.String, "Stable id of the owner: as listed, or from its exact name and state", not_empty()
        ),
        "owner_kind": column(pl.String, "organization or person", one_of(OWNER_KINDS)),
        "owner_name": column(pl.String, "Name as listed", not_empty(), nullable=True),
        "owner_npi": column(pl.Int64, "The owner's own NPI, where listed", npi(), nullable=True),
        "owner_state": column(pl.String, "Two-letter state of the owner", _STATE, nullable=True),
        "owner_dob": column(pl.Date, "Birth date of a person", nullable=True),
        "owned_id": column(pl.String, "npi:<NPI> of a provider, or the id of an organization", not_empty()),
        "owned_npi": column(pl.Int64, "NPI of an owned provider", npi(), nullable=True),
        "owned_name": column(pl.String, "Name of what is owned", not_empty(), nullable=True),
        "owned_ccn": column(pl.String, "CMS certification number of the facility", nullable=True),
        "role": column(pl.String, "Role as listed, in capitals", not_empty()),
        "pct": column(
            pl.Float64, "Percentage held, or null where none is listed", in_range(0, 100), nullable=True
        ),
        "since": column(pl.Date, "First day of the association, or null", nullable=True),
        "flags": column(pl.String, "Type flags of the owner, comma-separated in order; empty for none"),
    },
)

NODES = Contract(
    name="providers_graph_nodes",
    version=1,
    title="One row per provider, organization or person of the ownership graph",
    key=("node_id",),
    columns={
        "node_id": column(pl.String, "npi:<NPI> where one is known, else the owner's id", not_empty()),
        "kind": column(pl.String, "provider, organization or person", one_of(NODE_KINDS)),
        "label": column(pl.String, "What to call it in a path", not_empty()),
        "npi": column(pl.Int64, "NPI, where known", npi(), nullable=True),
        "excluded": column(pl.Boolean, "Whether an exclusion by NPI is active at the scoring date"),
        "exclusion_id": column(pl.String, "The active exclusion (of several: the newest)", nullable=True),
        "is_hub": column(pl.Boolean, "Whether it owns more providers directly than the hub cap"),
    },
    checks=(
        FrameCheck(
            "excluded_has_id",
            "excluded rows name their exclusion",
            pl.col("excluded") == pl.col("exclusion_id").is_not_null(),
        ),
    ),
)

EDGES = Contract(
    name="providers_graph_edges",
    version=1,
    title="One row per owner and owned node; of several roles the largest share counts",
    key=("owner_id", "owned_id"),
    columns={
        "owner_id": column(pl.String, "node_id of the owner", not_empty()),
        "owned_id": column(pl.String, "node_id of the owned", not_empty()),
        "share_bps": column(pl.Int64, "Share held in hundredths of a percent", in_range(0, 10_000)),
        "role": column(pl.String, "Role of the largest share", not_empty()),
        "since": column(pl.Date, "Day of that association", nullable=True),
    },
    checks=(FrameCheck("no_self_loop", "owner and owned differ", pl.col("owner_id") != pl.col("owned_id")),),
)

FEATURES = Contract(
    name="providers_graph_features",
    version=1,
    title="One row per provider: what the ownership graph says about it",
    key=("npi",),
    columns={
        "npi": column(pl.Int64, "National Provider Identifier", npi()),
        "graph_hash": column(
            pl.String, "sha256 of the graph that was asked", matches(r"^[0-9a-f]{64}$", "is a sha256")
        ),
        "own_exclusion_active": column(pl.Boolean, "Excluded itself at the scoring date"),
        "owner_excluded": column(pl.Boolean, "A direct owner is excluded"),
        "chain_excluded": column(pl.Boolean, "An owner further up, or a provider of the chain, is excluded"),
        "ownership_risk": column(
            pl.Float64,
            "Sum over excluded owners of share x decay^(hops-1), in percent, at most 100",
            in_range(0, 100),
            finite(),
        ),
        "chain_providers": column(pl.Int64, "Other providers under the same owners", at_least(0)),
        "chain_excluded_providers": column(pl.Int64, "Excluded ones among them", at_least(0)),
        "nearest_exclusion_hops": column(
            pl.Int64, "Hops up to the nearest excluded owner, or null", at_least(1), nullable=True
        ),
        "nearest_exclusion_path": column(
            pl.List(pl.String), "Labels from the provider up to that owner", nullable=True
        ),
    },
)

EXCLUSION_FACTS = Contract(
    name="providers_exclusion_facts",
    version=1,
    title="One row per NPI with an exclusion: state at the scoring date and payments while excluded",
    key=("npi",),
    columns={
        "npi": column(pl.Int64, "National Provider Identifier", npi()),
        "exclusion_id": column(
            pl.String, "The exclusion that counts: the newest active one, else the newest", not_empty()
        ),
        "excl_type": column(pl.String, "Its type", nullable=True),
        "excl_date": column(pl.Date, "Its first day"),
        "rein_date": column(pl.Date, "Its end, where there is one", nullable=True),
        "active": column(pl.Boolean, "Whether any exclusion of the NPI is active at the scoring date"),
        "exclusions": column(pl.Int64, "How many exclusions are listed", at_least(1)),
        "payments_after_exclusion_cents": column(
            pl.Int64, "Paid in calendar years spent wholly under exclusion"
        ),
        "payments_partial_year_cents": column(
            pl.Int64,
            "Estimate for years spent partly under exclusion: payments x days excluded / days of the year",
        ),
        "years_paid_after": column(pl.List(pl.Int16), "Years wholly under exclusion with payments above 0"),
    },
)

MATCHES = Contract(
    name="providers_exclusion_matches",
    version=1,
    title="Candidates for who an exclusion is about; only tier A is ever scored",
    key=("exclusion_id", "target_kind", "target_id"),
    columns={
        "exclusion_id": column(pl.String, "The exclusion", not_empty()),
        "target_kind": column(pl.String, "provider, organization or person", one_of(NODE_KINDS)),
        "target_id": column(pl.String, "npi:<NPI> or the owner's id", not_empty()),
        "tier": column(
            pl.String,
            "A NPI; B name and birth date; C name and state, unique on both sides; D name only",
            one_of(MATCH_TIERS),
        ),
        "evidence": column(pl.String, "What agreed, in words", not_empty()),
        "candidates": column(pl.Int64, "How many targets the exclusion has in this tier", at_least(1)),
        "scored": column(pl.Boolean, "Whether the score uses it: tier A only"),
    },
    checks=(
        FrameCheck("only_a_is_scored", "only tier A is scored", pl.col("scored") == (pl.col("tier") == "A")),
    ),
)

BACKTEST = Contract(
    name="providers_backtest",
    version=1,
    title="One row per scorer, metric and list size: the score as of a past day against later exclusions",
    key=("scorer", "metric", "k"),
    columns={
        "scorer": column(pl.String, "The score, or a baseline", not_empty()),
        "metric": column(pl.String, "roc_auc, pr_auc, precision_at_k, lift_at_k or recall_at_k", not_empty()),
        "k": column(pl.Int64, "Size of the list head, or 0", at_least(0)),
        "value": column(pl.Float64, "The metric, or null where it is not defined", finite(), nullable=True),
        "low": column(pl.Float64, "2.5% bootstrap quantile", finite(), nullable=True),
        "high": column(pl.Float64, "97.5% bootstrap quantile", finite(), nullable=True),
        "population": column(pl.Int64, "Providers at risk", at_least(0)),
        "positives": column(pl.Int64, "Providers excluded within the horizon", at_least(0)),
    },
)
