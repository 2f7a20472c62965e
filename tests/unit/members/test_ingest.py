import gzip
from datetime import date

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, ICD_10, SPANS
from riskflow.errors import RiskflowError
from riskflow.members import csr, ingest, ingest_evidence
from riskflow.members.demo import DemoSpec, generate
from riskflow.members.ingest import validated_spans
from riskflow.members.ingest_evidence import validated_diagnoses, validated_drugs
from riskflow.members.ingest_sources import (
    DIAGNOSES_SHAPE,
    DRUGS_SHAPE,
    SPANS_SHAPE,
    TableSource,
    read_table,
    typed,
)
from riskflow.members.ndc import ndc_11
from riskflow.members.tables.load import available, folder, load

GOOD = {
    "member_id": "A",
    "sex": "F",
    "date_of_birth": date(1980, 5, 1),
    "plan_id": "12345TX0010001",
    "metal": "silver",
    "csr_indicator": 1,
    "enrolment_start": date(2025, 1, 1),
    "enrolment_end": date(2025, 6, 30),
    "premium": 400.0,
    "rating_area": 1,
}


def spans(*rows, year=2025):
    frame = pl.DataFrame(
        [GOOD | row for row in rows], schema_overrides={"sex": pl.String, "csr_indicator": pl.Int64}
    )
    return validated_spans(typed(frame, {}, SPANS_SHAPE, "spans.csv"), year)


def rule_of(result):
    assert result.quarantined.height == 1
    return result.quarantined["rule_id"].item()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"member_id": None}, "span-member-missing"),
        ({"enrolment_start": None}, "span-dates-missing"),
        ({"enrolment_end": None}, "span-dates-missing"),
        ({"enrolment_end": date(2024, 12, 1)}, "span-reversed"),
        ({"enrolment_start": date(2023, 1, 1), "enrolment_end": date(2023, 12, 31)}, "span-outside-year"),
        ({"date_of_birth": None}, "span-birth-missing"),
        ({"date_of_birth": date(2026, 1, 1)}, "span-born-after-year"),
        ({"date_of_birth": date(2025, 8, 1)}, "span-born-after-end"),
        ({"sex": None}, "span-sex-missing"),
        ({"sex": "X"}, "span-sex-missing"),
        ({"plan_id": None}, "span-plan-missing"),
        ({"metal": "copper"}, "span-metal-unknown"),
        ({"metal": None}, "span-metal-unknown"),
        ({"market": "large group"}, "span-market-unknown"),
        ({"csr_indicator": 2}, "span-csr-misfit"),
        ({"csr_indicator": None}, "span-csr-misfit"),
        ({"premium": -1.0}, "span-number-negative"),
        ({"premium": float("nan")}, "span-number-negative"),
        ({"rating_area": -1}, "span-number-negative"),
    ],
)
def test_bad_span_goes_to_quarantine(change, rule):
    good = {"member_id": "B", "market": "individual"}
    result = spans(good, {"market": "individual"} | change)
    assert rule_of(result) == rule
    assert result.kept["member_id"].to_list() == ["B"]


def test_unreadable_date_goes_to_quarantine():
    frame = pl.DataFrame([{k: str(v) for k, v in GOOD.items()} | {"date_of_birth": "05/01/1980"}])
    result = validated_spans(typed(frame, {}, SPANS_SHAPE, "spans.csv"), 2025)
    assert rule_of(result) == "span-unreadable"


@pytest.mark.parametrize(
    ("shape", "validated", "row", "rule"),
    [
        (DIAGNOSES_SHAPE, validated_diagnoses, {"code": "E1165"}, "diagnosis-unreadable"),
        (DRUGS_SHAPE, validated_drugs, {"ndc": "00002021301"}, "drug-unreadable"),
    ],
)
def test_unreadable_service_dates_go_to_quarantine(shape, validated, row, rule):
    frame = pl.DataFrame([row | {"member_id": "A", "service_date": "05/01/2025"}])
    result = validated(typed(frame, {}, shape, "claims.csv"), spans({}).kept)
    assert rule_of(result) == rule


def test_repeated_span_is_kept_once():
    result = spans({}, {})
    assert rule_of(result) == "span-repeated"
    assert result.kept.height == 1


