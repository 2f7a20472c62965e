DELETE FROM main_intermediate.rejected_evidence WHERE run_id = $run_id;
INSERT INTO main_intermediate.rejected_evidence BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path);
