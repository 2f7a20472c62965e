UPDATE main_runs.run_registry SET status = $status, updated_at = $now WHERE run_id = $run_id RETURNING run_id
