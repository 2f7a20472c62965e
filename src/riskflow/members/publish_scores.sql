DELETE FROM main_runs.risk_scores WHERE run_id = $run_id;
INSERT INTO main_runs.risk_scores BY NAME
SELECT
    $run_id AS run_id,
    member_id, span_id, plan_id, issuer, market, state, rating_area, benefit_year, vintage, model, metal, csr_indicator,
    member_months, raw_score, csr_adjusted_score,
    to_json({
        model_version: model_version, sex: sex, age_last: age_last, enrolled_days: enrolled_days,
        enrolment_duration: enrolment_duration, csr_factor: csr_factor
    }) AS details,
    -- Put together as text: to_json of a MAP per row takes longer.
    ('{' || array_to_string(list_transform(variables, lambda name, place:
        to_json(name) || ':' || coefficients[place]), ',') || '}')::JSON AS components
FROM read_parquet($path);
