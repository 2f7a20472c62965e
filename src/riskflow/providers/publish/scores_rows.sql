-- A run's rows in the shape of the table, but for run and time.
CREATE OR REPLACE TEMP MACRO scores_rows(scores) AS TABLE
SELECT
    npi,
    CAST(risk_score AS DECIMAL(6, 2)) AS risk_score,
    risk_label,
    CAST(r_raw AS DECIMAL(8, 4)) AS r_raw,
    billing,
    ownership,
    trajectory,
    exclusion,
    concentration,
    billing_outlier_percentile,
    peer_taxonomy,
    peer_state,
    peer_n AS peer_count,
    data_window_years,
    CAST(flags AS JSON) AS flags,
    CAST(to_json({
        'billing': billing, 'ownership': ownership, 'trajectory': trajectory,
        'exclusion': exclusion, 'concentration': concentration
    }) AS JSON) AS components,
    display_name,
    entity_type,
    risk_score AS risk_score_exact,
    r_raw AS r_raw_exact,
    rank,
    coverage,
    peer_basis,
    CAST(to_json({
        'billing': billing_contribution, 'ownership': ownership_contribution,
        'trajectory': trajectory_contribution, 'exclusion': exclusion_contribution,
        'concentration': concentration_contribution
    }) AS JSON) AS contributions,
    reasons,
    nearest_exclusion_hops,
    nearest_exclusion_path,
    CAST(payments_after_exclusion_cents / 100 AS DECIMAL(18, 2)) AS payments_after_exclusion,
    previous_risk_score,
    score_change,
    previous_rank,
    rank_change,
    not_scored_reason,
    method,
    method_version
FROM read_parquet(scores);
