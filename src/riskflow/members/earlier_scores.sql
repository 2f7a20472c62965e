SELECT * EXCLUDE (run_id)
FROM main_runs.scored_spans
WHERE run_id = $run_id;
