SELECT * FROM main_runs.run_registry ORDER BY run_timestamp DESC, run_id