def test_repeated_span_id_goes_to_quarantine():
    later = {"span_id": "S1", "enrolment_start": date(2025, 7, 1), "enrolment_end": date(2025, 7, 31)}
    assert rule_of(spans({"span_id": "S1"}, later)) == "span-id-repeated"


def test_conflicting_facts_take_all_spans_of_the_member():
    result = spans({}, {"sex": "M", "enrolment_start": date(2025, 7, 1), "enrolment_end": date(2025, 7, 31)})
    assert set(result.quarantined["rule_id"]) == {"span-member-conflict"}
    assert result.kept.is_empty()


def test_overlapping_span_goes_to_quarantine_and_touching_one_stays():
    second = {"enrolment_start": date(2025, 6, 30), "enrolment_end": date(2025, 8, 31)}
    assert rule_of(spans({}, second)) == "span-overlap"
    assert spans({}, second | {"enrolment_start": date(2025, 7, 1)}).kept.height == 2


def test_overlap_with_another_issuer_is_no_fault():
    assert spans({}, {"plan_id": "99999TX0010001"}).kept.height == 2


@pytest.mark.parametrize(
    ("year", "metal", "indicator", "fits"),
    [
        (2021, "silver", 12, True),
        (2021, "gold", 12, False),
        (2022, "bronze", 0, True),
        (2023, "gold", 2, True),
        (2023, "silver", 10, False),
        (2025, "silver", 10, True),
        (2025, "catastrophic", 1, True),
        (2025, "catastrophic", 3, False),
        (2026, "platinum", 7, True),
        (2025, "silver", 0, False),
    ],
)
def test_csr_must_fit_the_metal_in_the_year(year, metal, indicator, fits):
    days = {"enrolment_start": date(year, 1, 1), "enrolment_end": date(year, 3, 1)}
    result = spans({"metal": metal, "csr_indicator": indicator} | days, year=year)
    assert result.kept.height == int(fits)


def test_hios_variants_become_indicators_by_metal():
    rows = [("silver", 6), ("silver", 4), ("bronze", 2), ("gold", 3), ("gold", 6)]
    frame = pl.DataFrame(
        [
            GOOD | {"member_id": f"{i}", "metal": m, "hios_variant": v, "csr_indicator": None}
            for i, (m, v) in enumerate(rows)
        ]
    )
    variants = load(folder(2025)).csr_variants
    result = validated_spans(typed(frame, {}, SPANS_SHAPE, "s"), 2025, variants=variants)
    assert result.kept["csr_indicator"].to_list() == [3, 1, 4, 9]
    assert rule_of(result) == "span-csr-misfit"


@pytest.mark.parametrize("metal", ["platinum", "gold", "silver", "bronze", "catastrophic"])
def test_a_hios_variant_without_cost_sharing_fits_any_metal(metal):
    frame = pl.DataFrame([GOOD | {"metal": metal, "hios_variant": 1, "csr_indicator": None}])
    raw = typed(frame, {}, SPANS_SHAPE, "s")
    result = validated_spans(raw, 2026, variants=load(folder(2026)).csr_variants)
    assert result.quarantined["rule_id"].to_list() == ["span-outside-year"]
    kept = validated_spans(raw, 2025, variants=load(folder(2025)).csr_variants).kept
    assert kept["csr_indicator"].to_list() == [1]


@pytest.mark.parametrize(("year", "vintage"), available().select("benefit_year", "vintage").rows())
def test_the_meanings_of_csr_indicators_are_those_of_the_cms_tables(year, vintage):
    """Every pair with a factor has a meaning; the others stand for no cost sharing, in any metal."""
    paid = set(load(folder(year, vintage)).csr_factors.select("csr_indicator", "metal").rows())
    meant = csr.meanings(year)
    none = {(row[0], row[1]) for row in meant.rows() if row[2] == "none"}
    assert {row[:2] for row in meant.rows()} - none <= paid
    assert paid <= {row[:2] for row in meant.rows()}
    assert {metal for _, metal in none} == {"platinum", "gold", "silver", "bronze", "catastrophic"}


def test_hios_variants_before_2025_are_a_clear_error():
    frame = pl.DataFrame([GOOD | {"hios_variant": 6}]).drop("csr_indicator")
    with pytest.raises(RiskflowError, match="2024 needs csr_indicator"):
        validated_spans(typed(frame, {}, SPANS_SHAPE, "s"), 2024, variants=load(folder(2024)).csr_variants)


