SELECT run_id, owner FROM main_runs.run_registry WHERE status = 'started' ORDER BY run_id
