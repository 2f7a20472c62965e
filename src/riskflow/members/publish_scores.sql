DELETE FROM main_runs.scored_spans WHERE run_id = $run_id;
INSERT INTO main_runs.scored_spans BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path);