def test_spans_are_cut_to_the_year_and_texts_normalised():
    result = spans(
        {
            "enrolment_start": date(2024, 6, 1),
            "enrolment_end": date(2026, 2, 1),
            "sex": "female",
            "metal": " Silver ",
        }
    )
    row = result.kept.row(0, named=True)
    assert (row["enrolment_start"], row["enrolment_end"]) == (date(2025, 1, 1), date(2025, 12, 31))
    assert (row["sex"], row["metal"], row["issuer"], row["market"]) == ("F", "silver", "12345", "individual")
    assert row["family_id"] == row["member_id"]
    SPANS.validate(result.kept)


def test_empty_population_is_a_clear_error():
    with pytest.raises(RiskflowError, match="population-empty: no enrolment span of 3 rows is usable"):
        ingest.assert_population(SPANS.empty(), 3, 2025)


def diagnoses(*rows):
    raw = pl.DataFrame(
        [{"member_id": "A", "code": "E1165", "service_date": date(2025, 2, 1)} | row for row in rows]
    )
    return validated_diagnoses(typed(raw, {}, DIAGNOSES_SHAPE, "d"), spans({}).kept)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"member_id": "Z"}, "diagnosis-member-unknown"),
        ({"member_id": None}, "diagnosis-member-missing"),
        ({"service_date": None}, "diagnosis-date-missing"),
        ({"code": None}, "diagnosis-code-missing"),
        ({"code": "250.00"}, "diagnosis-code-malformed"),
        ({"code": "UNKNOWN"}, "diagnosis-code-malformed"),
        ({"code": "E11.65.1.2"}, None),
        ({"code": "E116512345"}, "diagnosis-code-malformed"),
        ({"code": "e11.65", "service_date": date(2025, 2, 1)}, "diagnosis-repeated"),
    ],
)
def test_bad_diagnosis_goes_to_quarantine(change, rule):
    result = diagnoses({}, change)
    assert result.quarantined["rule_id"].to_list() == ([rule] if rule else [])
    DIAGNOSES.validate(result.kept)


def test_codes_lose_dots_and_lower_case():
    assert diagnoses({"code": " e11.65 "}).kept["code"].item() == "E1165"


def test_same_code_with_another_procedure_is_another_row():
    result = diagnoses({"procedure": "99213"}, {"procedure": "99214"})
    assert result.kept["diagnosis_id"].to_list() == [1, 2]


def drugs(*rows):
    raw = pl.DataFrame(
        [
            {"member_id": "A", "ndc": "00002021301", "hcpcs": None, "service_date": date(2025, 2, 1)} | row
            for row in rows
        ],
        schema_overrides={"hcpcs": pl.String},
    )
    return validated_drugs(typed(raw, {}, DRUGS_SHAPE, "d"), spans({}).kept)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"member_id": "Z"}, "drug-member-unknown"),
        ({"member_id": None}, "drug-member-missing"),
        ({"service_date": None}, "drug-date-missing"),
        ({"ndc": None}, "drug-code-missing"),
        ({"ndc": "0002021301"}, "drug-ndc-ambiguous"),
        ({"ndc": "002021301"}, "drug-ndc-ambiguous"),
        ({"ndc": "N/A"}, "drug-ndc-malformed"),
        ({"ndc": None, "hcpcs": "J12"}, "drug-hcpcs-malformed"),
        ({"ndc": "0002-0213-01"}, "drug-repeated"),
        ({"ndc": None, "hcpcs": "j0741"}, None),
    ],
)
def test_bad_drug_goes_to_quarantine(change, rule):
    result = drugs({}, change)
    assert result.quarantined["rule_id"].to_list() == ([rule] if rule else [])
    DRUGS.validate(result.kept)


