DELETE FROM main_analytics.transfers WHERE run_id = $run_id;
INSERT INTO main_analytics.transfers BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path);
