DELETE FROM main_analytics.decomposition WHERE run_id = $run_id;
INSERT INTO main_analytics.decomposition BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path);
