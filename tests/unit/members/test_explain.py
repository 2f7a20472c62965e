"""The trace of one member's score."""

from datetime import date

import polars as pl
import pytest

from riskflow.errors import RiskflowError
from riskflow.members.engine.score import score
from riskflow.members.explain import explain
from riskflow.members.tables import load
from tests.unit.members.member_frames import frames, person
from tests.unit.members.test_literal import random_people

TABLES = load.load(load.folder(2025))


def trace(one, tables=TABLES):
    return explain("m", *frames({"m": one, "x": person("F", date(1990, 1, 1), diagnoses=["B20"])}), tables)


@pytest.fixture(scope="module")
def diabetic():
    """Pancreas transplant, diabetes, ESRD, cancer, insulin and another antidiabetic; some codes do not count."""
    codes = ["E1052", "E1165", "Z9483", "N186", "C7800", "Z3800", "J00", ("E1165", date(2024, 1, 1))]
    return trace(person("M", date(1980, 1, 1), diagnoses=codes, drugs=["J1815", "00002143301"]))


def events(found, variable):
    return [
        (row["phase"], row["event"], row["because"])
        for row in found.events.filter(variable=variable).iter_rows(named=True)
    ]


def test_each_diagnosis_leads_to_its_hccs_and_each_drug_to_its_rxc(diabetic):
    pairs = set(diabetic.mapping.select("code", "variable").rows())
    assert pairs == {
        ("E1052", "HHS_HCC020"),
        ("E1052", "HHS_HCC022"),
        ("E1052", "HHS_HCC153"),
        ("E1165", "HHS_HCC021"),
        ("Z9483", "HHS_HCC018"),
        ("N186", "HHS_HCC184"),
        ("C7800", "HHS_HCC008"),
        ("J1815", "RXC_06"),
        ("00002143301", "RXC_07"),
    }


def test_what_the_hierarchies_dropped_and_by_whom(diabetic):
    for dropped in ("HHS_HCC020", "HHS_HCC021", "HHS_HCC022"):
        ((phase, event, because),) = events(diabetic, dropped)
        assert (phase, because) == ("hierarchy", "HHS_HCC018 = 1")
        assert event.startswith("dropped")
    assert events(diabetic, "RXC_07")[0][0::2] == ("rxc_hierarchy", "RXC_06 = 1")


def test_which_group_took_the_place_of_an_hcc(diabetic):
    assert events(diabetic, "HHS_HCC018") == [("group", "replaced by G24", "HHS_HCC018 = 1")]
    assert events(diabetic, "G24") == [("group", "set", "HHS_HCC018 = 1")]


def test_why_an_interaction_and_a_count_are_set(diabetic):
    assert events(diabetic, "RXC_06_X_HCC018_019_020_021")[0][2] == "RXC_06 = 1 and HHS_HCC018 = 1"
    assert events(diabetic, "HCC_CNT") == [
        ("count", "counted: 4", "G24 + HHS_HCC008 + HHS_HCC153 + HHS_HCC184")
    ]
    assert events(diabetic, "SEVERE_HCC_COUNT4")[0][2] == "SEVERE = 1 and HCC_CNT = 4"


def test_what_was_rejected_and_why(diabetic):
    assert dict(diabetic.rejected.select("code", pl.col("reason").cast(pl.String)).rows()) == {
        "Z3800": "age_edit",
        "J00": "code_without_hcc",
        "E1165": "outside_benefit_year",
    }
    assert diabetic.rejected["because"].str.len_chars().min() > 20


def test_variables_have_labels_and_add_up_to_the_score(diabetic):
    assert diabetic.variables["coefficient"].sum() == pytest.approx(
        diabetic.spans["raw_score"].item(), abs=1e-9
    )
    assert diabetic.variables.filter(variable="HHS_HCC008")["label"].item() == "Metastatic Cancer"


def test_an_infant_boy_without_a_newborn_code():
    found = trace(person("M", date(2025, 3, 1), diagnoses=["E119"]))
    assert found.variables["variable"].to_list() == ["AGE1_MALE", "AGE1_X_SEVERITY2"]
    assert next(event for _, event, _ in events(found, "AGE0_MALE")) == "set"
    assert events(found, "AGE0_MALE")[1][1].startswith("dropped: another maturity")


def test_the_trace_ends_at_the_variables_of_the_score():
    people = random_people(2025, "alt", 120, seed=5)
    tables = frames(people)
    whole = score(*tables, TABLES).scores
    for name in list(people)[:25]:
        found = explain(name, *tables, TABLES)
        assert found.spans.rows() == whole.filter(member_id=name).rows()
        reached = set(found.mapping["variable"]) | set(found.events["variable"])
        assert set(found.spans["variables"][0]) <= reached


def test_a_diagnosis_of_two_issuers_shows_in_the_one_that_has_the_date():
    one = person("F", date(1980, 1, 1), diagnoses=[("E1165", date(2025, 6, 1))])
    one["spans"] = [
        ("1", "silver", 1, date(2025, 1, 1), date(2025, 3, 31)),
        ("2", "silver", 1, date(2025, 5, 1), date(2025, 12, 31)),
    ]
    spans, diagnoses, drugs = frames({"m": one})
    spans = spans.with_columns(issuer=pl.when(pl.col("span_id") == "2").then(pl.lit("2")).otherwise("issuer"))
    found = explain("m", spans, diagnoses, drugs, TABLES)
    assert found.events.filter(variable="G01")["enrollee"].to_list() == [1]


def test_an_unknown_member_and_one_without_a_day_in_the_year_are_errors():
    data = frames({"m": person("F", date(1980, 1, 1), 2024)})
    with pytest.raises(RiskflowError, match="no enrolment span"):
        explain("nobody", *data, TABLES)
    with pytest.raises(RiskflowError, match="no day enrolled in 2025"):
        explain("m", *data, TABLES)