def test_every_rule_id_has_a_name_of_its_own():
    ids = [
        *ingest.SPAN_RULES,
        *(r.id for r in (*ingest_evidence.DIAGNOSIS_RULES, *ingest_evidence.DRUG_RULES)),
    ]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_white_space_around_a_text_is_no_part_of_it(blank):
    raw = {
        "member_id": [" A", "A", "A ", blank, "A"],
        "ndc": ["00002021301", "00002021301 ", blank, "00002021301", "00002021302"],
        "hcpcs": [blank, None, blank, None, " j1100"],
        "service_date": [
            date(2025, 2, 1),
            date(2025, 2, 2),
            date(2025, 2, 3),
            date(2025, 2, 4),
            date(2025, 2, 5),
        ],
    }
    found = validated_drugs(
        typed(pl.DataFrame(raw), {}, DRUGS_SHAPE, "d"), spans({"member_id": f"A{blank}"}).kept
    )
    assert found.kept.select("member_id", "ndc", "hcpcs").rows() == [
        ("A", "00002021301", None),
        ("A", "00002021301", None),
        ("A", "00002021302", "J1100"),
    ]
    told = found.quarantined.sort("line").select("line", "rule_id").rows()
    assert told == [(3, "drug-code-missing"), (4, "drug-member-missing")]


@pytest.mark.parametrize("year", range(2021, 2027))
def test_every_code_of_the_cms_tables_has_the_shape_of_one(year):
    tables = load(folder(year))
    assert tables.codes["code"].str.contains(ICD_10).all()
    ndc = tables.drugs.filter(pl.col("kind") == "ndc")["code"].to_frame()
    assert ndc.select((ndc_11(pl.col("code")) == pl.col("code")).all()).item()


def test_quarantine_holds_no_cells_unless_asked():
    demo = generate(DemoSpec(300, 1, 2025, 0.1))
    raw = typed(demo.spans, {}, SPANS_SHAPE, "s")
    assert validated_spans(raw, 2025).quarantined["row"].null_count() > 0
    assert validated_spans(raw, 2025).quarantined["row"].drop_nulls().is_empty()
    assert validated_spans(raw, 2025, keep_row=True).quarantined["row"].null_count() == 0


def test_csv_parquet_and_duckdb_read_the_same(tmp_path):
    frame = pl.DataFrame([GOOD, GOOD | {"member_id": "B", "premium": None}]).rename(
        {"member_id": "mbr", "sex": "gender"}
    )
    frame.write_csv(tmp_path / "s.csv")
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress((tmp_path / "s.csv").read_bytes()))
    frame.write_parquet(tmp_path / "s.parquet")
    with duckdb.connect(str(tmp_path / "s.duckdb")) as connection:
        connection.register("frame_view", frame)
        connection.execute("create schema raw; create table raw.t as select * from frame_view")
        connection.execute("create view raw.enrolment as select * from raw.t")
    names = {"member_id": "mbr", "sex": "gender"}
    read = [
        read_table(TableSource(tmp_path / name, table, names), SPANS_SHAPE).drop("source", "line")
        for name, table in [("s.csv", ""), ("s.csv.gz", ""), ("s.parquet", ""), ("s.duckdb", "raw.enrolment")]
    ]
    for other in read[1:]:
        assert_frame_equal(read[0], other)
    assert read_table(TableSource(tmp_path / "s.csv", "", names), SPANS_SHAPE)["line"].to_list() == [2, 3]


def test_missing_columns_are_all_named(tmp_path):
    pl.DataFrame({"member_id": ["A"]}).write_csv(tmp_path / "d.csv")
    with pytest.raises(RiskflowError) as error:
        read_table(TableSource(tmp_path / "d.csv", "", {"code": "dx", "nonsense": "x"}), DIAGNOSES_SHAPE)
    for part in ("no column dx", "columns.nonsense", "no column service_date", "the file has: member_id"):
        assert part in str(error.value)


def test_missing_file_unknown_suffix_and_missing_view_are_said(tmp_path):
    with pytest.raises(RiskflowError, match="no such file"):
        read_table(TableSource(tmp_path / "no.csv"), SPANS_SHAPE)
    (tmp_path / "s.xlsx").write_text("")
    with pytest.raises(RiskflowError, match=r"cannot read \.xlsx"):
        read_table(TableSource(tmp_path / "s.xlsx"), SPANS_SHAPE)
    duckdb.connect(str(tmp_path / "s.duckdb")).close()
    with pytest.raises(RiskflowError, match="has no table or view nope"):
        read_table(TableSource(tmp_path / "s.duckdb", "nope"), SPANS_SHAPE)
