"""Exclusions at a date, payments while excluded, and name matches that are never scored."""

import datetime as dt

import polars as pl
import pytest

from riskflow.contracts.providers_sources import EXCLUSION_FACTS, EXCLUSIONS, MATCHES, OWNERSHIP
from riskflow.providers.exclusions import exclusion_facts, is_active, known_on, newest_active
from riskflow.providers.matching import match, targets

A, B = 1_000_000_001, 1_000_000_002
DAY = dt.date


def exclusions(*rows: dict[str, object]) -> pl.DataFrame:
    base: dict[str, object] = {"npi": A, "name": "DOE, JO", "excl_date": DAY(2020, 7, 1), "waived": False}
    filled = [
        dict.fromkeys(EXCLUSIONS.columns) | {"exclusion_id": f"X{place:016x}"} | base | row
        for place, row in enumerate(rows)
    ]
    return EXCLUSIONS.validate(pl.DataFrame(filled, schema=EXCLUSIONS.schema))


def payments(*rows: tuple[int, int, int]) -> pl.LazyFrame:
    return pl.LazyFrame(
        rows, schema={"npi": pl.Int64, "year": pl.Int16, "payments_cents": pl.Int64}, orient="row"
    )


@pytest.mark.parametrize(
    ("row", "as_of", "active"),
    [
        ({}, DAY(2020, 6, 30), False),
        ({}, DAY(2020, 7, 1), True),
        ({"rein_date": DAY(2022, 1, 1)}, DAY(2021, 12, 31), True),
        ({"rein_date": DAY(2022, 1, 1)}, DAY(2022, 1, 1), False),
        ({"waived": True, "waiver_date": DAY(2021, 1, 1)}, DAY(2020, 12, 31), True),
        ({"waived": True, "waiver_date": DAY(2021, 1, 1)}, DAY(2021, 1, 1), False),
        ({"waived": True}, DAY(2024, 1, 1), False),
    ],
)
def test_active_at_a_date(row: dict[str, object], as_of: dt.date, active: bool) -> None:
    assert exclusions(row).select(is_active(as_of)).item() is active


def test_waivers_count_when_the_config_says_so() -> None:
    waived = exclusions({"waived": True})
    assert waived.select(is_active(DAY(2024, 1, 1), waivers_count=True)).item()


def test_newest_active_takes_the_newest_and_leaves_out_what_has_no_npi() -> None:
    listed = exclusions(
        {}, {"excl_date": DAY(2021, 1, 1)}, {"npi": None}, {"npi": B, "rein_date": DAY(2021, 1, 1)}
    )
    found = newest_active(listed, DAY(2024, 1, 1))
    assert found.select("npi", "exclusion_id").rows() == [(A, "X0000000000000001")]


def test_what_was_known_on_a_past_day() -> None:
    row = {"rein_date": DAY(2023, 1, 1), "waived": True, "waiver_date": DAY(2022, 1, 1), "waiver_state": "TX"}
    past = known_on(exclusions(row, {"excl_date": DAY(2021, 6, 1)}), DAY(2020, 12, 31))
    assert past.select("excl_date", "rein_date", "waived", "waiver_date", "waiver_state").rows() == [
        (DAY(2020, 7, 1), None, False, None, None)
    ]
    assert known_on(exclusions({"waived": True}), DAY(2020, 12, 31))["waived"].item()


def test_payments_after_exclusion_whole_years_and_share_of_the_first() -> None:
    paid = payments(
        (A, 2019, 100), (A, 2020, 366), (A, 2021, 1_000), (A, 2022, -50), (A, 2024, 7), (B, 2021, 9)
    )
    (row,) = EXCLUSION_FACTS.validate(exclusion_facts(exclusions({}), paid, DAY(2023, 12, 31))).to_dicts()
    assert row["payments_partial_year_cents"] == 184  # 1 July to 31 December of a leap year
    assert (
        row["payments_after_exclusion_cents"] == 950
    )  # a reversal counts; the year after the scoring date does not
    assert row["years_paid_after"] == [2021]
    assert row["active"]


def test_payments_stop_counting_at_reinstatement_and_waiver() -> None:
    paid = payments((A, 2021, 365), (A, 2022, 365), (A, 2023, 365))
    for end in ({"rein_date": DAY(2022, 1, 11)}, {"waived": True, "waiver_date": DAY(2022, 1, 11)}):
        (row,) = exclusion_facts(exclusions(end), paid, DAY(2024, 12, 31)).to_dicts()
        assert (row["payments_after_exclusion_cents"], row["payments_partial_year_cents"]) == (365, 10)
        assert not row["active"]


