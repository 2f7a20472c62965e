"""Structured tables without Safe Harbor identifiers: years or shifted dates, ZIP3, pseudonyms, no age over 89."""

import datetime as dt

import polars as pl
import pytest

from riskflow.contracts.notes_redacted import PUBLISHED_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.deidentify import SMALL_ZIP3, deidentified, zip3
from riskflow.notes.policy import Policy
from riskflow.notes.pseudonym import shift_days
from riskflow.notes.redact.stage import redacted_artifacts
from tests.unit.notes.notes_frames import KEY, OTHER_KEY, PATIENT, moment, redacted, source

SHIFT = Policy(shift_dates=True)


def published(tables, policy=Policy(), key=KEY):  # noqa: B008
    notes = tables["observations"]["notes"].to_list()
    rows, _ = redacted_artifacts(redacted(*notes, policy=policy, key=key), policy, key, ())
    found = deidentified(tables, rows, policy, key)
    for name, table in found.items():
        PUBLISHED_TABLES[name].validate(table)
    return found


def all_text(tables) -> str:
    return " ".join(table.write_json() for table in tables.values()).lower()


@pytest.mark.parametrize("policy", [Policy(), SHIFT, Policy("pseudonyms")])
def test_no_identifier_of_the_record_is_in_any_table(policy):
    text = all_text(published(source("Mr. de la Cruz called from 555-123-4567."), policy))
    for part in (
        "cruz",
        "william",
        "0012345",
        "999-16",
        "d1234567",
        "olson",
        "long beach",
        "90804",
        "1234567",
    ):
        assert part not in text
    for part in (
        "okonkwo",
        "9876543",
        "wdelacruz",
        "1950-03-04",
        "2020-06-01",
        "enc-771",
        "obs-0",
        "raman",
        "lakeview",
    ):
        assert part not in text


def test_references_hold_by_pseudonym_in_all_tables():
    tables = published(source("One.", "Two."))
    patient = tables["patients"]["patient_id"][0]
    assert set(tables["encounters"]["patient_id"]) == set(tables["observations"]["patient_id"]) == {patient}
    assert set(tables["observations"]["encounter_id"]) == set(tables["encounters"]["encounter_id"])
    assert tables["encounters"]["participant_id"][0] == tables["observations"]["performer_id"][0]
    assert tables["patients"]["organization_id"][0] == tables["encounters"]["facility_id"][0]


def test_two_keys_have_no_pseudonym_in_common():
    ours, theirs = (published(source("One."), key=key) for key in (KEY, OTHER_KEY))
    for name, table in ours.items():
        for column in (c for c in table.columns if c.endswith("_id")):
            assert not set(table[column].drop_nulls()) & set(theirs[name][column].drop_nulls())


def test_years_are_kept_and_days_are_not():
    tables = published(source("One.", "Two."))
    assert tables["patients"].select("birth_year", "birth_date").row(0) == (1950, None)
    assert tables["observations"]["effective_year"].to_list() == [2020, 2020]
    assert tables["observations"]["effective_date"].null_count() == 2
    assert tables["observations"]["day"].sort().to_list() == [0, 1]


def test_shifted_dates_keep_the_intervals_of_a_patient():
    tables = published(source("One.", "Two."), SHIFT)
    days = shift_days(KEY, PATIENT["patient_id"])
    assert tables["encounters"]["start_date"][0] == dt.date(2020, 6, 1) + dt.timedelta(days=days)
    first, second = tables["observations"]["effective_date"].sort()
    assert (second - first).days == 1
    born = tables["patients"]["birth_date"][0]
    assert tables["encounters"]["start_date"][0] - born == dt.date(2020, 6, 1) - dt.date(1950, 3, 4)


@pytest.mark.parametrize(
    ("born", "over"),
    [
        (dt.date(1930, 6, 4), False),
        (dt.date(1930, 6, 3), True),
        (dt.date(1900, 1, 1), True),
        (dt.date(2019, 1, 1), False),
    ],
)
@pytest.mark.parametrize("policy", [Policy(), SHIFT])
def test_birth_is_gone_over_89_at_the_last_date_of_the_data(born, over, policy):
    patient = published(source("One.", patient={"date_of_birth": born}), policy)["patients"]
    assert patient["over_89"][0] is over
    assert (patient["birth_year"][0] is None) is over
    assert over is False or patient["birth_date"][0] is None


