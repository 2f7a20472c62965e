-- Riskflow 0.1 kept scores with JSON columns in a table: details and components are taken apart again.
INSERT INTO main_runs.scored_spans BY NAME
SELECT
    run_id, member_id, span_id, benefit_year, vintage, details ->> '$.model_version' AS model_version, model, metal,
    csr_indicator, plan_id, issuer, market, state, rating_area,
    details ->> '$.sex' AS sex,
    CAST(details ->> '$.age_last' AS SMALLINT) AS age_last,
    CAST(details ->> '$.enrolled_days' AS SMALLINT) AS enrolled_days,
    member_months,
    CAST(details ->> '$.enrolment_duration' AS SMALLINT) AS enrolment_duration,
    raw_score,
    CAST(details ->> '$.csr_factor' AS DOUBLE) AS csr_factor,
    csr_adjusted_score,
    map_keys(paid) AS variables,
    map_values(paid) AS coefficients
FROM (
    SELECT *, from_json(components, '"MAP(VARCHAR, DOUBLE)"') AS paid
    FROM main_runs.risk_scores
);
DROP TABLE main_runs.risk_scores;