def test_two_exclusions_never_count_a_day_twice() -> None:
    listed = exclusions({}, {"excl_date": DAY(2020, 8, 1)})
    (row,) = exclusion_facts(listed, payments((A, 2021, 100)), DAY(2021, 12, 31)).to_dicts()
    assert (row["payments_after_exclusion_cents"], row["exclusions"]) == (100, 2)


def test_exclusion_without_payments_has_a_row_and_a_later_one_has_none() -> None:
    listed = exclusions({}, {"npi": B, "excl_date": DAY(2025, 1, 1)}, {"npi": None})
    facts = exclusion_facts(listed, payments((B, 2024, 5)), DAY(2024, 12, 31))
    assert facts.select("npi", "payments_after_exclusion_cents").rows() == [(A, 0)]


def candidates(*owners: dict[str, object]) -> pl.LazyFrame:
    registry = pl.LazyFrame(
        {
            "npi": [A, B, B + 1, B + 2],
            "display_name": ["Doe, Jo", "DOE JO", "Roe, Al", "NORTHEAST COMMUNITY MENTAL HEALTH INC"],
            "state": ["TX", "NV", "CA", "MA"],
        }
    )
    base = dict.fromkeys(OWNERSHIP.columns) | {"owner_id": "I1", "owner_kind": "person"}
    return targets(registry, pl.DataFrame([base | row for row in owners], schema=OWNERSHIP.schema))


def tiers(listed: pl.DataFrame, known: pl.LazyFrame) -> list[tuple[object, ...]]:
    found = MATCHES.validate(match(listed, known))
    return found.select("target_id", "tier", "candidates", "scored").rows()


def test_same_npi_is_tier_a_and_only_that_is_scored() -> None:
    assert tiers(exclusions({"state": "TX"}), candidates()) == [
        (f"npi:{A}", "A", 1, True),
        (f"npi:{B}", "D", 1, False),
    ]


def test_name_and_birth_date_is_tier_b() -> None:
    born = DAY(1970, 1, 1)
    owner = {"owner_name": "Poe, Ed", "owner_dob": born}
    listed = exclusions({"npi": None, "name": "POE, ED", "dob": born})
    assert tiers(listed, candidates(owner)) == [("I1", "B", 1, False)]
    other_day = exclusions({"npi": None, "name": "POE, ED", "dob": DAY(1971, 1, 1)})
    assert tiers(other_day, candidates(owner)) == [("I1", "D", 1, False)]


def test_name_and_state_is_tier_c_only_when_unique_on_both_sides() -> None:
    one = {"npi": None, "name": "ROE, AL", "state": "CA"}
    assert tiers(exclusions(one), candidates()) == [(f"npi:{B + 1}", "C", 1, False)]
    two = exclusions(one, one | {"excl_date": DAY(2021, 1, 1)})
    assert {tier for _, tier, _, _ in tiers(two, candidates())} == {"D"}
    namesake = {"owner_name": "Roe Al", "owner_state": "CA"}
    assert {tier for _, tier, _, _ in tiers(exclusions(one), candidates(namesake))} == {"D"}


def test_name_that_the_list_cut_at_30_characters_is_tier_d() -> None:
    cut = {"npi": None, "name": "NORTHEAST COMMUNITY MENTAL HEALTH INC"[:30], "state": "MA"}
    assert tiers(exclusions(cut), candidates()) == [(f"npi:{B + 2}", "D", 1, False)]
    shorter = {"npi": None, "name": "NORTHEAST COMMUNITY", "state": "MA"}
    assert tiers(exclusions(shorter), candidates()) == []


def test_nothing_matches_on_missing_names_or_dates() -> None:
    nameless = {"owner_name": None, "owner_dob": None}
    assert tiers(exclusions({"npi": B + 9, "name": None}), candidates(nameless)) == []


def test_a_name_that_many_bear_is_no_candidate() -> None:
    owners = [{"owner_id": f"I{place}", "owner_name": "Poe, Ed"} for place in range(21)]
    listed = exclusions({"npi": None, "name": "POE, ED"})
    assert len(tiers(listed, candidates(*owners[:20]))) == 20
    assert tiers(listed, candidates(*owners)) == []