def test_zip_codes_become_three_digits_and_small_populations_zero():
    codes = pl.DataFrame(
        {"zip": ["90804", "03601", "893015555", "89301-1234", "9080", "K1A 0B1", None, " 10001 "]}
    )
    assert codes.select(zip=zip3(pl.col("zip")))["zip"].to_list() == [
        "908",
        "000",
        "000",
        "000",
        None,
        None,
        None,
        "100",
    ]


def test_the_seventeen_small_prefixes_of_the_hhs_guidance_are_listed():
    guidance = {"036", "692", "878", "059", "790", "879", "063", "821", "884", "102", "823", "890"}
    guidance |= {"203", "830", "893", "556", "831"}
    assert len(guidance) == 17 and guidance <= SMALL_ZIP3


def test_words_in_values_are_redacted_and_numbers_stay():
    tables = source("One.", "Two.", "Three.", "Four.")
    values = ["123456789", "see Dr. John Smith, 3/4/2020", "5551234567", "Positive"]
    tables["observations"] = tables["observations"].with_columns(pl.Series("value", values))
    found = published(tables)["observations"].join(
        published(source("One.", "Two.", "Three.", "Four."))["observations"].select("observation_id"),
        on="observation_id",
    )
    assert sorted(found["value"].fill_null("").to_list()) == [
        "",
        "123456789",
        "Positive",
        "see Dr. [NAME], [DATE]",
    ]


def test_a_note_that_was_not_redacted_is_withheld():
    tables = source("Anna was here.", "Fine.")
    rows, _ = redacted_artifacts(redacted("Anna was here."), Policy(), KEY, ())
    found = deidentified(tables, rows, Policy(), KEY)["observations"]
    assert sorted(found["note_status"]) == ["redacted", "withheld"]
    assert found.filter(pl.col("note_status") == "withheld")["note"].null_count() == 1


def test_an_observation_without_a_note_has_no_note_status():
    tables = source("Fine.")
    tables["observations"] = tables["observations"].with_columns(pl.lit(None, dtype=pl.String).alias("notes"))
    rows, _ = redacted_artifacts(redacted("Fine."), Policy(), KEY, ())
    found = deidentified(tables, rows.clear(), Policy(), KEY)["observations"]
    assert found.select("note_status", "note", "note_reason").row(0) == (None, None, None)


def test_a_foreign_region_and_an_address_in_the_state_column_are_dropped():
    found = published(source("One.", patient={"state": "568 Olson Landing", "country": "Lima Province"}))[
        "patients"
    ]
    assert found.select("state", "country").row(0) == (None, None)


@pytest.mark.parametrize(
    "broken",
    [
        {"patient_id": pl.lit("MRN-0012345")},
        {"zip3": pl.lit("90804")},
        {"over_89": pl.lit(True)},
    ],
)
def test_the_contract_refuses_identifiers(broken):
    patients = published(source("One."))["patients"].with_columns(**broken)
    with pytest.raises(RiskflowError, match="broken promise") as error:
        PUBLISHED_TABLES["patients"].validate(patients)
    assert "0012345" not in str(error.value) and "90804" not in str(error.value)


@pytest.mark.parametrize(
    "broken",
    [
        {"note_status": pl.lit("clear")},
        {"note_status": pl.lit("withheld")},
        {"note_status": pl.lit(None, dtype=pl.String)},
        {"note": pl.lit(None, dtype=pl.String)},
    ],
)
def test_the_contract_refuses_a_note_that_is_neither_redacted_nor_withheld(broken):
    observations = published(source("One."))["observations"].with_columns(**broken)
    with pytest.raises(RiskflowError, match="broken promise"):
        PUBLISHED_TABLES["observations"].validate(observations)


def test_the_last_date_counts_shifted_years_of_issue():
    tables = source("One.")
    tables["observations"] = tables["observations"].with_columns(issued=pl.lit(moment(2041, 1, 1)))
    assert published(tables)["patients"]["over_89"][0] is True
