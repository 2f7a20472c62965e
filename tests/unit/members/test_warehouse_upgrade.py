"""A warehouse whose scores are a table with JSON columns, as riskflow kept them before, is taken over whole."""

import json

import duckdb

from riskflow.members.registry import prepare

OLD = """
CREATE SCHEMA main_runs;
CREATE TABLE main_runs.risk_scores (
    run_id VARCHAR NOT NULL, member_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL, plan_id VARCHAR, issuer VARCHAR,
    market VARCHAR, state VARCHAR, rating_area BIGINT, benefit_year SMALLINT NOT NULL, vintage VARCHAR NOT NULL,
    model VARCHAR NOT NULL, metal VARCHAR NOT NULL, csr_indicator BIGINT, member_months DOUBLE NOT NULL,
    raw_score DOUBLE NOT NULL, csr_adjusted_score DOUBLE NOT NULL, details JSON NOT NULL, components JSON NOT NULL
)
"""
DETAILS = {
    "model_version": "V08",
    "sex": "F",
    "age_last": 44,
    "enrolled_days": 365,
    "enrolment_duration": 12,
    "csr_factor": 1.07,
}
COMPONENTS = {"FAGE_LAST_40_44": 0.1234567890123, "HHS_HCC020": 0.5}
ROW = ("r1", "m1", "1", "p", None, "individual", "OH", None, 2025, "2025-07", "adult", "silver", 1, 12.0)


def upgraded(rows: list[tuple[object, ...]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(OLD)
    for row in rows:
        connection.execute(
            f"INSERT INTO main_runs.risk_scores VALUES ({', '.join('?' * len(row))})",  # placeholders only
            row,
        )
    prepare(connection)
    return connection


def test_the_rows_are_there_as_they_were() -> None:
    score = sum(COMPONENTS.values())
    before = (*ROW, score, score * 1.07, json.dumps(DETAILS), json.dumps(COMPONENTS))
    childless = ("r2", *before[1:-1], "{}")
    connection = upgraded([before, childless])
    after = connection.execute("SELECT * FROM main_runs.risk_scores ORDER BY run_id").fetchall()
    for row, want in zip(after, (before, childless), strict=True):
        assert row[:-2] == want[:-2]
        assert [json.loads(text) for text in row[-2:]] == [json.loads(text) for text in want[-2:]]
    kept = connection.execute(
        "SELECT variables, coefficients, age_last FROM main_runs.scored_spans ORDER BY run_id"
    )
    assert kept.fetchall() == [(list(COMPONENTS), list(COMPONENTS.values()), 44), ([], [], 44)]


def test_it_happens_once() -> None:
    connection = upgraded([])
    prepare(connection)
    assert connection.execute("SELECT count(*) FROM main_runs.risk_scores").fetchone() == (0,)
