DELETE FROM main_analytics.decomposition_scenarios WHERE run_id = $run_id;
INSERT INTO main_analytics.decomposition_scenarios BY NAME
SELECT $run_id AS run_id, * EXCLUDE (members, member_months, value)
FROM read_parquet($path);
