-- JSON is made when somebody reads it: writing it for a million members takes longer than all else that is written.
CREATE VIEW IF NOT EXISTS main_runs.risk_scores AS
SELECT
    run_id, member_id, span_id, plan_id, issuer, market, state, rating_area, benefit_year, vintage, model, metal,
    csr_indicator, member_months, raw_score, csr_adjusted_score,
    to_json({
        model_version: model_version, sex: sex, age_last: age_last, enrolled_days: enrolled_days,
        enrolment_duration: enrolment_duration, csr_factor: csr_factor
    }) AS details,
    -- Put together as text: to_json of a MAP per row takes longer.
    ('{' || array_to_string(list_transform(variables, lambda name, place:
        to_json(name) || ':' || coefficients[place]), ',') || '}')::JSON AS components
FROM main_runs.scored_spans;
