DELETE FROM main_analytics.run_comparison WHERE run_id = $run_id;
INSERT INTO main_analytics.run_comparison BY NAME
SELECT $run_id AS run_id, *, $run_id_a AS run_id_a, $run_id_b AS run_id_b, $population AS population
FROM read_parquet($path);
