DELETE FROM main_analytics.transfer_pools WHERE run_id = $run_id;
INSERT INTO main_analytics.transfer_pools BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path);
