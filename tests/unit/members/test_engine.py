"""The engine's own rules: enrolment, which evidence counts, pooling, determinism, what it refuses."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from riskflow.contracts.members_scores import REASONS, REJECTED, SCORES
from riskflow.errors import RiskflowError
from riskflow.members.engine.eligibility import eligible_codes, with_eligibility
from riskflow.members.engine.enrolment import Year, enrolment
from riskflow.members.engine.score import score
from riskflow.members.tables import load
from tests.unit.members.member_frames import frames, person
from tests.unit.members.test_literal import random_people

TABLES = load.load(load.folder(2025))
DAY = date(2025, 6, 1)


def score_one(one, tables=TABLES):
    scored = score(*frames({"m": one}), tables)
    return scored.scores, scored.rejected


def reasons(one):
    return score_one(one)[1]["reason"].to_list()


class TestEnrolment:
    @pytest.mark.parametrize(
        ("days", "months"),
        [(1, 1), (31, 1), (32, 2), (62, 2), (63, 3), (92, 3), (93, 4), (123, 4), (124, 5), (153, 5), (154, 6),
         (184, 6), (185, 7), (214, 7), (215, 8), (245, 8), (246, 9), (275, 9), (276, 10), (306, 10), (307, 11),
         (335, 11), (336, 12), (365, 12)],
    )  # fmt: skip
    def test_enrolduration_at_its_edges(self, days, months):
        last = date.fromordinal(date(2025, 1, 1).toordinal() + days - 1)
        scores, _ = score_one(person("F", date(1980, 1, 1), last=last))
        assert scores["enrolment_duration"].item() == months
        assert scores["enrolled_days"].item() == days

    def test_days_pool_over_the_plans_of_an_issuer_and_overlaps_count_once(self):
        one = person("F", date(1980, 1, 1))
        one["spans"] = [
            ("1", "silver", 1, date(2025, 1, 1), date(2025, 1, 31)),
            ("2", "gold", 1, date(2025, 1, 20), date(2025, 2, 9)),
            ("3", "bronze", 1, date(2024, 3, 1), date(2024, 12, 31)),
        ]
        scores, _ = score_one(one)
        assert scores["span_id"].to_list() == ["1", "2"]
        assert scores["enrolment_duration"].to_list() == [2, 2]  # 40 distinct days
        assert scores["enrolled_days"].to_list() == [31, 21]

    def test_each_span_has_its_own_metal_months_and_csr(self):
        one = person("F", date(1980, 1, 1), diagnoses=["E1165"])
        one["spans"] = [
            ("1", "silver", 3, date(2025, 1, 1), date(2025, 3, 31)),
            ("2", "gold", 3, date(2025, 4, 1), date(2025, 12, 31)),
        ]
        scores, _ = score_one(one)
        assert scores["member_months"].to_list() == [3.0, 9.0]
        assert scores["csr_factor"].to_list() == [1.12, 1.0]
        assert scores["variables"].to_list() == [["FAGE_LAST_45_49", "G01"]] * 2
        assert scores["raw_score"][0] != scores["raw_score"][1]

    def test_a_full_year_is_twelve_months_in_leap_years_too(self):
        tables = load.load(load.folder(2024))
        scores, _ = score_one(person("F", date(1980, 1, 1), 2024), tables)
        assert scores["member_months"].item() == 12.0
        assert scores["enrolled_days"].item() == 366
        assert scores["enrolment_duration"].item() == 12

    @pytest.mark.parametrize(
        ("born", "last", "age"),
        [
            (date(1980, 6, 30), date(2025, 6, 29), 44),
            (date(1980, 6, 30), date(2025, 6, 30), 45),
            (date(2004, 2, 29), date(2025, 2, 28), 20),
            (date(2004, 2, 29), date(2025, 3, 1), 21),
            (date(2025, 6, 1), date(2025, 6, 1), 0),
        ],
    )
    def test_age_last_is_the_age_on_the_last_day_enrolled(self, born, last, age):
        scores, _ = score_one(person("F", born, first=max(born, date(2025, 1, 1)), last=last))
        assert scores["age_last"].item() == age

    def test_months_before_each_day(self):
        months = Year(2025).months_before()
        assert len(months) == 366
        assert months[[0, 31, 59, 365]].tolist() == [0, 1, 2, 12]
        assert np.all(np.diff(months) > 0)

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("sex", "U", "sex is not M or F"),
            ("sex", None, "sex is not M or F"),
            ("date_of_birth", None, "date_of_birth is missing"),
            ("metal", "tin", "metal is not one of"),
            ("date_of_birth", date(2026, 1, 1), "born after their last day"),
        ],
    )
    def test_spans_that_ingest_should_have_quarantined_are_errors(self, column, value, message):
        spans, diagnoses, drugs = frames({"m": person("F", date(1980, 1, 1))})
        spans = spans.with_columns(pl.lit(value, spans.schema[column]).alias(column))
        with pytest.raises(RiskflowError, match=message):
            score(spans, diagnoses, drugs, TABLES)

    def test_a_member_with_two_births_is_an_error(self):
        one = person("F", date(1980, 1, 1))
        one["spans"] *= 2
        spans, diagnoses, drugs = frames({"m": one})
        spans = spans.with_columns(pl.Series("date_of_birth", [date(1980, 1, 1), date(1981, 1, 1)]))
        with pytest.raises(RiskflowError, match="differs between the spans"):
            score(spans, diagnoses, drugs, TABLES)

    def test_missing_columns_are_named(self):
        spans, diagnoses, drugs = frames({"m": person("F", date(1980, 1, 1))})
        with pytest.raises(RiskflowError, match="spans lack columns: sex, metal"):
            score(spans.drop("sex", "metal"), diagnoses, drugs, TABLES)

    def test_no_members_give_no_scores(self):
        scored = score(*frames({}), TABLES)
        assert scored.scores.schema == SCORES.empty().schema
        assert scored.scores.is_empty()
        SCORES.validate(scored.scores)


class TestEvidence:
    @pytest.mark.parametrize(
        ("born", "sex", "diagnosis", "reason"),
        [
            (date(1980, 1, 1), "F", ("E1165", date(2024, 12, 31)), "outside_benefit_year"),
            (date(1980, 1, 1), "F", ("E1165", date(2026, 1, 1)), "outside_benefit_year"),
            (date(1980, 1, 1), "F", ("E1165", None), "outside_benefit_year"),
            (date(2025, 7, 1), "F", ("Z3800", DAY), "before_birth"),
            (date(1980, 1, 1), "F", ("J00", DAY), "code_without_hcc"),
            (date(1980, 1, 1), "F", ("E116", DAY), "code_without_hcc"),
            (date(1980, 1, 1), "F", ("G35", date(2025, 10, 1)), "code_not_valid_on_date"),
            (date(1980, 1, 1), "F", ("Z3800", DAY), "age_edit"),
            (date(2024, 1, 1), "F", ("P0701", DAY), "age_or_sex_split"),
            (date(1980, 1, 1), "F", ("Q790", DAY), "age_or_sex_split"),
        ],
    )
    def test_a_diagnosis_that_does_not_count_has_its_reason(self, born, sex, diagnosis, reason):
        assert reasons(person(sex, born, diagnoses=[diagnosis])) == [reason]

    def test_the_sex_edit_is_of_the_years_to_2024(self):
        one = person("M", date(1980, 1, 1), 2024, diagnoses=["O80"])
        assert score_one(one, load.load(load.folder(2024)))[1]["reason"].to_list() == ["sex_edit"]
        assert reasons(person("M", date(1980, 1, 1), diagnoses=["O80"])) == []

    def test_a_birthday_after_the_last_day_enrolled(self):
        one = person("F", date(1980, 7, 1), last=date(2025, 6, 30), diagnoses=[("G35", date(2025, 8, 1))])
        assert reasons(one) == ["age_after_last_age"]

    def test_unknown_members_are_told(self):
        spans, diagnoses, drugs = frames({"a": person("F", date(1980, 1, 1), diagnoses=["E1165"])})
        _, others, fills = frames({"b": person("F", date(1980, 1, 1), diagnoses=["E1165"], drugs=["J0741"])})
        scored = score(spans, pl.concat([diagnoses, others]), pl.concat([drugs, fills]), TABLES)
        assert scored.rejected.select("member_id", "kind", "reason").rows() == [
            ("b", "diagnosis", "member_not_enrolled"),
            ("b", "drug", "member_not_enrolled"),
        ]

    def test_a_drug_outside_the_year_or_without_an_rxc_does_not_count(self):
        spans, diagnoses, _ = frames({"a": person("F", date(1980, 1, 1))})
        drugs = pl.DataFrame(
            {
                "member_id": ["a"] * 4,
                "ndc": ["00002143301", "00002143301", "99999999999", None],
                "hcpcs": [None, None, None, "J0741"],
                "service_date": [date(2024, 12, 31), DAY, DAY, None],
            }
        )
        scored = score(spans, diagnoses, drugs, TABLES)
        assert scored.scores["variables"].item().to_list() == ["FAGE_LAST_45_49", "RXC_01", "RXC_07"]
        assert scored.rejected.select("row_id", "reason").rows() == [
            (0, "outside_benefit_year"),
            (2, "code_without_rxc"),
        ]

    def test_every_row_counts_or_has_a_reason(self):
        people = random_people(2025, "alt", 300, seed=8)
        spans, diagnoses, drugs = frames(people)
        scored = score(spans, diagnoses, drugs, TABLES)
        REJECTED.validate(scored.rejected)
        SCORES.validate(scored.scores)
        assert set(scored.rejected["reason"]) <= set(REASONS)
        kept = diagnoses.join(
            scored.rejected.filter(pl.col("kind").cast(pl.String) == "diagnosis"),
            left_on=["member_id", "diagnosis_id"],
            right_on=["member_id", pl.col("row_id").cast(pl.Int32)],
            how="anti",
        )
        assert 0 < kept.height < diagnoses.height
        again = score(spans, kept, drugs, TABLES)
        assert_frame_equal(again.scores, scored.scores)
        assert again.rejected.filter(pl.col("kind").cast(pl.String) == "diagnosis").is_empty()


class TestIssuers:
    """A member in two issuers is two enrollees: evidence and days do not pool between them."""

    def two_issuers(self, diagnoses=(), drugs=()):
        one = person("F", date(1980, 1, 1), diagnoses=diagnoses, drugs=drugs)
        one["spans"] = [
            ("1", "silver", 1, date(2025, 1, 1), date(2025, 3, 31)),
            ("2", "silver", 1, date(2025, 5, 1), date(2025, 12, 31)),
        ]
        spans, diagnoses, drugs = frames({"m": one, "n": person("F", date(1980, 1, 1), diagnoses=["E1165"])})
        issuers = pl.when(pl.col("span_id") == "2").then(pl.lit("22222")).otherwise("issuer")
        return score(spans.with_columns(issuer=issuers), diagnoses, drugs, TABLES)

    def test_a_diagnosis_counts_in_the_issuer_that_has_the_date(self):
        scored = self.two_issuers(diagnoses=[("E1165", date(2025, 2, 1)), ("G35", date(2025, 6, 1))])
        assert scored.scores.filter(member_id="m")["variables"].to_list() == [
            ["FAGE_LAST_45_49", "G01", "HCC_ED3"],
            ["FAGE_LAST_45_49", "HHS_HCC118"],
        ]
        assert scored.scores["enrolment_duration"].to_list() == [3, 8, 12]
        assert scored.scores.filter(member_id="n")["variables"].to_list() == [["FAGE_LAST_45_49", "G01"]]

    def test_a_date_in_no_issuer_does_not_count(self):
        scored = self.two_issuers(diagnoses=[("E1165", date(2025, 4, 15))])
        assert scored.rejected["reason"].to_list() == ["no_issuer_on_date"]

    def test_a_drug_without_a_date_counts_in_both(self):
        scored = self.two_issuers(drugs=["J0741"])
        assert ["RXC_01" in row for row in scored.scores["variables"]] == [True, True, False]


class TestDeterminism:
    PEOPLE = random_people(2025, "alt", 400, seed=77)
    FRAMES = frames(PEOPLE)
    WHOLE = score(*FRAMES, TABLES)

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 9))
    def test_shards_and_row_order_change_nothing(self, seed, shards):
        spans, diagnoses, drugs = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in self.FRAMES)
        number = pl.col("member_id").cast(pl.Int64) * 7 % shards
        parts = [
            score(*(frame.filter(number == shard) for frame in (spans, diagnoses, drugs)), TABLES)
            for shard in range(shards)
        ]
        scores = pl.concat([part.scores for part in parts]).sort("member_id", "span_id")
        rejected = pl.concat([part.rejected for part in parts]).sort("member_id", "kind", "row_id")
        assert_frame_equal(scores, self.WHOLE.scores.sort("member_id", "span_id"), check_exact=True)
        assert_frame_equal(
            rejected, self.WHOLE.rejected.sort("member_id", "kind", "row_id"), check_exact=True
        )

    def test_scores_come_back_in_the_order_of_the_spans(self):
        spans = self.FRAMES[0].reverse()
        scored = score(spans, *self.FRAMES[1:], TABLES).scores
        asked = spans.join(scored.select("member_id", "span_id"), on=["member_id", "span_id"], how="semi")
        assert_frame_equal(scored.select("member_id", "span_id"), asked.select("member_id", "span_id"))

    @settings(max_examples=15, deadline=None)
    @given(st.data())
    def test_a_diagnosis_twice_is_as_once(self, data):
        spans, diagnoses, drugs = self.FRAMES
        rows = data.draw(st.lists(st.integers(0, diagnoses.height - 1), min_size=1, max_size=50))
        doubled = pl.concat([diagnoses, diagnoses[rows]])
        assert_frame_equal(score(spans, doubled, drugs, TABLES).scores, self.WHOLE.scores, check_exact=True)

    def test_integer_member_ids_score_the_same(self):
        numbered = [frame.with_columns(pl.col("member_id").cast(pl.Int64)) for frame in self.FRAMES]
        scored = score(*numbered, TABLES).scores
        assert scored["raw_score"].to_list() == self.WHOLE.scores["raw_score"].to_list()

    def test_ids_of_different_types_are_an_error(self):
        spans, diagnoses, drugs = self.FRAMES
        with pytest.raises(RiskflowError, match="member_id is String in one table and Int64"):
            score(spans.with_columns(pl.col("member_id").cast(pl.Int64)), diagnoses, drugs, TABLES)

    def test_more_members_than_a_block(self):
        """The sum over 40,000 copies of a member is 40,000 times the member, wherever the block borders fall."""
        spans, diagnoses, drugs = frames({"m": person("F", date(1980, 1, 1), diagnoses=["E1165", "G35"])})
        ids = pl.Series("member_id", [f"{n:06d}" for n in range(40_000)])

        def copies(frame):
            return frame.drop("member_id").join(ids.to_frame(), how="cross")

        scored = score(copies(spans), copies(diagnoses), copies(drugs), TABLES).scores
        assert scored["raw_score"].n_unique() == 1
        assert scored.height == 40_000
        assert set(scored["member_id"]) == set(ids)


class TestEligibility:
    CLAIMS = pl.DataFrame(
        {
            "claim_kind": ["inpatient", "inpatient", "outpatient", "outpatient", "professional", "professional", None],
            "bill_type": ["0111", "121", "131", "331", None, None, None],
            "procedure": [None, "99213", "99213", "99213", "99213", "80053", None],
        }
    )  # fmt: skip

    def test_without_a_list_only_kind_and_type_of_bill_decide(self):
        found = with_eligibility(self.CLAIMS, None)["eligible"].to_list()
        assert found == [True, False, True, False, True, True, True]

    def test_with_a_list_outpatient_and_professional_claims_need_a_code_on_it(self):
        found = with_eligibility(self.CLAIMS, pl.Series(["99213"]))["eligible"].to_list()
        assert found == [True, False, True, False, True, False, True]

    def test_claims_without_claim_fields_are_as_they_are(self):
        frame = pl.DataFrame({"code": ["E1165"]})
        assert with_eligibility(frame, None) is frame

    def test_the_engine_rejects_what_is_not_eligible(self):
        spans, diagnoses, drugs = frames({"m": person("F", date(1980, 1, 1), diagnoses=["E1165"])})
        scored = score(spans, diagnoses.with_columns(eligible=pl.lit(False)), drugs, TABLES)
        assert scored.rejected["reason"].to_list() == ["claim_not_eligible"]
        assert scored.scores["variables"].item().to_list() == ["FAGE_LAST_45_49"]

    def test_a_users_file_of_codes(self, tmp_path):
        path = tmp_path / "codes.csv"
        path.write_text("code,note\n99213,x\ng0438\n 99214 \n\n99213\n")
        assert eligible_codes(path).to_list() == ["99213", "99214", "G0438"]
        path.write_text("nothing here\n")
        with pytest.raises(RiskflowError, match="no line of"):
            eligible_codes(path)
        with pytest.raises(RiskflowError, match="is not there"):
            eligible_codes(tmp_path / "absent.csv")


def test_csr_unknown_or_beyond_the_table_means_no_adjustment():
    for csr in (None, 0, 55, 500):
        one = person("F", date(1980, 1, 1), csr=csr)
        assert score_one(one)[0]["csr_factor"].item() == 1.0


def test_enrolment_alone_says_who_the_enrollees_are():
    spans, _, _ = frames({"b": person("F", date(1980, 1, 1)), "a": person("M", date(2025, 3, 3))})
    found = enrolment(
        spans.with_columns(enrolment_start=pl.max_horizontal("enrolment_start", "date_of_birth")), TABLES
    )
    assert found.members.to_list() == ["a", "b"]
    assert found.age_last.tolist() == [0, 45]
    assert found.male.tolist() == [1, 0]
